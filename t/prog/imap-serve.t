#!/usr/bin/perl
# imap-serve on pipes: each command, with the state it leaves behind, and the
# quirks of clients (Q numbers).
use strict;
use warnings;
use File::Temp 'tempdir';
use FindBin;
use lib "$FindBin::Bin/..";
use Imap;
use Test::More;

my $root = tempdir(CLEANUP => 1);
$ENV{TZ} = 'UTC';
mkdir "$root/run";

my $mail = "From: Ann <ann\@example.net>\r\nTo: bob\@example.org\r\n" .
    "Subject: =?utf-8?q?caf=C3=A9?= time\r\n" .
    "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n\r\nbody text\r\n";
my $multi = "From: a\@b.example\r\nSubject: parts\r\nMIME-Version: 1.0\r\n" .
    "Content-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\n" .
    "Content-Type: text/plain; charset=utf-8\r\n" .
    "Content-Transfer-Encoding: base64\r\n\r\nc2Now7ZuZQ==\r\n--x\r\n" .
    "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n" .
    "--x--\r\n";

my $c = Imap->serve($root, 'ann');
like $c->{greeting}, qr/^\* PREAUTH \[CAPABILITY IMAP4rev2 .*\] /, 'greeting';

sub has {
	my ($cmd, $want, $name) = @_;
	my @lines = $c->cmd($cmd);
	my $all = join "\n", @lines;
	like $all, $want, $name // $cmd or diag $all;
	return @lines;
}

sub tagged {
	my ($cmd, $want, $name) = @_;
	like $c->ok($cmd), $want, $name // $cmd;
}

# ---- any state
has 'CAPABILITY', qr/^\* CAPABILITY IMAP4rev2.* MOVE.*\nt\d+ OK/;
has 'ID ("name" "x" "version" NIL)', qr/^\* ID \("name" "pneu".*\nt\d+ OK/;
has 'ID NIL', qr/^\* ID .*\nt\d+ OK/;
tagged 'ID (x)', qr/^BAD/;
tagged 'NOOP', qr/^OK/;
tagged 'NOOP x', qr/^BAD/;
tagged 'FROBNICATE', qr/^BAD/;
tagged 'FETCH 1 FLAGS', qr/^NO/, 'FETCH without a mailbox';
tagged 'LOGIN a b', qr/^NO/;
has 'NAMESPACE', qr/^\* NAMESPACE \(\("" "\/"\)\) NIL NIL\n/;

# ---- mailboxes
has 'LIST "" ""', qr/^\* LIST \(\\NoSelect\) "\/" ""\n/;
has 'LIST "" *', qr/\* LIST \([^)]*\\Sent\) "\/" Sent/, 'special use (Q25)';
has 'LIST "" inbox', qr/^\* LIST \([^)]*\) "\/" INBOX\nt\d+ OK/, 'INBOX (Q14)';
tagged 'CREATE a/b/c', qr/^OK/;
has 'LIST "" %', qr/\* LIST \(\\HasChildren\) "\/" a\n/;
unlike join("\n", $c->cmd('LIST "" %')), qr/ a\/b/, '% stops at /';
has 'LIST "" a/%', qr/^\* LIST \(\\HasChildren\) "\/" a\/b\nt/;
has 'LIST "a" *', qr/ a\/b\n.* a\/b\/c\n/, 'reference';
has 'LIST "" a/', qr/^\* LIST .* a\nt/, 'one separator too many (Q27)';
has 'LIST "" (a a/b)', qr/ a\n.* a\/b\n/, 'two patterns';
has 'XLIST "" INBOX', qr/^\* XLIST \(.*\\Inbox\) "\/" INBOX/;
has 'LIST (SPECIAL-USE) "" *', qr/^(\* LIST \(\\\w+\) .*\n){5}t/;
tagged 'LIST (RECURSIVEMATCH) "" *', qr/^BAD/;
tagged 'LIST (FOO) "" *', qr/^BAD/;
has 'LIST "" a RETURN (STATUS (MESSAGES UNSEEN) SUBSCRIBED)',
    qr/^\* LIST \(\\Subscribed\) "\/" a\n\* STATUS a \(MESSAGES 0 UNSEEN 0\)\n/;
tagged 'CREATE a/b/c', qr/^NO \[ALREADYEXISTS\]/;
tagged 'CREATE INBOX', qr/^NO/;
tagged 'CREATE "x//y"', qr/^NO \[CANNOT\]/;
tagged 'CREATE "../x"', qr/^NO \[CANNOT\]/, 'no way out of the account';
tagged 'CREATE "&AGE-"', qr/^BAD/, 'superfluous shift';
tagged 'CREATE &2D3eAA-', qr/^OK/, 'surrogates (Q44)';
has 'LIST "" &2D3eAA-', qr/^\* LIST .* "\/" &2D3eAA-\n/;
tagged 'DELETE &2D3eAA-', qr/^OK/;
tagged 'DELETE a/b', qr/^NO \[HASCHILDREN\]/;
tagged 'DELETE nope', qr/^NO \[NONEXISTENT\]/;
tagged 'DELETE inbox', qr/^NO/;
tagged 'RENAME a/b d', qr/^OK/;
has 'LIST "" d*', qr/ d\n.* d\/c\n/, 'children move along';
tagged 'RENAME nope e', qr/^NO \[NONEXISTENT\]/;
tagged 'RENAME d a', qr/^NO \[ALREADYEXISTS\]/;
tagged 'CREATE todo (USE (\Flagged))', qr/^NO \[USEATTR\]/;
tagged 'CREATE old (USE (\Archive))', qr/^OK/;
has 'LIST "" (old Archive)', qr/Archive\n.*\\Archive\) "\/" old/;
tagged 'SUBSCRIBE not/there', qr/^OK/;
has 'LSUB "" not/*', qr/^\* LSUB \(\) "\/" not\/there\n/;
has 'LSUB "" n%', qr/^\* LSUB \(\\NoSelect\) "\/" not\n/;
has 'LIST (SUBSCRIBED) "" not*',
    qr/^\* LIST \(\\NonExistent \\Subscribed\) "\/" not\/there\n/;
tagged 'UNSUBSCRIBE not/there', qr/^OK/;
my $stars = '*%' x 400 . 'x';
tagged "LIST \"\" $stars", qr/^OK/, 'a pattern of many stars';

# imapsync (Q39)
tagged 'CREATE "Old/2024/Work"', qr/^OK/, 'nested CREATE';
has 'STATUS "Old/2024/Work" (MESSAGES UIDNEXT UIDVALIDITY)',
    qr/^\* STATUS Old\/2024\/Work \(MESSAGES 0 UIDNEXT 1 UIDVALIDITY \d+\)\nt\d+ OK/,
    'STATUS, by the same name';
tagged 'SUBSCRIBE "Old/2024/Work"', qr/^OK/;
has 'LSUB "" "Old*"', qr/^\* LSUB \(\) "\/" Old\n.* Old\/2024\n.* Old\/2024\/Work\nt/,
    'subscribed';
tagged 'CREATE INBOX/z', qr/^OK/, 'below INBOX';
has 'LIST "" "inbox/*"', qr/^\* LIST \(\\HasNoChildren\) "\/" INBOX\/z\nt/;
tagged "DELETE $_", qr/^OK/ for 'INBOX/z', 'Old/2024/Work', 'Old/2024', 'Old';

# ---- select
has 'STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE)',
    qr/^\* STATUS INBOX \(MESSAGES 0 UIDNEXT 1 UIDVALIDITY \d+ UNSEEN 0 SIZE 0\)/;
tagged 'STATUS INBOX ()', qr/^BAD/, 'no empty list (Q22)';
my @sel = $c->cmd('SELECT InBoX');
like $sel[0], qr/^\* FLAGS \(\\Seen /, 'FLAGS first';
is_deeply [grep /^\* OK \[[^]]*\]$/, @sel], [], 'text behind codes (Q21)';
ok grep(/^\* 0 EXISTS$/, @sel), 'EXISTS';
ok grep(/^\* 0 RECENT$/, @sel), 'RECENT in rev1';
like $sel[-1], qr/ OK \[READ-WRITE\]/, 'READ-WRITE';
tagged 'FETCH 1 FLAGS', qr/^BAD/, 'no such message';
has 'UID FETCH 1:* FLAGS', qr/^t\d+ OK/, 'no message at all';

# ---- append
has 'APPEND nope {3+}' . "\r\nabc", qr/^t\d+ NO \[TRYCREATE\]/;
like $c->append('INBOX', $mail, '(\Flagged foo $Junk) "17-Jul-1996 02:44:25 -0700"'),
    qr/^OK \[APPENDUID \d+ 1\]/, 'APPEND';
like $c->append('INBOX', $multi), qr/^OK \[APPENDUID \d+ 2\]/, 'APPEND again';
$c->send("m APPEND INBOX {3}\r\n");
like $c->line, qr/^\+ /, 'continuation with a text (Q8)';
$c->send("abc {4}\r\n");
like $c->line, qr/^\+ /, 'second message';
$c->send("abcd\r\n");
like join("\n", $c->finish('m')), qr/4 EXISTS\n\* 0 RECENT\nm OK \[APPENDUID \d+ 3:4\]/,
    'MULTIAPPEND';
$c->send("y APPEND INBOX {104857601}\r\n");
like $c->line, qr/^y NO \[TOOBIG\]/, 'larger than max-message-size';
has 'STATUS INBOX (APPENDLIMIT)', qr/APPENDLIMIT 104857600\)/;
$c->send("z APPEND INBOX {0}\r\n");
like $c->line, qr/^z NO/, 'empty message refused';
like $c->append('{5+}' . "\r\nINBOX", 'x'), qr/^OK/, 'name as literal';
like $c->append('INBOX', "a\nb\n"), qr/^OK/, 'bare LF (Q34)';
has 'FETCH 6 BODY.PEEK[]', qr/\{6\}\r\na\r\nb\r\n\)/, 'became CRLF';
like $c->append('INBOX', 'x', '(\Foo)'), qr/^BAD/, 'unknown system flag';
tagged 'APPEND INBOX', qr/^BAD/;
tagged 'NOOP', qr/^OK/, 'in step';

# ---- fetch
has 'FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)',
    qr/^\* 1 FETCH \(UID 1 FLAGS \(\\Flagged \$Junk foo\) INTERNALDATE "17-Jul-1996 09:44:25 \+0000" RFC822.SIZE ${\length $mail}\)\n/;
has 'FETCH 1 ENVELOPE', qr/\(\("Ann" NIL "ann" "example.net"\)\)/;
has 'FETCH 1 BODY', qr/BODY \("TEXT" "PLAIN" [^)]* "7BIT" 11 1\)\)/i,
    'BODY: encoding and lines (Q16)';
has 'FETCH 1 BODYSTRUCTURE', qr/"7BIT" 11 1 NIL NIL NIL NIL\)\)/i,
    'BODYSTRUCTURE: all fields (Q7)';
has 'FETCH 2 BODYSTRUCTURE', qr/"MIXED" \("BOUNDARY" "x"\)/i;
has 'FETCH 2 BODY', qr/ "MIXED"\)\)\n/i, 'BODY of a multipart';
has 'FETCH 1 BODY.PEEK[HEADER.FIELDS ("Subject" {4+}' . "\r\ndate)]",
    qr/\]\ \{\d+\}\r\nSubject: .*\r\nDate: .*\r\n\r\n\)/, 'field names (Q24)';
has 'FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (subject)]', qr/^(?!.*Subject:)/s;
has 'FETCH 1 BODY.PEEK[]<2.5>', qr/BODY\[\]<2> \{5\}\r\nom: A\)/;
has 'FETCH 1 BODY.PEEK[]<9999.5>', qr/BODY\[\]<9999> \{0\}\r\n\)/;
has 'FETCH 2 (BODY.PEEK[1] BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT] BODY.PEEK[2.1] BODY.PEEK[1.MIME])',
    qr/BODY\[1\] \{12\}\r\nc2Now7ZuZQ== BODY\[2.HEADER\] \{18\}\r\nSubject: inner\r\n\r\n BODY\[2.TEXT\] \{6\}\r\ninside BODY\[2.1\] \{6\}\r\ninside BODY\[1.MIME\] \{\d+\}\r\nContent-Type: text/;
has 'FETCH 2 BODY.PEEK[7]', qr/BODY\[7\] NIL/, 'no such part';
has 'FETCH 2 (BINARY.PEEK[1] BINARY.SIZE[1])',
    qr/BINARY\[1\] ~\{7\}\r\nsch\xc3\xb6ne BINARY.SIZE\[1\] 7\)/;
unlike join('', $c->cmd('FETCH 1 FLAGS')), qr/Seen/, 'PEEK does not set \Seen';
has 'FETCH 1 BODY[TEXT]', qr/FLAGS \(\\Seen .*BODY\[TEXT\] \{11\}/,
    'BODY[] sets it and says so';
tagged 'FETCH 1:99 FLAGS', qr/^BAD/, 'number out of range';
has 'UID FETCH 5:1 UID', qr/^(\* (\d) FETCH \(UID \2\)\n){5}t/,
    'descending set, ascending answer (Q23)';
has 'UID FETCH 999:* UID', qr/^\* 6 FETCH \(UID 6\)\nt/, 'n:* beyond (Q3)';
has 'FETCH * UID', qr/^\* 6 FETCH/;
tagged 'FETCH 0 UID', qr/^BAD/;
tagged 'FETCH 1 (UID FOO)', qr/^BAD/;
has 'FETCH 1 FULL', qr/FLAGS .*INTERNALDATE .*RFC822.SIZE .*ENVELOPE .*BODY /;
has 'FETCH 1 (PREVIEW SAVEDATE)', qr/PREVIEW "body text" SAVEDATE "/;
has 'UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0)', qr/MODSEQ.*MODSEQ/s,
    'CHANGEDSINCE 0 (Q9)';

# ---- search
has 'SEARCH ALL', qr/^\* SEARCH 1 2 3 4 5 6\n/;
has 'SEARCH SEEN', qr/^\* SEARCH 1\n/;
has 'SEARCH UNSEEN FROM a@b', qr/^\* SEARCH 2\n/;
has 'SEARCH NOT (OR FROM ann FROM a@b.example)', qr/^\* SEARCH 3 4 5 6\n/;
has 'SEARCH CHARSET UTF-8 SUBJECT {6+}' . "\r\nCaF\xc3\x89 ",
    qr/^\* SEARCH 1\n/, 'encoded word, other case';
has "SEARCH BODY \"SCH\xc3\x96NE\"", qr/^\* SEARCH 2\n/, 'decoded body';
has 'SEARCH TEXT inner', qr/^\* SEARCH 2\n/, 'header of a nested message';
has 'SEARCH BEFORE 18-Jul-1996', qr/^\* SEARCH 1\n/;
has 'SEARCH ON 17-Jul-1996 SENTON 7-Feb-1994', qr/^\* SEARCH 1\n/;
has 'SEARCH SENTSINCE 7-Feb-1994', qr/^\* SEARCH 1\n/, 'the day itself';
has 'SEARCH LARGER 100', qr/^\* SEARCH 1 2\n/;
has 'SEARCH KEYWORD FOO', qr/^\* SEARCH 1\n/;
has 'SEARCH HEADER subject ""', qr/^\* SEARCH 1 2\n/;
has 'SEARCH UID 2:3 1:2', qr/^\* SEARCH 2\n/;
has 'SEARCH YOUNGER 3600', qr/^\* SEARCH 2 3 4 5 6\n/;
has 'SEARCH RETURN (MIN MAX COUNT) ALL',
    qr/^\* ESEARCH \(TAG "t\d+"\) MIN 1 MAX 6 COUNT 6\n/, 'tag quoted (Q6)';
has 'UID SEARCH RETURN (SAVE) LARGER 100', qr/^t\d+ OK/;
has 'FETCH $ UID', qr/^\* 1 .*\n\* 2 .*\nt/, 'saved result';
tagged 'SEARCH CHARSET KOI8-R ALL', qr/^NO \[BADCHARSET\]/;
tagged 'SEARCH FOO', qr/^BAD/;
tagged 'SEARCH ' . 'NOT ' x 5000 . 'ALL', qr/^BAD/, 'deep nesting refused';

# ---- store
has 'STORE 3 +FLAGS (\Deleted Bar)', qr/^\* FLAGS .*\n.*\n\* 3 FETCH \(UID 3 FLAGS \(\\Deleted bar\)/i;
has 'STORE 3 -FLAGS bar', qr/FLAGS \(\\Deleted\)/;
has 'STORE 4 FLAGS.SILENT \Deleted', qr/^(?!.*FLAGS \()/s;
tagged 'STORE 1 FLAGS (\Nope)', qr/^BAD/;
tagged 'STORE 1 FLAGS ("x")', qr/^BAD/, 'keywords are atoms (Q20)';
has 'STORE 1 (UNCHANGEDSINCE 1) FLAGS (\Draft)', qr/ OK \[MODIFIED 1\]/;
has 'FETCH 1 FLAGS', qr/FLAGS \((?!.*Draft)/;

# ---- copy, move, expunge
has 'COPY 1:2 nope', qr/NO \[TRYCREATE\]/;
has 'COPY 1:2 d', qr/OK \[COPYUID \d+ 1:2 1:2\]/;
has 'UID COPY 999 d', qr/ OK/, 'nothing to copy';
has 'UID MOVE 2 d', qr/^\* OK \[COPYUID \d+ 2 3\].*\n\* 2 EXPUNGE\nt\d+ OK/;
has 'STATUS d (MESSAGES)', qr/MESSAGES 3/;
$c->send("p STORE 4 +FLAGS.SILENT (\\Deleted)\r\nq EXPUNGE\r\n");
like join("\n", $c->finish('q')), qr/p OK.*\n(\* 2 EXPUNGE\n){2}\* 2 EXPUNGE\nq OK/,
    'pipelined STORE and EXPUNGE (Q40)';
has 'SEARCH ALL', qr/^\* SEARCH 1 2\n/;
has 'UID EXPUNGE 1:*', qr/^t\d+ OK/;

# ---- examine, close, unselect
has 'EXAMINE d', qr/^\* OK \[CLOSED\] .*\nt?.*READ-ONLY\]/s;
tagged 'STORE 1 +FLAGS (\Deleted)', qr/^NO \[READ-ONLY\]/;
tagged 'EXPUNGE', qr/^NO/;
tagged 'MOVE 1 INBOX', qr/^NO/;
has 'FETCH 1 BODY[TEXT]', qr/^(?!.*FLAGS)/s, 'EXAMINE sets no \Seen';
tagged 'UNSELECT', qr/^OK/;
tagged 'CLOSE', qr/^NO/;
tagged 'SELECT nope', qr/^NO \[NONEXISTENT\]/;
$c->cmd('SELECT d');
$c->cmd('STORE 1 +FLAGS.SILENT (\Deleted)');
has 'CLOSE', qr/^t\d+ OK/, 'CLOSE is silent';
has 'STATUS d (MESSAGES)', qr/MESSAGES 2/;

# ---- enable, rev2
has 'ENABLE IMAP4rev2 CONDSTORE X-Y', qr/^\* ENABLED IMAP4rev2\n/,
    'only what is new';
my $rev2 = join "\n", $c->cmd('SELECT INBOX');
unlike $rev2, qr/RECENT|\[UNSEEN/, 'no RECENT in rev2';
like $rev2, qr/^\* LIST \(\) "\/" INBOX$/m, 'LIST in SELECT';
has 'SEARCH ALL', qr/^\* ESEARCH \(TAG "t\d+"\) ALL 1:2\n/;
has "CREATE \"\xc3\xa9t\xc3\xa9\"", qr/ OK/;
has "LIST \"\" \"\xc3\xa9*\"", qr/"\/" "\xc3\xa9t\xc3\xa9"/, 'UTF-8 names';

# ---- QRESYNC
$c->cmd('ENABLE QRESYNC');
my ($valid) = $rev2 =~ /UIDVALIDITY (\d+)/;
my ($mod) = $rev2 =~ /HIGHESTMODSEQ (\d+)/;
$c->cmd('STORE 1 +FLAGS.SILENT (\Deleted)');
has 'EXPUNGE', qr/^\* VANISHED 1\nt\d+ OK \[HIGHESTMODSEQ/;
$c->cmd('UNSELECT');
has "SELECT INBOX (QRESYNC ($valid $mod))", qr/^\* VANISHED \(EARLIER\) 1$/m;
has "SELECT INBOX (QRESYNC ($valid 1))", qr/^\* VANISHED \(EARLIER\) 1:5$/m,
    'before all history';

# ---- raw UTF-8 for a client without UTF8=ACCEPT (Q41)
my $raw = "From: J\xc3\xb6rg <j\@x.example>\r\nSubject: caf\xc3\xa9\r\n" .
    "Content-Type: text/plain; name=\"\xc3\xa4.txt\"\r\n" .
    "Content-Description: d\xc3\xa9j\xc3\xa0\r\n\r\nx\r\n";
my $u = Imap->serve($root, 'utf8');
$u->append('INBOX', $raw);
$u->cmd('SELECT INBOX');
my ($seen) = $u->cmd('FETCH 1 (ENVELOPE BODYSTRUCTURE)');
like $seen, qr/^[\x20-\x7e]+$/, 'ENVELOPE and BODYSTRUCTURE are ASCII (Q41)';
like $seen, qr/"=\?utf-8\?b\?Y2Fmw6k=\?=" \(\("=\?utf-8\?b\?SsO2cmc=\?=" NIL "j" "x.example"\)\)/,
    'encoded words';
like $seen, qr/\("NAME\*" "utf-8''%C3%A4.txt"\) NIL "=\?utf-8\?b\?ZMOpasOg\?="/,
    'RFC 2231 in parameters';
$u->close;

# ---- idle and limits
$c->send("i IDLE\r\n");
like $c->line, qr/^\+ /, 'IDLE';
$c->send("done\r\nj NOOP\r\n");
like join("\n", $c->finish('j')), qr/^i OK.*\nj OK/, 'DONE and a command at once (Q1)';
$c->send("k SELECT {200000}\r\n");
like $c->line, qr/^k BAD \[TOOBIG\]/, 'literal too long';
tagged 'NOOP ' . 'x' x 70000, qr/^BAD \[TOOBIG\]/, 'line too long';
tagged 'NOOP', qr/^OK/, 'and on';
has 'LOGOUT', qr/^\* BYE .*\nt\d+ OK/;
is $c->close, 0, 'exit 0';

$c = Imap->serve($root, 'ann');
$c->send("x SELECT {200000+}\r\n");
like join("\n", $c->finish('none')), qr/BAD \[TOOBIG\].*\n\* BYE/,
    'too long and not waiting: the end';
$c->close;
$c = Imap->serve($root, 'ann');
$c->send("x IDLE\r\n");
$c->line;
$c->send("NOOP\r\n");
like $c->line, qr/^\* BYE/, 'IDLE ends with DONE only';
$c->close;
# A file that another program has cut: what is left, and the session goes on.
{
	my $d = Imap->serve($root, 'cut');
	$d->append('INBOX', "Subject: long\r\n\r\n" . "0123456789\r\n" x 10000);
	my ($file) = glob "$root/mail/cut/Maildir/new/*";
	$d->cmd('SELECT INBOX');
	truncate $file, 50000 or die "$file: $!";
	my $all = join "\n", $d->cmd('FETCH 1 BODY.PEEK[]');
	like $all, qr/BODY\[\] \{50000\}/, 'what is left of a cut file';
	like $d->ok('NOOP'), qr/^OK/, 'and the session goes on';
}

done_testing;
