#!/bin/sh
# What the pipeline recorded for a message is what the same programs say in a
# shell about the same job: DESIGN.md, "every verdict can be reproduced".
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../dns.sh"
for tool in runsvdir nsd perl; do
	command -v $tool >/dev/null || skip_all "no $tool"
done
tmp=$TMP

# The sender's host: two keys.
from=$TMP/from
mkdir -p "$from/conf/domain" "$from/conf/account" "$from/secret/dkim"
for t in rsa ed25519; do
	(umask 077 && dkim-keygen -t $t >"$from/secret/dkim/$t.pem") || exit 1
done
echo 'host name=mx.sender.example' >"$from/conf/host"
echo 'listen service=smtp ip=127.0.0.1' >"$from/conf/listen"
cat >"$from/conf/domain/sender.example" <<END
domain name=sender.example
dkim selector=r key=rsa.pem alg=rsa-sha256
dkim selector=e key=ed25519.pem alg=ed25519-sha256
END
conf-build -C "$from" || exit 1

# What the name server says of it; 127.0.0.1 is its address.
soa='@ 60 IN SOA ns hostmaster 1 60 60 60 60
@ 60 IN NS ns
ns 60 IN A 127.0.0.1'
cat >"$TMP/zone" <<END
$soa
sender 60 IN MX 10 mx.sender
mx.sender 60 IN A 127.0.0.1
mx.sender 60 IN TXT "v=spf1 a -all"
sender 60 IN TXT "v=spf1 ip4:192.0.2.9 mx -all"
_dmarc.sender 60 IN TXT "v=DMARC1; p=reject"
$(dkim-record -s r -d sender.example <"$from/secret/dkim/rsa.pem")
$(dkim-record -s e -d sender.example <"$from/secret/dkim/ed25519.pem")
other 60 IN TXT "v=spf1 ip4:192.0.2.7 -all"
_dmarc.other 60 IN TXT "v=DMARC1; p=quarantine"
END
printf '%s\n1 60 IN PTR mx.sender.example.\n' "$soa" >"$TMP/ptr"
dns_nsd "example=$TMP/zone" "0.0.127.in-addr.arpa=$TMP/ptr" || {
	sed 's/^/# /' "$TMP"/nsd.*/log
	echo 'Bail out! no name server'
	exit 1
}
HOST_ATTRS="resolver=$dns_server"
instance_start || exit

# send FROM FILE: the bytes of the file through port SMTP; prints the reply.
send() {
	perl -MIO::Socket::INET -e 'my ($port, $from, $file) = @ARGV;
		my $s = IO::Socket::INET->new("127.0.0.1:$port") or die "$!";
		$s->timeout(20); alarm 60;
		open my $in, "<:raw", $file or die; local $/; my $m = <$in>;
		$m =~ s/^\./../mg; $/ = "\n"; my $r;
		my $say = sub { print $s $_[0]; do { $r = <$s> // die "closed" }
		    while $r =~ /^\d+-/; };
		$say->("");
		$say->("$_\r\n") for "EHLO mx.sender.example",
		    "MAIL FROM:<$from>", "RCPT TO:<alice\@localhost>", "DATA";
		$say->("$m.\r\n"); print $r' "$SMTP" "$1" "$2"
}
# letter NAME FROM-LINE...: a message in $TMP/NAME.
letter() {
	name=$1
	shift
	{
		printf '%s\r\n' "$@"
		printf 'To: alice@localhost\r\nSubject: %s\r\n' "$name"
		printf 'Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n'
		printf 'Message-ID: <%s@sender.example>\r\n\r\n' "$name"
		printf 'Hello,\r\n.\r\n\r\nbye\r\n'
	} >"$TMP/$name"
}
# sign NAME: the signatures of its host in front.
sign() {
	dkim-sign -m -C "$from" <"$TMP/$1" >"$TMP/changed" || return 1
	mv "$TMP/changed" "$TMP/$1"
}
# recorded ID: the envelope of that job among the cases.
recorded() {
	cat "$ROOT"/case/* | awk -v id="id=$1" 'BEGIN { RS = "" }
	    $1 == "job" && $2 == id { print }'
}
# The lines of the stages that judge; what deliver did is no verdict.
verdicts() {
	grep -E '^(imf|iprev|spf|dkim|dmarc) '
}

# check NAME FROM REPLY: sent, judged, and judged again in a shell.
check() {
	send "$2" "$TMP/$1" >"$TMP/reply"
	has "$TMP/reply" "^$3" "$1: $3"
	id=$(grep -o '[a-z0-9]\{16,\}' "$TMP/reply" | head -n 1)
	recorded "$id" >"$TMP/case"
	grep -q . "$TMP/case" || { ok 1 "$1: no case of job $id"; return; }
	verdicts <"$TMP/case" >"$TMP/want"
	sed '/^peer /,$d' "$TMP/case" >"$TMP/envelope"
	{ cat "$TMP/envelope"; echo; cat "$TMP/$1"; } >"$TMP/job"
	<"$TMP/job" PNEU_ROOT=$ROOT imf-parse | PNEU_ROOT=$ROOT iprev-check |
	    PNEU_ROOT=$ROOT spf-check | PNEU_ROOT=$ROOT dkim-verify |
	    PNEU_ROOT=$ROOT dmarc-eval | sed '/^$/q' >"$TMP/got"
	verdicts <"$TMP/got" >"$TMP/lines"
	diff "$TMP/want" "$TMP/lines" >"$TMP/diff"
	ok $? "$1: the same lines in a shell" || sed 's/^/# /' "$TMP/diff"
	# From the line of imf-parse on.
	{
		cat "$TMP/envelope"
		grep '^imf ' "$TMP/case"
		echo
		cat "$TMP/$1"
	} >"$TMP/job"
	<"$TMP/job" PNEU_ROOT=$ROOT spf-check | PNEU_ROOT=$ROOT dkim-verify |
	    PNEU_ROOT=$ROOT dmarc-eval | sed '/^$/q' >"$TMP/got"
	grep -v '^iprev ' "$TMP/want" >"$TMP/want3"
	verdicts <"$TMP/got" | diff "$TMP/want3" - >"$TMP/diff"
	ok $? "$1: the same by spf-check, dkim-verify, dmarc-eval" ||
	    sed 's/^/# /' "$TMP/diff"
	# The checks of the case itself: it says what the message deserves.
	shift 3
	for line; do
		has "$TMP/want" "$line" "$name: $line"
	done
}

ann='From: Ann <ann@sender.example>'
letter signed "$ann"
sign signed || ok 1 'dkim-sign signs'
check signed ann@sender.example 250 '^imf result=ok from=ann@sender.example' \
    '^iprev result=pass name=mx.sender.example' \
    '^spf result=pass identity=mailfrom' \
    '^dkim result=pass domain=sender.example selector=r' \
    '^dkim result=pass domain=sender.example selector=e' \
    '^dmarc result=pass .* aligned=spf,dkim'

letter spf-fail 'From: Eve <eve@other.example>'
check spf-fail eve@other.example 250 \
    '^spf result=fail identity=mailfrom domain=other.example' \
    '^dmarc result=fail .* disposition=quarantine'

letter two-from "$ann" 'From: Eve <eve@other.example>'
check two-from ann@sender.example 550 '^imf .* from-count=2' \
    '^dmarc result=permerror .*disposition=reject'

letter null-sender 'From: <postmaster@mx.sender.example>'
check null-sender '' 250 '^spf result=pass identity=helo' '^dmarc result=pass'

# Signed, then changed on the way.
letter forged "$ann"
sign forged || ok 1 'dkim-sign signs'
sed 's/^bye/buy/' "$TMP/forged" >"$TMP/changed" && mv "$TMP/changed" "$TMP/forged"
check forged eve@other.example 550 '^dkim result=fail' '^dmarc result=fail .* disposition=reject'

# Bytes that an envelope must not carry as they are.
letter bytes "$(printf 'From: =?utf-8?q?J=22os=C3=A9=0A?= <jos\303\251@sender.example>')"
printf 'X\r\n' >>"$TMP/bytes"
check bytes 'ann@sender.example' 250

# A new resolver is asked from the next message on, without a restart.
sed 's/^1 .*/1 60 IN PTR elsewhere.example./; s/hostmaster 1/hostmaster 2/' \
    "$TMP/ptr" >"$TMP/ptr2"
dns_nsd "example=$TMP/zone" "0.0.127.in-addr.arpa=$TMP/ptr2" || exit 1
sed "s/resolver=[^ ]*/resolver=$dns_server/" "$ROOT/conf/host" >"$TMP/host"
cp "$TMP/host" "$ROOT/conf/host"
conf-build -C "$ROOT" || exit 1
letter moved "$ann"
sign moved || ok 1 'dkim-sign signs'
check moved ann@sender.example 250 '^iprev result=fail'

# Mail of a local program: one id from the pipeline to the mailbox.
printf 'Subject: local\n\nhi\n' |
    PNEU_ROOT=$ROOT HOME=$TMP mail-submit -f pneu@localhost alice@localhost
is $? 0 'mail-submit'
logged() {
	id=$(sed -n 's/.* queued prog=queue-add id=\([^ ]*\) uid=.*/\1/p' \
	    "$ROOT/log/stages-outbound/current")
	[ -n "$id" ] && grep -q "sent prog=queue-run id=$id .*delivered as" \
	    "$ROOT/log/queue-run/current"
}
wait_for 15 logged; ok $? 'its id is in the logs of both programs'
recorded "$id" | grep -q '^queued '; ok $? 'and among the cases'
finish
