#!/bin/sh
# dmarc-eval: discovery by the tree walk, alignment, policies, doubt.
set -u
here=$(dirname "$0")
tmp=$(mktemp -d) || exit 1
# shellcheck source=t/dns.sh
. "$here/../dns.sh"
trap 'dns_stop; rm -rf "$tmp"' EXIT
dmarc="$PNEU_BIN/dmarc-eval"
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		head -n 20 "$tmp/out" | cut -c1-400 | sed 's/^/# /'
	fi
}
# job FROM-DOMAIN SENDER [LINE ...]
job() {
	printf 'job id=abcdefghabcdefgh size=3 time=1700000000\n'
	printf 'client ip=192.0.2.7 helo=x\nfrom addr=%s\n' "$2"
	printf 'imf result=ok from=a@%s from-domain=%s from-count=1 from-addrs=1\n' \
	    "$1" "$1"
	shift 2
	[ $# -eq 0 ] || printf '%s\n' "$@"
	printf '\nx\r\n'
}
# judge NAME PATTERN FROM-DOMAIN [LINE ...]; sender bounce@other.test
judge() {
	name=$1 pattern=$2
	shift 2
	from=$1
	shift
	job "$from" "${sender-bounce@other.test}" "$@" >"$tmp/job"
	"$dmarc" -s "$dns_server" <"$tmp/job" >"$tmp/filtered" 2>&1
	code=$?
	grep '^dmarc ' "$tmp/filtered" >"$tmp/out"
	[ $code -eq 0 ] && grep -qE -- "$pattern" "$tmp/out"
	ok $? "$name"
}
txt() { printf 'rr name=_dmarc.%s type=TXT value="%s"\n' "$1" "$2"; }
{
	txt reject.test 'v=DMARC1; p=reject'
	txt strict.test 'v=DMARC1; p=reject; adkim=s; aspf=s'
	txt quar.test 'v=DMARC1;p=quarantine;sp=none'
	txt none.test 'V = DMARC1 ; P = None'
	txt np.test 'v=DMARC1; p=none; sp=quarantine; np=reject'
	echo 'rr name=sub.np.test type=A value=192.0.2.1'
	echo 'act name=doubt.np.test type=A do=servfail'
	txt try.test 'v=DMARC1; p=reject; t=y'
	txt two.test 'v=DMARC1; p=reject'
	txt two.test 'v=DMARC1; p=none'
	txt old.test 'v=DMARC1; p=reject; pct=0; ri=3600; x=y'
	txt nop.test 'v=DMARC1; rua=mailto:a@nop.test'
	txt bad.test 'v=DMARC1; p=block'
	txt badsp.test 'v=DMARC1; p=reject; sp=x; rua=mailto:a@badsp.test'
	txt late.test 'p=reject; v=DMARC1'
	txt v2.test 'v=DMARC2; p=reject'
	txt bare.test 'v=DMARC1'
	# a public suffix with a policy, and one that is not below it
	txt psd.test 'v=DMARC1; p=reject; np=reject; sp=quarantine; psd=y'
	txt org.psd.test 'v=DMARC1; p=none'
	echo 'rr name=plain.psd.test type=A value=192.0.2.1'
	# a part with an administration of its own
	txt big.test 'v=DMARC1; p=reject'
	txt uni.big.test 'v=DMARC1; p=quarantine; psd=n'
	txt a.b.c.d.e.f.g.h.i.j.deep.test 'v=DMARC1; p=reject; psd=n'
	txt deep.test 'v=DMARC1; p=quarantine'
	echo 'act name=_dmarc.dead.test do=servfail'
	echo 'act name=_dmarc.lame.reject.test do=servfail'
	echo 'act name=_dmarc.slow.test do=bogus'
	# where reports go
	txt report.test 'v=DMARC1; p=reject; sp=none; rua=mailto:a@report.test, mailto:b@mail.report.test!10m, mailto:c@third.test; ruf=mailto:d@fourth.test'
	consent() { printf 'rr name=%s._report._dmarc.%s type=TXT value="%s"\n' "$@"; }
	consent report.test third.test 'v=DMARC1'
	consent report.test fourth.test 'v=DMARC1; rua=mailto:x@else.test; ruf=mailto:e@fourth.test'
	txt refuse.test 'v=DMARC1; p=none; rua=mailto:a@nothing.test, mailto:b@away.test,mailto:c@text.test,mailto:d%%40x@third.test,https://report.test/r,mailto:nobody,mailto:e@third.test?subject=x'
	consent refuse.test away.test 'v=DMARC1; rua=mailto:x@victim.test'
	consent refuse.test text.test 'yes'
	consent refuse.test third.test 'v=DMARC1;'
	txt doubts.test 'v=DMARC1; p=none; rua=mailto:a@fifth.test'
	echo 'act name=doubts.test._report._dmarc.fifth.test do=servfail'
	txt quiet.test 'v=DMARC1; p=none'
} >"$tmp/zone"
dns_fake "$tmp/zone" -a -l "$tmp/log"

spf() { echo "spf result=$2 identity=mailfrom domain=$1"; }
dkim() { echo "dkim result=$2 domain=$1 selector=s"; }

judge 'nothing verified' '^dmarc result=fail domain=reject.test org-domain=reject.test policy-domain=reject.test policy=reject disposition=reject dnssec=yes$' reject.test
judge 'DKIM passes' '^dmarc result=pass domain=reject.test .* disposition=none aligned=dkim ' reject.test "$(dkim reject.test pass)"
judge 'SPF passes' 'result=pass .*aligned=spf ' reject.test "$(spf reject.test pass)"
judge 'both' 'aligned=spf,dkim ' reject.test "$(spf reject.test pass)" "$(dkim mail.reject.test pass)"
judge 'relaxed: below' 'result=pass ' reject.test "$(spf bounce.reject.test pass)"
judge 'relaxed: above' 'result=pass .*policy-domain=reject.test' news.reject.test "$(dkim reject.test pass)"
judge 'relaxed: beside' 'result=pass ' a.reject.test "$(dkim b.reject.test pass)"
judge 'strict: below' 'result=fail .*disposition=reject' strict.test "$(dkim mail.strict.test pass)" "$(spf bounce.strict.test pass)"
judge 'strict: equal' 'result=pass ' strict.test "$(dkim STRICT.test pass)"
judge 'foreign' 'result=fail ' reject.test "$(dkim evil.test pass)" "$(spf notreject.test pass)"
judge 'failed identities' 'result=fail ' reject.test "$(dkim reject.test fail)" "$(spf reject.test softfail)"
judge 'p for the domain' 'result=fail .*policy=quarantine subdomain-policy=none disposition=quarantine' quar.test
judge 'sp for what is below' 'result=fail .*disposition=none' a.quar.test
judge 'names in any case, blanks' 'result=fail .*policy=none disposition=none' none.test
judge 'np: does not exist' 'disposition=reject' no.np.test
judge 'np: exists, sp' 'disposition=quarantine' sub.np.test
judge 'np: in doubt' 'result=temperror .*disposition=reject' doubt.np.test
judge 't=y' 'policy=reject disposition=quarantine' try.test
judge 'two records are none' '^dmarc result=none domain=two.test org-domain=two.test disposition=none dnssec=yes reason="no DMARC record"' two.test
judge 'pct and unknown tags do not count' 'disposition=reject' old.test
judge 'no p, but rua' 'result=fail .*policy=none disposition=none' nop.test
judge 'bad p' 'result=none .*reason="DMARC record without a valid policy"' bad.test
judge 'bad sp, but rua' 'result=fail .*policy=none disposition=none' badsp.test
judge 'v not first' 'result=none' late.test
judge 'other version' 'result=none' v2.test
judge 'v alone' 'result=none' bare.test
judge 'no record' 'result=none' nothing.test
judge 'psd=y: policy for what does not exist' 'policy-domain=psd.test .*disposition=reject' no.psd.test
judge 'psd=y: sp for what exists' 'policy-domain=psd.test .*disposition=quarantine' plain.psd.test
judge 'psd=y: the organisation has a policy' 'policy-domain=org.psd.test .*disposition=none' org.psd.test
judge 'psd=y: its own record for what is below' 'policy-domain=org.psd.test' a.org.psd.test
judge 'psd=y: neighbours are not aligned' 'result=fail' plain.psd.test "$(dkim org.psd.test pass)"
judge 'psd=n ends the walk' 'policy-domain=uni.big.test .*disposition=quarantine' a.uni.big.test
judge 'psd=n: not aligned with what is above' 'result=fail' uni.big.test "$(dkim big.test pass)"
judge 'and the other way' 'result=fail' big.test "$(dkim uni.big.test pass)"
: >"$tmp/log"
judge 'long names: org domain' 'policy-domain=deep.test' x.a.b.c.d.e.f.g.h.i.j.deep.test
[ "$(grep -c ' _dmarc' "$tmp/log")" -eq 8 ]; ok $? 'eight queries'
: >"$tmp/log"
judge 'foreign identities' 'result=fail' reject.test "$(dkim a.evil.test pass)" "$(dkim b.evil.test temperror)"
[ "$(grep -c ' _dmarc' "$tmp/log")" -eq 2 ]; ok $? 'cost no query'

judge 'foreign temporary error does not matter' 'result=fail .*disposition=reject' reject.test "$(dkim dead.test temperror)" "$(spf slow.test temperror)"
judge 'aligned temporary error' 'result=temperror .*disposition=reject' reject.test "$(dkim reject.test temperror)"
judge 'a pass beside it' 'result=pass .*disposition=none' reject.test "$(dkim reject.test temperror)" "$(spf reject.test pass)"
late='result=temperror by=stages reason="time budget used up"'
judge 'DKIM was not judged in time' 'result=temperror .*disposition=reject' reject.test "$(spf evil.test pass)" "dkim $late"
judge 'SPF was not' 'result=temperror .*disposition=reject' reject.test "spf $late" "$(dkim evil.test pass)"
judge 'nor it, but DKIM passes' 'result=pass .*aligned=dkim' reject.test "spf $late" "$(dkim reject.test pass)"
judge 'not in time, and no policy' 'result=none .*disposition=none' nothing.test "spf $late" "dkim $late"
judge 'alignment in doubt' 'result=temperror .*disposition=reject' reject.test "$(dkim a.lame.reject.test pass)"
judge 'record in doubt' 'result=temperror domain=dead.test disposition=reject .*reason="server failure"' dead.test
judge 'record in doubt, the domain itself verified' 'result=temperror .*disposition=none' dead.test "$(dkim dead.test pass)"
judge 'record bogus' 'result=temperror .*disposition=reject' slow.test

helo='spf result=pass identity=helo domain=reject.test'
judge 'HELO does not count beside a sender' 'result=fail' reject.test "$helo" "$(spf other.test temperror)"
sender=
judge 'HELO counts for the null sender' 'result=pass .*aligned=spf' reject.test "$helo"
unset sender

bad() { # name imf-line
	job reject.test a@reject.test "$(dkim reject.test pass)" |
	    sed "s/^imf .*/$2/" | "$dmarc" -s "$dns_server" |
	    grep '^dmarc ' >"$tmp/out"
	grep -q "^dmarc result=permerror disposition=reject dnssec=no reason=" "$tmp/out"
	ok $? "$1"
}
bad 'no From' 'imf result=bad reason=x from-count=0 from-addrs=0'
bad 'two From fields' 'imf result=bad from=a@reject.test from-domain=reject.test from-count=2 from-addrs=2'
bad 'two addresses' 'imf result=ok from=a@reject.test from-domain=reject.test from-count=1 from-addrs=2'
bad 'header in doubt' 'imf result=bad from=a@reject.test from-domain=reject.test from-count=1 from-addrs=1'
bad 'no domain' 'imf result=ok from=a from-domain= from-count=1 from-addrs=1'
bad 'literal' 'imf result=ok from=a from-domain=[192.0.2.1] from-count=1 from-addrs=1'
bad 'imf-parse did not run' 'client x=1'

judge 'for the faces' 'result=pass' reject.test "$(dkim reject.test pass)"
sed '/^$/,$d' "$tmp/filtered" >"$tmp/want"
"$PNEU_TOOLS/job-worker" "$dmarc" -s "$dns_server" <"$tmp/job" >"$tmp/out"
cmp -s "$tmp/out" "$tmp/want"
ok $? 'worker and filter agree'
"$dmarc" -v -s "$dns_server" <"$tmp/job" 2>"$tmp/out" >/dev/null
grep -q '^step check=dmarc domain=reject.test .*record="v=DMARC1; p=reject"' "$tmp/out" &&
    grep -q '^step check=alignment method=dkim .*aligned=yes' "$tmp/out"
ok $? '-v'
"$dmarc" -s "$dns_server" -q a.org.psd.test >"$tmp/out"
grep -q '^dmarc-record domain=a.org.psd.test org-domain=org.psd.test policy-domain=org.psd.test valid=yes policy=none adkim=r aspf=r psd=u testing=n record="v=DMARC1; p=none" dnssec=yes$' "$tmp/out"
ok $? '-q'
"$dmarc" -s "$dns_server" -q nothing.test >"$tmp/out"
[ $? -eq 1 ]; ok $? '-q: none'
"$dmarc" -s "$dns_server" -q dead.test >"$tmp/out" 2>&1
[ $? -eq 111 ]; ok $? '-q: the DNS does not say'

# The face for people: a bare message.
bare() { # STATUS NAME FROM-FIELD OPTION ...
	want=$1 name=$2 field=$3
	shift 3
	printf '%b\nSubject: x\n\nx\n' "$field" |
	    "$dmarc" -s "$dns_server" "$@" >"$tmp/out" 2>"$tmp/err"
	[ $? -eq "$want" ]; ok $? "bare message: $name"
}
line() { grep -qE -- "$1" "$tmp/out"; ok $? "$2"; }
bare 1 'nothing was checked' 'From: a@reject.test' -v
line '^dmarc result=fail domain=reject.test .*disposition=reject' 'the line'
[ "$(wc -l <"$tmp/out")" -eq 1 ]; ok $? 'and no other'
grep -q '^because check=dmarc result=fail text="p=reject of reject.test applies: nothing was checked before' "$tmp/err"
ok $? 'which is said'
bare 0 'no record' 'From: a@nothing.test' -i 192.0.2.7 -f a@b.test -H x
bare 1 'two From fields' 'From: a@reject.test\nFrom: b@reject.test'
line '^dmarc result=permerror disposition=reject .*several From fields' 'permerror'
bare 1 'two domains' 'From: a@reject.test, b@none.test'
line 'result=permerror .*different domains' 'permerror'
bare 1 'two addresses of one domain' 'From: a@reject.test, b@reject.test'
line 'result=fail domain=reject.test' 'are judged by it'
bare 1 'no From' 'To: a@reject.test'
line 'result=permerror .*there is no From field' 'permerror'

# Why: the sentence names the cause.
because() { # NAME PATTERN FROM-DOMAIN [LINE ...]
	name=$1 pattern=$2
	shift 2
	from=$1
	shift
	job "$from" bounce@other.test "$@" |
	    "$dmarc" -v -s "$dns_server" 2>&1 >/dev/null | grep ^because >"$tmp/out"
	[ "$(wc -l <"$tmp/out")" -eq 1 ] && grep -q -- "$pattern" "$tmp/out"
	ok $? "because: $name"
}
because 'forwarded' 'result=fail .*forwarded or sent by a host that the SPF record of other.test does not name, and there is no DKIM signature.*sign it with DKIM as reject.test' reject.test "$(spf other.test fail)"
because 'no SPF record' 'other.test has no SPF record, and no DKIM signature is valid' reject.test "$(spf other.test none)" "$(dkim reject.test fail)"
because 'sp' 'text="sp=none of quar.test applies to news.quar.test' news.quar.test "$(spf other.test fail)"
because 'np' 'np=reject of np.test applies to no.np.test, which does not exist' no.np.test "$(spf other.test fail)"
because 't=y' 'p=reject of try.test applies; t=y lowers it to quarantine' try.test "$(spf other.test fail)"
because 'not aligned' 'SPF for other.test and DKIM for evil.test passed, but that does not belong to reject.test' reject.test "$(spf other.test pass)" "$(dkim evil.test pass)"
because 'strict' 'DKIM for a.strict.test passed, but strict alignment is asked for: only strict.test itself' strict.test "$(dkim a.strict.test pass)"
because 'pass' 'result=pass text="DKIM for mail.reject.test passed, and that speaks for reject.test"' reject.test "$(dkim mail.reject.test pass)"
because 'none' 'neither\|publishes no DMARC record' nothing.test
because 'no valid policy' 'no valid policy and no address for reports' bad.test
because 'in doubt' 'result=temperror .*DKIM for reject.test met a temporary error' reject.test "$(dkim reject.test temperror)"
because 'not in time' 'result=temperror .*DKIM .*temporary' reject.test "$(spf other.test fail)" "dkim $late"
because 'record in doubt' 'cannot be had now (server failure)' dead.test

# The steps.
"$dmarc" -v -s "$dns_server" -q a.uni.big.test 2>"$tmp/out" >/dev/null
line '^step check=dmarc domain=a.uni.big.test name=_dmarc.a.uni.big.test status=nxdomain .*note="no record here"' '-v: each name'
line '^step check=dmarc domain=uni.big.test .*note="a DMARC record; psd=n ends the walk"' '-v: what ends the walk'
line '^step check=dmarc-org .*org-domain=uni.big.test .*its record says psd=n' '-v: the organisation and why'
"$dmarc" -v -s "$dns_server" -q two.test 2>"$tmp/out" >/dev/null
line 'note="2 DMARC records here: none of them counts"' '-v: two records'
"$dmarc" -v -s "$dns_server" -q badsp.test 2>"$tmp/out" >/dev/null
line 'sp has a value that it cannot have; since rua is there, p=none is meant' '-v: what is wrong with a record'

# dmarc-lookup is another name.
"$PNEU_BIN/dmarc-lookup" -s "$dns_server" a.reject.test >"$tmp/out"; ok $? 'dmarc-lookup'
line '^dmarc-record domain=a.reject.test org-domain=reject.test policy-domain=reject.test valid=yes policy=reject ' 'its line'
"$PNEU_BIN/dmarc-lookup" -s "$dns_server" nothing.test >"$tmp/out"
[ $? -eq 1 ]; ok $? 'dmarc-lookup: none'
"$PNEU_BIN/dmarc-lookup" >"$tmp/out" 2>&1
[ $? -eq 100 ] && line '^usage: dmarc-lookup ' 'its own usage'

# Who may have reports.
"$dmarc" -r report.test -s "$dns_server" >"$tmp/out"; ok $? '-r'
line '^report tag=rua uri=mailto:a@report.test host=report.test consent=unneeded$' 'the domain itself'
line '^report tag=rua uri=mailto:b@mail.report.test host=mail.report.test consent=unneeded$' 'its organisation'
line 'host=third.test consent=yes name=report.test._report._dmarc.third.test$' 'a third party that agrees'
line 'tag=ruf uri=mailto:d@fourth.test host=fourth.test consent=yes .*instead=mailto:e@fourth.test$' 'and says where to'
"$dmarc" -r refuse.test -s "$dns_server" >"$tmp/out"
[ $? -eq 1 ]; ok $? '-r: not all may'
line 'host=nothing.test consent=no .*reason=' 'one that does not agree'
line 'host=away.test consent=no .*at another host' 'one that names a victim'
line 'host=text.test consent=no' 'another text is no consent'
line 'uri=https://report.test/r consent=unusable' 'no mailto'
line 'uri=mailto:nobody consent=unusable' 'no address'
line 'uri=mailto:e@third.test\?subject=x host=third.test consent=yes' 'fields of the letter are dropped'
"$dmarc" -r doubts.test -s "$dns_server" >"$tmp/out"
[ $? -eq 111 ]; ok $? '-r: in doubt'
"$dmarc" -r quiet.test -s "$dns_server" >"$tmp/out"
[ $? -eq 1 ]; ok $? '-r: nobody'

# The public suffix list, by the host's setting; and a case judged again.
root=$tmp/root
mkdir -p "$root/conf"
printf '// ===BEGIN ICANN DOMAINS===\ntest\n' >"$tmp/psl"
printf 'host name=mx.example.org dmarc-org=psl\n' >"$root/conf/host"
"$PNEU_BIN/conf-build" -C "$root" 2>"$tmp/err" >/dev/null || cat "$tmp/err"
rm -f "$root/cdb/psl.cdb"
job a.uni.big.test x@other.test "$(dkim big.test pass)" >"$tmp/job"
"$dmarc" -C "$root" -s "$dns_server" <"$tmp/job" >"$tmp/out" 2>"$tmp/err"
grep -q 'psl-build makes it.*the tree walk is used' "$tmp/err"; ok $? 'no list: said'
line '^dmarc result=fail domain=a.uni.big.test org-domain=uni.big.test policy-domain' 'and the walk is used'
"$PNEU_BIN/psl-build" -C "$root" "$tmp/psl"
"$dmarc" -C "$root" -s "$dns_server" <"$tmp/job" >"$tmp/out"
line '^dmarc result=pass domain=a.uni.big.test org-domain=big.test method=psl ' 'dmarc-org=psl'
grep -v '^x' "$tmp/out" | sed '/^$/,$d' >"$tmp/case"
grep '^dmarc' "$tmp/case" >"$tmp/want"
printf 'host name=mx.example.org\n' >"$root/conf/host"
"$PNEU_BIN/conf-build" -C "$root"
"$PNEU_BIN/psl-build" -f -C "$root" "$tmp/psl"
"$dmarc" -R -C "$root" <"$tmp/case" >"$tmp/out"
cmp -s "$tmp/out" "$tmp/want"; ok $? '-R judges as it was then'
"$dmarc" -R -o tree -C "$root" <"$tmp/case" >"$tmp/out"
line 'result=temperror' '-R -o: what the case does not know is in doubt'
"$dmarc" -o list </dev/null >/dev/null 2>&1
[ $? -eq 100 ]; ok $? '-o takes tree and psl'
echo "1..$n"
