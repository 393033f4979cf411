#!/usr/bin/perl
# Each program's page shows the usage that the program shows, and has the
# sections that a page of a program has.
use strict;
use warnings;
use Cwd 'abs_path';
use File::Basename;
use Test::More;

my $top = abs_path(dirname($0) . '/../..');
my $bin = $ENV{PNEU_BIN} || "$top/obj/release/bin";

sub output { # program and arguments: what they print
	open my $pipe, '-|', @_ or return '';
	local $/;
	my $text = <$pipe>;
	close $pipe;
	return $text // '';
}

sub words { # of a usage line or a SYNOPSIS, without what only groups them
	my $text = join ' ', @_;
	$text =~ s/[][|]|\.\.\./ /g;
	return sort { $a cmp $b } split ' ', $text;
}

sub section { # the lines of one section of a page shown as text
	my ($text, $name) = @_;
	return $text =~ /^\Q$name\E\n(.*?)(?=^\S|\z)/ms ? $1 : undef;
}

plan skip_all => 'needs mandoc' if !grep { -x "$_/mandoc" } split /:/, $ENV{PATH};
for my $path (glob "$bin/*") {
	my $name = basename $path;
	next if -l $path; # another name of a program
	my ($page) = glob "$top/man/$name.[18]";
	if (!ok $page, "$name has a page") {
		next;
	}
	my ($purpose, $usage) = split /\n/, output($path, '-h');
	my $text = output('mandoc', '-Tascii', '-Owidth=200', $page);
	$text =~ s/.\x08//g;
	is section($text, 'NAME'), "     $name - " .
	    ($purpose =~ s/^\Q$name\E - //r) . "\n\n", "$name: NAME";
	my %in = map { $_ => 1 } words(section($text, 'SYNOPSIS'));
	is join(' ', grep { !$in{$_} } words($usage =~ s/^usage: //r)), '',
	    "$name: SYNOPSIS has each word of the usage";
	my %out = map { $_ => 1 } words($usage);
	is join(' ', grep { !$out{$_} && $_ ne $name } keys %in), '',
	    "$name: the usage has each word of SYNOPSIS";
	for ('DESCRIPTION', 'EXIT STATUS', 'EXAMPLES', 'SECURITY') {
		ok length(section($text, $_) // '') > 10, "$name: $_";
	}
}
done_testing;
