#!/bin/sh
# spf-parse and spf-lookup: terms, errors with their place, macros, the cost.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
parse="$PNEU_BIN/spf-parse"
n=0
# out NAME EXIT PATTERN ARGUMENT ...: exit code and a whole line.
out() {
	name=$1 want=$2 pattern=$3
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	n=$((n + 1))
	if [ $got -eq "$want" ] && grep -qx -- "$pattern" "$tmp/out"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name: exit $got"
		cut -c1-300 "$tmp/out" "$tmp/err" | head -n 20 | sed 's/^/# /'
	fi
}

out 'words as operands' 0 'mechanism at=11 name=all result=fail lookups=0 text=-all' \
    "$parse" v=spf1 mx -all
out 'mx' 0 'mechanism at=8 name=mx result=pass bits4=32 bits6=128 lookups=1 text=mx' \
    "$parse" 'v=spf1 mx -all'
out 'a with all' 0 'mechanism at=8 name=a result=softfail spec=x.y bits4=24 bits6=64 lookups=1 text=~a:x.y/24//64' \
    "$parse" 'v=spf1 ~a:x.y/24//64 ?all'
out 'ip4' 0 'mechanism at=8 name=ip4 result=neutral ip=192.0.2.0 bits=24 lookups=0 text=?ip4:192.0.2.0/24' \
    "$parse" 'v=spf1 ?ip4:192.0.2.0/24 -all'
out 'ip6' 0 'mechanism at=8 name=ip6 result=pass ip=2001:db8:: bits=32 lookups=0 text=ip6:2001:db8::/32' \
    "$parse" 'v=spf1 ip6:2001:db8::/32 -all'
out 'modifier' 0 'modifier at=8 name=redirect value=%{d}.x.y lookups=1 text=redirect=%{d}.x.y' \
    "$parse" 'v=spf1 redirect=%{d}.x.y'
out 'the cost' 0 'cost lookups=5 most=10 result=ok' \
    "$parse" 'v=spf1 a mx exists:%{p}.x.y ip4:1.2.3.4 include:x.y -all'
out 'eleven lookups' 1 'cost lookups=11 most=10 result=over' \
    "$parse" 'v=spf1 a a a a a a a a a a a -all'
out 'behind all nothing costs' 0 'cost lookups=1 most=10 result=ok' \
    "$parse" 'v=spf1 a -all mx a a a a a a a a a a a redirect=a.b'
out 'a standard error' 1 'error at=11 term=foo text="unknown mechanism"' \
    "$parse" 'v=spf1 mx foo -all'
out 'goes on behind it' 1 'error at=15 term=ip4:1.2.3 text="bad network"' \
    "$parse" 'v=spf1 mx foo ip4:1.2.3 -all'
out 'twice' 1 'error at=16 term=exp=b.c text="modifier twice"' \
    "$parse" 'v=spf1 exp=a.b exp=b.c -all'
out 'an open macro' 1 'error at=8 term=exists:%{ text="bad macro"' \
    "$parse" 'v=spf1 exists:%{ -all'
out 'beyond ASCII, escaped' 1 'error at=8 term="\?a:é.test"\? text="bad macro"' \
    "$parse" 'v=spf1 a:é.test -all'
out 'no version' 1 'error text="does not begin with v=spf1 and a blank"' \
    "$parse" 'v=spf10 -all'
out 'a colon forgotten' 0 'warning at=8 term=ip4=1.2.3.4 text="not a modifier.*colon"' \
    "$parse" 'v=spf1 ip4=1.2.3.4 -all'
out '+all' 0 'warning at=8 term=all text="every host of the world passes"' \
    "$parse" 'v=spf1 all'
out 'ptr' 0 'warning at=8 term=ptr text="slow.*' "$parse" 'v=spf1 ptr -all'
out 'no all' 0 'warning text="no all at its end.*' "$parse" 'v=spf1 mx'
out 'redirect beside all' 0 'warning at=8 term=redirect=a.b text="not used.*' \
    "$parse" 'v=spf1 redirect=a.b -all'
out 'from standard input' 0 'cost lookups=1 most=10 result=ok' \
    sh -c "printf 'v=spf1 mx -all\n' | '$parse'"
out 'macros' 0 'mechanism .* expanded=1.2.0.192.c.a-b.a.a-b.c.x.org .*' "$parse" \
    -e -i 192.0.2.1 -f a-b.c@x.org 'v=spf1 exists:%{ir}.%{lr}.%{l1r-}.%{l}.%{d} -all'
out 'the HELO name and IPv6' 0 'mechanism .* expanded=mx.ip6.8.B.D.0.1.0.0.2.x.org .*' "$parse" \
    -e -i 2001:db8::1 -f a@x.org -H mx.y.org 'v=spf1 exists:%{h1r}.%{v}.%{i8r}.%{o} -all'
out 'a local part that has no macro' 0 'mechanism .* expanded="" .*' "$parse" \
    -e -i 192.0.2.1 -f é@x.org 'v=spf1 exists:%{l}.x.org -all'
out '-e without -i' 100 '' sh -c "'$parse' -e -f a@b.c 'v=spf1 -all'; c=\$?; echo; exit \$c"
out 'bad option' 100 '' sh -c "'$parse' -x; c=\$?; echo; exit \$c"

cat >"$tmp/zone" <<'END'
rr name=example.net type=TXT value="v=spf1 mx include:inc.test -all"
rr name=inc.test type=TXT value="v=spf1 a:x.inc.test redirect=last.test"
rr name=last.test type=TXT value="v=spf1 exists:%{i}.last.test ip4:192.0.2.0/24 ?all"
rr name=macro.test type=TXT value="v=spf1 include:%{l}.macro.test -all"
rr name=ann.macro.test type=TXT value="v=spf1 mx a -all"
rr name=loop.test type=TXT value="v=spf1 include:loop.test -all"
rr name=wide.test type=TXT value="v=spf1 include:wide2.test include:wide2.test -all"
rr name=wide2.test type=TXT value="v=spf1 a mx a mx a -all"
rr name=two.test type=TXT value="v=spf1 -all"
rr name=two.test type=TXT value="v=spf1 +all"
rr name=other.test type=TXT value="hello"
rr name=bad.test type=TXT value="v=spf1 include:inner.test -all"
rr name=inner.test type=TXT value="v=spf1 a mx:x -all"
act name=dead.test do=servfail
END
dns_fake "$tmp/zone" -a -l "$tmp/log"
look() { # NAME EXIT PATTERN ARGUMENT ...
	name=$1 want=$2 pattern=$3
	shift 3
	out "lookup: $name" "$want" "$pattern" \
	    "$PNEU_BIN/spf-lookup" -s "$dns_server" "$@"
}
look 'the record' 0 'record domain=example.net depth=0 dnssec=yes text="v=spf1 mx include:inc.test -all"' example.net
look 'of what it leads to' 0 'mechanism domain=last.test depth=2 at=8 name=exists .*' example.net
look 'the cost of all' 0 'cost records=3 dnssec=yes lookups=5 most=10 result=ok' example.net
out 'spf-parse -d is the same' 0 'cost records=3 dnssec=yes lookups=5 most=10 result=ok' \
    "$parse" -s "$dns_server" -d Example.NET.
look 'macros without a message' 0 'cost records=1 dnssec=yes lookups=1 most=10 unknown=1 result=ok' macro.test
look 'and with one' 0 'cost records=2 dnssec=yes lookups=3 most=10 result=ok' \
    -e -i 192.0.2.1 -f ann@x.org macro.test
look 'over the limit' 1 'cost records=3 dnssec=yes lookups=12 most=10 result=over' wide.test
: >"$tmp/log"
look 'a loop ends' 1 'cost records=40 dnssec=yes lookups=40 most=10 result=over' loop.test
n=$((n + 1))
if [ "$(wc -l <"$tmp/log")" -eq 1 ]; then echo "ok $n - asked once"; else
	echo "not ok $n - asked once"
fi
look 'two records' 1 'error domain=two.test depth=0 text="more than one SPF record"' two.test
look 'none' 1 'error domain=other.test depth=0 text="no SPF record"' other.test
look 'no such name' 1 'error domain=nothing.test depth=0 text="no such name"' nothing.test
look 'an error further in' 1 'error domain=inner.test depth=1 at=10 term=mx:x text="bad domain"' bad.test
look 'a dead server' 111 'error domain=dead.test depth=0 text="server failure.*' dead.test
look 'one label' 1 'error domain=localhost depth=0 text="not a domain that.*' localhost
echo "1..$n"
