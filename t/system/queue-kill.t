#!/usr/bin/perl
# kill -9 of queue-run and smtp-send while 200 messages go out: every one
# arrives, and twice only those that were on their way at a kill. Then the
# drain of a queue to smtp-sink, measured.
use strict; use warnings; use Test::More; use File::Temp 'tempdir';
use IO::Socket::INET; use Fcntl ':flock'; use Time::HiRes qw(time sleep);
my ($bin, $tools) = ($ENV{PNEU_BIN} // die, $ENV{PNEU_TOOLS} // die);
my $root = tempdir(CLEANUP => 1);
my %pid; my @more;
END { my $r = $?; kill 'KILL', values %pid, @more; waitpid $_, 0 for values %pid, @more; $? = $r }
sub slurp { my $f = shift; open my $h, '<', $f or return ''; local $/; my $t = <$h>; $t // '' }
sub drained { my @left = glob "$root/queue/job/*"; !@left }
sub start { my $name = shift; my $p = fork // die;
	if (!$p) { open STDERR, '>>', "$root/log"; exec "$bin/$name", '-C', $root, @_ or die }
	$pid{$name} = $p }
sub wait_for { my ($s, $sub) = @_; my $t = time + $s; while (time < $t) { return 1 if $sub->(); sleep 0.05 } 0 }

mkdir "$root/$_" for qw(conf cdb run);
my $port = 20000 + $$ % 20000;
open my $h, '>', "$root/conf/host" or die; print $h "host name=a.example mx-port=$port queue-retry=1s queue-retry-most=1s\n"; close $h;
is(system("$bin/conf-build", '-C', $root), 0, 'configuration');

# A mail host that notes each message it has said 250 to.
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 200, ReuseAddr => 1) or die;
my $mx = fork // die;
if (!$mx) { $SIG{CHLD} = 'IGNORE';
	while (my $c = $s->accept) { next if fork; $c->autoflush(1); print $c "220 mx\r\n";
		while (my $l = <$c>) {
			if ($l =~ /^EHLO/) { print $c "250-mx\r\n250 PIPELINING\r\n" }
			elsif ($l =~ /^DATA/) { print $c "354 go\r\n"; my ($id, $dot) = ('');
				while (my $d = <$c>) { $id = $1 if $d =~ /^Subject: (\d+)/; last if $dot = $d eq ".\r\n" }
				last if !$dot;
				select undef, undef, undef, 0.02;
				open my $f, '>>', "$root/got" or die; flock $f, LOCK_EX; syswrite $f, "$id\n"; close $f;
				print $c "250 ok\r\n" }
			elsif ($l =~ /^QUIT/) { last } else { print $c "250 ok\r\n" } }
		exit 0 } }
push @more, $mx; close $s;

start('smtp-send', '-t', 5); wait_for(5, sub { -S "$root/run/send" });
start('queue-run'); wait_for(5, sub { -S "$root/run/queue" });
is(system("$tools/queue-fill $root 200 'ann\@[127.0.0.9]' 500 'u%d\@[127.0.0.1]' >$root/ids"), 0, '200 messages queued');
my $kills = 0;
for my $name (qw(queue-run smtp-send queue-run smtp-send)) {
	sleep 0.06;
	kill 'KILL', $pid{$name}; waitpid $pid{$name}, 0; $kills++;
	start($name, $name eq 'smtp-send' ? ('-t', 5) : ());
}
# An attempt that a kill cut short is made again after a second.
ok(wait_for(60, \&drained), 'the queue is empty');
my %got; $got{$_}++ for split /\n/, slurp("$root/got");
is(scalar keys %got, 200, 'every message arrived');
my $twice = grep { $_ > 1 } values %got;
# 20 to a domain at a time: no more can be without a record at a kill.
cmp_ok($twice, '<=', 20 * $kills, "sent twice: $twice");
diag "killed $kills times, $twice of 200 sent twice";
unlike(slurp("$root/log"), qr/Sanitizer|runtime error|^report/m, 'no report of any kind');
kill 'TERM', $pid{'queue-run'}; waitpid $pid{'queue-run'}, 0; is($?, 0, 'queue-run ends cleanly');
delete $pid{'queue-run'}; kill 'KILL', $mx; waitpid $mx, 0; @more = ();

SKIP: {
	my ($sink) = grep -x, map "$_/smtp-sink", split(/:/, $ENV{PATH}), '/usr/sbin';
	skip 'no smtp-sink', 2 if !$sink || $> != 0;
	my $n = 1000;
	system("$tools/queue-fill $root $n 'ann\@[127.0.0.9]' 1000 'u\@[127.0.0.1]' >/dev/null");
	push @more, fork // die;
	if (!$more[0]) { exec $sink, '-u', 'nobody', "127.0.0.1:$port", 1000 or die }
	wait_for(5, sub { IO::Socket::INET->new("127.0.0.1:$port") });
	my $t = time; start('queue-run');
	ok(wait_for(30, \&drained), 'drained to smtp-sink');
	diag sprintf 'drain: %.0f messages/s', $n / (time - $t);
	kill 'TERM', $pid{'queue-run'}; waitpid $pid{'queue-run'}, 0; is($?, 0, 'clean end'); delete $pid{'queue-run'};
}
kill 'TERM', $pid{'smtp-send'}; waitpid $pid{'smtp-send'}, 0; is($?, 0, 'smtp-send ends cleanly'); delete $pid{'smtp-send'};
done_testing;
