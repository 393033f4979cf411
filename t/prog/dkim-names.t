#!/usr/bin/perl
# h= that names DKIM-Signature: other signatures, never the one it stands in
# (RFC 6376 section 3.5).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dkim;
use Test::More;

my $key = Dkim::key('ed25519');
my $at = Dkim::zone('k._domainkey.example.org' => [ $key->{record} ]);
my $msg = join "\r\n", 'From: Ann <ann@example.org>', 'Subject: Hi',
    'Message-ID: <1@example.org>', '', 'Hello', '';

# results MESSAGE: of each signature, from the top.
sub results {
	my ($lines, undef, $why) = Dkim::verify($_[0], $at);
	$lines ne '' ? join ' ', $lines =~ /^dkim result=(\w+)/mg : $why }
my $h = 'from:subject';
for my $c ('relaxed/relaxed', 'simple/simple') {
	my @o = ($key, c => $c);
	my $one = Dkim::sign($msg, @o, h => $h);
	is(results(Dkim::sign($msg, @o, h => "$h:dkim-signature")), 'pass',
	    "$c: there is no other");
	my $two = Dkim::sign($one, @o, h => "$h:DKIM-Signature");
	is(results($two), 'pass pass', "$c: the other");
	is(results($two =~ s/(\A.*^DKIM-Signature: v=1;)/$1 n=x;/msr), 'fail fail',
	    "$c: the other, changed");
	my $sealed = Dkim::sign($one, @o, h => "$h:dkim-signature:dkim-signature");
	is(results($sealed), 'pass pass', "$c: the other, and no more");
	is(results(Dkim::sign($sealed, @o, h => $h)), 'pass fail pass',
	    "$c: one more was added");
}
done_testing;
