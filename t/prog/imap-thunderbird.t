#!/usr/bin/perl
# What Thunderbird sends, as it was recorded from version 153 with an account
# here: each command in its spelling and order, and the reply that it needs.
# Two connections, as it opens them; its folder names are UTF-8.
use strict;
use warnings;
use utf8;
use File::Temp 'tempdir';
use FindBin;
use lib "$FindBin::Bin/..";
use Imap;
use Test::More;

my $root = tempdir(CLEANUP => 1);
mkdir "$root/run";

my $headers = 'BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date ' .
    'Message-ID Priority X-Priority References Newsgroups In-Reply-To ' .
    'Content-Type Reply-To Received)]';
my $folder = 'Bücher & mehr';
utf8::encode($folder);

my $c = Imap->serve($root, 'ann');
my $other = Imap->serve($root, 'ann'); # its second connection
my $drop = Imap->serve($root, 'ann');  # what arrives meanwhile
for my $n (1 .. 4) {
	$drop->append('INBOX', "From: a\@b.example\r\nSubject: letter $n\r\n" .
	    "\r\nhello $n\r\n");
}

# All lines of the reply, in this order, each pattern for one line; the last
# is the tagged one without its tag.
sub is_told {
	my ($conn, $cmd, @want) = @_;
	my @got = $conn->cmd($cmd);
	my $tag = 't' . $conn->{n};
	$got[-1] =~ s/^$tag // if @got;
	my $good = @got == @want;
	$good &&= $got[$_] =~ $want[$_] for 0 .. $#want;
	ok $good, substr $cmd =~ s{\r.*}{}sr, 0, 60 or diag join "\n", @got;
}

my @box = (qr/^\* FLAGS \(\\Seen/, qr/^\* OK \[PERMANENTFLAGS .*\\\*\)\]/);
sub box { # messages, unseen, uidnext
	my ($messages, $unseen, $next) = @_;
	return (@box, qr/^\* 0 RECENT$/, qr/^\* $messages EXISTS$/,
	    $unseen ? qr/^\* OK \[UNSEEN $unseen\]/ : (),
	    qr/^\* OK \[UIDVALIDITY \d+\]/, qr/^\* OK \[UIDNEXT $next\]/,
	    qr/^\* OK \[HIGHESTMODSEQ \d+\]/, qr/^OK \[READ-WRITE\]/);
}

for my $conn ($c, $other) {
	is_told $conn, 'namespace', qr/^\* NAMESPACE \(\("" "\/"\)\) NIL NIL$/,
	    qr/^OK/ if $conn == $c;
	is_told $conn, 'ID ("name" "Thunderbird" "version" "153.7.0")',
	    qr/^\* ID \("name" "pneu"/, qr/^OK/;
	is_told $conn, 'ENABLE UTF8=ACCEPT', qr/^\* ENABLED UTF8=ACCEPT$/,
	    qr/^OK/;
}

# INBOX: flags of all, then headers of the new, then whole messages.
is_told $c, 'select "INBOX"', box(4, 1, 5);
is_told $c, 'UID fetch 1:* (FLAGS)',
    (map { qr/^\* $_ FETCH \(UID $_ FLAGS \(\)\)$/ } 1 .. 4), qr/^OK/;
is_told $c, "UID fetch 1:2 (UID RFC822.SIZE FLAGS $headers)",
    (map { qr/^\* $_ FETCH \(UID $_ FLAGS \(\) RFC822.SIZE 49 \QBODY[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To Received)]\E \{40\}\r\nFrom: a\@b.example\r\nSubject: letter $_\r\n\r\n\)$/ } 1, 2),
    qr/^OK/;
is_told $c, 'UID fetch 1:2 (UID RFC822.SIZE BODY.PEEK[])',
    (map { qr/^\* $_ FETCH \(UID $_ RFC822.SIZE 49 BODY\[\] \{49\}\r\nFrom: .*hello $_\r\n\)$/s } 1, 2),
    qr/^OK/;
is_told $c, 'UID fetch 3 (UID BODY.PEEK[HEADER.FIELDS (Content-Type ' .
    'Content-Transfer-Encoding)] BODY.PEEK[TEXT]<0.2048>)',
    qr/^\* 3 FETCH \(UID 3 BODY\[HEADER.FIELDS \(Content-Type Content-Transfer-Encoding\)\] \{2\}\r\n\r\n BODY\[TEXT\]<0> \{9\}\r\nhello 3\r\n\)$/,
    qr/^OK/;

# The second connection lists the folders.
is_told $other, 'list (subscribed) "" "*" return (special-use)',
    qr/^\* LIST \(\\Subscribed \\Archive\) "\/" Archive$/,
    qr/^\* LIST \(\\Subscribed \\Drafts\) "\/" Drafts$/,
    qr/^\* LIST \(\\Subscribed\) "\/" INBOX$/,
    qr/^\* LIST \(\\Subscribed \\Junk\) "\/" Junk$/,
    qr/^\* LIST \(\\Subscribed \\Sent\) "\/" Sent$/,
    qr/^\* LIST \(\\Subscribed \\Trash\) "\/" Trash$/, qr/^OK/;
is_told $other, 'list "" "INBOX"', qr/^\* LIST \(.*\) "\/" INBOX$/, qr/^OK/;
is_told $other, 'STATUS "Drafts" (UIDNEXT MESSAGES UNSEEN RECENT)',
    qr/^\* STATUS Drafts \(MESSAGES 0 UIDNEXT 1 UNSEEN 0 RECENT 0\)$/, qr/^OK/;

# IDLE, ended for each command.
$c->send("t90 IDLE\r\n");
like $c->line, qr/^\+ /, 'IDLE';
$drop->append('INBOX', "Subject: new\r\n\r\nnew\r\n");
is $c->line, '* 5 EXISTS', 'a new message is told';
is $c->line, '* 0 RECENT', 'with RECENT, as IMAP4rev1 has it';
$c->send("DONE\r\n");
like $c->line, qr/^t90 OK/, 'DONE';
is_told $c, 'noop', qr/^OK/;
is_told $c, 'UID fetch 5:* (FLAGS)', qr/^\* 5 FETCH \(UID 5 FLAGS \(\)\)$/,
    qr/^OK/;
is_told $c, 'UID fetch 6:* (FLAGS)', qr/^\* 5 FETCH \(UID 5 /, qr/^OK/;

# Flags and tags.
is_told $c, 'uid store 1:2 +Flags (\Seen)',
    (map { qr/^\* $_ FETCH \(UID $_ FLAGS \(\\Seen\)\)$/ } 1, 2), qr/^OK/;
is_told $c, 'uid store 3 +Flags (\Flagged)',
    qr/^\* 3 FETCH \(UID 3 FLAGS \(\\Flagged\)\)$/, qr/^OK/;
is_told $c, 'uid store 4 +FLAGS ($label1)', qr/^\* FLAGS \(.*\$label1\)$/,
    qr/^\* OK \[PERMANENTFLAGS .*\$label1 \\\*\)\]/,
    qr/^\* 4 FETCH \(UID 4 FLAGS \(\$label1\)\)$/, qr/^OK/;
is_told $c, 'uid store 4 -FLAGS ($label1)',
    qr/^\* 4 FETCH \(UID 4 FLAGS \(\)\)$/, qr/^OK/;
is_told $c, 'uid SEARCH UNDELETED BODY "hello" SUBJECT "letter"',
    qr/^\* SEARCH 1 2 3 4$/, qr/^OK/;

# Folders.
for my $name ($folder, "$folder/sub") {
	is_told $c, qq(create "$name"), qr/^OK/;
	is_told $c, qq(subscribe "$name"), qr/^OK/;
	is_told $c, qq(list "" "$name"),
	    qr/^\* LIST \(\\HasNoChildren\) "\/" "\Q$name\E"$/, qr/^OK/;
}
is_told $c, qq(uid copy 1:2 "$folder"), qr/^OK \[COPYUID \d+ 1:2 1:2\]/;
is_told $other, qq(select "$folder"), box(2, 0, 3);
is_told $c, 'uid move 1 "Trash"', qr/^\* OK \[COPYUID \d+ 1 1\]/,
    qr/^\* 1 EXPUNGE$/, qr/^OK/;
is_told $c, qq(uid move 3 "$folder"), qr/^\* OK \[COPYUID \d+ 3 3\]/,
    qr/^\* 2 EXPUNGE$/, qr/^OK/;
is_told $other, 'noop', qr/^\* 3 EXISTS$/, qr/^\* 0 RECENT$/, qr/^OK/;
my $draft = "Subject: draft\r\n\r\ndr\xc3\xa4ft\r\n";
is_told $other, qq[append "$folder" (\\Seen) UTF8 (~{] . length($draft) .
    "+}\r\n$draft)", qr/^\* 4 EXISTS$/, qr/^\* 0 RECENT$/,
    qr/^OK \[APPENDUID \d+ 4\]/;
is_told $other, 'expunge', qr/^OK/;
is_told $other, qq[list (subscribed) "" "$folder/*" return (special-use)],
    qr/^\* LIST \(\\Subscribed\) "\/" "\Q$folder\E\/sub"$/, qr/^OK/;
is_told $other, 'close', qr/^OK/;
is_told $other, qq(rename "$folder" "Zwei"), qr/^OK/;
is_told $other, 'subscribe "Zwei"', qr/^OK/;
is_told $other, qq(unsubscribe "$folder"), qr/^OK/;
is_told $other, 'list "" "Zwei"', qr/^\* LIST \(\\HasChildren\) "\/" Zwei$/,
    qr/^OK/;
is_told $other, 'select "Zwei" (CONDSTORE)', box(4, 3, 5);

# Trash is emptied.
is_told $other, 'select "Trash"', qr/^\* OK \[CLOSED\]/, box(1, 0, 2);
is_told $other, 'store 1:* +FLAGS.SILENT (\Deleted)',
    qr/^\* 1 FETCH \(UID 1 MODSEQ \(\d+\)\)$/, qr/^OK/;
is_told $other, 'close', qr/^OK/;
is_told $other, 'list "" "Trash/*"', qr/^OK/;
is_told $other, 'STATUS "Trash" (UIDNEXT MESSAGES UNSEEN RECENT)',
    qr/^\* STATUS Trash \(MESSAGES 0 UIDNEXT 2 UNSEEN 0 RECENT 0\)$/, qr/^OK/;
is_told $_, 'logout', qr/^\* BYE/, qr/^OK/ for $c, $other;
$_->close for $c, $other, $drop;
done_testing;
