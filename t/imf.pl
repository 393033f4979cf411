# imf.pl - what the tests with message vectors share
use strict;
use warnings;
use File::Temp;

our ($tests, $failed) = (0, 0);

sub ok {
	my ($good, $name) = @_;
	$tests++;
	$failed++ unless $good;
	print(($good ? '' : 'not '), "ok $tests - $name\n");
}

sub finish {
	print "1..$tests\n";
	exit($failed != 0);
}

# The directory of vectors, or the test is skipped.
sub vectors {
	my ($set) = @_;
	for my $dir (grep { defined } $ENV{PNEU_VECTORS}, '../shared/vectors',
	    '../../shared/vectors') {
		return "$dir/$set" if -d "$dir/$set";
	}
	print "1..0 # SKIP no vectors $set\n";
	exit 0;
}

sub slurp {
	my ($path) = @_;
	open(my $f, '<:raw', $path) or die "$path: $!";
	local $/;
	my $text = <$f>;
	close $f;
	return $text;
}

# The value of a tuple attribute without quotes.
sub unquote {
	my ($v) = @_;
	return $v unless $v =~ s/\A"(.*)"\z/$1/s;
	$v =~ s/\\(x[0-9a-f]{2}|.)/length $1 > 1 ? chr hex substr $1, 1 :
	    $1 eq 'n' ? "\n" : $1/ge;
	return $v;
}

# A tuple line: its type, and its attributes as a list of pairs. Dies unless
# the whole line is a tuple.
sub tuple {
	my ($line) = @_;
	$line =~ /\G([a-z0-9-]+)/gc or die "no tuple: $line";
	my ($type, @attrs) = ($1);
	while ($line =~ /\G ([a-z0-9-]+)=("(?:[^"\\]|\\.)*"|[^\s"\\]*)/gc) {
		push @attrs, [$1, unquote($2)];
	}
	die "no tuple: $line" unless (pos $line) == length $line;
	return ($type, @attrs);
}

# Records of each file: { path => [ [type, {attributes}, pairs...], ... ] }
sub dump_files {
	my @files = @_;
	my (%records, $current);
	while (my @some = splice @files, 0, 50) {
		open(my $p, '-|', "$ENV{PNEU_TOOLS}/imf-dump", @some) or die;
		while (my $line = <$p>) {
			chomp $line;
			my ($type, @attrs) = tuple($line);
			my %a = map { @$_ } reverse @attrs;
			if ($type eq 'file') {
				$records{$a{name}} = $current = [];
			}
			push @$current, [$type, \%a];
		}
		close $p or die "imf-dump failed on one of @some";
	}
	return \%records;
}

# What must hold for every message: offsets inside, parts in their parents.
sub sound {
	my ($records) = @_;
	my $size = $records->[0][1]{size};
	my %end;
	for my $r (@$records) {
		my ($type, $a) = @$r;
		if ($type eq 'field') {
			return "field" if $a->{at} + $a->{len} > $size;
		}
		next unless $type eq 'part';
		my $stop = $a->{'body-at'} + $a->{'body-len'};
		return "part $a->{n}" if $stop > $size ||
		    $a->{at} + $a->{'header-len'} > $stop;
		my ($parent) = $a->{n} =~ /\A(.*)\.[0-9]+\z/;
		$parent = '' if !defined $parent && $a->{n} ne '';
		$parent = $a->{n} if exists $a->{inner};
		return "part $a->{n} in $parent" if defined $parent &&
		    ($stop > $end{$parent}[1] || $a->{at} < $end{$parent}[0]);
		$end{$a->{n}} = [$a->{'body-at'}, $stop];
	}
	return undef;
}
1;
