#!/usr/bin/perl
# dkim-verify -v: the sentence that names the cause, for each thing that happens
# to a signed message, with RSA and Ed25519; and the steps before it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dkim;
use MIME::Base64 qw(encode_base64);
use Test::More;

my $bin = $ENV{PNEU_BIN} or die 'PNEU_BIN';
my %key = (rsa => Dkim::key('rsa', 1024), ed25519 => Dkim::key('ed25519'));
my $weak = Dkim::key('rsa', 512);
my $other = Dkim::key('rsa', 1024);
my ($p) = $key{rsa}{record} =~ /(p=.*)/;
my %rr = ('k._domainkey.example.org' => [ $key{rsa}{record} ],
    'e._domainkey.example.org' => [ $key{ed25519}{record} ],
    'revoked._domainkey.example.org' => [ 'v=DKIM1; p=' ],
    'weak._domainkey.example.org' => [ $weak->{record} ],
    'spf._domainkey.example.org' => [ 'v=spf1 -all' ],
    'two._domainkey.example.org' => [ $key{rsa}{record}, $other->{record} ],
    'wrong._domainkey.example.org' => [ $other->{record} ],
    'strict._domainkey.example.org' => [ "v=DKIM1; t=s; $p" ],
    'sha1._domainkey.example.org' => [ "v=DKIM1; h=sha1; $p" ],
    'tlsrpt._domainkey.example.org' => [ "v=DKIM1; s=tlsrpt; $p" ],
    'test._domainkey.example.org' => [ "v=DKIM1; t=y; n=try; p=" ],
    'down._domainkey.example.org' => 'servfail');
my $at = Dkim::zone(%rr);
my $cases = 0;

my $msg = <<'END' =~ s/\n/\r\n/gr;
Received: from a by b
From: Ann <ann@example.org>
To: list@example.net
Subject: Tea at four
Date: Sat, 21 Nov 2026 07:00:00 +0000
Message-ID: <1@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Dear list,

there will be tea at four.
.. and cake
From there we walk.

Ann
END
my $names = 'from:to:cc:subject:date:message-id:mime-version:content-type:' .
    'content-transfer-encoding:reply-to';

sub verdict { my ($m, @more) = @_;
	my ($out, $err, $code) = Dkim::run($m, "$bin/dkim-verify", '-v', @more,
	    '-s', $at);
	my @why = map { s/\\"/"/gr } $err =~ /^because .* text="((?:[^"\\]|\\.)*)"$/mg;
	($out, join('|', @why), $err) }
sub try_one { my ($name, $m, $result, $why) = @_;
	my ($out, $got, $err) = verdict($m);
	my ($is) = $out =~ /^dkim result=(\w+)/;
	$cases++;
	# The same without -v, in a job, and from the case.
	my ($lines, $also) = Dkim::verify($m, $at);
	ok $is eq $result && $got =~ $why && $lines eq $out, $name or
	    diag "$out$got\n$err$lines$also" }

# Changes of the header.
my @header = (
	[ 'a list tag in the Subject', sub { s/^Subject: /Subject: [list] /m },
	    qr/^The Subject was rewritten after signing: without "\[list\]" in front/ ],
	[ 'two tags', sub { s/^Subject: /Subject: [EXTERNAL] ***SPAM*** /m },
	    qr/without "\[EXTERNAL\] \*\*\*SPAM\*\*\*" in front/ ],
	[ 'Re:', sub { s/^Subject: /Subject: Re: /m }, qr/without "Re:" in front/ ],
	[ 'From for DMARC', sub { s/^From: .*\r/From: Ann via List <list\@example.net>\r/m;
	    s/^Date/X-Original-From: Ann <ann\@example.org>\r\nDate/m },
	    qr/From was rewritten .* what is in X-Original-From now, "Ann <ann\@example.org>"/ ],
	[ 'a Cc added', sub { s/^Subject/Cc: eve\@example.com\r\nSubject/m },
	    qr/The field Cc at byte \d+, "eve\@example.com", was added after/ ],
	[ 'a Reply-To added and a tag', sub { s/^Subject: /Reply-To: list\@example.net\r\nSubject: [list] /m },
	    qr/Reply-To was not there.*The Subject was rewritten|The Subject was rewritten.*Reply-To was not there/ ],
	[ 'transfer encoding', sub { s/8bit/quoted-printable/ },
	    qr/Content-Transfer-Encoding was "8bit" when the message was signed/ ],
	[ 'MIME-Version taken out', sub { s/^MIME-Version.*\r\n//m },
	    qr/MIME-Version was "1.0" when/ ],
	[ 'quotes', sub { s/charset=utf-8/charset="utf-8"/ },
	    qr/Content-Type was (?:respelled|"text\/plain; charset=utf-8" when)/ ],
	[ 'nothing usual', sub { s/Tea at four/Buy pills/ },
	    qr/no usual change of one or two|Ed25519 does not tell which/ ],
);
for my $type ('rsa', 'ed25519') {
	my $signed = Dkim::sign($msg, $key{$type}, h => $names,
	    s => $type eq 'rsa' ? 'k' : 'e');
	try_one "$type: as it was", $signed, 'pass',
	    qr/^example.org signed this message with its key [ke]: /;
	for (@header) {
		my ($name, $change, $why) = @$_;
		my $m = $signed;
		{ local *_ = \$m; $change->() }
		try_one "$type: $name", $m, 'fail', qr/$why.* The body is as it was signed/s;
	}
}

# Changes that c=simple sees.
for ([ 'unfolded', sub { s/list\@example.net,\r\n /list\@example.net, / },
	qr/^(?:To was respelled|The signer hashed)/ ],
    [ 'a header hashed as relaxed', undef, qr/^The signer hashed the header as relaxed/ ]) {
	my ($name, $change, $why) = @$_;
	my $m = $msg =~ s/^To: .*\r\n/To: list\@example.net,\r\n bob\@example.net\r\n/mr;
	if ($change) {
		$m = Dkim::sign($m, $key{rsa}, h => $names, c => 'simple/simple');
		local *_ = \$m; $change->();
	} else {
		my $field = Dkim::field($m, $key{rsa}, h => $names, c => 'relaxed/simple');
		# What was signed says simple, and was hashed as relaxed.
		$field = Dkim::field($m, $key{rsa}, h => $names, c => 'relaxed/simple',
		    field => ($field =~ s/b=(?!.*b=).*//sr =~ s{c=relaxed/simple}{c=simple/simple}r) . 'b=');
		$m = $field . $m;
	}
	try_one $name, $m, 'fail', $why;
}

# z=: copies say what it was.
my $z = ' z=From:Ann=20<ann@example.org>|Subject:Tea=20at=20four|' .
    "\r\n\tDate:Sat,=2021=20Nov=202026=2007:00:00=20+0000;";
my $copied = Dkim::sign($msg, $key{rsa}, h => $names, tags => $z);
try_one 'z=, unchanged', $copied, 'pass', qr/signed this message/;
try_one 'z= knows the Subject', $copied =~ s/^Subject: Tea at four/Subject: Buy pills/mr,
    'fail', qr/subject was "Tea at four" when the message was signed \(z= has a copy\)/i;
try_one 'z= knows all', $copied =~ s/^Subject: Tea/Subject: Pills/mr =~ s/^(Date: .*)07/${1}08/mr
    =~ s/^From: Ann/From: Eve/mr, 'fail', qr/Several fields were changed/;

# Changes of the body.
my %foot = (simple => 'simple/simple', relaxed => 'relaxed/relaxed');
for my $how (sort keys %foot) {
	my $signed = Dkim::sign($msg, $key{rsa}, h => $names, c => $foot{$how});
	my @body = (
		[ 'a footer', sub { $_ .= "\r\n-- \r\nlist mailing list\r\n" },
		    qr/ends with line [78] of the body, at its byte \d+; what follows begins with "--"/ ],
		[ 'a footer without a line of its own', sub { s/Ann\r\n\z/Ann [scanned]\r\n/ },
		    qr/put behind the body after signing.*byte \d+; what follows begins with "\[scanned\]"/ ],
		[ 'a banner', sub { s/\r\n\r\n/\r\n\r\nCAUTION: mail from outside\r\n/ },
		    qr/1 line was put in front of the body .* "CAUTION: mail from outside"/ ],
		[ 'a line inside', sub { s/(tea at four\.\r\n)/$1Sponsored by X\r\n/ },
		    qr/1 line was put into the body after signing, behind its line 3 .*"Sponsored by X"/ ],
		[ 'dots doubled', sub { s/^\.\. and/... and/m }, qr/dot at the start of lines was doubled/ ],
		[ 'dots lost', sub { s/^\.\. and/. and/m }, qr/dot at the start of lines was lost/ ],
		[ 'mbox', sub { s/^From there/>From there/m }, qr/went through an mbox file/ ],
		[ 'quoted-printable', sub { s/at four\./at =66our./ }, qr/converted to quoted-printable/ ],
		[ 'base64', sub { my ($h, $b) = split /\r\n\r\n/, $_, 2;
		    $_ = "$h\r\n\r\n" . encode_base64($b, "\r\n") }, qr/converted to base64/ ],
		[ 'wrapped', sub { s/\r\n\r\n(.*)/\r\n\r\n--x\r\nContent-Type: text\/plain\r\n\r\n$1--x\r\nContent-Type: text\/plain\r\n\r\nfooter\r\n--x--\r\n/s },
		    qr/now part 1 of a multipart message/ ],
		[ 'a word', sub { s/there will be/there was/ }, qr/no usual change explains it/ ],
	);
	for (@body) {
		my ($name, $change, $why) = @$_;
		my $m = $signed;
		{ local *_ = \$m; $change->() }
		try_one "$how: $name", $m, 'fail', $why;
	}
}
{
	my $multi = $msg =~ s/text\/plain; charset=utf-8/multipart\/mixed; boundary=y/r
	    =~ s/\r\n\r\n(.*)/\r\n\r\n--y\r\n\r\nOne\r\n--y--\r\n/sr;
	my $m = Dkim::sign($multi, $key{rsa}, h => $names);
	$m =~ s/--y--/--y\r\nContent-Type: text\/plain\r\n\r\nlist footer, and a long one\r\n/;
	$m =~ s/\z/--y--\r\n/;
	try_one 'a part added', $m, 'fail', qr/1 MIME part was added|put into the body/;
	my $bh = encode_base64(Digest::SHA::sha256("Dear list,\r\n"), '');
	try_one 'an empty body', Dkim::sign($msg =~ s/\r\n\r\n.*/\r\n\r\n/sr, $key{rsa},
	    h => $names) . "hello\r\n", 'fail', qr/signed with an empty body/;
	my ($body) = $msg =~ /\r\n\r\n(.*)/s;
	try_one 'LF was hashed', Dkim::sign($msg, $key{rsa}, h => $names,
	    bh => encode_base64(Digest::SHA::sha256($body =~ s/\r//gr), '')), 'fail',
	    qr/hashed lines that end in LF/;
	try_one 'simple was hashed', Dkim::sign($msg =~ s/Ann\r\n\z/Ann  \r\n/r, $key{rsa}, h => $names,
	    bh => encode_base64(Digest::SHA::sha256($body =~ s/Ann\r\n\z/Ann  \r\n/r), '')), 'fail',
	    qr/hashed the body as simple, but c= says relaxed/;
	try_one 'l=, cut', Dkim::sign($msg, $key{rsa}, h => $names, l => 'all') =~ s/Ann\r\n\z//r,
	    'fail', qr/covers \d+ octets of the body \(l=\), but only \d+ are left/;
	try_one 'l=, more', Dkim::sign($msg, $key{rsa}, h => $names, l => 'all') . "x\r\n",
	    'policy', qr/covers (\d+) of the \d+ octets/;
}

# Keys and tags.
my @state = (
	[ 'no key', { s => 'none' }, 'permerror',
	    qr/There is no key: the name none._domainkey.example.org does not exist. The selector none/ ],
	[ 'not a key', { s => 'spf' }, 'permerror', qr/has TXT records, but none is a DKIM key/ ],
	[ 'revoked', { s => 'revoked' }, 'permerror', qr/owner of example.org revoked the key revoked/ ],
	[ 'two', { s => 'two' }, 'permerror', qr/more than one key record/ ],
	[ 'weak', { s => 'weak', key => $weak }, 'permerror', qr/RSA key of 512 bits/ ],
	[ 'wrong key', { s => 'wrong' }, 'fail', qr/b= was not made with the key that is in the DNS/ ],
	[ 'another type', { s => 'e' }, 'permerror', qr/a= is rsa-sha256, but the key at e._domainkey/ ],
	[ 'strict', { s => 'strict', tags => ' i=@mail.example.org;' }, 'permerror', qr/t=s, which allows only/ ],
	[ 'sha1 key', { s => 'sha1' }, 'permerror', qr/allows other hashes than SHA-256/ ],
	[ 'not for mail', { s => 'tlsrpt' }, 'permerror', qr/for other services than mail/ ],
	[ 'testing', { s => 'test' }, 'none', qr/revoked .*testing \(t=y\)/ ],
	[ 'DNS', { s => 'down' }, 'temperror', qr/The DNS did not say .* ask again later/ ],
	[ 'expired', { tags => ' t=1000000000; x=1000000100;' }, 'permerror',
	    qr/good until Sun, 9 Sep 2001 01:48:20 \+0000/ ],
	[ 'future', { tags => ' t=99999999999;' }, 'policy', qr/made on .*, more than a day after now/ ],
	[ 'sha1', { a => 'rsa-sha1' }, 'permerror', qr/RFC 8301 forbids/ ],
	[ 'top-level domain', { d => 'org' }, 'permerror', qr/org is a public suffix/ ],
	[ 'Subject', { h => 'from' }, 'policy', qr/h= does not name Subject/ ],
	[ 'a tag twice', { tags => ' q=dns\/txt; q=dns\/txt;' }, 'permerror', qr/cannot be used: tag given twice/ ],
);
for (@state) {
	my ($name, $how, $result, $why) = @$_;
	try_one $name, Dkim::sign($msg, $how->{key} // $key{rsa}, h => $names, %$how), $result, $why;
}
try_one 'no signature', $msg, 'none', qr/no DKIM-Signature field/;
try_one 'a broken header', "From: x\r\nbroken\r\n" . $msg, 'none', qr/After byte 9 stands a line/;
try_one 'a second From', "From: eve\@example.com\r\n" . Dkim::sign($msg, $key{rsa}, h => 'from:subject'),
    'policy', qr/more From fields than the signature covers/;

# The steps.
my (undef, undef, $err) = verdict("From: eve\@example.com\r\n" .
    Dkim::sign($msg, $key{rsa}, h => "from:$names"), '-d');
like $err, qr/^step check=dkim n=1 at=23 len=\d+ d=example.org s=k a=rsa-sha256 i=\@example.org c=relaxed\/relaxed note=/m, 'the signature';
like $err, qr/^step check=dkim n=1 field=from at=\d+ len=29 instance=2 of=2 note=signed$/m, 'the lowest instance first';
like $err, qr/^step check=dkim n=1 field=from at=0 len=\d+ instance=1 of=2 note=signed$/m, 'then the next';
like $err, qr/^step check=dkim n=1 field=cc note="there is none left/m, 'a field that is not there';
like $err, qr/^step check=dkim n=1 query=k._domainkey.example.org type=TXT status=ok dnssec=no records=1/m, 'the question';
like $err, qr/^step check=dkim n=1 record="v=DKIM1; k=rsa; p=.*" v=DKIM1 k=rsa bits=1024 note="a key record"$/m, 'the record and its tags';
my ($text, $hash) = $err =~ /^step check=dkim n=1 canonical="(.*)" sha256=(\S+) note/m;
$text =~ s/\\x(..)/chr hex $1/ge; $text =~ s/\\n/\n/g; $text =~ s/\\(["\\])/$1/g;
is encode_base64(Digest::SHA::sha256($text), ''), $hash, 'the canonical header has the hash shown';
unlike((verdict(Dkim::sign($msg, $key{rsa}, h => $names)))[2], qr/canonical=/, 'only with -d');
print "# $cases cases\n";
done_testing;
