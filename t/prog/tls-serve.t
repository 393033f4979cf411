#!/usr/bin/perl
# tls-serve: certificates by name, facts of the session, closing in every
# order, back-pressure, tickets, reload, failures.
use strict;
use warnings;
use File::Temp qw(tempdir);
use IPC::Open3;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

my $bin = $ENV{PNEU_BIN} or die 'PNEU_BIN';
my $tools = $ENV{PNEU_TOOLS} or die 'PNEU_TOOLS';
my $root = tempdir('pneu-tls.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my ($n, @pids) = (0);

sub ok($$;@) { my ($good, $name, @why) = @_; $n++;
	print $good ? "ok" : "not ok", " $n - $name\n";
	print map { "# $_\n" } split /\n/, join "\n", @why unless $good; $good }
sub put { my ($f, $t) = @_; open my $h, '>', "$root/$f" or die "$f: $!";
	print $h $t; close $h }
sub get { my ($f) = @_; open my $h, '<', "$root/$f" or return '';
	local $/; my $t = <$h>; $t // '' }
sub until_true { my ($f) = @_; my $end = time + 10;
	while (time < $end) { my $r = $f->(); return $r if $r; sleep 0.02 } 0 }
sub start { my ($out, @cmd) = @_;
	my $pid = fork;
	if ($pid == 0) { open STDOUT, '>', "$root/$out"; open STDIN, '<', '/dev/null';
		open STDERR, '>', "$root/$out.err"; exec @cmd; exit 127 }
	push @pids, $pid; $pid }
sub stop { kill 'TERM', $_[0]; waitpid $_[0], 0; my $s = $?;
	@pids = grep { $_ != $_[0] } @pids; $s }
END { my $s = $?; kill 'KILL', @pids; waitpid $_, 0 for @pids; $? = $s }

sub cert { my ($file, $alg, @names) = @_;
	my @key = $alg eq 'rsa' ? ('rsa:2048') : ('ec', '-pkeyopt',
	    'ec_paramgen_curve:P-256');
	system('openssl', 'req', '-x509', '-newkey', @key, '-nodes', '-days',
	    '30', '-subj', "/CN=$file", '-addext', 'subjectAltName=' .
	    join(',', map { "DNS:$_" } @names), '-keyout',
	    "$root/secret/tls/$file.key.new", '-out',
	    "$root/secret/tls/$file.crt.new") == 0 or die 'openssl';
	rename "$root/secret/tls/$file.$_.new", "$root/secret/tls/$file.$_"
	    for 'key', 'crt';
}
open(my $null, '>', '/dev/null');
open(STDERR, '>&', $null) unless $ENV{V};

mkdir "$root/$_" for qw(conf secret secret/tls run run/counters cdb
    conf/domain conf/account);
put('conf/host', "host name=mx.example.org postmaster=ann\n");
put('conf/listen', "listen service=smtp ip=127.0.0.1\n" .
    "listen service=imap ip=127.0.0.1 client-cert=yes\n");
put('conf/domain/example.org', "domain name=example.org\n");
put('conf/account/ann', "account name=ann\naddress addr=ann\@example.org\n");
cert('aaa', 'ec', 'other.example.net', '*.wild.example.net');
cert('mx', 'ec', 'mx.example.org');
cert('mxrsa', 'rsa', 'mx.example.org');
system("$bin/conf-build", '-C', $root) == 0 or die 'conf-build';
my $serve = start('serve', "$bin/tls-serve", '-C', $root);
ok(until_true(sub { -S "$root/run/tls" }), 'listens', get('serve.err'));

my %port;
sub front { my ($service, $mode, @count) = @_;
	my $name = "front-$service-$mode";
	start($name, "$tools/tls-front", "$root/run/tls", $service, $mode, @count);
	until_true(sub { get($name) =~ /^port (\d+)/ && ($port{$name} = $1) });
	$name }
sub answer { my ($name) = @_;
	(grep { /^tls / } split /\n/, get($name))[-1] // '' }
sub peer { my ($input, $port, $mode, @opts) = @_;
	my $pid = open3(my $in, my $out, undef, "$tools/tls-peer", @opts, $port,
	    $mode);
	print $in $input; close $in;
	local $/; my $text = <$out>; waitpid $pid, 0;
	$text }

my $echo = front('smtp', 'echo');
my $sub = front('submission', 'echo');
my $e = $port{$echo};

# Facts.
for my $v (['1.3'], ['1.2', '-2']) {
	my ($name, @opt) = @$v;
	my $got = peer("hello\n", $e, 'text', @opt, '-s', 'mx.example.org');
	ok($got =~ /version=TLSv$name subject=(mx|mxrsa) .*\nhello\nclosed\n/,
	    "TLS $name: echo and a clean end", $got);
	my $a = answer($echo);
	my ($exp) = $got =~ /exporter=(\w+)/;
	my ($uni) = $got =~ /unique=(\w*)/;
	ok($a =~ / result=ok .*version=TLSv$name .*bits=(128|256) sni=mx.example.org resumed=no/,
	    'the facts', $a);
	ok($a =~ / exporter=$exp /, 'the same exporter value', $a, $exp);
	ok($a =~ / unique=(?:"")?$uni /, 'the same tls-unique', $a, $uni);
}

# Names.
my @names = (
	[ smtp => 'other.example.net', 'aaa' ],
	[ smtp => 'OTHER.example.net', 'aaa' ],
	[ smtp => 'x.wild.example.net', 'aaa' ],
	[ smtp => 'a.b.wild.example.net', 'mx' ],
	[ smtp => 'unknown.example.com', 'mx' ],
	[ smtp => undef, 'mx' ],
	[ submission => 'other.example.net', 'aaa' ],
	[ submission => 'localhost', 'mx' ],
	[ submission => undef, 'mx' ],
	[ submission => 'unknown.example.com', undef ],
);
for (@names) {
	my ($service, $sni, $want) = @$_;
	my $got = peer('', $port{"front-$service-echo"}, 'text',
	    defined $sni ? ('-s', $sni) : ());
	ok(scalar(defined $want ? $got =~ /subject=$want(rsa)? / :
	    $got =~ /unrecognized name/),
	    "$service, " . ($sni // 'no name') . ': ' . ($want // 'refused'),
	    $got);
}
ok(until_true(sub { answer($sub) =~ /result=fail reason=unknown-name/ }),
    'and says so', answer($sub));

# Tickets.
for ([ smtp => 'no' ], [ submission => 'yes' ]) {
	my ($service, $want) = @$_;
	my $p = $port{"front-$service-echo"};
	for my $v ([], ['-2']) {
		unlink "$root/ticket";
		peer("x\n", $p, 'text', '-t', "$root/ticket", @$v);
		my $got = peer("x\n", $p, 'text', '-t', "$root/ticket", @$v);
		ok($got =~ /resumed=$want/, "$service: resumed=$want @$v", $got);
	}
}

# Client certificates.
my $got;
my $imap = front('imap', 'echo');
my $i = $port{$imap};
sub tool { my ($cmd) = @_; my $t = `cd '$root' && $cmd`;
	$? == 0 or die "$cmd: $?"; $t }
sub client { my ($file, @opt) = @_;
	tool("openssl req -x509 -newkey @opt -nodes -days 30 -subj /CN=$file " .
	    "-keyout $file.key -out $file.crt");
	put("$file.pem", get("$file.crt") . get("$file.key")) }
sub fingerprint { my ($file) = @_;
	my $t = tool("openssl x509 -in $file.crt -noout -pubkey | " .
	    "openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | " .
	    "openssl base64 -A");
	$t =~ tr{+/=}{-_}d; $t }
sub presented { answer($imap) =~ / client-cert=(\S*)/ ? $1 : answer($imap) }
client('ec', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
client('rsa', 'rsa:2048');
client('ed', 'ed25519');
tool('openssl x509 -in ec.crt -signkey ec.key -days -1 -out expired.crt');
put('expired.pem', get('expired.crt') . get('ec.key'));
put('ten.pem', get('ec.crt') . get('rsa.crt') x 9 . get('ec.key'));
put('eleven.pem', get('ec.crt') . get('rsa.crt') x 10 . get('ec.key'));
client('large', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-addext',
    'subjectAltName=' . join ',', map { "DNS:" . 'x' x 60 . $_ } 1 .. 600);
for my $v ([ '1.3' ], [ '1.2', '-2' ]) {
	my ($name, @opt) = @$v;
	$got = peer("x\n", $e, 'text', '-c', "$root/ec.pem", @opt);
	ok($got =~ /asked=no/ && answer($echo) =~ / client-cert=""/,
	    "TLS $name: who is not asked has none", $got, answer($echo));
	$got = peer("x\n", $i, 'text', @opt);
	ok($got =~ /asked=yes .*\nx\nclosed/ && presented() eq '""',
	    "TLS $name: asked, and goes on without", $got, presented());
	for (qw(ec rsa ed expired ten)) {
		my $want = fingerprint(/^e[cd]|rsa/ ? $_ eq 'expired' ? 'ec' : $_ :
		    'ec');
		$got = peer("x\n", $i, 'text', '-c', "$root/$_.pem", @opt);
		ok($got =~ /\nx\nclosed/ && presented() eq $want,
		    "TLS $name: $_: its key", $got, presented(), $want);
	}
	unlink "$root/ticket";
	for ('no', 'yes', 'yes') {
		$got = peer("x\n", $i, 'text', '-t', "$root/ticket", @opt,
		    $_ eq 'no' ? ('-c', "$root/ec.pem") : ());
		ok($got =~ /resumed=$_/ && presented() eq fingerprint('ec'),
		    "TLS $name: resumed=$_: the same key", $got, presented());
	}
	for (qw(eleven large)) {
		peer('', $i, 'text'); # another answer comes after this one
		$got = peer('', $i, 'still', '-c', "$root/$_.pem", @opt);
		ok($got =~ /^fail|broken/ && until_true(sub {
		    answer($imap) =~ /result=fail reason=client-cert$/ }),
		    "TLS $name: $_ certificates are too many", $got,
		    answer($imap));
	}
}
sub s_client { my ($port, @opt) = @_;
	tool("printf 'x\\n' | openssl s_client -connect 127.0.0.1:$port @opt " .
	    '-msg 2>&1 || :') }
ok(s_client($i) =~ /CertificateRequest/, 'openssl is asked');
ok(s_client($e) !~ /CertificateRequest/, 'where it says no, it is not');
tool("curl -s -k -m 5 --cert rsa.pem imaps://127.0.0.1:$i/ || :");
ok(presented() eq fingerprint('rsa'), 'curl', presented());

# A client of TLS 1.2 whose certificate is no certificate.
sub hello { my $body = pack('n', 0x303) . 'r' x 32 . pack('C', 0) .
	    pack('nn2', 4, 0xc02b, 0xc02f) . pack('CC', 1, 0);
	my $ext = join '', map { pack('nn/a', $$_[0], $$_[1]) }
	    [ 10, pack('nn', 2, 23) ], [ 11, pack('CC', 1, 0) ],
	    [ 13, pack('nn3', 6, 0x403, 0x401, 0x804) ];
	$body .= pack('n/a', $ext);
	record(1, $body) }
sub record { my ($type, $body) = @_;
	my $m = pack('CCn', $type, length($body) >> 16, length($body) & 65535) .
	    $body;
	pack('Cnn/a', 22, 0x303, $m) }
for ([ 'nonsense', record(11, pack('Cn', 0, 8) . pack('Cn', 0, 5) . 'horse') ],
    [ 'a wrong length', record(11, pack('Cn', 0, 8) . pack('Cn', 1, 5) .
      'horse') ],
    [ 'megabytes', pack('CnnCCn', 22, 0x303, 4, 11, 0x7f, 0) ]) {
	my ($name, $bytes) = @$_;
	my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$i") or die;
	my $before = () = get($imap) =~ /^tls /mg;
	my $flight = '';
	print $s hello();
	$s->flush;
	until_true(sub { sysread($s, $flight, 65536, length $flight);
	    $flight =~ /\x0e\0\0\0/ }); # ServerHelloDone
	print $s $bytes;
	$s->flush;
	until_true(sub { (() = get($imap) =~ /^tls /mg) > $before });
	ok(answer($imap) =~ /result=fail reason=client-cert$/,
	    "$name instead of a certificate", answer($imap));
}

# Both ends, every order of closing.
my $count = front('imap', 'count');
my $big = 'x' x (3 << 20);
$got = peer($big, $port{$count}, 'text');
ok($got =~ /got 3145728\nclosed/, 'the peer ends first and hears the reply',
    $got);
my $bye = front('imaps', 'bye');
$got = peer("unread\n", $port{$bye}, 'still');
ok($got =~ /bye\r\nclosed/, 'a last word is heard although input is unread',
    $got);
peer($big, $port{$count}, 'cut');
ok(until_true(sub { open my $h, '-|', 'ls', "/proc/$serve/fd"; my @l = <$h>;
    @l < 30 }), 'nothing is left of a connection that was cut');

# Back-pressure: the far side does not read; memory stays small.
my $flood = front('submissions', 'flood', 64);
my $pid = open3(my $in, my $out, undef, "$tools/tls-peer", $port{$flood}, 'slow');
my $line = <$out>;
sleep 0.3;
my ($rss) = do { open my $h, '<', "/proc/$serve/status"; local $/; <$h> } =~
    /VmRSS:\s+(\d+)/;
my $cpu = sub { open my $h, '<', "/proc/$serve/stat"; my @f = split ' ', <$h>;
	$f[13] + $f[14] };
my $before = $cpu->();
sleep 0.5;
ok($cpu->() - $before <= 3, 'waits without spinning');
# A sanitizer keeps freed memory for a while.
ok($rss < ($tools =~ /asan/ ? 400000 : 40000), "memory stays small ($rss KiB)");
close $in;
{ local $/; $got = <$out>; }
waitpid $pid, 0;
ok($got eq "closed\n" . (64 << 20) . "\n", 'and then takes all of it', $got);

# A peer that resets while it is sent much.
for (1 .. 3) {
	$pid = open3($in, $out, undef, "$tools/tls-peer", $port{$flood}, 'slow');
	$line = <$out>;
	kill 'KILL', $pid;
	waitpid $pid, 0;
}
ok(peer("x\n", $e, 'text') =~ /\nx\nclosed/, 'a peer that is gone');

# Failures.
sub raw { my ($bytes) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$e") or die;
	my $before = () = get($echo) =~ /^tls /mg;
	print $s $bytes; $s->shutdown(1);
	until_true(sub { (() = get($echo) =~ /^tls /mg) > $before });
	answer($echo) =~ /reason=(\S+)/ ? $1 : answer($echo) }
for ([ 'nothing', '', 'eof' ], [ 'a command', "EHLO there\r\n", 'not-tls' ],
    [ 'HTTP', "GET / HTTP/1.0\r\n\r\n", 'not-tls' ],
    [ 'half a hello', "\x16\x03\x01\x02\x00\x01", 'eof' ],
    [ 'TLS 1.0', pack('H*', '160301002f0100002b0301' . '00' x 32 .
      '000004002f00ff0100'), 'version' ]) {
	my ($name, $bytes, $want) = @$_;
	my $reason = raw($bytes);
	ok($reason eq $want, "$name: $want", $reason);
}

# Reload.
cert('aaa', 'ec', 'new.example.net');
ok(until_true(sub { sleep 0.2; peer('', $e, 'text', '-s', 'new.example.net') =~
    /subject=aaa / }), 'a changed certificate is taken');
put('secret/tls/mx.key', 'nonsense');
sleep 1.1;
ok(peer('', $e, 'text', '-s', 'mx.example.org') =~ /subject=mx/,
    'with a damaged key the old pairs stay');
ok(get('serve.err') =~ /not usable/, 'and the log says so', get('serve.err'));

# Idle sessions cost little.
my $hold = front('imaps', 'hold');
sub pss { open my $h, '<', "/proc/$serve/smaps_rollup" or return 0; local $/;
	<$h> =~ /^Pss:\s+(\d+)/m ? $1 : 0 }
my $none = pss();
my $sessions = 200;
$pid = open3($in, $out, undef, "$tools/tls-peer", '-n', $sessions,
    $port{$hold}, 'idle');
$line = <$out>;
my $each = (pss() - $none) / $sessions;
# A sanitizer's shadow makes the figure meaningless.
my $limit = -e "$tools/../asan" || $tools =~ /asan/ ? 4000 : 40;
ok($line eq "idle $sessions\n" && $each < $limit,
    sprintf('an idle session takes %.1f KiB', $each));
close $in;
waitpid $pid, 0;

# The cage and the end.
open(my $cage, '-|', "$bin/tls-serve", '--cage');
ok(<$cage> =~ /secret\/tls/, '--cage');
ok(stop($serve) == 0, 'SIGTERM ends it with exit 0');
print "1..$n\n";
