#!/bin/bash
# Two judges: pneu on A, Postfix with OpenDKIM, OpenDMARC and policyd-spf on B,
# and a host D that sends the same bytes to both. What each writes into
# Authentication-Results about SPF, DKIM and DMARC must agree, and so must what
# they say of each other's mail. Where they differ, the case says why.
# shellcheck disable=SC2034 # variables of lib.sh and twohosts.sh
. "$(dirname "$0")/../lib.sh"
NETDIR=$TMP/net
mkdir -p "$NETDIR" "$TMP/names"
tmp=$TMP/names
. "$TOP/t/system/twohosts.sh"
export PATH=$PATH:/usr/sbin
why=$(th_possible) || skip_all "$why"
for p in postfix opendkim opendmarc policyd-spf opendkim-genkey; do
	command -v $p >/dev/null || skip_all "needs $p"
done
python=/usr/bin/python3
$python -c 'import dkim' 2>/dev/null || skip_all 'needs python3-dkim'
POSTFIX=$NETDIR/postfix
MILTERS=()
all_down() {
	[ -z "${UP:-}" ] || instance_down "$UP"
	th_in b postfix -c "$POSTFIX/conf" stop >/dev/null 2>&1
	if [ ${#MILTERS[@]} -ne 0 ]; then
		kill "${MILTERS[@]}" 2>/dev/null
		wait "${MILTERS[@]}" 2>/dev/null
	fi
	th_stop
}
trap 'all_down; lib_cleanup' EXIT
show() { sed 's/^/# /' "$@" 2>/dev/null | tail -n 25; }

# ---- A: pneu ----
r=$NETDIR/a
mkdir -p "$r"/{conf/domain,conf/account,conf/pipeline,cdb,secret,mail,queue,spool,case,run/counters,log,sv}
echo 'host name=mx.a.test resolver=127.0.0.1' >"$r/conf/host"
printf 'listen service=smtp ip=192.0.2.1\n' >"$r/conf/listen"
cp "$TOP"/conf/pipeline/* "$r/conf/pipeline/"
conf-build -C "$r" && domain-add -C "$r" a.test ann ann >"$NETDIR/records" &&
    cert-local -C "$r" mx.a.test
ok $? 'an instance' || { finish; exit 1; }
cp -R "$TOP/sv/." "$r/sv/"

# ---- the zone ----
genkey() { # DOMAIN: $NETDIR/key.DOMAIN, and its record in the zone
	opendkim-genkey -b 2048 -s k -d "$1" -D "$TMP" &&
	    mv "$TMP/k.private" "$NETDIR/key.$1" &&
	    sed "s/^k\._domainkey/k._domainkey.${1%.test}/" "$TMP/k.txt" >>"$NETDIR/zone"
}
cat "$NETDIR/records" >"$NETDIR/zone"
cat >>"$NETDIR/zone" <<'END'
mx.a A 192.0.2.1
mx.a TXT "v=spf1 a -all"
b MX 10 mx.b
b TXT "v=spf1 a:mx.b.test -all"
_dmarc.b TXT "v=DMARC1; p=reject"
mx.b A 192.0.2.2
mx.b TXT "v=spf1 a -all"
good MX 10 mx.b
good TXT "v=spf1 ip4:192.0.2.53 -all"
_dmarc.good TXT "v=DMARC1; p=reject"
far MX 10 mx.b
far TXT "v=spf1 ip4:198.51.100.1 -all"
_dmarc.far TXT "v=DMARC1; p=reject"
soft MX 10 mx.b
soft TXT "v=spf1 ip4:198.51.100.1 ~all"
_dmarc.soft TXT "v=DMARC1; p=quarantine"
org MX 10 mx.b
org TXT "v=spf1 -all"
_dmarc.org TXT "v=DMARC1; p=none; sp=reject"
news.org TXT "v=spf1 ip4:192.0.2.53 -all"
news.org MX 10 mx.b
shop.org TXT "v=spf1 -all"
shop.org MX 10 mx.b
strict MX 10 mx.b
strict TXT "v=spf1 ip4:192.0.2.53 -all"
_dmarc.strict TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
sub.strict MX 10 mx.b
sub.strict TXT "v=spf1 ip4:192.0.2.53 -all"
plain MX 10 mx.b
plain TXT "v=spf1 ?all"
twice MX 10 mx.b
twice TXT "v=spf1 ip4:192.0.2.53 -all"
twice TXT "v=spf1 -all"
_dmarc.twice TXT "v=DMARC1; p=none"
mx.d A 192.0.2.53
mx.d TXT "v=spf1 ip4:192.0.2.53 -all"
END
for d in b.test good.test far.test soft.test strict.test sub.strict.test; do
	genkey $d || { ok 1 "a key for $d"; finish; exit 1; }
done
chmod 600 "$NETDIR"/key.*
th_start || skip_all 'no network for the hosts'
th_zone "$NETDIR/zone" >"$TMP/names.out" 2>&1
ok $? 'zone signed and served' || { show "$TMP/names.out"; finish; exit 1; }

# ---- B: Postfix and its milters ----
th_postfix_conf 'smtp_dns_support_level = enabled
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, check_policy_service unix:private/policyd-spf
smtpd_milters = inet:127.0.0.1:8891, inet:127.0.0.1:8893
non_smtpd_milters = inet:127.0.0.1:8891'
printf 'policyd-spf unix - n n - 0 spawn\n  user=nobody argv=/usr/bin/policyd-spf %s\n' \
    "$POSTFIX/spf.conf" >>"$POSTFIX/conf/master.cf"
cat >"$POSTFIX/spf.conf" <<E
debugLevel = 1
HELO_reject = False
Mail_From_reject = False
Header_Type = AR
Authserv_Id = mx.b.test
skip_addresses = 127.0.0.0/8
E
printf '192.0.2.2\n127.0.0.1\n' >"$POSTFIX/inside"
# Its resolver knows that there is no "test."; the list of public suffixes does
# not have it.
printf 'server:\n local-zone: "test." nodefault\nforward-zone:\n name: "."\n forward-addr: 127.0.0.1\n' \
    >"$POSTFIX/resolver"
{
	cat /usr/share/publicsuffix/public_suffix_list.dat
	echo test
} >"$POSTFIX/suffixes"
cat >"$POSTFIX/opendkim.conf" <<E
Mode sv
Socket inet:8891@127.0.0.1
Domain b.test
Selector k
KeyFile $NETDIR/key.b.test
AuthservID mx.b.test
Canonicalization relaxed/relaxed
InternalHosts $POSTFIX/inside
ResolverConfiguration $POSTFIX/resolver
AlwaysAddARHeader yes
RequireSafeKeys no
Syslog no
E
cat >"$POSTFIX/opendmarc.conf" <<E
Socket inet:8893@127.0.0.1
AuthservID mx.b.test
TrustedAuthservIDs mx.b.test
RejectFailures false
SPFSelfValidate false
PublicSuffixList $POSTFIX/suffixes
Syslog false
E
ip netns exec "$th_id-b" opendkim -f -x "$POSTFIX/opendkim.conf" >"$POSTFIX/opendkim.out" 2>&1 &
MILTERS+=($!)
ip netns exec "$th_id-b" opendmarc -f -c "$POSTFIX/opendmarc.conf" >"$POSTFIX/opendmarc.out" 2>&1 &
MILTERS+=($!)
for p in 8891 8893; do
	wait_for 20 ip netns exec "$th_id-b" bash -c "exec 3<>/dev/tcp/127.0.0.1/$p"
	ok $? "a milter at $p" || show "$POSTFIX"/*.out
done
th_in b postfix -c "$POSTFIX/conf" start >"$POSTFIX/out" 2>&1
wait_for 20 ip netns exec "$th_id-b" bash -c 'exec 3<>/dev/tcp/192.0.2.2/25'
ok $? 'Postfix runs' || show "$POSTFIX/out" "$POSTFIX/log"
PNEU_ROOT=$r ip netns exec "$th_id-a" setsid runsvdir -P "$r/sv" >"$r/out" 2>&1 &
UP=$!
wait_for 20 ip netns exec "$th_id-a" bash -c "exec 3<>/dev/tcp/192.0.2.1/25" &&
    wait_for 20 test -S "$r/run/inbound"
ok $? 'pneu runs' || show "$r"/log/*/current

# ---- what they say ----
# results FILE HOST: "spf=R dkim=D:R,D:R dmarc=R" of the fields of that host;
# SPF is that of MAIL FROM, or of HELO without one.
results() {
	perl -0777 -ne '
		s/\r//g; s/\n\n.*//s; s/\n[ \t]+/ /g;
		my ($spf, $helo, $dmarc, @dkim);
		while (/^Authentication-Results:\s*'"$2"'\s*;(.*)$/mig) {
			my $text = $1;
			$text =~ s/\((?:[^()\\]|\\.|\([^()]*\))*\)//g;
			for (split /;/, $text) {
				my ($m, $r) = /^\s*([a-z]+)\s*=\s*([a-z]+)/i or next;
				my ($d) = /header\.d=(\S+)/;
				if ($m eq "spf" && /smtp\.helo=/) { $helo = $r }
				elsif ($m eq "spf") { $spf = $r }
				elsif ($m eq "dkim") { push @dkim, $d ? "$d:$r" : $r }
				elsif ($m eq "dmarc") { $dmarc = $r }
			}
		}
		printf "spf=%s dkim=%s dmarc=%s\n", $spf // $helo // "-",
		    join(",", sort @dkim) || "-", $dmarc // "-"' "$1"
}
# The same of a case of A, whose message may have been refused.
case_results() {
	perl -ne '
		my %t = /([a-z-]+)=("(?:[^"\\]|\\.)*"|\S+)/g;
		if (/^spf /) { $t{identity} eq "helo" ? ($helo = $t{result}) : ($spf = $t{result}) }
		elsif (/^dkim /) { push @dkim, $t{domain} ? "$t{domain}:$t{result}" : $t{result} }
		elsif (/^dmarc /) { $dmarc = $t{result} }
		END { printf "spf=%s dkim=%s dmarc=%s\n", $spf // $helo // "-",
		    join(",", sort @dkim) || "-", $dmarc // "-" }' "$1"
}
abox=$r/mail/ann/Maildir bbox=$POSTFIX/mail/bob/Maildir
the_one() { find "$1/new" "$1/cur" -type f 2>/dev/null | head -n 1; }
arrived() { [ -n "$(the_one "$1")" ]; }
# The envelope of the last message that A judged.
last_case() {
	cat "$r"/case/* 2>/dev/null | awk '/^job /{ t = "" } { t = t $0 "\n" } END { printf "%s", t }'
}
cases_of() { cat "$r"/case/* 2>/dev/null | grep -c '^job '; }
# judge NAME FROM WANT-A [WANT-B]: $TMP/mail from D to both; A says WANT-A and B
# WANT-B, which is the same if not given; A refuses if and only if DMARC says so.
judge() {
	local name=$1 from=$2 want=$3 before
	sed 's/\r*$/\r/' "$TMP/mail" >"$TMP/wire"
	rm -f "$abox"/new/* "$bbox"/new/* "$abox"/.Junk/*/* 2>/dev/null
	before=$(cases_of)
	th_in d "$TOP/t/abuse/send" 192.0.2.1:25 "$from" ann@a.test mx.d.test <"$TMP/wire" >"$TMP/reply.a" 2>&1
	th_in d "$TOP/t/abuse/send" 192.0.2.2:25 "$from" bob@b.test mx.d.test <"$TMP/wire" >"$TMP/reply.b" 2>&1
	wait_for 20 eval "[ \$(cases_of) -gt $before ]" || { ok 1 "$name: no case"; show "$TMP/reply.a"; return 1; }
	last_case >"$TMP/case"
	is "$(case_results "$TMP/case")" "$want" "$name: pneu" || show "$TMP/case" "$TMP/reply.a"
	if grep -q '^250' "$TMP/reply.a"; then
		is "$(results "$(find "$abox/new" "$abox/.Junk" -type f -path '*/[nc][eu][wr]/*' | head -n 1)" mx.a.test)" "$want" "$name: and its field says so"
	else
		has "$TMP/reply.a" '^550 5.7.26' "$name: refused for DMARC"
	fi
	wait_for 20 arrived "$bbox"
	is "$(results "$(the_one "$bbox")" mx.b.test)" "${4:-$want}" "$name: the other judge" ||
	    show "$(the_one "$bbox")" "$TMP/reply.b"
}
# write FROM-FIELD...: a message to sign or send.
write() {
	printf '%s\n' "$@" 'To: you@far.example' 'Subject: two judges' \
	    'Date: Fri, 21 Nov 2025 12:00:00 +0000' 'Message-ID: <1@d.test>' '' 'Body of the letter.' >"$TMP/mail"
}
sign() { # DOMAIN: put a signature on $TMP/mail
	sed 's/$/\r/' "$TMP/mail" >"$TMP/unsigned"
	$python - "$TMP/unsigned" "$NETDIR/key.$1" "$1" >"$TMP/signed" <<'END' && tr -d '\r' <"$TMP/signed" >"$TMP/mail"
import dkim, sys
mail = open(sys.argv[1], 'rb').read()
key = open(sys.argv[2], 'rb').read()
sys.stdout.buffer.write(dkim.sign(mail, b'k', sys.argv[3].encode(), key,
    canonicalize=(b'relaxed', b'relaxed'),
    include_headers=[b'from', b'to', b'subject', b'date', b'message-id']) + mail)
END
}
start=$TESTS

write 'From: Ann <ann@good.test>'
sign good.test
judge 'all is well' ann@good.test 'spf=pass dkim=good.test:pass dmarc=pass'
sed -i 's/Body of/Another/' "$TMP/mail"
judge 'a changed body, SPF alone' ann@good.test 'spf=pass dkim=good.test:fail dmarc=pass'
write 'From: Ann <ann@far.test>'
sign far.test
judge 'SPF fails, DKIM passes (forwarded)' ann@far.test 'spf=fail dkim=far.test:pass dmarc=pass'
sed -i 's/Subject: two/Subject: [list] two/' "$TMP/mail"
judge 'SPF fails, the subject was changed' ann@far.test 'spf=fail dkim=far.test:fail dmarc=fail'
write 'From: Ann <ann@far.test>'
judge 'a forged From, p=reject' evil@good.test 'spf=pass dkim=none dmarc=fail'
sign good.test
judge 'a forged From with a good signature of another' evil@good.test 'spf=pass dkim=good.test:pass dmarc=fail'
write 'From: ann@soft.test'
judge 'p=quarantine and softfail' ann@soft.test 'spf=softfail dkim=none dmarc=fail'
write 'From: ann@news.org.test'
judge 'a subdomain that aligns by itself' ann@news.org.test 'spf=pass dkim=none dmarc=pass'
write 'From: ann@shop.org.test'
judge 'a subdomain, sp=reject' ann@shop.org.test 'spf=fail dkim=none dmarc=fail'
judge 'a sibling aligns relaxed' ann@news.org.test 'spf=pass dkim=none dmarc=pass'
write 'From: ann@org.test'
judge 'p=none, SPF fails' ann@org.test 'spf=fail dkim=none dmarc=fail'
# RFC 7489 section 3.1.1 asks for the same domain in strict mode. OpenDMARC 1.4.2
# takes a domain below it, too, where From has the organisational domain.
write 'From: ann@strict.test'
sign sub.strict.test
judge 'strict: a subdomain that signs does not align' ann@good.test 'spf=pass dkim=sub.strict.test:pass dmarc=fail' \
    'spf=pass dkim=sub.strict.test:pass dmarc=pass'
write 'From: ann@strict.test'
judge 'strict: a subdomain that sends does not align' ann@sub.strict.test 'spf=pass dkim=none dmarc=fail' \
    'spf=pass dkim=none dmarc=pass'
write 'From: ann@sub.strict.test'
sign strict.test
judge 'strict: nor does the domain above' ann@strict.test 'spf=pass dkim=strict.test:pass dmarc=fail'
write 'From: ann@strict.test'
sign sub.strict.test
sign strict.test
judge 'two signatures, one aligns' ann@sub.strict.test 'spf=pass dkim=strict.test:pass,sub.strict.test:pass dmarc=pass'
write 'From: ann@plain.test'
judge 'no policy, neutral' ann@plain.test 'spf=neutral dkim=none dmarc=none'
write 'From: ann@twice.test'
judge 'two SPF records' ann@twice.test 'spf=permerror dkim=none dmarc=fail'
write 'From: ann@good.test'
judge 'null sender: HELO counts' '' 'spf=pass dkim=none dmarc=fail'
# Where a From is in doubt, pneu does not guess which address readers will see,
# and refuses. OpenDMARC takes the first of two fields, and judges nothing (as
# RFC 7489 section 6.6.1 has it) where there are two addresses or no From. For
# Postfix, "From :" at the beginning is a line of an mbox and no field.
write 'From: ann@good.test' 'From: evil@far.test'
judge 'two From fields' ann@good.test 'spf=pass dkim=none dmarc=permerror' 'spf=pass dkim=none dmarc=pass'
write 'From: ann@good.test, evil@far.test'
judge 'two addresses in From' ann@good.test 'spf=pass dkim=none dmarc=permerror' 'spf=pass dkim=none dmarc=-'
write 'From: evil@far.test, ann@good.test'
judge 'the other way' ann@good.test 'spf=pass dkim=none dmarc=permerror' 'spf=pass dkim=none dmarc=-'
write 'From : ann@far.test'
judge 'a blank before the colon' ann@good.test 'spf=pass dkim=none dmarc=fail' 'spf=pass dkim=permerror dmarc=-'
write 'X-From: ann@far.test'
judge 'no From' ann@good.test 'spf=pass dkim=none dmarc=permerror' 'spf=pass dkim=permerror dmarc=-'

echo "# $(((TESTS - start) / 3)) cases: messages judged by both"

# ---- each other's mail ----
rm -f "$abox"/new/* "$bbox"/new/*
printf 'From: bob@b.test\nTo: ann@a.test\nSubject: from B\n\nHello.\n' >"$TMP/out"
th_in b /usr/sbin/sendmail -C "$POSTFIX/conf" -f bob@b.test ann@a.test <"$TMP/out" >"$TMP/err" 2>&1
ok $? 'Postfix takes a message for A' || show "$TMP/err"
wait_for 30 arrived "$abox"
is "$(results "$(the_one "$abox")" mx.a.test)" 'spf=pass dkim=b.test:pass dmarc=pass' \
    'pneu judges mail that OpenDKIM signed' || show "$POSTFIX/log"
printf 'From: ann@a.test\nTo: bob@b.test\nSubject: from A\nDate: Fri, 21 Nov 2025 12:00:00 +0000\n\nHello.\n' |
    PNEU_ROOT=$r ip netns exec "$th_id-a" "$PNEU_BIN/mail-submit" -f ann@a.test bob@b.test >"$TMP/err" 2>&1
ok $? 'pneu takes a message for B' || show "$TMP/err"
wait_for 30 arrived "$bbox"
results "$(the_one "$bbox")" mx.b.test >"$TMP/of-b"
has "$TMP/of-b" '^spf=pass dkim=.*a.test:pass.* dmarc=pass$' 'OpenDKIM and OpenDMARC judge mail that pneu signed' ||
    show "$(the_one "$bbox")" "$r"/log/smtp-send/current
finish
