#!/usr/bin/perl
# smtp-listen: limits, the pool of processes, processes that die.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Smtp;
use Test::More;

my $bin = $ENV{PNEU_BIN};

sub eventually {
	my ($seconds, $what) = @_;
	for (1 .. $seconds * 20) {
		return 1 if $what->();
		select undef, undef, undef, 0.05;
	}
	return 0;
}

my ($port, $secure) = (Smtp::free_port(), Smtp::free_port());
my $i = Smtp->instance('max-connections-per-ip=12 connection-rate=60');
Smtp::spew("$i->{root}/conf/listen", <<"END");
listen service=smtp ip=127.0.0.1 port=$port name=in.example.org
listen service=submission ip=127.0.0.1 port=$secure
END
$i->build;

my @argv = ("$bin/smtp-listen", '-C', $i->{root});
my $pid = $i->start('run/counters/smtp-listen', @argv);
my $c;
ok(eventually(10, sub { $c = $i->tcp($port) }), 'it listens');
$c->talk(undef, '220 in.example.org', "EHLO x\r\n", '250', "QUIT\r\n",
    '221', undef, 'closed');
$c = $i->tcp($secure);
$c->talk(undef, '220 mx.example.org', "EHLO x\r\n", '250',
    "MAIL FROM:<>\r\n", '530 5.7.0', "QUIT\r\n", '221');

sub children {
	my @pids = split ' ',
	    Smtp::slurp("/proc/$pid/task/$pid/children") // '';
	return @pids;
}
ok(eventually(10, sub { children() <= 3 }), 'processes are reused');

# All at once, then one too many.
my @c = map { $i->tcp($port) } 1 .. 12;
is(scalar(grep { ($_->reply // '') =~ /^220/ } @c), 12, 'twelve connections');
my $more = $i->tcp($port);
$more->talk(undef, '421 4.7.0', undef, 'closed');
cmp_ok(scalar(children()), '>=', 12, 'a process each');

# A process that dies takes its own connection and no other.
my @before = children();
kill 'KILL', $before[0];
ok(eventually(10, sub { children() < @before }), 'one is gone');
my $lost = 0;
for my $conn (@c) {
	$conn->say("NOOP\r\n");
	$lost++ if ($conn->reply // '') !~ /^250/;
}
is($lost, 1, 'one connection is lost');
ok(eventually(10, sub { $c = $i->tcp($port); ($c->reply // '') =~ /^220/ }),
    'and there is room again');
$_->talk("QUIT\r\n", '221') for $c;
for (@c) { $_->say("QUIT\r\n"); $_->reply }
ok(eventually(10, sub { !grep { !$_->closed } @c }), 'all end');

# An idle process that dies is not missed.
for (1 .. 5) {
	kill 'KILL', children();
	$c = $i->tcp($port);
	$c->talk(undef, '220', "QUIT\r\n", '221');
}

# A taken port.
my $out = `@argv 2>&1`;
is($? >> 8, 111, 'a taken port: 111');
like($out, qr/^smtp-listen: unable to listen on 127.0.0.1 port $port for smtp: [^\n]*\n$/,
    'and one line');

# More than the rate allows.
my $refused = 0;
for (1 .. 61) {
	my $conn = $i->tcp($port);
	my $r = $conn->reply // '';
	$refused++ if $r =~ /^421 4\.7\.0/;
	$conn->say("QUIT\r\n");
	$conn->reply if $r =~ /^220/;
}
ok($refused > 0, "over the rate: refused $refused of 61");

ok(eventually(25, sub { children() <= 1 }), 'idle: one process stays at most');
kill 'TERM', $pid;
waitpid $pid, 0;
is($?, 0, 'exit 0 after SIGTERM');
@{$i->{pids}} = ();
ok(!$i->tcp($port), 'and nothing listens');
unlike(Smtp::slurp("$i->{root}/log"), qr/Sanitizer|runtime error/,
    'no sanitizer report');
done_testing();
