#!/bin/bash
# Case 26: fields in which a stranger speaks in our name - Authentication-
# Results, Received-SPF, X-Pneu-, Return-Path - by SMTP through the pipeline
# into the store; what is looked at is the file there. And what goes out.
# shellcheck disable=SC2034 # variables of lib.sh
. "$(dirname "$0")/../lib.sh"
tmp=$TMP/names
mkdir -p "$tmp"
# shellcheck source=t/dns.sh
. "$TOP/t/dns.sh"
dkim-keygen -t rsa >"$TMP/key"
record=$(dkim-record <"$TMP/key" | tr -d '\n' | grep -o 'v=DKIM1[^)]*' | tr -d '" \t')
cat >"$TMP/zone" <<END
rr name=spf.example type=TXT value="v=spf1 -all"
act name=far.example do=servfail
rr name=semi.example type=TXT value="v=spf1 x;dmarc=pass;spf=pass -all"
rr name=k._domainkey.spf.example type=TXT value="$record"
END
dns_fake "$TMP/zone" || skip_all 'no name server'
HOST_ATTRS="resolver=$dns_server"
instance_make || { ok 1 'an instance'; finish; }
# A second name of this host, in letters that are not ASCII.
sed -i '1s/$/ name=xn--bcher-kva.example/' "$ROOT/conf/listen"
conf-build -C "$ROOT"
instance_up || { ok 1 'an instance'; finish; }
box=$ROOT/mail/alice/Maildir
BUE=$(printf 'b\303\274cher.example')
NFD=$(printf 'bu\314\210cher.example')
SHY=$(printf 'local\302\255host')

# put NAME: the message on stdin (\r, \n, \t, \\ are escapes; each line ends in
# CRLF) arrives; $TMP/got is its file without CR, $TMP/head its header unfolded.
put() {
	perl -pe 's/\\([rnt0\\])/{r=>"\r",n=>"\n",t=>"\t",0=>"\0","\\"=>"\\"}->{$1}/ge; s/\n\z/\r\n/' >"$TMP/sent"
	rm -f "$box"/new/* "$box"/cur/*
	"$TOP/t/abuse/send" "$SMTP" "${sender:-ann@spf.example}" alice@localhost <"$TMP/sent" >"$TMP/reply" || {
		ok 1 "$1: accepted"
		sed 's/^/# /' "$TMP/reply"
		return 1
	}
	tr -d '\r' <"$(find "$box/new" "$box/cur" -type f | head -n 1)" >"$TMP/got"
	perl -0pe 's/\n\n.*//s; s/\n[ \t]+/ /g' "$TMP/got" >"$TMP/head"
}
# taken NAME FIELD...: each field alone is gone, the rest is as it was.
taken() {
	local name=$1
	shift
	printf '%s\n' 'X-Before: 1' "$@" 'X-After: 2' 'From: ann@spf.example' \
	    'Subject: s' '' 'body' | put "$name" || return
	is "$(grep -c '^Authentication-Results:' "$TMP/head") $(grep -ic forged "$TMP/got") $(sed -n '/^X-Before/,$p' "$TMP/got" | tr '\n' '|')" \
	    '1 0 X-Before: 1|X-After: 2|From: ann@spf.example|Subject: s||body|' "$name"
}
# kept NAME FIELD: it is there as it was sent.
kept() {
	printf '%s\n' "$2" 'From: ann@spf.example' '' 'body' | put "$1" || return
	printf '%s\n' "$2" | perl -pe 's/\\n/\n/g' >"$TMP/want"
	perl -e 'local $/; open F, shift; $w = <F>; open G, shift; exit(index(<G>, $w) < 0)' \
	    "$TMP/want" "$TMP/got"
	ok $? "$1" || sed 's/^/# /' "$TMP/got"
}
# The results that stand in our field.
found() {
	grep '^Authentication-Results: localhost' "$TMP/head" |
	    grep -oE '; (spf|dkim|dmarc)=[a-z]*' | sed 's/; //' | tr '\n' ' '
}
cases=$TESTS
F='dkim=pass header.d=forged.example'
taken 'our name' "Authentication-Results: localhost; $F"
taken 'in capitals' "AUTHENTICATION-RESULTS: LocalHost; $F"
taken 'blanks before the colon' "Authentication-Results \\t : localhost; $F"
taken 'no blank behind it' "Authentication-Results:localhost; $F"
taken 'folded before the name' "Authentication-Results:\\r\\n localhost; $F"
taken 'folded thrice, by a line of blanks' "Authentication-Results:\\r\\n \\r\\n\\t\\r\\n localhost;\\r\\n $F"
taken 'comments' "Authentication-Results: (a (b \\\\) ) c) (d) localhost (x) ; $F"
taken 'the comment names another' "Authentication-Results: (other.example;) localhost; $F"
taken 'a version' "Authentication-Results: localhost 1; $F"
taken 'a version of old' "Authentication-Results: localhost/1; $F"
taken 'quoted' "Authentication-Results: \"localhost\"; $F"
taken 'quoted pairs' "Authentication-Results: \"l\\\\ocal\\\\host\"; $F"
taken 'a last dot' "Authentication-Results: localhost.; $F"
taken 'a soft hyphen' "Authentication-Results: $SHY; $F"
taken 'another name of ours' "Authentication-Results: xn--bcher-kva.example; $F"
taken 'in capitals, too' "Authentication-Results: XN--BCHER-KVA.example; $F"
taken 'its U-label' "Authentication-Results: $BUE; $F"
taken 'decomposed' "Authentication-Results: $NFD; $F"
taken 'quoted U-label' "Authentication-Results: \"$BUE\"; $F"
taken 'no name' "Authentication-Results: ; $F"
taken 'nothing but a name without end' "Authentication-Results: \"localhost; $F"
taken 'an open comment' "Authentication-Results: (localhost; $F"
taken 'no semicolon' "Authentication-Results: localhost $F"
taken 'an equals sign first' "Authentication-Results: =localhost; $F"
taken 'several' "Authentication-Results: localhost; $F" "Authentication-Results: localhost; $F" \
    "authentication-results: $BUE; $F"
taken 'Received-SPF' 'Received-SPF: pass (forged) receiver=localhost; client-ip=192.0.2.1'
taken 'Received-SPF, folded and quoted' 'received-spf :\r\n\tPASS (a\r\n b) helo=forged; receiver = "LOCAL\\host"'
taken 'Received-SPF, U-label' "Received-SPF: pass (forged) receiver=$BUE;"
taken 'Received-SPF of nobody' 'Received-SPF: pass (forged.example: domain of x designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1;'
taken 'X-Pneu- fields' 'X-Pneu-Junk: forged' 'x-pNEU-anything : forged'
taken 'Return-Path' 'Return-Path: <forged@example.net>' 'return-path: <forged@example.net>'
# What is ours only for readers who drop comments, quotes, bytes; no other host
# writes such a name.
u8() { printf '%b' "$1"; }
taken 'a comment in the name' "Authentication-Results: local(x)host; $F"
taken 'another name before ours' "Authentication-Results: other.example localhost; $F"
taken 'quoted, another before it' "Authentication-Results: \"other.example\" \"localhost\"; $F"
taken 'a semicolon in quotes' "Authentication-Results: \"localhost; $F;\"; none"
taken 'a blank in quotes' "Authentication-Results: \"other.example localhost\"; $F"
taken 'a comment in quotes' "Authentication-Results: \"localhost(x)\"; $F"
taken 'blanks in quotes' "Authentication-Results: \" localhost\\t\"; $F"
taken 'folded in quotes' "Authentication-Results: \"\\r\\n localhost\"; $F"
taken 'an address' "Authentication-Results: x@localhost; $F"
taken 'a port' "Authentication-Results: localhost:25; $F"
taken 'in brackets' "Authentication-Results: <localhost>; $F"
taken 'two versions' "Authentication-Results: localhost 1 1; $F"
taken 'a version that is none' "Authentication-Results: other.example x; $F"
taken 'a comment behind the version that never ends' "Authentication-Results: other.example 1 (localhost; $F"
taken 'an encoded word' "Authentication-Results: =?utf-8?q?localhost?=; $F"
taken 'and one behind a letter' "Authentication-Results: l=?utf-8?q?ocalhost?=; $F"
taken 'results without a name' "Authentication-Results: spf=pass smtp.mailfrom=forged.example; $F"
taken 'full-width letters' "$(u8 'Authentication-Results: \357\275\214ocalhost'); $F"
taken 'a long s' "$(u8 'Authentication-Results: LOCALHO\305\277T'); $F"
taken 'a zero-width space' "$(u8 'Authentication-Results: local\342\200\213host'); $F"
taken 'a byte order mark' "$(u8 'Authentication-Results: \357\273\277localhost'); $F"
taken 'a no-break space' "$(u8 'Authentication-Results: localhost\302\240'); $F"
taken 'one of Latin-1' "$(u8 'Authentication-Results: localhost\240'); $F"
taken 'a control byte' "$(u8 'Authentication-Results: localhost\001'); $F"
taken 'and one in it' "$(u8 'Authentication-Results: local\001host'); $F"
taken 'a control byte behind another name' "$(u8 'Authentication-Results: other.example\013localhost'); $F"
taken 'NUL before it' "Authentication-Results: \\0localhost; $F"
taken 'NUL behind it' "Authentication-Results: localhost\\0; $F"
taken 'an A-label of ASCII' "Authentication-Results: xn--localhost-; $F"
taken 'a full-width dot' "$(u8 'Authentication-Results: b\303\274cher\357\274\216example'); $F"
taken 'an ideographic one, behind it, too' "$(u8 'Authentication-Results: B\303\234CHER\343\200\202example\343\200\202'); $F"
taken 'the A-label, quoted' "Authentication-Results: \"xn--\\\\bcher-kva.example\"; $F"
taken 'comments in comments' "Authentication-Results:$(printf ' (%.0s' {1..300}) x$(printf ')%.0s' {1..300}) localhost; $F"
taken 'behind a bare LF' "Authentication-Results: localhost; $F\\nAuthentication-Results: localhost; $F"
taken 'forty folds' "Authentication-Results:$(printf '\\r\\n (x)%.0s' {1..40})\\r\\n localhost; $F"
taken 'the field name folded away' "Authentication-Results\\r\\n : localhost; $F"
taken 'Received-SPF, two receivers' 'Received-SPF: pass (forged) receiver=other.example; receiver=localhost'
taken 'Received-SPF, no blank but a comment' 'Received-SPF:pass(forged)receiver=localhost'
taken 'Received-SPF, a semicolon in quotes' 'Received-SPF: pass (forged) receiver="localhost;"'
taken 'Delivered-To of the recipient' 'Delivered-To: alice@localhost' 'DELIVERED-TO :\r\n\tALICE@LocalHost'
echo "# $((TESTS - cases)) forged fields"

# A line that some readers take for the field and others for none, or for the
# end of a line: all of the message is refused.
refused() { # NAME FIRST-LINE
	printf '%s\n' "$2" 'From: ann@spf.example' '' 'body' |
	    perl -pe 's/\\([rnt0])/{r=>"\r",n=>"\n",t=>"\t",0=>"\0"}->{$1}/ge; s/\n\z/\r\n/' >"$TMP/sent"
	rm -f "$box"/new/* "$box"/cur/*
	"$TOP/t/abuse/send" "$SMTP" ann@spf.example alice@localhost <"$TMP/sent" >"$TMP/reply"
	is "$? $(cut -c1 "$TMP/reply" | tail -n 1) $(find "$box/new" "$box/cur" -type f | wc -l)" \
	    '1 5 0' "refused: $1"
}
cases=$TESTS
refused 'behind a bare CR' "X-A: b\\rAuthentication-Results: localhost; $F"
refused 'behind CR CR LF' "X-A: b\\r\\r\\nAuthentication-Results: localhost; $F"
refused 'the name cut by a bare CR' "Authentication-\\rResults: localhost; $F"
refused 'a bare CR behind the name' "Authentication-Results\\r: localhost; $F"
refused 'NUL behind the name' "Authentication-Results\\0: localhost; $F"
refused 'a vertical tab behind the name' "$(u8 'Authentication-Results\013'): localhost; $F"
refused 'a no-break space' "$(u8 'Authentication-Results\302\240'): localhost; $F"
refused 'a byte order mark' "$(u8 '\357\273\277Authentication-Results'): localhost; $F"
refused 'a letter that looks the same' "$(u8 'Authentic\320\260tion-Results'): localhost; $F"
refused 'a blank inside' "Authentication -Results: localhost; $F"
refused 'no colon' "Authentication-Results localhost; $F"
echo "# $((TESTS - cases)) refused"

kept 'another host' 'Authentication-Results: other.example; dkim=pass header.d=x.example'
kept 'whose name begins like ours' 'Authentication-Results: localhost.example; dkim=pass'
kept 'whose name ends like ours' 'Authentication-Results: not-localhost; dkim=pass'
kept 'ours in a comment only' 'Authentication-Results: other.example (localhost;); dkim=pass'
kept 'ours in a value only' 'Authentication-Results: other.example; dkim=pass header.d=localhost'
kept 'ARC' 'ARC-Authentication-Results: i=1; localhost; dkim=pass header.d=x.example'
kept 'Received-SPF of another' 'Received-SPF: pass (x) receiver=other.example; helo="localhost"'
kept 'our name in a Subject' 'Subject: Authentication-Results: localhost; dkim=pass'
kept 'in its second line' 'Subject: x\n Authentication-Results: localhost; dkim=pass'
kept 'another host, quoted, with a version' 'Authentication-Results: "other.example" 1; dkim=pass'
kept 'another host, a comment on each side' 'Authentication-Results: (x) other.example (y) 1 (z) ; dkim=pass'
kept 'a name that is no domain' 'Authentication-Results: mx_1.other; dkim=pass'
kept 'Delivered-To of another' 'Delivered-To: bob@localhost'
kept 'quoted as in an old mailbox' '>Authentication-Results: localhost; dkim=pass'
kept 'a field of another name' 'X-Authentication-Results: localhost; dkim=pass'
{
	printf '%s\n' 'From: ann@spf.example' 'MIME-Version: 1.0' 'Content-Type: message/rfc822' '' \
	    'Authentication-Results: localhost; dkim=pass' 'From: x@y.example' '' body
} | put 'a message in the message' &&
    has "$TMP/got" '^Authentication-Results: localhost; dkim=pass$' 'that of a message in the message is its own'

# The field that is ours stands above every field of the stranger, alone, and
# says what was found.
printf '%s\n' "Authentication-Results: localhost; spf=pass; dmarc=pass" \
    'From: ann@spf.example' '' "Authentication-Results: localhost; body" | put 'one field' &&
    is "$(found)" 'dkim=none spf=none spf=fail dmarc=none ' 'what our checks found, and only that'
has "$TMP/got" '^Authentication-Results: localhost; body' 'the body is not the header'
is "$(grep -n '^Authentication-Results:\|^From:' "$TMP/head" | sed 's/^[0-9]*:\([A-Za-z-]*\).*/\1/' | tr '\n' ' ')" \
    'Authentication-Results From ' 'and it stands first'

# What a stranger chose stands in our field: his names and the text of his SPF
# record. Who cuts it at each ";", in quotes or not, finds our results only.
told() { # NAME PATTERN
	grep '^Authentication-Results: localhost' "$TMP/head" | tr ';' '\n' | sed 1d >"$TMP/cut"
	is "$(sed 's/^ *//; s/[= ].*//' "$TMP/cut" | grep -vc '^\(iprev\|spf\|dkim\|dmarc\)$') $(grep -c '^ *[a-z]*=pass' "$TMP/cut")" \
	    '0 0' "$1" || sed 's/^/# /' "$TMP/cut"
	has "$TMP/cut" "$2" "$1: it is there"
}
{
	printf '%s\n' 'DKIM-Signature: v=1; a=rsa-sha256; d=spf.example; s=k; h=from:subject;' \
	    ' i="a=3B dkim=3Dpass (header.d=3Dforged.example) =3B dmarc=3Dpass "@spf.example;' \
	    ' bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA' \
	    'From: ann@spf.example' 'Subject: s' '' body
} | put 'a signer' && told 'the identity of a signature' '^ dkim=fail'
sender=x@semi.example
printf '%s\n' 'From: ann@spf.example' '' body | put 'an SPF record' &&
    told 'the reason of SPF' '^ spf=permerror.*, *dmarc'
sender=

# A first line that begins with a blank: no stranger's, as its From is in doubt;
# from others it does not go on with our last field.
printf ' forged.example by localhost\r\nFrom: ann@spf.example\r\n\r\nbody\r\n' >"$TMP/sent"
"$TOP/t/abuse/send" "$SMTP" ann@spf.example alice@localhost <"$TMP/sent" >"$TMP/reply"
has "$TMP/reply" '^550 5.7.26' 'a first line with a blank: refused'
rm -f "$box"/new/* "$box"/cur/*
deliver -C "$ROOT" alice@localhost <"$TMP/sent" >"$TMP/out" 2>&1
is "$(tr -d '\r' <"$(find "$box/new" -type f)" | sed -n '/^Received/,$p' | sed 's/; .*/;/' | tr '\n' '|')" \
    "$(tr -d '\r' <"$(find "$box/new" -type f)" | sed -n '/^Received: by localhost/p' | sed 's/; .*/;/')|	for <alice@localhost>;|From: ann@spf.example||body|" \
    'and adds nothing to our Received'

# 8 signatures and what else is there do not crowd out the rest.
{
	for k in 1 2 3 4 5 6 7 8 9 10 11 12; do
		printf 'DKIM-Signature: v=1; a=rsa-sha256; d=d%d.example; s=s; h=from; bh=AAAA; b=AAAA\n' $k
	done
	printf 'From: ann@spf.example\n\nbody\n'
} | put 'many signatures' &&
    is "$(found | sed 's/dkim=[a-z]* //g')" \
        'spf=none spf=fail dmarc=none ' 'many signatures: SPF and DMARC are told'

# Too many are not taken out one by one.
{
	for ((k = 0; k < 300; k++)); do
		printf 'X-A: x\nAuthentication-Results: localhost; dkim=pass\n'
	done
	printf 'From: ann@spf.example\n\nbody\n'
} | sed 's/$/\r/' >"$TMP/sent"
"$TOP/t/abuse/send" "$SMTP" ann@spf.example alice@localhost <"$TMP/sent" >"$TMP/reply"
has "$TMP/reply" '^550 5.6.0' 'more than can be taken out: refused'

# What was signed is judged before anything is taken out: a signature over a
# forged field holds.
if /usr/bin/python3 -c 'import dkim' 2>/dev/null; then
	printf 'Authentication-Results: localhost; dkim=pass header.d=forged.example\r\nFrom: ann@spf.example\r\nSubject: s\r\n\r\nbody\r\n' >"$TMP/plain"
	/usr/bin/python3 - "$TMP/plain" "$TMP/key" >"$TMP/signed" <<'END'
import dkim, sys
mail = open(sys.argv[1], 'rb').read()
key = open(sys.argv[2], 'rb').read()
sys.stdout.buffer.write(dkim.sign(mail, b'k', b'spf.example', key,
    include_headers=[b'authentication-results', b'from', b'subject']) + mail)
END
	rm -f "$box"/new/* "$box"/cur/*
	"$TOP/t/abuse/send" "$SMTP" ann@spf.example alice@localhost <"$TMP/signed" >"$TMP/reply"
	tr -d '\r' <"$(find "$box/new" "$box/cur" -type f | head -n 1)" |
	    tee "$TMP/got" | perl -0pe 's/\n\n.*//s; s/\n[ \t]+/ /g' >"$TMP/head"
	is "$(found | grep -o 'dkim=[a-z]*') $(grep -c forged "$TMP/got")" 'dkim=pass 0' \
	    'a signature over a forged field is judged before it is taken out' || sed 's/^/# /' "$TMP/got"
else
	skip 1 'no python3-dkim'
fi

# Outbound: what leaves does not claim that this host found anything.
printf 'Authentication-Results: localhost; dkim=pass header.d=forged.example\nReceived-SPF: pass receiver=localhost\nAuthentication-Results: other.example; dkim=pass\nFrom: alice@localhost\nTo: x@far.example\nSubject: out\n\nbody\n' |
    PNEU_ROOT=$ROOT mail-submit -f alice@localhost x@far.example >"$TMP/out" 2>&1
ok $? 'mail with forged results is submitted' || sed 's/^/# /' "$TMP/out"
id=$(PNEU_ROOT=$ROOT queue-list | sed -n 's/^queue .*id=\([^ ]*\).*/\1/p;s/^[a-z]* id=\([^ ]*\).*/\1/p' | head -n 1)
PNEU_ROOT=$ROOT queue-show "$id" >"$TMP/queued" 2>&1
is "$(grep -c 'localhost; dkim\|receiver=localhost\|forged' "$TMP/queued") $(grep -c '^Authentication-Results: other.example' "$TMP/queued")" \
    '0 1' 'in the queue ours are gone, the other is there' || sed 's/^/# /' "$TMP/queued"
finish
