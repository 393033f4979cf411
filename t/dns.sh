# shellcheck shell=sh disable=SC2154
# dns.sh - name servers on loopback for tests; sourced, POSIX sh.
#
# Needs $PNEU_BIN, $PNEU_TOOLS and a directory $tmp. Sets $dns_server to
# 127.0.0.1:PORT of what was started last; dns_stop ends all.
#
#	dns_fake ZONE [OPTION ...]     dnsfake with a file of its tuples
#	dns_nsd NAME=ZONEFILE ...      nsd with master files
#	dns_unbound NAME=SERVER ...    unbound; each NAME is asked at SERVER; uses
#	                               $tmp/anchors (DS or DNSKEY lines) if there
#	dns_sign NAME ZONEFILE         sign: ZONEFILE.signed, adds to $tmp/anchors

dns_pids=
dns_count=0

dns_stop() {
	for dns_pid in $dns_pids; do
		kill "$dns_pid" 2>/dev/null || :
		wait "$dns_pid" 2>/dev/null || :
	done
	dns_pids=
}

# A port that is free for UDP and TCP.
dns_port() {
	perl -MIO::Socket::INET -e 'for (1 .. 50) {
		my $t = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
		    Proto => "tcp", Listen => 1) or next;
		my $p = $t->sockport;
		IO::Socket::INET->new(LocalAddr => "127.0.0.1", Proto => "udp",
		    LocalPort => $p) or next;
		print $p; exit }
	exit 1'
}

# wait_until COMMAND ...: until it succeeds, at most 10 s.
dns_wait() {
	dns_left=100
	until "$@" >/dev/null 2>&1; do
		dns_left=$((dns_left - 1))
		[ "$dns_left" -gt 0 ] || return 1
		sleep 0.1
	done
}

# Some answer, whatever it says.
dns_answers() {
	"$PNEU_BIN/dns-lookup" -s "$dns_server" -t 500 a "$1" || [ $? -eq 1 ]
}

dns_fake() {
	dns_zone=$1
	shift
	dns_count=$((dns_count + 1))
	"$PNEU_TOOLS/dnsfake" "$@" "$dns_zone" >"$tmp/dnsfake.$dns_count" &
	dns_pids="$dns_pids $!"
	dns_wait grep -q port "$tmp/dnsfake.$dns_count" || return 1
	dns_server=127.0.0.1:$(sed 's/port //' "$tmp/dnsfake.$dns_count")
}

dns_nsd() {
	dns_count=$((dns_count + 1))
	dns_dir=$tmp/nsd.$dns_count
	dns_number=$(dns_port)
	mkdir "$dns_dir"
	{
		printf 'server:\n ip-address: 127.0.0.1@%s\n' "$dns_number"
		printf ' username: ""\n zonesdir: "%s"\n' "$dns_dir"
		printf ' pidfile: ""\n database: ""\n hide-version: yes\n'
		printf ' xfrdfile: "%s/xfrd"\n xfrdir: "%s"\n' \
		    "$dns_dir" "$dns_dir"
		printf ' zonelistfile: "%s/list"\n server-count: 1\n' "$dns_dir"
		printf 'remote-control:\n control-enable: no\n'
		for dns_zone; do
			printf 'zone:\n name: "%s"\n zonefile: "%s"\n' \
			    "${dns_zone%%=*}" "${dns_zone#*=}"
		done
	} >"$dns_dir/conf"
	nsd -d -c "$dns_dir/conf" >"$dns_dir/log" 2>&1 &
	dns_pids="$dns_pids $!"
	dns_server=127.0.0.1:$dns_number
	dns_wait dns_answers "${1%%=*}"
}

dns_unbound() {
	dns_count=$((dns_count + 1))
	dns_dir=$tmp/unbound.$dns_count
	dns_number=$(dns_port)
	mkdir "$dns_dir"
	{
		printf 'server:\n interface: 127.0.0.1@%s\n' "$dns_number"
		printf ' username: ""\n chroot: ""\n pidfile: ""\n'
		printf ' directory: "%s"\n do-daemonize: no\n' "$dns_dir"
		printf ' use-syslog: no\n logfile: ""\n num-threads: 1\n'
		printf ' do-not-query-localhost: no\n ede: yes\n do-ip6: no\n'
		printf ' module-config: "validator iterator"\n'
		printf ' local-zone: "test." nodefault\n'
		[ ! -e "$tmp/anchors" ] ||
		    printf ' trust-anchor-file: "%s"\n' "$tmp/anchors"
		printf 'remote-control:\n control-enable: no\n'
		for dns_zone; do
			dns_at=${dns_zone#*=}
			printf 'stub-zone:\n name: "%s"\n stub-addr: %s@%s\n' \
			    "${dns_zone%%=*}" "${dns_at%:*}" "${dns_at##*:}"
		done
	} >"$dns_dir/conf"
	unbound -d -c "$dns_dir/conf" >"$dns_dir/log" 2>&1 &
	dns_pids="$dns_pids $!"
	dns_server=127.0.0.1:$dns_number
	dns_wait dns_answers "${1%%=*}"
}

dns_sign() {
	(
		cd "$tmp" || exit 1
		dns_key=$(ldns-keygen -a ED25519 -k "$1") &&
		    ldns-signzone -o "$1" -f "$2.signed" "$2" "$dns_key" &&
		    cat "$dns_key.ds" >>anchors
	)
}
