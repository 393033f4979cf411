#!/usr/bin/perl
# The OpaqueString vectors of the PRECIS suite.
use strict;
use warnings;
use JSON::PP;
use Encode qw(encode);
use IPC::Open2;

my ($dir) = grep { defined && -d "$_/precis" }
    ($ENV{PNEU_VECTORS}, '../shared/vectors', '../../shared/vectors');
if (!$dir) {
	print "1..0 # SKIP no vectors\n";
	exit;
}
open(my $fh, '<', "$dir/precis/golden.json") or die;
my $json = do { local $/; <$fh> };
# Lone surrogates have no UTF-8, and the empty input no hex line.
$json =~ s/"\\ud8(00|ff)"/""/g;
my @cases = grep { $_->{profile} eq 'OpaqueString' && $_->{input} ne '' }
    @{ decode_json($json) };
print "1..", scalar(@cases), "\n";
my $in = join '', map { unpack('H*', encode('utf8', $_->{input})) . "\n" }
    @cases;
my $pid = open2(my $out, my $to, "$ENV{PNEU_TOOLS}/prep");
print $to $in;
close $to;
my $n = 0;
for my $c (@cases) {
	my $got = <$out> // "nothing\n";
	chomp $got;
	my $want = defined $c->{output} ?
	    unpack('H*', encode('utf8', $c->{output})) : '-';
	my $name = unpack('H*', encode('utf8', $c->{input}));
	$n++;
	print $got eq $want ? "ok" : "not ok", " $n - $name\n";
	print "# got $got, want $want (", $c->{error} // '', ")\n"
	    if $got ne $want;
}
waitpid $pid, 0;
