#!/bin/sh
# What an administrator or a bad day does to a running system: a wrong line of
# conf, an unreadable key, a taken port, no resolver, a read-only disk. Each
# gets one clear line and the right exit code or reply, and what runs goes on.
. "$(dirname "$0")/../lib.sh"
export HOST_ATTRS=resolver=127.0.0.1:1
[ "$(id -u)" -eq 0 ] || skip_all 'needs root for a file system of its own'
mnt=$TMP/disk
mkdir "$mnt"
mount -t tmpfs -o size=64m tmpfs "$mnt" 2>/dev/null || skip_all 'cannot mount a tmpfs'
unmount() {
	for s in $INSTANCES; do instance_down "$s"; done
	umount -l "$mnt/root/mail/alice" "$TMP/fixed" "$mnt" 2>/dev/null
	lib_cleanup
}
trap 'unmount' EXIT
instance_make "$mnt/root" && instance_up || exit 1

probe() {
	echo pneupneu | mail-probe -q -t 20 -s "127.0.0.1:$SMTP" \
	    -i "127.0.0.1:$IMAP" -u pneu@localhost pneu@localhost >"$TMP/probe" 2>&1
}
goes_on() {
	probe
	ok $? "$1: mail goes through" || sed 's/^/# /' "$TMP/probe"
}
# fails CODE PATTERN TEXT COMMAND...: exit code, one line, and what it says.
fails() {
	want=$1 pattern=$2 text=$3
	shift 3
	"$@" >"$TMP/out" 2>"$TMP/err"
	is $? "$want" "$text: exit $want"
	is "$(wc -l <"$TMP/err" | tr -d ' ')" 1 "$text: one line" || sed 's/^/# /' "$TMP/err"
	has "$TMP/err" "$pattern" "$text: says what"
}
# send FROM [SIZE [ACCOUNT]]: the final reply to one message.
send() {
	perl - "$SMTP" "$1" "${2:-100}" "${3:-pneu}" <<'P'
use strict; use warnings; use IO::Socket::INET;
my ($port, $from, $size, $to) = @ARGV;
$SIG{PIPE} = 'IGNORE';
alarm 60;
my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port, Timeout => 10) or die;
sub reply { my $l; do { $l = <$s> // '' } while $l =~ /^\d{3}-/; $l }
my $r = reply();
for my $c ("EHLO mail.example.net", "MAIL FROM:<$from>", "RCPT TO:<$to\@localhost>", "DATA") {
	print $s "$c\r\n"; $r = reply();
	last unless $r =~ /^[23]/;
}
if ($r =~ /^354/) {
	print $s "From: $from\r\nSubject: sent\r\n\r\n", ("y" x 70 . "\r\n") x ($size / 72 + 1), ".\r\n";
	$r = reply();
}
print $r;
P
}

# A wrong line.
before=$(cksum <"$ROOT/cdb/conf.cdb")
cp "$ROOT/conf/host" "$TMP/host"
printf 'host name=localhost postmaster=pneu max-message-size=many\n' >"$ROOT/conf/host"
fails 100 'host:1:.*max-message-size' 'a wrong value' conf-build -C "$ROOT"
printf 'host name=localhost postmaster=pneu colour=blue\n' >"$ROOT/conf/host"
fails 100 'host:1:.*colour' 'an unknown attribute' conf-build -C "$ROOT"
printf '# one\nhost name="localhost\n' >"$ROOT/conf/host"
fails 100 'host:2:' 'a missing quote' conf-check -C "$ROOT"
is "$(cksum <"$ROOT/cdb/conf.cdb")" "$before" 'what is in use is not changed'
goes_on 'wrong conf'
cp "$TMP/host" "$ROOT/conf/host"
conf-build -C "$ROOT"
ok $? 'put right, it is built'

# A pipeline with a wrong line, and one with a program that is not there.
mkdir -p "$TMP/other/conf/pipeline" "$TMP/other/run/counters" "$TMP/other/cdb"
echo 'stage name=x comand=imf-parse types=x' >"$TMP/other/conf/pipeline/inbound"
fails 100 'inbound:1:\|inbound.*line 1' 'a wrong pipeline' stages -C "$TMP/other" inbound

# A root that is not there, a conf.cdb that is none.
for p in smtp-listen imap-listen tls-serve sasl-serve queue-run smtp-send; do
	fails 111 'conf.cdb' "$p without conf.cdb" timeout 10 $p -C "$TMP/none"
done

# A taken port, with the services that have it running.
cp -R "$ROOT/conf" "$ROOT/cdb" "$TMP/other/"
fails 111 "port $SMTP" 'smtp-listen on a taken port' timeout 10 smtp-listen -C "$TMP/other"
fails 111 "port $IMAP" 'imap-listen on a taken port' timeout 10 imap-listen -C "$TMP/other"
goes_on 'taken port'

# An unreadable key: what root may read too, so one that is no key.
cp "$ROOT/secret/tls/localhost.key" "$TMP/key"
echo 'no key' >"$ROOT/secret/tls/localhost.key"
sv restart "$ROOT/sv/tls-serve" >/dev/null
wait_for 10 grep -q 'localhost.crt: its .key file holds no' "$ROOT/log/tls-serve/current"
ok $? 'a key that is none: the log names it' || tail -n 3 "$ROOT/log/tls-serve/current" | sed 's/^/# /'
send a@localhost >"$TMP/reply"
has "$TMP/reply" '^250 ' 'and plain mail goes on'
cp "$TMP/key" "$ROOT/secret/tls/localhost.key"
tls_works() {
	curl -s --max-time 5 --cacert "$ROOT/secret/ca.pem" -u pneu@localhost:pneupneu \
	    "imaps://localhost:$IMAPS/INBOX" -X NOOP
}
wait_for 40 tls_works
ok $? 'put right, TLS works with no restart'

# No resolver: an answer, and never one for good.
send a@example.net >"$TMP/reply"
has "$TMP/reply" '^\(250\|451\) ' 'no resolver: accepted, or refused for now'
send a@localhost >"$TMP/reply"
has "$TMP/reply" '^250 ' 'no resolver: mail of this host is taken'

# A read-only disk: below one account, and below an instance that is to start.
mkdir -p "$ROOT/mail/alice"
mount -t tmpfs -o size=1m,ro tmpfs "$ROOT/mail/alice"
send a@localhost 100 alice >"$TMP/reply"
has "$TMP/reply" '^4[0-9][0-9] 4' 'read-only: refused for now'
wait_for 5 grep -q 'Read-only file system' "$ROOT/log/stages-inbound/current"
ok $? 'read-only: the log says so' || tail -n 3 "$ROOT/log/stages-inbound/current" | sed 's/^/# /'
goes_on 'read-only'
umount -l "$ROOT/mail/alice"
send a@localhost 100 alice >"$TMP/reply"
has "$TMP/reply" '^250 ' 'writable again: accepted'
mkdir "$TMP/fixed"
mount -t tmpfs -o size=1m,ro tmpfs "$TMP/fixed"
fails 111 'Read-only file system\|cannot make' 'localserve on a read-only disk' \
    env PNEU_ROOT="$TMP/fixed/root" PNEU_PORT_OFFSET=9000 timeout 20 localserve
umount -l "$TMP/fixed"

sv status "$ROOT"/sv/* >"$TMP/sv"
! grep -q '^down' "$TMP/sv"
ok $? 'all services run on' || grep '^down' "$TMP/sv" | sed 's/^/# /'
index-check -C "$ROOT" >"$TMP/index" 2>&1
ok $? 'files and index agree' || sed 's/^/# /' "$TMP/index"
finish
