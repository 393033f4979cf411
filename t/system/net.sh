# Sourced by tests that need two hosts: three network namespaces on a bridge,
# a.example (192.0.2.10), b.example (192.0.2.20) and a name server
# (192.0.2.53) that serves signed zones; a validating unbound in each host.
# Needs root, ip, nsd, unbound and ldns-signzone. Everything is inside the
# namespaces: no packet leaves them.
# shellcheck shell=bash

NET=pneu$$
net_missing() { # prints why the test cannot run
	[ "$(id -u)" -eq 0 ] || { echo 'needs root'; return 0; }
	local p
	for p in ip nsd unbound ldns-signzone ldns-keygen; do
		command -v $p >/dev/null || { echo "needs $p"; return 0; }
	done
	ip netns add "$NET-try" 2>/dev/null || { echo 'cannot make a network namespace'; return 0; }
	ip netns del "$NET-try"
	return 1
}

# on a|b|dns COMMAND...: run in that host.
on() {
	local h=$1
	shift
	ip netns exec "$NET-$h" "$@"
}

net_up() {
	local h
	ip netns add "$NET-lan"
	ip -n "$NET-lan" link add br0 type bridge
	ip -n "$NET-lan" link set br0 up
	for h in a:10 b:20 dns:53; do
		local name=${h%:*} last=${h#*:}
		ip netns add "$NET-$name"
		ip -n "$NET-$name" link set lo up
		ip -n "$NET-lan" link add "v$name" type veth peer name eth0 netns "$NET-$name"
		ip -n "$NET-lan" link set "v$name" master br0 up
		ip -n "$NET-$name" addr add "192.0.2.$last/24" dev eth0
		ip -n "$NET-$name" link set eth0 up
		mkdir -p "/etc/netns/$NET-$name"
		echo 'nameserver 127.0.0.1' >"/etc/netns/$NET-$name/resolv.conf"
	done
}

net_down() {
	local h
	for h in a b dns lan; do
		ip netns del "$NET-$h" 2>/dev/null
		rm -rf "/etc/netns/$NET-$h"
	done
}

# zone NAME FILE: the file holds its records without SOA and NS; sign it.
ZONES=
zone() {
	local name=$1 file=$2 dir=$NETDIR/zones
	mkdir -p "$dir"
	{
		printf '$ORIGIN %s.\n$TTL 300\n' "$name"
		printf '@ SOA ns.%s. hostmaster.%s. %d 3600 600 86400 300\n' "$name" "$name" "$(date +%s)"
		printf '@ NS ns.%s.\nns A 192.0.2.53\n' "$name"
		cat "$file"
	} >"$dir/$name"
	if [ ! -s "$dir/$name.key" ]; then
		(cd "$dir" && key=$(ldns-keygen -a ECDSAP256SHA256 -k "$name") &&
		    mv "$key.key" "$name.key" && mv "$key.private" "$name.private" &&
		    rm -f "$key.ds")
		ZONES="$ZONES $name"
	fi
	(cd "$dir" && ldns-signzone -n -f "$name.signed" "$name" "$name") || return 1
}

names_up() {
	local z d=$NETDIR/nsd h
	mkdir -p "$d"
	{
		printf 'server:\n ip-address: 192.0.2.53\n username: ""\n chroot: ""\n'
		printf ' pidfile: "%s/pid"\n zonesdir: "%s/zones"\n database: ""\n' "$d" "$NETDIR"
		printf ' logfile: "%s/log"\n xfrdfile: ""\n zonelistfile: "%s/list"\n' "$d" "$d"
		printf ' xfrdir: "%s"\n' "$d"
		printf 'remote-control:\n control-enable: no\n'
		for z in $ZONES; do
			printf 'zone:\n name: %s\n zonefile: %s.signed\n' "$z" "$z"
		done
	} >"$d/nsd.conf"
	on dns nsd -d -c "$d/nsd.conf" >"$d/out" 2>&1 &
	NAME_PIDS=$!
	for h in a b; do
		mkdir -p "$NETDIR/unbound-$h"
		{
			printf 'server:\n interface: 127.0.0.1\n do-daemonize: no\n'
			printf ' username: ""\n chroot: ""\n directory: "%s/unbound-%s"\n' "$NETDIR" "$h"
			printf ' pidfile: ""\n use-syslog: no\n logfile: "%s/unbound-%s/log"\n' "$NETDIR" "$h"
			printf ' num-threads: 1\n module-config: "validator iterator"\n'
			printf ' do-not-query-localhost: no\n do-ip6: no\n'
			printf ' local-zone: "2.0.192.in-addr.arpa." nodefault\n'
			printf ' local-zone: "example." nodefault\n root-hints: ""\n'
			for z in $ZONES; do
				printf ' trust-anchor-file: "%s/zones/%s.key"\n' "$NETDIR" "$z"
			done
			for z in $ZONES; do
				printf 'stub-zone:\n name: "%s"\n stub-addr: 192.0.2.53\n' "$z"
			done
		} >"$NETDIR/unbound-$h/unbound.conf"
		on $h unbound -d -c "$NETDIR/unbound-$h/unbound.conf" \
		    >"$NETDIR/unbound-$h/out" 2>&1 &
		NAME_PIDS="$NAME_PIDS $!"
	done
}
names_down() {
	# shellcheck disable=SC2086 # a list of numbers
	kill $NAME_PIDS 2>/dev/null
	# shellcheck disable=SC2086
	wait $NAME_PIDS 2>/dev/null
}
