# Signatures for tests, of any shape: canonical forms of its own, openssl(1) as
# the signer. What a program under test makes of them is compared with what
# was meant here.
package Dkim;
use strict;
use warnings;
use Digest::SHA qw(sha256 sha1);
use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64);

my $dir = tempdir('pneu-keys.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $keys = 0;

sub slurp { open my $h, '<:raw', $_[0] or die "$_[0]: $!"; local $/; scalar(<$h>) // '' }
sub spew { open my $h, '>:raw', $_[0] or die "$_[0]: $!"; print $h $_[1] }
sub der { # public key, DER
	my ($pem, @how) = @_;
	system("openssl pkey -in $pem -pubout -outform DER -out $dir/der 2>/dev/null") == 0
	    or die 'openssl pkey';
	slurp("$dir/der") }

# key('rsa', 2048) or key('ed25519'): pem, record, bare (PKCS#1 in the record).
sub key {
	my ($type, $bits) = @_;
	my $pem = "$dir/" . $keys++ . '.pem';
	system('openssl genpkey ' . ($type eq 'rsa' ? "-algorithm RSA " .
	    "-pkeyopt rsa_keygen_bits:$bits" : '-algorithm ED25519') .
	    " -out $pem 2>/dev/null") == 0 or die 'openssl genpkey';
	my $der = der($pem);
	$der = substr $der, -32 if $type ne 'rsa';
	my $p = encode_base64($der, '');
	my %k = (type => $type, pem => $pem, p => $p,
	    record => "v=DKIM1; k=$type; p=$p");
	if ($type eq 'rsa') {
		system("openssl rsa -in $pem -RSAPublicKey_out -outform DER -out $dir/der 2>/dev/null");
		$k{bare} = "v=DKIM1; k=rsa; p=" . encode_base64(slurp("$dir/der"), '');
	}
	return \%k }

# A key whose PEM is given, or 32 octets of Ed25519.
sub key_of {
	my ($type, $text) = @_;
	my $pem = "$dir/" . $keys++ . '.pem';
	$text = "-----BEGIN PRIVATE KEY-----\n" . encode_base64(
	    pack('H*', '302e020100300506032b657004220420') . $text) .
	    "-----END PRIVATE KEY-----\n" if length $text == 32;
	spew($pem, $text);
	{ type => $type, pem => $pem } }

# A name server: names to lists of TXT records, or to what dnsfake shall do. It
# is another one each time; its address.
my $server;
sub zone {
	my (%zone) = @_;
	stop();
	spew("$dir/zone", join '', map { my $k = $_; ref $zone{$k} ?
	    map(ref $_ ? "$$_\n" : "rr name=$k type=TXT value=\"$_\"\n", @{ $zone{$k} }) :
	    "act name=$k type=TXT do=$zone{$k}\n" } sort keys %zone);
	unlink "$dir/port";
	$server = fork // die "fork: $!";
	if ($server == 0) {
		open STDOUT, '>', "$dir/port";
		exec "$ENV{PNEU_TOOLS}/dnsfake", '-l', "$dir/asked", "$dir/zone";
		exit 127 }
	my $end = time + 20;
	my $port;
	until (-e "$dir/port" && (($port) = slurp("$dir/port") =~ /^port (\d+)/)) {
		die 'no dnsfake' if time > $end;
		select undef, undef, undef, 0.01 }
	"127.0.0.1:$port" }
sub asked { -e "$dir/asked" ? split /\n/, slurp("$dir/asked") : () }
sub stop { return if !$server; kill 'KILL', $server; waitpid $server, 0; undef $server;
	unlink "$dir/asked" }
END { my $s = $?; stop(); $? = $s }

# A program: standard output, standard error, exit code.
sub run {
	my ($in, @cmd) = @_;
	spew("$dir/in", $in);
	system('sh', '-c', 'o=$1; shift; exec "$@" <"$o/in" >"$o/out" 2>"$o/err"',
	    'sh', $dir, @cmd);
	(slurp("$dir/out"), slurp("$dir/err"), $? & 127 ? -($? & 127) : $? >> 8) }

# dkim-verify: the lines that people see; the same in each face, also from the
# case without the message: else '' and why. now: when the message came.
sub verify {
	my ($msg, $at, $now, @opts) = @_;
	my $bin = "$ENV{PNEU_BIN}/dkim-verify";
	$now //= time;
	my $job = "job id=abcdefghijklmnop size=" . length($msg) . " time=$now\n\n";
	my ($out, $err, $code) = run($job . $msg, $bin, '-s', $at, @opts);
	return ('', "exit $code: $err") if $code != 0;
	my ($env) = $out =~ /\A(.*?\n)\n/s;
	return ('', 'message changed') if substr($out, length($env) + 1) ne $msg;
	my $lines = join '', $env =~ /^(dkim .*\n)/mg;
	my ($again, $why, $other) = run($env, $bin, '-R', @opts);
	return ('', "from the case:\n${again}not\n$lines$why") if $again ne $lines;
	my $pass = $lines =~ /^dkim result=pass/m ? 0 : 1;
	return ('', "exit $other") if $other != $pass;
	($lines, $env, $pass) }

sub relax { my ($t) = @_; $t =~ s/\r\n(?=[ \t])//g; $t =~ s/[ \t]+/ /g; $t }
sub canon_field { my ($how, $f) = @_;
	return $f if $how eq 'simple';
	my ($n, $v) = $f =~ /\A([^:]*):(.*)\z/s;
	$v =~ s/\r\n\z//; $n =~ s/[ \t]+\z//;
	$v = relax($v); $v =~ s/\A +| +\z//g;
	lc($n) . ":$v" . ($f =~ /\r\n\z/ ? "\r\n" : '') }
sub canon_body { my ($how, $b) = @_;
	if ($how eq 'relaxed') { $b =~ s/[ \t]+/ /g; $b =~ s/ (?=\r\n|\z)//g }
	$b .= "\r\n" if length $b && $b !~ /\r\n\z/;
	my $n = length $b;
	$n -= 2 while $n >= 2 && substr($b, $n - 2, 2) eq "\r\n";
	$b = substr($b, 0, $n) . ($n ? "\r\n" : '');
	$b = "\r\n" if $how eq 'simple' && $b eq '';
	$b }

# The field, with CRLF, for a message with CRLF. c, d, s, h; l, bh, hash; tags:
# text put before b=.
sub field {
	my ($msg, $key, %o) = @_;
	my ($head, $body) = $msg =~ /\A(.*?\r\n)(?:\r\n(.*))?\z/s;
	my @fields = $head =~ /(.*\r\n(?:[ \t].*\r\n)*)/g;
	my ($ch, $cb) = split m{/}, $o{c} // 'relaxed/relaxed';
	my $canon = canon_body($cb, $body // '');
	$o{l} = length $canon if ($o{l} // '') eq 'all';
	my $part = defined $o{l} && $o{l} =~ /^\d{1,9}$/ ? substr($canon, 0, $o{l}) : $canon;
	my $alg = $o{a} // ($key->{type} . '-sha256');
	my $sha = $alg =~ /sha1$/ ? \&sha1 : \&sha256;
	my $bh = $o{bh} // encode_base64($sha->($part), '');
	my $names = $o{h} // 'from:to:subject:date:message-id';
	my $sig = $o{field} // 'DKIM-Signature: v=1; a=' . $alg . "; c=$ch/$cb;" .
	    ' d=' . ($o{d} // 'example.org') . '; s=' . ($o{s} // 'k') . ';' .
	    (defined $o{l} ? " l=$o{l};" : '') . ($o{tags} // '') .
	    "\r\n\th=$names;\r\n\tbh=$bh;\r\n\tb=";
	my $text = '';
	my @left = @fields;
	for my $name (split /\s*:\s*/, $o{hashed} // $names) {
		for my $i (reverse 0 .. $#left) {
			next unless defined $left[$i] && $left[$i] =~ /^\Q$name\E[ \t]*:/i;
			$text .= canon_field($ch, $left[$i]);
			undef $left[$i];
			last } }
	$text .= canon_field($ch, $sig);
	spew("$dir/hash", $key->{type} eq 'rsa' ? $text : sha256($text));
	system($key->{type} eq 'rsa' ?
	    "openssl dgst -" . ($alg =~ /sha1$/ ? 'sha1' : 'sha256') .
	    " -sign $key->{pem} -out $dir/sig $dir/hash" :
	    "openssl pkeyutl -sign -rawin -inkey $key->{pem} -in $dir/hash -out $dir/sig")
	    == 0 or die 'openssl';
	my $b = encode_base64(slurp("$dir/sig"), "\r\n\t ");
	$b =~ s/\s+\z//;
	"$sig$b\r\n" }

# The message with the field in front.
sub sign { my ($msg, @o) = @_; field($msg, @o) . $msg }
1;
