#!/bin/sh
# The HELO identity does not help a sender whose MAIL FROM cannot be checked:
# spf-check piped into dmarc-eval (CVE-2019-20790).
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
n=0
cat >"$tmp/zone" <<'END'
rr name=victim.test type=TXT value="v=spf1 ip4:192.0.2.0/24 -all"
rr name=_dmarc.victim.test type=TXT value="v=DMARC1; p=reject"
rr name=mx.victim.test type=TXT value="v=spf1 +all"
act name=broken.test do=servfail
rr name=evil.test type=TXT value="v=spf1 +all"
END
dns_fake "$tmp/zone"
# judge NAME PATTERN HELO SENDER
judge() {
	n=$((n + 1))
	{
		printf 'job id=abcdefghabcdefgh size=3 time=1700000000\n'
		printf 'client ip=198.51.100.1 helo=%s\nfrom addr=%s\n' "$3" "$4"
		printf 'imf result=ok from=a@victim.test '
		printf 'from-domain=victim.test from-count=1 from-addrs=1\n\nx\r\n'
	} >"$tmp/job"
	"$PNEU_BIN/spf-check" -s "$dns_server" <"$tmp/job" |
	    "$PNEU_BIN/dmarc-eval" -s "$dns_server" >"$tmp/out"
	if grep -q "^dmarc $2" "$tmp/out"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$tmp/out"
	fi
}
refused='result=fail .*disposition=reject'
judge 'MAIL FROM in doubt, HELO below the victim passes' "$refused" \
    mx.victim.test a@broken.test
judge 'MAIL FROM elsewhere, HELO passes' "$refused" mx.victim.test a@evil.test
judge 'null sender, HELO of the victim' "$refused" victim.test ''
judge 'null sender, HELO elsewhere' "$refused" evil.test ''
judge 'MAIL FROM of the victim' "$refused" mx.victim.test a@victim.test
judge 'MAIL FROM is no domain' "$refused" mx.victim.test 'a@victim..test'
judge 'null sender, HELO an address literal' "$refused" '[198.51.100.1]' ''

# identities NAME EXPECTED HELO SENDER: the lines of spf-check, and no others.
identities() {
	n=$((n + 1))
	got=$("$PNEU_BIN/spf-check" -n -s "$dns_server" -i 198.51.100.1 -H "$3" \
	    -f "$4" | sed 's/^spf result=\([a-z]*\) identity=\([a-z]*\) domain=\([^ ]*\).*/\2:\3:\1/' |
	    tr '\n' ' ')
	if [ "$got" = "$2 " ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1: $got"
	fi
}
identities 'both are recorded, each with its domain' \
    'helo:mx.victim.test:pass mailfrom:victim.test:fail' mx.victim.test a@victim.test
identities 'the null sender has HELO only' 'helo:victim.test:fail' victim.test ''
identities 'and <> is the null sender' 'helo:victim.test:fail' victim.test '<>'
identities 'MAIL FROM in doubt is not replaced by HELO' \
    'helo:evil.test:pass mailfrom:broken.test:temperror' evil.test a@broken.test
identities 'an address literal is no domain' \
    'helo:[198.51.100.1]:none mailfrom:evil.test:pass' '[198.51.100.1]' a@evil.test
echo "1..$n"
