# Sourced by t/bench/run: what it costs to judge a message, and to sign one, in
# CPU time of the processes that do it.
# shellcheck shell=bash
AUTH_DOMAINS=200

# That many senders, each with a host, an address and a key of its own, so that
# nothing that is kept from one message to the next flatters; a message of 10 KB
# from each, signed with RSA of 2048 bits.
auth_make() {
	local i d r=$WORK/authsign
	mkdir -p "$r"/{conf/domain,conf/account,cdb,secret/dkim} "$WORK"/{many,single}
	echo "host name=mx.sender.example" >"$r/conf/host"
	auth_body >"$WORK/auth.body"
	for i in $(seq $AUTH_DOMAINS); do
		d=d$i.example
		(umask 077 && "$BIN/dkim-keygen" >"$r/secret/dkim/$d")
		printf 'domain name=%s\ndkim selector=k key=%s alg=rsa-sha256\n' "$d" "$d" \
		    >"$r/conf/domain/$d"
		auth_names "$i" "$d" "$("$BIN/dkim-record" -s k -d "$d" <"$r/secret/dkim/$d" |
		    tr -d '()\n' | tr '\t' ' ')" >>"$WORK/auth.dns"
	done
	"$BIN/conf-build" -C "$r" || exit 1
	for i in $(seq $AUTH_DOMAINS); do
		auth_message "d$i.example" | "$BIN/dkim-sign" -m -C "$r" \
		    >"$WORK/many/203.0.113.$((i % 250 + 1)),mx.d$i.example,a@d$i.example"
	done
	cp "$WORK/many/203.0.113.8,"* "$WORK/single"
}
auth_names() { # number domain key-record
	local ip=203.0.113.$(($1 % 250 + 1))
	cat <<E
	local-data: "$2. 3600 IN MX 10 mx.$2."
	local-data: "mx.$2. 3600 IN A $ip"
	local-data: '$2. 3600 IN TXT "v=spf1 mx ip4:198.51.100.0/24 -all"'
	local-data: 'mx.$2. 3600 IN TXT "v=spf1 a -all"'
	local-data: '_dmarc.$2. 3600 IN TXT "v=DMARC1; p=reject; rua=mailto:d@$2"'
	local-data: '$3'
	local-data-ptr: "$ip mx.$2"
E
}
auth_body() {
	seq 1 1000000 | tr '\n' ' ' | fold -s -w 72 | sed 's/ $//' | head -c 10240
	echo
}
auth_message() { # domain
	{
		printf 'From: Ann <a@%s>\nTo: <u@%s>\nSubject: bench\nDate: %s\n' "$1" "$DOMAIN" "$(date -R)"
		printf 'Message-ID: <%s@%s>\nMIME-Version: 1.0\n' "$RANDOM$RANDOM" "$1"
		printf 'Content-Type: text/plain; charset=us-ascii\n\n'
		cat "$WORK/auth.body"
	} | sed 's/$/\r/'
}
# A pipeline of its own with what is under conf/ already.
auth_up() { # name
	local root=$WORK/$1.root
	mkdir -p "$root"/{conf/pipeline,conf/account,cdb,run/counters,case,spool}
	"$BIN/conf-build" -C "$root" || return 1
	group_run "$1" env PNEU_ROOT="$root" PATH="$BIN:$PATH" "$BIN/stages" -C "$root" "$1" 2>"$root/log"
	AUTH_PID=$!
	wait_count 1 10 sh -c "ls $root/run | grep -c '^$1\$'"
}
auth_down() { # name
	kill "$AUTH_PID"
	wait "$AUTH_PID"
	group_end "$1"
}
# CPU of the processes below `stages' for N messages: not that of the resolver
# and of what gives the jobs.
auth_run() { # name messages key
	local c0 c1
	c0=$(group_cpu "$1")
	"$TOOLS/job-load" -n "$N" -c 4 -d "$2" "$WORK/$1.root/run/$1" >"$WORK/load"
	c1=$(group_cpu "$1")
	grep -q " code250=$N\$" "$WORK/load" || echo "bench: $1: $(cat "$WORK/load")" >&2
	note "$3" pneu "$(awk "BEGIN { print ($c1 - $c0) * 1000 / $N }")"
}

# The five checks as resident stages.
bench_auth() {
	local i what root=$WORK/auth.root
	mkdir -p "$root/conf/pipeline"
	echo "host name=$HOST resolver=127.0.0.1:53" >"$root/conf/host"
	grep -v 'name=deliver' "$top/conf/pipeline/inbound" >"$root/conf/pipeline/auth"
	auth_up auth || return 1
	for what in many single; do
		"$TOOLS/job-load" -n 400 -c 4 -d "$WORK/$what" "$root/run/auth" >"$WORK/load"
		for i in $(seq "$RUNS"); do
			auth_run auth "$WORK/$what" "auth $what"
		done
		[ -z "${PER_STAGE:-}" ] || auth_stages "$what"
	done
	auth_down auth
	# A resolver that says nothing would make it cheap.
	[ "$(cat "$root"/case/* | grep -c '^dmarc result=pass .*aligned=spf,dkim')" -ge "$N" ] ||
	    echo 'bench: auth: the messages did not pass' >&2
	row "five checks, $AUTH_DOMAINS senders" 'us CPU/msg' 'auth many' - '< 400'
	row 'five checks, one sender' 'us CPU/msg' 'auth single' - '< 400'
}
# PER_STAGE=1: CPU time by program, of all messages so far.
auth_stages() { # label
	local p
	for p in $(group_pids auth); do
		awk -v hz="$(getconf CLK_TCK)" '{ printf "%s %d %d\n", $2, $14 * 1000 / hz, $15 * 1000 / hz }' "/proc/$p/stat"
	done 2>/dev/null | awk -v l="$1" '{ u[$1] += $2; s[$1] += $3; n[$1]++ }
	    END { for (k in u) printf "%s %s: %d processes, user %d ms, system %d ms\n", l, k, n[k], u[k], s[k] }'
}

# Signing: a resident dkim-sign; opendkim and dkimpy, each in one process that
# signs the same message many times.
bench_sign() {
	local i root=$WORK/sign.root
	mkdir -p "$root"/{conf/pipeline,conf/domain,secret/dkim} "$WORK/plain.d"
	echo "host name=mx.sender.example" >"$root/conf/host"
	cp -p "$WORK/signer/secret/dkim/bench.pem" "$root/secret/dkim/"
	printf 'domain name=sender.example\ndkim selector=bench key=bench.pem alg=rsa-sha256\n' \
	    >"$root/conf/domain/sender.example"
	echo 'stage name=dkim-sign command=dkim-sign types=sign max=4' >"$root/conf/pipeline/sign"
	[ -s "$WORK/auth.body" ] || auth_body >"$WORK/auth.body"
	auth_message sender.example >"$WORK/plain.d/192.0.2.1,mx.sender.example,a@sender.example"
	cp "$WORK"/plain.d/* "$WORK/plain.eml"
	auth_up sign || return 1
	"$TOOLS/job-load" -n 200 -c 4 -d "$WORK/plain.d" "$root/run/sign" >"$WORK/load"
	for i in $(seq "$RUNS"); do
		auth_run sign "$WORK/plain.d" 'sign cpu'
		sign_dkimpy
		sign_opendkim
	done
	auth_down sign
	row 'sign, RSA of 2048 bits, 10 KB' 'us CPU/msg' 'sign cpu' opendkim '< 1.00 x opendkim'
	row '... beside dkimpy' 'us CPU/msg' 'sign cpu' dkimpy ''
}
sign_dkimpy() {
	local us
	us=$(/usr/bin/python3 - "$WORK/plain.eml" "$WORK/signer/secret/dkim/bench.pem" 2>/dev/null <<'E'
import sys, time, dkim
msg, key = open(sys.argv[1], 'rb').read(), open(sys.argv[2], 'rb').read()
t = time.process_time()
for i in range(200):
    dkim.sign(msg, b'bench', b'sender.example', key, canonicalize=(b'relaxed', b'relaxed'))
print((time.process_time() - t) / 200 * 1e6)
E
	) && note 'sign cpu' dkimpy "$us"
}
# Its test mode; what it costs to start is taken off.
sign_opendkim() {
	local one many
	command -v opendkim >/dev/null || return 0
	cat >"$WORK/opendkim.conf" <<E
Mode s
Domain sender.example
Selector bench
KeyFile $WORK/signer/secret/dkim/bench.pem
Canonicalization relaxed/relaxed
SignatureAlgorithm rsa-sha256
Socket local:$WORK/none
Syslog no
RequireSafeKeys no
E
	one=$(cpu_of opendkim -x "$WORK/opendkim.conf" -t "$WORK/plain.eml")
	many=$(cpu_of opendkim -x "$WORK/opendkim.conf" -t \
	    "$WORK/plain.eml$(yes ",$WORK/plain.eml" | head -n 500 | tr -d '\n')")
	note 'sign cpu' opendkim "$(awk "BEGIN { print ($many - $one) * 1e6 / 500 }")"
}
# CPU seconds of a command.
cpu_of() {
	local TIMEFORMAT='%U %S'
	{ time "$@" >/dev/null 2>&1 </dev/null; } 2>&1 | awk '{ print $1 + $2 }'
}
