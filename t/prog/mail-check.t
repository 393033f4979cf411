#!/bin/sh
# mail-check: the programs that judge a message, in a row, with what they say.
# shellcheck disable=SC2154 # dns.sh sets it
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC2034 # dns.sh uses it
tmp=$TMP
. "$(dirname "$0")/../dns.sh"
cat >"$TMP/zone" <<'END'
rr name=firm.test type=TXT value="v=spf1 ip4:192.0.2.7 -all"
rr name=firm.test type=A value=192.0.2.7
rr name=mx.firm.test type=TXT value="v=spf1 a -all"
rr name=mx.firm.test type=A value=192.0.2.7
rr name=_dmarc.firm.test type=TXT value="v=DMARC1; p=reject; sp=quarantine"
rr name=7.2.0.192.in-addr.arpa type=PTR value=mx.firm.test
act name=_dmarc.dead.test do=servfail
END
dns_fake "$TMP/zone" -a || skip_all 'dnsfake does not start'
letter() { # From field...
	printf 'From: %s\n' "$@"
	printf 'To: bob@example.org\nSubject: x\n\nCome.\n'
}
# run WANT TEXT FROM OPTION...
run() {
	_want=$1 _text=$2
	letter "$3" >"$TMP/letter"
	shift 3
	mail-check -s "$dns_server" "$@" <"$TMP/letter" >"$TMP/out" 2>"$TMP/err"
	is $? "$_want" "$_text"
}
run 0 'a genuine message' ann@firm.test -i 192.0.2.7 -H mx.firm.test -f ann@firm.test
is "$(cut -d' ' -f1 "$TMP/out" | tr '\n' ' ')" 'imf iprev spf spf dkim dmarc ' 'a line of each program'
has "$TMP/out" '^iprev result=pass name=mx.firm.test' 'iprev'
has "$TMP/out" '^spf result=pass identity=mailfrom domain=firm.test' 'SPF'
has "$TMP/out" '^dmarc result=pass domain=firm.test .*aligned=spf' 'DMARC'
is "$(cat "$TMP/err")" '' 'nothing else'
run 1 'from another address' ann@firm.test -i 192.0.2.8 -f ann@firm.test
has "$TMP/out" '^dmarc result=fail .*disposition=reject' 'DMARC'
run 0 'no DMARC record' ann@other.test -i 192.0.2.8 -f ann@firm.test
run 111 'the DNS does not say' ann@dead.test -i 192.0.2.8 -f ann@firm.test
run 0 'the null sender: HELO' ann@firm.test -i 192.0.2.7 -H mx.firm.test -f '<>'
has "$TMP/out" '^dmarc result=pass .*aligned=spf' 'counts'
run 1 'without the envelope' ann@firm.test
is "$(cut -d' ' -f1 "$TMP/out" | tr '\n' ' ')" 'imf dkim dmarc ' 'neither iprev nor SPF'
has "$TMP/err" 'SPF is checked with -i' 'which is said'
run 1 'a sender that tries to be lines' ann@firm.test -i 192.0.2.8 -f 'a"
dkim result=pass domain=firm.test'
grep -q '^dmarc result=fail' "$TMP/out"; ok $? 'is a value'

run 1 '-v' ann@news.firm.test -v -i 192.0.2.8 -H mx.firm.test -f ann@firm.test
has "$TMP/err" '^step check=dmarc domain=firm.test .*record="v=DMARC1' 'each step'
has "$TMP/err" '^because check=dmarc result=fail text="sp=quarantine of firm.test applies to news.firm.test' 'and why'
is "$(cut -d' ' -f1 "$TMP/out" | tr '\n' ' ')" 'imf iprev spf spf dkim dmarc ' 'not on standard output'
letter a@firm.test b@firm.test | mail-check -s "$dns_server" >"$TMP/out" 2>/dev/null
is $? 1 'two From fields'
has "$TMP/out" '^dmarc result=permerror disposition=reject' 'cannot be judged'
{
	printf 'job id=abcdefghijklmnop size=%d time=1\n' "$(letter ann@firm.test | wc -c)"
	printf 'dkim result=pass domain=firm.test\n\n'
	letter ann@firm.test
} | mail-check -s "$dns_server" >"$TMP/out" 2>"$TMP/err"
is $? 100 'a job is no message'
is "$(cat "$TMP/out")" '' 'and not judged'
mail-check x </dev/null >/dev/null 2>&1; is $? 100 'an operand'
mail-check -x </dev/null >/dev/null 2>&1; is $? 100 'an unknown option'
finish
