# Sourced by t/bench/run: the names of the bench, from an unbound with its own
# data on 127.0.0.1:53 of the namespace.
# shellcheck shell=bash
dns_start() {
	local d=$WORK/dns
	mkdir -p "$d"
	cat >"$d/unbound.conf" <<E
server:
	interface: 127.0.0.1
	port: 53
	do-daemonize: no
	username: ""
	chroot: ""
	directory: "$d"
	pidfile: ""
	use-syslog: no
	logfile: "$d/log"
	num-threads: 1
	module-config: "iterator"
	access-control: 0.0.0.0/0 allow
	local-zone: "." static
	local-data: ". 3600 SOA ns.example. nobody.example. 1 3600 600 86400 3600"
	local-data: "$HOST. 3600 IN A $MX"
	local-data: "$DOMAIN. 3600 IN MX 10 $HOST."
	local-data: "sink.example. 3600 IN MX 10 mx.sink.example."
	local-data: "mx.sink.example. 3600 IN A $SINK"
	local-data: "sender.example. 3600 IN MX 10 mx.sender.example."
	local-data: "mx.sender.example. 3600 IN A 127.0.0.1"
	local-data: "mx.sender.example. 3600 IN A $MX"
	local-data: 'sender.example. 3600 IN TXT "v=spf1 ip4:127.0.0.0/8 ip4:192.0.2.0/24 -all"'
	local-data: 'mx.sender.example. 3600 IN TXT "v=spf1 ip4:127.0.0.0/8 ip4:192.0.2.0/24 -all"'
	local-data: '_dmarc.sender.example. 3600 IN TXT "v=DMARC1; p=reject"'
	local-data-ptr: "127.0.0.1 mx.sender.example"
	local-data-ptr: "$MX mx.sender.example"
$(dns_keys)
$(cat "$WORK/auth.dns" 2>/dev/null)
E
	unbound -d -c "$d/unbound.conf" </dev/null >"$d/out" 2>&1 &
	DNS_PID=$!
	wait_port 127.0.0.1 53
}
# The key that signs the bench's messages.
dns_keys() {
	[ ! -s "$WORK/key.txt" ] || printf "\tlocal-data: '%s'\n" "$(cat "$WORK/key.txt")"
}
dns_stop() { kill "$DNS_PID" && wait "$DNS_PID" 2>/dev/null; }
