#!/usr/bin/perl
# Two sessions on one account: each sees what the other did, and what another
# program did to the Maildir.
use strict;
use warnings;
use File::Temp 'tempdir';
use FindBin;
use lib "$FindBin::Bin/..";
use Imap;
use Test::More;

my $root = tempdir(CLEANUP => 1);
mkdir "$root/run";
my $a = Imap->serve($root, 'ann');
my $b = Imap->serve($root, 'ann');
my $box = "$root/mail/ann/Maildir";

sub says {
	my ($c, $cmd, $want, $name) = @_;
	my $all = join "\n", $c->cmd($cmd);
	like $all, $want, $name or diag $all;
}

$a->append('INBOX', "Subject: $_\r\n\r\nx\r\n") for 1 .. 4;
$_->cmd('SELECT INBOX') for $a, $b;

# ---- expunge: numbers hold until b may be told
$a->cmd('STORE 2 +FLAGS (\Deleted)');
$a->cmd('EXPUNGE');
says $b, 'FETCH 3 BODY.PEEK[HEADER.FIELDS (SUBJECT)]', qr/Subject: 3/,
    'message numbers are as they were';
says $b, 'FETCH 2 (UID RFC822.SIZE BODY.PEEK[])',
    qr/^\* 2 FETCH \(UID 2 RFC822.SIZE 17 BODY\[\] \{17\}\r\nSubject: 2\r\n\r\nx\r\n\)\nt\d+ OK \[EXPUNGEISSUED\]/,
    'what b has not been told of is still read';
says $b, 'FETCH 1:2 (FLAGS)',
    qr/^\* 1 FETCH \(UID 1 FLAGS \(\)\)\nt\d+ OK \[EXPUNGEISSUED\]/,
    'its flags are gone';
says $b, 'STORE 2 +FLAGS (\Seen)', qr/^t\d+ OK \[EXPUNGEISSUED\]/,
    'STORE says so';
says $b, 'SEARCH ALL', qr/^\* SEARCH 1 3 4\nt/, 'no EXPUNGE during SEARCH';
says $b, 'NOOP', qr/^\* 2 EXPUNGE\nt\d+ OK/, 'NOOP tells the expunge';
says $b, 'FETCH 2 BODY.PEEK[HEADER.FIELDS (SUBJECT)]', qr/Subject: 3/,
    'numbers have moved';

# ---- flags, and no echo to the one who set them
says $a, 'STORE 1 +FLAGS (\Flagged)', qr/^\* 1 FETCH .*Flagged.*\nt/, 'a sets';
says $a, 'NOOP', qr/^t\d+ OK/, 'a is not told again';
says $b, 'NOOP', qr/^\* 1 FETCH \(UID 1 FLAGS \(\\Flagged\)\)\nt/, 'b is told';
$a->cmd('STORE 1 -FLAGS (\Flagged)');
says $b, 'STORE 1 +FLAGS.SILENT (\Seen)', qr/^\* 1 FETCH .*FLAGS \(\\Seen\)/,
    '.SILENT shows what another has changed';

# ---- new messages
$a->append('INBOX', "Subject: 5\r\n\r\nx\r\n");
says $b, 'SEARCH UNSEEN', qr/^\* 4 EXISTS\n\* 0 RECENT\n\* SEARCH 2 3 4\nt/,
    'SEARCH sees what came this moment (Q31)';
$a->append('Trash', "Subject: moved\r\n\r\nx\r\n");
$a->cmd('SELECT Trash');
$a->cmd('MOVE 1 INBOX');
says $b, 'UID FETCH 6:* UID', qr/UID 6/, 'a moved message shows (Q4)';
$a->cmd('SELECT INBOX');

# ---- another program
open my $f, '>', "$box/new/1000.M1.x" or die;
print $f "Subject: dropped\n\nx\n";
close $f;
says $b, 'NOOP', qr/^\* 6 EXISTS\n\* 0 RECENT\nt/, 'a file in new/ shows';
my ($file) = glob "$box/cur/*1000.M1.x*";
$file //= (glob "$box/new/*1000.M1.x*")[0];
(my $to = $file) =~ s{/(?:new|cur)/([^/:]+).*}{/cur/$1:2,FS};
rename $file, $to or die;
says $b, 'NOOP', qr/^\* 6 FETCH \(UID 7 FLAGS \(\\Seen \\Flagged\)\)\nt/,
    'a renamed file shows its flags';
unlink $to;
says $b, 'NOOP', qr/^\* 6 EXPUNGE\nt/, 'a removed file is gone';
says $a, 'NOOP', qr/5 EXISTS|t\d+ OK/, 'and for the other';

# ---- idle
$b->send("i IDLE\r\n");
like $b->line, qr/^\+ /, 'b idles';
open $f, '>', "$box/new/1001.M2.x" or die;
print $f "Subject: dropped\n\nx\n";
close $f;
like $b->line(5), qr/^\* 6 EXISTS/, 'IDLE shows a file in new/';
like $b->line(5), qr/^\* 0 RECENT/, 'and RECENT, for rev1 (Q43)';
$a->cmd('STORE 1 +FLAGS (\Answered)');
like $b->line(5), qr/^\* 1 FETCH .*Answered/, 'IDLE shows flags';
$a->cmd('STORE 2 +FLAGS (\Deleted)');
like $b->line(5), qr/^\* 2 FETCH .*Deleted/, 'IDLE shows \Deleted';
$a->cmd('EXPUNGE');
like $b->line(5), qr/^\* 2 EXPUNGE/, 'IDLE shows the expunge';
my $d = Imap->serve($root, 'ann');
$d->cmd('SELECT INBOX');
$d->send("i IDLE\r\n");
$d->line;
is $b->line(0.3), undef, 'a second IDLE does not disturb (Q2)';
$b->send("DONE\r\n");
like $b->line, qr/^i OK/, 'DONE';
$d->close;

# ---- a file in new/ that somebody is still writing, as cp does
open $f, '>', "$box/new/1002.M3.x" or die;
syswrite $f, "Subject: slow\r\n\r\n";
says $b, 'NOOP', qr/^t\d+ OK/, 'half a message does not show';
syswrite $f, 'x' x 1000;
close $f;
my @told = $b->cmd('NOOP');
like join("\n", @told), qr/^\* \d+ EXISTS/m, 'it does when it is whole';
says $b, 'UID FETCH * RFC822.SIZE', qr/RFC822.SIZE 1017\)/, 'with its size';
$b->send("i IDLE\r\n");
$b->line;
open $f, '>', "$box/new/1003.M4.x" or die;
syswrite $f, "Subject: slow\r\n\r\n";
is $b->line(1.5), undef, 'nor in IDLE';
close $f;
like $b->line(5), qr/EXISTS/, 'until it is closed';
$b->line;
$b->send("DONE\r\n");
$b->finish('i');

# ---- the mailbox goes
$a->cmd('CREATE x');
$a->append('x', "Subject: 1\r\n\r\nx\r\n");
$b->cmd('SELECT x');
$a->cmd('RENAME x y');
says $b, 'FETCH 1 UID', qr/^\* 1 FETCH/, 'a renamed mailbox stays selected';
$a->cmd('DELETE y');
says $b, 'NOOP', qr/^\* 1 EXPUNGE\n\* OK \[CLOSED\].*\nt/, 'a deleted one ends';
says $b, 'FETCH 1 UID', qr/^t\d+ NO/, 'nothing is selected';
says $b, 'SELECT INBOX', qr/READ-WRITE/, 'the session lives';
$_->close for $a, $b;
done_testing;
