# shellcheck shell=sh disable=SC2154
# twohosts.sh - two hosts with addresses and DNSSEC of their own; sourced.
#
# Needs root, $PNEU_BIN and a directory $tmp. Three network namespaces on one
# bridge:
#	a	192.0.2.1, 2001:db8::1		b	192.0.2.2, 2001:db8::2
#	d	192.0.2.53: nsd serves the zones
# In a and b unbound validates on 127.0.0.1:53, with the keys of the zones as
# trust anchors, and resolv.conf names it. Ports below 1024 are free there.
#
#	th_possible         can this be done here? else says why, for SKIP
#	th_start            make the namespaces
#	th_zone FILE        sign FILE as the zone "test." and serve it; the
#	                    reverse names are mx.a.test and mx.b.test. Again at
#	                    any time, with other records
#	th_forge SED        change the signed zone by a sed script, unsigned
#	th_in a|b|d COMMAND ...   run there; ends with the caller's wait or th_stop
#	th_stop             end every process in there and remove everything

th_id=pneu$$
th_made=

th_possible() {
	if [ "$(id -u)" -ne 0 ]; then
		echo 'needs root'
		return 1
	fi
	for th_program in ip nsd unbound ldns-keygen ldns-signzone; do
		command -v "$th_program" >/dev/null || {
			echo "no $th_program"
			return 1
		}
	done
	if ! ip netns add "$th_id-try" 2>/dev/null; then
		echo 'no network namespaces here'
		return 1
	fi
	# In a chroot, whose / is no mount point, exec fails.
	ip netns exec "$th_id-try" true 2>/dev/null
	th_status=$?
	ip netns del "$th_id-try"
	if [ $th_status -ne 0 ]; then
		echo 'no mount namespaces here'
		return 1
	fi
}

th_in() {
	th_where=$1
	shift
	ip netns exec "$th_id-$th_where" "$@"
}

# A host: its end of the cable, addresses, resolv.conf.
th_host() {
	th_name=$1 th_number=$2
	ip -n "$th_id-d" link add "v$th_name" type veth peer name eth0 \
	    netns "$th_id-$th_name"
	ip -n "$th_id-d" link set "v$th_name" master br0 up
	ip -n "$th_id-$th_name" address add "192.0.2.$th_number/24" dev eth0
	ip -n "$th_id-$th_name" address add "2001:db8::$th_number/64" \
	    dev eth0 nodad
	ip -n "$th_id-$th_name" link set eth0 up
	mkdir -p "/etc/netns/$th_id-$th_name"
	printf 'nameserver 127.0.0.1\noptions edns0 trust-ad\n' \
	    >"/etc/netns/$th_id-$th_name/resolv.conf"
	printf '127.0.0.1 localhost\n::1 localhost\n' \
	    >"/etc/netns/$th_id-$th_name/hosts"
}

th_start() {
	th_made=yes
	for th_ns in d a b; do
		ip netns add "$th_id-$th_ns" || return 1
		ip -n "$th_id-$th_ns" link set lo up || return 1
	done
	ip -n "$th_id-d" link add br0 type bridge &&
	    ip -n "$th_id-d" address add 192.0.2.53/24 dev br0 &&
	    ip -n "$th_id-d" link set br0 up || return 1
	th_host a 1 && th_host b 2
}

# Kill what runs in those namespaces; ask first.
th_kill() {
	for th_signal in TERM KILL; do
		th_left=20
		while [ "$th_left" -gt 0 ]; do
			th_pids=$(for th_ns; do
				ip netns pids "$th_id-$th_ns" 2>/dev/null
			done)
			[ -n "$th_pids" ] || return 0
			# shellcheck disable=SC2086 # several
			[ "$th_left" -lt 20 ] ||
			    kill -s "$th_signal" $th_pids 2>/dev/null || :
			sleep 0.1
			th_left=$((th_left - 1))
		done
	done
}

th_stop() {
	[ -n "$th_made" ] || return 0
	th_kill a b d
	for th_ns in a b d; do
		ip netns del "$th_id-$th_ns" 2>/dev/null || :
		rm -rf "/etc/netns/$th_id-$th_ns"
	done
	th_made=
}

# Sign NAME FILE with the zone's key, which is made once.
th_sign() (
	cd "$tmp" || exit 1
	if [ ! -e "key.$1" ]; then
		ldns-keygen -a ED25519 -k "$1" >"key.$1" || exit 1
	fi
	ldns-signzone -o "$1" -f "$2.signed" "$2" "$(cat "key.$1")"
)

th_servers() {
	cat >"$tmp/nsd.conf" <<END
server:
 ip-address: 192.0.2.53
 username: ""
 zonesdir: "$tmp"
 pidfile: ""
 database: ""
 xfrdfile: "$tmp/xfrd"
 xfrdir: "$tmp"
 zonelistfile: "$tmp/list"
 server-count: 1
remote-control:
 control-enable: no
zone:
 name: "test"
 zonefile: "$tmp/zone.test.signed"
zone:
 name: "2.0.192.in-addr.arpa"
 zonefile: "$tmp/zone.reverse.signed"
END
	cat >"$tmp/unbound.conf" <<END
server:
 interface: 127.0.0.1
 username: ""
 chroot: ""
 directory: "$tmp"
 pidfile: ""
 do-daemonize: no
 use-syslog: no
 logfile: ""
 num-threads: 1
 ede: yes
 module-config: "validator iterator"
 trust-anchor-file: "$tmp/anchors"
 local-zone: "test." nodefault
 local-zone: "2.0.192.in-addr.arpa." nodefault
remote-control:
 control-enable: no
stub-zone:
 name: "test"
 stub-addr: 192.0.2.53
stub-zone:
 name: "2.0.192.in-addr.arpa"
 stub-addr: 192.0.2.53
END
	th_in d nsd -d -c "$tmp/nsd.conf" >"$tmp/nsd.log" 2>&1 &
	th_in a unbound -d -c "$tmp/unbound.conf" >"$tmp/unbound.a" 2>&1 &
	th_in b unbound -d -c "$tmp/unbound.conf" >"$tmp/unbound.b" 2>&1 &
	for th_ns in a b; do
		th_left=100
		until th_in "$th_ns" "$PNEU_BIN/dns-lookup" -s 127.0.0.1 \
		    -t 1000 ns test >/dev/null 2>&1; do
			th_left=$((th_left - 1))
			[ "$th_left" -gt 0 ] || return 1
			sleep 0.1
		done
	done
}

# The processes of the last time, so that nothing old is remembered.
th_servers_stop() {
	for th_ns in a b d; do
		for th_pid in $(ip netns pids "$th_id-$th_ns"); do
			case $(cat "/proc/$th_pid/comm" 2>/dev/null) in
			nsd* | unbound) kill "$th_pid" 2>/dev/null || : ;;
			esac
		done
	done
	th_left=50
	while [ "$th_left" -gt 0 ]; do
		th_old=no
		for th_ns in a b d; do
			for th_pid in $(ip netns pids "$th_id-$th_ns"); do
				case $(cat "/proc/$th_pid/comm" 2>/dev/null) in
				nsd* | unbound) th_old=yes ;;
				esac
			done
		done
		[ "$th_old" = yes ] || return 0
		sleep 0.1
		th_left=$((th_left - 1))
	done
}

th_zone() {
	{
		# shellcheck disable=SC2016 # master file words
		printf '$ORIGIN test.\n$TTL 60\n'
		echo '@ SOA ns.test. hostmaster.test. 1 3600 600 86400 60'
		printf '@ NS ns\nns A 192.0.2.53\n'
		cat "$1"
	} >"$tmp/zone.test"
	cat >"$tmp/zone.reverse" <<'END'
$ORIGIN 2.0.192.in-addr.arpa.
$TTL 60
@ SOA ns.test. hostmaster.test. 1 3600 600 86400 60
@ NS ns.test.
1 PTR mx.a.test.
2 PTR mx.b.test.
END
	th_sign test zone.test && th_sign 2.0.192.in-addr.arpa zone.reverse ||
	    return 1
	cat "$tmp"/Ktest.*.ds "$tmp"/K2.0.192.*.ds >"$tmp/anchors"
	th_servers_stop
	th_servers
}

th_forge() {
	sed "$1" "$tmp/zone.test.signed" >"$tmp/zone.forged"
	cmp -s "$tmp/zone.forged" "$tmp/zone.test.signed" && return 1
	mv "$tmp/zone.forged" "$tmp/zone.test.signed"
	th_servers_stop
	th_servers
}

# Postfix on B for b.test, its mailbox of bob below $POSTFIX/mail; $1 is what a
# test wants in main.cf besides. Then: th_in b postfix -c "$POSTFIX/conf" start
th_postfix_conf() {
	mkdir -p "$POSTFIX/conf" "$POSTFIX/spool" "$POSTFIX/data" "$POSTFIX/mail/bob"
	# Its virtual(8) must reach the mailbox directory.
	chmod 755 "$TMP" "$NETDIR" "$POSTFIX"
	chown -R postfix "$POSTFIX/data" "$POSTFIX/mail"
	cat >"$POSTFIX/conf/main.cf" <<E
compatibility_level = 3.6
queue_directory = $POSTFIX/spool
data_directory = $POSTFIX/data
maillog_file = $POSTFIX/log
maillog_file_prefixes = $TMP
myhostname = mx.b.test
mydestination =
mynetworks = 127.0.0.0/8 192.0.2.2/32
inet_interfaces = 192.0.2.2
inet_protocols = ipv4
smtp_bind_address = 192.0.2.2
alias_maps =
alias_database =
virtual_mailbox_domains = b.test
virtual_mailbox_base = $POSTFIX/mail
virtual_mailbox_maps = static:bob/Maildir/
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 50
$1
E
	sed -e '/^[^#]*chroot/!s/^\([a-z]*  *[a-z]*  *[n-]  *[-n]  *\)y /\1n /' \
	    /usr/share/postfix/master.cf.dist >"$POSTFIX/conf/master.cf"
}
