#!/usr/bin/perl
# Look-alikes: a signed message into which a stranger has put a line that some
# reader may take for a From or a Subject. Whoever reads the bytes here must see
# the same: imf-parse, dkim-verify (the signature is oversigned, so one field
# more breaks it), dmarc-eval, deliver, and IMAP's ENVELOPE and HEADER.FIELDS.
# And where a lenient reader would show the stranger's address, DMARC does not
# pass. ("Composition Kills", USENIX Security 2020.)
use strict;
use warnings;
use File::Temp ();
use IPC::Open2;
use Test::More;

my $bin = $ENV{PNEU_BIN} or die "PNEU_BIN is not set\n";
my $tools = $ENV{PNEU_TOOLS};
my $python = '/usr/bin/python3';
plan skip_all => 'needs python3-dkim'
    if system("$python -c 'import dkim' 2>/dev/null") != 0;
my $dir = File::Temp->newdir;
my $root = "$dir/root";

sub spew { my ($f, $t) = @_; open my $h, '>:raw', $f or die "$f: $!"; print $h $t; close $h }
sub slurp { my ($f) = @_; open my $h, '<:raw', $f or return ''; local $/; return <$h> // '' }
# The bytes a program prints when it is given these.
sub filter {
	my ($in, @cmd) = @_;
	spew("$dir/in", $in);
	my $cmd = join ' ', map { "'$_'" } @cmd;
	my $out = `$cmd <'$dir/in' 2>'$dir/err'`;
	return $out . ($cmd[-1] eq '-v' ? slurp("$dir/err") : '');
}

# ---- a key, the DNS, an account ----
spew("$dir/key", scalar `'$bin/dkim-keygen' -t rsa`);
my ($p) = filter(slurp("$dir/key"), "$bin/dkim-record") =~ s/["()\s]//gr =~ /(v=DKIM1.*)/;
spew("$dir/zone", qq(rr name=k._domainkey.good.test type=TXT value="$p"\n) .
    qq(rr name=_dmarc.good.test type=TXT value="v=DMARC1; p=reject"\n) .
    qq(rr name=_dmarc.bad.test type=TXT value="v=DMARC1; p=reject"\n));
my $dns = open2(my $port_of, my $unused, "$tools/dnsfake", "$dir/zone");
END { my $r = $?; kill 'TERM', $dns if $dns; waitpid $dns, 0 if $dns; $? = $r }
my ($port) = <$port_of> =~ /port (\d+)/;
my @s = ('-s', "127.0.0.1:$port");
mkdir $_ for $root, "$root/conf", "$root/mail";
spew("$root/conf/host", "host name=mx.example.org\n");
system("'$bin/conf-build' -C '$root' && '$bin/domain-add' -C '$root' example.org >'$dir/out' &&
    '$bin/account-add' -C '$root' bob bob\@example.org >>'$dir/out'") == 0 or die "no account\n";

my $base = "From: ann\@good.test\r\nTo: bob\@example.org\r\nSubject: s\r\n" .
    "Date: Fri, 21 Nov 2025 12:00:00 +0000\r\n";
my $body = "\r\nHello.\r\n";
spew("$dir/base", $base . $body);
spew("$dir/sign", <<'END');
import dkim, sys
d = dkim.DKIM(open(sys.argv[1], 'rb').read())
sys.stdout.buffer.write(d.sign(b'k', b'good.test', open(sys.argv[2], 'rb').read(),
    include_headers=[b'from', b'from', b'subject', b'subject']))
END
my $signature = `$python '$dir/sign' '$dir/base' '$dir/key'`;
# What a lenient reader finds: Python's, which ends lines at CR, LF and CRLF.
spew("$dir/read", <<'END');
import email, email.policy, sys
for name in sys.argv[1:]:
    m = email.message_from_bytes(open(name, 'rb').read(), policy=email.policy.compat32)
    print(repr([str(v) for k, v in m.items() if k.strip().lower() == 'from']))
END

# ---- what each reader sees ----
sub attrs {
	my ($line) = @_;
	my %t;
	$t{$1} = $2 =~ s/\A"(.*)"\z/$1/sr while $line =~ / ([a-z-]+)=("(?:[^"\\]|\\.)*"|\S+)/g;
	return \%t;
}
sub look {
	my ($mail) = @_;
	my %see;
	my $job = sprintf("job id=abcdefghabcdefgh size=%d time=%d\n" .
	    "client ip=198.51.100.7 helo=x\nfrom addr=x\@bad.test\n" .
	    "rcpt addr=bob\@example.org account=bob mailbox=INBOX\n\n", length $mail, time) . $mail;
	my $one = filter($job, "$bin/imf-parse");
	my $two = filter($one, "$bin/dkim-verify", @s);
	my $three = filter($two, "$bin/dmarc-eval", @s);
	my ($envelope) = $three =~ /\A(.*?)\n\n/s;
	$see{imf} = attrs($envelope =~ /^(imf .*)/m);
	($see{dkim}) = $envelope =~ /^dkim result=(\S+)/m;
	($see{why}) = $envelope =~ /^(dkim .*)/m;
	($see{dmarc}) = $envelope =~ /^dmarc result=(\S+)/m;
	$see{disposition} = attrs($envelope =~ /^(dmarc .*)/m)->{disposition};
	$see{whole} = $three =~ /\n\n\Q$mail\E\z/ || substr($three, -length $mail) eq $mail;
	$see{fields} = [ map { lc } filter($mail, "$bin/imf-parse", '-v') =~ /^field name=(\S+)/mg ];
	# By deliver into the store, and out by IMAP.
	$see{deliver} = filter($one, "$bin/deliver", '-C', $root);
	my ($uid) = $see{deliver} =~ /^deliver .* uid=(\d+)/m;
	my ($file) = $see{deliver} =~ /^deliver .* file=(\S+)/m;
	my $imap = filter("a SELECT INBOX\r\nb UID FETCH " . ($uid // 0) .
	    " (ENVELOPE BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)] BODY.PEEK[])\r\nc LOGOUT\r\n",
	    "$bin/imap-serve", '-C', $root, '-a', 'bob');
	$see{imap} = $imap;
	my $text = qr/(?:NIL|"(?:[^"\\]|\\.)*"|\{\d+\}\r\n.*?)/s;
	($see{subject}, $see{box}, $see{host}) =
	    $imap =~ /ENVELOPE \($text ($text) (?:NIL|\(\($text $text ($text) ($text)\))/;
	if ($imap =~ /HEADER\.FIELDS \(FROM SUBJECT\)\] \{(\d+)\}\r\n/) {
		my $got = substr($imap, $+[0], $1);
		$see{shown_from} = () = $got =~ /^from\s*:/mig;
		$see{shown_subject} = () = $got =~ /^subject\s*:/mig;
	}
	$see{stored} = $imap =~ /BODY\[\] \{(\d+)\}\r\n/ ? substr($imap, $+[0], $1) : '';
	return \%see;
}

# ---- the look-alikes ----
my $evil = 'evil@bad.test';
my @lines = (
	['nothing', ''],
	['From', "From: $evil\r\n"],
	['in capitals', "FROM: $evil\r\n"],
	['no blank', "From:$evil\r\n"],
	['a blank before the colon', "From : $evil\r\n"],
	['a tab before the colon', "From\t: $evil\r\n"],
	['folded before the colon', "From\r\n : $evil\r\n"],
	['folded behind it', "From:\r\n $evil\r\n"],
	['a vertical tab before the colon', "From\x0b: $evil\r\n"],
	['NUL before the colon', "From\0: $evil\r\n"],
	['NUL in front', "\0From: $evil\r\n"],
	['NUL behind the colon', "From:\0 $evil\r\n"],
	['no-break space before the colon', "From\xc2\xa0: $evil\r\n"],
	['an 8-bit letter', "Fr\xc3\xb6m: $evil\r\n"],
	['a letter that looks the same', "Fr\xd0\xbem: $evil\r\n"],
	['8 bits alone', "From\xa0: $evil\r\n"],
	['a byte order mark', "\xef\xbb\xbfFrom: $evil\r\n"],
	['no colon', "From $evil\r\n"],
	['a line of an mbox', "From $evil Fri Nov 21 12:00:00 2025\r\n"],
	['quoted', ">From: $evil\r\n"],
	['a semicolon', "From; $evil\r\n"],
	['no name', ": $evil\r\n"],
	['two colons', "From:: $evil\r\n"],
	['bare CR', "X: y\rFrom: $evil\r\n"],
	['bare CR behind the name', "From\r: $evil\r\n"],
	['bare LF', "X: y\nFrom: $evil\r\n"],
	['CR CR LF', "X: y\r\r\nFrom: $evil\r\n"],
	['an empty line of CR CR LF', "X: y\r\n\r\r\nFrom: $evil\r\n"],
	['a line of a NUL', "\0\r\nFrom: $evil\r\n"],
	['Resent-From', "Resent-From: $evil\r\n"],
	['Sender', "Sender: $evil\r\n"],
	['an encoded name', "=?utf-8?q?From?=: $evil\r\n"],
	['Subject', "Subject: evil\r\n"],
	['Subject with a blank', "Subject : evil\r\n"],
	['Subject in small letters', "subject:evil\r\n"],
	['Subject, 8 bits', "Subject\xa0: evil\r\n"],
	['a line that is folded', "X: y\r\n\tFrom: $evil\r\n"],
	['a line of blanks', "X: y\r\n \r\n"],
	['a line of a tab, then From', "X: y\r\n\t\r\nFrom: $evil\r\n"],
	['a line that begins with a blank', " From: $evil\r\n"],
	['a line that begins with a tab', "\tSubject: evil\r\n"],
	['an empty line', "\r\n"],
	['an empty line, then From', "\r\nFrom: $evil\r\n"],
	['an empty line by LF', "\nFrom: $evil\r\n"],
);
my @places = (
	['first', sub { $_[0] . $signature . $base . $body }],
	['before From', sub { $signature . $_[0] . $base . $body }],
	['behind From', sub { my $b = $base; $b =~ s/\r\n/\r\n$_[0]/; $signature . $b . $body }],
	['last', sub { $signature . $base . $_[0] . $body }],
);

# 0 if all readers agree, else what they say.
sub disagree {
	my ($see, $line) = @_;
	my $imf = $see->{imf};
	my $from = () = grep { $_ eq 'from' } @{$see->{fields}};
	my $subject = () = grep { $_ eq 'subject' } @{$see->{fields}};
	my @bad;
	push @bad, 'no results' unless defined $see->{dkim} && defined $see->{dmarc};
	return @bad if @bad;
	push @bad, 'the bytes changed' unless $see->{whole};
	push @bad, "imf: $imf->{'from-count'} From, fields: $from" if $imf->{'from-count'} != $from;
	push @bad, 'dkim=pass with other fields'
	    if $see->{dkim} eq 'pass' && ($from != 1 || $subject != 1 ||
		($imf->{from} // '') ne 'ann@good.test' || $imf->{subject} ne 's');
	push @bad, "dkim=$see->{dkim} although nothing signed changed"
	    if $see->{dkim} ne 'pass' && $imf->{result} eq 'ok' && $from == 1 && $subject == 1 &&
		($imf->{from} // '') eq 'ann@good.test' && $imf->{subject} eq 's' &&
		$line !~ /\A[ \t\r\n]/; # goes on with a field, or ends the header
	push @bad, 'dmarc=pass without dkim=pass' if $see->{dmarc} eq 'pass' && $see->{dkim} ne 'pass';
	push @bad, 'dmarc=pass with a From in doubt'
	    if $see->{dmarc} eq 'pass' && ($from != 1 || $imf->{result} ne 'ok');
	# A line that is no field is nobody's header: all refuse to go on.
	push @bad, "a header in doubt: dkim=$see->{dkim}, disposition=$see->{disposition}"
	    if $imf->{result} ne 'ok' && ($see->{dkim} eq 'pass' && $from == 1 ||
		$see->{disposition} ne 'reject');
	push @bad, 'not one From, and not refused' if $from != 1 && $see->{disposition} ne 'reject';
	# The store.
	push @bad, "deliver: $see->{deliver}" unless $see->{stored} ne '';
	my $shown = defined $see->{box} && $see->{box} ne 'NIL' ?
	    ($see->{box} . '@' . $see->{host}) =~ s/"//gr : '';
	# An address that is none is shown in pieces; it was refused above.
	push @bad, "ENVELOPE: $shown, imf: " . ($imf->{from} // 'none')
	    if $imf->{result} eq 'ok' && $shown ne ($imf->{from} // '');
	my $title = ($see->{subject} // 'NIL') eq 'NIL' ? '' : $see->{subject} =~ s/\A"(.*)"\z/$1/r;
	push @bad, "ENVELOPE: $title, imf: $imf->{subject}" if $title ne ($imf->{subject} // '');
	push @bad, "HEADER.FIELDS: $see->{shown_from} From, imf: $from"
	    if ($see->{shown_from} // -1) != $from;
	push @bad, "HEADER.FIELDS: $see->{shown_subject} Subject, imf: $subject"
	    if ($see->{shown_subject} // -1) != $subject;
	return @bad;
}

my @passed; # [name, file]
for my $line (@lines) {
	for my $place (@places) {
		my $mail = $place->[1]->($line->[1]);
		my $see = look($mail);
		my $name = "$line->[0], $place->[0]";
		my @bad = disagree($see, $line->[1]);
		ok(!@bad, $name) or diag(join("\n", @bad), "\n",
		    join(' ', map { "$_=" . ($see->{imf}{$_} // '') } sort keys %{$see->{imf}}),
		    "\n$see->{why} dmarc=$see->{dmarc}\n", $see->{imap} =~ /(ENVELOPE.*?\r\n\r\n)/s);
		# Bare CR and LF never come by SMTP (t/abuse/smtp.t, case 1).
		next if $mail =~ /\r(?!\n)|(?<!\r)\n/ || $see->{dmarc} ne 'pass';
		push @passed, [$name, sprintf "$dir/%d", scalar @passed];
		spew($passed[-1][1], $mail);
	}
}
printf "# %d cases\n", @lines * @places;
my @read = split /\n/, `$python '$dir/read' @{[map { "'$_->[1]'" } @passed]}`;
is(scalar @read, scalar @passed, 'Python reads what passes');
unlike($read[$_], qr/\Q$evil\E/, "$passed[$_][0]: passes, and Python shows no other From") for 0 .. $#passed;

# What has to be seen, whatever all agree on.
my $plain = look($signature . $base . $body);
is("$plain->{dkim} $plain->{dmarc} $plain->{imf}{from}", 'pass pass ann@good.test', 'the message as it was signed');
for my $line (grep { $_->[1] =~ /\AFrom[ \t]*:/i } @lines) {
	my $see = look($places[1][1]->($line->[1]));
	is("$see->{dmarc} $see->{disposition}", 'permerror reject', "$line->[0]: two From fields, refused");
}
done_testing;
