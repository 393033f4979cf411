#!/bin/sh
# localserve - a whole mail system on this machine, for trying and developing
# usage   localserve [-i]
#         -i: make the instance (accounts, certificate, services) and exit
# env     PNEU_ROOT (./localserve), PNEU_PORT_OFFSET (1000), PNEU_RESOLVER
#         (address[:port] instead of that of resolv.conf)
# fd 1    how to send and read, a test message, and the line "ready"
# exit    0 after SIGINT or SIGTERM; 100 usage; 111 it could not start
# rights  starts the services, which confine themselves
set -eu
case $0 in
*/*) bin=$(cd "$(dirname "$0")" && pwd) ;;
*) bin=$(dirname "$(command -v "$0")") ;;
esac
purpose='a whole mail system on this machine, for trying and developing'
case ${1:-} in
-h) printf 'localserve - %s\nusage: localserve [-i]\n' "$purpose"; exit 0 ;;
-V) exec "$bin/pneu" -V ;;
--cage) echo 'localserve: nothing kept: starts the services'; exit 0 ;;
'' | -i) ;;
*) echo 'usage: localserve [-i]' >&2; exit 100 ;;
esac
fail() {
	printf 'localserve: %s\n' "$1" >&2
	exit 111
}

root=${PNEU_ROOT:-./localserve}
offset=${PNEU_PORT_OFFSET:-1000}
case $offset in
'' | *[!0-9]*) printf 'localserve: PNEU_PORT_OFFSET must be a number\n' >&2; exit 100 ;;
esac
share=$bin/../share/pneu
[ -d "$share/sv" ] || share=$(cd "$bin/../../.." && pwd)
[ -d "$share/sv" ] || fail "no service directories in $share/sv"
why=$(mkdir -p "$root" 2>&1) || fail "$why"
[ -w "$root" ] || fail "$root is not writable"
PNEU_ROOT=$(cd "$root" && pwd)
PATH=$bin:$PATH
export PNEU_ROOT PATH
cd "$PNEU_ROOT"

# What is there already is kept.
new() { [ -e "$1" ] || cat >"$1"; }
make_instance() {
	mkdir -p conf/domain conf/account conf/pipeline cdb secret mail queue \
	    spool case report run/counters log sv
	chmod 700 secret mail queue spool
	new conf/host <<EOF
host name=localhost postmaster=pneu ${PNEU_RESOLVER:+resolver=$PNEU_RESOLVER}
	max-connections-per-ip=1000 connection-rate=100000
	dmarc-temperror=accept
EOF
	[ -e conf/listen ] || for ip in 127.0.0.1 ::1; do
		# A kernel without IPv6 has no ::1.
		[ $ip != ::1 ] || grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null || continue
		for s in smtp:25 submission:587 submissions:465 imap:143 imaps:993; do
			printf 'listen service=%s ip=%s port=%d%s\n' "${s%:*}" $ip \
			    $((${s#*:} + offset)) "$(case $s in
			submission:* | imap:*) echo ' require-tls=no' ;;
			esac)"
		done
	done >conf/listen
	new conf/domain/localhost <<EOF
domain name=localhost separator=+
EOF
	new conf/account/pneu <<EOF
account name=pneu
address addr=pneu@localhost
catch-all addr=@localhost
EOF
	new conf/account/alice <<EOF
account name=alice
address addr=alice@localhost
EOF
	for p in inbound outbound local; do
		[ -e conf/pipeline/$p ] || cp "$share/conf/pipeline/$p" conf/pipeline/
	done
	conf-build || exit $?
	[ -e secret/tls/localhost.crt ] || cert-local localhost || exit $?
	if [ ! -e secret/auth/passwd ]; then
		echo pneupneu | account-passwd pneu || exit $?
		echo alicealice | account-passwd alice || exit $?
	fi
	cp "$share/sv/.run" sv/
	for s in "$share"/sv/*/; do
		mkdir -p "sv/$(basename "$s")"
		cp -R "$s." "sv/$(basename "$s")/"
	done
}

# All processes below one.
below() {
	for p in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$p"
		below "$p"
	done
}

supervisor=
stop() {
	trap '' INT TERM
	[ -n "$supervisor" ] || return 0
	all=$(below "$supervisor")
	kill -HUP "$supervisor" 2>/dev/null || true
	# The services have 3.5 s to finish; then they are killed.
	i=0
	left=$all
	while [ -n "$left" ] && [ $i -lt 35 ]; do
		sleep 0.1
		i=$((i + 1))
		now=
		for p in $left; do
			[ ! -d "/proc/$p" ] || case $(cat "/proc/$p/stat" 2>/dev/null) in
			*') Z '* | '') ;;
			*) now="$now $p" ;;
			esac
		done
		left=$now
	done
	for p in $left; do
		kill -KILL "$p" 2>/dev/null || true
	done
	wait "$supervisor" 2>/dev/null || true
}

make_instance
[ "${1:-}" != -i ] || exit 0

# One localserve at a time in one root.
exec 9>run/localserve.lock
flock -n 9 || fail "already running in $PNEU_ROOT"
# A port that someone listens on (proc(5): state 0A).
for p in 25 587 465 143 993; do
	p=$((offset + p))
	! grep -qs "$(printf ':%04X .* 0A ' $p)" /proc/net/tcp /proc/net/tcp6 ||
	    fail "port $p is taken; choose another PNEU_PORT_OFFSET"
done
# Sockets of an earlier run would look as if their service were up.
rm -f run/inbound run/outbound run/local run/tls run/sasl run/imap run/park \
    run/send
trap 'stop; exit 0' INT TERM
# A session of its own: ^C on the terminal is for us alone.
setsid runsvdir -P "$PNEU_ROOT/sv" 9>&- &
supervisor=$!

cat <<EOF
pneu runs in $PNEU_ROOT; stop it with ^C
  SMTP          127.0.0.1:$((offset + 25))      mail for anyone at localhost
  submission    127.0.0.1:$((offset + 587)), TLS $((offset + 465))
  IMAP          127.0.0.1:$((offset + 143)), TLS $((offset + 993))
  accounts      pneu@localhost pneupneu, alice@localhost alicealice
  local CA      $PNEU_ROOT/secret/ca.pem
send    swaks --to pneu@localhost --server 127.0.0.1:$((offset + 25))
read    curl -k imaps://127.0.0.1:$((offset + 993))/INBOX -u pneu@localhost:pneupneu -X 'FETCH 1:* (FLAGS BODY[])'
EOF
tries=0
for s in inbound outbound local tls sasl imap park send; do
	until [ -S run/$s ]; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || break 2
		sleep 0.05
	done
done
mail-probe -s "127.0.0.1:$((offset + 25))" -i "127.0.0.1:$((offset + 143))" \
    -u pneu@localhost pneu@localhost 9>&- <<EOF &
pneupneu
EOF
probe=$!
if ! wait "$probe"; then
	stop
	tail -n 5 log/*/current >&2 2>/dev/null || true
	fail 'the test message did not arrive; see the logs above'
fi
echo ready
wait "$supervisor" || true
stop
