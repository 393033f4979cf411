# Sourced by t/bench/run: what it costs to verify a DKIM signature over a message
# of 10 KB, beside the least that OpenSSL needs for it, and beside others.
# shellcheck shell=bash
DKIM_KINDS='rsa ed25519'

# A message of sender.example signed with each kind of key; in WORK/dkim/KIND.
dkim_make() {
	local kind r=$WORK/dkimsign d=sender.example
	mkdir -p "$r"/{conf/domain,conf/account,cdb,secret/dkim}
	echo "host name=mx.$d" >"$r/conf/host"
	for kind in $DKIM_KINDS; do
		mkdir -p "$WORK/dkim/$kind"
		(umask 077 && "$BIN/dkim-keygen" -t "$kind" >"$r/secret/dkim/$kind")
		printf 'domain name=%s\ndkim selector=%s key=%s alg=%s-sha256\n' $d \
		    "$kind" "$kind" "$kind" >"$r/conf/domain/$d"
		"$BIN/dkim-record" -s "$kind" -d $d <"$r/secret/dkim/$kind" |
		    tr -d '()\n' | tr '\t' ' ' >"$WORK/dkim/$kind.txt"
		printf "\tlocal-data: '%s'\n" "$(cat "$WORK/dkim/$kind.txt")" >>"$WORK/auth.dns"
		"$BIN/conf-build" -C "$r" || exit 1
		auth_message $d | "$BIN/dkim-sign" -m -C "$r" \
		    >"$WORK/dkim/$kind/192.0.2.25,mx.$d,a@$d"
	done
}
# The text of its key record.
dkim_text() { # kind
	grep -o '"[^"]*"' "$WORK/dkim/$1.txt" | tr -d '"\n'
}

# CPU time of a message in the workers: all that they do for it, from the packet
# to the reply. Not that of `stages', of the resolver and of what gives the jobs.
dkim_cpu() { # milliseconds so far
	awk -v all="$(group_cpu dkim)" '{ print all - $1 / 1e6 }' "/proc/$AUTH_PID/schedstat"
}
dkim_worker() { # directory key
	local c0 c1 socket=$WORK/dkim.root/run/dkim
	"$TOOLS/job-load" -n 400 -c 4 -d "$1" "$socket" >"$WORK/load"
	c0=$(dkim_cpu)
	"$TOOLS/job-load" -n "$N" -c 4 -d "$1" "$socket" >"$WORK/load"
	c1=$(dkim_cpu)
	grep -q " code250=$N\$" "$WORK/load" || echo "bench: dkim: $(cat "$WORK/load")" >&2
	note "$2" pneu "$(awk "BEGIN { print ($c1 - $c0) * 1000 / $N }")"
}
# The same without job, socket and DNS: the calls of lib/dkim in one process.
dkim_library() { # kind
	local us
	us=$("$TOOLS/dkim-time" -n "$N" "$(dkim_text "$1")" <"$(echo "$WORK/dkim/$1"/*)") &&
	    note "verify $1 library" pneu "${us##*us=}"
}

# The least: one operation with the public key, and SHA-256 over 10 KB and over
# the header, as `openssl speed' does them with all prepared.
dkim_floor() { # kind
	local op body header
	if [ "$1" = rsa ]; then
		op=$(openssl speed -mr -seconds 1 rsa2048 2>/dev/null | awk -F: '/^\+F2:/ { print 1e6 / $5 }')
	else
		op=$(openssl speed -mr -seconds 1 ed25519 2>/dev/null | awk -F: '/^\+F6:/ { print 1e6 / $6 }')
	fi
	body=$(dkim_hash 10240)
	header=$(dkim_hash "$(sed '/^\r*$/q' "$WORK/dkim/$1"/* | wc -c)")
	note "verify $1" floor "$(awk "BEGIN { print $op + $body + $header }")"
	note "verify $1 library" floor "$(awk "BEGIN { print $op + $body + $header }")"
	printf 'openssl speed %s, us: verify %.2f, SHA-256 of body %.2f, of header %.2f\n' \
	    "$1" "$op" "$body" "$header" >>"$WORK/floors"
}
dkim_hash() { # bytes
	openssl speed -mr -seconds 1 -bytes "$1" -evp sha256 2>/dev/null |
	    awk -F: -v n="$1" '/^\+F:/ { print n * 1e6 / $4 }'
}

# opendkim as a milter that verifies, asking the same resolver; miltertest feeds
# it all messages on one connection.
dkim_opendkim_start() {
	cat >"$WORK/opendkim-v.conf" <<E
Mode v
Socket local:$WORK/opendkim.sock
Background no
Syslog no
Nameservers 127.0.0.1
InternalHosts 127.0.0.3
UMask 000
E
	group_run opendkim opendkim -f -x "$WORK/opendkim-v.conf" >"$WORK/opendkim.out" 2>&1
	DKIM_MILTER=$!
	wait_count 1 10 sh -c "ls '$WORK' | grep -c '^opendkim.sock\$'"
}
dkim_opendkim() { # kind
	local c0 c1
	dkim_milter "$1" 20
	c0=$(group_cpu opendkim)
	dkim_milter "$1" "$N"
	c1=$(group_cpu opendkim)
	note "verify $1" opendkim "$(awk "BEGIN { print ($c1 - $c0) * 1000 / $N }")"
}
dkim_milter() { # kind messages
	cat >"$WORK/milter.lua" <<'E'
local head = {}
local f = assert(io.open(file, "rb"))
local text = f:read("*a")
f:close()
local cut = text:find("\r\n\r\n", 1, true)
local body = text:sub(cut + 4)
for line in text:sub(1, cut + 1):gmatch("(.-)\r\n") do
	if line:match("^[ \t]") then
		head[#head][2] = head[#head][2] .. "\n" .. line
	else
		head[#head + 1] = { line:match("^([^:]*): ?(.*)$") }
	end
end
local c = mt.connect(socket)
assert(c and mt.conninfo(c, "mx.sender.example", "192.0.2.25") == nil)
for i = 1, tonumber(count) do
	mt.macro(c, SMFIC_MAIL, "i", "bench" .. i)
	assert(mt.mailfrom(c, "a@sender.example") == nil)
	assert(mt.rcptto(c, "u@bench.example") == nil)
	for _, h in ipairs(head) do
		assert(mt.header(c, h[1], h[2]) == nil)
	end
	assert(mt.eoh(c) == nil)
	assert(mt.bodystring(c, body) == nil)
	assert(mt.eom(c) == nil)
	local result = mt.getheader(c, "Authentication-Results", 0) or "none"
	if not result:find("dkim=pass", 1, true) then
		error(result)
	end
end
mt.disconnect(c)
E
	miltertest -s "$WORK/milter.lua" -D socket="local:$WORK/opendkim.sock" \
	    -D file="$(echo "$WORK/dkim/$1"/*)" -D count="$2" >"$WORK/milter.out" 2>&1 ||
	    echo "bench: opendkim, $1: $(tail -n 3 "$WORK/milter.out")" >&2
}
dkim_opendkim_stop() {
	kill "$DKIM_MILTER"
	wait "$DKIM_MILTER"
	group_end opendkim
}
# dkimpy in one process, with the key given.
dkim_dkimpy() { # kind
	local us
	us=$(/usr/bin/python3 - "$WORK/dkim/$1"/* "$(dkim_text "$1")" 2>/dev/null <<'E'
import sys, time, dkim
msg, key = open(sys.argv[1], 'rb').read(), sys.argv[2].encode()
t = time.process_time()
for i in range(100):
    if not dkim.verify(msg, dnsfunc=lambda name, timeout=5: key):
        sys.exit(1)
print((time.process_time() - t) / 100 * 1e6)
E
	) && note "verify $1" dkimpy "$us"
}

bench_dkim() {
	local kind root=$WORK/dkim.root
	mkdir -p "$root/conf/pipeline"
	echo "host name=$HOST resolver=127.0.0.1:53" >"$root/conf/host"
	echo 'stage name=dkim-verify command=dkim-verify types=dkim,dkim-sig,dns max=4' \
	    >"$root/conf/pipeline/dkim"
	auth_up dkim || return 1
	DKIM_MILTER=
	command -v opendkim miltertest >/dev/null && dkim_opendkim_start
	for _ in $(seq "$RUNS"); do
		for kind in $DKIM_KINDS; do
			dkim_floor "$kind"
			dkim_worker "$WORK/dkim/$kind" "verify $kind"
			dkim_library "$kind"
			dkim_dkimpy "$kind"
			[ -z "$DKIM_MILTER" ] || dkim_opendkim "$kind"
		done
		dkim_worker "$WORK/many" 'verify many'
	done
	[ -z "$DKIM_MILTER" ] || dkim_opendkim_stop
	auth_down dkim
	[ "$(cat "$root"/case/* | grep -c '^dkim result=pass ')" -ge $((3 * N * RUNS)) ] ||
	    echo 'bench: dkim: the messages did not pass' >&2
	for kind in $DKIM_KINDS; do
		row "verify $kind, 10 KB, lib/dkim" 'us CPU/msg' "verify $kind library" floor '<= 1.50 x floor'
		row '... as a worker, whole job' 'us CPU/msg' "verify $kind" floor ''
		row '... beside opendkim (milter)' 'us CPU/msg' "verify $kind" opendkim '< 1.00 x opendkim'
		row '... beside dkimpy' 'us CPU/msg' "verify $kind" dkimpy ''
	done
	row "verify rsa, $AUTH_DOMAINS senders, worker" 'us CPU/msg' 'verify many' - ''
	cat "$WORK/floors" >>"$WORK/table"
}
