#!/bin/sh
# iprev-check: each result, and the three faces.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
iprev="$PNEU_BIN/iprev-check"
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		head -n 20 "$tmp/out" | sed 's/^/# /'
	fi
}
people() { # name exit line ip
	"$iprev" -n -s "$dns_server" -i "$4" >"$tmp/out"
	got=$?
	printf '%s\n' "$3" >"$tmp/want"
	[ $got -eq "$2" ] && cmp -s "$tmp/out" "$tmp/want"
	ok $? "$1"
}
rev() { printf 'rr name=%s.2.0.192.in-addr.arpa type=PTR value=%s\n' "$1" "$2"; }
{
	rev 1 mx.test
	echo 'rr name=mx.test type=A value=192.0.2.1'
	rev 2 other.test
	rev 2 mx2.test
	echo 'rr name=other.test type=A value=192.0.2.99'
	echo 'rr name=mx2.test type=A value=192.0.2.2'
	rev 3 other.test
	rev 4 other.test
	rev 4 dead.test
	echo 'act name=dead.test do=servfail'
	echo 'act name=5.2.0.192.in-addr.arpa do=bogus'
	i=0
	while [ $i -lt 30 ]; do
		rev 6 "n$i.test"
		echo "rr name=n$i.test type=A value=192.0.2.$((100 + i))"
		i=$((i + 1))
	done
	rev 6 last.test
	echo 'rr name=last.test type=A value=192.0.2.6'
	printf 'rr name=1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.'
	printf '0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa '
	echo 'type=PTR value=six.test'
	echo 'rr name=six.test type=AAAA value=2001:db8::1'
} >"$tmp/zone"
dns_fake "$tmp/zone" -a -l "$tmp/log"

people pass 0 'iprev result=pass name=mx.test ip=192.0.2.1 dnssec=yes' 192.0.2.1
people 'second name' 0 \
    'iprev result=pass name=mx2.test ip=192.0.2.2 dnssec=yes' 192.0.2.2
people fail 1 'iprev result=fail ip=192.0.2.3 dnssec=yes reason="no name leads back to the address"' 192.0.2.3
people 'a name in doubt' 111 'iprev result=temperror ip=192.0.2.4 dnssec=no reason="server failure"' 192.0.2.4
people bogus 111 'iprev result=temperror ip=192.0.2.5 dnssec=no reason="DNSSEC validation failed"' 192.0.2.5
: >"$tmp/log"
people 'only ten names' 1 'iprev result=fail ip=192.0.2.6 dnssec=yes reason="none of the first 10 names leads back to the address"' 192.0.2.6
grep -c '^A ' "$tmp/log" >"$tmp/out"
[ "$(cat "$tmp/out")" -eq 10 ]; ok $? 'ten queries'
people 'no name' 1 'iprev result=permerror ip=192.0.2.7 dnssec=yes reason="no such name"' 192.0.2.7
people IPv6 0 'iprev result=pass name=six.test ip=2001:db8::1 dnssec=yes' \
    2001:db8::1
"$iprev" -n -v -s "$dns_server" -i 192.0.2.1 2>"$tmp/out" >/dev/null
grep -q '^step check=dns type=PTR name=1.2.0.192.in-addr.arpa status=ok ' \
    "$tmp/out"; ok $? '-v'
# because IP PATTERN: -v gives the cause in a sentence.
because() {
	"$iprev" -n -v -s "$dns_server" ${1:+-i "$1"} 2>"$tmp/out" >/dev/null
	[ "$(grep -c '^because check=iprev ' "$tmp/out")" -eq 1 ] &&
	    grep -q "^because check=iprev result=$2" "$tmp/out"
	ok $? "-v: $2"
}
because 192.0.2.1 'pass text=".*the name mx.test, and that name has this address'
because 192.0.2.3 'fail text=".*says that it is other.test, but none of the 1 name .*Give other.test an A record'
because 192.0.2.4 'temperror text=".*what is at dead.test (server failure)'
because 192.0.2.6 'fail text=".*(and 30 other names), but none of the 10 names'
because 192.0.2.7 'permerror text=".*no PTR record'
because 2001:db8::1 'pass'
because '' 'permerror text=".*address is not known'
grep -q 'note=' "$tmp/out"; [ $? -eq 1 ]; ok $? '-v: nothing was asked'
"$iprev" -n -v -s "$dns_server" -i 192.0.2.3 2>&1 >/dev/null |
    grep -q 'name=other.test .*note="not the client.s address: 192.0.2.99"'
ok $? '-v: what the name has instead'

printf 'job id=abcdefghabcdefgh size=4 time=1700000000\nclient ip=192.0.2.1\nfrom addr=\n\nx\r\n\n' >"$tmp/job"
"$iprev" -s "$dns_server" <"$tmp/job" | sed '/^$/,$d' >"$tmp/want"
"$PNEU_TOOLS/job-worker" "$iprev" -s "$dns_server" <"$tmp/job" >"$tmp/out"
cmp -s "$tmp/out" "$tmp/want" && grep -q '^iprev result=pass' "$tmp/out"
ok $? 'filter and worker agree'
echo "1..$n"
