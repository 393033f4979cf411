#!/bin/sh
# spf-check: the three faces, both identities, limits counted at the server.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
spf="$PNEU_BIN/spf-check"
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		head -n 20 "$tmp/out" | sed 's/^/# /'
	fi
}
# people NAME EXIT PATTERN ARGUMENT ...
people() {
	name=$1 want=$2 pattern=$3
	shift 3
	"$spf" -n -s "$dns_server" "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ $got -eq "$want" ] && grep -q -- "$pattern" "$tmp/out"
	ok $? "$name"
}

cat >"$tmp/zone" <<'END'
rr name=example.net type=TXT value="v=spf1 mx -all"
rr name=example.net type=MX value="10 mx.example.net"
rr name=mx.example.net type=A value=192.0.2.7
rr name=mx.example.net type=TXT value="v=spf1 a -all"
rr name=fail.test type=TXT value="v=spf1 ip4:198.51.100.0/24 exp=why.fail.test -all"
rr name=why.fail.test type=TXT value="%{i} may not send for %{d}"
rr name=about.test type=TXT value="v=spf1 about=1 mx.x=2 all-x=3 +all"
rr name=macro.test type=TXT value="v=spf1 a:%{l}.macro.test mx:mail.%{d} -all"
rr name=ann.macro.test type=A value=192.0.2.7
rr name=utf8.test type=TXT value="v=spf1 exists:%{l}.utf8.test ?all"
rr name=incl.test type=TXT value="v=spf1 include:fail.test ~all"
rr name=moved.test type=TXT value="v=spf1 redirect=example.net"
rr name=wrong.test type=TXT value="v=spf1 mx mx:x -all"
rr name=many.test type=TXT value="v=spf1 a:h1.x.test a:h2.x.test a:h3.x.test a:h4.x.test a:h5.x.test a:h6.x.test a:h7.x.test a:h8.x.test a:h9.x.test a:h10.x.test a:h11.x.test +all"
rr name=void.test type=TXT value="v=spf1 a:v1.x.test a:v2.x.test a:v3.x.test +all"
rr name=pvoid.test type=TXT value="v=spf1 a:v1.x.test a:v2.x.test exists:%{p}.x.test +all"
rr name=xn--bcher-kva.test type=TXT value="v=spf1 exists:%{h} -all"
rr name=xn--bcher-kva.test type=A value=127.0.0.2
rr name=h1.x.test type=A value=198.51.100.1
rr name=h2.x.test type=A value=198.51.100.2
rr name=h3.x.test type=A value=198.51.100.3
rr name=h4.x.test type=A value=198.51.100.4
rr name=h5.x.test type=A value=198.51.100.5
rr name=h6.x.test type=A value=198.51.100.6
rr name=h7.x.test type=A value=198.51.100.7
rr name=h8.x.test type=A value=198.51.100.8
rr name=h9.x.test type=A value=198.51.100.9
rr name=h10.x.test type=A value=198.51.100.10
rr name=h11.x.test type=A value=198.51.100.11
act name=slow.test do=timeout
act name=dead.test do=servfail
act name=bogus.test do=bogus
END
dns_fake "$tmp/zone" -a

people 'pass' 0 '^spf result=pass identity=mailfrom domain=example.net mech=mx dnssec=yes$' \
    -i 192.0.2.7 -H mx.example.net -f ann@example.net
sed -n 1p "$tmp/out" | grep -q '^spf result=pass identity=helo domain=mx.example.net mech=a dnssec=yes$'
ok $? 'HELO first'
people 'fail' 1 'result=fail identity=mailfrom .*mech=-all' \
    -i 192.0.2.8 -H mx.example.net -f ann@example.net
people 'explanation' 1 'explanation="192.0.2.8 may not send for fail.test"' \
    -i 192.0.2.8 -H x.test -f ann@fail.test
people 'null sender: HELO only' 0 '^spf result=pass identity=helo' \
    -i 192.0.2.7 -H mx.example.net
[ "$(wc -l <"$tmp/out")" -eq 1 ]
ok $? 'one record'
people 'unknown modifiers that begin like mechanisms' 0 \
    'result=pass .*domain=about.test' -i 192.0.2.7 -H x -f a@about.test
people 'macro in a and mx' 0 'mech="\?a:%{l}.macro.test"\? ' \
    -i 192.0.2.7 -H x -f ann@macro.test
people 'local part beyond ASCII matches nothing' 1 'result=neutral' \
    -i 192.0.2.7 -H x -f jörg@utf8.test
people 'HELO is a literal' 1 'result=none identity=helo' \
    -i 192.0.2.7 -H '[192.0.2.7]'
people 'server failure' 111 'result=temperror .*reason="server failure' \
    -i 192.0.2.7 -H x -f a@dead.test
people 'bogus' 111 'result=temperror .*reason="DNSSEC validation failed' \
    -i 192.0.2.7 -H x -f a@bogus.test
people 'no record' 1 'result=none .*reason="no such name' \
    -i 192.0.2.7 -H x -f a@nothing.test
people 'no client address' 1 'result=none .*reason="client address unknown"' \
    -H x -f a@example.net
"$spf" -n -v -s "$dns_server" -i 192.0.2.7 -H x -f ann@example.net \
    >"$tmp/out" 2>&1
grep -q '^step check=spf depth=0 domain=example.net term=mx match=yes' \
    "$tmp/out" &&
    grep -q '^step check=dns type=A name=mx.example.net status=ok ' "$tmp/out"
ok $? '-v shows terms and answers'
# explain NAME PATTERN ARGUMENT ...: a line that -v shows.
explain() {
	name=$1 pattern=$2
	shift 2
	"$spf" -n -v -s "$dns_server" "$@" >/dev/null 2>"$tmp/out"
	grep -q -- "$pattern" "$tmp/out"
	ok $? "-v: $name"
}
explain 'addresses' 'term=mx match=no lookups=1 voids=0 note="compared with 192.0.2.7 of mx.example.net"' \
    -i 192.0.2.8 -f ann@example.net
explain 'include, nested' '^step check=spf depth=1 domain=fail.test term=ip4:198.51.100.0/24 match=no lookups=1' \
    -i 192.0.2.8 -f ann@incl.test
explain 'what an include says' 'term=include:fail.test match=no .*note="no pass by the record of fail.test"' \
    -i 192.0.2.8 -f ann@incl.test
explain 'a name that is not there' 'match=no lookups=1 voids=1 note="there is no bob.utf8.test"' \
    -i 192.0.2.8 -f bob@utf8.test
explain 'what a macro cannot give' 'match=no .*note="its macros give no name"' \
    -i 192.0.2.8 -f jörg@utf8.test
explain 'an address of the other kind' 'note="the client.s address is of the other kind"' \
    -i 2001:db8::1 -f a@fail.test
explain 'why it passes' '^because check=spf result=pass identity=mailfrom text="192.0.2.7 may send for example.net: it matches \\"mx\\" in the SPF record of example.net."' \
    -i 192.0.2.7 -f ann@example.net
explain 'that +all says nothing' '^because check=spf result=pass .*Every host of the world' \
    -i 192.0.2.7 -f a@about.test
explain 'why it fails, and SRS' '^because check=spf result=fail identity=mailfrom text="The host that sent this, 192.0.2.8, is not among the hosts that example.net names.*(SRS)' \
    -i 192.0.2.8 -f ann@example.net
explain 'why HELO fails' '^because check=spf result=fail identity=helo .*its own name in HELO' \
    -i 192.0.2.8 -H mx.example.net
explain 'where the record is wrong' '^because check=spf result=permerror .*record of wrong.test, at character 11, \\"mx:x\\" (bad domain)' \
    -i 192.0.2.8 -f a@wrong.test
explain 'what cost a lookup' '^because check=spf result=permerror .*more than 10 lookups would be needed: a:h1.x.test (many.test), .*a:h11.x.test (many.test)\.' \
    -i 192.0.2.8 -f a@many.test
explain 'names without an answer' '^because check=spf result=permerror .*more than 2 names had to be asked for that have no answer: v1.x.test (void.test), v2.x.test (void.test), v3' \
    -i 192.0.2.8 -f a@void.test
explain 'no record' '^because check=spf result=none .*nothing.test has no SPF record (no such name)' \
    -i 192.0.2.8 -f a@nothing.test
explain 'no answer now' '^because check=spf result=temperror .*(server failure.*dead.test)' \
    -i 192.0.2.8 -f a@dead.test
explain 'a redirect' '^because check=spf result=fail .*SPF record of example.net, which that of moved.test leads to' \
    -i 192.0.2.8 -f a@moved.test
people 'only the HELO name beyond ASCII: A-labels' 0 \
    'result=pass identity=helo domain=xn--bcher-kva.test mech="\?exists:%{h}' \
    -i 192.0.2.7 -H bücher.test
people 'a macro limit ends the check' 1 'result=permerror identity=mailfrom' \
    -i 192.0.2.7 -H x -f a@pvoid.test
people 'trailing dot of the sender' 0 'result=pass identity=mailfrom domain=example.net ' \
    -i 192.0.2.7 -H x -f ann@example.net.
people 'IPv4-mapped client' 0 'result=pass identity=mailfrom' \
    -i ::ffff:192.0.2.7 -H x -f ann@example.net
people 'client 127.0.0.1 is like any other' 1 'result=fail identity=mailfrom' \
    -i 127.0.0.1 -H localhost -f ann@example.net
people 'single label' 1 'result=none identity=mailfrom' \
    -i 127.0.0.1 -H localhost -f ann@localhost
people 'U-labels of the sender' 0 \
    'result=pass identity=mailfrom domain=xn--bcher-kva.test' \
    -i 192.0.2.7 -H xn--bcher-kva.test -f ann@bücher.test
people 'a domain that cannot be' 1 'result=none identity=mailfrom' \
    -i 192.0.2.7 -H x -f 'ann@a b.test'
"$spf" -x 2>"$tmp/out"
[ $? -eq 100 ]
ok $? 'bad option'

# -F: the Received-SPF field; unfolded it is one line.
field() { # NAME EXIT PATTERN ARGUMENT ...
	name=$1 want=$2 pattern=$3
	shift 3
	"$spf" -F -n -s "$dns_server" "$@" >"$tmp/folded" 2>"$tmp/err"
	got=$?
	awk '/^\t/ { sub(/^\t/, " "); printf "%s", $0; next }
	    { printf "%s%s", sep, $0; sep = "\n" } END { print "" }' \
	    "$tmp/folded" >"$tmp/out"
	[ $got -eq "$want" ] && grep -q -- "$pattern" "$tmp/out" &&
	    ! awk 'length > 998' "$tmp/folded" | grep -q .
	ok $? "-F: $name"
}
field 'pass' 0 '^Received-SPF: pass (domain example.net designates 192.0.2.7 as permitted sender) receiver=unknown; identity=mailfrom; client-ip=192.0.2.7; envelope-from="ann@example.net"; helo=mx.example.net; mechanism=mx;$' \
    -i 192.0.2.7 -H mx.example.net -f ann@example.net
[ "$(grep -c '^Received-SPF' "$tmp/out")" -eq 2 ] && ! grep -q '^spf ' "$tmp/out"
ok $? '-F: one for each identity, no record'
! awk 'length > 78' "$tmp/folded" | grep -q .
ok $? '-F: folded'
field 'fail' 1 '^Received-SPF: fail (domain fail.test does not designate 192.0.2.8 .* mechanism=-all;$' \
    -i 192.0.2.8 -H x -f a@fail.test
field 'permerror says where' 1 'problem="bad domain: mx:x";$' \
    -i 192.0.2.8 -H x -f a@wrong.test
field 'null sender' 0 'domain mx.example.net of HELO, as the sender is empty, designates .*envelope-from="<>"' \
    -i 192.0.2.7 -H mx.example.net
field 'IPv6 is quoted' 1 'client-ip="2001:db8::1"' -i 2001:db8::1 -f a@fail.test
field 'a hostile HELO is quoted' 1 'helo="x; identity=mailfrom (\\"\\\\)"' \
    -i 192.0.2.8 -H 'x; identity=mailfrom ("\)' -f a@fail.test
field 'and cannot leave the field' 1 'helo="xResult: pass"' \
    -i 192.0.2.8 -H "$(printf 'x\r\nResult: pass')" -f a@fail.test
field 'nor its comment' 1 '(domain a\\)b\\(c of HELO, as the sender is empty, has no SPF record that names 192.0.2.8)' \
    -i 192.0.2.8 -H 'a)b(c'
field 'a long sender' 1 '^Received-SPF: ' -i 192.0.2.8 \
    -f "$(printf '%02000d' 7)@fail.test"

# The faces agree.
cat >"$tmp/job" <<'END'
job id=abcdefghabcdefgh size=23 time=1700000000
client ip=192.0.2.7 helo=mx.example.net
from addr=ann@example.net
rcpt addr=bob@example.org account=bob

END
printf 'Subject: hello\r\n\r\nhi\r\n\n' >>"$tmp/job"
"$spf" -s "$dns_server" <"$tmp/job" >"$tmp/filtered"
code=$?
cp "$tmp/filtered" "$tmp/out"
[ $code -eq 0 ] && grep -c '^spf ' "$tmp/filtered" | grep -q '^2$'
ok $? 'as a filter'
sed '1,/^$/d' "$tmp/job" >"$tmp/before"
sed '1,/^$/d' "$tmp/filtered" | cmp -s - "$tmp/before"
ok $? 'the message is the same'
"$PNEU_TOOLS/job-worker" "$spf" -s "$dns_server" <"$tmp/job" >"$tmp/out"
code=$?
sed '/^$/,$d' "$tmp/filtered" >"$tmp/want"
[ $code -eq 0 ] && cmp -s "$tmp/want" "$tmp/out"
ok $? 'as a worker: the same envelope'
"$spf" -n -s "$dns_server" -i 192.0.2.7 -H mx.example.net -f ann@example.net \
    >"$tmp/out"
grep '^spf ' "$tmp/want" | cmp -s - "$tmp/out"
ok $? 'for people: the same lines'
echo "1..$n"
