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
echo "1..$n"
