#!/bin/sh
# Random and mutated sessions to each port: no process dies of it, no sanitizer
# complains, and every port answers afterwards. PNEU_MUTATE_SECONDS: for each
# port (5; 12 under ASan, which is a minute in all).
. "$(dirname "$0")/../lib.sh"
seconds=${PNEU_MUTATE_SECONDS:-5}
case $PNEU_BIN in */asan/*) seconds=${PNEU_MUTATE_SECONDS:-12} ;; esac
export HOST_ATTRS=resolver=127.0.0.1:1
instance_start || exit 1

for s in smtp:$SMTP submission:$SUBMISSION imap:$IMAP submissions:$SUBMISSIONS imaps:$IMAPS; do
	case ${s%:*} in
	submission*) seeds=submission ;;
	imap*) seeds=imap ;;
	*) seeds=smtp ;;
	esac
	"$PNEU_TOOLS/mutate" -t "$seconds" -c 4 "$TOP/t/system/seeds/$seeds" \
	    127.0.0.1 "${s#*:}" >"$TMP/out" 2>&1
	ok $? "${s%:*}: $(tail -n 1 "$TMP/out")"
done
cat "$ROOT"/log/*/* >"$TMP/logs" 2>/dev/null
! grep -E 'ERROR: (Address|Leak)Sanitizer|runtime error:|DEADLYSIGNAL' "$TMP/logs" >"$TMP/bad"
ok $? 'no sanitizer complains' || grep -A 15 -E 'ERROR: |runtime error' "$TMP/logs" | head -n 40 | sed 's/^/# /'
! grep -E '^[^ ]* ?worker-died|signal=|Segmentation|Aborted|SIGSYS' "$TMP/logs" >"$TMP/bad"
ok $? 'no worker died' || head -n 10 "$TMP/bad" | sed 's/^/# /'
sv status "$ROOT"/sv/* >"$TMP/sv"
! grep -q '^down' "$TMP/sv"
ok $? 'all services run' || grep '^down' "$TMP/sv" | sed 's/^/# /'
# How long they have run: one that was restarted is younger than the test.
awk -v least=$((seconds * 2)) '{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+s[;,]?$/) { if ($i + 0 < least) print; break } }' \
    "$TMP/sv" >"$TMP/young"
is "$(cat "$TMP/young")" '' 'no service was restarted'
echo pneupneu | mail-probe -q -s "127.0.0.1:$SMTP" -i "127.0.0.1:$IMAP" \
    -u pneu@localhost pneu@localhost >"$TMP/probe" 2>&1
ok $? 'mail goes through afterwards' || sed 's/^/# /' "$TMP/probe"
index-check -C "$ROOT" >"$TMP/index" 2>&1
ok $? 'files and index agree' || sed 's/^/# /' "$TMP/index"
finish
