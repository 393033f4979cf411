#!/usr/bin/perl
# Whose message is it? Every From that readers have taken for different ones
# (abuse case 21; "Composition Kills"): DMARC and IMAP ENVELOPE must give one
# answer, or the message is refused. Then what must not let a message past
# p=reject: temporary errors, HELO (25), signatures of others.
use strict;
use warnings;
use Cwd 'abs_path';
use File::Basename;
use File::Temp 'tempdir';
use lib dirname(__FILE__) . '/..';

my $top = abs_path(dirname($0) . '/../..');
my $bin = $ENV{PNEU_BIN} ||= "$top/obj/release/bin";
my $tools = $ENV{PNEU_TOOLS} ||= "$top/obj/release/tools";
my $tmp = tempdir(CLEANUP => 1);
require Smtp;
Test::More->import;
$| = 1;

# victim.test wants rejects; evil.test has nothing to say.
open my $z, '>', "$tmp/zone" or die;
print $z <<'END';
rr name=_dmarc.victim.test type=TXT value="v=DMARC1; p=reject"
rr name=victim.test type=TXT value="v=spf1 ip4:192.0.2.1 -all"
rr name=helo.victim.test type=TXT value="v=spf1 +all"
rr name=evil.test type=TXT value="v=spf1 +all"
rr name=evil.test type=A value=127.0.0.1
rr name=_dmarc.xn--strae-oqa.test type=TXT value="v=DMARC1; p=reject"
rr name=_dmarc.xn--bcher-kva.test type=TXT value="v=DMARC1; p=reject"
act name=slow.evil.test do=servfail
END
# What costs a lot: keys of 50 KB, and a record of 41 hosts and more.
print $z "rr name=big$_._domainkey.evil.test type=TXT", ' value="' . 'n=' . 'x' x 248 . '"', (' value="' .
    'x' x 250 . '"') x 199, "\n" for 1 .. 7;
print $z 'rr name=dear.evil.test type=TXT value="v=spf1', (map " mx:m$_.evil.test", 0 .. 8), qq( -all"\n);
for my $m (0 .. 8) {
	print $z map "rr name=m$m.evil.test type=MX value=\"$_ h$_.m$m.evil.test\"\n" .
	    "rr name=h$_.m$m.evil.test type=A value=203.0.113.9\n", 0 .. 9;
}
print $z "act name=s$_._domainkey.evil.test do=servfail\n" for 1 .. 8;
print $z "act name=x._domainkey.victim.test do=servfail\n";
close $z;
our $pipe; # global: closing it would wait for dnsfake
my $pid = open $pipe, '-|', "$tools/dnsfake", '-a', "$tmp/zone" or die;
(<$pipe> // '') =~ /port (\d+)/ or die 'dnsfake did not start';
my $server = "127.0.0.1:$1";
END {
	local $?;
	kill 'TERM', $pid if $pid;
}

# Who: V, E: the domain that is judged; P: permerror, refused.
my $v = 'victim.test';
my $e = 'evil.test';
my @cases = (
	[ V => "From: a\@$v\r\n" ],
	[ E => "From: a\@$e\r\n" ],
	# fields
	[ P => "From: a\@$v\r\nFrom: b\@$e\r\n" ],
	[ P => "From: b\@$e\r\nFrom: a\@$v\r\n" ],
	[ P => "From: b\@$e\r\nTo: x\@y\r\nFROM: a\@$v\r\n" ],
	[ P => "From: a\@$e\r\nFrom: a\@$e\r\n" ],
	[ P => "From: a\@$e\r\nFrom : a\@$v\r\n" ],
	[ P => "From: a\@$e\r\nFrom\t: a\@$v\r\n" ],
	[ P => "To: a\@$v\r\n" ],
	[ V => "from: a\@$v\r\n" ],
	[ V => "From:a\@$v\r\n" ],
	[ V => "From:\r\n a\@$v\r\n" ],
	[ V => "From:\r\n\ta\@$v\r\n" ],
	[ V => "From: a\@$v\r\nSender: b\@$e\r\nReply-To: b\@$e\r\n" ],
	[ E => "From: b\@$e\r\nSender: a\@$v\r\nResent-From: a\@$v\r\n" ],
	[ P => "Sender: b\@$e\r\n" ],
	[ P => "\r\nFrom: a\@$v\r\n" ],
	[ P => " From: a\@$v\r\nFrom: b\@$e\r\n" ],
	[ P => " x\r\nFrom: b\@$e\r\n" ],
	[ P => "From: b\@$e\r\nno field at all\r\nTo: x\@y\r\n" ],
	[ P => "From b\@$e\r\n" ],
	# nothing there
	[ P => "From:\r\n" ],
	[ P => "From: \r\n \t\r\n" ],
	[ P => "From: <>\r\n" ],
	[ P => "From: Ann\r\n" ],
	[ P => "From: \"a\@$v\"\r\n" ],
	[ P => "From: (a\@$v)\r\n" ],
	[ P => "From: a\r\n" ],
	[ P => "From: a\@\r\n" ],
	[ P => "From: \@$v\r\n" ],
	[ P => "From: a\@[192.0.2.1]\r\n" ],
	[ P => "From: undisclosed:;\r\n" ],
	# several
	[ P => "From: a\@$v, b\@$e\r\n" ],
	[ P => "From: b\@$e, a\@$v\r\n" ],
	[ V => "From: a\@$v, b\@$v\r\n" ],
	[ E => "From: a\@$e, b\@EVIL.test\r\n" ],
	[ P => "From: b\@$e" . ", b\@$e" x 98 . ", a\@$v\r\n" ],
	[ E => "From: b0\@$e" . join('', map { ",\r\n b$_\@$e" } 1 .. 99) . "\r\n" ],
	[ P => "From: a\@$v; b\@$e\r\n" ],
	[ P => "From: <a\@$v><b\@$e>\r\n" ],
	[ P => "From: <a\@$v> <b\@$e>\r\n" ],
	[ P => "From: <b\@$e> a\@$v\r\n" ],
	[ P => "From: b\@$e, Ann\r\n" ],
	# groups
	[ V => "From: g: a\@$v;\r\n" ],
	[ P => "From: g: a\@$v, b\@$e;\r\n" ],
	[ P => "From: g: a\@$v;, b\@$e\r\n" ],
	# comments, quotes, encoded words
	[ V => "From: a\@$v(.$e)\r\n" ],
	[ V => "From: a(\@$e)\@$v\r\n" ],
	[ V => "From: (b\@$e) a\@$v (b\@$e)\r\n" ],
	[ V => "From: a\@victim(x).test\r\n" ],
	[ P => "From: (b\@$e a\@$v\r\n" ],
	[ E => "From: \"a\@$v\" <b\@$e>\r\n" ],
	[ E => "From: \"x\\\" <a\@$v>\\\"\" <b\@$e>\r\n" ],
	[ E => "From: \"a\@$v\"\@$e\r\n" ],
	[ E => "From: \"<a\@$v>\"\r\n <b\@$e>\r\n" ],
	[ P => "From: \"<a\@$v> <b\@$e>\r\n" ],
	[ E => "From: =?utf-8?q?a=40$v?= <b\@$e>\r\n" ],
	[ E => "From: =?utf-8?q?=3Ca=40$v=3E?= <b\@$e>\r\n" ],
	[ P => "From: =?utf-8?q?a=40$v?=\r\n" ],
	[ P => "From: <=?utf-8?q?a=40$v?=>\r\n" ],
	[ V => "From: =?utf-8?q?a=40${e}_?= <a\@$v>\r\n" ],
	# an address as a name without quotes: common, and the other one counts
	[ E => "From: a\@$v <b\@$e>\r\n" ],
	[ V => "From: b\@$e <a\@$v>\r\n" ],
	# routes and odd ends
	[ V => "From: <\@$e:a\@$v>\r\n" ],
	[ E => "From: <\@$v:b\@$e>\r\n" ],
	[ P => "From: a\@$v\@$e\r\n" ],
	[ P => "From: a\@$e\@$v\r\n" ],
	[ P => "From: <a\@$v\@$e>\r\n" ],
	[ P => "From: a\@$v>\r\n" ],
	[ P => "From: <a\@$v\r\n" ],
	[ P => "From: a\@$v%$e\r\n" ],
	[ V => "From: a\@VICTIM.Test\r\n" ],
	[ P => "From: a\@$v,\x01b\@$e\r\n" ],
	# bytes
	[ P => "From: a\@$v\0\@$e\r\n" ],
	[ P => "From: a\@$v\0\r\n" ],
	[ P => "From: \0a\@$v\r\n" ],
	[ P => "From: a\@$v\x01\r\n" ],
	[ P => "From: a\@$v\x0b\@$e\r\n" ],
	[ P => "From: a\@$v\rFrom: b\@$e\r\n" ],
	[ P => "From: b\@$e\rFrom: a\@$v\r\n" ],
	[ P => "From: b\@$e\nFrom: a\@$v\r\n" ],
	[ P => "From: a\@\xff$v\r\n" ],
	[ P => "From: a\xef\xbc\xa0$v\r\n" ],
	[ V => "From: a\@victim\xe3\x80\x82test\r\n" ],
	[ V => "From: a\@v\xef\xbd\x89ctim.test\r\n" ],
	[ P => "From: a\@" . 'x' x 300 . ".$v\r\n" ],
	[ P => "From: " . 'x' x 2000 . "\@$v\r\n" ],
	# more of groups, blanks and quoted pairs
	[ P => "From: g:;, a\@$v, b\@$e\r\n" ],
	[ V => "From: g:;, a\@$v\r\n" ],
	[ P => "From: g: a\@$v\r\n" ],
	[ P => "From: g: h: a\@$v;;\r\n" ],
	[ P => "From: g: a\@$v; b\@$e\r\n" ],
	[ E => "From: \"a\@$v\": b\@$e;\r\n" ],
	[ E => "From: \"g: a\@$v;\" <b\@$e>\r\n" ],
	[ V => "From: a \@ victim . test\r\n" ],
	[ V => "From: a\@victim\r\n .test\r\n" ],
	[ P => "From: a\@vic\r\n tim.test\r\n" ],
	[ P => "From: a\@$v b\@$e\r\n" ],
	[ P => "From: a\\\@$e\@$v\r\n" ],
	[ E => "From: \"a\\\@$v\\\"\"\@$e\r\n" ],
	[ V => "From: a\@(\@$e)$v\r\n" ],
	[ V => "From: a\@$v (x (b\@$e) \\) y)\r\n" ],
	[ P => "From: a\@$v (x\r\n" ],
	[ P => "From: a\@$v)\r\n" ],
	[ E => "From: (<a\@$v>,) b\@$e\r\n" ],
	[ P => "From: a\@$v\\\r\n" ],
	[ P => "From: <a\@$v>, \r\n ,b\@$e\r\n" ],
	[ P => "From: <<a\@$v> b\@$e>\r\n" ],
	[ P => "From: <>, <a\@$v>\r\n" ],
	# encoded words where a reader decodes too early
	[ P => "From: a\@=?utf-8?q?$v?=\r\n" ],
	[ P => "From: a\@$v=?utf-8?q?=2C?= b\@$e\r\n" ],
	[ E => "From: =?utf-8?q?x=0D=0AFrom=3A_a=40$v?= <b\@$e>\r\n" ],
	[ P => "From: =?utf-8?q?From:_a=40$v?= <b\@$e>\r\n" ],
	[ E => "From: =?utf-8?q?x=00a=40$v?= <b\@$e>\r\n" ],
	[ P => "From: =?utf-8?b?PGFAdmljdGltLnRlc3Q+?=\r\n =?utf-8?q?,?= <b\@$e>\r\n" ],
	[ E => "From: \"=?utf-8?q?a=40$v?=\" <b\@$e>\r\n" ],
	# names
	[ P => "From: a\@$v.\r\n" ],
	[ P => "From: a\@$v..\r\n" ],
	[ P => "From: a\@.$v\r\n" ],
	[ V => "From: a\@vic\xc2\xadtim.test\r\n" ],
	[ V => "From: a\@vict\xe2\x80\x8bim.test\r\n" ],
	[ P => "From: a\@victim\xc2\xa0.test\r\n" ],
	[ P => "From: a\@xn--victim-.test\r\n" ],
	[ P => "From: a\@xn--victim-\xc3\xbc.test\r\n" ],
	[ V => "From: \xc3\xbc\@$v\r\n" ],
	[ P => "From: a\@victim/test\r\n" ],
	[ P => "From: a\@victim*test\r\n" ],
	# more than is looked at: nobody is sure what stands behind it
	[ P => "From: " . "b\@$e," x 1000 . "a\@$v\r\n" ],
	[ P => "From: b\@$e\r\n" . "X: y\r\n" x 150000 . "From: a\@$v\r\n" ],
	[ P => "From: b\@$e\r\n" x 25 ],
	[ E => "From: b\@$e\r\n" . "X: y\r\n" x 1200 ],
	[ P => "From: b\@$e\r\n" . "X: y\r\n" x 1200 . "From: a\@$v\r\n" ],
);
# U-labels: one name for all spellings, as IDNA says; xn--strae-oqa.test has a
# policy, strasse.test is another name and has none.
my @idn = (
	[ 'xn--strae-oqa.test', "From: a\@stra\xc3\x9fe.test\r\n" ],
	[ 'xn--strae-oqa.test', "From: a\@STRA\xc3\x9fE.test\r\n" ],
	[ 'xn--strae-oqa.test', "From: a\@XN--STRAE-OQA.test\r\n" ],
	[ 'strasse.test', "From: a\@strasse.test\r\n" ],
	[ 'xn--bcher-kva.test', "From: a\@B\xc3\x9cCHER.test\r\n" ],
	[ 'xn--bcher-kva.test', "From: a\@bu\xcc\x88cher.test\r\n" ],
	[ 'xn--bcher-kva.test', "From: a\@b\xc3\xbccher\xef\xbc\x8etest\r\n" ],
	[ 'xn--bcher-kva.test', "From: =?utf-8?q?x?= <a\@b\xc3\xbccher.test>\r\n" ],
	[ '', "From: a\@b\xfccher.test\r\n" ],
	[ '', "From: a\@b\xc3.test\r\n" ],
	[ '', "From: a\@=?utf-8?q?b=C3=BCcher?=.test\r\n" ],
);

sub output { # text as fd 0, command
	my ($text, @command) = @_;
	open my $f, '>:raw', "$tmp/in" or die;
	print $f $text;
	close $f;
	return scalar `@command <$tmp/in 2>/dev/null`;
}

# The hosts of From in an IMAP ENVELOPE, lower case, "" for what has none.
sub shown {
	my ($envelope) = @_;
	my $atom = qr/"(?:[^"\\]|\\.)*"|NIL/;
	# ("date" "subject" FROM ...
	$envelope =~ /^\((?:$atom|\{\d+\}) (?:$atom) (NIL|\((?:\((?:$atom ?){4}\) ?)+\))/s
	    or return ('?');
	my ($list, @hosts) = $1;
	while ($list =~ /\(($atom) ($atom) ($atom) ($atom)\)/g) {
		my $host = $4;
		next if $host eq 'NIL'; # a group's start or end
		push @hosts, lc $host =~ s/^"|"$//gr;
	}
	return @hosts;
}

sub canonical {
	my ($host) = @_;
	my $out = output(unpack('H*', $host) . "\n", "$tools/domain-dump");
	return $out =~ /^([0-9a-f]+) / ? pack 'H*', $1 : $host;
}

# A header as the name of a test: no line ends, no "#", not too long.
sub shown_name {
	my $name = substr $_[0] =~ s/\r\n$//r, 0, 70;
	return $name =~ s/([^\x20-\x7e]|#)/sprintf '<%02x>', ord $1/ger;
}

sub judge {
	my ($want, $head) = @_;
	my $msg = $head . "Subject: x\r\n\r\nx\r\n";
	my $name = "$want: " . shown_name($head);
	my $alone = output($msg, "$bin/dmarc-eval -s $server");
	my $job = "job id=abcdefghabcdefgh size=" . length($msg) .
	    " time=1700000000\nfrom addr=b\@$e\n\n$msg";
	my $piped = output($job, "$bin/imf-parse | $bin/dmarc-eval -s $server");
	my ($line) = $piped =~ /^(dmarc .*)$/m;
	my $all = output($msg, "$bin/imf-parse -v");
	my ($text) = $all =~ /^envelope-utf8 text=(.*)$/m;
	($text) = $all =~ /^envelope text=(.*)$/m if !defined $text;
	$text =~ s/^"(.*)"$/$1/;
	$text =~ s/\\(x[0-9A-Fa-f]{2}|.)/length $1 == 3 ? chr hex substr $1, 1 :
	    $1 eq 'n' ? "\n" : $1/ge;
	my @hosts = map { canonical($_) } shown($text);
	my $got = ($line // '') =~ /result=permerror .*disposition=reject/ ? 'P' :
	    ($line // '') =~ / domain=$v / ? 'V' :
	    ($line // '') =~ / domain=$e / ? 'E' : '?';
	ok($got eq $want, $name) or diag($line // $piped);
	is($alone, ($line // '') . "\n", '  alone and in a pipe');
	my $domain = $got eq 'V' ? $v : $e;
	ok($got eq 'P' || (@hosts && !grep { $_ ne $domain } @hosts),
	    '  ENVELOPE shows ' . join ',', @hosts[0 .. ($#hosts > 3 ? 3 : $#hosts)])
	    or diag($text);
}
for (@cases) {
	my ($want, $head) = @$_;
	judge($want, $head);
}
for (@idn) {
	my ($domain, $head) = @$_;
	my $got = output("${head}Subject: x\r\n\r\nx\r\n", "$bin/dmarc-eval -s $server");
	like($got, $domain eq '' ? qr/^dmarc result=permerror disposition=reject / :
	    qr/^dmarc result=(fail|none) domain=\Q$domain\E .*disposition=@{[
	    $domain eq 'strasse.test' ? 'none' : 'reject']} /,
	    shown_name($head) . ': ' . ($domain || 'nobody'));
}

# The same by SMTP, through the pipeline as it is shipped.
open my $p, '<', "$top/conf/pipeline/inbound" or die;
my $lines = join '', <$p>;
my $i = Smtp->instance("resolver=$server max-connections-per-ip=1000");
$ENV{PNEU_ROOT} = $i->{root};
$i->pipeline('inbound', $lines);

# The replies to messages [sender, message, HELO name]. A session in which something was
# refused is made to wait, so each message has its own, and many go at once.
sub send_all {
	my @replies;
	while (my @some = splice @_, 0, 20) {
		my @c = map { $i->session('smtp', TCPREMOTEIP => '198.51.100.9',
		    TCPREMOTEPORT => 9) } @some;
		my @got = map { $_->reply // 'closed' } @c;
		for my $say ('EHLO', 'MAIL',
		    "RCPT TO:<bob\@example.org>\r\n", "DATA\r\n", 'message') {
			my @go = grep { $got[$_] =~ /^[23]/ } 0 .. $#some;
			$c[$_]->say($say eq 'EHLO' ? 'EHLO ' . ($some[$_][2] //
			    'helo.victim.test') . "\r\n" :
			    $say eq 'MAIL' ? "MAIL FROM:<$some[$_][0]>\r\n" :
			    $say eq 'message' ? "$some[$_][1].\r\n" : $say) for @go;
			$got[$_] = $c[$_]->reply // 'closed' for @go;
		}
		$_->end for @c;
		push @replies, map { s/\r\n$//r } @got;
	}
	return @replies;
}
my $taken = 0;
my @replies = send_all(map { [ "b\@$e", "$_->[1]Subject: x\r\n\r\nx\r\n" ] } @cases);
for my $k (0 .. $#cases) {
	my ($want, $head) = @{$cases[$k]};
	# A NUL, a bare CR or LF and a line too long are refused before anybody
	# asks whose it is.
	my $raw = $head =~ /\0|\r(?!\n)|(?<!\r)\n|[^\n]{1000}/;
	like($replies[$k], $want eq 'E' ? qr/^250 / : $raw ? qr/^5\d\d / : qr/^550 5\.7\.26 /,
	    "SMTP: $want: " . shown_name($head));
	$taken++ if $replies[$k] =~ /^250 /;
}
my @files = glob "$i->{root}/mail/bob/Maildir/new/* $i->{root}/mail/bob/Maildir/cur/*";
is(scalar @files, $taken, 'what was taken is there, and nothing else');

# What does not help against p=reject.
my $mine = "From: a\@$v\r\nSubject: x\r\n";
my $body = "\r\nx\r\n";
sub signature { # domain, selector: it cannot be looked up now
	return "DKIM-Signature: v=1; a=rsa-sha256; d=$_[0]; s=$_[1]; c=relaxed/relaxed;\r\n" .
	    " h=from:subject; bh=" . 'A' x 43 . "=; b=AAAA\r\n";
}
my $lasting = qr/^550 5\.7\.26 /;
my @foreign = map { signature($e, "s$_") } 1 .. 8;
my @tries = (
	[ 'SPF of somebody else', $lasting, "b\@$e", '' ],
	[ 'SPF of somebody else in doubt, HELO of the victim passes (25)', $lasting,
	    "b\@slow.$e", '' ],
	[ 'a foreign signature in doubt', $lasting, "b\@$e", $foreign[0] ],
	[ 'eight of them', $lasting, "b\@$e", join '', @foreign ],
	[ 'and one of the victim behind them: not now, or never',
	    qr/^(550|451) [45]\.7\.26 /, "b\@$e", join '', @foreign, signature($v, 'x') ],
	[ 'one of the victim in doubt: not now', qr/^451 4\.7\.26 /, "b\@$e",
	    signature($v, 'x') ],
	[ 'keys so large that the answer for the victim does not fit', $lasting,
	    "b\@$e", join '', map { signature($_ < 8 ? ($e, "big$_") : ($v, 'no')) } 1 .. 8 ],
	[ 'HELO whose SPF record uses up what MAIL FROM needs', $lasting, "b\@$v", '',
	    "dear.$e" ],
	[ 'the null sender: HELO speaks for the domain above it', qr/^250 /, '', '' ],
);
@replies = send_all(map { [ $_->[2], $_->[3] . $mine . $body, $_->[4] ] } @tries);
like($replies[$_], $tries[$_][1], $tries[$_][0]) for 0 .. $#tries;

# One evaluation a message would be written if victim.test had rua; it has not.
is(join(' ', glob "$i->{root}/report/evaluation/*"), '',
    'no evaluation for a domain without rua');
printf "# %d cases\n", @cases + @idn;
done_testing();
