#!/usr/bin/perl
# What strangers try on an SMTP server: framing, state, parameters, addresses,
# floods. Each case says what must hold.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Smtp;
use Test::More;
use Time::HiRes qw(time);

my $i = Smtp->instance('max-message-size=2m max-recipients=5');
$i->pipeline('inbound');
my $bob = "RCPT TO:<bob\@example.org>\r\n";
my $from = "MAIL FROM:<x\@example.net>\r\n";

sub hello {
	my $c = $i->session('smtp', TCPREMOTEIP => '192.0.2.7');
	$c->reply;
	$c->say("EHLO x\r\n");
	$c->reply;
	return $c;
}
sub replies { my ($c, $n) = @_; return map { $c->reply // 'closed' } 1 .. $n }

# Fake ends of data, each with a second transaction behind it.
my ($vectors) = grep { defined && -e $_ } map { "$_/smtp/smuggling-end-of-data.tsv" }
    grep { defined } $ENV{PNEU_VECTORS}, '../shared/vectors', '../../shared/vectors';
my @ends = (['lf.lf', '\n.\n'], ['crlf.lf', '\r\n.\n'], ['lf.crlf', '\n.\r\n'],
    ['cr.cr', '\r.\r'], ['crlf.crcrlf', '\r\n.\r\r\n']);
if ($vectors) {
	open my $fh, '<', $vectors or die;
	push @ends, map { chomp; [split /\t/] } grep { !/^#/ } <$fh>;
}
my $inner = "MAIL FROM:<evil\@example.net>\r\n${bob}DATA\r\nSubject: smuggled\r\n\r\n";
for (@ends) {
	my ($name, $bytes) = @$_;
	my $end = $bytes =~ s/\\x([0-9a-f]{2})|\\(.)/defined $1 ? chr hex $1 : $2 eq 'r' ? "\r" : "\n"/ger;
	my $c = hello();
	$c->say("$from${bob}DATA\r\n");
	my @r = replies($c, 3);
	$c->say("Subject: outer\r\n\r\nhello$end$inner\r\n.\r\nNOOP\r\n");
	@r = replies($c, 2);
	my @jobs = $i->jobs;
	my $nul = $name =~ /nul/; # is data, and does not end it either
	ok($r[0] =~ ($nul ? qr/^250 / : qr/^500 5\.5\.2/) &&
	    $r[1] =~ /^250 2\.0\.0/ && @jobs == ($nul ? 1 : 0),
	    "end of data $name") or diag(@r, scalar @jobs);
	$c->end;
}

# State after failure: nothing of a refused command lives on.
for my $bad ("MAIL FROM:<x\@example.net> FOO=1\r\n", "MAIL FROM:<x>\r\n", $from) {
	my $c = hello();
	$c->say($from);
	$c->reply;
	$c->say($bad);
	$c->reply;
	$c->talk($bob, '503 5.5.1', "DATA\r\n", '503 5.5.1');
	$c->end;
}
my $c = hello();
$c->talk($from, '250', "RCPT TO:<nobody\@example.org>\r\n", '550',
    "DATA\r\n", '503 5.5.1', "VRFY \xc3\xa9\r\n", '252', $bob, '250',
    "EHLO x\r\n", '250', "DATA\r\n", '503 5.5.1');
$c->end;

# A random walk against a model.
srand 20261121;
for my $walk (1 .. 40) {
	my ($mail, $rcpts, $helo) = (0, 0, 0);
	my $c = $i->session('smtp');
	$c->reply;
	my ($say, $want) = ('', '');
	for (1 .. 30) {
		my $verb = (qw(EHLO MAIL RCPT NONE DATA RSET NOOP VRFY))[rand 8];
		if ($verb eq 'EHLO') {
			($helo, $mail, $rcpts) = (1, 0, 0);
			$say .= "HELO x\r\n"; $want .= '250 ';
		} elsif ($verb eq 'MAIL') {
			$say .= $from;
			my $good = $helo && !$mail;
			$want .= $good ? '250 ' : '503 ';
			($mail, $rcpts) = ($good, 0) if $helo;
		} elsif ($verb eq 'RCPT' || $verb eq 'NONE') {
			$say .= $verb eq 'RCPT' ? $bob : "RCPT TO:<no\@example.org>\r\n";
			$want .= !$helo || !$mail ? '503 ' : $verb eq 'RCPT' ? '250 ' : '550 ';
			$rcpts++ if $mail && $verb eq 'RCPT';
		} elsif ($verb eq 'DATA') {
			$say .= "DATA\r\n";
			$want .= $rcpts ? '354 250 ' : '503 ';
			$say .= "x\r\n.\r\n" if $rcpts;
			($mail, $rcpts) = (0, 0) if $rcpts;
		} elsif ($verb eq 'RSET') {
			$say .= "RSET\r\n"; $want .= '250 ';
			($mail, $rcpts) = (0, 0);
		} else {
			$say .= "$verb x\r\n"; $want .= $verb eq 'NOOP' ? '250 ' : '252 ';
		}
	}
	# All at once, or in pieces of any size: the same replies.
	my $got = '';
	if ($walk % 2) {
		$c->say($say);
	} else {
		my $rest = $say;
		while (length $rest) {
			$c->say(substr $rest, 0, 1 + int rand 9, '');
			select undef, undef, undef, 0.0002;
		}
	}
	$got .= substr($_, 0, 3) . ' ' for replies($c, scalar split ' ', $want);
	is($got, $want, "walk $walk") or diag($say);
	$c->end;
}
$i->jobs;

# Endless lines: constant memory, a reply, the end.
sub peak { my ($c) = @_;
	return (Smtp::slurp("/proc/$c->{pid}/status") // '') =~ /^VmHWM:\s*(\d+)/m ? $1 : 0 }
$c = hello();
$c->talk('NOOP ' . ('x' x 5000), '500 5.5.0', undef, 'closed');
$c = hello();
$c->talk('NOOP ' . ('x' x 2040) . "\r\n", '250', 'NOOP ' . ('x' x 2043) . "\r\n", '500 5.5.0',
    undef, 'closed');
$c = hello();
my $before = peak($c);
$c->say("$from${bob}DATA\r\n");
replies($c, 3);
$c->say('x' x 1000000) for 1 .. 20;
$c->talk("\r\n.\r\n", '552 5.2.3', "NOOP\r\n", '250');
my $after = peak($c);
cmp_ok($after - $before, '<', 6000, 'a line of 20 MB does not stay in memory')
    unless $ENV{PNEU_BIN} =~ /asan/;
$c->end;

# Other protocols: one short reply without an echo, then the end.
for (["GET /secret HTTP/1.1\r\nHost: x\r\n\r\n", 'HTTP'],
    ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\x00\n", 'TLS'],
    ["POST / HTTP/1.1\r\nContent-Length: 90\r\n\r\nMAIL FROM:<x\@y>\r\n", 'cross-protocol']) {
	$c = $i->session('smtp');
	$c->reply;
	$c->say($_->[0]);
	my $r = $c->reply;
	ok($r =~ /^500 5\.5\.2/ && $r !~ /secret|GET|POST/ && $c->closed, $_->[1]);
}

# Addresses are data: refused, or in the envelope as one record each.
my @addresses = ('""@x.example', '"a\"b"@x.example', '"a b"@x.example', 'a%b@x.example',
    'a!b@x.example', '|/bin/sh@x.example', '$(id)@x.example', '-oX@x.example',
    '../x@x.example', '"a\\\\"@x.example', "a\@b\x00c.example", "\"a\rb\"\@x.example",
    "\"a\x1bb\"\@x.example", "\xff\@x.example", ('a' x 129) . '@x.example',
    ('a' x 64) . '@x.example', 'a@' . ('b' x 64) . '.example', 'a@b..example', 'a@.example',
    'a@[IPv6:2001:db8::1]', 'a@[1.2.3.4', '@r1.example,@r2.example:u@d.example', '@r1.example:',
    'a@b@c.example', '"a', 'a@b.example addr=evil', "a\@xn--a.example");
for my $a (@addresses) {
	$c = hello();
	$c->say("MAIL FROM:<$a>\r\n");
	my $r = $c->reply;
	my $shown = $a =~ s/[^ -~]/?/gr;
	$shown = substr $shown, 0, 40;
	if ($r !~ /^250/) {
		like($r, qr/^(501 5\.5\.2|550 5\.(6\.7|7\.0))/, "refused: $shown");
	} else {
		$c->talk($bob, '250', "DATA\r\n", '354', ".\r\n", '250');
		my ($job) = $i->jobs;
		my @types = $job->[0] =~ /^(\S+)/mg;
		is("@types[0..3]", 'job client from rcpt', "one record: $shown")
		    or diag $job->[0];
	}
	$c->end;
}

# Floods.
$c = hello();
$c->say($from);
$c->reply;
$c->talk(map { ("RCPT TO:<bob+$_\@example.org>\r\n", $_ <= 5 ? '250' : '452 4.5.3') } 1 .. 6);
$c->end;
$c = hello();
$c->say("NOOP\r\n" x 3010);
my $r;
1 while defined($r = $c->reply) && $r =~ /^250/;
like($r, qr/^421 4\.7\.0/, 'too many commands');
ok($c->closed, 'closed');
$c = hello();
$c->say("XYZZY\r\n" x 60);
1 while defined($r = $c->reply) && $r =~ /^500/;
like($r, qr/^421 4\.7\.0/, 'too many errors');
$c = hello();
$c->say($from . "RCPT TO:<no\@example.org>\r\n" x 11);
my $start = time;
replies($c, 12);
cmp_ok(time - $start, '>', 0.9, 'guessing addresses becomes slow');
$c->end;

# A client that leaves in the middle leaves nothing.
$i->jobs;
$c = hello();
$c->say("$from${bob}DATA\r\n");
replies($c, 3);
$c->say("Subject: half\r\n\r\nhalf\r\n.\r");
is($c->end, 0, 'a connection that breaks off');
is_deeply([$i->jobs], [], 'stores nothing');
unlike(Smtp::slurp("$i->{root}/log"), qr/Sanitizer|runtime error/, 'no sanitizer report');
done_testing();
