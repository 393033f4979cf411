#!/usr/bin/perl
# smtp-serve with the real tls-serve and sasl-serve: STARTTLS, TLS from the
# start, logins, what a user may send.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 sha256);
use FindBin;
use lib "$FindBin::Bin/..";
use MIME::Base64;
use Smtp;
use Test::More;

my $i = Smtp->instance;
my ($smtp, $sub, $subs) = map { Smtp::free_port() } 1 .. 3;
Smtp::spew("$i->{root}/conf/listen", <<"END");
listen service=smtp ip=127.0.0.1 port=$smtp
listen service=submission ip=127.0.0.1 port=$sub
listen service=submissions ip=127.0.0.1 port=$subs
END
$i->build;
$i->services;
$i->pipeline($_) for 'inbound', 'outbound';
$i->start('run/counters/smtp-listen', "$ENV{PNEU_BIN}/smtp-listen", '-C', $i->{root});
for (1 .. 200) {
	my $c = $i->tcp($subs);
	last if $c;
	select undef, undef, undef, 0.05;
}
sub b64 { encode_base64($_[0], '') }
# The list of EHLO inside TLS, after what s_client said.
sub hello {
	my ($c) = @_;
	$c->say("EHLO mx.example.net\r\n");
	my $r;
	do { $r = $c->reply } while defined $r && $r !~ /LIMITS/;
	return $r // '';
}

# Port 25.
my $c = $i->tls($smtp, '-starttls', 'smtp');
my $list = hello($c);
unlike($list, qr/STARTTLS|AUTH/, 'no second STARTTLS, no AUTH');
$c->talk("STARTTLS\r\n", '503 5.5.1', "AUTH PLAIN\r\n", '503 5.5.1',
    "MAIL FROM:<x\@example.net> SMTPUTF8\r\n", '250',
    "RCPT TO:<bob\@example.org>\r\n", '250', "DATA\r\n", '354',
    "a: b\r\n\r\n.\r\n", '250');
my ($job) = $i->jobs;
like($job->[0], qr/ service=smtp proto=UTF8SMTPS conn=\S+ tls=TLSv1.3 cipher=TLS_\S+ sni=mx.example.org$/m,
    'the envelope tells of TLS');
$c->talk("QUIT\r\n", '221', undef, 'closed');

# Nothing said before TLS lives on.
$c = $i->tcp($smtp);
$c->talk(undef, '220', "EHLO x\r\n", '250', "STARTTLS\r\nNOOP\r\n", '501 5.5.2',
    undef, 'closed');
$c = $i->tcp($smtp);
$c->talk(undef, '220', "EHLO x\r\n", '250', "MAIL FROM:<>\r\n", '250',
    "STARTTLS\r\n", '220 2.0.0', "RCPT TO:<bob\@example.org>\r\n", 'closed');

# Submission.
$c = $i->tls($sub, '-starttls', 'smtp');
$list = hello($c);
like($list, qr/^250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN\r$/m,
    'AUTH mechanisms');
my $good = b64("\0bob\@example.org\0secret of bob");
$c->talk("MAIL FROM:<bob\@example.org>\r\n", '530 5.7.0',
    "AUTH PLAIN " . b64("\0bob\@example.org\0wrong") . "\r\n", '535 5.7.8',
    "AUTH PLAIN !!!\r\n", '501 5.5.2',
    "AUTH PLAIN " . b64("a\0b") . "\r\n", '501 5.5.4',
    "AUTH PLAIN " . b64("a\0b\0c\0d") . "\r\n", '501 5.5.4');
$c->end;
$c = $i->tls($sub, '-starttls', 'smtp');
hello($c);
$c->talk("AUTH PLAIN\r\n", '334 ', "*\r\n", '501 5.5.0',
    "AUTH LOGIN\r\n", '334 VXNlcm5hbWU6', b64("bob\@example.org") . "\r\n",
    '334 UGFzc3dvcmQ6', "*\r\n", '501 5.5.0',
    "AUTH CRAM-MD5\r\n", '504 5.5.4',
    "AUTH SCRAM-SHA-256 " . b64('x') . "\r\n", '334', "\r\n", '455 4.7.0');
$c->talk("AUTH PLAIN\r\n", '334 ', "$good\r\n", '235 2.7.0',
    "AUTH PLAIN $good\r\n", '503 5.5.1',
    "MAIL FROM:<ann\@example.org>\r\n", '550 5.7.1',
    "MAIL FROM:<x\@else.example>\r\n", '550 5.7.1',
    "MAIL FROM:<bob\@[127.0.0.1]>\r\n", '550 5.7.1',
    "MAIL FROM:<bob\@off.example>\r\n", '451 4.3.0',
    "MAIL FROM:<postmaster\@example.org>\r\n", '550 5.7.1',
    "RCPT TO:<x\@else.example>\r\n", '503 5.5.1',
    "MAIL FROM:<>\r\n", '250 2.1.0', "RSET\r\n", '250',
    "MAIL FROM:<bob+tag\@example.org>\r\n", '250 2.1.0',
    "AUTH PLAIN $good\r\n", '503 5.5.1',
    "RCPT TO:<x\@else.example>\r\n", '250 2.1.0',
    "RCPT TO:<X\@else.example>\r\n", '250 2.1.0',
    "RCPT TO:<x\@[192.0.2.1]>\r\n", '250 2.1.0',
    "RCPT TO:<ann\@example.org>\r\n", '250 2.1.0',
    "RCPT TO:<all\@example.org>\r\n", '250 2.1.0',
    "RCPT TO:<nobody\@example.org>\r\n", '550 5.1.1',
    "DATA\r\n", '354', "From: bob\@example.org\r\n\r\nx\r\n.\r\n", '250');
($job) = $i->jobs;
like($job->[0], qr/ proto=ESMTPSA .*\nauth account=bob login=bob\@example.org mech=PLAIN\nfrom addr=bob\+tag\@example.org\n/,
    'auth record');
is_deeply([$job->[0] =~ /^(rcpt .*)$/mg], [map { "rcpt addr=$_" }
    'x@else.example', 'X@else.example', 'x@[192.0.2.1]', 'ann@example.org',
    'all@example.org'], 'recipients for the queue');
$c->end;

# SCRAM, on the port with TLS from the start.
$c = $i->tls($subs);
$c->talk(undef, '220');
hello($c);
my $bare = 'n=bob@example.org,r=rOprNGfwEbeRWgbN';
$c->say('AUTH SCRAM-SHA-256 ' . b64("n,,$bare") . "\r\n");
my ($data) = $c->reply =~ /^334 (\S+)/;
my $first = decode_base64($data // '');
my ($nonce, $salt, $n) = $first =~ /^r=(.*),s=(.*),i=(\d+)$/;
ok(defined $n, 'server-first') or diag $first;
my $u = my $h = hmac_sha256(decode_base64($salt) . pack('N', 1), 'secret of bob');
for (2 .. $n) { $u = hmac_sha256($u, 'secret of bob'); $h ^= $u }
my $key = hmac_sha256('Client Key', $h);
my $am = "$bare,$first,c=biws,r=$nonce";
my $proof = b64($key ^ hmac_sha256($am, sha256($key)));
$c->talk(b64("c=biws,r=$nonce,p=$proof") . "\r\n",
    '334 ' . b64('v=' . b64(hmac_sha256($am, hmac_sha256('Server Key', $h)))),
    "\r\n", '235 2.7.0');

# A line of 12288 bytes is taken, more is not.
$c->end;
$c = $i->tls($subs);
hello($c);
$c->talk('AUTH PLAIN ' . ('A' x 12000) . "\r\n", '501 5.5.2');
$c->talk("AUTH PLAIN\r\n", '334 ', ('A' x 20000) . "\r\n", '500 5.5.0', undef,
    'closed');

# Without the services.
$i->stop($i->{sasl});
$c = $i->tls($subs);
hello($c);
$c->talk("AUTH PLAIN $good\r\n", '454 4.7.0', "NOOP\r\n", '250');
$c->end;
$i->stop($i->{tls});
$c = $i->tcp($smtp);
$c->talk(undef, '220', "EHLO x\r\n", '250', "STARTTLS\r\n", '454 4.7.0',
    "NOOP\r\n", '250');
$c = $i->tcp($subs);
$c->talk(undef, 'closed');
my $log = Smtp::slurp("$i->{root}/log");
unlike($log, qr/secret of|$good/, 'no password in the log');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer report');
done_testing();
