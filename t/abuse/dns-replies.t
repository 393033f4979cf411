#!/usr/bin/perl
# A name server that answers garbage, some ten mutated answers before each good
# one. dns-lookup ends each time with one of its exit codes, soon; each check
# with a verdict, and with the same one from what it kept.
use strict;
use warnings;
use File::Temp ();
use IO::Socket::INET;
use Time::HiRes 'time';

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
	my $text = $query =~ /_dmarc/ ? 'v=DMARC1; p=reject; rua=mailto:a@x.test'
	    : $query =~ /_domainkey/ ? 'v=DKIM1; k=ed25519; p=' . 'A' x 43 . '='
	    : $query =~ /test/ ? 'v=spf1 a mx ptr exists:%{i}.%{d} ?all' : 'hello';
	my %rdata = (1 => $query =~ /\x02bl\x04test/ ? "\x7f\0\0\2" : "\xc0\0\2\1", 28 => "\x20\1" . "\0" x 14,
	    15 => "\0\x0a\2mx\xc0\x0c", 16 => chr(length $text) . $text . "\0",
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
		# A list's own test entries: it is well.
		if ($query =~ /\x01([12])\x010\x010\x03127\x02bl/) {
			my $end = index($query, "\0", 12) + 5;
			$good = substr($query, 0, 2) . "\x81\xa3" . pack('nnnn', 1, 0, 0, 0)
			    . substr($query, 12, $end - 12) if $1 == 1;
			$udp->send($good, 0, $from);
			next;
		}
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

# Each check, with a letter that asks for all it can.
my $dir = File::Temp->newdir;
my %line = ('iprev-check' => 'iprev', 'spf-check' => 'spf', 'dkim-verify' => 'dkim',
    'dmarc-eval' => 'dmarc', 'dnsbl-check' => 'dnsbl');
my (@bad, %seen);
my $each = 60;
for my $check (sort keys %line) {
	my $t = $line{$check};
	for my $i (1 .. $each) {
		my $letter = "DKIM-Signature: v=1; a=ed25519-sha256; d=d$i.test; s=s; h=from; bh="
		    . 'A' x 43 . '=; b=' . 'A' x 86 . "==\r\nFrom: a\@f$i.test\r\n\r\nx\r\n";
		my $env = "job id=abcdefghabcdefgh size=" . length($letter) . " time=1795242486\n"
		    . "client ip=192.0.2.1 helo=h$i.test\nfrom addr=a\@m$i.test\n"
		    . "imf result=ok from-count=1 from-addrs=1 from-domains=1 from-domain=f$i.test\n\n";
		open my $f, '>:raw', "$dir/job" or die; print $f $env, $letter; close $f;
		my $zone = $check eq 'dnsbl-check' ? 'bl.test' : '';
		my $start = time;
		system("timeout 60 $bin/$check -s 127.0.0.1:$port $zone <$dir/job >$dir/out");
		my ($status, $ms) = ($?, 1000 * (time - $start));
		open $f, '<:raw', "$dir/out" or die; local $/; my $out = <$f>; close $f;
		my ($case) = split /^\n/m, $out;
		my $lines = join '', ($case // '') =~ /^$t .*\n/mg;
		open $f, '>:raw', "$dir/case" or die; print $f $case, "\n"; close $f;
		my $again = join '', `$bin/$check -R <$dir/case` =~ /^$t .*\n/mg;
		$seen{"$check $1"}++ while $lines =~ /result=(\S+)/g;
		push @bad, "$check $i: status $status, $ms ms, <$lines> then <$again>"
		    if $status != 0 || $ms > 22000 || $lines eq '' || $lines ne $again;
	}
}
kill 'TERM', $pid;
waitpid $pid, 0;
my @odd = grep { !/^(0|1|111)$/ } keys %code;
print "1..5\n";
print @odd ? "not " : '', "ok 1 - exit codes\n";
print $late ? "not " : '', "ok 2 - in time\n";
print $code{0} ? '' : "not ", "ok 3 - good answers are found\n";
print "# exit $_: $code{$_}\n" for sort keys %code;
print @bad ? "not " : '', "ok 4 - a verdict of each check, $each times, and again\n";
print "# $_\n" for @bad > 5 ? @bad[0 .. 4] : @bad;
print keys %seen > 8 ? '' : 'not ', "ok 5 - of many kinds\n";
print "# $_: $seen{$_}\n" for sort keys %seen;
