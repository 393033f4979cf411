#!/bin/bash
# Two hosts, signed zones, mail both ways: pneu to pneu, pneu to Postfix and
# Postfix to pneu. A's user submits with msmtp (SCRAM, TLS) and swaks; A signs
# and queues; B's port 25 takes it by STARTTLS; B's header shows what it found;
# mbsync fetches the same bytes.
# shellcheck disable=SC2034 # variables of lib.sh and twohosts.sh
. "$(dirname "$0")/../lib.sh"
NETDIR=$TMP/net
mkdir -p "$NETDIR" "$TMP/names"
tmp=$TMP/names
. "$TOP/t/system/twohosts.sh"
why=$(th_possible) || skip_all "$why"
for p in msmtp swaks mbsync postfix; do
	command -v $p >/dev/null || PATH=$PATH:/usr/sbin command -v $p >/dev/null ||
	    skip_all "needs $p"
done
export PATH=$PATH:/usr/sbin
declare -A UP
all_down() {
	local h
	for h in "${!UP[@]}"; do host_down "$h"; done
	[ -z "${POSTFIX:-}" ] || th_in b postfix -c "$POSTFIX/conf" stop >/dev/null 2>&1
	th_stop
}
trap 'all_down; lib_cleanup' EXIT

# make_host a ann 10: an instance for a.test with one account.
make_host() {
	local h=$1 user=$2 ip=192.0.2.$3 r=$NETDIR/$1 s
	mkdir -p "$r"/{conf/domain,conf/account,conf/pipeline,cdb,secret,mail,queue,spool,case,run/counters,log,sv}
	printf 'host name=mx.%s.test resolver=127.0.0.1\n' "$h" >"$r/conf/host"
	for s in smtp submission submissions imap imaps; do
		printf 'listen service=%s ip=%s\n' $s "$ip"
	done >"$r/conf/listen"
	cp "$TOP"/conf/pipeline/* "$r/conf/pipeline/"
	conf-build -C "$r" || return 1
	domain-add -C "$r" "$h.test" "$user" "$user" >"$NETDIR/$h.records" || return 1
	echo "secret-$user-1" | account-passwd -C "$r" "$user" || return 1
	cert-local -C "$r" "mx.$h.test" || return 1
	cp -R "$TOP/sv/." "$r/sv/"
	{
		cat "$NETDIR/$h.records"
		printf 'mx.%s A %s\nmx.%s TXT "v=spf1 a -all"\n' "$h" "$ip" "$h"
	} >>"$NETDIR/zone"
}
host_up() {
	local h=$1 r=$NETDIR/$1
	# Not by th_in: $! must be runsvdir itself.
	PNEU_ROOT=$r ip netns exec "$th_id-$h" setsid runsvdir -P "$r/sv" >"$r/out" 2>&1 &
	UP[$h]=$!
	wait_for 20 ip netns exec "$th_id-$h" bash -c "exec 3<>/dev/tcp/192.0.2.$2/25" &&
	    wait_for 20 ip netns exec "$th_id-$h" bash -c "exec 3<>/dev/tcp/192.0.2.$2/993"
}
host_down() {
	instance_down "${UP[$1]}"
	unset "UP[$1]"
}
mailbox_has() { # dir pattern
	grep -rlq -- "$2" "$1"/new "$1"/cur 2>/dev/null
}
the_message() { grep -rl -- "$2" "$1"/new "$1"/cur | head -n 1; }
submit() { # from-host user to subject
	local h=$1 user=$2 to=$3 subject=$4
	cat >"$TMP/msmtprc" <<E
account x
host 192.0.2.1
port 587
tls on
tls_starttls on
tls_trust_file $NETDIR/$h/secret/ca.pem
tls_host_override mx.$h.test
auth scram-sha-256
user $user@$h.test
password secret-$user-1
from $user@$h.test
E
	chmod 600 "$TMP/msmtprc"
	printf 'From: %s@%s.test\nTo: %s\nSubject: %s\n\nHello.\n.dot\nlast line\n' \
	    "$user" "$h" "$to" "$subject" |
	    th_in "$h" msmtp -C "$TMP/msmtprc" -a x "$to" >"$TMP/msmtp.out" 2>&1
}
show() { sed 's/^/# /' "$@" 2>/dev/null | tail -n 25; }

th_start || skip_all 'no network for the hosts'
make_host a ann 1 && make_host b bob 2
ok $? 'two instances made' || { finish; exit 1; }
th_zone "$NETDIR/zone" >"$TMP/names.out" 2>&1
ok $? 'zones signed and served' || show "$TMP/names.out"
for h in a b; do
	th_in "$h" dns-lookup -s 127.0.0.1 mx b.test >"$TMP/mx"
	has "$TMP/mx" 'dnssec=yes' "$h: its resolver validates"
done
host_up a 1 && host_up b 2
ok $? 'both instances run' || show "$NETDIR"/?/log/*/current

# pneu to pneu.
submit a ann bob@b.test one
ok $? 'msmtp submits with SCRAM over TLS' || show "$TMP/msmtp.out" "$NETDIR"/a/log/*/current
box=$NETDIR/b/mail/bob/Maildir
wait_for 30 mailbox_has "$box" '^Subject: one'
ok $? 'pneu to pneu: the message is there' || show "$NETDIR"/a/log/queue-run/current "$NETDIR"/a/log/smtp-send/current "$NETDIR"/b/log/*/current
m=$(the_message "$box" '^Subject: one')
tr -d '\r' <"${m:-/dev/null}" | perl -0pe 's/\n[ \t]+/ /g' >"$TMP/one"
has "$TMP/one" '^Authentication-Results: mx.b.test;.*spf=pass' 'spf=pass'
has "$TMP/one" '^Authentication-Results:.*dkim=pass' 'dkim=pass'
has "$TMP/one" '^Authentication-Results:.*dmarc=pass' 'dmarc=pass'
has "$TMP/one" '^Authentication-Results:.*iprev=pass' 'iprev=pass'
has "$TMP/one" '^Authentication-Results:.*dnssec' 'DNSSEC is noted'
has "$TMP/one" '^Received: from mx.a.test .*with ESMTPS ' 'by STARTTLS'
has "$TMP/one" '^DKIM-Signature: .*d=a.test' 'signed by A'
has "$NETDIR/b/case/$(ls "$NETDIR/b/case" | tail -n 1)" '^dkim result=pass.*dnssec=yes' 'the case file has the verdicts'
wait_for 10 bash -c "[ -z \"\$(PNEU_ROOT=$NETDIR/a queue-list)\" ]"
ok $? 'the queue of A is empty again'

cat >"$TMP/mbsyncrc" <<E
IMAPAccount b
Host 192.0.2.2
Port 993
User bob@b.test
Pass secret-bob-1
SSLType IMAPS
CertificateFile $NETDIR/b/secret/tls/mx.b.test.crt

IMAPStore far
Account b

MaildirStore near
Path $TMP/near/
Inbox $TMP/near/INBOX

Channel c
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
E
mkdir -p "$TMP/near"
# The certificate names the host, not its address.
sed -i 's/^Host .*/Host mx.b.test/' "$TMP/mbsyncrc"
th_in b mbsync -c "$TMP/mbsyncrc" c >"$TMP/mbsync.out" 2>&1
ok $? 'mbsync fetches' || show "$TMP/mbsync.out"
near=$(grep -rl '^Subject: one' "$TMP/near" | head -n 1)
# mbsync adds X-TUID or changes line ends to LF; bytes are compared without CR.
tr -d '\r' <"${m:-/dev/null}" >"$TMP/far.txt"
tr -d '\r' <"${near:-/dev/null}" | grep -v '^X-TUID: ' >"$TMP/near.txt"
[ -s "$TMP/near.txt" ] && cmp -s "$TMP/far.txt" "$TMP/near.txt"
ok $? 'and gets the same bytes' || diff "$TMP/far.txt" "$TMP/near.txt" | show

th_in a swaks --server 192.0.2.1:465 --tlsc --auth PLAIN --auth-user ann@a.test \
    --auth-password secret-ann-1 --from ann@a.test --to bob@b.test \
    --header 'Subject: two' >"$TMP/swaks" 2>&1
ok $? 'swaks submits over implicit TLS' || show "$TMP/swaks"
wait_for 30 mailbox_has "$box" '^Subject: two'
ok $? 'and it arrives'
submit a ann nobody@b.test three
ok $? 'mail to an unknown user is submitted'
wait_for 30 mailbox_has "$NETDIR/a/mail/ann/Maildir" 'multipart/report'
ok $? 'and a delivery status notification comes back'
d=$(the_message "$NETDIR/a/mail/ann/Maildir" 'multipart/report')
has "${d:-/dev/null}" '^Status: 5.1.1' 'with the status of the other host'
[ "$(grep -rl 'multipart/report' "$NETDIR/a/mail/ann/Maildir"/new "$NETDIR/a/mail/ann/Maildir"/cur | wc -l)" -eq 1 ]
ok $? 'one, not more'

# Postfix instead of pneu on B.
host_down b
POSTFIX=$NETDIR/postfix
th_postfix_conf "smtpd_tls_security_level = may
smtpd_tls_cert_file = $POSTFIX/crt
smtpd_tls_key_file = $POSTFIX/key
smtpd_tls_received_header = yes
smtp_tls_security_level = may
smtp_dns_support_level = dnssec"
cp "$NETDIR/b/secret/tls/mx.b.test.crt" "$POSTFIX/crt"
cp "$NETDIR/b/secret/tls/mx.b.test.key" "$POSTFIX/key"
th_in b postfix -c "$POSTFIX/conf" start >"$POSTFIX/out" 2>&1
wait_for 20 ip netns exec "$th_id-b" bash -c 'exec 3<>/dev/tcp/192.0.2.2/25'
ok $? 'Postfix runs on B' || show "$POSTFIX/out" "$POSTFIX/log"
submit a ann bob@b.test four
ok $? 'a message for Postfix is submitted'
pbox=$POSTFIX/mail/bob/Maildir
wait_for 30 mailbox_has "$pbox" '^Subject: four'
ok $? 'pneu to Postfix: the message is there' || show "$POSTFIX/log" "$NETDIR"/a/log/queue-run/current "$NETDIR"/a/log/smtp-send/current
p=$(the_message "$pbox" '^Subject: four')
has "${p:-/dev/null}" '^Received: from mx.a.test (mx.a.test' 'Postfix finds our name'
has "${p:-/dev/null}" 'using TLSv1.3' 'over TLS'
# What Postfix stored still verifies.
th_in b env PNEU_ROOT="$NETDIR/b" dkim-verify <"${p:-/dev/null}" >"$TMP/dkim" 2>&1
has "$TMP/dkim" '^dkim result=pass domain=a.test' 'and the signature verifies there'

printf 'From: bob@b.test\nTo: ann@a.test\nSubject: five\n\nFrom Postfix.\n' |
    th_in b /usr/sbin/sendmail -C "$POSTFIX/conf" -f bob@b.test ann@a.test >"$TMP/five" 2>&1 ||
    th_in b swaks --server 192.0.2.2:25 --from bob@b.test --to ann@a.test \
        --header 'Subject: five' >"$TMP/five" 2>&1
ok $? 'Postfix takes a message for A' || show "$TMP/five"
abox=$NETDIR/a/mail/ann/Maildir
wait_for 30 mailbox_has "$abox" '^Subject: five'
ok $? 'Postfix to pneu: the message is there' || show "$POSTFIX/log" "$NETDIR"/a/log/*/current
f=$(the_message "$abox" '^Subject: five')
tr -d '\r' <"${f:-/dev/null}" | perl -0pe 's/\n[ \t]+/ /g' >"$TMP/five.txt"
has "$TMP/five.txt" '^Authentication-Results: mx.a.test;.*spf=pass' 'spf=pass'
has "$TMP/five.txt" '^Authentication-Results:.*dkim=none' 'dkim=none: it is not signed'
has "$TMP/five.txt" '^Authentication-Results:.*dmarc=pass' 'dmarc=pass by SPF'
has "$TMP/five.txt" '^Received: from mx.b.test .*with ESMTPS ' 'by STARTTLS'
finish
