#!/bin/sh
# What a message may cause in the DNS: messages, clients and zones that try
# their worst, counted at the name server and compared with the table of
# stages(8), which must be that of lib/dns/budget.h.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../dns.sh"
tmp=$TMP
end_all() {
	status=$?
	dns_stop
	(exit $status)
	lib_cleanup
}
trap end_all EXIT

# may STAGE COLUMN: 2 queries, 3 seconds, 4 KiB.
sed -n 's/^\.It \([a-z-]*\) Ta \([0-9]*\) Ta \([0-9]*\) Ta \([0-9]*\)$/\1 \2 \3 \4/p' \
    "$TOP/man/stages.8" >"$TMP/table"
may() { awk -v s="$1" -v c="$2" '$1 == s { print $c }' "$TMP/table"; }
perl -0ne 'my %h = (DNS_IPREV_NAMES => 10, DNS_STAGE_BYTES => 80 * 1024);
	while (/\{ "([a-z-]+)", ([^,]+), (\d+),\s*(\w+) \}/g) {
		my ($n, $q, $ms, $b) = ($1, $2, $3, $h{$4});
		$q =~ s/(DNS_\w+)/$h{$1}/g;
		printf "%s %d %d %d\n", $n, eval $q, $ms / 1000, $b / 1024 }' \
    "$TOP/lib/dns/budget.c" >"$TMP/code"
is "$(grep -v '^all ' "$TMP/table")" "$(cat "$TMP/code")" 'the table of stages(8) is that of the code'
is "$(awk '$1 != "all" { q += $2; s += $3; k += $4 } END { print "all", q, s, k }' "$TMP/table")" \
    "$(grep '^all ' "$TMP/table")" 'and its sum is right'

# The hostile zone.
perl -e '
	sub rr { my ($n, $t, $v) = @_; $v =~ s/"/\\"/g; print "rr name=$n type=$t value=\"$v\"\n" }
	my $deep = join(".", map "l$_", 1 .. 90) . ".deep.test";
	rr("7.2.0.192.in-addr.arpa", "PTR", "p$_.ptr.test") for 1 .. 1000;
	for my $d ("a.evil.test", "b.evil.test") {
		rr($d, "TXT", "v=spf1 " . join(" ", map "mx:m$_.$d", 1 .. 10) . " +all");
		for my $m (1 .. 10) {
			rr("m$m.$d", "MX", "$_ h$_.m$m.$d") for 1 .. 10;
			rr("h$_.m$m.$d", "A", "203.0.113.$_") for 1 .. 10;
		}
	}
	rr("ptr.evil.test", "TXT", "v=spf1 " . join(" ", map "ptr:x$_.test", 1 .. 10) . " +all");
	rr("exists.evil.test", "TXT", "v=spf1 " .
	    join(" ", map "exists:%{ir}.%{l}.%{p}.%{s}.$_.evil.test", 1 .. 10) . " +all");
	rr("tree.evil.test", "TXT", "v=spf1 include:t1.evil.test include:t2.evil.test +all");
	rr("t$_.evil.test", "TXT", "v=spf1 include:t" . 2 * $_ . ".evil.test include:t"
	    . (2 * $_ + 1) . ".evil.test ?all") for 1 .. 60;
	rr("big.evil.test", "TXT", "v=spf1 include:big2.evil.test +all " . "x" x 50000);
	rr("big2.evil.test", "TXT", "v=spf1 include:big3.evil.test ?all " . "x" x 50000);
	rr("dead.evil.test", "TXT", "v=spf1 " . join(" ", map "a:d$_.evil.test", 1 .. 10) . " +all");
	print "act name=d$_.evil.test do=servfail\n" for 1 .. 10;
	# A chain that is too long, one that turns in a circle.
	rr("c$_.evil.test", "CNAME", "c" . ($_ + 1) . ".evil.test") for 1 .. 20;
	rr("c21.evil.test", "TXT", "v=spf1 +all");
	rr("circle.evil.test", "CNAME", "circle2.evil.test");
	rr("circle2.evil.test", "CNAME", "circle.evil.test");
	rr("_dmarc.deep.test", "TXT", "v=DMARC1; p=none; np=reject");
' >"$TMP/hostile"

# job FILE HELO SENDER [LINE...]: what a stage reads.
job() {
	file=$1 helo=$2 from=$3
	shift 3
	{
		echo "job id=abcdefghabcdefgh size=0 time=1795242486"
		echo "client ip=192.0.2.7 helo=$helo"
		echo "from addr=$from"
		[ $# -eq 0 ] || printf '%s\n' "$@"
		echo
	} >"$file"
}
# stage NAME JOB TEXT PATTERN: no more queries, seconds and bytes than it may, and
# the result; and the same again from what it kept.
stage() {
	: >"$TMP/log"
	_start=$(date +%s%N)
	timeout 60 "$1" -s "$dns_server" <"$2" >"$TMP/out.$1"
	_code=$?
	_ms=$((($(date +%s%N) - _start) / 1000000))
	_asked=$(sort -u "$TMP/log" | wc -l)
	_all=$(wc -l <"$TMP/log")
	_kept=$(grep "^dns by=$1 " "$TMP/out.$1" | grep -v ' rest=yes ' | wc -c)
	[ $_code -eq 0 ] && [ "$_asked" -le "$(may "$1" 2)" ] &&
	    [ "$_all" -le $((3 * $(may "$1" 2))) ] &&
	    [ $_ms -le $(($(may "$1" 3) * 1000 + 2000)) ] &&
	    [ "$_kept" -le $(($(may "$1" 4) * 1024)) ]
	ok $? "$1: $3: $_asked questions, $_ms ms, $_kept bytes" ||
	    echo "# exit $_code, $_all packets"
	sed '/^$/,$d' "$TMP/out.$1" >"$TMP/case"
	has "$TMP/case" "$4" "$1: $3: $4"
	"$1" -R <"$TMP/case" >"$TMP/again"
	_type=$(printf %s "$4" | sed 's/^^\([a-z]*\) .*/\1/')
	grep "^$_type " "$TMP/case" >"$TMP/own"
	grep "^$_type " "$TMP/again" | cmp -s - "$TMP/own"
	ok $? "$1: $3: the same from the case"
}

dns_fake "$TMP/hostile" -l "$TMP/log" || exit 1
job "$TMP/job" x a@x.test
stage iprev-check "$TMP/job" '1000 PTR names' '^iprev result=fail'
job "$TMP/job" a.evil.test x@b.evil.test
stage spf-check "$TMP/job" '10 mx with 10 hosts, twice' '^spf result=temperror identity=mailfrom'
job "$TMP/job" ptr.evil.test x@exists.evil.test
stage spf-check "$TMP/job" 'ptr and exists macros' '^spf result=permerror identity=mailfrom'
job "$TMP/job" tree.evil.test x@tree.evil.test
stage spf-check "$TMP/job" 'a tree of includes' '^spf result=permerror identity=mailfrom'
job "$TMP/job" big.evil.test x@big2.evil.test
stage spf-check "$TMP/job" 'large answers' '^spf result=temperror identity=mailfrom .*answers too large'
grep -q '^dns by=spf-check .* status=limit .*rest=yes reason="answers too large"' "$TMP/case"
ok $? 'and what was refused is in the case'
job "$TMP/job" dead.evil.test x@dead.evil.test
stage spf-check "$TMP/job" 'names that fail' '^spf result=temperror identity=mailfrom'
job "$TMP/job" circle.evil.test x@c1.evil.test
stage spf-check "$TMP/job" 'alias loops and long chains' '^spf result=temperror identity=mailfrom .*CNAME chain'

# A thousand signatures of a thousand domains.
perl -e '
	my $m = join "", map "DKIM-Signature: v=1; a=rsa-sha256; d=d$_.evil.test; s=s; "
	    . "h=from; bh=" . "A" x 43 . "=; b=" . "A" x 340 . "\r\n", 1 .. 1000;
	$m .= "From: a\@" . join(".", map "l$_", 1 .. 90) . ".deep.test\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nx\r\n";
	printf "job id=abcdefghabcdefgh size=%d time=1795242486\nclient ip=192.0.2.7 helo=a.evil.test\n"
	    . "from addr=x\@b.evil.test\nrcpt addr=bob\@example.org\n\n%s", length $m, $m;
' >"$TMP/mail"
stage dkim-verify "$TMP/mail" '1000 signatures' '^dkim result=permerror .*no key record'

# A From of 100 labels, and identities as deep below the same organisation.
deep=$(perl -e 'print join(".", map "l$_", 1 .. 45), ".deep.test"')
job "$TMP/job" x x@x.test "imf result=ok from-count=1 from-addrs=1 from-domains=1 from-domain=$deep" \
    "spf result=temperror identity=mailfrom domain=y.$deep" \
    "$(perl -e 'print join "\n", map "dkim result=temperror domain=" .
        join(".", map "k$_", 1 .. 40) . ".n$_.deep.test", 1 .. 8')"
stage dmarc-eval "$TMP/job" '50 labels, nine identities' '^dmarc result=temperror'

# One message with all of it, through the filters of the pipeline.
: >"$TMP/log"
imf-parse <"$TMP/mail" | iprev-check -s "$dns_server" | spf-check -s "$dns_server" |
    dkim-verify -s "$dns_server" | dmarc-eval -s "$dns_server" | sed '/^$/q' >"$TMP/case"
asked=$(sort -u "$TMP/log" | wc -l)
[ "$asked" -le "$(may all 2)" ] && grep -q '^dmarc ' "$TMP/case"
ok $? "one message: $asked questions of $(may all 2) in all"
[ "$(wc -c <"$TMP/case")" -lt 1048576 ]; ok $? 'its envelope is within its limit'
dns_stop

# Nothing but failure, nothing but silence: no pass, no hang.
job "$TMP/job" helo.test x@from.test \
    'imf result=ok from-count=1 from-addrs=1 from-domains=1 from-domain=from.test' \
    'spf result=temperror identity=mailfrom domain=from.test'
echo 'act name=* do=servfail' >"$TMP/servfail"
dns_fake "$TMP/servfail" -l "$TMP/log" || exit 1
grep -v ^spf "$TMP/job" >"$TMP/job2"
for p in 'iprev-check ^iprev' 'spf-check ^spf' 'dmarc-eval ^dmarc'; do
	in=$TMP/job2
	[ "${p% *}" != dmarc-eval ] || in=$TMP/job
	stage "${p% *}" "$in" 'SERVFAIL everywhere' "${p#* } result=temperror"
done
stage dkim-verify "$TMP/mail" 'SERVFAIL everywhere' '^dkim result=temperror'
dns_stop
echo 'act name=* do=timeout' >"$TMP/timeout"
dns_fake "$TMP/timeout" -l "$TMP/log" || exit 1
# All at the same time; each has its own clock.
for p in iprev-check:iprev spf-check:spf dmarc-eval:dmarc dkim-verify:dkim; do
	in=$TMP/job
	[ "$p" != dkim-verify:dkim ] || in=$TMP/mail
	(
		start=$(date +%s)
		timeout 60 "${p%:*}" -s "$dns_server" <"$in" | sed '/^$/q' >"$TMP/silent.${p#*:}"
		echo $(($(date +%s) - start)) >"$TMP/seconds.${p#*:}"
	) &
	pids="${pids:-} $!"
done
# shellcheck disable=SC2086
wait $pids
for p in iprev-check:iprev spf-check:spf dmarc-eval:dmarc dkim-verify:dkim; do
	s=$(cat "$TMP/seconds.${p#*:}")
	[ "$s" -le $(($(may "${p%:*}" 3) + 2)) ]; ok $? "${p%:*}: silence: $s s"
	has "$TMP/silent.${p#*:}" "^${p#*:} result=temperror" "${p%:*}: silence: temperror"
	! grep -q "^${p#*:} result=pass" "$TMP/silent.${p#*:}"; ok $? "${p%:*}: silence: no pass"
done
finish
