#!/bin/sh
# deliver, index-check, index-rebuild: the faces, fields, refusals.
set -u
. "$(dirname "$0")/../lib.sh"
PNEU_ROOT=$TMP/root
export PNEU_ROOT
mkdir -p "$PNEU_ROOT/conf" "$PNEU_ROOT/mail"
echo 'host name=mx.example.org' >"$PNEU_ROOT/conf/host"
conf-build; ok $? 'conf-build'
domain-add example.org && account-add bob bob@example.org &&
    account-add ann ann@example.org
ok $? 'accounts'

cat >"$TMP/mail" <<'END'
Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=evil.example
Authentication-Results: other.example; spf=fail smtp.mailfrom=x.example
Return-Path: <forged@example.com>
Delivered-To: bob@example.org
Delivered-To: someone@else.example
From: Ann <ann@example.net>
Subject: Re: hello
Message-ID: <1@example.net>

one
END
sed 's/$/\r/' "$TMP/mail" >"$TMP/crlf"
deliver bob@example.org <"$TMP/crlf" >"$TMP/out"
is $? 0 'deliver ADDRESS <mail'
has "$TMP/out" '^deliver addr=bob@example.org account=bob mailbox=' 'a line'
has "$TMP/out" ' uid=1 ' 'UID 1'
find "$PNEU_ROOT/mail/bob/Maildir/new" -type f >"$TMP/files"
is "$(wc -l <"$TMP/files" | tr -d ' ')" 1 'one file in new/'
tr -d '\r' <"$(cat "$TMP/files")" >"$TMP/got"
is "$(head -n 1 "$TMP/got")" 'Delivered-To: bob@example.org' 'Delivered-To'
is "$(grep -c '^Return-Path:' "$TMP/got")" 1 'one Return-Path, ours'
hasnt() {
	if grep -q -- "$1" "$TMP/got"; then ok 1 "$2"; else ok 0 "$2"; fi
}
hasnt 'evil.example' 'a field in our name is removed'
hasnt 'forged@' 'a forged Return-Path is removed'
has "$TMP/got" '^Authentication-Results: other.example' 'another host'\''s stays'
has "$TMP/got" '^Delivered-To: someone@else.example' 'another Delivered-To stays'
is "$(tail -n 1 "$TMP/got")" 'one' 'the body'

deliver nobody@example.org <"$TMP/crlf" >"$TMP/out" 2>"$TMP/err"
is $? 100 'no such address'
deliver bob@elsewhere.example <"$TMP/crlf" >"$TMP/out" 2>"$TMP/err"
is $? 100 'not our domain'

# A job: two recipients, results of the stages before.
job() { # size-of-file envelope...
	cat "$TMP/env"
	echo
	cat "$TMP/crlf"
}
size=$(wc -c <"$TMP/crlf" | tr -d ' ')
cat >"$TMP/env" <<END
job id=abcdefghijklmnop size=$size time=1700000000 body=7bit smtputf8=no
client ip=192.0.2.7 port=25 helo=mx.example.net local-ip=192.0.2.1 service=smtp proto=ESMTPS conn=abcdefghijklmnop tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384
from addr=ann@example.net
rcpt addr=bob@example.org account=bob mailbox=INBOX
rcpt addr=ann@example.org account=ann mailbox=lists/pneu
spf result=pass identity=mailfrom domain=example.net dnssec=yes
dkim result=pass domain=example.net selector=k1 alg=rsa-sha256 bits=2048 b=abcdefghijklmnop dnssec=no
dmarc result=pass domain=example.net policy=reject disposition=none
END
job >"$TMP/job"
deliver <"$TMP/job" >"$TMP/out"
is $? 0 'a job for two'
is "$(grep -c '^deliver ' "$TMP/out")" 2 'two lines'
f=$(find "$PNEU_ROOT/mail/ann/Maildir/.lists.pneu/new" -type f)
tr -d '\r' <"$f" >"$TMP/got"
has "$TMP/got" '^Authentication-Results: mx.example.org' 'what the stages said'
has "$TMP/got" 'dkim=pass (2048 bit rsa' 'dkim'
has "$TMP/got" 'spf=pass' 'spf'
has "$TMP/got" 'dmarc=pass' 'dmarc'
has "$TMP/got" '^Received: from mx.example.net (\[192.0.2.7\])' 'Received'
has "$TMP/got" '(TLSv1.3 TLS_AES_256_GCM_SHA384)' 'TLS'

sed 's/disposition=none/disposition=reject/' "$TMP/job" >"$TMP/job2"
deliver <"$TMP/job2" >"$TMP/out" 2>"$TMP/err"
is $? 100 'dmarc refuses'
sed '/^dmarc/{s/result=[a-z]*/result=temperror/;s/disposition=none/disposition=reject/;}' \
    "$TMP/job" >"$TMP/job2"
deliver <"$TMP/job2" >"$TMP/out" 2>"$TMP/err"
is $? 111 'dmarc in doubt: not for good'
cp "$PNEU_ROOT/conf/host" "$TMP/host"
sed '/^host /s/$/ dmarc-temperror=accept/' "$TMP/host" >"$PNEU_ROOT/conf/host"
conf-build
deliver <"$TMP/job2" >"$TMP/out" 2>"$TMP/err"
is $? 0 'or taken, where the administrator says so'
cp "$TMP/host" "$PNEU_ROOT/conf/host"
conf-build
sed 's/disposition=none/disposition=quarantine/' "$TMP/job" >"$TMP/job2"
deliver <"$TMP/job2" >"$TMP/out"
is $? 0 'dmarc quarantines'
is "$(find "$PNEU_ROOT/mail/bob/Maildir/.Junk/cur" -type f | wc -l |
    tr -d ' ')" 1 'into Junk'

# A mail that has been through 101 hosts.
i=0
: >"$TMP/crlf"
while [ $i -lt 101 ]; do
	printf 'Received: by x%d.example\r\n' $i >>"$TMP/crlf"
	i=$((i + 1))
done
printf 'From: a@example.net\r\n\r\nx\r\n' >>"$TMP/crlf"
deliver bob@example.org <"$TMP/crlf" >"$TMP/out" 2>"$TMP/err"
is $? 100 'mail loop'

# Fields in our name, too many to be taken out one by one.
i=0
: >"$TMP/crlf"
while [ $i -lt 300 ]; do
	printf 'X-A: x\r\nAuthentication-Results: mx.example.org; dmarc=pass\r\n'
	i=$((i + 1))
done >"$TMP/crlf"
printf 'From: a@example.net\r\n\r\nx\r\n' >>"$TMP/crlf"
deliver bob@example.org <"$TMP/crlf" >"$TMP/out" 2>"$TMP/err"
is $? 100 'too many forged results'

# Line ends, NUL, quotes and letters of other scripts in all that goes into the
# header: no field begins where none should, and the file stays in UTF-8.
cp "$TMP/env" "$TMP/env.good"
evil='x\x0d\nX-Evil: 1\x00\"(\x0d\n\x0d\n'
printf 'From: a@example.net\r\n\r\nx\r\n' >"$TMP/crlf"
size=$(wc -c <"$TMP/crlf" | tr -d ' ')
cat >"$TMP/env" <<END
job id=abcdefghijklmnop size=$size time=1700000000 body=7bit smtputf8=no
client ip="192.0.2.7$evil" port=25 helo="é$evil" local-ip="$evil" service=smtp proto="$evil" tls="$evil" cipher="$evil"
from addr="é$evil@example.net"
rcpt addr="bob$evil@example.org" account=bob mailbox=INBOX
iprev result="$evil" name="$evil" ip="$evil" reason="$evil" dnssec=no
spf result="$evil" identity=mailfrom domain="é$evil" reason="$evil" dnssec=yes
dkim result="$evil" domain="$evil" selector="$evil" alg="rsa$evil" bits="$evil" identity="$evil" b="$evil" reason="$evil"
dmarc result=none domain="$evil" disposition=none reason="$evil"
END
job >"$TMP/job"
deliver <"$TMP/job" >"$TMP/out"
is $? 0 'an envelope full of line ends'
f=$PNEU_ROOT/mail/bob/Maildir/new/$(sed -n 's/^deliver .*file="*\([^ "]*\)"*$/\1/p' "$TMP/out" | sed 's,.*/,,')
is "$(sed '/^\r*$/,$d' "$f" | grep -v '^[[:blank:]]' | sed 's/:.*//' | tr '\n' ' ')" \
    'Delivered-To Return-Path Authentication-Results Received From ' \
    'writes the fields it should and no other'
is "$(tr -d '\000' <"$f" | wc -c)" "$(wc -c <"$f")" 'no NUL'
is "$(tr -d '\r' <"$f" | wc -c)" "$(awk 'END { print NR }' "$f" |
    { read -r n; echo $(($(wc -c <"$f") - n)); })" 'CR only at line ends'
iconv -f UTF-8 -t UTF-8 "$f" >/dev/null; ok $? 'UTF-8'

# All or nothing: the second recipient's mailbox cannot be written.
cp "$TMP/env.good" "$TMP/env"
printf 'Subject: x\r\n\r\ny\r\n' >"$TMP/crlf"
sed "s/size=[0-9]*/size=$(wc -c <"$TMP/crlf" | tr -d ' ')/; s/account=ann/account=.bad/" \
    "$TMP/env" >"$TMP/env2"
mv "$TMP/env2" "$TMP/env"
before=$(find "$PNEU_ROOT/mail/bob" -type f -path '*Maildir*' | wc -l)
job >"$TMP/job"
deliver <"$TMP/job" >"$TMP/out" 2>"$TMP/err"
is $? 111 'one recipient fails: temporary'
is "$(find "$PNEU_ROOT/mail/bob" -type f -path '*Maildir*' | wc -l)" \
    "$before" 'and the other has nothing of it'

index-check >"$TMP/out"; is $? 0 'index-check'
is "$(cat "$TMP/out")" '' 'no findings'
index-rebuild -t -a bob >"$TMP/out"; is $? 0 'index-rebuild'
has "$TMP/out" '^rebuilt account=bob' 'says so'
index-check -a bob >"$TMP/out"; is $? 0 'good again'
printf 'garbage' | dd of="$PNEU_ROOT/mail/ann/index/data.mdb" bs=1 seek=16 \
    conv=notrunc 2>"$TMP/err"
index-check -a ann >"$TMP/out"; is $? 1 'a damaged index is found'
has "$TMP/out" '^finding kind=index ' 'and named'
index-check -r -a ann >"$TMP/out"; is $? 0 'and repaired'
index-check -a ann >"$TMP/out"; is $? 0 'good again'
index-check -a ../bob 2>"$TMP/err"; is $? 100 'no paths'
# Received-SPF on request, one for each identity, above Received.
sed '/^host /s/$/ received-spf=yes/' "$TMP/host" >"$PNEU_ROOT/conf/host"
conf-build
printf 'From: a@example.net\r\n\r\nx\r\n' >"$TMP/crlf"
size=$(wc -c <"$TMP/crlf" | tr -d ' ')
cat >"$TMP/env" <<END
job id=abcdefghijklmnos size=$size time=1700000000 body=7bit smtputf8=no
client ip=192.0.2.7 port=25 helo=mx.example.net local-ip=192.0.2.1 service=smtp proto=ESMTP
from addr=ann@example.net
rcpt addr=bob@example.org account=bob mailbox=INBOX
spf result=none identity=helo domain=mx.example.net dnssec=no reason="no such name: mx.example.net"
spf result=pass identity=mailfrom domain=example.net mech=mx dnssec=yes
spf result="$evil" identity="$evil" domain="$evil" mech="$evil" reason="$evil"
END
job >"$TMP/job"
deliver <"$TMP/job" >"$TMP/out"
is $? 0 'received-spf=yes'
stored() { # account: the file that deliver's line in out names
	echo "$PNEU_ROOT/mail/$1/Maildir/new/$(sed -n 's/^deliver .*file="*\([^ "]*\)"*$/\1/p' "$TMP/out" | sed 's,.*/,,')"
}
tr -d '\r' <"$(stored bob)" >"$TMP/got"
has "$TMP/got" '^Received-SPF: pass (mx.example.org: domain example.net designates 192.0.2.7 as$' 'MAIL FROM'
has "$TMP/got" '^Received-SPF: none ' 'HELO'
is "$(sed -n 's/^\(Received[-SPF]*\):.*/\1/p' "$TMP/got" | tr '\n' ' ')" \
    'Received-SPF Received-SPF Received-SPF Received ' 'above Received'
is "$(sed '/^\r*$/,$d' "$TMP/got" | grep -v '^[[:blank:]]' | sed 's/:.*//' | sort -u | tr '\n' ' ')" \
    'Authentication-Results Delivered-To From Received Received-SPF Return-Path ' \
    'no field that a record hides'
is "$(awk 'length > 78' "$TMP/got" | grep -c spf)" 0 'folded'
# It comes back: what speaks in our name is taken out.
cp "$(stored bob)" "$TMP/again"
sed '/^host /s/ received-spf=yes//' "$PNEU_ROOT/conf/host" >"$TMP/host2"
cp "$TMP/host2" "$PNEU_ROOT/conf/host"
conf-build
deliver ann@example.org <"$TMP/again" >"$TMP/out"
is "$(grep -c '^Received-SPF' "$(stored ann)")" 0 \
    'our own field from elsewhere is removed'
finish
