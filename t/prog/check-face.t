#!/bin/sh
# The checks as an administrator types them: what is no argument, where standard
# input is, what an exit code says.
# shellcheck disable=SC2154 # dns.sh sets it
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC2034 # dns.sh uses it
tmp=$TMP
. "$(dirname "$0")/../dns.sh"
PNEU_ROOT=$TMP/none
export PNEU_ROOT
cat >"$TMP/zone" <<'END'
rr name=firm.test type=TXT value="v=spf1 ip4:192.0.2.7 -all"
rr name=7.2.0.192.in-addr.arpa type=PTR value=mx.firm.test
rr name=mx.firm.test type=A value=192.0.2.7
rr name=1.0.0.127.bl.test type=TXT value=no
rr name=2.0.0.127.bl.test type=A value=127.0.0.2
rr name=9.2.0.192.bl.test type=A value=127.0.0.2
rr name=_dmarc.firm.test type=TXT value="v=DMARC1; p=reject"
act name=dead.test do=servfail
act name=_dmarc.dead.test do=servfail
act name=8.2.0.192.in-addr.arpa do=servfail
act name=s._domainkey.dead.test do=servfail
END
dns_fake "$TMP/zone" -a || skip_all 'dnsfake does not start'

# run WANT TEXT COMMAND...: standard input is that of the caller.
run() {
	_want=$1 _text=$2 _prog=$3
	shift 3
	timeout 20 "$_prog" -s "$dns_server" "$@" >"$TMP/out" 2>"$TMP/err"
	is $? "$_want" "$_prog: $_text"
}
one_line() { is "$(wc -l <"$TMP/err")" 1 'one line says why'; }

for p in spf-check iprev-check dnsbl-check mail-check; do
	for a in foo 999.0.2.7 192.0.2.7/24 '' '192.0.2.7 '; do
		run 100 "\"$a\" is no address" $p -i "$a" </dev/null
	done
	has "$TMP/err" "not an IP address: 192.0.2.7 \$" 'which is said'
	is "$(grep -v ^imf "$TMP/out")" '' 'and nothing else'
done
run 100 'an operand that is no address' dnsbl-check bl.test foo </dev/null

for a in -t -n '-i 192.0.2.7'; do
	# shellcheck disable=SC2086 # two words
	run 100 "$a without a list" dnsbl-check $a </dev/null; one_line
done

# Nobody has to give a standard input that is not looked at: here it has no end.
mkfifo "$TMP/fifo"
exec 8<>"$TMP/fifo"
run 0 'options are enough' spf-check -i 192.0.2.7 -f ann@firm.test <&8
run 1 'options are enough' spf-check -i 192.0.2.9 -f ann@firm.test <&8
run 0 'options are enough' iprev-check -i 192.0.2.7 <&8
run 1 'an operand is enough' dnsbl-check bl.test 192.0.2.9 <&8
exec 8>&-
run 0 'nor an open one' spf-check -i 192.0.2.7 -f ann@firm.test <&-
for p in spf-check iprev-check dkim-verify dmarc-eval mail-check; do
	run 100 'closed' $p <&-; one_line
	run 100 'a directory' $p <"$TMP"; one_line
done

run 0 'a sender in angle brackets' spf-check -i 192.0.2.7 -f '<ann@firm.test>'
has "$TMP/out" '^spf result=pass identity=mailfrom domain=firm.test ' 'is that sender'

# The DNS does not say: ask again later.
run 111 'temperror' spf-check -i 192.0.2.7 -f ann@dead.test
has "$TMP/out" '^spf result=temperror identity=mailfrom domain=dead.test ' 'is printed'
run 0 'temperror of HELO alone' spf-check -i 192.0.2.7 -H dead.test -f ann@firm.test
printf 'job id=abcdefghijklmnop size=0 time=1\nclient ip=192.0.2.7\nfrom addr=a@dead.test\n' >"$TMP/case"
run 1 'temperror, of a case judged again' spf-check -N <"$TMP/case"
run 111 'temperror' iprev-check -i 192.0.2.8
has "$TMP/out" '^iprev result=temperror ' 'is printed'
sig() { # domain
	printf 'DKIM-Signature: v=1; a=ed25519-sha256; d=%s; s=s; h=from; ' "$1"
	printf 'bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=eA==\n'
}
{ sig firm.test; printf 'From: a@dead.test\n\nx\n'; } >"$TMP/none"
{ sig dead.test; cat "$TMP/none"; } >"$TMP/doubt"
run 111 'a temperror' dkim-verify "$TMP/doubt" <&-
has "$TMP/out" '^dkim result=temperror domain=dead.test ' 'of a file'
run 100 'no such file' dkim-verify "$TMP/nothing" </dev/null; one_line
run 100 'two files' dkim-verify "$TMP/doubt" "$TMP/doubt" </dev/null
run 111 'a temperror' dkim-verify <"$TMP/doubt"
has "$TMP/out" '^dkim result=temperror domain=dead.test ' 'is printed'
run 1 'a permerror' dkim-verify <"$TMP/none"
run 111 'temperror' dmarc-eval <"$TMP/none"
has "$TMP/out" '^dmarc result=temperror domain=dead.test ' 'is printed'
printf 'From: a@firm.test\n\nx\n' >"$TMP/mail"
run 1 'SPF temperror, DMARC knows all the same' mail-check -i 192.0.2.8 -H firm.test -f a@dead.test <"$TMP/mail"
is "$(cut -d' ' -f1 "$TMP/out" | tr '\n' ' ')" 'imf iprev spf spf dkim dmarc ' 'all lines are there'
run 0 'a sender in angle brackets' mail-check -i 192.0.2.7 -H firm.test -f '<a@firm.test>' <"$TMP/mail"
is "$(mail-check -V | cut -d' ' -f1)" mail-check 'mail-check -V names itself'
finish
