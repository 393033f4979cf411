#!/bin/bash
# The tools people have at hand, as they are used by hand: opendkim-testmsg and
# dkimverify of python3-dkim find our keys by the host's resolver and verify
# what dkim-sign signs, and dkim-verify verifies what dkimsign signs. All of them
# refuse the same message once it was changed.
# (t/prog/dkim-cross.t has many more messages, without the DNS.)
# shellcheck disable=SC2034 # variables of lib.sh and twohosts.sh
. "$(dirname "$0")/../lib.sh"
NETDIR=$TMP/net
mkdir -p "$NETDIR" "$TMP/names"
tmp=$TMP/names
. "$TOP/t/system/twohosts.sh"
export PATH=$PATH:/usr/sbin
why=$(th_possible) || skip_all "$why"
for p in opendkim-testmsg dkimverify dkimsign; do
	command -v $p >/dev/null || skip_all "needs $p"
done
trap 'th_stop; lib_cleanup' EXIT

# ---- keys and zone ----
r=$NETDIR/a
mkdir -p "$r"/{conf/domain,conf/account,cdb,secret/dkim}
echo 'host name=mx.a.test' >"$r/conf/host"
printf 'listen service=smtp ip=192.0.2.1\n' >"$r/conf/listen"
dkim-keygen -t rsa >"$r/secret/dkim/rsa"
dkim-keygen -t ed25519 >"$r/secret/dkim/ed"
chmod 600 "$r"/secret/dkim/*
for c in simple relaxed; do
	for k in rsa ed; do
		alg=rsa-sha256
		[ $k = rsa ] || alg=ed25519-sha256
		printf 'domain name=%s-%s.test\ndkim selector=k key=%s alg=%s canon=%s/%s\n' \
		    $k $c $k $alg $c $c >"$r/conf/domain/$k-$c.test"
		dkim-record -s k -d $k-$c.test <"$r/secret/dkim/$k" >>"$NETDIR/zone"
	done
done
conf-build -C "$r" || { ok 1 'a configuration'; finish; exit 1; }
th_start || skip_all 'no network for the hosts'
th_zone "$NETDIR/zone" >"$TMP/names.out" 2>&1
ok $? 'zone signed and served' || { sed 's/^/# /' "$TMP/names.out"; finish; exit 1; }

# ---- messages ----
message() { # DOMAIN
	printf '%s\r\n' "From: Ann <ann@$1>" 'To: bob@b.test' 'Subject: Hello  again,' \
	    '  Bob' 'Date: Sat, 21 Nov 2026 10:00:00 +0000' "Message-ID: <1@$1>" '' \
	    'Dear Bob,  here it  is. ' '' '.' 'Ann' '' ''
}
spoil() { sed 's/^Dear Bob/Dear Eve/'; }
says() { # WHAT COMMAND...: it verifies $TMP/signed, and not what was changed
	local what=$1
	shift
	th_in a "$@" <"$TMP/signed" >"$TMP/out" 2>&1
	ok $? "$what" || sed 's/^/# /' "$TMP/out" "$TMP/signed"
	spoil <"$TMP/signed" >"$TMP/spoilt"
	! th_in a "$@" <"$TMP/spoilt" >"$TMP/out" 2>&1
	ok $? "$what: not what was changed"
}

for c in simple relaxed; do
	for k in rsa ed; do
		d=$k-$c.test
		message $d >"$TMP/message"
		dkim-sign -m -C "$r" <"$TMP/message" >"$TMP/signed"
		ok $? "$d: dkim-sign signs"
		says "$d: dkim-verify" "$PNEU_BIN/dkim-verify"
		says "$d: dkimverify" dkimverify
		# libopendkim of Debian 12 knows no Ed25519 in this tool.
		[ $k = ed ] || says "$d: opendkim-testmsg" opendkim-testmsg
	done
	message rsa-$c.test >"$TMP/message"
	th_in a dkimsign --hcanon $c --bcanon $c k rsa-$c.test "$r/secret/dkim/rsa" \
	    <"$TMP/message" >"$TMP/signed"
	ok $? "dkimsign signs, $c"
	says "dkimsign's, $c: dkim-verify" "$PNEU_BIN/dkim-verify"
done
# opendkim-testmsg signs by SHA-1 only, which never counts (RFC 8301 section 3.1).
message rsa-simple.test | th_in a opendkim-testmsg -C -d rsa-simple.test -s k \
    -k "$r/secret/dkim/rsa" | th_in a "$PNEU_BIN/dkim-verify" >"$TMP/out"
[ $? -eq 1 ] && grep -q '^dkim result=permerror .*alg=rsa-sha1 .*reason="sha1 is not secure"' "$TMP/out"
ok $? "opendkim-testmsg's, by SHA-1: not for us" || sed 's/^/# /' "$TMP/out"
finish
