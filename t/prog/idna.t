#!/usr/bin/perl
# Domain names against the tests of Unicode (IdnaTestV2), libidn2 and punycode.js:
# a line for each case. Where we differ from a file stands in t/idna-differences,
# case by case and with the reason; what stands there must differ.
use strict;
use warnings;
use Cwd 'abs_path';
use Encode;
use File::Basename;
use IPC::Open2;
use JSON::PP;

my $here = abs_path(dirname $0);
my ($vectors) = grep { defined && -d "$_/idna" } $ENV{PNEU_VECTORS},
    "$here/../../../shared/vectors", "$here/../../../../shared/vectors";
if (!$vectors) {
	print "1..0 # SKIP no test vectors\n";
	exit 0;
}
my $tool = ($ENV{PNEU_TOOLS} || "$here/../../obj/release/tools") . '/domain-dump';
binmode STDOUT, ':utf8';
$| = 1;

my ($n, $failed) = (0, 0);
sub ok {
	my ($good, $name) = @_;
	$name =~ s/[#\\]/./g;
	$name =~ s/([^\x20-\x7e])/sprintf '\\x{%x}', ord $1/ge;
	printf "%sok %d - %s\n", $good ? '' : 'not ', ++$n,
	    length $name > 300 ? substr($name, 0, 300) . '...' : $name;
	$failed++ if !$good;
}

# FILE LINE[-LINE] REASON
my %differs;
open my $list, '<', "$here/../idna-differences" or die "idna-differences: $!";
while (<$list>) {
	next if /^#|^\s*$/;
	my ($file, $from, $to, $why) = /^(\S+) (\d+)(?:-(\d+))? (.+)$/ or die;
	$differs{$file}{$_} = $why for $from .. $to // $from;
}

# Each case: { at, src, want (undef: must be refused), uni (or undef) }
sub judge {
	my ($file, @cases) = @_;
	# The tool reads all before it writes.
	my $pid = open2(my $out, my $in, $tool);
	print $in unpack('H*', $_->{bytes} // encode('UTF-8', $_->{src})), "\n"
	    for @cases;
	close $in;
	my @got = <$out>;
	waitpid $pid, 0;
	my %left = %{$differs{$file} // {}};
	for my $c (@cases) {
		my ($a, $u) = map { decode('UTF-8', pack 'H*', $_) }
		    split ' ', (shift @got // '') =~ s/^-$//r;
		undef $a if defined $a && $a eq '';
		my $same = defined $c->{want} ?
		    defined $a && $a eq $c->{want} : !defined $a;
		# For people: the U-labels, or the A-labels as they stand.
		$same = 0 if $same && defined $a && defined $c->{uni} &&
		    $u ne $c->{uni} && $u ne $a;
		my $why = delete $left{$c->{at}};
		my $name = "$file:$c->{at} " . ($c->{name} // $c->{src}) .
		    (defined $a ? " is $a" : ' is refused');
		$name .= ", differs: $why" if defined $why;
		ok($why ? !$same : $same, $name);
		print "# file says: ", defined $c->{want} ? $c->{want} =~
		    s/([^\x20-\x7e])/sprintf '\\x{%x}', ord $1/ger : 'refuse',
		    "\n" if !$same && !$why;
	}
	ok(0, "$file:$_ is in idna-differences, but no case") for sort keys %left;
	printf "# %d cases\n", scalar @cases;
}

# Escapes of the files; undef for a surrogate, which no UTF-8 has.
sub column {
	my ($text) = @_;
	$text =~ s/^\s+|\s+$//g;
	return '' if $text eq '""';
	my $bad = 0;
	$text =~ s/\\(?:u([0-9A-Fa-f]{4})|x\{([0-9A-Fa-f]+)\})/
	    my $c = hex($1 \/\/ $2);
	    $bad = 1 if $c >= 0xd800 && $c <= 0xdfff;
	    $bad ? '' : chr $c/gex;
	return $bad ? undef : $text;
}

sub lines {
	open my $f, '<:utf8', "$vectors/idna/$_[0]" or die "$_[0]: $!";
	return <$f>;
}

# A surrogate, encoded as if it were a character: must be refused.
sub ill_formed {
	my ($text) = @_;
	my $bytes = '';
	while ($text =~ /\G(?:\\u([0-9A-Fa-f]{4})|\\x\{([0-9A-Fa-f]+)\}|(.))/gs) {
		my $c = defined $3 ? ord $3 : hex($1 // $2);
		$bytes .= $c < 0xd800 || $c > 0xdfff ? encode('UTF-8', chr $c) :
		    pack 'C3', 0xe0 | $c >> 12, 0x80 | $c >> 6 & 63, 0x80 | $c & 63;
	}
	return $bytes;
}

for my $file ('IdnaTestV2.txt', 'IdnaTestV2-Unicode16.txt') {
	my ($at, @cases) = 0;
	for (lines $file) {
		$at++;
		next if /^\s*(#|$)/;
		chomp;
		my @c = split /;/, s/#.*//sr, -1;
		s/^\s+|\s+$//g for @c;
		$c[1] = $c[0] if $c[1] eq '';
		$c[3] = $c[1] if $c[3] eq '';
		my $status = $c[4] ne '' ? $c[4] : $c[2];
		my $error = $status ne '' && $status ne '[]';
		my $src = column $c[0];
		push @cases, { at => $at, name => $c[0],
		    defined $src ? (src => $src) :
		    (src => '', bytes => ill_formed($c[0])),
		    want => $error ? undef : column($c[3]),
		    uni => column($c[1]) };
	}
	judge($file, @cases);
}

# Transitional processing (T) is not ours: each such line has an N beside it.
{
	my ($at, $transitional, @cases) = (0, 0);
	for (lines 'IdnaTest-libidn2.txt') {
		$at++;
		next if /^\s*(#|$)/;
		chomp;
		my @c = split /;/, s/#.*//sr, -1;
		s/^\s+|\s+$//g for @c;
		if ($c[0] eq 'T') {
			$transitional++;
			next;
		}
		$c[2] = $c[1] if ($c[2] // '') eq '';
		$c[3] = $c[2] if ($c[3] // '') eq '';
		my $src = column $c[1];
		push @cases, { at => $at, name => $c[1],
		    defined $src ? (src => $src) :
		    (src => '', bytes => ill_formed($c[1])),
		    want => $c[3] =~ /^\[/ ? undef : column($c[3]),
		    uni => $c[2] =~ /^\[/ ? undef : column($c[2]) };
	}
	judge('IdnaTest-libidn2.txt', @cases);
	print "# $transitional lines for transitional processing only\n";
}

# Punycode, by way of labels: the A-label, and then the text.
for my $file ('punycode_tests.json', 'bad_punycode_tests.json') {
	open my $f, '<', "$vectors/idna/$file" or die "$file: $!";
	my ($at, @cases) = 0;
	for (@{decode_json(join '', <$f>)}) {
		my ($text, $puny) = ($_->{decoded}, $_->{encoded});
		my $name = $_->{description} // $text;
		$at++;
		push @cases, { at => 2 * $at - 1, name => "encode $name",
		    src => $text, want => defined $puny ? 'xn--' . lc $puny :
		    undef, uni => lc $text };
		push @cases, { at => 2 * $at, name => "decode $name",
		    src => "xn--$puny", want => 'xn--' . lc $puny, uni => lc $text }
		    if defined $puny;
	}
	judge($file, @cases);
}
print "1..$n\n";
exit($failed != 0);
