#!/usr/bin/perl
# The SCRAM conversations of the vectors, from the server's side.
use strict;
use warnings;
use JSON::PP;
use Encode qw(encode);
use IPC::Open2;

my ($dir) = grep { defined && -d "$_/scram" }
    ($ENV{PNEU_VECTORS}, '../shared/vectors', '../../shared/vectors');
if (!$dir) {
	print "1..0 # SKIP no vectors\n";
	exit;
}
my $n = 0;
for my $file (sort glob("$dir/scram/good/*.json"),
    sort glob("$dir/scram/bad-client/*.json")) {
	open(my $fh, '<', $file) or die;
	my $v = decode_json(do { local $/; <$fh> });
	next if $v->{digest} !~ /^SHA-(1|256)$/;
	(my $name = $file) =~ s,.*/scram/,,;
	$n++;
	my @step = map { encode('UTF-8', $_) } @{ $v->{steps} };
	my @args = map { encode('UTF-8', $_) } ("SCRAM-$v->{digest}",
	    $v->{user}, $v->{pass}, $v->{salt64}, $v->{iters},
	    $v->{serverNonce});
	s/\s+$// for @args;
	my $pid = open2(my $out, my $in, "$ENV{PNEU_TOOLS}/scram", @args);
	print $in map { "$step[$_]\n" } grep { $_ % 2 == 0 && $_ < 4 &&
	    defined $step[$_] } 0 .. $#step;
	close $in;
	my @got = <$out>;
	chomp @got;
	waitpid $pid, 0;
	my $good;
	if ($v->{skipSASLprep}) {
		# The client did not normalise; what is kept here is prepared.
		$good = @got == 3 && $got[0] eq $step[1] &&
		    $got[2] eq 'fail credentials';
	} elsif ($v->{valid}) {
		$good = @got == 3 && $got[0] eq $step[1] &&
		    $got[1] eq $step[3] && $got[2] eq 'ok';
	} elsif ($step[1] =~ /^e=/) {
		# Unknown users get a challenge like any other.
		$good = $got[0] =~ /^r=.*,s=.*,i=/;
	} else {
		$good = @got == 3 && $got[0] eq $step[1] &&
		    $got[1] eq $step[3] && $got[2] eq 'fail credentials';
	}
	print $good ? "ok" : "not ok", " $n - $name\n";
	print "# $_\n" for $good ? () : @got;
}
print "1..$n\n";
