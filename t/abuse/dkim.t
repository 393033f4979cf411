#!/usr/bin/perl
# DKIM-Signature fields, key records and headers that are made to hurt: the
# right result, from a job and from its case, in bounded time and with bounded
# questions to the DNS.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dkim;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(time);

use constant SECONDS => 15; # for any message, also below a sanitizer

my %key = (1024 => Dkim::key('rsa', 1024), 512 => Dkim::key('rsa', 512),
    1023 => Dkim::key('rsa', 1023), 8192 => Dkim::key('rsa', '8192 -pkeyopt rsa_keygen_primes:4'),
    ed => Dkim::key('ed25519'));
my $big = Dkim::slurp("$FindBin::Bin/rsa16384.txt") =~ s/\s//gr;
my ($p) = $key{1024}{p};
my ($ep) = $key{ed}{p};
# Made longer without being another key.
my $long = $key{1024}{record} . '; n=' . 'x' x 7000;
my @quarter = $long =~ /(.{1,255})/g;
my %zone = (
    k => [ $key{1024}{record} ], e => [ $key{ed}{record} ],
    r512 => [ $key{512}{record} ], r1023 => [ $key{1023}{record} ],
    r8192 => [ $key{8192}{record} ], r16384 => [ "v=DKIM1; p=$big" ],
    bare => [ $key{1024}{bare} ],
    strings => [ \("rr name=strings._domainkey.example.org type=TXT value=\"" .
	substr($key{1024}{record}, 0, 100) . '" value="' .
	substr($key{1024}{record}, 100) . '"') ],
    split255 => [ \('rr name=split255._domainkey.example.org type=TXT ' .
	join ' ', map { "value=\"$_\"" } @quarter) ],
    single => [ \('rr name=single._domainkey.example.org type=TXT ' .
	join ' ', map { "value=\"$_\"" } split //, $key{1024}{record}) ],
    revoked => [ 'v=DKIM1; p=' ], blank => [ 'v=DKIM1; p= ' ],
    dkim2 => [ "v=DKIM2; p=$p" ], dkim1l => [ "v=dkim1; p=$p" ],
    vlast => [ "p=$p; v=DKIM1" ], twice => [ "v=DKIM1; p=$p; p=$p" ],
    odd => [ "v=DKIM1; x=1; x=2; p=$p" ], hole => [ "v=DKIM1;; p=$p" ],
    g => [ "v=DKIM1; g=; p=$p" ], note => [ "v=DKIM1; n=gr\xc3\xbc\xc3\x9fe; p=$p" ],
    latin => [ \"rr name=latin._domainkey.example.org type=TXT value=\"v=DKIM1; n=\\xfc; p=$p\"" ],
    nul => [ \"rr name=nul._domainkey.example.org type=TXT value=\"v=DKIM1; p=$p\\x00\"" ],
    inp => [ "v=DKIM1; p=\xc3\xbc$p" ], pad => [ 'v=DKIM1; p=' . substr($p, 0, -1) ],
    tail => [ 'v=DKIM1; p=' . encode_base64(MIME::Base64::decode_base64($p) . 'x', '') ],
    eshort => [ 'v=DKIM1; k=ed25519; p=' . encode_base64('x' x 31, '') ],
    elong => [ 'v=DKIM1; k=ed25519; p=' . encode_base64('x' x 33, '') ],
    ezero => [ 'v=DKIM1; k=ed25519; p=' . encode_base64("\0" x 32, '') ],
    espki => [ 'v=DKIM1; k=ed25519; p=' . encode_base64(pack('H*',
	'302a300506032b6570032100') . MIME::Base64::decode_base64($ep), '') ],
    many => [ (map { "text $_" } 1 .. 40), $key{1024}{record} ],
    two => [ $key{1024}{record}, $key{ed}{record} ],
    good1bad1 => [ 'v=DKIM1; p=!', $key{1024}{record} ],
    service => [ "v=DKIM1; s=web:email:*; p=$p" ], flags => [ "v=DKIM1; t=x:y:s; p=$p" ],
    hashes => [ "v=DKIM1; h=sha1 : sha256; p=$p" ], nohash => [ "v=DKIM1; h=; p=$p" ],
    loop => [ \'rr name=loop._domainkey.example.org type=CNAME value=loop2._domainkey.example.org' ],
    loop2 => [ \'rr name=loop2._domainkey.example.org type=CNAME value=loop._domainkey.example.org' ],
    alias => [ \'rr name=alias._domainkey.example.org type=CNAME value=k._domainkey.example.org' ],
    huge => [ \('rr name=huge._domainkey.example.org type=TXT value="v=DKIM1; n=' .
	join(' ', map { '" value="' . 'x' x 250 } 1 .. 240) . '"') ],
);
my $at = Dkim::zone(map({ ("$_._domainkey.example.org" => $zone{$_}) } keys %zone),
    'xn--schlssel-95a._domainkey.xn--bcher-kva.example' => [ $key{1024}{record} ]);
my $cases = 0;

my $msg = <<'END' =~ s/\n/\r\n/gr;
From: Ann <ann@example.org>
To: bob@example.net
Subject: Tea
Date: Sat, 21 Nov 2026 07:00:00 +0000

Tea at four.
END
sub check { my ($name, $m, $want, $reason, $now) = @_;
	my $start = time;
	my ($lines, $more) = Dkim::verify($m, $at, $now);
	my $took = time - $start;
	my @got = $lines =~ /^dkim result=(\w+)/mg;
	$cases++;
	ok "@got" eq $want && $lines =~ /\Q$reason/ && $took < SECONDS,
	    "$name: $want" or diag substr($lines, 0, 2000), "$took s ",
	    substr($more, 0, 2000);
	$lines }
sub signed { Dkim::sign($msg, $key{1024}, @_) }
sub field { "DKIM-Signature: $_[0]\r\n$msg" }
my $tags = 'v=1; a=rsa-sha256; d=example.org; s=k; h=from:subject; ' .
    'bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA';
sub with { my ($tag, $value) = @_; field($tags =~ s/\b$tag=[^;]*/$tag=$value/r) }

# Tags.
check('as it should be', signed(), 'pass', '');
check('b= empty', with('b', ''), 'permerror', 'b=');
check('b= of one octet', with('b', 'AA=='), 'fail', '');
check('b= not canonical', with('b', 'AB=='), 'permerror', 'b=');
check('b= of two octets, without padding', with('b', 'AAA'), 'fail', '');
check('b= one digit too long', with('b', 'AAAAA'), 'permerror', 'b=');
check('b= without padding', signed() =~ s/=+(?=\r\nFrom)//r, 'pass', '');
check('b= of another alphabet', with('b', 'AA_-'), 'permerror', 'b=');
check('b= with bytes between', with('b', 'AA!AA'), 'permerror', 'b=');
check('b= of 2048 octets', with('b', 'A' x 2732), 'permerror', 'b=');
check('b= cut', signed() =~ s/(b=[^;]{40})[^;]*?(?=\r\nFrom)/$1/r, 'fail', '');
check('bh= empty', with('bh', ''), 'permerror', 'bh=');
check('bh= of 20 octets', with('bh', encode_base64('x' x 20, '')), 'permerror', 'bh=');
check('l=0', signed(l => 0), 'policy', 'l=');
check('l=0 and no body', Dkim::sign($msg =~ s/\r\n\r\n.*/\r\n\r\n/sr, $key{1024}, l => 0), 'pass', '');
check('l=10^20', signed(l => '1' . '0' x 20), 'fail', 'shorter');
check('l= of 76 digits', signed(l => '9' x 76), 'fail', 'shorter');
check('l= of 77 digits', signed(l => '9' x 77), 'permerror', 'l=');
check("l=$_", signed(l => $_), 'permerror', 'l=') for '-1', '+5', '0x5', '', '1.5';
check('l= and more body', signed(l => 'all') . "buy\r\n", 'policy', 'l=');
check('h= without From', with('h', 'to:subject'), 'permerror', 'From');
check('h= empty', with('h', ''), 'permerror', 'h=');
check('h=:', with('h', 'from:'), 'permerror', 'h=');
check('h= with a blank in a name', with('h', 'from:sub ject'), 'permerror', 'h=');
check('h= of 513 names', with('h', join ':', ('from') x 513), 'permerror', 'too many');
check('h= of 512 names', Dkim::sign($msg, $key{1024}, h => join ':', 'subject', ('from') x 511), 'pass', '');
check('h= repeated', signed(h => 'from:from:from:subject:subject'), 'pass', '');
check('oversigned, another added', "Subject: buy\r\n" . signed(h => 'from:subject:subject'), 'fail', '');
check('not oversigned, another added', "Subject: buy\r\n" . signed(h => 'from:subject'), 'policy', 'second Subject');
check('a second From in front', "From: eve\@example.com\r\n" . signed(), 'policy', 'second From');
check('a second From behind', signed() =~ s/^Subject/From: eve\@example.com\r\nSubject/mr, 'policy', 'second From');
check('a second Subject with a blank before the colon', "Subject : buy\r\n" . signed(), 'policy', 'second Subject');
check('d=a.com(.b.com)', with('d', 'a.com(.b.com)'), 'permerror', 'd=');
check('d= with NUL', with('d', "example.org\0.evil.com"), 'permerror', 'syntax');
check("d=$_", with('d', $_), 'permerror', 'd=') for '', '.', 'example..org', '.example.org',
    '-a.example', '[192.0.2.1]', 'example.org.', 'a' x 64 . '.org', join('.', ('a' x 60) x 5),
    'exa mple.org', "example.org\\.evil.com", 'org', 'xn--a-ecp.ru-';
check('d= not UTF-8', with('d', "b\xfccher.example"), 'permerror', 'syntax');
check('d= and s= with U-labels', Dkim::sign($msg, $key{1024}, d => "b\xc3\xbccher.example",
    s => "schl\xc3\xbcssel"), 'pass', 'domain=xn--bcher-kva.example');
check("s=$_", with('s', $_), 'permerror', 's=') for '../x', '', '.', 'a/b', 'a b', '*', 'k.';
check('s= with NUL', with('s', "k\0"), 'permerror', 'syntax');
check('x before t', field("$tags; t=1700000000; x=1600000000"), 'permerror', 'x=');
check('x is t', field("$tags; t=1700000000; x=1700000000"), 'permerror', 'x=');
check('x past', signed(tags => ' t=1700000000; x=1700000001;'), 'permerror', 'expired');
check('x past, but not then', signed(tags => ' t=1700000000; x=1700000001;'), 'pass', '', 1700000001);
check('x of 13 digits', field("$tags; x=1234567890123"), 'permerror', 'x=');
check('x=-1', field("$tags; x=-1"), 'permerror', 'x=');
check('t far ahead', signed(tags => ' t=999999999999;'), 'policy', 'future');
check('t a little ahead', signed(tags => ' t=' . int(time + 3600) . ';'), 'pass', '');
check("i=$_", field("$tags; i=$_"), 'permerror', 'i=') for 'example.org', '@', '@org', '@xexample.org',
    'a@example.org@evil.com', 'a@evil.com@example.org', '@example.org.';
check('i= below', signed(tags => ' i=a@mail.example.org;'), 'pass', 'identity=a@mail.example.org');
check("a=$_", with('a', $_), 'permerror', 'a=') for '', 'rsa', 'rsa-sha512', 'dsa-sha256', 'none';
check('a=rsa-sha1', signed(a => 'rsa-sha1'), 'permerror', 'sha1');
check('a= of another key', with('a', 'ed25519-sha256'), 'permerror', 'another type');
check("c=$_", field("$tags; c=$_"), 'permerror', 'c=') for '', '/', 'nofws', 'simple/', 'relaxed/x', 'simple/simple/simple';
check("q=$_", field("$tags; q=$_"), 'permerror', 'q=') for '', 'dns', 'http/txt';
check('q= with another before', signed(tags => ' q=x/y:dns/txt;'), 'pass', '');
check("v=$_", with('v', $_), 'permerror', 'v=') for '', '2', '01', '1.0';
check('no tags at all', field(''), 'permerror', '');
check('only ;', field(';;;;'), 'permerror', 'syntax');
check('65 tags', field("$tags; " . join ';', map "t$_=", 1 .. 60), 'permerror', 'more than 64');
check('a tag twice', field("$tags; v=1"), 'permerror', 'twice');
check('DEL in a tag', field("$tags; n=\x7f"), 'permerror', 'syntax');
check('8 KiB', field("$tags; n=" . 'x' x 9000), 'permerror', '8 KiB');
check('a signature of 1 MB', field("$tags; n=" . 'x' x 1000000), 'permerror', '8 KiB');
check('a signature of 2 MB', field("$tags; n=" . 'x' x 2000000), 'none', '1 MiB');

# Keys.
check('key of 512 bits', Dkim::sign($msg, $key{512}, s => 'r512'), 'permerror', '1024 bits');
check('key of 1023 bits', Dkim::sign($msg, $key{1023}, s => 'r1023'), 'permerror', '1024 bits');
check('key of 8192 bits', Dkim::sign($msg, $key{8192}, s => 'r8192'), 'pass', 'bits=8192');
check('key of 16384 bits', signed(s => 'r16384'), 'permerror', '8192 bits');
check('Ed25519', Dkim::sign($msg, $key{ed}, s => 'e'), 'pass', 'bits=256');
check('Ed25519, a signature of 63 octets', Dkim::sign($msg, $key{ed}, s => 'e')
    =~ s/\bb=[^;]*?(?=\r\nFrom)/'b=' . encode_base64('x' x 63, '')/er, 'fail', '');
check("Ed25519 key $_", Dkim::sign($msg, $key{ed}, s => $_), 'permerror', 'p=') for qw(eshort elong espki);
check('Ed25519 key of low order', Dkim::sign($msg, $key{ed}, s => 'ezero'), 'fail', '');
check("key record $_->[0]", signed(s => $_->[0]), $_->[1], $_->[2] // '') for
    [ 'bare', 'pass' ], [ 'strings', 'pass' ], [ 'split255', 'pass' ], [ 'single', 'pass' ],
    [ 'revoked', 'permerror', 'revoked' ], [ 'blank', 'permerror', 'revoked' ],
    [ 'dkim2', 'permerror', 'no key' ], [ 'dkim1l', 'permerror', 'no key' ],
    [ 'vlast', 'permerror', 'no key' ], [ 'twice', 'permerror', 'twice' ],
    [ 'odd', 'permerror', 'twice' ], [ 'hole', 'permerror', 'syntax' ],
    [ 'g', 'pass' ], [ 'note', 'pass' ], [ 'latin', 'permerror', 'syntax' ],
    [ 'nul', 'permerror', 'syntax' ], [ 'inp', 'permerror', 'p=' ],
    [ 'pad', 'permerror', 'p=' ], [ 'tail', 'permerror', 'p=' ],
    [ 'many', 'pass' ], [ 'two', 'permerror', 'more than one' ], [ 'good1bad1', 'pass' ],
    [ 'service', 'pass' ], [ 'flags', 'pass' ], [ 'hashes', 'pass' ],
    [ 'nohash', 'permerror', 'sha256' ], [ 'loop', 'temperror' ], [ 'alias', 'pass' ],
    [ 'huge', 'permerror', '8 KiB' ], [ 'missing', 'permerror', 'no key' ];

# The header.
check('a header of 10 MB, one field', "X: " . 'x' x 10000000 . "\r\n" . signed(), 'none', '1 MiB');
check('a header of 10 MB, many fields', "X: y\r\n" x 1700000 . signed(), 'none', '');
check('4097 fields', "X: y\r\n" x 4093 . signed(), 'none', 'too many');
check('4000 fields', "X: y\r\n" x 4000 . signed(), 'pass', '');
check('a field of 10,000 folds', 'X: y' . "\r\n z" x 10000 . "\r\n" . signed(), 'pass', '');
check('no empty line', signed() =~ s/\r\n\r\n.*/\r\n/sr, 'fail', 'body');
check('no empty line, signed so', Dkim::sign($msg =~ s/\r\n\r\n.*/\r\n/sr, $key{1024}), 'pass', '');
check('a line without a colon', "hello\r\n" . signed(), 'none', 'malformed');
check('a first line with a blank', " x: y\r\n" . signed(), 'none', 'malformed');
check('a NUL in a name', "X\0: y\r\n" . signed(), 'none', 'malformed');
check('a blank before the colon', Dkim::sign($msg =~ s/^Subject:/Subject :/mr, $key{1024}, c => "$_/simple"),
    'pass', '') for 'simple', 'relaxed';
check('the blank put there after, relaxed', signed() =~ s/^Subject:/Subject\t:/mr, 'pass', '');
check('the blank put there after, simple', signed(c => 'simple/simple') =~ s/^Subject:/Subject :/mr, 'fail', '');
check('CR alone for a blank', signed() =~ s/Ann </Ann\r</r, 'fail', '');
check('CR alone before the end of a field', signed() =~ s/^(Subject: .*?)\r\n/$1\r\r\n/mr, 'fail', '');
check('LF for CRLF', signed() =~ s/\r\n/\n/gr, 'pass', '');
check('NUL in a field', signed() =~ s/Tea\r/Tea\0\r/r, 'fail', '');
check('8-bit', Dkim::sign($msg =~ s/Tea/T\xe9/r, $key{1024}, c => 'relaxed/relaxed'), 'pass', '');
check('4,000 times a Subject', "Subject: x\r\n" x 4000 . signed(), 'policy', 'second Subject');

# The body.
for my $c ('simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed') {
	my $head = $msg =~ s/\r\n\r\n.*/\r\n\r\n/sr;
	check("$c: empty body", Dkim::sign($head, $key{1024}, c => $c), 'pass', '');
	check("$c: body of empty lines", Dkim::sign($head, $key{1024}, c => $c) . "\r\n" x 5000, 'pass', '');
	check("$c: body of blanks", Dkim::sign($head, $key{1024}, c => $c) . " \t\r\n\r\n",
	    $c =~ /relaxed$/ ? 'pass' : 'fail', '');
	check("$c: body without CRLF", Dkim::sign($msg, $key{1024}, c => $c) =~ s/\r\n\z//r, 'pass', '');
	check("$c: CR alone", Dkim::sign("${msg}a\rb\r\r\nc\r", $key{1024}, c => $c), 'pass', '');
	check("$c: a line of 1 MB", Dkim::sign($msg . 'x ' x 500000 . "\r\n", $key{1024}, c => $c), 'pass', '');
	check("$c: 1 MB of CRLF, then a word", Dkim::sign($msg . "\r\n" x 500000 . "x\r\n", $key{1024}, c => $c), 'pass', '');
}

# As many as one likes.
my $thousand = join '', map field_only($tags =~ s/s=k/s=k$_/r), 1 .. 1000;
sub field_only { "DKIM-Signature: $_[0]\r\n" }
my @before = Dkim::asked();
my $lines = check('1,000 signatures', $thousand . $msg, join(' ', ('permerror') x 8, 'policy'), 'more than 8');
cmp_ok scalar(Dkim::asked()) - @before, '<=', 8, 'and 8 questions';
check('8 good ones and a ninth', Dkim::field($msg, $key{1024}) x 9 . $msg,
    join(' ', ('pass') x 8, 'policy'), '');
my @eight = map Dkim::field($msg . 'x ' x 2000000, $key{1024}, l => $_ * 100000, c => 'simple/simple'), 1 .. 8;
check('8 lengths of a body of 4 MB', join('', @eight) . $msg . 'x ' x 2000000,
    join(' ', ('policy') x 8), 'l=');
# -v of what cannot be explained, with all that can be tried.
for my $type (1024, 'ed') {
	my $m = Dkim::sign(join('', map("X-$_: " . 'y ' x 50 . "\r\n", 1 .. 400)) . $msg, $key{$type},
	    s => $type eq 'ed' ? 'e' : 'k', h => join ':', 'from', 'subject', map "X-$_", 1 .. 400);
	my $start = time;
	my ($out, $err) = Dkim::run($m =~ s/Tea/Coffee/r =~ s/(^|\n)X-9: /$1X-9: z/r, "$ENV{PNEU_BIN}/dkim-verify", '-v', '-s', $at);
	like $err, qr/^because .*(?:no usual change|none of the usual)/m, "$type: -v gives up";
	cmp_ok time - $start, '<', SECONDS, 'in bounded time';
}
{
	my $body = join '', map "line $_ of many words, that is long enough\r\n", 1 .. 60000;
	my $m = Dkim::sign($msg . $body, $key{1024});
	my $start = time;
	my ($out, $err) = Dkim::run($m =~ s/line 30000 /line x /r, "$ENV{PNEU_BIN}/dkim-verify", '-v', '-s', $at);
	like $err, qr/^because .*no usual change explains it/m, 'a body of 2.5 MB: -v gives up';
	cmp_ok time - $start, '<', SECONDS, 'in bounded time';
}
print "# $cases cases\n";
done_testing;
