#!/bin/bash
# Five messages that went wrong as they do every day: what spf-check -v,
# dkim-verify -v and dmarc-eval -v say must name the cause, to somebody who has
# not read the RFCs.
# shellcheck disable=SC2034 # variables of lib.sh
. "$(dirname "$0")/../lib.sh"
tmp=$TMP/names
mkdir -p "$tmp"
# shellcheck source=t/dns.sh
. "$TOP/t/dns.sh"
mkdir -p "$TMP/root"

# ---- the DNS of five senders ----
dkim-keygen -t rsa >"$TMP/key"
key=$(dkim-record <"$TMP/key" | tr -d '"() \t\n' | grep -o 'v=DKIM1.*')
cat >"$TMP/zone" <<END
rr name=shop.example type=TXT value="v=spf1 ip4:192.0.2.10 -all"
rr name=_dmarc.shop.example type=TXT value="v=DMARC1; p=reject"
rr name=s2026._domainkey.shop.example type=TXT value="$key"
rr name=uni.example type=TXT value="v=spf1 ip4:192.0.2.20 -all"
rr name=_dmarc.uni.example type=TXT value="v=DMARC1; p=quarantine"
rr name=mail._domainkey.uni.example type=TXT value="$key"
rr name=lists.example type=TXT value="v=spf1 ip4:198.51.100.7 -all"
rr name=bank.example type=TXT value="v=spf1 ip4:192.0.2.30 include:relay.example -all"
rr name=relay.example type=TXT value="v=spf1 ip4:192.0.2.32/28 ~all"
rr name=_dmarc.bank.example type=TXT value="v=DMARC1; p=reject"
rr name=firm.example type=TXT value="v=spf1 ip4:192.0.2.40 -all"
rr name=_dmarc.firm.example type=TXT value="v=DMARC1; p=none; sp=reject"
rr name=news.firm.example type=TXT value="v=spf1 ip4:192.0.2.41 -all"
rr name=bulk.example type=TXT value="v=spf1 ip4:198.51.100.9 -all"
END
dns_fake "$TMP/zone" || skip_all 'no name server'

letter() { # FROM-FIELD... : a letter as a program of today writes it
	printf '%s\n' "$@" 'To: Bob <bob@example.org>' 'Subject: Your order of last week' \
	    "Date: $(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S +0000')" 'Message-ID: <20251121.1@mua.example>' \
	    'MIME-Version: 1.0' 'Content-Type: text/plain; charset=utf-8' \
	    'Content-Transfer-Encoding: quoted-printable' '' \
	    'Dear Bob,' '' 'it is on its way, and will arrive on Monday=20' 'at the latest.' '' '-- ' 'Ann'
}
# signed DOMAIN SELECTOR <letter: as its sender's host signs it.
signed() {
	rm -rf "$TMP/root"
	mkdir -p "$TMP/root"/{conf,secret/dkim,mail}
	echo 'host name=mx.sender.example' >"$TMP/root/conf/host"
	conf-build -C "$TMP/root" >/dev/null
	domain-add -C "$TMP/root" "$1" ann ann >/dev/null 2>&1
	install -m 600 "$TMP/key" "$TMP/root/secret/dkim/one"
	printf 'domain name=%s\ndkim selector=%s key=one alg=rsa-sha256\n' "$1" "$2" >"$TMP/root/conf/domain/$1"
	conf-build -C "$TMP/root" >/dev/null && dkim-sign -m -C "$TMP/root"
}
# explain FILE IP HELO FROM: all that the three say, verdicts in $TMP/verdict and
# reasons in $TMP/because.
explain() {
	local job=$TMP/job
	sed 's/\r*$/\r/' "$1" >"$TMP/wire"
	{
		printf 'job id=abcdefghabcdefgh size=%d time=%d\n' "$(wc -c <"$TMP/wire")" "$(date +%s)"
		printf 'client ip=%s helo=%s\nfrom addr=%s\n\n' "$2" "$3" "$4"
		cat "$TMP/wire"
	} >"$job"
	imf-parse <"$job" |
	    spf-check -v -s "$dns_server" 2>"$TMP/e1" |
	    dkim-verify -v -s "$dns_server" 2>"$TMP/e2" |
	    dmarc-eval -v -s "$dns_server" 2>"$TMP/e3" >"$TMP/done"
	sed '/^$/,$d' "$TMP/done" | grep -aE '^(spf|dkim|dmarc) ' >"$TMP/verdict"
	cat "$TMP/e1" "$TMP/e2" "$TMP/e3" | grep -a '^because ' >"$TMP/because"
	[ -z "${DBG:-}" ] || { echo "# ---- $1"; cat "$TMP/verdict" "$TMP/because" | sed 's/^/# /'; }
	# Sentences: a text for each verdict.
	is "$(grep -c . "$TMP/verdict") $(grep -avc 'text="[^"]..*"' "$TMP/because")" \
	    "$(grep -c . "$TMP/because") 0" "$5: a reason for each verdict" ||
	    cat "$TMP/verdict" "$TMP/because" | sed 's/^/# /'
}
# says CHECK PATTERN TEXT: the reason of that check.
says() {
	grep -a "^because check=$1 " "$TMP/because" | grep -aqi -- "$2"
	ok $? "$3" || grep -a "^because check=$1" "$TMP/because" | sed 's/^/# /'
}

# verdict CHECK PATTERN TEXT: the line itself.
verdict() {
	grep -a "^$1 " "$TMP/verdict" | grep -aq -- "$2"
	ok $? "$3" || sed 's/^/# /' "$TMP/verdict"
}

# 1. The key was published under another selector than the one signed with.
letter 'From: "The Shop" <orders@shop.example>' | signed shop.example s2025 >"$TMP/selector"
explain "$TMP/selector" 203.0.113.5 out.esp.example bounce@esp.example 'wrong selector'
verdict dkim 'result=permerror .*selector=s2025' 'wrong selector: dkim permerror'
says dkim 'no key.*s2025._domainkey.shop.example.*selector' 'dkim-verify names the name that is missing'
says spf 'esp.example has no SPF record' 'spf-check says that it has nothing to say'
says dmarc 'p=reject of shop.example.*DKIM' 'dmarc-eval says whose policy it is and what failed'

# 2. A list put its name into the Subject, and sends with its own envelope.
letter 'From: Ann <ann@uni.example>' | signed uni.example mail |
    sed 's/^Subject: /Subject: [friends] /' >"$TMP/subject"
explain "$TMP/subject" 198.51.100.7 lists.example friends-bounces@lists.example 'rewritten Subject'
verdict dkim 'result=fail .*domain=uni.example' 'rewritten Subject: dkim fail'
says dkim 'Subject.*rewritten.*\[friends\].*list' 'dkim-verify finds what was put in front, and who does that'
says dkim 'body is as it was signed' 'and that the body is whole'
says spf 'may send for lists.example' 'spf-check: the list may send for itself'
says dmarc 'p=quarantine of uni.example.*lists.example passed.*not belong' \
    'dmarc-eval: which is not whom From names'

# 3. A forwarder kept the sender in the envelope; the sender does not sign.
letter 'From: Bank <info@bank.example>' >"$TMP/forward"
explain "$TMP/forward" 198.51.100.25 forwarder.example info@bank.example 'forwarded without SRS'
verdict spf 'result=fail identity=mailfrom domain=bank.example mech=-all' 'forwarded without SRS: spf fail'
says spf '198.51.100.25.*bank.example.*-all.*forwards.*SRS' 'spf-check names address, term and SRS'
says dkim 'no DKIM-Signature' 'dkim-verify: nobody signed'
says dmarc 'p=reject of bank.example.*forwarded.*no DKIM signature' 'dmarc-eval: forwarded and not signed'

# 4. Two From fields.
letter 'From: Bank <info@bank.example>' 'From: Bulk <win@bulk.example>' >"$TMP/two"
explain "$TMP/two" 198.51.100.9 bulk.example win@bulk.example 'two From fields'
verdict dmarc 'result=permerror disposition=reject' 'two From fields: permerror, reject'
says spf 'may send for bulk.example' 'spf-check: this is not why'
says dmarc 'several From fields.*one From field' 'dmarc-eval counts them and says what to do'

# 5. The domain asks for nothing, and for its subdomains that they be refused.
letter 'From: News <news@promo.firm.example>' >"$TMP/sub"
explain "$TMP/sub" 198.51.100.9 bulk.example win@bulk.example 'subdomain policy'
verdict dmarc 'result=fail .*policy=none subdomain-policy=reject disposition=reject' 'subdomain policy: sp= counts'
says dmarc 'sp=reject of firm.example applies to promo.firm.example' 'dmarc-eval names sp= and both domains'
says dmarc 'bulk.example passed.*not belong' 'and that who passed is somebody else'

# Nothing wrong: the reasons say so, too.
letter 'From: Ann <ann@uni.example>' | signed uni.example mail >"$TMP/fine"
explain "$TMP/fine" 192.0.2.20 uni.example ann@uni.example 'nothing wrong'
verdict dmarc 'result=pass' 'nothing wrong: pass'
says spf '192.0.2.20 may send for uni.example.*ip4:192.0.2.20' 'spf-check names the term that matched'
says dmarc 'uni.example' 'dmarc-eval names the domain'
says dkim 'uni.example' 'dkim-verify, too'
finish
