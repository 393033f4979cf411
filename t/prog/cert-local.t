#!/bin/sh
# cert-local: a chain that verifies, names, modes; what is good is kept.
set -u
. "$(dirname "$0")/../lib.sh"
command -v openssl >/dev/null || skip_all 'no openssl command'
export PNEU_ROOT="$TMP/root"
mkdir "$PNEU_ROOT"
cd "$PNEU_ROOT" || exit 1

cert-local localhost mx.example.org 192.0.2.1
ok $? 'makes an authority and a certificate'
openssl verify -x509_strict -purpose sslserver -CAfile secret/ca.pem \
    secret/tls/localhost.crt >/dev/null 2>&1
ok $? 'the chain verifies'
for name in localhost mx.example.org; do
	openssl verify -verify_hostname $name -CAfile secret/ca.pem \
	    secret/tls/localhost.crt >/dev/null 2>&1
	ok $? "for $name"
done
for ip in 127.0.0.1 ::1 192.0.2.1; do
	openssl verify -verify_ip $ip -CAfile secret/ca.pem \
	    secret/tls/localhost.crt >/dev/null 2>&1
	ok $? "for $ip"
done
! openssl verify -verify_hostname example.org -CAfile secret/ca.pem \
    secret/tls/localhost.crt >/dev/null 2>&1
ok $? 'for no other name'
is "$(stat -c %a secret/ca.key secret/tls/localhost.key secret/tls | tr '\n' ' ')" \
    '600 600 700 ' 'keys are private'
before=$(cat secret/ca.pem secret/tls/* | cksum)
cert-local localhost mx.example.org 192.0.2.1
is "$(cat secret/ca.pem secret/tls/* | cksum)" "$before" 'kept the second time'
ca=$(cksum <secret/ca.pem)
echo damaged >secret/tls/localhost.crt
cert-local localhost
openssl verify -CAfile secret/ca.pem secret/tls/localhost.crt >/dev/null 2>&1
ok $? 'a damaged certificate is made anew'
is "$(cksum <secret/ca.pem)" "$ca" 'by the same authority'
cert-local 2>/dev/null
is $? 100 'no name: 100'
cert-local ../x 2>/dev/null
is $? 100 'not a file name: 100'
cert-local 'a,DNS:b' 2>"$TMP/err"
is "$? $(cat "$TMP/err")" '100 cert-local: not a host name: a,DNS:b' \
    'not a host name: 100'
cert-local -C "$TMP/none" localhost 2>/dev/null
is "$? $(find "$TMP" -name none)" '111 ' 'no root: 111, not made'
finish
