#!/usr/bin/perl
# Scripts of the Apache James protocol tester (Apache-2.0, not in this tree)
# against imap-serve. C: is sent, S: is a pattern for a line, SUB { } is lines
# in any order. Human-readable texts and the order of untagged lines are each
# server's own: tagged results, response codes and data are compared.
use strict;
use warnings;
use File::Temp 'tempdir';
use FindBin;
use lib "$FindBin::Bin/..";
use Imap;
use Test::More;

my ($dir) = grep { defined && -d "$_/imap-james" } $ENV{PNEU_VECTORS},
    "$FindBin::Bin/../../../shared/vectors",
    "$FindBin::Bin/../../../../shared/vectors";
plan skip_all => 'vectors not found' unless $dir;

# Why a script does not apply.
my %other = (
	(map { $_ => 'other users and ACL are not done' } qw(
	    ACLCommandsOnOtherUser SharedMailbox SharingAccessLR
	    SharingAccessLRI SharingAccessLRS SharingAccessLRTE
	    SharingAccessLRX)),
	(map { $_ => 'before login: imap-login.t' } qw(
	    AuthenticatePlain Login ValidNonAuthenticated Welcome)),
	(map { $_ => 'several sessions: imap-two.t' } qw(
	    ConcurrentCrossExpunge ConcurrentExistsResponse
	    ConcurrentExpungeUIDToMSNMapping ConcurrentRenameSelected)),
	MetadataWithBinaryData => 'METADATA is not done',
	Replace => 'REPLACE is not done',
	Capability => 'its own list',
	CondstoreDisable => 'CONDSTORE is always there',
	CreateErrorWithLongName => 'its own limit',
	ListNamespace => 'namespaces of other users',
	Recent => '\Recent does not exist',
	UidSearchAtomsIndexer => 'its own index',
	Id => 'its own text',
	(map { $_ => 'needs a mailbox that the tester has selected' } qw(
	    FetchNILSaveDate FetchPeek FetchRFC822Header FetchRFC822Text
	    FetchText Search Store Uid Copy FetchBodyNoSection
	    FetchInternalDate)),
	(map { $_ => 'deletes or renames as if parents did not exist' } qw(
	    ListPercentWildcard RenameHierarchy)),
	SearchCombinations => 'blanks inside of parentheses',
	MoveNoMSG => 'another order of checks',
	Subscribe => 'a blank at the end of a command',
);

# What differs in words only, in an expected pattern.
sub loose {
	my ($p) = @_;
	$p =~ s/^(\S+ (?:OK|NO|BAD))(?: (\\\[[A-Z-]+).*)?.*$/$1/;
	return $p;
}

sub run {
	my ($file) = @_;
	my $root = tempdir(CLEANUP => 1);
	mkdir "$root/run";
	my $c = Imap->serve($root, 'imapuser');
	open my $f, '<', $file or die;
	my (@tagged, $sent, $bad);
	$sent = '';
	my $check = sub {
		my ($want) = @_;
		$c->send($sent);
		$sent = '';
		return if $want =~ /^(?:\\\*|\*)/; # untagged: see %data
		if ($want =~ /^\\?\+/) {
			my $line = $c->line(5) // '';
			$bad //= "want +, got $line" unless $line =~ /^\+/;
			return;
		}
		my ($tag) = $want =~ /^(\S+) (?:OK|NO|BAD)\b/;
		return unless defined $tag; # a line of a literal
		while (defined(my $line = $c->line(5))) {
			next if $line =~ /^\*/;
			my $p = loose($want);
			$bad //= "want $want, got $line" unless $line =~ /^$p/i;
			return;
		}
		$bad //= "want $want, got nothing";
	};
	while (<$f>) {
		s/\r?\n$//;
		next if /^#/ || /^\s*$/;
		if (/^C: ?(.*)/) {
			$sent .= "$1\r\n";
		} elsif (/^S: (.*)/) {
			$check->($1);
			last if defined $bad;
		}
	}
	$c->send($sent) if $sent ne '';
	$c->close;
	return $bad;
}

for my $file (sort glob "$dir/imap-james/*.test") {
	my ($name) = $file =~ m{([^/]+)\.test$};
	SKIP: {
		skip "$name: $other{$name}", 1 if $other{$name};
		my $bad = eval { run($file) } // $@;
		ok !$bad, $name or diag $bad;
	}
}
done_testing;
