#!/bin/sh
# Every process of a running instance is confined, each stage worker too,
# except those that only start others: what DESIGN.md section 5 says of the
# programs holds while they work.
. "$(dirname "$0")/../lib.sh"
for tool in runsvdir curl perl; do
	command -v $tool >/dev/null || skip_all "no $tool"
done
# A copy of the suite with a library that, loaded into every program, tries
# what an intruder would as soon as the program is confined.
# A sanitizer's runtime must be loaded first, so there the probe stays out.
probe=''
why='no compiler'
case $PNEU_BIN in */asan/*) why='the sanitizer has to be loaded first' ;; esac
if [ "$why" = 'no compiler' ] && command -v cc >/dev/null && mkdir -p "$TMP/suite/share/pneu" &&
    cp -R "$PNEU_BIN" "$TMP/suite/bin" &&
    cp -R "$TOP/sv" "$TOP/conf" "$TMP/suite/share/pneu/" &&
    cc -D_GNU_SOURCE -std=gnu11 -shared -fPIC -o "$TMP/suite/bin/probe.so" \
    "$TOP/t/preload/probe.c" -ldl; then
	probe=$TMP/suite/bin/probe.so
	PATH=$TMP/suite/bin:$PATH
fi
instance_make || exit
mkdir -p "$ROOT/secret/dkim" "$ROOT/mail/pneu/Maildir" "$ROOT/mail/alice"
: >"$ROOT/secret/dkim/probe"
export LD_PRELOAD="$probe" PROBE_PORT="$IMAP"
instance_up || exit
LD_PRELOAD=

# Work for all: mail in, mail out by the queue to an address here and to one
# whose host does not exist, and an IMAP session that stays.
letter() {
	printf 'From: pneu@localhost\r\nSubject: cage\r\n\r\nhi\r\n'
}
letter >"$TMP/letter"
curl -s --max-time 20 --mail-from a@localhost --mail-rcpt alice@localhost \
    -T "$TMP/letter" "smtp://127.0.0.1:$SMTP"
ok $? 'mail in'
curl -s --max-time 20 --ssl-reqd -k -u pneu@localhost:pneupneu \
    --mail-from pneu@localhost --mail-rcpt alice@localhost \
    --mail-rcpt 'bob@[127.0.0.9]' \
    -T "$TMP/letter" "smtp://127.0.0.1:$SUBMISSION"
ok $? 'mail out'
there() {
	[ "$(find "$ROOT/mail/alice/Maildir/new" -type f | wc -l)" -eq 2 ]
}
wait_for 15 there; ok $? 'both arrive'
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]")
	or die; print $s "a LOGIN alice\@localhost alicealice\r\nb SELECT INBOX\r\n";
	$| = 1; alarm 60; while (<$s>) { print; last if /^b / } sleep 60' \
    "$IMAP" >"$TMP/imap" &
client=$!
wait_for 15 grep -q '^b OK' "$TMP/imap"; ok $? 'an IMAP session'

# all PROGRAM: its processes, each with pid, parent, whether it is confined.
of_instance() {
	grep -lsFz "PNEU_ROOT=$ROOT" /proc/[0-9]*/environ |
	    sed 's,/proc/,,; s,/environ,,'
}
for p in $(of_instance); do
	awk -v p="$p" '{ v[$1] = $2 } END { if ("Name:" in v)
	    print v["Name:"], p, v["PPid:"], v["NoNewPrivs:"] "/" v["Seccomp:"] }' \
	    "/proc/$p/status" 2>/dev/null
done >"$TMP/list"
# The first imap-serve and smtp-send are masters. That of imap-serve only
# forks: a session confines itself to the account that it is for. A name in
# the kernel has 15 letters, which is enough for all of ours.
master=$(service_pids imap-serve | head -n 1)
free='runsvdir runsv svlogd stages'
for name in smtp-listen smtp-serve imap-listen imap-login imap-serve imap-park \
    tls-serve sasl-serve queue-run smtp-send imf-parse iprev-check spf-check \
    dkim-verify dmarc-eval deliver submit-check dkim-sign queue-add; do
	awk -v n="$name" -v m="$master" '$1 == n && $2 != m' "$TMP/list" >"$TMP/one"
	[ -s "$TMP/one" ]; ok $? "$name runs"
	is "$(awk '$4 != "1/2"' "$TMP/one")" '' "$name: all are confined"
	free="$free $name"
done
# Nothing that the list above has forgotten.
others=$(awk -v f="$free sh perl" 'BEGIN { n = split(f, a, " ");
    for (i = 1; i <= n; i++) known[a[i]] = 1 } !($1 in known)' "$TMP/list")
is "$others" '' 'and there is no other program'

# The masters that are not confined have read nothing of a stranger: stages
# gets descriptors, and starts programs; imap-serve forks.
for p in $(awk '$1 == "stages" { print $2 }' "$TMP/list") "$master"; do
	for f in "/proc/$p/fd"/*; do
		readlink "$f"
	done | grep '^socket:' | tr -dc '0-9\n' | while read -r inode; do
		grep -q " $inode " /proc/net/tcp /proc/net/tcp6 && echo "$p $inode"
	done
done >"$TMP/tcp"
is "$(cat "$TMP/tcp")" '' 'the unconfined masters hold no TCP connection'
kill $client 2>/dev/null

# What each can do: DESIGN.md section 5. imap-serve here is alice's session;
# smtp-listen may read what smtp-serve needs.
if [ -z "$probe" ]; then
	skip 1 "$why"
	finish
fi
cat >"$TMP/rights" <<'END'
deliver conf mail-read mail-write own-write
dkim-sign conf dkim
dkim-verify
dmarc-eval
imap-listen
imap-park mail-read
imap-serve own-write
imf-parse
iprev-check
queue-add conf queue
queue-run conf queue
sasl-serve conf passwd
smtp-listen conf
smtp-send conf tcp
spf-check
submit-check conf
tls-serve conf tls
END
# What they said has to come through the loggers.
rights() {
	sed -n 's/^[^ ]* probe prog=\([^ ]*\) can="\([^"]*\)"$/\1 \2/p' "$ROOT"/log/*/current |
	    sed 's/ $//' | sort -u >"$TMP/can"
	diff "$TMP/rights" "$TMP/can" >"$TMP/diff"
}
wait_for 10 rights
ok $? 'each can do what it needs and no more' || sed 's/^/# /' "$TMP/diff"
finish
