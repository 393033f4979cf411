#!/usr/bin/perl
# sasl-serve: every mechanism, strangers that look like users, limits, bad
# packets, a changed password, an account without login.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha1 hmac_sha256 sha1 sha256);
use File::Temp qw(tempdir);
use MIME::Base64;
use Socket;
use Time::HiRes qw(sleep time);

my $bin = $ENV{PNEU_BIN} or die 'PNEU_BIN';
my $tools = $ENV{PNEU_TOOLS} or die 'PNEU_TOOLS';
my $root = tempdir('pneu-sasl.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($n, $serve) = (0);
sub ok($$;@) { my ($good, $name, @why) = @_; $n++;
	print $good ? "ok" : "not ok", " $n - $name\n";
	print map { "# $_\n" } split /\n/, join "\n", map { $_ // 'undef' } @why
	    unless $good; $good }
sub put { my ($f, $t) = @_; open my $h, '>', "$root/$f" or die "$f: $!";
	print $h $t; close $h }
sub get { open my $h, '<', "$root/$_[0]" or return ''; local $/; <$h> // '' }
sub until_true { my ($f) = @_; my $end = time + 10;
	while (time < $end) { my $r = $f->(); return $r if $r; sleep 0.02 } 0 }
END { my $s = $?; if ($serve) { kill 'KILL', $serve; waitpid $serve, 0 } $? = $s }

mkdir "$root/$_" for qw(conf secret run run/counters cdb conf/domain
    conf/account);
put('conf/host', "host name=mx.example.org\n");
put('conf/listen', "listen service=smtp ip=127.0.0.1\n");
put('conf/domain/example.org', "domain name=example.org separator=+\n");
put("conf/account/$_", "account name=$_" .
    ($_ eq 'bob' ? ' login="ask ann"' : '') .
    "\naddress addr=$_\@example.org\n") for 'ann', 'bob', 'new';
system("$bin/conf-build", '-C', $root) == 0 or die 'conf-build';
system("$tools/passwd-set", $root, $_, "secret of $_") == 0 or die
    for 'ann', 'bob';

$serve = fork // die;
if ($serve == 0) { open STDERR, '>', "$root/log";
	exec "$bin/sasl-serve", '-C', $root; exit 127 }
ok(until_true(sub { -S "$root/run/sasl" }), 'listens', get('log'));

sub dial { socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die;
	connect($s, pack_sockaddr_un("$root/run/sasl")) or die "connect: $!"; $s }
sub ask { my ($s, $t) = @_; send($s, "$t\n", 0) // return undef;
	recv($s, my $b, 65536, 0) // return undef; chomp $b; $b }
my $ip = 0;
sub fresh { $ip++; sprintf '10.%d.%d.1', $ip >> 5, ($ip << 3) & 255 }
sub b64 { encode_base64($_[0], '') }
sub data { $_[0] =~ / data=(?:"([^"]*)"|(\S+))/ ? decode_base64($1 // $2) : '' }
sub plain { my ($s, $user, $pw, %o) = @_;
	ask($s, "start mech=PLAIN service=imap ip=" . ($o{ip} // fresh()) .
	    " tls=yes conn=c1 ir=" . b64("\0$user\0$pw")) }

my $s = dial();
ok(plain($s, 'ann@example.org', 'secret of ann') eq
    'ok account=ann login=ann@example.org mech=PLAIN', 'PLAIN');
ok(plain($s, 'Ann+x@EXAMPLE.org', 'secret of ann') =~
    /^ok account=ann /, 'another spelling of the address');
my ($wrong, $stranger, $none, $noaddr) = map { plain($s, @$_) }
    [ 'ann@example.org', 'wrong' ], [ 'eve@example.org', 'wrong' ],
    [ 'new@example.org', 'wrong' ], [ 'ann', 'secret of ann' ];
ok($wrong =~ /^no reason=credentials delay=0/, 'wrong password', $wrong);
ok($stranger eq $wrong && $none eq $wrong && $noaddr eq $wrong,
    'no such user, no password, no address: the same answer', $stranger, $none,
    $noaddr);
ok(plain($s, 'bob@example.org', 'secret of bob') =~
    /^no reason=disabled .*text="ask ann"/, 'login is switched off');
ok(plain($s, 'bob@example.org', 'wrong') eq $wrong,
    'and only who knows the password learns that');

# LOGIN
my $r = ask($s, 'start mech=LOGIN service=smtp ip=' . fresh() . ' tls=yes');
ok(data($r) eq 'Username:', 'LOGIN', $r);
ok(data(ask($s, 'data data=' . b64('ann@example.org'))) eq 'Password:', 'asks');
ok(ask($s, 'data data=' . b64('secret of ann')) =~ /^ok account=ann/, 'ok');

# SCRAM
sub scram { my ($s, $mech, $user, $pw, %o) = @_;
	my $sha1 = $mech =~ /SHA-1/;
	my $hmac = $sha1 ? \&hmac_sha1 : \&hmac_sha256;
	my $gs2 = $o{gs2} // 'n,,';
	my $bare = "n=$user,r=rOprNGfwEbeRWgbN";
	my $r = ask($s, "start mech=$mech service=imap ip=" .
	    ($o{ip} // fresh()) . ' tls=' . ($o{tls} // 'no') .
	    ($o{exporter} ? ' cb-exporter=' . unpack('H*', $o{exporter}) : '') .
	    ' ir=' . b64("$gs2$bare"));
	return $r if $r !~ /^continue/;
	my $first = data($r);
	my ($nonce, $salt, $i) = $first =~ /^r=(.*),s=(.*),i=(\d+)$/ or return $r;
	return $first if $o{first};
	my $u = my $h = $hmac->(decode_base64($salt) . pack('N', 1), $pw);
	for (2 .. $i) { $u = $hmac->($u, $pw); $h ^= $u }
	my $ck = $hmac->('Client Key', $h);
	my $without = 'c=' . b64($gs2 . ($o{bind} // '')) . ",r=$nonce";
	my $am = "$bare,$first,$without";
	my $stored = $sha1 ? sha1($ck) : sha256($ck);
	$r = ask($s, 'data data=' . b64("$without,p=" .
	    b64($ck ^ $hmac->($am, $stored))));
	$r .= ' verified' if data($r) eq 'v=' .
	    b64($hmac->($am, $hmac->('Server Key', $h)));
	$r }
for my $m ('SCRAM-SHA-1', 'SCRAM-SHA-256') {
	$r = scram($s, $m, 'ann@example.org', 'secret of ann');
	ok($r =~ /^ok account=ann .* verified$/, $m, $r);
	$r = scram($s, "$m-PLUS", 'ann@example.org', 'secret of ann',
	    tls => 'yes', gs2 => 'p=tls-exporter,,', exporter => 'x' x 32,
	    bind => 'x' x 32);
	ok($r =~ /^ok account=ann .* verified$/, "$m-PLUS", $r);
}
$r = scram($s, 'SCRAM-SHA-256-PLUS', 'ann@example.org', 'secret of ann',
    tls => 'yes', gs2 => 'p=tls-exporter,,', exporter => 'x' x 32,
    bind => 'y' x 32);
ok($r =~ /^no reason=binding/, 'someone in the middle', $r);
$r = scram($s, 'SCRAM-SHA-256', 'eve@example.org', 'wrong');
my $r2 = scram($s, 'SCRAM-SHA-256', 'ann@example.org', 'wrong');
ok($r eq $r2 && $r =~ /^no reason=credentials/, 'strangers fail as users do',
    $r, $r2);
my @salt;
for my $u ('eve@example.org', 'eve@example.org', 'EVE@example.org',
    'ann@example.org', 'mal@example.org') {
	my $t = dial();
	my $f = scram($t, 'SCRAM-SHA-256', $u, '', first => 1);
	push @salt, $f =~ /,s=(.*)$/ ? $1 : "none: $f";
}
ok($salt[0] eq $salt[1] && $salt[0] eq $salt[2] && $salt[0] ne $salt[4],
    'a stranger has one salt, as a user has', @salt);
ok(length $salt[0] == length $salt[3] && substr($salt[0], -7) eq
    substr($salt[3], -7), 'of the same form', @salt);

# Time: a stranger's password takes as long as a user's.
# The least disturbed of some attempts in turn; a busy machine gets more.
my @t = (9, 9);
for my $round (1 .. 30) {
	for my $i (0, 1) {
		my $b = time;
		plain($s, ('ann@example.org', 'eve@example.org')[$i], 'wrong');
		$t[$i] = time - $b if time - $b < $t[$i];
	}
	last if $round >= 5 && $t[0] < 2 * $t[1] && $t[1] < 2 * $t[0];
}
ok($t[0] < 2 * $t[1] && $t[1] < 2 * $t[0], sprintf(
    'a wrong password takes %.1f ms, a stranger %.1f ms', map { $_ * 1000 } @t));

# The password changes.
system("$tools/passwd-set", $root, 'ann', 'a new secret') == 0 or die;
ok(plain($s, 'ann@example.org', 'secret of ann') eq $wrong,
    'the old password is wrong at once, cached or not');
ok(plain($s, 'ann@example.org', 'a new secret') =~ /^ok/, 'the new one right');

# The limit: one count for all protocols and connections.
# It counts by the clock's minutes; if one ends meanwhile, once more with
# another address.
my (@delay, @said);
for my $net (1 .. 3) {
	my $minute = int(time / 60);
	@delay = map { plain($_ % 2 ? $s : dial(), 'ann@example.org', 'wrong',
	    ip => "198.51.$net.9") =~ /delay=(\d+)/ ? $1 : 'x' } 1 .. 10;
	@said = (ask($s, "allow service=imap ip=198.51.$net.9"),
	    ask($s, "allow service=imap ip=198.51.$net.10"),
	    plain($s, 'ann@example.org', 'a new secret', ip => "198.51.$net.9"));
	last if $minute == int(time / 60);
}
ok("@delay[0 .. 5]" eq '0 0 0 1000 2000 3000', 'delays grow', "@delay");
ok($said[0] eq 'allow result=no', 'over', $said[0]);
ok($said[1] eq 'allow result=yes', 'a neighbour is not', $said[1]);
ok($said[2] =~ /^no reason=limit/, 'even the right password waits', $said[2]);

# What is not well formed.
ok(ask($s, 'start mech=CRAM-MD5 service=imap ip=192.0.2.1') =~
    /^no reason=mechanism/, 'unknown mechanism');
ok(ask($s, 'start mech=PLAIN service=imap ip=192.0.2.1 ir=!') =~
    /^no reason=encoding/, 'bad base64');
ok(ask($s, 'start mech=PLAIN service=imap ip=192.0.2.1 ir=""') =~
    /^no reason=protocol/, 'an empty response is no response');
ok(ask($s, 'start mech=PLAIN service=imap ip=192.0.2.1') eq
    'continue data=""', 'no initial response');
send($s, "abort\n", 0);
ok(plain($s, 'ann@example.org', 'a new secret') =~ /^ok/, 'after abort');
for ('nonsense', 'data data=AAAA', 'start mech=PLAIN ip=x', "start\nstart",
    'x' x 20000, 'allow ip=') {
	my $t = dial();
	my $r = ask($t, $_);
	ok(defined $r && $r eq '', 'closes at: ' . substr($_, 0, 20) =~ s/\n/ /r,
	    $r);
}
# A peer that leaves in the middle of a check.
for (1 .. 20) { my $t = dial();
	send($t, 'start mech=PLAIN service=imap ip=' . fresh() . ' ir=' .
	    b64("\0ann\@example.org\0wrong") . "\n", 0); close $t }
ok(plain($s, 'ann@example.org', 'a new secret') =~ /^ok/, 'still there');

# Memory goes back.
my ($rss, $most) = (0, $bin =~ /asan/ ? 400000 : 16000);
for (1 .. 100) {
	open(my $h, '<', "/proc/$serve/status");
	($rss) = do { local $/; <$h> } =~ /VmRSS:\s+(\d+)/;
	last if $rss < $most;
	sleep 0.1;
}
ok($rss < $most, "memory of checks is given back ($rss KiB)");
ok(get('log') !~ /secret/, 'no password in the log');
ok(get('log') =~ /^login .*result=credentials .*login=eve\@example.org/m,
    'but who tried');
open(my $cage, '-|', "$bin/sasl-serve", '--cage');
ok(<$cage> =~ /secret\/auth/, '--cage');
kill 'TERM', $serve;
waitpid $serve, 0;
ok($? == 0, 'SIGTERM ends it with exit 0');
undef $serve;
print "1..$n\n";
