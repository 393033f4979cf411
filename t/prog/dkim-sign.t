#!/usr/bin/perl
# dkim-sign: what the attributes of a dkim record do, who is signed for, what is
# not signed, and the face for people.
use strict;
use warnings;
use utf8;
use File::Temp qw(tempdir);
use Encode qw(encode);

umask 077; # keys
my $bin = $ENV{PNEU_BIN} or die 'PNEU_BIN';
my $root = tempdir('pneu-sign.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $n = 0;
sub ok($$;@) { my ($good, $name, @why) = @_; $n++;
	print $good ? "ok" : "not ok", " $n - ", encode('UTF-8', $name), "\n";
	print map { encode('UTF-8', "# $_\n") } split /\n/, join "\n",
	    map { $_ // 'undef' } @why unless $good; $good }
sub put { my ($f, $t) = @_; open my $h, '>:raw', "$root/$f" or die "$f: $!";
	print $h utf8::is_utf8($t) ? encode('UTF-8', $t) : $t; close $h }
sub slurp { open my $h, '<:raw', $_[0] or return ''; local $/; <$h> // '' }
# run INPUT COMMAND...: standard output, exit code, standard error.
sub run { my ($in, @cmd) = @_; put('in', $in);
	my $r = system('sh', '-c', 'd=$1; shift; exec "$@" <"$d/in" >"$d/out" 2>"$d/err"',
	    'sh', $root, @cmd);
	(slurp("$root/out"), $r >> 8, slurp("$root/err")) }
sub domain { my ($name, @lines) = @_;
	put("conf/domain/$name", join "\n", "domain name=$name separator=+", @lines, '');
}
sub build { system("$bin/conf-build", '-C', $root) == 0 or die 'conf-build' }
sub sign { run($_[0], "$bin/dkim-sign", @_[1 .. $#_], '-C', $root) }
# unfold FIELD: its tags.
sub tags { my ($f) = @_; $f =~ s/^[^:]*://; $f =~ s/\r?\n//g;
	map { my ($k, $v) = /^\s*([a-z]+)=(.*?)\s*$/s; $v =~ s/\t//g if $k =~ /^(b|bh|h)$/;
	    $v =~ s/\s+//g if $k eq 'h'; ($k, $v) } split /;/, $f }
sub fields { my @f = $_[0] =~ /^(DKIM-Signature:.*?\n)(?![\t ])/msg; @f }

mkdir "$root/$_" for qw(conf conf/domain conf/account cdb secret secret/dkim);
put('secret/dkim/rsa', (run('', "$bin/dkim-keygen"))[0]);
put('secret/dkim/rsa2', (run('', "$bin/dkim-keygen", '-b', '1024'))[0]);
put('secret/dkim/ed', (run('', "$bin/dkim-keygen", '-t', 'ed25519'))[0]);
ok(slurp("$root/secret/dkim/rsa") =~ /\A-----BEGIN PRIVATE KEY-----/, 'PKCS#8');
put('conf/host', "host name=mx.lists.example.org\n");
put('conf/listen', "listen service=smtp ip=127.0.0.1\n");
domain('example.org', 'dkim selector=r key=rsa alg=rsa-sha256');
build();
my $msg = "From: Ann <Ann+shop\@Example.org>\nTo: bob\@example.net\nTo: two\@example.net\n" .
    "Subject: Hi\nList-Id: <x.example.org>\nX-Own: 1\nDate: Sat, 21 Nov 2026 07:00:00 +0000\n" .
    "Message-ID: <1\@example.org>\n\nHello,\n\nworld \n\n\n";

# The face for people.
my ($out, $code, $err) = sign($msg);
ok($code == 0 && $err eq '' && fields($out) == 1 && $out !~ /\r/ && $out !~ /Subject: Hi/,
    'the field alone, with the line ends of the message', $out, $err);
my ($whole) = sign($msg, '-m');
ok(fields($whole) == 1 && $whole =~ /\A(?:DKIM-Signature:.*\n(?:\t.*\n)*)\Q$msg\E\z/,
    '-m: and the message', $whole);
($whole) = sign($msg =~ s/\n/\r\n/gr, '-m');
ok($whole !~ /[^\r]\n/, 'CRLF if it had that', $whole);
my @t = tags((fields($out))[0]); my %t = @t;
ok(join(' ', @t[grep { $_ % 2 == 0 } 0 .. $#t]) eq 'v d s i a c t h bh b', 'tags and their order', "@t");
ok($t{i} eq 'ann@example.org' && $t{d} eq 'example.org' && $t{c} eq 'relaxed/relaxed' &&
    abs($t{t} - time) < 100, 'values', %t);
my %h; $h{lc $_}++ for split /:/, $t{h};
ok($h{to} == 3 && $h{from} == 2 && $h{subject} == 2 && $h{cc} == 1 && $h{'content-type'} == 1 &&
    $h{'message-id'} == 2 && $h{'mime-version'} == 1, 'signed once more than they occur', $t{h});
ok($h{'list-id'} == 1 && !$h{'list-post'} && !$h{sender} && !$h{'x-own'} && !$h{received},
    'Sender and List-* as often as they occur', $t{h});
ok(!grep({ length > 76 } split /\n/, $out =~ s/\t/        /gr), 'lines of at most 76 columns', $out);
($out, $code, $err) = sign($msg, '-v');
ok($err =~ /^step check=sign domain=example.org selector=r key=rsa bits=2048 canon=relaxed\/relaxed identity=ann\@example.org h=From:From:\S+ oversigned=From,Reply-To,\S+ header-hash=\S{44} body-hash="?\Q$t{bh}\E"? note=/m &&
    $err =~ /^because check=sign result=signed text=".*secret\/dkim\/rsa.* r\._domainkey\.example\.org\."$/m,
    '-v', $err);
($out, $code, $err) = sign($msg =~ s/^From:/X:/r, '-v', '-m');
ok($out eq '' && $code == 1 && $err =~ /^dkim-sign: not signed: no From field$/m &&
    $err =~ /^because check=sign result=unsigned text=/m, 'unsigned: nothing on stdout, exit 1', $out, $err);

# What the attributes do.
sub with { my ($attrs, $m) = @_;
	domain('example.org', "dkim selector=r key=rsa alg=rsa-sha256 $attrs");
	build();
	my ($o, undef, $e) = sign($m // $msg);
	my ($f) = fields($o); +{ $f ? tags($f) : (none => $e) } }
my $t = with('oversign=no');
ok($t->{h} eq 'From:To:To:Subject:Date:Message-ID:List-Id', 'oversign=no', $t->{h});
$t = with('headers=Subject,from,X-Own oversign=Subject');
ok($t->{h} eq 'Subject:Subject:from:X-Own', 'headers= and oversign=', $t->{h});
$t = with('headers=From,List-Id');
ok($t->{h} eq 'From:From:List-Id', 'oversign=yes with headers=', $t->{h});
$t = with('expire=2h');
ok($t->{x} == $t->{t} + 7200, 'expire=', %$t);
$t = with('canon=simple/simple');
ok(!exists $t->{c}, 'canon=simple/simple is not spelled out', %$t);
for my $c ('simple/relaxed', 'relaxed/simple') {
	ok(with("canon=$c")->{c} eq $c, "canon=$c") }
$t = with('from=eve@example.org');
ok($t->{none} =~ /no key for this address/, 'from= another address', %$t);
$t = with('from=eve@example.org,ann@example.org');
ok($t->{s} eq 'r', 'from= the address, its separator part cut', %$t);
ok(with('from=@*.example.org')->{none} =~ /no key for/, 'from=@*.domain is what is below');
ok(with('sign=no')->{none} =~ /no key for this address/, 'sign=no');
my $many = $msg =~ s/^(To: bob.*\n)/$1 x 300/mer;
ok(with('', $many)->{none} =~ /too many fields to sign/, 'too many fields: no signature');
ok(with('', $many =~ s/^(To: bob.*\n){100}//mr)->{h} =~ /^(?:[^:]*:){210}/, 'many fields');
for (["=?utf-8?q?A?= <\"a b;=c\"\@example.org>", '"a=20b=3B=3Dc"@example.org'],
    ["\"a\\\\b\"\@example.org", '"a\\\\b"@example.org'],
    ["<Ännchen\@example.org>", 'ännchen@example.org']) {
	my $got = with('', $msg =~ s/^From:.*/From: $_->[0]/r);
	ok(($got->{i} // '') eq encode('UTF-8', $_->[1]), "i= of $_->[0]", %$got);
}

# Several keys: those that fit, in order; equal bodies have one hash.
domain('example.org', 'dkim selector=r key=rsa alg=rsa-sha256',
    'dkim selector=e key=ed alg=ed25519-sha256 canon=simple/relaxed',
    'dkim selector=s key=rsa2 alg=rsa-sha256 canon=simple/simple',
    'dkim selector=later key=rsa alg=rsa-sha256 sign=no',
    'dkim selector=news key=rsa alg=rsa-sha256 from=news@example.org');
build();
($out) = sign($msg);
my @all = map { +{ tags($_) } } fields($out);
ok(join(' ', map { "$_->{s}:$_->{a}" } @all) eq
    'r:rsa-sha256 e:ed25519-sha256 s:rsa-sha256', 'three keys', $out);
ok($all[0]{bh} eq $all[1]{bh} && $all[0]{bh} ne $all[2]{bh}, 'body hashes');
($out) = sign($msg =~ s/Ann\+shop/news/r);
ok($out =~ /s=news;/ && fields($out) == 4, 'a key for one address');

# Which domain signs.
domain('bücher.example', 'dkim selector=u key=ed alg=ed25519-sha256');
domain('sub.example.org'); domain('own.example.org', 'dkim selector=o key=rsa alg=rsa-sha256');
domain('off.example.org', 'dkim selector=o key=rsa alg=rsa-sha256');
put('conf/domain/off.example.org', "domain name=off.example.org disabled=yes\n" .
    "dkim selector=o key=rsa alg=rsa-sha256\n");
build();
sub from { my ($addr) = @_; my ($o, undef, $e) = sign($msg =~ s/^From:.*/From: $addr/r);
	my ($f) = fields($o); my %g = $f ? tags($f) : ();
	$f ? "d=$g{d} s=$g{s} i=$g{i}" : $e =~ s/.*not signed: |\n//gr }
for (['postmaster@mx.lists.example.org', 'd=example.org s=r i=postmaster@mx.lists.example.org'],
    ['a@bücher.example', 'd=xn--bcher-kva.example s=u i=a@xn--bcher-kva.example'],
    ['a@sub.example.org', 'domain has no key'],
    ['a@deep.sub.example.org', 'not our domain'],
    ['a@own.example.org', 'd=own.example.org s=o i=a@own.example.org'],
    ['a@off.example.org', 'domain is disabled'],
    ['a@example.com', 'not our domain'], ['a@org', 'not our domain']) {
	my $got = from($_->[0]);
	ok($got eq $_->[1], "$_->[0]: $_->[1]", $got);
}
domain('example.org', 'dkim selector=r key=rsa alg=rsa-sha256 from=@example.org,@*.example.org');
build();
for (['a@sub.example.org', 'd=example.org s=r i=a@sub.example.org'],
    ['a@deep.sub.example.org', 'd=example.org s=r i=a@deep.sub.example.org'],
    ['a@example.org', 'd=example.org s=r i=a@example.org'],
    ['a@own.example.org', 'd=own.example.org s=o i=a@own.example.org'],
    ['a@badexample.org', 'not our domain']) {
	my $got = from($_->[0]);
	ok($got eq $_->[1], "from=\@*.example.org: $_->[0]: $_->[1]", $got);
}

# Headers that are not signed.
for ([ 'two From fields', "From: eve\@example.com\n$msg", 'two From fields' ],
    [ 'two, one of them spelt oddly', "FROM : eve\@example.com\n$msg", 'two From fields' ],
    [ 'an empty From', $msg =~ s/^From:.*/From:/r, 'From is not one address' ],
    [ 'a From that is no address', $msg =~ s/^From:.*/From: ann/r, 'From is not one address' ],
    [ 'a group', $msg =~ s/^From:.*/From: g:;/r, 'From is not one address' ],
    [ 'a line without a colon', $msg =~ s/^Subject:/Subject/mr, 'malformed header' ],
    [ 'a folded first line', " $msg", 'malformed header' ],
    [ 'nothing', "\n", 'no From field' ]) {
	my ($o, $c, $e) = sign($_->[1]);
	ok($o eq '' && $c == 1 && $e =~ /not signed: $_->[2]$/m, "not signed: $_->[0]", $o, $e);
}

# Keys: unsafe, absent, of another type, changed while a worker runs.
sub because { (sign($msg, '-v'))[2] =~ s/.*^because //msr }
chmod 0644, "$root/secret/dkim/rsa";
ok(because() =~ /key not usable. others may read/, 'a key others may read');
chmod 0640, "$root/secret/dkim/rsa";
ok(because() =~ /result=signed/, 'its group may');
rename "$root/secret/dkim/rsa", "$root/secret/dkim/away";
ok(because() =~ /key not usable. no such file/, 'no key');
put('secret/dkim/rsa', slurp("$root/secret/dkim/ed"));
ok(because() =~ /key not usable. not of the type/, 'a key of another type');
put('secret/dkim/rsa', 'nonsense');
ok(because() =~ /key not usable. no PEM/, 'no key at all');
put('secret/dkim/rsa', (run('', 'openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt',
    'rsa_keygen_bits:768'))[0]);
ok(because() =~ /key not usable.*1024 bits/, 'a weak key');
unlink "$root/secret/dkim/rsa";
symlink 'away', "$root/secret/dkim/rsa";
ok(because() =~ /result=signed/, 'a link to a key');
for (['-b', '512'], ['-b', '9000'], ['-t', 'dsa'], ['x']) {
	ok((run('', "$bin/dkim-keygen", @$_))[1] == 100, "dkim-keygen @$_: exit 100") }
my ($bits) = (run(slurp("$root/secret/dkim/rsa2"), 'openssl', 'pkey', '-text', '-noout'))[0] =~
    /\((\d+) bit/;
ok($bits == 1024, 'dkim-keygen -b');
print "1..$n\n";
