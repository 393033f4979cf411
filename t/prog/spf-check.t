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
people 'server failure' 1 'result=temperror .*reason="server failure' \
    -i 192.0.2.7 -H x -f a@dead.test
people 'bogus' 1 'result=temperror .*reason="DNSSEC validation failed' \
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
"$spf" -x 2>"$tmp/out"
[ $? -eq 100 ]
ok $? 'bad option'

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
