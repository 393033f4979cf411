# Sourced by shell tests: TAP, waiting, an instance of our own.
# shellcheck shell=sh
#
#	. "$(dirname "$0")/../lib.sh"
#	instance_start || exit          # $ROOT, ports $SMTP $SUBMISSION $IMAP ...
#	ok 0 'text'; is "$got" want 'text'; skip_all 'why'
#	finish                          # the plan; cleaning up is automatic
TOP=$(cd "$(dirname "$0")/../.." && pwd)
PNEU_BIN=${PNEU_BIN:-$TOP/obj/release/bin}
PNEU_TOOLS=${PNEU_TOOLS:-$TOP/obj/release/tools}
PATH=$PNEU_BIN:$PATH
export PATH PNEU_BIN PNEU_TOOLS
TMP=$(mktemp -d)
trap 'lib_cleanup' EXIT
trap 'exit 1' INT TERM
TESTS=0 FAILED=0 INSTANCES=

ok() { # status text
	TESTS=$((TESTS + 1))
	if [ "$1" -eq 0 ]; then
		printf 'ok %d - %s\n' $TESTS "$2"
	else
		printf 'not ok %d - %s\n' $TESTS "$2"
		FAILED=$((FAILED + 1))
		return 1
	fi
}
is() { # got want text
	if [ "$1" = "$2" ]; then
		ok 0 "$3"
	else
		ok 1 "$3"
		printf '# got:  %s\n# want: %s\n' "$1" "$2"
		return 1
	fi
}
# has FILE PATTERN TEXT: a line matches the basic regular expression.
has() {
	if grep -q -- "$2" "$1"; then
		ok 0 "$3"
	else
		ok 1 "$3"
		sed 's/^/# /' "$1" | head -n 20
		return 1
	fi
}
skip() { # count text
	_n=$1
	while [ "$_n" -gt 0 ]; do
		TESTS=$((TESTS + 1)) _n=$((_n - 1))
		printf 'ok %d # SKIP %s\n' $TESTS "$2"
	done
}
skip_all() {
	printf '1..0 # SKIP %s\n' "$1"
	FINAL=0
	exit 0
}
finish() {
	printf '1..%d\n' $TESTS
	[ $FAILED -eq 0 ]
	FINAL=$?
	exit $FINAL
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	_end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $_end ] || return 1
		sleep 0.05
	done
}

# A number N such that the ports N+25 ... N+1000 are free now and no other
# test of this run has it: the directory is the claim.
free_offset() {
	_claims=${TMPDIR:-/tmp}/pneu-ports
	mkdir -p "$_claims"
	while :; do
		_o=$((10000 + $(od -An -N2 -tu2 /dev/urandom) % 20 * 1000))
		mkdir "$_claims/$_o" 2>/dev/null || {
			# A claim whose owner is gone.
			_owner=$(cat "$_claims/$_o/pid" 2>/dev/null || echo 0)
			[ "$_owner" -gt 0 ] && [ ! -d "/proc/$_owner" ] && rm -rf "${_claims:?}/$_o"
			sleep 0.05
			continue
		}
		echo $$ >"$_claims/$_o/pid"
		_busy=
		for _p in 25 143 465 587 993; do
			_hex=$(printf ':%04X ' $((_o + _p)))
			grep -q "$_hex.* 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null && _busy=yes
		done
		[ -n "$_busy" ] || break
		rm -rf "${_claims:?}/$_o"
	done
	echo $_o
}

# instance_make [ROOT]: a root directory as localserve makes it, not running.
# Sets ROOT and the ports. Extra lines of the host record: $HOST_ATTRS.
instance_make() {
	ROOT=${1:-$TMP/root}
	OFFSET=$(free_offset)
	SMTP=$((OFFSET + 25)) SUBMISSION=$((OFFSET + 587))
	SUBMISSIONS=$((OFFSET + 465)) IMAP=$((OFFSET + 143)) IMAPS=$((OFFSET + 993))
	mkdir -p "$ROOT/conf"
	printf 'host name=localhost postmaster=pneu\n\tmax-connections-per-ip=1000 connection-rate=100000\n\tdmarc-temperror=accept %s\n' \
	    "${HOST_ATTRS:-}" >"$ROOT/conf/host"
	PNEU_ROOT=$ROOT PNEU_PORT_OFFSET=$OFFSET localserve -i >"$TMP/made" 2>&1 || {
		sed 's/^/# /' "$TMP/made"
		return 1
	}
}
# instance_up: start the services of $ROOT, wait until they answer.
instance_up() {
	PNEU_ROOT=$ROOT setsid runsvdir -P "$ROOT/sv" >/dev/null 2>&1 &
	SUPERVISOR=$!
	INSTANCES="$INSTANCES $SUPERVISOR"
	for _p in $SMTP $SUBMISSION $SUBMISSIONS $IMAP $IMAPS; do
		wait_for 15 listening "$_p" || {
			echo "# nothing listens on $_p"
			tail -n 3 "$ROOT"/log/*/current 2>/dev/null | sed 's/^/# /'
			return 1
		}
	done
	for _s in inbound outbound local tls sasl imap park send; do
		wait_for 15 test -S "$ROOT/run/$_s" || {
			echo "# no socket $_s"
			return 1
		}
	done
}
instance_start() {
	instance_make "$@" && instance_up
}
listening() { # port
	_hex=$(printf ':%04X ' "$1")
	grep -q "$_hex.* 0A " /proc/net/tcp /proc/net/tcp6
}
below() {
	for _c in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$_c"
		below "$_c"
	done
}
# instance_down [PID]: stop the services of a supervisor, whatever it takes.
instance_down() {
	_s=${1:-$SUPERVISOR}
	_all=$(below "$_s")
	kill -HUP "$_s" 2>/dev/null
	for _c in $_all; do
		wait_for 5 sh -c "! [ -d /proc/$_c ] || grep -q '^State:.*Z' /proc/$_c/status" ||
		    kill -KILL "$_c" 2>/dev/null
	done
	wait "$_s" 2>/dev/null
	INSTANCES=$(echo "$INSTANCES" | sed "s/ $_s\$//;s/ $_s / /")
}
# The pids of a service: its program and all below it.
service_pids() {
	_p=$(cat "$ROOT/sv/$1/supervise/pid" 2>/dev/null)
	[ -n "$_p" ] && { echo "$_p"; below "$_p"; }
}

# A test with more to clean up has a trap of its own that ends in this; FINAL
# is the test's result, whatever the commands of the trap returned.
lib_cleanup() {
	_status=${FINAL:-$?}
	for _s in $INSTANCES; do
		instance_down "$_s"
	done
	! command -v dns_stop >/dev/null || dns_stop # of dns.sh
	[ -z "${OFFSET:-}" ] || rm -rf "${TMPDIR:-/tmp}/pneu-ports/$OFFSET"
	rm -rf "$TMP"
	exit $_status
}
