#!/bin/sh
# dns-lookup and lib/dns against real servers and against one that lies.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
lookup="$PNEU_BIN/dns-lookup"
n=0

# like NAME EXIT PATTERN ARGUMENT ...: exit code, and a line that matches.
like() {
	name=$1 want=$2 pattern=$3
	shift 3
	n=$((n + 1))
	"$lookup" -s "$dns_server" "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	if [ "$got" -eq "$want" ] && grep -qe "$pattern" "$tmp/out" "$tmp/err"
	then
		printf 'ok %d - %s\n' "$n" "$name"
	else
		printf 'not ok %d - %s\n# exit %d, want %d and %s\n' "$n" \
		    "$name" "$got" "$want" "$pattern"
		cut -c1-300 "$tmp/out" "$tmp/err" | head -9 | sed 's/^/# /'
	fi
}

cat >"$tmp/zone" <<'END'
$ORIGIN example.test.
$TTL 300
@	SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 60
@	NS ns
ns	A 127.0.0.1
@	MX 10 Mail
@	MX 20 mail2
@	TXT "v=spf1 " "mx -all"
mail	A 192.0.2.1
mail	A 192.0.2.2
mail	AAAA 2001:db8::1
www	CNAME web
web	CNAME mail
loop	CNAME loop2
loop2	CNAME loop
_25._tcp.mail TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
_imaps._tcp SRV 1 2 993 mail
4.3.2.1.in-addr.arpa.example.test. PTR mail
null	MX 0 .
xn--bcher-kva A 192.0.2.9
END
cp "$tmp/zone" "$tmp/large"
perl -e 'print "big TXT";
	print " \"", "x" x 200, "\"" for 1 .. 20; print "\n";
	printf "many A 10.1.%d.%d\n", $_ / 250, $_ % 250 for 1 .. 3500' \
    >>"$tmp/large"

dns_nsd "example.test=$tmp/large" || { echo 'Bail out! nsd'; exit 1; }
like 'A' 0 '^a ip=192.0.2.1 ttl=300$' a mail.example.test
like 'all A records' 0 '^a ip=192.0.2.2 ttl=300$' a mail.example.test.
like 'AAAA' 0 '^aaaa ip=2001:db8::1 ' aaaa MAIL.example.test
like 'both families' 0 '^aaaa ip=2001:db8::1 ' ips mail.example.test
like 'MX, lower case' 0 '^mx preference=10 host=mail.example.test ' \
    mx example.test
like 'null MX' 0 '^mx preference=0 host=\. ' mx null.example.test
like 'TXT joined' 0 '^txt text="v=spf1 mx -all" ' txt example.test
like 'NS' 0 '^ns host=ns.example.test ' ns example.test
like 'SRV' 0 \
    '^srv priority=1 weight=2 port=993 host=mail.example.test ' \
    srv _imaps._tcp.example.test
like 'TLSA' 0 '^tlsa usage=3 selector=1 matching=1 data=0123456789abcdef' \
    tlsa _25._tcp.mail.example.test
like 'PTR' 0 '^ptr host=mail.example.test ' \
    ptr 4.3.2.1.in-addr.arpa.example.test
like 'CNAME' 0 '^cname host=web.example.test ' cname www.example.test
like 'CNAME chain' 0 'status=ok .*canonical=mail.example.test' \
    a www.example.test
like 'CNAME loop' 111 'status=temporary .*reason="CNAME chain' \
    a loop.example.test
like 'no such name, TTL of SOA' 1 'status=nxdomain .*ttl=60 ' \
    a nothing.example.test
like 'no such type' 1 'status=nodata .*ttl=60 ' mx mail.example.test
like 'U-label' 0 '^a ip=192.0.2.9 ' a bücher.example.test
like 'other domain refused' 111 'reason="query refused"' a example.org
like '4 KB answer by TCP' 0 'text=x\{4000\} ' txt big.example.test
like '56 KB answer by TCP' 0 '^a ip=10.1.13.249 ' a many.example.test
like 'not authentic' 0 'dnssec=no' a mail.example.test
like 'bad name' 100 'not a domain name' a 'a..b'
like 'bad type' 100 'not a record type' hinfo example.test
like 'bad server' 100 'unable to use resolver' -s nonsense a example.test

# Validation by unbound.
if dns_sign example.test "$tmp/zone" >"$tmp/sign.log" 2>&1; then
	# A record changed after signing.
	sed 's/^\(mail2\?\..*[^0-9]\)192\.0\.2\.2\>/\1192.0.2.99/' \
	    "$tmp/zone.signed" >"$tmp/forged"
	dns_nsd "example.test=$tmp/zone.signed" && signed=$dns_server
	dns_nsd "example.test=$tmp/forged" && forged=$dns_server
	dns_unbound "example.test=$signed"
	like 'authentic' 0 'dnssec=yes' a mail.example.test
	like 'authentic denial' 1 'status=nxdomain dnssec=yes' \
	    a nothing.example.test
	dns_unbound "example.test=$forged"
	like 'forged' 111 'status=bogus dnssec=no' a mail.example.test
	like 'the rest still good' 0 'dnssec=yes' txt example.test
else
	sed 's/^/# /' "$tmp/sign.log"
	echo 'Bail out! cannot sign'
	exit 1
fi

# A server that misbehaves. Names in hex: 01 61 00 is "a.".
cat >"$tmp/fake" <<'END'
rr name=ok.test type=A value=192.0.2.1
rr name=formerr.test type=A value=192.0.2.2
act name=formerr.test do=formerr
rr name=wrongid.test type=A value=192.0.2.3
act name=wrongid.test do=wrongid
rr name=wrongname.test type=A value=192.0.2.3
act name=wrongname.test do=wrongname
rr name=tcclose.test type=A value=192.0.2.3
act name=tcclose.test do=tcclose
act name=timeout.test do=timeout
act name=servfail.test do=servfail
act name=bogus.test do=bogus
act name=refused.test do=refused
# The answer says 1 record and ends.
act name=short.test do=raw hex="" answers=1
# Owner is a pointer to itself (offset 12 + 10 + 1 + 4 = 0x1b).
act name=pointer.test do=raw hex=c01e00010001000000000004c0000201 answers=1
# A of 3 bytes; AAAA of 4; MX of 1 and 2; TLSA of 0, 1, 2; SRV of 6; TXT with
# a string longer than its data; rdata longer than the packet.
act name=a3.test do=raw hex=c00c00010001000000000003c00002 answers=1
act name=aaaa4.test do=raw hex=c00c001c0001000000000004c0000201 answers=1
act name=mx1.test do=raw hex=c00c000f000100000000000100 answers=1
act name=mx2.test do=raw hex=c00c000f00010000000000020001 answers=1
act name=tlsa0.test do=raw hex=c00c003400010000000000  answers=1
act name=tlsa2.test do=raw hex=c00c00340001000000000002 0301 answers=1
act name=srv6.test do=raw hex=c00c00210001000000000006000100020003 answers=1
act name=txt.test do=raw hex=c00c00100001000000000002ff61 answers=1
act name=long.test do=raw hex=c00c00010001000000000fffc0000201 answers=1
# A PTR to the label "a.b" (with a dot within) below "test"; to "x y".
act name=dot.test do=raw hex=c00c000c000100000000000a03612e62047465737400 answers=1
act name=blank.test do=raw hex=c00c000c000100000000000503782079 00 answers=1
rr name=cname0.test type=CNAME value=cname1.test
END
sed -i 's/hex=\([0-9a-f]*\) \([0-9a-f]*\) answers/hex=\1\2 answers/' \
    "$tmp/fake"
i=1
while [ $i -le 20 ]; do
	printf 'rr name=cname%d.test type=CNAME value=cname%d.test\n' \
	    $i $((i + 1))
	i=$((i + 1))
done >>"$tmp/fake"
printf 'rr name=cname21.test type=A value=192.0.2.7\n' >>"$tmp/fake"
dns_fake "$tmp/fake" -a -l "$tmp/log"
like 'AD of a server on loopback' 0 'dnssec=yes' a ok.test
like 'server without EDNS' 0 '^a ip=192.0.2.2 ' a formerr.test
like 'wrong id is not taken' 111 'status=\(limit\|temporary\)' \
    -t 300 a wrongid.test
like 'wrong question is not taken' 111 'status=\(limit\|temporary\)' \
    -t 300 a wrongname.test
like 'TCP closed' 111 'TCP connection lost' a tcclose.test
like 'time' 111 'status=limit .*reason="no time left"' -t 300 a timeout.test
like 'server failure' 111 'status=temporary .*reason="server failure"' \
    a servfail.test
like 'EDE says bogus' 111 'status=bogus .*ede=6' a bogus.test
like 'refused' 111 'reason="query refused"' a refused.test
for bad in short:a pointer:a a3:a aaaa4:aaaa mx1:mx mx2:mx tlsa0:tlsa \
    tlsa2:tlsa srv6:srv txt:txt long:a dot:ptr blank:ptr; do
	like "malformed: $bad" 111 'reason="malformed answer"' \
	    "${bad#*:}" "${bad%:*}.test"
done
like 'chain of 16 CNAMEs' 0 '^a ip=192.0.2.7 ' a cname5.test
like 'chain of 17 CNAMEs' 111 'reason="CNAME chain' a cname4.test
good=$dns_server

# The resolver of an instance.
n=$((n + 1))
mkdir -p "$tmp/root/conf" "$tmp/root/cdb"
printf 'host name=mx.test resolver=127.0.0.1:1 resolver=%s\n' "$good" \
    >"$tmp/root/conf/host"
if "$PNEU_BIN/conf-build" -C "$tmp/root" >"$tmp/out" 2>&1 &&
    "$lookup" -C "$tmp/root" a ok.test >"$tmp/out" 2>&1; then
	printf 'ok %d - servers of conf\n' "$n"
else
	printf 'not ok %d - servers of conf\n' "$n"
	sed 's/^/# /' "$tmp/out"
fi

dns_server=127.0.0.1:1,$good
like 'second server' 0 '^a ip=192.0.2.1 ' a ok.test
dns_server=127.0.0.1:1
like 'no server' 111 'reason="server unreachable"' a ok.test
like 'localhost is known' 0 '^a ip=127.0.0.1 ' a localhost
like 'and what is below it' 0 '^aaaa ip=::1 ' aaaa a.Localhost.
like 'it has no policies' 1 'status=nodata' txt _dmarc.localhost
like 'invalid is no domain' 1 'status=nxdomain' mx a.invalid
like 'others are asked for' 111 'status=temp' a localhost.test
like 'not by their ends' 111 'status=temp' a notlocalhost
dns_stop
n=$((n + 1))
if [ "$(grep -c 'servfail' "$tmp/log")" -eq 1 ]; then
	printf 'ok %d - a failing server is asked once\n' "$n"
else
	printf 'not ok %d - a failing server is asked once\n' "$n"
fi
printf '1..%d\n' "$n"
