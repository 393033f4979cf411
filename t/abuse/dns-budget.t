#!/bin/sh
# What a message may cause in the DNS: messages, clients and zones that try
# their worst, counted at the name server and compared with the table of
# stages(8), which must be that of lib/dns/budget.h.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../dns.sh"
# shellcheck disable=SC2034 # of dns.sh
tmp=$TMP

# may STAGE COLUMN: 2 queries, 3 seconds, 4 KiB.
sed -n 's/^\.It \([a-z-]*\) Ta \([0-9]*\) Ta \([0-9]*\) Ta \([0-9]*\)$/\1 \2 \3 \4/p' \
    "$TOP/man/stages.8" >"$TMP/table"
may() { awk -v s="$1" -v c="$2" '$1 == s { print $c }' "$TMP/table"; }
perl -0ne 'my %h = (DNS_IPREV_NAMES => 10, DNS_STAGE_BYTES => 80 * 1024);
	while (/\{ "([a-z-]+)", ([^,]+), (\d+),\s*(\w+),[^{}]+\}/g) {
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
	rr("7.2.0.192.in-addr.arpa", "PTR", "p$_.ptr.test") for 1 .. 1000;
	for my $d ("a.evil.test", "b.evil.test") {
		rr($d, "TXT", "v=spf1 " . join(" ", map "mx:m$_.$d", 1 .. 10) . " -all");
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
stage spf-check "$TMP/job" '10 mx with 10 hosts, twice' '^spf result=fail identity=mailfrom'
has "$TMP/case" '^spf result=temperror identity=helo .*too many queries' 'HELO has what MAIL FROM leaves'
job "$TMP/job" ptr.evil.test x@exists.evil.test
stage spf-check "$TMP/job" 'ptr and exists macros' '^spf result=permerror identity=mailfrom'
job "$TMP/job" tree.evil.test x@tree.evil.test
stage spf-check "$TMP/job" 'a tree of includes' '^spf result=permerror identity=mailfrom'
job "$TMP/job" big.evil.test x@big2.evil.test
stage spf-check "$TMP/job" 'large answers' '^spf result=temperror identity=helo .*answers too large'
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
	$m .= "From: a\@deep.test\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nx\r\n";
	printf "job id=abcdefghabcdefgh size=%d time=1795242486\nclient ip=192.0.2.7 helo=a.evil.test\n"
	    . "from addr=x\@b.evil.test\nrcpt addr=bob\@example.org\n\n%s", length $m, $m;
' >"$TMP/mail"
stage dkim-verify "$TMP/mail" '1000 signatures' '^dkim result=permerror .*no key record'

# A From of 47 labels, and identities as deep below the same organisation.
deep=$(perl -e 'print join(".", map "l$_", 1 .. 45), ".deep.test"')
signer() { # first last
	perl -e 'print join(".", map "k$_", 1 .. 40), ".n$_.deep.test\n" for $ARGV[0] .. $ARGV[1]' "$1" "$2"
}
job "$TMP/job" x x@x.test "imf result=ok from-count=1 from-addrs=1 from-domains=1 from-domain=$deep" \
    "spf result=temperror identity=mailfrom domain=y.$deep" \
    "$(signer 1 8 | sed 's/.*/dkim result=temperror domain=&/')"
stage dmarc-eval "$TMP/job" '47 labels, nine identities' '^dmarc result=temperror'

# One message with all of it by SMTP: the worst client, HELO, sender, signatures
# and From, and ten lists that all have the client. The lists' own health, which
# is asked for now and then and not for a message, is known from one before.
dns_stop
list=0
{
	cat "$TMP/hostile"
	signer 1 20 | perl -e '
		my $deep = shift;
		sub rr { my ($n, $t, $v) = @_; print "rr name=$n type=$t value=\"$v\"\n" }
		rr("7.0.0.127.in-addr.arpa", "PTR", "p$_.ptr.test") for 1 .. 1000;
		rr("y.$deep", "TXT", "v=spf1 " . join(" ", map "mx:m$_.b.evil.test", 1 .. 10) . " -all");
		print "act name=s._domainkey.", s/\n//r, " do=servfail\n" for <STDIN>;
		for my $l (1 .. 10) {
			rr("2.0.0.127.bl$l.test", "A", "127.0.0.2");
			rr("7.0.0.127.bl$l.test", "A", "127.0.0.2");
			rr("7.0.0.127.bl$l.test", "TXT", "x" x 250);
		}
	' "$deep"
} >"$TMP/worst"
: >"$TMP/log"
dns_fake "$TMP/worst" -l "$TMP/log" || exit 1
HOST_ATTRS="resolver=$dns_server"
while [ $list -lt 10 ]; do
	list=$((list + 1))
	HOST_ATTRS="$HOST_ATTRS dnsbl=bl$list.test"
done
instance_make || exit
sed -i 's/^#stage name=dnsbl-check/stage name=dnsbl-check/' "$ROOT/conf/pipeline/inbound"
conf-build -C "$ROOT" && instance_up || exit
{
	for d in $(signer 1 20); do
		printf 'DKIM-Signature: v=1; a=rsa-sha256; d=%s; s=s; h=from; bh=%043d=; b=%0340d\r\n' "$d" 0 0
	done
	printf 'From: a@%s\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@x.test>\r\n\r\nx\r\n' "$deep"
} >"$TMP/mail"
send() { # ip helo sender mail
	perl -MIO::Socket::INET -e '
		my ($port, $ip, $helo, $from) = @ARGV;
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
		    LocalAddr => $ip) or die "connect: $!";
		my $say = sub { print $s $_[0]; my $r;
			do { $r = <$s> // die "closed" } while $r =~ /^\d+-/; $r };
		$say->("");
		$say->("$_\r\n") for "EHLO $helo", "MAIL FROM:<$from>",
		    "RCPT TO:<alice\@localhost>", "DATA";
		print $say->(join("", <STDIN>) . ".\r\n");
	' "$SMTP" "$1" "$2" "$3" <"$4"
}
printf 'From: a@x.test\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nx\r\n' >"$TMP/harmless"
send 127.0.0.8 x.test '' "$TMP/harmless" >"$TMP/out"
for time in first second; do
	: >"$TMP/log"
	send 127.0.0.7 a.evil.test "a@y.$deep" "$TMP/mail" >"$TMP/reply"
	asked=$(sort -u "$TMP/log" | wc -l)
	[ "$asked" -le "$(may all 2)" ] && [ "$(wc -l <"$TMP/log")" -le $((2 * $(may all 2))) ]
	ok $? "one message, $time time: $asked questions of $(may all 2): $(tr -d '\r' <"$TMP/reply")"
	[ "$time" = second ] || [ "$asked" -ge $(($(may all 2) - 10)) ]
	ok $? 'and it is a bad one'
done
perl -00 -ne 'print and exit if /^client .*ip=127\.0\.0\.7 /m' "$ROOT"/case/* >"$TMP/case"
for s in iprev-check spf-check dkim-verify dmarc-eval dnsbl-check; do
	kept=$(grep "^dns by=$s " "$TMP/case" | grep -v ' rest=yes ' | wc -c)
	q=$(grep "^dns by=$s .* status=" "$TMP/case" | grep -vc ' rest=yes ')
	[ "$q" -le "$(may $s 2)" ] && [ "$kept" -le $(($(may $s 4) * 1024)) ]
	ok $? "of it $s: $q questions, $kept bytes"
	! grep -q "^${s%-*} result=pass" "$TMP/case"; ok $? "$s: no pass"
done
[ "$(wc -c <"$TMP/case")" -lt 1048576 ]; ok $? 'its envelope is within its limit'
dns_stop

# A server that takes a second for each answer, one after the other: each check
# ends in its time. Each has such a server of its own.
{
	for i in 1 2; do echo "act name=$i.0.0.127.bl1.test do=none"; done
	echo 'act name=* do=slow'
	sed 's/^\(rr name=\)7\.2\.0\.192/\17.0.0.127/' "$TMP/worst"
	perl -e 'for my $d ("a", "b") {
		print "rr name=$d.slow.test type=TXT value=\"v=spf1 ",
		    join(" ", map "a:$d$_.slow.test", 1 .. 10), " +all\"\n",
		    map "rr name=$d$_.slow.test type=A value=192.0.2.1\n", 1 .. 10;
	}'
} >"$TMP/slow"
job "$TMP/job" a.slow.test x@b.slow.test \
    "imf result=ok from-count=1 from-addrs=1 from-domains=1 from-domain=$deep" \
    "$(signer 1 8 | sed 's/.*/dkim result=temperror domain=&/')"
sed -i 's/ip=192\.0\.2\.7/ip=127.0.0.7/' "$TMP/job"
{
	sed "s/size=0/size=$(wc -c <"$TMP/mail")/;/^dkim/d" "$TMP/job"
	cat "$TMP/mail"
} >"$TMP/job2"
pids=
for s in iprev-check spf-check dkim-verify dmarc-eval dnsbl-check; do
	dns_fake "$TMP/slow" || exit 1
	in=$TMP/job zone=
	[ $s != dkim-verify ] || in=$TMP/job2
	[ $s != dnsbl-check ] || zone=bl1.test
	(
		start=$(date +%s%N)
		# shellcheck disable=SC2086 # no argument if empty
		timeout 90 $s -s "$dns_server" $zone <"$in" >"$TMP/out.$s"
		echo $? $((($(date +%s%N) - start) / 1000000)) >"$TMP/end.$s"
	) &
	pids="$pids $!"
done
# shellcheck disable=SC2086 # a list
wait $pids
for s in iprev-check spf-check dkim-verify dmarc-eval dnsbl-check; do
	read -r code ms <"$TMP/end.$s"
	[ "$code" -eq 0 ] && [ "$ms" -le $(($(may $s 3) * 1000 + 2000)) ] &&
	    grep -q "^${s%-*} .*result=" "$TMP/out.$s"
	ok $? "$s: a slow server: $ms ms"
done
sed '/^$/,$d' "$TMP/out.spf-check" >"$TMP/case"
has "$TMP/case" '^spf result=temperror identity=helo .*no time left' 'time is over'
has "$TMP/case" '^spf result=pass identity=mailfrom' 'but not for MAIL FROM'
grep '^spf ' "$TMP/case" >"$TMP/own"
spf-check -R <"$TMP/case" | cmp -s - "$TMP/own"; ok $? 'the same from the case, at once'
finish
