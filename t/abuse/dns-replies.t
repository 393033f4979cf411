#!/usr/bin/perl
# A name server that answers garbage, 2000 mutated answers in all.
# dns-lookup ends each time with one of its exit codes, soon.
use strict;
use warnings;
use IO::Socket::INET;

my $bin = $ENV{PNEU_BIN} or die "PNEU_BIN\n";
my $udp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
    or die "no socket\n";
my $port = $udp->sockport;
my %type = (a => 1, mx => 15, txt => 16, ptr => 12, srv => 33, tlsa => 52,
    aaaa => 28, cname => 5);

sub record {
	my ($owner, $type, $rdata) = @_;
	return $owner . pack('nnNn', $type, 1, 300, length $rdata) . $rdata;
}

# A good answer to that question, before it is spoilt.
sub answer {
	my ($query) = @_;
	my $end = index($query, "\0", 12) + 5;
	my $type = unpack('n', substr($query, $end - 4, 2));
	my %rdata = (1 => "\xc0\0\2\1", 28 => "\x20\1" . "\0" x 14,
	    15 => "\0\x0a\2mx\xc0\x0c", 16 => "\5hello\3abc",
	    12 => "\4name\xc0\x0c", 33 => "\0\1\0\2\1\xbb\3srv\xc0\x0c",
	    52 => "\3\1\1" . "x" x 32, 5 => "\5other\xc0\x0c");
	return substr($query, 0, 2) . "\x81\xa0" . pack('nnnn', 1, 3, 0, 0)
	    . substr($query, 12, $end - 12)
	    . record("\xc0\x0c", 5, "\1c\xc0\x0c")
	    . record("\1c\xc0\x0c", $type, $rdata{$type} // "\0")
	    . record("\1c\xc0\x0c", $type, $rdata{$type} // "\0");
}

sub spoil {
	my ($p, $n) = @_;
	my $from = 12;    # the id is kept, or nothing would be read
	for (1 .. 1 + $n % 4) {
		my $at = $from + int rand(length($p) - $from);
		my $kind = int rand 4;
		if ($kind == 0) { substr($p, $at, 1) = chr int rand 256 }
		elsif ($kind == 1) { substr($p, $at, 1) = "\xc0" }
		elsif ($kind == 2) { substr($p, 6, 2) = pack 'n', int rand 65536 }
		else { substr($p, $at) = '' }
		last if length $p <= $from + 1;
	}
	return $p;
}

my $pid = fork // die "fork\n";
if ($pid == 0) {
	my $n = 0;
	srand 20261121;
	while (1) {
		my $from = $udp->recv(my $query, 4096) // next;
		next if length $query < 17;
		my $good = answer($query);
		# Several for each query, so that the first mutants that do
		# not match the question are followed by others.
		$udp->send(spoil($good, $n++), 0, $from) for 1 .. 10;
		$udp->send($good, 0, $from);
	}
}
my (%code, $late);
my @types = sort keys %type;
for my $i (1 .. 200) {
	my $t = $types[$i % @types];
	my $start = time;
	my $status = do {
		open my $p, '-|', "$bin/dns-lookup", '-s', "127.0.0.1:$port",
		    '-t', '3000', $t, "n$i.test" or die "dns-lookup\n";
		1 while <$p>;
		close $p;
		$?;
	};
	$code{ $status & 127 ? 'signal' : $status >> 8 }++;
	$late++ if time - $start > 5;
}
kill 'TERM', $pid;
waitpid $pid, 0;
my @odd = grep { !/^(0|1|111)$/ } keys %code;
print "1..3\n";
print @odd ? "not " : '', "ok 1 - exit codes\n";
print $late ? "not " : '', "ok 2 - in time\n";
print $code{0} ? '' : "not ", "ok 3 - good answers are found\n";
print "# exit $_: $code{$_}\n" for sort keys %code;
