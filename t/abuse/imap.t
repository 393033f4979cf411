#!/usr/bin/perl
# What a client tries after login: sizes, counts, nesting, floods, and reading
# slowly. Each is refused or served, and the session's memory stays bounded.
use strict;
use warnings;
use File::Temp 'tempdir';
use FindBin;
use lib "$FindBin::Bin/..";
use Imap;
use Test::More;

my $root = tempdir(CLEANUP => 1);
mkdir "$root/$_" for 'run', 'conf';
open my $f, '>', "$root/conf/host" or die;
print $f "host name=localhost max-message-size=2m\n";
close $f;
system("$ENV{PNEU_BIN}/conf-build", '-C', $root) == 0 or die 'conf-build';

my $c;

# Most memory that the session has ever had, in KiB.
sub peak {
	open my $s, '<', "/proc/$c->{pid}/status" or die;
	my ($kib) = map { /^VmHWM:\s+(\d+)/ ? $1 : () } <$s>;
	return $kib // die "the session has ended\n";
}

sub bounded {
	my ($most, $name) = @_;
	SKIP: {
		skip 'sanitizers use more', 1 if $ENV{PNEU_BIN} =~ /asan/;
		my $kib = peak();
		cmp_ok $kib, '<', $most * 1024, "$name: under $most MiB" or
		    diag "$kib KiB";
	}
}

sub fresh { $c = Imap->serve($root, 'ann'); $c->ok('SELECT INBOX') }

# ---- APPEND
fresh();
$c->send("a APPEND INBOX {2097153}\r\n");
like $c->line, qr/^a NO \[TOOBIG\]/, 'message too big: no continuation';
$c->send("b APPEND INBOX {99999999999999999999999}\r\n");
like $c->line, qr/^b NO \[TOOBIG\]/, 'beyond 64 bits';
like join("\n", $c->cmd('STATUS INBOX (APPENDLIMIT)')), qr/APPENDLIMIT 2097152\)/,
    'STATUS says the limit (RFC 7889)';
like $c->append('INBOX', 'x' x 2097152), qr/^OK/, 'the limit itself';
bounded(16, 'a large message');
$c->send("c APPEND INBOX {4294967296+}\r\n");
like $c->line, qr/^\* 1 EXISTS|^c NO \[TOOBIG\]/, 'not asked for: refused';
like join("\n", $c->finish('none')), qr/^\* BYE \[ALERT\]/m, 'and the end';
is $c->close, 0, 'exit 0';
ok !glob("$root/mail/ann/Maildir/tmp/*"), 'nothing stays in tmp/';

# ---- literals and lines
fresh();
$c->send("a LOGIN {4294967295}\r\n");
like $c->line, qr/^a BAD \[TOOBIG\]/, 'literal of 4 GiB';
$c->send("b SEARCH SUBJECT {102400+}\r\n" . 'x' x 102400 .
    (" SUBJECT {102400+}\r\n" . 'x' x 102400) x 10 . "\r\n");
like join("\n", $c->finish('none')), qr/^b BAD \[TOOBIG\]/m, 'literals of 1.1 MiB';
$c->close;
fresh();
my $pieces = 'b SEARCH' . " SUBJECT {0+}\r\n" x 1001 . "\r\n";
$c->send($pieces);
like join("\n", $c->finish('none')), qr/^b BAD \[TOOBIG\]/m, '1001 literals';
$c->close;
fresh();
like $c->ok('SEARCH' . (" SUBJECT {100000+}\r\n" . 'x' x 100000) x 10),
    qr/^OK/, 'literals of a megabyte';
bounded(16, 'literals');
$c->close;

# ---- numbers and nesting
fresh();
like $c->ok('FETCH 1:4294967295 FLAGS'), qr/^BAD/, 'numbers out of range';
like $c->ok('UID FETCH ' . join(',', map { $_ % 2 ? '1:4294967295' : '4294967295:1' } 1 .. 4500) . ' FLAGS'),
    qr/^OK/, 'overlapping ranges are one answer';
like $c->ok('UID FETCH ' . join(',', map { 2 * $_ } 1 .. 11000) . ' FLAGS'),
    qr/^OK/, 'as many numbers as a line holds';
like $c->ok('UID FETCH ' . join(',', 1 .. 100000) . ' FLAGS'), qr/^BAD \[TOOBIG\]/,
    '100000 numbers';
like $c->ok('SEARCH ' . 'NOT ' x 10000 . 'ALL'), qr/^BAD/, 'NOT 10000 deep';
like $c->ok('SEARCH ' . '(' x 30000 . 'ALL' . ')' x 30000), qr/^BAD/, 'parentheses 30000 deep';
like $c->ok('SEARCH ' . 'OR ALL ' x 9000 . 'ALL'), qr/^BAD/, 'OR 9000 deep';
like $c->ok('SEARCH ' . '(' x 90 . 'ALL' . ')' x 90), qr/^OK/, '90 deep is served';
like $c->ok('SEARCH ' . 'TEXT y ' x 9000 . 'ALL'), qr/^BAD/, '9000 texts to look for';
like $c->ok('SEARCH ' . 'NOT TEXT y ' x 100 . 'ALL'), qr/^OK/, '100 texts are looked for';
like $c->ok('FETCH 1 (' . join(' ', ('UID') x 10000) . ')'), qr/^BAD/, '10000 items';
like $c->ok('FETCH 1 BODY[' . join('.', (1) x 10000) . ']'), qr/^BAD/, 'part 10000 deep';
like $c->ok('LIST "" (' . '* ' x 20000 . '*)'), qr/^(OK|BAD|NO)/, '20000 patterns';
like $c->ok('STORE 1 +FLAGS (' . join(' ', map { "k$_" } 1 .. 8000) . ')'),
    qr/^(NO|BAD)/, '8000 keywords';
bounded(32, 'numbers and nesting');
$c->close;

# ---- headers of a megabyte, asked for 200 times
fresh();
my $wide = "Subject: x\r\n" . ('X-A: ' . 'y' x 900 . "\r\n") x 1000 . "\r\nz\r\n";
$c->append('INBOX', $wide) for 1 .. 8;
$c->send('h FETCH 2:9 (' . join(' ', ('BODY.PEEK[HEADER.FIELDS.NOT (To)]') x 20) . ")\r\n");
my $n = 0;
my $line;
$n += length $line while defined($line = $c->line) && $line !~ /^h /;
cmp_ok $n, '>', 8 * 20 * 900_000, 'all of it comes';
bounded(48, 'wide headers');

# ---- a flood of commands, and a reader that does not read
$c->send(join '', map { "p$_ NOOP\r\n" } 1 .. 5000);
my @last = $c->finish('p5000');
like $last[-1], qr/^p5000 OK/, '5000 commands in one go';
$c->send("r FETCH 1:9 BODY.PEEK[]\r\n" x 20);
select undef, undef, undef, 0.3; # it fills the pipe and waits
bounded(48, 'nobody reads');
kill 0, $c->{pid} or fail 'it died';
my $done = 0;
while ($done < 20 && defined($line = $c->line)) { $done++ if $line =~ /^r OK/ }
is $done, 20, 'and goes on when somebody does';
$c->close;
done_testing;
