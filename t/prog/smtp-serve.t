#!/usr/bin/perl
# smtp-serve: every command and its errors, as bytes in and out.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Smtp;
use Test::More;

my $i = Smtp->instance('max-message-size=3m');
$i->pipeline('inbound');

my %env = (TCPREMOTEIP => '192.0.2.7', TCPREMOTEPORT => 4711,
    TCPLOCALIP => '2001:DB8::25');

sub session { my $c = $i->session(shift // 'smtp', %env); $c->talk(undef, '220 mx.example.org ESMTP'); return $c }

# EHLO and what needs it
my $c = session();
$c->talk("MAIL FROM:<a\@b.example>\r\n", '503 5.5.1',
    "RCPT TO:<a\@b.example>\r\n", '503 5.5.1',
    "DATA\r\n", '503 5.5.1',
    "STARTTLS\r\n", '503 5.5.1',
    "NOOP\r\n", '250 2.0.0', "NOOP xyz\r\n", '250 2.0.0',
    "RSET\r\n", '250 2.0.0', "HELP\r\n", '214 2.0.0',
    "VRFY bob\r\n", '252 2.7.0', "EXPN all\r\n", '252 2.7.0',
    "VRFY\r\n", '501 5.5.2', "RSET x\r\n", '501 5.5.2',
    "DATA x\r\n", '503 5.5.1',
    "WHAT\r\n", '500 5.5.1', "\r\n", '500 5.5.1',
    "EHLO\r\n", '501 5.5.2', "EHLO a b\r\n", '501 5.5.2',
    "EHLO \xff\r\n", '501 5.5.2', "HELO [192.0.2.1]\r\n", '501 5.5.2',
    "NOOP \x00\r\n", '501 5.5.2', "NOOP a\rb\r\n", '501 5.5.2');
$c->say("EHLO mx.example.net\r\n");
is($c->reply, join('', map { "$_\r\n" } '250-mx.example.org',
    '250-PIPELINING', '250-SIZE 3145728', '250-STARTTLS',
    '250-ENHANCEDSTATUSCODES', '250-8BITMIME', '250-LIMITS RCPTMAX=1000',
    '250 SMTPUTF8'), 'extensions');
$c->say("helo mx.example.net\n");
is($c->reply, "250 mx.example.org\r\n", 'HELO: one line');
$c->talk("EHLO [192.0.2.1]\r\n", '250', "EHLO [IPv6:2001:db8::1] x\r\n", '250',
    "AUTH PLAIN AGEAYg==\r\n", '503 5.5.1',
    "STARTTLS x\r\n", '501 5.5.2',
    "STARTTLS\r\n", '454 4.7.0',
    "QUIT x\r\n", '501 5.5.2', "QUIT\r\n", '221 2.0.0', undef, 'closed');
is($c->end, 0, 'exit 0');

# MAIL
$c = session();
$c->talk("EHLO mx.example.net\r\n", '250');
my $tried = 0;
for (
    ['', '501 5.5.2'], ['FROM', '501 5.5.2'], ['FROM:', '501 5.5.2'],
    ['FROM:a@b.example', '501 5.5.2'], ['FROM:<a@b.example', '501 5.5.2'],
    ['FROM:<a@b.example>x', '501 5.5.2'], ['FROM:<a@>', '501 5.5.2'],
    ['FROM:<a>', '501 5.5.2'], ['FROM:<a@b..c>', '501 5.5.2'],
    ['FROM:<a@b.example> SIZE=', '501 5.5.2'],
    ['FROM:<a@b.example> SIZE', '501 5.5.4'],
    ['FROM:<a@b.example> SIZE=-1', '501 5.5.4'],
    ['FROM:<a@b.example> SIZE=000000000000000000001', '501 5.5.4'],
    ['FROM:<a@b.example> SIZE=1 SIZE=1', '501 5.5.4'],
    ['FROM:<a@b.example> SIZE=3145729', '552 5.2.3'],
    ['FROM:<a@b.example> SIZE=104857600', '552 5.3.4'],
    ['FROM:<a@b.example> SIZE=99999999999999999999', '552 5.3.4'],
    ['FROM:<a@b.example> BODY=BINARYMIME', '555 5.5.4'],
    ['FROM:<a@b.example> SMTPUTF8=1', '501 5.5.4'],
    ['FROM:<a@b.example> AUTH=+00', '501 5.5.4'],
    ['FROM:<a@b.example> RET=FULL', '555 5.3.3'],
    ['FROM:<a@b.example> HOLDFOR=1', '555 5.3.3'],
    ['FROM:<a@b.example> REQUIRETLS', '555 5.3.3'],
    ["FROM:<\xc3\xa9\@b.example>", '550 5.6.7'],
    ["FROM:<\xff\@b.example>", '501 5.5.2'],
    ['FROM:<a@[192.0.2.1]>', '550 5.7.0'],
) {
	$c->talk("MAIL $_->[0]\r\n", $_->[1]);
	$c->talk("RCPT TO:<bob\@example.org>\r\n", '503 5.5.1')
	    if $_->[1] =~ /^55/;
	$c->end, $c = session(), $c->talk("EHLO x\r\n", '250')
	    if ++$tried % 15 == 0; # there is a limit of errors
}
for ('<>', ' <a@b.example>', '<@r.example,@s.example:a@b.example>',
    '<"a b"@b.example> SIZE=3145728 BODY=8bitmime SMTPUTF8 AUTH=<>',
    "<\xc3\xa9\@b.example> SMTPUTF8", '<""@b.example> BODY=7BIT  ',
    '<a@B.EXAMPLE> auth=a+2Bb') {
	$c->talk("MAIL FROM:$_\r\n", '250 2.1.0', "RSET\r\n", '250 2.0.0');
}
$c->talk("MAIL FROM:<>\r\n", '250 2.1.0', "MAIL FROM:<>\r\n", '503 5.5.1',
    "RCPT TO:<bob\@example.org>\r\n", '503 5.5.1');

# RCPT
$c->talk("EHLO x\r\n", '250', "MAIL FROM:<x\@example.net>\r\n", '250 2.1.0');
for (
    ['<bob@example.org>', '250 2.1.0'], ['<Bob+x@Example.Org>', '250 2.1.0'],
    ['<all@example.org>', '250 2.1.0'], ['<POSTMASTER>', '250 2.1.0'],
    ['<postmaster@mx.example.org>', '250 2.1.0'],
    ['<nobody@example.org>', '550 5.1.1'], ['<u@else.example>', '550 5.1.1'],
    ['<u@[192.0.2.1]>', '550 5.1.1'], ['<bob%else@example.org>', '550 5.1.1'],
    ['<u@off.example>', '450 4.2.1'], ['<gone@example.org>', '550 5.1.1'],
    ['<full@example.org>', '451 4.3.0'], ['<>', '501 5.5.2'],
    ['<bob>', '501 5.5.2'], ["<\xc3\xa9\@example.org>", '553 5.6.7'],
    ['<bob@example.org> NOTIFY=NEVER', '555 5.3.3'],
    ['<bob@example.org> =', '501 5.5.2'],
) {
	$c->talk("RCPT TO:$_->[0]\r\n", $_->[1]);
}
$c->talk("RSET\r\n", '250', "MAIL FROM:<>\r\n", '250',
    "RCPT TO:<bob\@example.org>\r\n", '250',
    "RCPT TO:<ann\@example.org>\r\n", '452 4.5.3', "RSET\r\n", '250',
    "DATA\r\n", '503 5.5.1', "MAIL FROM:<>\r\n", '250', "DATA\r\n", '503 5.5.1');
$c->end;
is_deeply([$i->jobs], [], 'no message so far');

# DATA and the envelope
$c = session();
$c->talk("EHLO mx.example.net\r\n", '250',
    "MAIL FROM:<x\@example.net> BODY=8BITMIME\r\n", '250',
    "RCPT TO:<bob\@example.org>\r\n", '250',
    "RCPT TO:<BOB\@example.org>\r\n", '250',
    "RCPT TO:<bob+tag\@example.org>\r\n", '250',
    "RCPT TO:<all\@example.org>\r\n", '250',
    "DATA x\r\n", '501 5.5.2',
    "DATA\r\n", '354');
$c->say("Subject: x\r\n\r\n..a\nb\r\n.\r\n");
my $reply = $c->reply;
my ($id) = $reply =~ /\(([a-z2-7]{16})\)\r\n$/;
ok(defined $id, 'the reply ends in the job id');
like($reply, qr/^250 2\./, 'accepted');
my ($job) = $i->jobs;
is($job->[1], "Subject: x\r\n\r\n.a\r\nb\r\n", 'the message');
my ($jobline, $client) = $job->[0] =~ /^(job .*)\n(client .*)$/m;
like($jobline, qr/^job id=$id size=21 time=\d+ body=8bitmime smtputf8=no$/,
    'job record');
like($client, qr/^client ip=192.0.2.7 port=4711 helo=mx.example.net local-ip=2001:db8::25 service=smtp proto=ESMTP conn=[a-z2-7]{16}$/,
    'client record');
my @rcpt = $job->[0] =~ /^((?:from|rcpt) .*)$/mg;
is_deeply(\@rcpt, ['from addr=x@example.net',
    'rcpt addr=bob@example.org account=bob mailbox=INBOX',
    'rcpt addr=bob+tag@example.org account=bob mailbox=INBOX',
    'rcpt addr=ann@example.org account=ann mailbox=INBOX alias=all@example.org'],
    'repeated recipients are one, an alias is its members');
unlike($job->[0], qr/^auth/m, 'no auth record');

# again on the same connection, pipelined, with HELO
$c->talk("HELO old.example.net\r\nMAIL FROM:<>\r\nRCPT TO:<ann\@example.org>\r\nDATA\r\n",
    '250', undef, '250', undef, '250', undef, '354',
    ".\r\nNOOP\r\n", '250 2.', undef, '250 2.0.0', "DATA\r\n", '503 5.5.1');
($job) = $i->jobs;
like($job->[0], qr/ proto=SMTP .*\nfrom addr=""\nrcpt addr=ann/, 'HELO, null sender');
is($job->[1], '', 'an empty message');

# large: in a file of the spool; too large: 552, and the connection goes on
my $line = ('x' x 76) . "\r\n";
my $big = $line x 20000; # 1.5 MB
$c->talk("MAIL FROM:<a\@b.example>\r\n", '250', "RCPT TO:<bob\@example.org>\r\n",
    '250', "DATA\r\n", '354', "$big.\r\n", '250 2.');
($job) = $i->jobs;
ok($job->[1] eq $big, 'a message of 1.5 MB is as it was');
$c->talk("MAIL FROM:<a\@b.example>\r\n", '250', "RCPT TO:<bob\@example.org>\r\n",
    '250', "DATA\r\n", '354', "$big$big$big.\r\n", '552 5.2.3',
    "NOOP\r\n", '250', "DATA\r\n", '503 5.5.1');

# the pipeline's verdict is passed on, and the pipeline may be gone
$c->end;
is_deeply([$i->jobs], [], 'nothing of the large one');
$c = session();
$c->talk("EHLO x\r\n", '250', "MAIL FROM:<a\@b.example>\r\n", '250',
    "RCPT TO:<bob\@example.org>\r\n", '250');
kill 'KILL', @{$i->{pids}};
waitpid $_, 0 for splice @{$i->{pids}};
$c->talk("DATA\r\n", '354', "a\r\n.\r\n", '451 4.3.0', "NOOP\r\n", '250');
unlink "$i->{root}/run/inbound";
Smtp::spew("$i->{root}/no", "#!/bin/sh\nexit 100\n");
chmod 0755, "$i->{root}/no";
$i->pipeline('inbound', "stage command=\"$i->{root}/no\" kind=filter types=no name=no\n");
$c->talk("MAIL FROM:<a\@b.example>\r\n", '250',
    "RCPT TO:<bob\@example.org>\r\n", '250', "DATA\r\n", '354',
    "a\r\n.\r\n", '550 5.7.1');
$c->end;

# submission: TLS and a login come first
$c = session('submission');
$c->say("EHLO whatever i am\r\n");
like($c->reply, qr/^250-STARTTLS\r\n250-AUTH\r\n/m, 'AUTH without a list');
$c->talk("MAIL FROM:<bob\@example.org>\r\n", '530 5.7.0',
    "RCPT TO:<bob\@example.org>\r\n", '503 5.5.1',
    "AUTH\r\n", '501 5.5.2', "AUTH PLAIN \r\n", '501 5.5.2',
    "AUTH CRAM-MD5\r\n", '504 5.5.4', "AUTH PLAIN AGEAYg==\r\n", '538 5.7.11',
    "DATA\r\n", '503 5.5.1');
$c->end;

# usage and shutdown
my $bin = $ENV{PNEU_BIN};
is(system("$bin/smtp-serve -s imap 2>/dev/null") >> 8, 100, 'unknown service: 100');
is(system("$bin/smtp-serve -C /nonexistent -s smtp 2>/dev/null </dev/null") >> 8,
    111, 'no configuration: 111');
is(system("TCPREMOTEIP=x $bin/smtp-serve -C $i->{root} -s smtp 2>/dev/null </dev/null") >> 8,
    100, 'bad environment: 100');
$c = session();
kill 'TERM', $c->{pid};
$c->talk(undef, '421 4.3.2', undef, 'closed');
is($c->end, 0, 'exit 0 after SIGTERM');
my $log = Smtp::slurp("$i->{root}/log");
like($log, qr/^message prog=smtp-serve id=$id conn=\S+ ip=192.0.2.7 from=x\@example.net rcpt=bob\@example.org rcpts=3 size=21 code=250/m,
    'log line of the message');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer report');
done_testing();
