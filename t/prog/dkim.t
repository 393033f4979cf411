#!/usr/bin/perl
# dkim-keygen, dkim-record, dkim-sign, dkim-verify: the RFCs' examples, our own
# signatures and changes to them, every state of a key, other programs.
use strict;
use warnings;
use File::Temp qw(tempdir);
use IPC::Open2;
use Time::HiRes qw(sleep time);
use FindBin;
use lib "$FindBin::Bin/..";
use Dkim;

umask 077; # keys
my $bin = $ENV{PNEU_BIN} or die 'PNEU_BIN';
my $tools = $ENV{PNEU_TOOLS} or die 'PNEU_TOOLS';
my $root = tempdir('pneu-dkim.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($n, $dns, $port) = (0);
sub ok($$;@) { my ($good, $name, @why) = @_; $n++;
	print $good ? "ok" : "not ok", " $n - $name\n";
	print map { "# $_\n" } split /\n/, join "\n", map { $_ // 'undef' } @why
	    unless $good; $good }
sub put { my ($f, $t) = @_; open my $h, '>:raw', "$root/$f" or die "$f: $!";
	print $h $t; close $h }
sub slurp { open my $h, '<:raw', $_[0] or return ''; local $/; <$h> // '' }
sub run { my ($in, @cmd) = @_; put('in', $in);
	open(my $h, '-|', 'sh', '-c', 'in=$1; shift; exec "$@" <"$in" 2>/dev/null',
	    'sh', "$root/in", @cmd) or die;
	local $/; my $o = <$h> // ''; close $h; wantarray ? ($o, $? >> 8) : $o }
END { my $s = $?; if ($dns) { kill 'KILL', $dns; waitpid $dns, 0 } $? = $s }

my %zone;
sub zone { my ($new) = @_; %zone = (%zone, %$new);
	put('zone', join '', map { my $k = $_; ref $zone{$k} ?
	    map("rr name=$k type=TXT value=\"$_\"\n", @{ $zone{$k} }) :
	    "act name=$k type=TXT do=$zone{$k}\n" } sort keys %zone);
	if ($dns) { kill 'KILL', $dns; waitpid $dns, 0 }
	unlink "$root/dns";
	$dns = fork // die;
	if ($dns == 0) { open STDOUT, '>', "$root/dns";
		exec "$tools/dnsfake", "$root/zone"; exit 127 }
	my $end = time + 10;
	until (($port) = slurp("$root/dns") =~ /^port (\d+)/) {
		die if time > $end; sleep 0.01 } }
sub verify { my ($m) = @_; $m =~ s/\r?\n/\r\n/g;
	scalar run($m, "$bin/dkim-verify", '-s', "127.0.0.1:$port") }
sub results { join ' ', $_[0] =~ /^dkim result=(\w+)/mg }

# An instance with two keys for one domain.
mkdir "$root/$_" for qw(conf conf/domain conf/account cdb secret secret/dkim);
put('secret/dkim/rsa.pem', scalar run('', "$bin/dkim-keygen"));
put('secret/dkim/ed.pem', scalar run('', "$bin/dkim-keygen", '-t', 'ed25519'));
put('conf/host', "host name=mx.example.org\n");
put('conf/listen', "listen service=smtp ip=127.0.0.1\n");
put('conf/domain/example.org', "domain name=example.org\n" .
    "dkim selector=r key=rsa.pem alg=rsa-sha256\n" .
    "dkim selector=e key=ed.pem alg=ed25519-sha256\n" .
    "dkim selector=later key=rsa.pem alg=rsa-sha256 sign=no\n");
put('conf/domain/nokey.example', "domain name=nokey.example\n");
put('conf/account/ann', "account name=ann\naddress addr=ann\@example.org\n");
system("$bin/conf-build", '-C', $root) == 0 or die 'conf-build';
sub record { my ($file) = @_;
	my $t = run(slurp("$root/secret/dkim/$file"), "$bin/dkim-record", '-s',
	    's', '-d', 'example.org');
	ok($t =~ /^s\._domainkey\.example\.org\.\tIN\tTXT\t/, 'a zone line', $t);
	join '', $t =~ /"([^"]*)"/g }
my ($rsa, $ed) = (record('rsa.pem'), record('ed.pem'));
ok($rsa =~ /^v=DKIM1; k=rsa; h=sha256; p=\S+$/, 'of RSA', $rsa);
ok($ed =~ /^v=DKIM1; k=ed25519; h=sha256; p=\S{44}$/, 'of Ed25519', $ed);
ok((run('', "$bin/dkim-keygen", '-b', '512'))[1] == 100, 'no weak keys');
ok((run('nonsense', "$bin/dkim-record"))[1] == 100, 'no record of nonsense');
zone({ 'r._domainkey.example.org' => [ $rsa ],
    'e._domainkey.example.org' => [ $ed ] });

# Sign and verify.
my $msg = "From: Ann <ann\@example.org>\nTo: bob\@example.net,\n carl\@example" .
    ".net\nSubject: Hi  there\nDate: Sat, 21 Nov 2026 07:00:00 +0000\n" .
    "Message-ID: <1\@example.org>\n\nHello,\n\nworld \n\n\n";
sub sign { my ($m) = @_; $m =~ s/\r?\n/\r\n/g;
	my ($lines) = run("job id=abcdefghijklmnop size=" . length($m) .
	    " time=1793257200\n\n$m", "$bin/dkim-sign", '-C', $root);
	$lines =~ s/\Ajob .*\n//; $lines =~ s/\n\n.*/\n/s;
	my $head = '';
	while ($lines =~ /^sign .*? text="((?:[^"\\]|\\.)*)"$/mg) {
		my $t = $1;
		$t =~ s/\\x(..)/chr hex $1/ge; $t =~ s/\\n/\n/g;
		$t =~ s/\\(["\\])/$1/g; $head .= "$t\r\n" }
	wantarray ? ($head, $lines) : $head . $m }
my ($sig, $lines) = sign($msg);
ok($lines =~ /^sign domain=example.org selector=r alg=rsa-sha256 text=.*\nsign domain=example.org selector=e alg=ed25519-sha256 text=.*\n\z/,
    'two signatures', $lines);
ok(!grep({ length > 78 } split /\r\n/, $sig =~ s/\t/        /gr),
    'lines of at most 78 columns', $sig);
my $signed = sign($msg);
my $got = verify($signed);
ok(results($got) eq 'pass pass', 'both pass', $got);
ok($got =~ /^dkim result=pass domain=example.org selector=r alg=rsa-sha256 bits=2048 identity=ann\@example.org b=\S{12} dnssec=no$/m,
    'the record', $got);
my (undef, $code) = run($signed, "$bin/dkim-verify", '-s', "127.0.0.1:$port");
ok($code == 0, 'exit 0 when one passes');
for ([ 'a body without changes that matter', sub { s/^world /world\t  /mr }, 'pass pass' ],
    [ 'a header refolded', sub { s/Subject: Hi  there/SUBJECT:\r\n\tHi there /r },
      'pass pass' ],
    [ 'more empty lines at the end', sub { "$_\r\n\r\n" }, 'pass pass' ],
    [ 'a field in front', sub { "Received: from x\r\n$_" }, 'pass pass' ],
    [ 'another word', sub { s/^world/World/mr }, 'fail fail' ],
    [ 'another Subject', sub { s/Subject: Hi/Subject: Ho/r }, 'fail fail' ],
    [ 'a second Subject', sub { "Subject: buy\r\n$_" }, 'fail fail' ],
    [ 'a second From', sub { "From: eve\@example.com\r\n$_" }, 'fail fail' ],
    [ 'a Reply-To', sub { "Reply-To: eve\@example.com\r\n$_" }, 'fail fail' ],
    [ 'a To less', sub { s/^To:.*\r\n .*\r\n//mr }, 'fail fail' ],
    [ 'the signature changed', sub { s/; t=(\d)/; t=0$1/r }, 'fail pass' ],
    ) {
	my ($name, $change, $want) = @$_;
	my $m = do { local $_ = $signed; $change->() };
	my $v = verify($m);
	ok(results($v) eq $want, "$name: $want", $v);
}
# As a stage: the job comes back with the lines added.
my $job = "job id=abcdefghijklmnop size=" . length($signed) .
    " time=" . int(time) . "\nfrom addr=x\n\n$signed";
my $out = run($job, "$bin/dkim-verify", '-s', "127.0.0.1:$port");
ok($out =~ /^job .*\nfrom addr=x\n(dkim-sig .*\n){3}dkim result=pass .*\ndkim result=pass .*\n(dns by=dkim-verify type=TXT .* status=ok .*\n){2}\n/ &&
    substr($out, -length($signed)) eq $signed, 'a job', substr($out, 0, 600));
# What another stage puts in front is signed too.
my $crlf = $msg =~ s/\n/\r\n/gr =~ s/Message-ID.*\r\n//r;
$job = "job id=abcdefghijklmnop size=" . length($crlf) . " time=1793257200\n" .
    "prepend text=\"Message-ID: <2\@example.org>\"\n\n$crlf";
$out = run($job, "$bin/dkim-sign", '-C', $root);
my ($t) = $out =~ /^sign .*selector=r .*text="(.*)"$/m;
$t =~ s/\\x(..)/chr hex $1/ge; $t =~ s/\\n/\n/g;
ok(results(verify("$t\r\nMessage-ID: <2\@example.org>\r\n$crlf")) eq 'pass',
    'the fields in front are signed');
ok(results(verify("$t\r\nMessage-ID: <3\@example.org>\r\n$crlf")) eq 'fail',
    'and cannot be changed');

# What is not signed.
for ([ 'two From fields', "From: eve\@example.com\n$msg", 'two From fields' ],
    [ 'no From', $msg =~ s/^From:/X:/r, 'no From field' ],
    [ 'two addresses', $msg =~ s/^From: /From: eve\@example.com, /r,
      'From is not one address' ],
    [ 'another domain', $msg =~ s/example\.org>/example.com>/r,
      'not our domain' ],
    [ 'a domain without a key', $msg =~ s/example\.org>/nokey.example>/r,
      'domain has no key' ],
    [ 'a broken header', "no field\n$msg", 'malformed header' ]) {
	my ($name, $m, $why) = @$_;
	my ($head, $l) = sign($m);
	ok($head eq '' && $l =~ /reason="\Q$why\E"/, "not signed: $name", $l);
}
ok((sign($msg =~ s/example\.org>/mx.example.org>/r))[1] =~
    /^sign domain=example.org selector=r /, 'our own notices: the domain above');

# States of the key.
my $one = $signed =~ s/^DKIM-Signature: v=1; d=example.org; s=e;.*?\r\n(?!\t)//msr;
my ($p) = $rsa =~ /p=(.*)/;
my @states = (
	[ 'revoked', [ 'v=DKIM1; p=' ], 'permerror', 'key was revoked' ],
	[ 'none', [ 'v=spf1 -all' ], 'permerror', 'no key record' ],
	[ 'two', [ $rsa, $rsa ], 'permerror', 'more than one key record' ],
	[ 'one, and other text', [ 'hello', $rsa ], 'pass', '' ],
	[ 'another key', [ $rsa =~ s/p=.*/p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY\/J16JYi0Qvx\/byYzCNb3W91y3FutACDfzwQ\/BC\/e\/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l\/K4w3QIDAQAB/r ],
	  'fail', 'header was changed' ],
	[ 'testing, good', [ "$rsa; t=y" ], 'pass', '' ],
	[ 'testing, bad', [ 'v=DKIM1; t=y; p=' ], 'none', 'revoked' ],
	[ 'sha1 only', [ "v=DKIM1; h=sha1; p=$p" ], 'permerror', 'not for sha256' ],
	[ 'another service', [ "v=DKIM1; s=tlsrpt; p=$p" ], 'permerror',
	  'not for mail' ],
	[ 'any service', [ "v=DKIM1; s=*; p=$p" ], 'pass', '' ],
	[ 'another type', [ $ed ], 'permerror', 'another type' ],
	[ 'unknown type', [ "v=DKIM1; k=x; p=$p" ], 'permerror', 'unknown key' ],
	[ 'strict', [ "v=DKIM1; t=s; p=$p" ], 'pass', '' ],
	[ 'no answer', 'servfail', 'temperror', '' ],
);
for (@states) {
	my ($name, $rr, $want, $why) = @$_;
	zone({ 'r._domainkey.example.org' => $rr });
	my $v = verify($one);
	ok(results($v) eq $want && $v =~ /\Q$why/, "key: $name: $want", $v);
}
zone({ 'r._domainkey.example.org' => [ $rsa ] });
my $q = run('', "$bin/dkim-record", '-q', '-r', "127.0.0.1:$port", 'r',
    'example.org');
ok($q =~ /^key result=ok type=rsa bits=2048 testing=no strict=no v=DKIM1 k=rsa h=sha256 text=/m,
    'dkim-record -q', $q);
ok((run('', "$bin/dkim-record", '-q', '-r', "127.0.0.1:$port", 'none',
    'example.org'))[1] == 1, 'and exit 1 when there is none');

# The same by the program's other names.
zone({ 'old._domainkey.example.org' => [ 'v=DKIM1; p=' ],
    'two._domainkey.example.org' => [ $rsa, $ed ],
    'note._domainkey.example.org' => [ "v=DKIM1; n=ours; t=y:s; p=$p", 'hello' ],
    'down._domainkey.example.org' => 'servfail' });
for ([ 'r', 0, qr/^key result=ok type=rsa bits=2048 .* v=DKIM1 k=rsa h=sha256 text=/m ],
    [ 'old', 1, qr/^key result=bad .*reason="revoked: p= is empty"/m ],
    [ 'two', 1, qr/^key result=ok type=rsa.*\nkey result=ok type=ed25519 bits=256/m ],
    [ 'note', 0, qr/^key result=ok .*testing=yes strict=yes v=DKIM1 t=y:s n=ours.*\nkey result=bad reason="key record: syntax"/m ],
    [ 'none', 1, qr/^dns .*status=nxdomain/ ],
    [ 'down', 111, qr/^dns .*status=temporary/ ]) {
	my ($sel, $want, $why) = @$_;
	my ($o, $c) = run('', "$bin/dkim-lookup", '-r', "127.0.0.1:$port", $sel,
	    'example.org');
	ok($c == $want && $o =~ $why, "dkim-lookup $sel: $want", $c, $o);
}
ok((run('', "$bin/dkim-lookup", 'x'))[1] == 100, 'dkim-lookup: usage');
ok((run('', "$bin/dkim-lookup", '-q', 'x', 'y'))[1] == 100, 'and no -q');
my $pem = slurp("$root/secret/dkim/rsa.pem");
ok(run($pem, "$bin/dkim-txt", '-s', 's', '-d', 'example.org') eq
    run($pem, "$bin/dkim-record", '-s', 's', '-d', 'example.org'), 'dkim-txt');
ok((run('', "$bin/pneu", 'dkim-txt', '-h'))[0] =~ /^dkim-txt - /, 'pneu knows it');

# What is judged before a key is asked for.
my $tags = 'v=1; a=rsa-sha256; d=example.org; s=r; h=from:subject; ' .
    'bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA';
for ([ 'sha1', $tags =~ s/sha256/sha1/r, 'permerror', 'sha1' ],
    [ 'a tag that nobody knows, twice', "$tags; foo=1; foo=2", 'permerror',
      'twice' ],
    [ 'far ahead', "$tags; t=99999999999", 'policy', 'future' ],
    [ 'l= no number', "$tags; l=-1", 'permerror', 'l=' ],
    [ 'a hole in h=', $tags =~ s/:subject/::subject/r, 'permerror', 'h=' ],
    [ 'a dot at the end of d=', $tags =~ s/example\.org/example.org./r,
      'permerror', 'd=' ],
    [ 'two @ in i=', "$tags; i=a\@example.com\@example.org", 'permerror', 'i=' ],
    [ 'CR alone between tags', "$tags;\rx=1", 'permerror', 'syntax' ],
    [ 'a signature of 9 KB', "$tags; n=" . 'x' x 9000, 'permerror', '8 KiB' ],
    [ 'Subject unsigned', $tags =~ s/:subject//r, 'policy', 'Subject' ],
    [ 'expired', "$tags; x=1000000000", 'permerror', 'expired' ],
    [ 'top-level domain', $tags =~ s/example\.org/org/r, 'permerror',
      'public suffix' ],
    [ 'a tag twice', "$tags; a=x", 'permerror', 'twice' ],
    [ 'i= elsewhere', "$tags; i=\@example.com", 'permerror', 'i=' ]) {
	my ($name, $value, $want, $why) = @$_;
	my $v = scalar run("DKIM-Signature: $value\r\n" .
	    $msg =~ s/\n/\r\n/gr, "$bin/dkim-verify", '-s', "127.0.0.1:$port");
	ok(results($v) eq $want && $v =~ /\Q$why/, "$name: $want", $v);
}
# With an instance: its list of public suffixes, its opinion of Subjects.
sub at_root { scalar run("DKIM-Signature: $_[0]\r\n" . $msg =~ s/\n/\r\n/gr,
	"$bin/dkim-verify", '-C', $root, '-s', "127.0.0.1:$port") }
if (-e "$root/cdb/psl.cdb") {
	my $v = at_root($tags =~ s/d=example\.org/d=co.uk/r);
	ok($v =~ /^dkim result=permerror .*"d= is a public suffix"/, 'co.uk', $v);
	$v = at_root($tags =~ s/d=example\.org/d=example.co.uk/r);
	ok($v =~ /"no key record"/, 'example.co.uk', $v);
} else { print "# no public suffix list\n" }
put('conf/host', "host name=mx.example.org dkim-subject=optional\n");
system("$bin/conf-build", '-C', $root) == 0 or die 'conf-build';
ok(at_root($tags =~ s/:subject//r) =~ /result=fail/, 'dkim-subject=optional');

# l=: what stands behind it decides (RFC 6376 section 8.2). A field twice of
# which one is signed (section 8.15). A CR alone in the header is not a blank.
{
	my $key = Dkim::key('rsa', 1024);
	my $at = Dkim::zone('k._domainkey.example.org' => [ $key->{record} ]);
	my $m = $msg =~ s/\n/\r\n/gr;
	my $see = sub { (Dkim::run($_[0], "$bin/dkim-verify", '-s', $at))[0] };
	for ([ 'l= of all', [ l => 'all' ], '', 'pass', '' ],
	    [ 'l= of all, more behind it', [ l => 'all' ], "buy\r\n", 'policy',
	      'l= leaves' ],
	    [ 'l= of a part', [ l => 5 ], '', 'policy', 'l= leaves' ],
	    [ 'l=0', [ l => 0 ], '', 'policy', 'l= leaves' ],
	    [ 'l=0 in simple', [ l => 0, c => 'simple/simple' ], '', 'policy',
	      'l= leaves' ],
	    [ 'l= past the end', [ l => '10000' ], '', 'fail', 'shorter' ],
	    [ 'l=10^20', [ l => '1' . '0' x 20 ], '', 'fail', 'shorter' ],
	    [ 'simple', [ c => 'simple/simple' ], '', 'pass', '' ],
	    [ 'simple/relaxed', [ c => 'simple/relaxed' ], '', 'pass', '' ],
	    [ 'relaxed alone means simple for the body', [ c => 'relaxed/simple' ],
	      '', 'pass', '' ]) {
		my ($name, $how, $more, $want, $why) = @$_;
		my $v = $see->(Dkim::sign($m, $key, @$how) . $more);
		ok(results($v) eq $want && $v =~ /\Q$why/, "$name: $want", $v);
	}
	for ('From: eve@example.com', 'Subject: buy', 'Date: x', 'Content-Type: x') {
		my ($n) = /^([^:]+)/;
		my $s = Dkim::field("X: y\r\nContent-Type: text/plain\r\n$m", $key,
		    h => 'from:to:subject:date:content-type');
		my $v = $see->("$_\r\n${s}X: y\r\nContent-Type: text/plain\r\n$m");
		ok(results($v) eq 'policy' && $v =~ /a second \Q$n\E is not signed/,
		    "a second $n is seen", $v);
	}
	my $v = $see->(Dkim::sign($m, $key) =~ s/Hi  there/Hi\rthere/r);
	ok(results($v) eq 'fail', 'CR for a blank: fail', $v);
	Dkim::stop();
}
my $many = verify("DKIM-Signature: $tags\n" x 12 . $msg);
ok(results($many) eq join(' ', ('fail') x 8, 'policy'), 'at most eight', $many);
my ($none, $c) = run($msg, "$bin/dkim-verify", '-s', "127.0.0.1:$port");
ok($none eq "dkim result=none reason=\"no signature\"\n" && $c == 1, 'none');
ok(results(verify("broken\n$signed")) eq 'none', 'a broken header: none');

# The vectors.
my ($dir) = grep { defined && -d "$_/dkim" }
    ($ENV{PNEU_VECTORS}, '../shared/vectors', '../../shared/vectors');
SKIP: {
	if (!$dir) { print "# no vectors\n"; last SKIP }
	my $d = "$dir/dkim";
	my $txt = sub { slurp("$d/dkimpy/$_[0]") =~ s/\s+\z//r };
	my %rfc = (
	    'brisbane._domainkey.football.example.com' => [ 'v=DKIM1; k=ed25519; ' .
	      'p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=' ],
	    'test._domainkey.football.example.com' => [ 'v=DKIM1; k=rsa; p=MIGfMA' .
	      '0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5q' .
	      'hdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR' .
	      '+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIK' .
	      'T+l/K4w3QIDAQAB' ],
	    'sed._domainkey.test.ex' => [ $txt->('eximtest.dns') ]);
	zone(\%rfc);
	for ([ 'rfc8463-example.msg', 'pass pass' ],
	    [ 'dkimpy/rfc6376.signed.msg', 'pass pass' ],
	    [ 'dkimpy/rfc6376.signed.rsa.msg', 'pass' ],
	    [ 'dkimpy/ed25519test2.msg', 'pass' ],
	    [ 'dkimpy/test.message', 'none' ]) {
		my $v = verify(slurp("$d/$_->[0]"));
		ok(results($v) eq $_->[1], "vector $_->[0]: $_->[1]", $v);
		next if $_->[1] !~ /pass/;
		$v = verify(slurp("$d/$_->[0]") =~ s/\s*\z/x\n/r);
		ok(results($v) eq $_->[1] =~ s/pass/fail/gr, 'and with a longer body: fail', $v);
	}
	# Keys of the vectors sign, and their records verify.
	for ([ 'test.private', 'test.txt', 'pass' ],
	    [ 'test2.private', 'test2.txt', undef ],
	    [ '1024_testkey.key', '1024_testkey_wo_markers.pub.txt', 'pass' ],
	    [ '1024_testkey.key', '1024_testkey_wo_markers.pub.rsa.txt', 'pass' ],
	    [ '2048_testkey.key', '2048_testkey_wo_markers.pub.txt', 'pass' ],
	    [ '2048_testkey.key', '2048_testkey_wo_markers.pub.rsa.txt', 'pass' ],
	    [ '2048_testkey_PKCS8.key', '2048_testkey_PKCS8.key.pub.txt', 'pass' ],
	    [ 'test.private', 'badversion.txt', 'permerror' ],
	    [ 'test.private', 'badk.txt', 'permerror' ],
	    [ 'test.private', 'test_bad.txt', 'permerror' ],
	    [ 'test.private', 'test_tlsrpt.txt', 'permerror' ]) {
		my ($key, $rr, $want) = @$_;
		my $pem = slurp("$d/dkimpy/$key");
		put('secret/dkim/rsa.pem', $pem);
		my ($s, $l) = sign($msg);
		if (!defined $want) { next }
		$s =~ s/(?<=\r\n)DKIM-Signature: v=1; d=example.org; s=e;.*//s;
		zone({ 'r._domainkey.example.org' => [ $txt->($rr) ] });
		my $v = verify($s . $msg =~ s/\n/\r\n/gr);
		ok(results($v) eq $want, "vector $key, $rr: $want", $v, $l);
	}
}

# Other programs.
put('secret/dkim/rsa.pem', scalar run('', "$bin/dkim-keygen"));
($rsa, $ed) = (record('rsa.pem'), record('ed.pem'));
zone({ 'r._domainkey.example.org' => [ $rsa ],
    'e._domainkey.example.org' => [ $ed ] });
put('check', <<'PY');
import sys, dkim
recs = dict(l.split(None, 1) for l in open(sys.argv[1]))
msg = sys.stdin.buffer.read()
def txt(name, timeout=5):
    return recs.get(name.decode().rstrip('.'), '').strip().encode()
d = dkim.DKIM(msg)
print(*[d.verify(idx=i, dnsfunc=txt) for i in range(2)])
PY
put('make', <<'PY');
import sys, dkim
msg = sys.stdin.buffer.read()
h, b = sys.argv[2].encode().split(b'/')
sys.stdout.buffer.write(dkim.sign(msg, b'r', b'example.org',
    open(sys.argv[1], 'rb').read(), canonicalize=(h, b)) + msg)
PY
put('recs', "r._domainkey.example.org $rsa\ne._domainkey.example.org $ed\n");
if (system('python3 -c "import dkim, nacl" 2>/dev/null') == 0) {
	my $v = run(scalar sign($msg), 'python3', "$root/check", "$root/recs");
	ok($v eq "True True\n", 'dkimpy accepts both of our signatures', $v);
	for my $canon (map { my $h = $_; map { "$h/$_" } 'simple', 'relaxed' }
	    'simple', 'relaxed') {
		$v = run($msg =~ s/\n/\r\n/gr, 'python3', "$root/make",
		    "$root/secret/dkim/rsa.pem", $canon);
		ok(results(verify($v)) eq 'pass', "and we its $canon", $v,
		    verify($v));
	}
} else { ok(1, 'dkimpy # SKIP not installed') }
for my $p ('dkim-sign', 'dkim-verify', 'dkim-keygen', 'dkim-record') {
	ok((run('', "$bin/$p", '--cage'))[0] =~ /files|reads/, "$p --cage");
}
print "1..$n\n";
