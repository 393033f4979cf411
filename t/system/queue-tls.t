#!/bin/sh
# smtp-send to a real Postfix with certificates and protocols of every kind:
# opportunistic TLS takes any certificate, falls back to plain text only when
# TLS itself fails, on a new connection to the same host; tls= says what was.
# shellcheck disable=SC2086 # lists
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin
command -v postfix >/dev/null || skip_all 'needs postfix'
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
tmp=$TMP
# shellcheck source=t/dns.sh
. "$TOP/t/dns.sh"
port=$(dns_port)
P=$TMP/postfix ROOT=$TMP/root PIDS=
chmod 755 "$TMP"
mkdir -p "$P/conf" "$P/spool" "$P/data" "$ROOT/conf" "$ROOT/run"
stop() {
	_status=$?
	for p in $PIDS; do kill $p; wait $p; done 2>/dev/null
	postfix -c "$P/conf" stop >/dev/null 2>&1
	(exit $_status)
	lib_cleanup
}
trap stop EXIT
cert() { # name days
	openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$1.wrong.test" -days "$2" \
	    -keyout "$P/$1.key" -out "$P/$1.pem" >/dev/null 2>&1
}
cert self 10 || skip_all 'needs openssl'
# Ended yesterday: made by a CA, as req(1) wants days to be positive.
mkdir "$P/ca" && : >"$P/ca/index" && echo 01 >"$P/ca/serial"
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nserial=%s\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\n[p]\nCN=supplied\n' \
    "$P/ca/index" "$P/ca/serial" "$P/ca" >"$P/ca/conf"
openssl req -newkey rsa:2048 -nodes -subj /CN=old.test -keyout "$P/old.key" -out "$P/old.csr" >/dev/null 2>&1
openssl ca -batch -config "$P/ca/conf" -cert "$P/self.pem" -keyfile "$P/self.key" -in "$P/old.csr" \
    -startdate 20200101000000Z -enddate 20200201000000Z -out "$P/old.pem" -notext >/dev/null 2>&1
cp "$P/self.key" "$P/new.key" && cp "$P/self.pem" "$P/new.pem"
chown postfix "$P/data"
cat >"$P/conf/main.cf" <<E
compatibility_level = 3.6
queue_directory = $P/spool
data_directory = $P/data
maillog_file = $P/log
maillog_file_prefixes = $TMP
myhostname = postfix.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_transport = discard:
default_transport = discard:
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
E
sed -e '/^smtp  *inet/d; /^[^#]*chroot/!s/^\([a-z]*  *[a-z]*  *[n-]  *[-n]  *\)y /\1n /' \
    /usr/share/postfix/master.cf.dist >"$P/conf/master.cf"
service() { # address certificate option ...
	printf '%s:%s inet n - n - - smtpd -o smtpd_tls_cert_file=%s.pem -o smtpd_tls_key_file=%s.key' \
	    "$1" "$port" "$P/$2" "$P/$2"
	shift 2
	[ $# -eq 0 ] || printf ' -o %s' "$@"
	echo
}
{
	service 127.0.0.31 self
	service 127.0.0.32 old
	service 127.0.0.33 self smtpd_tls_protocols=TLSv1.2
	service 127.0.0.34 self smtpd_tls_protocols=TLSv1.1
	service 127.0.0.35 self smtpd_tls_security_level=encrypt
	service 127.0.0.36 self smtpd_tls_security_level=none
	service 127.0.0.37 self smtpd_helo_restrictions=reject smtpd_delay_reject=no
} >>"$P/conf/master.cf"
postfix -c "$P/conf" start >"$P/out" 2>&1
wait_for 15 sh -c "grep -q \"$(printf ':%04X ' "$port").* 0A \" /proc/net/tcp" ||
    skip_all 'Postfix does not start here'

echo "host name=a.test mx-port=$port queue-retry=1h" >"$ROOT/conf/host"
PNEU_ROOT=$ROOT
export PNEU_ROOT
conf-build; ok $? 'configuration'
smtp-send -t 10 2>"$TMP/send.log" & PIDS="$PIDS $!"
wait_for 5 test -S "$ROOT/run/send"
queue-run 2>"$TMP/run.log" & PIDS="$PIDS $!"
wait_for 5 test -S "$ROOT/run/queue"; ok $? 'services'
send() { # address: the result line
	printf 'Subject: t\r\n\r\nx\r\n' | queue-add -f '<>' -r "u@[$1]" >/dev/null 2>&1
	wait_for 15 grep -qE "^(sent|deferred|failed) .*ip=$1 " "$TMP/run.log"
	grep -E "^(sent|deferred|failed) .*ip=$1 " "$TMP/run.log" >"$TMP/result"
}
connections() { grep -c "smtpd.*: connect from" "$P/log"; }
openssl x509 -in "$P/old.pem" -noout -checkend 0 >/dev/null; is $? 1 'the old certificate has expired'
send 127.0.0.31; has "$TMP/result" '^sent .* tls=TLSv1.3 ' 'untrusted, for another name: TLS 1.3'
send 127.0.0.32; has "$TMP/result" '^sent .* tls=TLSv1.3 ' 'expired'
send 127.0.0.33; has "$TMP/result" '^sent .* tls=TLSv1.2 ' 'TLS 1.2 only'
before=$(connections)
send 127.0.0.34; has "$TMP/result" '^sent .* code=250 ' 'TLS 1.1 only: sent'
! grep -q tls= "$TMP/result"; ok $? 'in plain text'
is $(($(connections) - before)) 2 'over a second connection'
has "$P/log" 'SSL_accept error from' 'as the handshake failed'
send 127.0.0.35; has "$TMP/result" '^sent .* tls=TLSv1.3 ' 'TLS demanded'
send 127.0.0.36; has "$TMP/result" '^sent ' 'TLS not offered'
! grep -q tls= "$TMP/result"; ok $? 'in plain text'
before=$(connections)
send 127.0.0.37; has "$TMP/result" '^failed .* code=[45]54 ' 'a host that refuses us'
is $(($(connections) - before)) 1 'is not asked again without TLS'
finish
