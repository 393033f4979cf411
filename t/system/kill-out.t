#!/bin/sh
# kill -9 of each program on the way out while a user submits 200 messages:
# everything acknowledged arrives, whole and once, and nothing that was refused.
# smtp-send: queue-kill.t.
. "$(dirname "$0")/../lib.sh"
perl -MIO::Socket::SSL -e 1 2>/dev/null || skip_all 'no IO::Socket::SSL'
here=$TOP/t/system
export HOST_ATTRS='resolver=127.0.0.1:1 queue-retry=1s queue-retry-most=1s'
instance_start || exit 1
inbox() { printf '%s\n' "$ROOT"/mail/alice/Maildir/new "$ROOT"/mail/alice/Maildir/cur; }
drained() { [ -z "$(ls "$ROOT/queue/job")" ]; }

# $1: prints pids; $2: text; $3: seconds between kills.
kill_run() {
	BURST_LOGIN=pneu@localhost:pneupneu "$here/burst" 127.0.0.1 "$SUBMISSION" \
	    pneu@localhost alice@localhost "$COUNT" 6 >>"$TMP/burst" 2>"$TMP/burst.err" &
	burst=$!
	kills=0 rounds=0
	while kill -0 $burst 2>/dev/null && [ $rounds -lt 4 ]; do
		rounds=$((rounds + 1))
		sleep "$3"
		for p in $($1); do
			kill -KILL "$p" 2>/dev/null && kills=$((kills + 1))
		done
	done
	wait $burst
	ok $? "$2: all are taken in the end ($kills kills)" || tail -n 3 "$TMP/burst.err" | sed 's/^/# /'
	[ $kills -gt 0 ]
	ok $? "$2: something was killed"
	# queue-run looks at all of it once a minute, should its bell be lost.
	wait_for 70 drained
	ok $? "$2: the queue is empty"
	# shellcheck disable=SC2046 # directories without blanks
	"$here/burst-check" "$TMP/burst" $(inbox) >"$TMP/check"
	ok $? "$2: $(tail -n 1 "$TMP/check")" || head -n 20 "$TMP/check" | sed 's/^/# /'
}
main_of() { service_pids "$1" | head -n 1; }
queue_run() { main_of queue-run; }
outbound() { main_of stages-outbound; }
tls() { main_of tls-serve; }
sasl() { main_of sasl-serve; }
all() {
	for s in queue-run stages-outbound stages-local tls-serve sasl-serve smtp-send; do
		service_pids $s
	done
}
COUNT=60
kill_run queue_run queue-run 0.5
kill_run outbound stages-outbound 0.8
kill_run tls tls-serve 0.7
kill_run sasl sasl-serve 0.7
COUNT=200
kill_run all 'all at once' 1.5
index-check -C "$ROOT" >"$TMP/index" 2>&1
ok $? 'files and index agree' || head "$TMP/index" | sed 's/^/# /'
finish
