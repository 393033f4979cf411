#!/bin/sh
# imap-park: clients that leave while somebody else still has the connection.
set -u
. "$(dirname "$0")/../lib.sh"
PNEU_ROOT=$TMP/root
export PNEU_ROOT
mkdir -p "$PNEU_ROOT/run" "$PNEU_ROOT/mail/ann"
imap-park 2>"$TMP/log" &
pid=$!
trap 'kill $pid 2>/dev/null; lib_cleanup' EXIT
wait_for 10 test -S "$PNEU_ROOT/run/park"
ok $? 'it listens'
mkfifo "$TMP/in"
"$PNEU_TOOLS/park-hold" -n 20 "$PNEU_ROOT/run/park" ann <"$TMP/in" >"$TMP/out" 2>&1 &
exec 3>"$TMP/in"
wait_for 10 grep -q 'parked 20' "$TMP/out"
ok $? 'twenty are parked, and leave'
ended() { [ "$(grep -c '^end ' "$TMP/log")" = 20 ]; }
wait_for 10 ended
ok $? 'each end is seen once' || head -n 30 "$TMP/log" | sed 's/^/# /'
ticks() { sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }'; }
before=$(ticks)
sleep 1
[ $(($(ticks) - before)) -le 10 ]
ok $? 'and it sleeps then'
exec 3>&-
"$PNEU_TOOLS/park-hold" -n 5 "$PNEU_ROOT/run/park" ann </dev/null >"$TMP/out" 2>&1
ok $? 'it takes more' || sed 's/^/# /' "$TMP/out"
kill $pid
wait $pid
is $? 0 'and stops when told'
finish
