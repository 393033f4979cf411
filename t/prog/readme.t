#!/usr/bin/perl
# The tour of README: each command prints what stands below it. With --write
# the output is put there instead.
use strict;
use warnings;
use FindBin;

my $top = "$FindBin::Bin/../..";
chdir $top or die "no $top";
$ENV{PNEU_BIN} //= 'obj/release/bin';
$ENV{PNEU_TOOLS} //= 'obj/release/tools';
$ENV{PATH} = "$ENV{PNEU_BIN}:$ENV{PNEU_TOOLS}:$ENV{PATH}";

open my $in, '<', 'README' or die;
my @lines = <$in>;
close $in;
my (@commands, @wanted, @at, $on);
for my $i (0 .. $#lines) {
	$on = 1 if $lines[$i] eq "A tour\n";
	$on = 0 if $lines[$i] eq "Where to look\n";
	next unless $on && $lines[$i] =~ m{^\t};
	if ($lines[$i] =~ /^\t\$ (.*)/) {
		push @commands, $1;
		push @wanted, '';
		push @at, $i;
	} elsif (@wanted) {
		$wanted[-1] .= substr $lines[$i], 1;
	}
}

# The programs under test, whatever the first command says.
shift @commands;
shift @wanted;
my $first = shift @at;
open my $sh, '-|', 'sh', '-c', join "\n", 'exec 2>&1',
    map { ("echo @@ $_", $commands[$_]) } 0 .. $#commands or die;
my (@got, $n);
while (<$sh>) {
	if (/^@@ (\d+)$/) {
		$n = $1;
		$got[$n] = '';
	} else {
		$got[$n] .= $_;
	}
}
close $sh;

if (@ARGV && $ARGV[0] eq '--write') {
	for my $i (reverse 0 .. $#commands) {
		my $end = $at[$i] + 1;
		$end++ while $lines[$end] =~ /^\t(?!\$ )|^\@/;
		splice @lines, $at[$i] + 1, $end - $at[$i] - 1,
		    map { "\t$_\n" } split /\n/, $got[$i];
	}
	open my $out, '>', 'README' or die;
	print $out @lines;
	exit !close $out;
}
print '1..', scalar @commands, "\n";
my $failed = 0;
for my $i (0 .. $#commands) {
	# An empty line inside a listing ends it.
	(my $want = $wanted[$i]) =~ s/\n+\z/\n/;
	(my $have = $got[$i] // '') =~ s/\n+\z/\n/;
	my $ok = $want eq $have;
	$failed += !$ok;
	print $ok ? '' : 'not ', 'ok ', $i + 1, ' - ', $commands[$i], "\n";
	print map { "# $_\n" } 'got:', split(/\n/, $have), 'want:',
	    split /\n/, $want unless $ok;
}
exit($failed != 0);
