#!/bin/sh
# Where a stranger's record sends reports (abuse case 28): only to addresses
# whose host consents, by mail only, with a bounded number of questions; and
# what stands in a URI is data.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
n=0 cases=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		head -n 20 "$tmp/out" | cut -c1-400 | sed 's/^/# /'
	fi
}

# The records and what becomes of each: URI, consent, host.
cat >"$tmp/uris" <<'END'
mailto:a@evil.test unneeded evil.test
mailto:a@mail.evil.test unneeded mail.evil.test
mailto:a@EVIL.test unneeded evil.test
mailto:a@xevil.test no xevil.test
mailto:a@evil.test.victim.test no evil.test.victim.test
mailto:a@victim.test no victim.test
mailto:a@agrees.test yes agrees.test
mailto:a@alias.test yes alias.test
mailto:a@twice.test yes twice.test
mailto:a@elsewhere.test no elsewhere.test
mailto:a@mixed.test no mixed.test
mailto:a@http.test no http.test
mailto:a@text.test no text.test
mailto:a@below.test no below.test
mailto:a@doubt.test unknown doubt.test
mailto:a@test no test
mailto:a@localhost no localhost
mailto:a@agrees.test!1b - -
mailto:a@agrees.test!10m yes agrees.test
mailto:a@agrees.test!1!1 - -
mailto:a@agrees.test! - -
mailto:a@agrees.test!99999999999999999999999t yes agrees.test
mailto:a%21b@agrees.test yes agrees.test
mailto:a@agrees.test?bcc=b@victim.test yes agrees.test
mailto:a@agrees.test?to=b@victim.test&subject=x%0d%0aBcc:b@victim.test yes agrees.test
mailto:?to=a@agrees.test unusable -
mailto:a%0D%0ABcc:b@agrees.test unusable -
mailto:a@agrees.test%0D%0ABcc:b@victim.test unusable -
mailto:a@agrees.test%0ARCPT%20TO:<b@victim.test> unusable -
mailto:a@agrees.test%00.victim.test unusable -
mailto:a%00@agrees.test unusable -
mailto:a@agrees.test%2Cb@victim.test unusable -
mailto:a@agrees.test%20b@victim.test unusable -
mailto:b@victim.test@agrees.test unusable -
mailto:b%40victim.test@agrees.test unusable -
mailto:"b@victim.test"@agrees.test yes agrees.test
mailto:<a@agrees.test> unusable -
mailto:@victim.test:a@agrees.test unusable -
mailto:a@[127.0.0.1] unusable -
mailto:a@[IPv6:::1] unusable -
mailto:a@127.0.0.1 no 127.0.0.1
mailto:a@ unusable -
mailto:@agrees.test unusable -
mailto:a%@agrees.test unusable -
mailto:a%4@agrees.test unusable -
mailto:a%zz@agrees.test unusable -
mailto:a%ff@agrees.test unusable -
mailto:%c3%bc@agrees.test yes agrees.test
mailto:a@agrees.test/../x unusable -
mailto://agrees.test/a unusable -
MAILTO:a@agrees.test yes agrees.test
mailto%3Aa@agrees.test - -
https://evil.test/reports unusable -
http://127.0.0.1/ unusable -
https://169.254.169.254/latest/meta-data unusable -
https://[::1]:8025/ unusable -
file:///etc/passwd unusable -
javascript:alert(1) unusable -
ldap://victim.test unusable -
|/bin/sh - -
-oQ/tmp - -
$(id) - -
a@agrees.test - -
END
{
	consent() { # HOST TEXT...
		host=$1
		shift
		for text; do
			printf 'rr name=evil.test._report._dmarc.%s type=TXT value="%s"\n' "$host" "$text"
		done
	}
	consent agrees.test 'v=DMARC1'
	consent twice.test 'v=DMARC1; rua=mailto:x@victim.test' 'v=DMARC1;'
	consent elsewhere.test 'v=DMARC1; rua=mailto:x@victim.test'
	consent mixed.test 'v=DMARC1; rua=mailto:x@mixed.test,mailto:x@victim.test'
	consent http.test 'v=DMARC1; rua=https://http.test/'
	consent text.test 'yes' 'v=spf1 +all' ' v=DMARC1' 'v=DMARC11'
	echo 'rr name=sub.evil.test._report._dmarc.below.test type=TXT value="v=DMARC1"'
	echo 'rr name=_report._dmarc.below.test type=TXT value="v=DMARC1"'
	echo 'rr name=_dmarc.below.test type=TXT value="v=DMARC1; p=none"'
	echo 'rr name=evil.test._report._dmarc.alias.test type=CNAME value=evil.test._report._dmarc.agrees.test'
	echo 'act name=evil.test._report._dmarc.doubt.test do=servfail'
} >"$tmp/zone"
zone=$tmp/zone
judge() { # VALUE...: what is said of this record of evil.test
	dns_stop
	{
		cat "$zone"
		printf 'rr name=_dmarc.evil.test type=TXT %s\n' "$1"
	} >"$tmp/zone.now"
	: >"$tmp/log"
	dns_fake "$tmp/zone.now" -l "$tmp/log"
	start=$(date +%s)
	timeout 60 "$PNEU_BIN/dmarc-eval" -s "$dns_server" -r evil.test >"$tmp/out" 2>"$tmp/err"
	code=$?
	took=$(($(date +%s) - start))
}

# All at once first: one line each, and none more.
list=$(cut -d ' ' -f 1 "$tmp/uris" | sed 's/"/\\"/g' | tr '\n' ',')
# A text has 255 octets at most; DMARC joins them.
judge "$(printf '%s' "v=DMARC1; p=none; rua=${list%,}" |
    perl -0pe 's/\\"/\x01/g; s/(.{1,250})/ value="$1"/gs; s/\x01/\\"/g')"
[ "$code" -eq 111 ]; ok $? 'some may not, one is in doubt: exit 111'
[ "$(grep -c . "$tmp/out")" -eq "$(grep -c . "$tmp/uris")" ] &&
    ! grep -qv '^report tag=rua ' "$tmp/out"; ok $? 'a line for each'
while read -r uri consent host; do
	cases=$((cases + 1))
	line=$(sed -n "${cases}p" "$tmp/out")
	case $consent in
	-) want='uri="" consent=unusable' ;;
	*) want=" consent=$consent" ;;
	esac
	[ "$host" = - ] || want="host=$host$want"
	case "$line " in
	*"$want "*) good=0 ;;
	*) good=1 ;;
	esac
	# What has no consent has no other address, and none is a victim's.
	case $line in
	*instead=*victim*) good=1 ;;
	esac
	[ $good -eq 0 ] || echo "# $line"
	ok $good "$uri: $consent"
done <"$tmp/uris"
echo "# $cases cases"
! grep -qv '^TXT ' "$tmp/log"; ok $? 'only TXT records were asked for'
! grep -q '169.254\|etc/passwd' "$tmp/log"; ok $? 'and nothing of other URIs'

# A hundred hosts: a bounded number of questions, and no answer is a doubt.
hosts=$(seq 100 | sed 's/.*/mailto:a@a.b.c.d.e.h&.test/' | tr '\n' ',')
judge "$(printf '%s' "v=DMARC1; p=none; rua=${hosts%,}" | perl -0pe 's/(.{1,250})/ value="$1"/gs')"
# A question that was lost is asked again; each counts once.
asked=$(sort -u "$tmp/log" | grep -c .)
[ "$asked" -le 200 ] && [ "$code" -eq 111 ] && [ "$took" -le 31 ]
ok $? "100 hosts: $asked questions"
[ "$(grep -c '^report ' "$tmp/out")" -eq 100 ] && ! grep -q 'consent=yes' "$tmp/out"
ok $? 'a line for each, none may have reports'
judge "value=\"v=DMARC1; p=none; rua=$(printf ',%.0s' $(seq 200))\""
[ "$code" -eq 1 ] && ! grep -qv 'uri="" consent=unusable' "$tmp/out"; ok $? 'commas'

# Bytes for the terminal, and for the line.
judge 'value="v=DMARC1; p=none; rua=mailto:a@agrees.test\x1b[2J,mailto:a@x\x0d\x0areport\x20tag=rua consent=yes,\xffx:y"'
! grep -q "$(printf '[\033\r]')" "$tmp/out" && [ "$(grep -c . "$tmp/out")" -eq 3 ] &&
    ! grep -qv '^report tag=rua uri="" consent=unusable' "$tmp/out"
ok $? 'bytes that move a terminal or end a line'

# Consent is for the very domain whose record it is; its name may be too long.
long=$(printf '%060d' 0).$(printf '%060d' 0).$(printf '%060d' 0)
{
	cat "$zone"
	echo 'rr name=_dmarc.sub.evil.test type=TXT value="v=DMARC1; p=none; rua=mailto:a@below.test,mailto:a@agrees.test"'
	echo 'rr name=_dmarc.evil.test type=TXT value="v=DMARC1; p=none; rua=mailto:a@below.test"'
	echo "rr name=_dmarc.long.test type=TXT value=\"v=DMARC1; p=none; rua=mailto:a@$long.$(printf '%060d' 0).test\""
} >"$tmp/zone.now"
dns_stop
dns_fake "$tmp/zone.now"
"$PNEU_BIN/dmarc-eval" -s "$dns_server" -r sub.evil.test >"$tmp/out"
grep -q 'host=below.test consent=yes name=sub.evil.test._report._dmarc.below.test$' "$tmp/out" &&
    grep -q 'host=agrees.test consent=no name=sub.evil.test._report._dmarc.agrees.test ' "$tmp/out"
ok $? 'consent for the domain itself'
"$PNEU_BIN/dmarc-eval" -s "$dns_server" -r other.evil.test >"$tmp/out"
grep -q 'name=evil.test._report._dmarc.below.test ' "$tmp/out"
ok $? 'for one without a record: the domain whose record applies'
"$PNEU_BIN/dmarc-eval" -s "$dns_server" -r long.test >"$tmp/out"
grep -q 'consent=no .*too long' "$tmp/out"; ok $? 'a name too long to consent'
echo "1..$n"
