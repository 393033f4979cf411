#!/usr/bin/perl
# Domains that cannot be reached: 200 messages for a host that refuses, 200
# for one that never greets, and mail for a good host must not wait for them.
# Then the hosts come back.
use strict; use warnings; use Test::More; use File::Temp 'tempdir';
use IO::Socket::INET; use Time::HiRes qw(time sleep);
my ($bin, $tools) = ($ENV{PNEU_BIN} // die, $ENV{PNEU_TOOLS} // die);
my $root = tempdir(CLEANUP => 1);
my @pid; my $main = $$;
END { my $r = $?; return if $$ != $main; kill 'TERM', @pid; waitpid $_, 0 for @pid; $? = $r }
sub slurp { my $f = shift; open my $h, '<', $f or return ''; local $/; my $t = <$h>; $t // '' }
sub count { my ($re, $t) = @_; my $n = () = $t =~ /$re/mg; $n }
sub run_log { slurp("$root/run.log") }
sub wait_for { my ($s, $sub) = @_; my $t = time + $s; while (time < $t) { return 1 if $sub->(); sleep 0.05 } 0 }
sub spawn { my $log = shift; my $p = fork // die;
	if (!$p) { open STDERR, '>>', "$root/$log"; exec @_ or die }
	push @pid, $p }
sub fill { my ($n, $to) = @_; is(system("$tools/queue-fill $root $n 'ann\@[127.0.0.9]' 300 '$to' >>$root/ids"), 0, "$n for $to") }

mkdir "$root/$_" for qw(conf cdb run);
my $port = 20000 + $$ % 20000;
open my $h, '>', "$root/conf/host" or die;
print $h "host name=a.example mx-port=$port queue-retry=2s queue-retry-most=2s queue-processes=20\n"; close $h;
is(system("$bin/conf-build", '-C', $root), 0, 'configuration');

# Host 2 is good, host 3 takes connections and says nothing, host 4 is not
# there until the end.
sub host { my ($n, $silent) = @_;
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.$n", LocalPort => $port, Listen => 200, ReuseAddr => 1) or die "127.0.0.$n: $!";
	my $p = fork // die;
	if (!$p) { $SIG{CHLD} = 'IGNORE';
		while (my $c = $s->accept) {
			open my $f, '>>', "$root/seen.$n" or die; syswrite $f, "connection\n"; close $f;
			next if fork; close $s;
			$c->autoflush(1);
			if ($silent) { 1 while <$c>; exit 0 }
			print $c "220 mx\r\n";
			while (my $l = <$c>) {
				if ($l =~ /^EHLO/) { print $c "250-mx\r\n250 PIPELINING\r\n" }
				elsif ($l =~ /^DATA/) { print $c "354 go\r\n"; while (my $d = <$c>) { last if $d eq ".\r\n" } print $c "250 ok\r\n" }
				elsif ($l =~ /^QUIT/) { last } else { print $c "250 ok\r\n" } }
			exit 0 }
		exit 0 }
	push @pid, $p; $p }
host(2); my $mute = host(3, 1);

spawn('send.log', "$bin/smtp-send", '-C', $root, '-t', 1); wait_for(5, sub { -S "$root/run/send" });
fill(200, 'u%d@[127.0.0.3]'); fill(200, 'u%d@[127.0.0.4]'); fill(1, 'good@[127.0.0.2]');
my $start = time;
spawn('run.log', "$bin/queue-run", '-C', $root);
ok(wait_for(4, sub { run_log() =~ /^sent .*good@/m }), 'the good host has its message within seconds');
diag sprintf 'after %.1f s', time - $start;
ok(wait_for(10, sub { my $l = `$bin/queue-list -C $root -v`; count(qr/^rcpt .*status=deferred/m, $l) == 400 }), 'the others are all deferred');
my $took = time - $start;
cmp_ok($took, '<', 10, sprintf '400 messages, two dead hosts: %.1f s', $took);
my $tries = count(qr/^connection$/m, slurp("$root/seen.3"));
cmp_ok($tries, '<=', 4 + $took, "the silent host saw $tries connections");
my $l = `$bin/queue-list -C $root -v`;
is(count(qr/^rcpt .*127\.0\.0\.4.* ecode=4\.4\.1 text="connect: Connection refused"/m, $l), 200, 'with the reason');
is(count(qr/^rcpt .*127\.0\.0\.3.* ecode=4\.4\.1 text="no reply in time"/m, $l), 200, 'and that of the other');

# A new message for the good host while the dead ones are tried again.
sleep 1; $start = time;
system("printf 'Subject: x\r\n\r\n' | $bin/queue-add -C $root -f 'a\@[127.0.0.9]' -r 'late\@[127.0.0.2]' >/dev/null 2>&1");
ok(wait_for(4, sub { run_log() =~ /^sent .*late@/m }), 'nor does a later one wait');

# queue-retry of a few in the middle of the schedule; then the host is back.
my ($one) = $l =~ /^rcpt id=(\S+) addr=u1\@\[127\.0\.0\.4\]/m;
my $before = count(qr/^deferred .*\Q127.0.0.4\E/m, run_log());
is(`$bin/queue-retry -C $root $one`, "retry count=1\n", 'queue-retry of one');
ok(wait_for(4, sub { count(qr/^deferred .*\Q127.0.0.4\E/m, run_log()) > $before }), 'it is tried, back-off or not');
host(4);
is(`$bin/queue-retry -C $root -to '\@[127.0.0.4]' | sed 's/count=.*/done/'`, "retry done\n", 'queue-retry');
ok(wait_for(10, sub { `$bin/queue-list -C $root -to '\@[127.0.0.4]'` eq '' }), 'the host is back: all are sent');
is(count(qr/^sent .*\Q127.0.0.4\E/m, run_log()), 200, 'each once');
kill 'KILL', $mute; waitpid $mute, 0; @pid = grep { $_ != $mute } @pid; host(3);
ok(wait_for(12, sub { my @left = glob "$root/queue/job/*"; !@left }), 'so is the other, and nobody had to ask');
is(count(qr/^sent /m, run_log()), 402, '402 messages');
unlike(run_log() . slurp("$root/send.log"), qr/Sanitizer|runtime error/, 'no report of any kind');
done_testing;
