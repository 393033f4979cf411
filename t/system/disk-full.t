#!/bin/sh
# A full disk gives a temporary failure, loses nothing, and is forgotten when
# there is room again.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'needs root for a small file system'
mnt=$TMP/small
mkdir "$mnt"
mount -t tmpfs -o size=48m tmpfs "$mnt" 2>/dev/null || skip_all 'cannot mount a tmpfs'
unmount() {
	for s in $INSTANCES; do instance_down "$s"; done
	umount -l "$mnt" 2>/dev/null
}
trap 'unmount; lib_cleanup' EXIT
# No name server: the checks end at once without an answer.
export HOST_ATTRS=resolver=127.0.0.1:1
instance_make "$mnt/root" && instance_up || exit 1
probe() {
	echo pneupneu | mail-probe -q -t 20 -s "127.0.0.1:$SMTP" \
	    -i "127.0.0.1:$IMAP" -u pneu@localhost pneu@localhost >"$TMP/probe" 2>&1
}
probe
ok $? 'mail goes through while there is room' || sed 's/^/# /' "$TMP/probe"

# Leave less room than a message needs.
fill() { dd if=/dev/zero of="$mnt/ballast" bs=64k 2>/dev/null; }
fill
perl - "$SMTP" >"$TMP/full" <<'E'
use strict; use warnings; use IO::Socket::INET;
my $port = shift;
my $s;
sub reply { my $l; do { $l = <$s> // '' } while $l =~ /^\d{3}-/; $l }
for my $size (1000, 300000, 3000000) {
	$s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port, Timeout => 10) or die;
	my $r = reply();
	for my $c ("EHLO x.example", "MAIL FROM:<>", "RCPT TO:<pneu\@localhost>", "DATA") {
		print $s "$c\r\n"; $r = reply();
		last unless $r =~ /^[23]/;
	}
	if ($r =~ /^354/) {
		local $SIG{PIPE} = 'IGNORE';
		print $s "From: a\@localhost\r\nSubject: full $size\r\n\r\n", ("y" x 70 . "\r\n") x ($size / 72), ".\r\n";
		$r = reply();
	}
	print "$size $r\n";
}
# More lines than the pipe to the logger, which cannot write, holds: 64 KiB.
my $n = 0;
for (1 .. 600) {
	$s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port, Timeout => 10) or last;
	local $SIG{ALRM} = sub { close $s };
	alarm 10;
	last unless reply() =~ /^220/;
	print $s "QUIT\r\n";
	last unless reply() =~ /^221/;
	$n++;
}
alarm 0;
print "sessions $n\n";
E
has "$TMP/full" '^sessions 600$' 'a logger that cannot write holds nobody up'
for size in 1000 300000 3000000; do
	has "$TMP/full" "^$size 4[0-9][0-9] 4\." "a message of $size bytes gets a temporary failure"
done
sv status "$ROOT"/sv/* >"$TMP/sv"
! grep -q '^down' "$TMP/sv"
ok $? 'all services run on'
grep -lq 'Subject: full' -r "$ROOT/mail" 2>/dev/null
is $? 1 'nothing of the refused messages is in the mailbox'
[ -z "$(find "$ROOT"/mail/*/Maildir/new "$ROOT"/mail/*/Maildir/cur -type f -size 0)" ]
ok $? 'no empty file'
rm -f "$mnt/ballast"
probe
ok $? 'mail goes through again when there is room' || sed 's/^/# /' "$TMP/probe"
index-check -C "$ROOT" >"$TMP/index" 2>&1
ok $? 'files and index agree' || sed 's/^/# /' "$TMP/index"
finish
