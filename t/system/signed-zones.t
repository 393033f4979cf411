#!/bin/sh
# What the checks say on two hosts whose zones are signed, and what they say
# when an answer is forged.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/system/twohosts.sh
. "$here/twohosts.sh"
trap 'th_stop; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
why=$(th_possible) || { echo "1..0 # SKIP $why"; exit 0; }
n=0
# on HOST NAME PATTERN COMMAND ...
on() {
	host=$1 name=$2 pattern=$3
	shift 3
	n=$((n + 1))
	th_in "$host" "$@" >"$tmp/out" 2>&1
	if grep -q -- "$pattern" "$tmp/out"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$tmp/out"
	fi
}
cat >"$tmp/records" <<'END'
a MX 10 mx.a
a TXT "v=spf1 mx -all"
_dmarc.a TXT "v=DMARC1; p=reject"
mx.a A 192.0.2.1
mx.a AAAA 2001:db8::1
mx.a TXT "v=spf1 a -all"
b MX 10 mx.b
b TXT "v=spf1 mx -all"
_dmarc.b TXT "v=DMARC1; p=reject"
mx.b A 192.0.2.2
mx.b TXT "v=spf1 a -all"
END
th_start && th_zone "$tmp/records" || {
	cat "$tmp"/nsd.log "$tmp"/unbound.? 2>/dev/null | sed 's/^/# /'
	echo 'Bail out! no servers'
	exit 1
}
bin=$PNEU_BIN
# Left running, for th_stop to end.
th_in a socat -U TCP6-LISTEN:25,ipv6only=0,fork,reuseaddr EXEC:'echo hello' \
    >/dev/null 2>&1 &
for ip in 192.0.2.1 '[2001:db8::1]'; do
	# shellcheck disable=SC2016 # for the inner shell
	on b "host a at $ip" hello sh -c 'i=0
	while [ $i -lt 50 ] && ! socat -u "TCP:$0:25" STDOUT 2>/dev/null; do
		i=$((i + 1)); sleep 0.1
	done' "$ip"
done
on b 'by resolv.conf of the host' 'status=ok dnssec=yes' \
    "$bin/dns-lookup" -C "$tmp" mx a.test
on b 'iprev' '^iprev result=pass name=mx.a.test ip=192.0.2.1 dnssec=yes' \
    "$bin/iprev-check" -C "$tmp" -n -i 192.0.2.1
on b 'SPF' '^spf result=pass identity=mailfrom domain=a.test mech=mx dnssec=yes' \
    "$bin/spf-check" -C "$tmp" -n -i 192.0.2.1 -H mx.a.test -f ann@a.test
on a 'DMARC' '^dmarc-record .*policy=reject .*dnssec=yes' \
    "$bin/dmarc-eval" -C "$tmp" -q mail.b.test
on a 'authentic denial' 'status=nxdomain dnssec=yes' \
    "$bin/dns-lookup" -C "$tmp" a nothing.b.test
# Signatures stay as they were, one address does not.
th_forge 's/^\(mx\.a\.test\..*\)192\.0\.2\.1$/\1192.0.2.2/' ||
    echo '# nothing forged'
on b 'forged address' 'status=bogus' "$bin/dns-lookup" -C "$tmp" a mx.a.test
on b 'SPF by a forged address' 'result=temperror identity=mailfrom' \
    "$bin/spf-check" -C "$tmp" -n -i 192.0.2.2 -H mx.a.test -f ann@a.test
on b 'the rest is good' 'status=ok dnssec=yes' \
    "$bin/dns-lookup" -C "$tmp" mx a.test
th_stop
n=$((n + 1))
if ip netns list | grep -q "$th_id"; then
	echo "not ok $n - nothing is left"
else
	echo "ok $n - nothing is left"
fi
echo "1..$n"
