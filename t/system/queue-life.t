#!/bin/sh
# The life of a queued message in a whole instance, with times of seconds: late
# (one notice), given up (one notice), refused by another host and by our own
# pipeline, from the null sender, from a local program; queue-run killed in
# between; the journal rewritten while queue-run is killed over and over.
# shellcheck disable=SC2154 # dns_server
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin
command -v nsd >/dev/null || skip_all 'needs nsd'
tmp=$TMP/names
mkdir "$tmp" "$TMP/mx"
# shellcheck source=t/dns.sh
. "$TOP/t/dns.sh"
exec 9>/dev/null
trap '_status=$?; exec 9>&-; (exit $_status); lib_cleanup' EXIT
cat >"$tmp/zone" <<'XEOF'
$ORIGIN test.
@ 60 SOA ns.test. root.test. 1 60 60 60 60
@ 60 NS ns
ns 60 A 127.0.0.1
late 60 MX 10 mx3
dead 60 MX 10 mx200
good 60 MX 10 mx2
mx2 60 A 127.0.0.2
mx3 60 A 127.0.0.3
mx200 60 A 127.0.0.200
XEOF
dns_nsd "test=$tmp/zone" || skip_all 'nsd does not answer'
port=$(dns_port)
HOST_ATTRS="resolver=$dns_server mx-port=$port queue-retry=1s queue-retry-most=1s
	queue-warn=3s queue-lifetime=6s"
instance_make || exit 1
domain-add -C "$ROOT" home.test pneu >"$TMP/made" 2>&1 &&
    address-add -C "$ROOT" pneu@home.test pneu >"$TMP/made" 2>&1 &&
    account-add -C "$ROOT" small small@home.test </dev/null >"$TMP/made" 2>&1 || { cat "$TMP/made"; exit 1; }
sed -i '/^account /s/$/ quota=1/' "$ROOT/conf/account/small"
conf-build -C "$ROOT" || exit 1
mkfifo "$TMP/hold"
"$TOP/t/fake-mx" "$port" "$TMP/mx" <"$TMP/hold" >"$TMP/mx.out" &
exec 9>"$TMP/hold"
wait_for 10 grep -q ready "$TMP/mx.out"; ok $? 'mail hosts'
instance_up 9>&- || exit 1

PNEU_ROOT=$ROOT
export PNEU_ROOT
LOG=$ROOT/log/queue-run/current
NEW=$ROOT/mail/pneu/Maildir/new
add() { # from rcpt ...: the id
	_f=$1
	shift
	# shellcheck disable=SC2046 # addresses have no blanks
	printf 'Subject: a test\r\nMessage-ID: <o@x.test>\r\n\r\nbody\r\n' |
	    queue-add -f "$_f" $(printf ' -r %s' "$@") 2>/dev/null |
	    sed 's/^queued id=//; s/ .*//'
}
reports() { # id about: how many, as the log says
	cat "$ROOT"/log/queue-run/* 2>/dev/null |
	    grep "report .*id=$1 .*about=$2 " | sort -u | grep -c .
}
# notice ID about: $TMP/fields has what the DSN says; from whichever of the
# account's files it is.
notice() {
	_dsn=$(cat "$ROOT"/log/queue-run/* | grep "report .*id=$1 .*about=$2 " |
	    sed 's/.* dsn=//; s/ .*//' | head -n 1)
	[ -n "$_dsn" ] || return 1
	wait_for 10 grep -rlq "^Message-ID: <$_dsn@" "$NEW" || return 1
	_file=$(grep -rl "^Message-ID: <$_dsn@" "$NEW" | head -n 1)
	"$TOP/t/dsn-fields" <"$_file" >"$TMP/fields"
}
gone() { ! [ -e "$ROOT/queue/job/$1" ]; }
seconds() { date -d "$(sed -n "s/.*$1=\"\([^\"]*\)\".*/\1/p" "$TMP/fields")" +%s; }

start=$(date +%s)
late=$(add pneu@home.test later@late.test good1@late.test)
dead=$(add pneu@home.test a@dead.test b@dead.test)
null=$(add '<>' later@late.test nobody@home.test)
bad=$(add pneu@home.test bad@late.test nobody@home.test pneu@home.test)
full=$(add pneu@home.test small@home.test)
[ -n "$late" ] && [ -n "$dead" ] && [ -n "$null" ] && [ -n "$bad" ] && [ -n "$full" ]
ok $? 'five messages queued'

# refused: by a host, by our own configuration; the rest is delivered
wait_for 10 gone "$bad"; ok $? 'the refused message is gone'
is "$(reports "$bad" failure)" 1 'one notice'
notice "$bad" failure; ok $? 'which is a proper DSN' || sed 's/^/# /' "$TMP/fields"
is "$(grep -c '^rcpt ' "$TMP/fields")" 2 'about both that failed'
has "$TMP/fields" 'action="failed" .*diagnostic-code="smtp; 550 5.1.1 no such user here" final-recipient="rfc822; bad@late.test" .*remote-mta="dns; mx3.test (127.0.0.3)" status="5.1.1"' 'the host of another'
has "$TMP/fields" 'action="failed" .*final-recipient="rfc822; nobody@home.test" .*status="5.1.1"' 'and our own'
has "$LOG" "sent .*id=$bad addr=pneu@home.test" 'the third is delivered'

# late
wait_for 10 grep -q "report .*id=$late .*about=delay" "$LOG"; ok $? 'late: a notice'
at=$(date +%s)
[ $((at - start)) -ge 3 ]; ok $? "after queue-warn ($((at - start)) s)"
# a restart forgets neither attempts nor notices
pids=$(service_pids queue-run)
# shellcheck disable=SC2086 # several pids
kill -KILL $pids
notice "$late" delay; ok $? 'a proper DSN' || sed 's/^/# /' "$TMP/fields"
is "$(grep -c '^rcpt ' "$TMP/fields")" 1 'about the late recipient only'
has "$TMP/fields" '^message subject="Mail delivery delayed" to=<pneu@home.test>' 'to the sender'
has "$TMP/fields" 'action="delayed" diagnostic-code="smtp; 451 4.7.1 greylisted" final-recipient="rfc822; later@late.test"' 'Action, Diagnostic-Code'
has "$TMP/fields" 'status="4.7.1"' 'Status'
queued=$(sed -n 's/.*time=\([0-9]*\).*/\1/p' "$ROOT/queue/job/$late" 2>/dev/null | head -n 1)
until=$(seconds will-retry-until)
[ "${queued:-$((until - 6))}" -eq $((until - 6)) ]; ok $? 'Will-Retry-Until'
last=$(seconds last-attempt-date)
[ "$last" -ge "$start" ] && [ "$last" -le "$at" ]; ok $? 'Last-Attempt-Date'

# given up
for id in "$late" "$dead" "$null" "$full"; do
	wait_for 20 gone "$id"; ok $? "$id: given up"
done
at=$(date +%s)
[ $((at - start)) -ge 6 ]; ok $? "after queue-lifetime ($((at - start)) s)"
is "$(reports "$late" delay) $(reports "$late" failure)" '1 1' 'one notice of each kind'
notice "$late" failure; ok $? 'a proper DSN' || sed 's/^/# /' "$TMP/fields"
has "$TMP/fields" 'action="failed" diagnostic-code="smtp; 451 4.7.1 greylisted" .*status="4.7.1"' 'what was said last'
! grep -q will-retry-until "$TMP/fields"; ok $? 'no Will-Retry-Until'
[ "$(seconds last-attempt-date)" -ge $((start + 5)) ]; ok $? 'the last attempt came at the end'
is "$(grep -c '^TO good1@late.test' "$TMP/mx/3")" 1 'the other recipient has it once'
is "$(reports "$dead" delay) $(reports "$dead" failure)" '1 1' 'unreachable: the same'
notice "$dead" failure; ok $? 'a proper DSN' || sed 's/^/# /' "$TMP/fields"
is "$(grep -c 'action="failed" diagnostic-code="x-pneu; 4.4.1 connect: Connection refused" .*status="4.4.1"' "$TMP/fields")" 2 'for both recipients, in our own words'
is "$(reports "$null" '[a-z]*')" 0 'nothing about mail of the null sender'
is "$(reports "$full" failure)" 1 'over quota: one notice'
notice "$full" failure; ok $? 'a proper DSN' || sed 's/^/# /' "$TMP/fields"
has "$TMP/fields" 'final-recipient="rfc822; small@home.test" .*status="[45]\.2\.2"' 'X.2.2'

# a local program without an account
address-add cron@home.test pneu >/dev/null 2>&1
printf 'Subject: from cron\n\nx\n' | mail-submit -f cron@home.test bad@late.test
ok $? 'mail-submit without an account'
wait_for 15 grep -q 'report .*about=failure to=cron@home.test' "$LOG"; ok $? 'refused: a notice to its sender'
id=$(sed -n 's/.*report .* id=\([^ ]*\) .*to=cron@home.test.*/\1/p' "$LOG")
notice "$id" failure; ok $? 'which arrives'

# The journal is rewritten when it has grown; killed meanwhile, nothing changes.
sed -i 's/queue-lifetime=6s/queue-lifetime=1h/; s/queue-warn=3s/queue-warn=0/; s/queue-retry=1s/queue-retry=1h/; s/queue-retry-most=1s/queue-retry-most=1h/' "$ROOT/conf/host"
conf-build || exit 1
queue-drop -A >/dev/null
wait_for 5 sh -c '[ -z "$(queue-list)" ]'
# shellcheck disable=SC2046
kill -KILL $(service_pids queue-run)
"$PNEU_TOOLS/queue-fill" "$ROOT" 50 pneu@home.test 300 'later%d@late.test' >"$TMP/ids"
wait_for 20 sh -c '[ "$(queue-list -v | grep -c "status=deferred code=451")" = 50 ]'
ok $? 'fifty messages wait'
state() { queue-list -v -sort queued | sed 's/ next=[0-9]*//' | sort; }
state >"$TMP/before"
filler() { # 9 MB of records about entries that are long gone
	perl -e 'print "\n", "done how=sent id=aaaaaaaaaaaaaaaa\n" x 270000' >>"$ROOT/queue/journal"
}
small_again() { [ "$(stat -c %s "$ROOT/queue/journal")" -lt 100000 ]; }
some=$(head -n 1 "$TMP/ids" | sed 's/.*id=//; s/ .*//')
for i in 1 2 3 4 5 6; do
	wait_for 10 test -S "$ROOT/run/queue"
	filler
	queue-retry -t +1h "$some" >/dev/null
	sleep "0.0$((i - 1))" # somewhere in the reading, writing, renaming
	# shellcheck disable=SC2046
	kill -KILL $(service_pids queue-run) 2>/dev/null
	state >"$TMP/now"
	cmp -s "$TMP/before" "$TMP/now" || { diff "$TMP/before" "$TMP/now" | head -n 4; break; }
done
cmp -s "$TMP/before" "$TMP/now"; ok $? 'killed six times over a journal of megabytes'
wait_for 15 sh -c "queue-retry -t +1h $some >/dev/null; sleep 0.3; [ \$(stat -c %s $ROOT/queue/journal) -lt 100000 ]"
ok $? 'rewritten: small again' || small_again
state >"$TMP/now"
cmp -s "$TMP/before" "$TMP/now"; ok $? 'and nothing is forgotten'
is "$(find "$ROOT/queue/tmp" -type f | grep -c .)" 0 'no file is left behind'
n=$(grep -c '^TO later' "$TMP/mx/3" 2>/dev/null)
queue-drop -A >/dev/null
wait_for 10 sh -c "[ -z \"\$(ls $ROOT/queue/job)\" ]"; ok $? 'dropped beside a running queue-run'
is "$n" "$(grep -c '^TO later' "$TMP/mx/3" 2>/dev/null)" 'none was sent'
finish
