#!/bin/sh
# kill -9 of each daemon in turn, and of all at once, while 200 messages go
# through: everything acknowledged is there once, nothing is cut or doubled,
# and nobody has to help.
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC2034 # for dns.sh
tmp=$TMP
. "$TOP/t/dns.sh"
here=$TOP/t/system
cat >"$TMP/zone" <<'E'
$ORIGIN example.net.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
@ MX 10 mx
@ TXT "v=spf1 ip4:127.0.0.0/8 -all"
ns A 127.0.0.1
mx A 127.0.0.1
E
command -v nsd >/dev/null || skip_all 'needs nsd'
dns_nsd example.net="$TMP/zone" || skip_all 'nsd does not start'
export HOST_ATTRS="resolver=$dns_server"
instance_start || exit 1
inbox() { printf '%s\n' "$ROOT"/mail/pneu/Maildir/new "$ROOT"/mail/pneu/Maildir/cur; }

doubt=0
# burst in the background, VICTIM killed again and again until it is done.
# $1: what to kill: a function that prints pids. $2: text. $3: seconds between
# kills. $4: messages of which each kill may leave one there although it was
# refused for now: stages(8), BUGS: what two workers in a row have died with.
kill_run() {
	"$here/burst" 127.0.0.1 "$SMTP" a@example.net pneu@localhost 200 8 \
	    >>"$TMP/burst" 2>"$TMP/burst.err" &
	burst=$!
	kills=0 rounds=0
	while kill -0 $burst 2>/dev/null && [ $rounds -lt 12 ]; do
		rounds=$((rounds + 1))
		for p in $($1); do
			kill -KILL "$p" 2>/dev/null && kills=$((kills + 1))
		done
		# Let some mail through between two kills.
		sleep "${3:-0.4}"
	done
	wait $burst
	ok $? "$2: all 200 are taken in the end ($kills kills)" ||
	    tail -n 3 "$TMP/burst.err" "$ROOT"/log/*/current | sed 's/^/# /'
	[ $kills -gt 0 ]
	ok $? "$2: something was killed"
	doubt=$((doubt + rounds * ${4:-0}))
	# shellcheck disable=SC2046 # directories without blanks
	"$here/burst-check" -m $doubt "$TMP/burst" $(inbox) >"$TMP/check"
	ok $? "$2: $(tail -n 1 "$TMP/check")" || head -n 20 "$TMP/check" | sed 's/^/# /'
	index-check -C "$ROOT" -a pneu >"$TMP/index" 2>&1
	ok $? "$2: files and index agree" || head "$TMP/index" | sed 's/^/# /'
}
one_child() { service_pids "$1" | tail -n +2 | shuf -n 1; }
smtp_listen() { service_pids smtp-listen | head -n 1; }
smtp_serve() { one_child smtp-listen; }
stages() { service_pids stages-inbound | head -n 1; }
worker() { one_child stages-inbound; }
deliver() {
	for p in $(service_pids stages-inbound); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = deliver ] && echo "$p"
	done
}
all() {
	for s in smtp-listen stages-inbound stages-outbound stages-local tls-serve \
	    sasl-serve imap-listen imap-serve imap-park queue-run smtp-send; do
		service_pids $s
	done
}
kill_run smtp_listen smtp-listen 0.4
kill_run smtp_serve smtp-serve 0.1
kill_run stages stages 0.8
kill_run worker 'a worker' 0.1 8
kill_run deliver deliver 0.2 8
kill_run all 'all at once' 1.5

# And after all that it works as before, with no hand.
wait_for 20 listening "$IMAP"
echo pneupneu | mail-probe -q -s "127.0.0.1:$SMTP" -i "127.0.0.1:$IMAP" \
    -u pneu@localhost pneu@localhost >"$TMP/probe" 2>&1
ok $? 'mail goes through afterwards' || sed 's/^/# /' "$TMP/probe"
# Half files have been cleaned up, or will be: none in new or cur is empty.
# shellcheck disable=SC2046
[ -z "$(find $(inbox) -type f -size 0)" ]
ok $? 'no empty message'
dns_stop
finish
