#!/bin/bash
# Lists of addresses in a running instance: off by default and no process for
# them, on with one line; from the connection to the header and back from the
# case.
# shellcheck disable=SC2034 # variables of lib.sh
. "$(dirname "$0")/../lib.sh"
tmp=$TMP/names
mkdir -p "$tmp"
# shellcheck source=t/dns.sh
. "$TOP/t/dns.sh"
cat >"$TMP/zone" <<'END'
rr name=2.0.0.127.bl.test type=A value=127.0.0.2
rr name=2.0.0.127.wl.test type=A value=127.0.0.2
rr name=9.0.0.127.bl.test type=A value=127.0.0.4
rr name=9.0.0.127.bl.test type=TXT value="see http://bl.test/"
rr name=9.0.0.127.wl.test type=A value=127.0.10.1
rr name=9.0.0.127.wl.test type=TXT value="mx.example.net (dmarc=pass)"
END
dns_fake "$TMP/zone" -l "$TMP/log" || skip_all 'no name server'
HOST_ATTRS="resolver=$dns_server dnsbl=bl.test dnswl=wl.test"
instance_make || { ok 1 'an instance'; finish; }
instance_up || { ok 1 'an instance'; finish; }
box=$ROOT/mail/alice/Maildir
mail() { # OWN-ADDRESS
	rm -f "$box"/new/* "$box"/cur/*
	printf 'From: ann@sender.example\r\nSubject: x\r\n\r\nbody\r\n' |
	    "$TOP/t/abuse/send" "$SMTP" ann@sender.example alice@localhost x.example "$1" >"$TMP/reply"
	ok $? 'a message is taken' || sed 's/^/# /' "$TMP/reply"
	tr -d '\r' <"$(find "$box/new" -type f | head -n 1)" | perl -0pe 's/\n[ \t]+/ /g' >"$TMP/got"
	id=$(sed -n 's/.*delivered as \([a-z0-9]*\).*/\1/p' "$TMP/reply")
}
runs() { below "$SUPERVISOR" | while read -r p; do cat "/proc/$p/comm" 2>/dev/null; done | grep -c dnsbl-check; }
mail 127.0.0.9
is "$(runs)" 0 'by default no process'
! grep -q 'bl.test' "$TMP/log"; ok $? 'and no query'

sed -i 's/^#stage name=dnsbl-check /stage name=dnsbl-check /' "$ROOT/conf/pipeline/inbound"
grep -q '^stage name=dnsbl-check ' "$ROOT/conf/pipeline/inbound"; ok $? 'the line is there'
conf-build -C "$ROOT"
instance_down
instance_up || { ok 1 'started again'; finish; }
mail 127.0.0.9
has "$TMP/got" '^Authentication-Results:.*; dnswl=pass dns.zone=wl.test policy.ip=127.0.10.1 policy.txt="mx.example.net (dmarc=pass)" dns.sec=no' 'an allow-list in the header'
case-show -C "$ROOT" "$id" >"$TMP/case" 2>&1 || cat "$ROOT"/case/* >"$TMP/case"
has "$TMP/case" '^dnsbl zone=bl.test result=listed kind=block code=127.0.0.4 reason="see http://bl.test/" dnssec=no' 'a block-list in the case; it refuses nothing'
case-replay -C "$ROOT" "$id" >"$TMP/out" 2>&1
is "$? $(grep -c '^dnsbl ' "$TMP/out") $(grep -c '^[<>]' "$TMP/out")" '0 2 0' 'the case gives the same again' || sed 's/^/# /' "$TMP/out"
sed -i 's/ dnsbl=bl.test//' "$ROOT/conf/host"
conf-build -C "$ROOT"
case-replay -n -C "$ROOT" "$id" >"$TMP/out" 2>&1
has "$TMP/out" '^< dnsbl zone=bl.test result=listed' 'what would be different now'
: >"$TMP/log"
mail 127.0.0.9
! grep -q '9.0.0.127.bl.test' "$TMP/log"; ok $? 'a list that was taken out is not asked any more'
grep -q '9.0.0.127.wl.test' "$TMP/log"; ok $? 'the other is'
finish
