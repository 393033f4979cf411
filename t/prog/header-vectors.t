#!/usr/bin/perl
# Values of header fields from another project's tests: addresses, dates,
# types, text, ids. Where we differ on purpose the case's number says why.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use POSIX qw(floor);
require "$FindBin::Bin/../imf.pl";

my $dir = vectors('addresses');
my $tmp = File::Temp::tempdir(CLEANUP => 1);

sub cases {
	my ($name) = @_;
	return @{decode_json(slurp("$dir/header-$name.json"))};
}

# Give all values to imf-dump in one run: the attributes of each, as pairs.
sub run {
	my ($what, @values) = @_;
	open(my $f, '>', "$tmp/in") or die;
	print $f "$what ", unpack('H*', $_), "\n" for @values;
	close $f;
	open(my $p, '-|', "$ENV{PNEU_TOOLS}/imf-dump -f <$tmp/in") or die;
	my @got;
	while (my $line = <$p>) {
		chomp $line;
		my ($type, @attrs) = tuple($line);
		push @got, \@attrs;
	}
	close $p or die;
	die "one line for each value" unless @got == @values;
	return @got;
}

# The field's value alone: the vectors go on after it.
sub value {
	my ($v) = @_;
	utf8::encode($v);
	$v =~ s/\r?\n(?![ \t]).*\z//s;
	return $v;
}

sub compare {
	my ($name, $least, $want, $got, $on_purpose) = @_;
	my ($same, $wrong, $known) = (0, 0, 0);
	for my $i (0 .. $#$want) {
		if ($want->[$i] eq $got->[$i]) {
			$same++;
		} elsif (grep { $_ == $i } @$on_purpose) {
			$known++;
		} else {
			$wrong++;
			print "# $name $i: want $want->[$i]\n" .
			    "#       got $got->[$i]\n" =~ s/\n(?=.)/\n# /gr;
		}
	}
	ok($same >= $least && $wrong == 0, "$name: $same of " . @$want .
	    " the same, $known differ on purpose, $wrong wrong");
}

sub bytes { # of a JSON string, or "" for null
	my ($s) = @_;
	$s = '' unless defined $s;
	utf8::encode($s);
	return $s;
}

sub mailboxes {
	return join ', ', map {
		my $a = bytes($_->{address});
		# Canonical here: the domain in lower case.
		$a =~ s/(@[^@]*)\z/\L$1/;
		bytes($_->{name}) . " <$a>";
	} @{$_[0]};
}

my @c = cases('address');
my @want = map {
	my $e = $_->{expected};
	$e->{List} ? mailboxes($e->{List}) : join '; ', map {
		my $list = mailboxes($_->{addresses});
		defined $_->{name} ? bytes($_->{name}) . ": $list" : $list;
	} @{$e->{Group}};
} @c;
my @got = map {
	my ($out, $sep) = ('', '');
	my $name;
	for my $a (@$_) {
		if ($a->[0] eq 'group') {
			$out .= '; ' if $out ne '';
			$out .= "$a->[1]: ";
			$sep = '';
		} elsif ($a->[0] eq 'end-group') {
			$sep = '; ';
		} elsif ($a->[0] eq 'name') {
			$name = $a->[1];
		} elsif ($a->[0] eq 'addr') {
			$out .= "$sep$name <$a->[1]>";
			$sep = ', ';
		}
	}
	$out;
} run('address', map { value($_->{header}) } @c);
# 8..11, 14, 22, 56: comments are no part of a name; 13: blanks and a route are
# no part of an address; 33: blanks at a name's ends; 37..47: URLs of List-
# fields are no addresses.
compare('addresses', 39, \@want, \@got,
    [8 .. 11, 13, 14, 22, 33, 37 .. 47, 56]);

@c = cases('date');
@want = map {
	my $e = $_->{expected};
	defined $e ? sprintf('%d %d', $e->{hour} * 60 + $e->{minute},
	    ($e->{tz_before_gmt} ? -1 : 1) * ($e->{tz_hour} * 60 +
	    $e->{tz_minute})) : 'none';
} @c;
@got = map {
	my %a = map { @$_ } @$_;
	exists $a{time} ? sprintf('%d %d',
	    floor(($a{time} + $a{zone} * 60) / 60) % 1440, $a{zone}) : 'none';
} run('date', map { value($_->{header}) } @c);
# No dates here: a number for a month, and a Received field.
compare('dates', 35, \@want, \@got, [10, 12, 28]);

@c = cases('content_type');
@want = map {
	my $e = $_->{expected};
	my %p = map { (bytes($_->[0]), bytes($_->[1])) }
	    @{$e->{attributes} || []};
	defined $e->{c_subtype} ? join ' ', lc "$e->{c_type}/$e->{c_subtype}",
	    map { "$_=$p{$_}" } sort keys %p : 'none';
} @c;
@got = map {
	my (%p, $name, $type);
	for my $a (@$_) {
		$type = $a->[1] if $a->[0] eq 'type';
		$type .= "/$a->[1]" if $a->[0] eq 'subtype';
		$name = $a->[1] if $a->[0] eq 'param';
		$p{$name} = $a->[1] if $a->[0] eq 'value';
	}
	defined $type ? join ' ', $type, map { "$_=$p{$_}" } sort keys %p :
	    'none';
} run('type', map { value($_->{header}) } @c);
# 29..31, 59: a language is dropped; 34: blanks between encoded words vanish;
# 49: an empty value stays; 54, 59, 61: names that no one can mean; 76..78: a
# second slash.
compare('content types', 90, \@want, \@got,
    [29 .. 31, 34, 49, 54, 59, 61, 76 .. 78]);

@c = cases('unstructured');
@want = map { bytes($_->{expected}) } @c;
@got = map { $_->[0][1] } run('text', map { value($_->{header}) } @c);
# There each fold becomes one blank; here the blanks stay, as RFC 5322 says.
s/\s+/ /g for @want, @got;
# 21, 27, 28: no blank where there was none.
compare('text', 27, \@want, \@got, [21, 27, 28]);

@c = cases('id');
@want = map { join ' ', map { lc bytes($_) =~ s/\s//gr }
    ref $_->{expected} ? @{$_->{expected}} : $_->{expected} || () } @c;
@got = map { join ' ', map { $_->[1] } @$_ }
    run('ids', map { value($_->{header}) } @c);
# 8..10: no angle brackets.
compare('ids', 8, \@want, \@got, [8 .. 10]);
finish();
