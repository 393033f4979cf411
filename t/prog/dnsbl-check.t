#!/bin/sh
# dnsbl-check: lists of each kind, good, broken and hostile; its faces.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
check="$PNEU_BIN/dnsbl-check"
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		head -n 20 "$tmp/out" "$tmp/err" 2>/dev/null | sed 's/^/# /'
	fi
}
has() { # pattern text
	grep -q -- "$1" "$tmp/out"
	ok $? "$2"
}
# tool NAME EXIT LINE ZONE [IP]: one list, as people ask it
tool() {
	"$check" -s "$dns_server" "$4" ${5:+"$5"} >"$tmp/out" 2>"$tmp/err"
	got=$?
	printf '%s\n' "$3" >"$tmp/want"
	[ $got -eq "$2" ] && cmp -s "$tmp/out" "$tmp/want"
	ok $? "$1"
}
six=f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0
nib() { printf '%s.0.0.0.0.0.f.7.%s' "$1" "$six"; } # ::ffff:7f00:N
a() { printf 'rr name=%s type=A value=%s\n' "$1" "$2"; }
txt() { printf 'rr name=%s type=TXT value="%s"\n' "$1" "$2"; }
good() { # a list as it should be
	a "2.0.0.127.$1" 127.0.0.2
	a "$(nib 2).$1" 127.0.0.2
}
{
	good bl.test
	a 9.2.0.192.bl.test 127.0.0.4
	txt 9.2.0.192.bl.test 'see http://bl.test/?192.0.2.9'
	a 10.2.0.192.bl.test 127.0.0.10
	a 11.2.0.192.bl.test 127.0.0.2
	a 11.2.0.192.bl.test 127.0.0.10
	a 12.2.0.192.bl.test 127.255.255.254
	a 13.2.0.192.bl.test 192.0.2.80
	a 14.2.0.192.bl.test 127.0.0.2
	a 14.2.0.192.bl.test 192.0.2.80
	a 15.2.0.192.bl.test 126.255.255.255
	a 16.2.0.192.bl.test 128.0.0.0
	a 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test 127.0.0.3
	echo 'act name=17.2.0.192.bl.test do=servfail'
	echo 'act name=18.2.0.192.bl.test do=bogus'
	echo 'act name=19.2.0.192.bl.test do=refused'
	# Hostile answers.
	i=0
	while [ $i -lt 500 ]; do
		a 20.2.0.192.bl.test 127.0.$((i / 250)).$((i % 250 + 2))
		i=$((i + 1))
	done
	echo 'rr name=21.2.0.192.bl.test type=CNAME value=loop.bl.test'
	echo 'rr name=loop.bl.test type=CNAME value=21.2.0.192.bl.test'
	a 22.2.0.192.bl.test 127.0.0.2
	printf 'rr name=22.2.0.192.bl.test type=TXT value="a\\nb\\x1b[2J\\xff'
	printf '%01000d"\n' 0
	a 23.2.0.192.bl.test 127.0.0.2
	echo 'act name=23.2.0.192.bl.test type=TXT do=servfail'
	a 24.2.0.192.bl.test 127.0.0.2
	for i in 1 2 3; do txt 24.2.0.192.bl.test "text $i"; done
	echo 'act name=9.2.0.192.slow.test do=timeout'
	good slow.test
	echo 'act name=9.2.0.192.fail.test do=servfail'
	good fail.test
	# Lists that are none.
	for i in 1.0.0.127 2.0.0.127 9.2.0.192 "$(nib 1)" "$(nib 2)"; do
		a "$i.world.test" 127.0.0.2
		a "$i.parked.test" 192.0.2.80
	done
	a 2.0.0.127.v4.test 127.0.0.2
	a 9.2.0.192.v4.test 127.0.0.2
	a 9.2.0.192.gone.test 127.0.0.2
	echo 'act name=2.0.0.127.down.test do=servfail'
	echo 'act name=1.0.0.127.down.test do=servfail'
	a 9.2.0.192.down.test 127.0.0.2
	a 2.0.0.127.refuse.test 127.255.255.254
	a 1.0.0.127.refuse.test 127.255.255.254
	good wl.test
	a 9.2.0.192.wl.test 127.0.10.1
	txt 9.2.0.192.wl.test mx.example.net
} >"$tmp/zone"
dns_fake "$tmp/zone" -l "$tmp/log" || { echo '1..0 # SKIP no name server'; exit; }
line() { printf 'dnsbl zone=%s result=%s kind=block %s' "$1" "$2" "${3:+$3 }dnssec=no"; }

tool listed 1 "$(line bl.test listed 'code=127.0.0.4 reason="see http://bl.test/?192.0.2.9"')" bl.test 192.0.2.9
tool clear 0 "$(line bl.test clear)" bl.test 192.0.2.8
tool 'capitals and a last dot' 0 "$(line bl.test clear)" BL.Test. 192.0.2.8
tool 'IPv6 nibbles' 1 "$(line bl.test listed code=127.0.0.3)" bl.test 2001:db8::1
tool 'IPv6 clear' 0 "$(line bl.test clear)" bl.test 2001:db8::2
tool 'mapped IPv4 is IPv4' 1 "$(line bl.test listed 'code=127.0.0.4 reason="see http://bl.test/?192.0.2.9"')" bl.test ::ffff:192.0.2.9
tool 'codes in order' 1 "$(line bl.test listed code=127.0.0.2,127.0.0.10)" bl.test 192.0.2.11
tool 'a code that counts' 1 "$(line bl.test/127.0.0.9-127.0.0.11 listed code=127.0.0.10)" bl.test/127.0.0.9-127.0.0.11 192.0.2.10
tool 'one of two codes counts' 1 "$(line bl.test/127.0.0.3,127.0.0.10 listed code=127.0.0.2,127.0.0.10)" bl.test/127.0.0.3,127.0.0.10 192.0.2.11
tool 'a code that does not count' 0 "$(line bl.test/127.0.0.2 clear 'code=127.0.0.10 reason="listed, but not with a code that counts here"')" bl.test/127.0.0.2 192.0.2.10
refused='reason="the list does not answer this resolver"'
nolist='reason="the answer is not one that a list gives"'
tool 'the list refuses us' 111 "$(line bl.test error "code=127.255.255.254 $refused")" bl.test 192.0.2.12
tool 'a web server' 111 "$(line bl.test error "code=192.0.2.80 $nolist")" bl.test 192.0.2.13
tool 'a web server among codes' 111 "$(line bl.test error "code=127.0.0.2,192.0.2.80 $nolist")" bl.test 192.0.2.14
tool 'just below 127/8' 111 "$(line bl.test error "code=126.255.255.255 $nolist")" bl.test 192.0.2.15
tool 'just above 127/8' 111 "$(line bl.test error "code=128.0.0.0 $nolist")" bl.test 192.0.2.16
tool servfail 111 "$(line bl.test error 'reason="server failure"')" bl.test 192.0.2.17
tool bogus 111 "$(line bl.test error 'reason="DNSSEC validation failed"')" bl.test 192.0.2.18
tool '500 addresses' 1 "$(line bl.test listed 'code=127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.6,127.0.0.7,127.0.0.8,127.0.0.9,+492')" bl.test 192.0.2.20
"$check" -s "$dns_server" bl.test 192.0.2.19 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 111 ]; ok $? 'the resolver refuses'
"$check" -s "$dns_server" bl.test 192.0.2.21 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 111 ] && grep -q 'result=error' "$tmp/out"; ok $? 'a CNAME loop'
"$check" -s "$dns_server" bl.test 192.0.2.22 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 1 ] && [ "$(wc -c <"$tmp/out")" -lt 500 ] &&
    grep -q 'reason="a\\nb\\x1b\[2J\\xff00' "$tmp/out" &&
    [ "$(wc -l <"$tmp/out")" -eq 1 ]
ok $? 'a text of the list is bounded and escaped'
tool 'no text to be had' 1 "$(line bl.test listed code=127.0.0.2)" bl.test 192.0.2.23
tool 'several texts' 1 "$(line bl.test listed 'code=127.0.0.2 reason="text 1; text 2; text 3"')" bl.test 192.0.2.24
begin=$(date +%s)
"$check" -s "$dns_server" slow.test 192.0.2.9 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 111 ] && grep -q 'result=error' "$tmp/out" && [ $(($(date +%s) - begin)) -le 12 ]
ok $? 'a list that does not answer: an end in time'

# Lists that are none.
unwell() { # name zone reason
	"$check" -s "$dns_server" "$2" 192.0.2.9 >"$tmp/out" 2>"$tmp/err"
	[ $? -eq 111 ] && grep -q "^dnsbl zone=$2 result=unhealthy .*$3" "$tmp/out" &&
	    grep -q "^dnsbl-unhealthy prog=dnsbl-check zone=$2 " "$tmp/err"
	ok $? "$1"
}
: >"$tmp/log"
unwell 'lists the world' world.test 'it lists everything'
! grep -q ' 9.2.0.192' "$tmp/log"; ok $? 'and is not asked'
unwell 'a parked name' parked.test 'not one that a list gives'
unwell 'no test entry' gone.test 'it is no list'
unwell 'refuses its test' refuse.test 'does not answer this resolver'
tool 'a list whose health is not known is asked' 1 "$(line down.test listed code=127.0.0.2)" down.test 192.0.2.9

# -t
health() { # name exit pattern zone [ip]
	"$check" -t -s "$dns_server" "$4" ${5:+"$5"} >"$tmp/out" 2>"$tmp/err"
	[ $? -eq "$2" ] && grep -q -- "$3" "$tmp/out"
	ok $? "$1"
}
health '-t: both families' 0 '^dnsbl-health zone=bl.test family=ipv6 result=healthy$' bl.test
has '^dnsbl-health zone=bl.test family=ipv4 result=healthy$' 'IPv4'
health '-t: IPv4 alone' 0 'family=ipv6 result=unhealthy' v4.test
health '-t: for an IPv6 address' 1 'family=ipv6 result=unhealthy' v4.test 2001:db8::1
health '-t: lists the world' 1 'family=ipv4 result=unhealthy .*everything' world.test
health '-t: not known' 111 'family=ipv4 result=unknown reason="server failure"' down.test 192.0.2.1
# The names that are asked.
: >"$tmp/log"
"$check" -t -s "$dns_server" bl.test >/dev/null 2>&1
sed 's/\.$//' "$tmp/log" | sort >"$tmp/out"
printf 'A %s\n' 1.0.0.127.bl.test "$(nib 1).bl.test" "$(nib 2).bl.test" 2.0.0.127.bl.test |
    sort | cmp -s - "$tmp/out"
ok $? '-t asks for four names'

# The stage: lists of conf/host, all at once.
root=$tmp/root
mkdir -p "$root/conf"
printf 'host name=mx.example.org resolver=%s dnsbl=bl.test/127.0.0.4 dnsbl=fail.test\n dnsbl=world.test dnswl=wl.test\n' "$dns_server" >"$root/conf/host"
"$PNEU_BIN/conf-build" -C "$root" >"$tmp/out" 2>&1; ok $? 'conf-build'
printf 'job id=abcdefghabcdefgh size=4 time=1700000000\nclient ip=192.0.2.9\nfrom addr=\n\nx\r\n\n' >"$tmp/job"
"$check" -C "$root" <"$tmp/job" >"$tmp/case" 2>"$tmp/err"
ok $? 'a job'
sed '/^$/,$d' "$tmp/case" >"$tmp/out"
has '^dnsbl zone=bl.test/127.0.0.4 result=listed kind=block code=127.0.0.4 reason=' 'block-list'
has '^dnsbl zone=fail.test result=error kind=block ' 'in doubt'
has '^dnsbl zone=world.test result=unhealthy kind=block ' 'unhealthy'
has '^dnsbl zone=wl.test result=listed kind=allow code=127.0.10.1 reason=mx.example.net ' 'allow-list'
has '^dns by=dnsbl-check type=A name=9.2.0.192.bl.test ' 'dns lines'
! grep -q '^dns .*127.bl.test' "$tmp/out"; ok $? 'the health of a list is not the case'"'"'s'
[ "$(grep -c '^dnsbl' "$tmp/out")" -eq 4 ]; ok $? 'a line for each'
grep '^dnsbl' "$tmp/out" >"$tmp/want"
"$check" -R <"$tmp/case" >"$tmp/out" 2>"$tmp/err"
[ $? -eq 1 ] && cmp -s "$tmp/want" "$tmp/out"; ok $? '-R: the same lines from the case'
grep -v '^dns .*type=A .*bl.test' "$tmp/case" | "$check" -R >"$tmp/out" 2>"$tmp/err"
has '^dnsbl zone=bl.test/127.0.0.4 result=error ' '-R: an answer that is not in the case is not had'
"$PNEU_TOOLS/job-worker" "$check" -C "$root" <"$tmp/job" >"$tmp/out" 2>"$tmp/err"
sed '/^$/,$d' "$tmp/case" >"$tmp/want"
sed 's/ttl=[0-9]*//g' "$tmp/want" >"$tmp/want2"
sed 's/ttl=[0-9]*//g' "$tmp/out" | cmp -s - "$tmp/want2"
ok $? 'filter and worker agree'
# Two jobs of one worker: the health is asked for once.
: >"$tmp/log"
"$check" -nv -C "$root" -i 192.0.2.9 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 1 ]; ok $? '-i: exit 1'
grep -q '^because check=dnsbl result=listed zone=bl.test text=".*192.0.2.9.*see http' "$tmp/err" &&
    grep -q '^because check=dnsbl result=unhealthy zone=world.test text=".*own test' "$tmp/err" &&
    grep -q '^because check=dnsbl result=listed zone=wl.test text=".*vouches' "$tmp/err" &&
    grep -q '^step check=dnsbl type=A name=9.2.0.192.bl.test status=ok ' "$tmp/err"
ok $? '-v explains'
[ "$(grep -c '^A 9.2.0.192' "$tmp/log")" -le 6 ]; ok $? 'one query a list'

printf 'host name=mx.example.org resolver=%s\n' "$dns_server" >"$root/conf/host"
"$PNEU_BIN/conf-build" -C "$root" >"$tmp/out" 2>&1
: >"$tmp/log"
"$check" -C "$root" <"$tmp/job" >"$tmp/out" 2>"$tmp/err"
cmp -s "$tmp/job" "$tmp/out" && [ ! -s "$tmp/log" ]; ok $? 'no lists: no line, no query'
for bad in 'dnsbl=bl.test/192.0.2.1' 'dnsbl=bl.test/' 'dnsbl=a..b' 'dnswl=x/127.0.0.9-127.0.0.2' \
    'dnsbl=bl.test/127.0.0.2,' "dnsbl=$(printf '%063d.%063d.%063d.test' 0 0 0)"; do
	printf 'host name=mx.example.org %s\n' "$bad" >"$root/conf/host"
	! "$PNEU_BIN/conf-build" -C "$root" >"$tmp/out" 2>&1; ok $? "conf-build refuses $bad"
done
"$check" -s "$dns_server" bl.test/1.2.3.4 192.0.2.1 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 100 ]; ok $? 'a bad code: 100'
"$check" -s "$dns_server" a b c >"$tmp/out" 2>"$tmp/err"
[ $? -eq 100 ]; ok $? 'usage: 100'
"$check" -s "$dns_server" bl.test nonsense >"$tmp/out" 2>"$tmp/err"
[ $? -ne 0 ]; ok $? 'no address: not 0'
echo "1..$n"
