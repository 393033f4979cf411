#!/bin/sh
# What a record of a stranger makes us ask is counted at the name server, and
# every record gets the result of RFC 7208.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
n=0

# abuse NAME MOST PATTERN FROM [IP]: at most MOST queries, and the result.
abuse() {
	n=$((n + 1))
	: >"$tmp/log"
	timeout 25 "$PNEU_BIN/spf-check" -n -s "$dns_server" \
	    -i "${5:-192.0.2.7}" -H "$helo" -f "$4" >"$tmp/out" 2>&1
	code=$?
	asked=$(wc -l <"$tmp/log")
	if { [ $code -le 1 ] || [ $code -eq 111 ]; } && [ "$asked" -le "$2" ] &&
	    tail -n 1 "$tmp/out" | grep -q "$3"; then
		echo "ok $n - $1 ($asked queries)"
	else
		echo "not ok $n - $1: exit $code, $asked queries of $2"
		cut -c1-300 "$tmp/out" | sed 's/^/# /'
	fi
}
helo=x

perl -e '
	sub txt { my ($n, $v) = @_; print "rr name=$n type=TXT value=\"$v\"\n" }
	txt("ten.test", "v=spf1 " . join(" ", map "a:h$_.ten.test", 1 .. 10) . " ?all");
	txt("eleven.test", "v=spf1 " . join(" ", map "a:h$_.ten.test", 1 .. 11) . " ?all");
	print "rr name=h$_.ten.test type=A value=198.51.100.1\n" for 1 .. 11;
	txt("void.test", "v=spf1 a:a.void.test a:b.void.test a:c.void.test a:d.void.test +all");
	txt("loop.test", "v=spf1 include:loop.test -all");
	txt("mutual.test", "v=spf1 include:mutual2.test -all");
	txt("mutual2.test", "v=spf1 include:mutual.test -all");
	txt("redirect.test", "v=spf1 redirect=redirect.test");
	txt("tree.test", "v=spf1 include:%{l}.tree.test include:a.tree.test ~all");
	for my $top ("mx.test", "helo.test") {
		txt($top, "v=spf1 " . join(" ", "mx", map "mx:$_.$top", "b" .. "j") . " +all");
		for my $d ($top, map "$_.$top", "b" .. "j") {
			for my $m (1 .. 10) {
				print "rr name=$d type=MX value=\"$m m$m.$d\"\n";
				print "rr name=m$m.$d type=A value=203.0.113.$_\n" for 1 .. 10;
			}
		}
	}
	txt("deny.test", "v=spf1 a:in.deny.test -all");
	print "rr name=in.deny.test type=A value=198.51.100.1\n";
	txt("bigdeny.test", "v=spf1 " . "ip4:198.51.100.1 " x 3500 . "-all");
	txt("manymx.test", "v=spf1 mx +all");
	print "rr name=manymx.test type=MX value=\"$_ m$_.manymx.test\"\n" for 1 .. 500;
	txt("ptr.test", "v=spf1 ptr:ptr.test ptr:a.test ptr:b.test ?all");
	print "rr name=9.2.0.192.in-addr.arpa type=PTR value=p$_.ptr.test\n" for 1 .. 1000;
	txt("p.test", "v=spf1 " . join(" ", map "exists:%{p}.$_.p.test", 1 .. 9) . " ?all");
	txt("macro.test", "v=spf1 exists:%{");
	txt("digits.test", "v=spf1 exists:%{d100r}.test ?all");
	txt("zero.test", "v=spf1 exists:%{d0}.test ?all");
	txt("local.test", "v=spf1 exists:%{i}." . "%{l}." x 60 . "local.test ?all");
	txt("allow.test", "v=spf1 +all");
	txt("two.test", "v=spf1 -all") for 1 .. 2;
	txt("utf8.test", "v=spf1 a:\\xc3\\xa9.test -all");
	txt("blanks.test", "v=spf1   +all    ");
	txt("big.test", "v=spf1 " . "ip4:198.51.100.1 " x 3500 . "+all");
	txt("bigbad.test", "v=spf1 " . "a:x.big.test " x 4500 . "+all");
	txt("slow.test", "v=spf1 " . join(" ", map "exists:s$_.slow.test", 1 .. 10) . " -all");
	print "act name=s$_.slow.test do=timeout\n" for 1 .. 10;
' >"$tmp/zone"
dns_fake "$tmp/zone" -l "$tmp/log"

abuse '10 lookups' 11 'result=neutral' a@ten.test
abuse '11 lookups' 11 'result=permerror' a@eleven.test
abuse '3 void lookups' 4 'result=permerror' a@void.test
abuse 'include loop' 1 'result=permerror' a@loop.test
abuse 'loop of two' 2 'result=permerror' a@mutual.test
abuse 'redirect loop' 1 'result=permerror' a@redirect.test
abuse 'include of what is not there' 2 'result=permerror' b@tree.test
# A record may have that many, and most that it may.
abuse '10 mx with 10 hosts with 10 addresses' 111 'result=pass' a@mx.test
# An answer that does not fit UDP is asked for twice.
abuse '500 MX' 13 'result=permerror' a@manymx.test
abuse '1000 PTR names' 13 'result=neutral' a@ptr.test 192.0.2.9
abuse '%{p} nine times' 16 'result=permerror' a@p.test 192.0.2.9
abuse 'open macro' 1 'result=permerror' a@macro.test
abuse '%{d100r}' 2 'result=neutral' a@digits.test
abuse '%{d0}' 1 'result=permerror' a@zero.test
abuse 'long expansion' 2 'result=neutral' \
    "$(printf '%0120d' 7)@local.test"
abuse 'a local part of 10 KB' 2 'result=neutral' \
    "$(printf '%010240d' 7)@local.test"
abuse '+all' 1 'result=pass' a@allow.test
abuse 'two records' 1 'result=permerror' a@two.test
abuse 'UTF-8 in a record' 1 'result=permerror' a@utf8.test
abuse 'many blanks' 1 'result=pass' a@blanks.test
abuse '60 KB of terms' 2 'result=pass' a@big.test
abuse '4500 lookups in one record' 3 'result=permerror' a@bigbad.test
# The HELO name has what MAIL FROM leaves of the budget of both: whatever it leads
# to, the domain in MAIL FROM gets its verdict.
helo_ends() { # NAME PATTERN
	n=$((n + 1))
	if head -n 1 "$tmp/out" | grep -q "identity=helo .*$2"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		cut -c1-300 "$tmp/out" | sed 's/^/# /'
	fi
}
helo=helo.test
abuse 'both identities' 124 'result=pass' a@mx.test
helo_ends 'and no more of HELO' 'too many queries'
abuse 'HELO of a hundred hosts' 124 'result=fail' a@deny.test
helo=big.test
abuse 'HELO of a large record' 6 'result=fail' a@bigdeny.test
helo_ends 'and no more than fits' 'answers too large'

start=$(date +%s)
timeout 25 "$PNEU_BIN/spf-check" -n -s "$dns_server" -i 192.0.2.7 -H slow.test \
    -f a@deny.test >"$tmp/slow" 2>&1 &
slow=$!
helo=x
abuse 'names that never answer' 100 'result=temperror' a@slow.test
wait $slow
mv "$tmp/slow" "$tmp/out"
helo_ends 'HELO that never answers' 'time-out'
n=$((n + 1))
if tail -n 1 "$tmp/out" | grep -q 'result=fail identity=mailfrom'; then
	echo "ok $n - and the verdict about MAIL FROM"
else
	echo "not ok $n - and the verdict about MAIL FROM"
fi
n=$((n + 1))
if [ $(($(date +%s) - start)) -le 21 ]; then
	echo "ok $n - within 20 s"
else
	echo "not ok $n - within 20 s"
fi
echo "1..$n"
