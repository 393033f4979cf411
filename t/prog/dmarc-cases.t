#!/usr/bin/perl
# The cases of t/dmarc-cases: examples and rules of RFC 9989, a name server for
# each zone, a line for each case.
use strict;
use warnings;
use Cwd 'abs_path';
use File::Basename;
use File::Temp 'tempdir';

my $top = abs_path(dirname($0) . '/../..');
my $bin = $ENV{PNEU_BIN} || "$top/obj/release/bin";
my $tools = $ENV{PNEU_TOOLS} || "$top/obj/release/tools";
my $tmp = tempdir(CLEANUP => 1);
$| = 1;

my ($n, $failed, $cases) = (0, 0, 0);
sub ok {
	my ($good, $name, @more) = @_;
	printf "%sok %d - %s\n", $good ? '' : 'not ', ++$n, $name;
	return if $good;
	$failed++;
	print "# $_" =~ s/\n?\z/\n/r for @more;
}

# A tuple line as [ [ name, value ], ... ]; escapes are dnsfake's matter.
sub attrs {
	my ($line) = @_;
	my @all;
	while ($line =~ /\G\s*([a-z0-9-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/gc) {
		push @all, [ $1, $2 // $3 ];
	}
	die "cannot read: $line" if $line !~ /\G\s*$/;
	return @all;
}

my ($pid, $server);
sub stop {
	return if !$pid;
	kill 'TERM', $pid;
	waitpid $pid, 0;
	$pid = 0;
}
END {
	my $code = $?;
	stop();
	$? = $code;
}

sub start {
	my ($zone) = @_;
	stop();
	open my $f, '>', "$tmp/zone" or die;
	print $f $zone;
	close $f;
	unlink "$tmp/log";
	$pid = open my $pipe, '-|', "$tools/dnsfake", '-a', '-l', "$tmp/log",
	    "$tmp/zone" or die "dnsfake: $!";
	(<$pipe> // '') =~ /port (\d+)/ or die 'dnsfake did not start';
	$server = "127.0.0.1:$1";
	$SIG{PIPE} = 'IGNORE';
	our @keep;
	push @keep, $pipe;
}

my $seen = 0; # bytes of the log
sub asked { # the _dmarc names since then, sorted, without that label
	open my $f, '<', "$tmp/log" or return '';
	seek $f, $seen, 0;
	my %names = map { /^TXT _dmarc\.(\S+?)\.?$/ ? ($1 => 1) : () } <$f>;
	return join ' ', sort keys %names;
}

sub run_case {
	my %c = map { @$_ } @_;
	my $from = $c{from};
	my $env = "job id=abcdefghabcdefgh size=3 time=1700000000\n" .
	    "client ip=192.0.2.7 helo=x\nfrom addr=" .
	    ($c{sender} // 'bounce@other.test') . "\n" .
	    ($c{imf} ? "imf $c{imf}\n" : "imf result=ok from=a\@$from " .
	    "from-domain=$from from-count=1 from-addrs=1\n");
	for (split /,/, $c{spf} // '') {
		my ($result, $domain, $id) = split /:/;
		$env .= 'spf result=' . $result . ' identity=' .
		    ($id // 'mailfrom') . " domain=$domain\n";
	}
	for (split /,/, $c{dkim} // '') {
		my ($result, $domain) = split /:/;
		$env .= "dkim result=$result domain=$domain selector=s\n";
	}
	open my $f, '>', "$tmp/job" or die;
	print $f $env =~ s/\\"/"/gr, "\nx\r\n";
	close $f;
	$seen = -s "$tmp/log" // 0;
	my @org = $c{org} ? ('-o', $c{org}) : ();
	my $out = `$bin/dmarc-eval -C $tmp/root -s $server @org <$tmp/job 2>$tmp/err`;
	my $status = $? >> 8;
	my ($line) = $out =~ /^(dmarc .*)$/m;
	my ($eval) = $out =~ /^(evaluation .*)$/m;
	my %got = map { @$_ } attrs(($line // '') =~ s/^dmarc//r);
	my @bad;
	push @bad, "exit $status" if $status != 0;
	for (split ' ', $c{want} // '') {
		if (/^-(.+)/) {
			push @bad, "has $1" if exists $got{$1};
		} elsif (/^(.+?)=(.*)/) {
			push @bad, "not $_" if ($got{$1} // '(none)') ne $2;
		} else {
			die "want: $_";
		}
	}
	push @bad, 'asked ' . asked() if defined $c{asked} &&
	    asked() ne join ' ', sort split ' ', $c{asked};
	push @bad, 'evaluation ' . ($eval // 'none') if defined $c{evaluation} &&
	    ($c{evaluation} eq 'no' ? defined $eval :
	    index($eval // '', $c{evaluation}) == -1);
	ok(!@bad, $c{name}, @bad, $line // $out);
	$cases++;
}

mkdir "$tmp/root";
mkdir "$tmp/root/conf";
open my $psl, '>', "$tmp/psl" or die;
print $psl "// ===BEGIN ICANN DOMAINS===\ncom\ntest\nco.test\nexample\n" .
    "// ===END ICANN DOMAINS===\n";
close $psl;
system("$bin/psl-build -C $tmp/root $tmp/psl") == 0 or die;

open my $table, '<', "$top/t/dmarc-cases" or die "dmarc-cases: $!";
my ($zone, $open) = ('', 0);
my $text = join '', <$table>;
$text =~ s/\n[ \t]+/ /g;
for (split /\n/, $text) {
	next if /^#|^\s*$/;
	if (/^zone /) {
		$zone = '';
		$open = 0;
	} elsif (/^dmarc (.*)/) {
		my @a = attrs($1);
		my ($at) = map { $_->[0] eq 'at' ? $_->[1] : () } @a;
		$zone .= "rr name=_dmarc.$at type=TXT" . join('', map {
		    $_->[0] eq 'text' ? " value=\"$_->[1]\"" : () } @a) . "\n";
		$open = 0;
	} elsif (/^(rr|act) /) {
		$zone .= "$_\n";
		$open = 0;
	} elsif (/^case (.*)/) {
		my $case = $1;
		start($zone) if !$open;
		$open = 1;
		run_case(attrs($case));
	} else {
		die "cannot read: $_";
	}
}
print "# $cases cases\n1..$n\n";
exit($failed != 0);
