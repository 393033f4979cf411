#!/usr/bin/perl
# The MIME structure of messages from other projects' tests.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Find;
use JSON::PP;
use FindBin;
require "$FindBin::Bin/../imf.pl";

my $dir = vectors('mime-stalwart');
$dir = dirname($dir);
my $tmp = File::Temp::tempdir(CLEANUP => 1);

sub files_of {
	my ($set) = @_;
	my @files;
	find({ no_chdir => 1, wanted => sub {
		push @files, $_ if -f && !/SOURCE|\.(json|xml|out|golden)$|_decoded/;
	} }, "$dir/$set");
	return sort @files;
}

# Every message of every set: valid records, offsets inside.
for my $set (qw(mime-mime4j mime-stalwart mime-james mime-enmime mime-python
    mime-ruby-mail mime-nodemailer dsn)) {
	next unless -d "$dir/$set";
	my @files = files_of($set);
	my $records = dump_files(@files);
	my @bad = grep { defined sound($records->{$_}) } @files;
	print '# ', $_, ': ', sound($records->{$_}), "\n" for @bad;
	ok(@files > 5 && !@bad, "$set: " . @files . ' messages, ' . @bad .
	    ' with unsound records');
}

# stalwart: where the leaves' bodies begin and end.
# We differ on purpose: a multipart without parts has one, a delimiter line is
# exact, an outer boundary closes inner parts, text/plain where the header
# breaks off.
my %differ = map { $_ => 1 } map { "malformed-$_" } qw(000 001 004 007 009 011
    012 013 014 016 020 021 022);
$differ{$_} = 1 for qw(thirdparty-005 thirdparty-015);

sub leaves_want {
	my ($message, $list) = @_;
	for my $p (@{$message->{parts}}) {
		next if ref $p->{body} && exists $p->{body}{Multipart};
		push @$list, "$p->{offset_body}-$p->{offset_end}";
	}
}

sub leaves_got {
	my ($records) = @_;
	my (@list, @inner);
	for my $r (grep { $_->[0] eq 'part' } @$records) {
		my $p = $r->[1];
		if (exists $p->{inner}) {
			push @inner, $p->{n};
			next;
		}
		next if $p->{type} eq 'multipart' ||
		    grep { $p->{n} =~ /\A\Q$_\E\./ } @inner;
		push @list, "$p->{'body-at'}-" .
		    ($p->{'body-at'} + $p->{'body-len'});
	}
	return @list;
}

my %want;
for my $eml (grep { /\.eml$/ } files_of('mime-stalwart')) {
	(my $json = $eml) =~ s/eml$/crlf.json/;
	next unless -f $json;
	(my $name = $eml) =~ s{.*/(\w+)/(\w+)\.eml}{$1-$2};
	my $text = slurp($eml);
	$text =~ s/\r?\n/\r\n/g;
	open(my $f, '>:raw', "$tmp/$name") or die;
	print $f $text;
	close $f;
	my @list;
	leaves_want(decode_json(slurp($json)), \@list);
	$want{"$tmp/$name"} = "@list";
}
my $got = dump_files(sort keys %want);
my ($same, $known, $wrong) = (0, 0, 0);
for my $path (sort keys %want) {
	my @list = leaves_got($got->{$path});
	(my $name = $path) =~ s{.*/}{};
	if ("@list" eq $want{$path}) {
		$same++;
	} elsif ($differ{$name}) {
		$known++;
	} else {
		$wrong++;
		print "# $name: want $want{$path} got @list\n";
	}
}
ok($same > 80 && $wrong == 0, "stalwart: leaves of $same messages the same, " .
    "$known differ on purpose, $wrong wrong");

# mime4j: the tree, as "m(l,M[l])": multipart, leaf, message.
my $token;
sub tree_want {
	my ($xml) = @_;
	my $out = '';
	while ($$xml =~ m{\G.*?<(/?)(message|multipart|body-part|body)>}gcs) {
		my ($end, $name) = ($1, $2);
		return $out if $end && $name =~ /^(message|multipart|body-part)$/;
		next if $end;
		if ($name eq 'body') {
			$$xml =~ m{\G.*?</body>}gcs;
			return 'l' . skip_to_end($xml);
		}
		if ($name eq 'multipart') {
			my @parts;
			while ($$xml =~ m{\G.*?<(body-part|/multipart)>}gcs) {
				last if $1 eq '/multipart';
				push @parts, tree_want($xml);
			}
			# A multipart without parts has one here.
			@parts = ('l') unless @parts;
			return 'm(' . join(',', @parts) . ')' . skip_to_end($xml);
		}
		return 'M[' . tree_want($xml) . ']' . skip_to_end($xml);
	}
	return $out;
}
sub skip_to_end { # of the entity
	my ($xml) = @_;
	$$xml =~ m{\G.*?</(message|body-part)>}gcs;
	return '';
}

sub tree_got {
	my ($parts, $at) = @_;
	my $p = $parts->[$$at++];
	my $next = $parts->[$$at];
	if ($p->{type} eq 'multipart') {
		my $prefix = $p->{n} eq '' ? '' : "$p->{n}.";
		my @list;
		while (defined($next = $parts->[$$at]) &&
		    $next->{n} =~ /\A\Q$prefix\E[0-9]+\z/) {
			push @list, tree_got($parts, $at);
		}
		return 'm(' . join(',', @list) . ')';
	}
	return 'M[' . tree_got($parts, $at) . ']' if defined $next &&
	    exists $next->{inner} && $next->{n} eq $p->{n} &&
	    $p->{type} eq 'message';
	return 'l';
}

# message/rfc822 in base64 is a leaf here; a boundary that ends in blanks.
%differ = map { $_ => 1 } qw(multi-2gifs-base64 weird-boundary
    bad-newlines-multiple-parts-base64 base64encoded-rfc822message
    base64encoded-rfc822message-nested);
($same, $known, $wrong) = (0, 0, 0);
my @msgs = grep { /\.msg$/ } files_of('mime-mime4j');
$got = dump_files(@msgs);
for my $msg (@msgs) {
	(my $name = $msg) =~ s{.*/(.*)\.msg}{$1};
	(my $path = $msg) =~ s/msg$/xml/;
	next unless -f $path;
	my $xml = slurp($path);
	$xml =~ m{\G.*?<message>}gcs or next;
	my $want = tree_want(\$xml);
	my @parts = map { $_->[1] } grep { $_->[0] eq 'part' } @{$got->{$msg}};
	my $at = 0;
	my $tree = tree_got(\@parts, \$at);
	if ($tree eq $want) {
		$same++;
	} elsif ($differ{$name}) {
		$known++;
	} else {
		$wrong++;
		print "# $name: want $want got $tree\n";
	}
}
ok($same > 60 && $wrong == 0, "mime4j: $same trees the same, $known differ " .
    "on purpose, $wrong wrong");
finish();
