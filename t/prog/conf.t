#!/bin/sh
# conf-build, conf-check and the programs that edit conf/.
set -u
. "$(dirname "$0")/../lib.sh"
PNEU_ROOT=$TMP/root # an instance of our own, with nothing in it
export PNEU_ROOT
mkdir -p "$PNEU_ROOT/conf"

# run COMMAND ...: output in $out, diagnostics in $err, exit code in $code.
run() {
	"$@" >"$TMP/out" 2>"$TMP/err"
	code=$?
	out=$(cat "$TMP/out")
	err=$(cat "$TMP/err")
}
# gives CODE OUT ERR NAME, of the last run
gives() {
	is "$code|$out|$err" "$1|$2|$3" "$4"
}
# like GOT ERE NAME
like() {
	if printf '%s\n' "$1" | grep -qE -- "$2"; then
		ok 0 "$3"
	else
		ok 1 "$3"
		printf '# got:  %s\n# want: %s\n' "$1" "$2"
	fi
}
sum() {
	cksum <"$PNEU_ROOT/cdb/conf.cdb"
}

run conf-build
like "$code $err" '^100 conf-build: conf/host:1: host: this record is missing' \
    'nothing to build'
run conf-build -x
like "$code $err" '^usage: conf-build' 'usage'
run conf-build -C "$TMP/none"
like "$code $err" '^111 conf-build: unable to lock' 'no such root'
echo 'host name=mx.example.org' >"$PNEU_ROOT/conf/host"
run conf-build -n
gives 0 '' '' 'check with -n'
[ ! -e "$PNEU_ROOT/cdb/conf.cdb" ]; ok $? 'writes nothing'
run conf-check
gives 0 '' '' 'conf-check'
run conf-build
gives 0 '' '' 'conf-build'
before=$(sum)
printf '# a\nhost name=mx.example.org\n  case-days=x\n' \
    >"$PNEU_ROOT/conf/host"
run conf-build
gives 100 '' 'conf-build: conf/host:2: case-days: not a number' 'a mistake'
run conf-check
gives 100 '' 'conf-check: conf/host:2: case-days: not a number' 'the same'
run account-list
gives 0 '' '' 'running programs have the old configuration'
run account-add ann
gives 100 '' 'account-add: conf/host:2: case-days: not a number' \
    'no edit beside a mistake'
is "$(sum)" "$before" 'conf.cdb is as it was'
mkdir -p "$PNEU_ROOT/conf/domain"
mkfifo "$PNEU_ROOT/conf/domain/fifo"
run timeout 10 conf-build
like "$code $err" 'conf/domain/fifo:1: not a file' 'a FIFO holds up nothing'
rm "$PNEU_ROOT/conf/domain/fifo"
is "$(cd "$PNEU_ROOT/cdb" && find . -type f ! -name psl.cdb)" ./conf.cdb 'and alone but for psl.cdb'
[ ! -e "$PNEU_ROOT/conf/account/ann" ]; ok $? 'no file left'
echo 'host name=mx.example.org' >"$PNEU_ROOT/conf/host"
run conf-check -l
like "$out" '^setting record=host attr=case-days type=number default=14 ' \
    'conf-check -l lists settings'

run account-add ann ann@example.org
gives 100 '' \
    'account-add: conf/account/ann:2: addr: no such domain here' 'no domain'
run domain-add example.org
like "$code $out" '^0 example.org. MX 10 mx.example.org.' 'domain-add'
like "$out" '^example.org. TXT "v=spf1 mx -all"' 'prints records'
year=$(date -u +%Y)
like "$out" "^${year}a._domainkey.example.org. TXT \"v=DKIM1; k=rsa.*\" \"" \
    'a DKIM key, in pieces'
like "$out" "^${year}b._domainkey.example.org. TXT \"v=DKIM1; k=rsa.*\" \"" \
    'and one more'
is "$(grep ^dkim "$PNEU_ROOT/conf/domain/example.org")" \
    "dkim selector=${year}a key=example.org.${year}a alg=rsa-sha256
dkim selector=${year}b key=example.org.${year}b alg=rsa-sha256 sign=no" \
    'the second does not sign yet'
is "$(stat -c %a "$PNEU_ROOT/secret/dkim/example.org.${year}a")" 640 \
    'the private key is private'
run domain-add example.com ann
gives 100 '' 'domain-add: no account ann; name a local part to make it' \
    'no account'
run domain-add example.com ann 'a+b'
like "$code $err" '^100 .*separator' 'a wrong local part'
is "$(find "$PNEU_ROOT" -name "example.com*")" '' \
    'no key or file is left'
run domain-add Example.ORG
gives 100 '' 'domain-add: domain example.org exists' 'exists'
run domain-add 'a b'
gives 100 '' 'domain-add: not a domain name: a b' 'not a domain'
run account-add ann Ann@example.org
gives 0 '' '' 'account-add'
run account-add ann
gives 100 '' 'account-add: account ann exists' 'exists'
run account-add ../x
like "$code $err" '^100 ' 'not a name for an account'
[ ! -e "$PNEU_ROOT/conf/x" ]; ok $? 'and nothing written outside'
echo secret-of-bob | account-add -p bob bob@example.org
ok $? 'account-add -p'
grep -q '^passwd account=bob' "$PNEU_ROOT/secret/auth/passwd"
ok $? 'has a password'
echo secret-of-eve | account-add -p eve bob@example.org 2>"$TMP/err"
is "$? $(cat "$TMP/err")" "100 account-add: conf/account/eve:2: addr: also \
in conf/account/bob:2" 'address of someone else'
! grep -q 'account=eve' "$PNEU_ROOT/secret/auth/passwd"
ok $? 'and no password is left'
echo short | account-passwd bob 2>"$TMP/err"
is "$? $(cat "$TMP/err")" '100 account-passwd: the password is too short' \
    'a short password'
run account-passwd -g ann
like "$code $out" '^0 [a-z2-7]{4}(-[a-z2-7]{4}){3}$' 'account-passwd -g'
run account-passwd -g eve
gives 100 '' 'account-passwd: no account eve' 'no account'

run address-add INFO@example.org ann
gives 0 '' '' 'address-add'
for m in a//b ../x '#news' .; do
	run address-add -m "$m" other@example.org ann
	like "$code $err" '^100 .*mailbox: not a mailbox name' "no mailbox: $m"
done
run address-add info+x@example.org bob
gives 100 '' "address-add: conf/account/bob:3: addr: has the domain's \
separator" 'with a separator'
run address-add info@example.org bob
gives 100 '' 'address-add: conf/account/bob:3: addr: also in '\
'conf/account/ann:3' 'taken'
run address-add x@example.org eve
gives 100 '' 'address-add: no account eve' 'no account'
run address-add @example.org bob
gives 0 '' '' 'catch-all'
run address-add -m Lists list@example.org bob
gives 0 '' '' 'with a mailbox'
want='address account=ann addr=Ann@example.org
address account=ann addr=INFO@example.org
address account=bob addr=bob@example.org
catch-all account=bob addr=@example.org
address account=bob addr=list@example.org mailbox=Lists'
run address-list
gives 0 "$want" '' 'address-list'
run address-list -a eve
gives 1 '' 'address-list: no account eve' 'of no account'
run account-list
gives 0 'account name=ann
account name=bob' '' 'account-list'
run account-list -v bob eve
gives 1 'account name=bob
address addr=bob@example.org
catch-all addr=@example.org
address addr=list@example.org mailbox=Lists' 'account-list: no account eve' \
    'account-list -v'
run domain-list
gives 0 'domain name=example.org separator=+' '' 'domain-list'
run domain-list -v
like "$out" "^dkim selector=${year}a key=example.org.${year}a alg=rsa-sha256" \
    'domain-list -v'

# What the lists print makes the same instance again.
other=$TMP/other
mkdir -p "$other/conf"
echo 'host name=mx.example.org' >"$other/conf/host"
domain-add -C "$other" example.org >/dev/null
account-list | account-add -C "$other" -
address-list | address-add -C "$other" -
is "$(address-list -C "$other")" "$want" 'lists restore'

# Comments of people stay.
printf '# mine\naddress addr=extra@example.org\n# end' \
    >>"$PNEU_ROOT/conf/account/ann"
run address-rm info+any@EXAMPLE.org
gives 0 '' '' 'address-rm, in another spelling'
is "$(cat "$PNEU_ROOT/conf/account/ann")" 'account name=ann
address addr=Ann@example.org
# mine
address addr=extra@example.org
# end' 'takes its line and no other'
run address-rm other@example.org
gives 100 '' 'address-rm: no account has other@example.org' \
    'not by the catch-all'
mkdir -p "$PNEU_ROOT/conf/alias"
printf 'alias addr=all@example.org\nmember addr=list@example.org\n' \
    >"$PNEU_ROOT/conf/alias/all"
run address-rm list@example.org
gives 100 '' 'address-rm: conf/alias/all:2: addr: not an address of an '\
'account' 'a member of an alias'
run account-rm bob
gives 100 '' 'account-rm: conf/alias/all:2: addr: not an address of an '\
'account' 'account-rm backs out'
[ -e "$PNEU_ROOT/conf/account/bob" ]; ok $? 'the file is back'
rm "$PNEU_ROOT/conf/alias/all"
mkdir -p "$PNEU_ROOT/mail/bob/Maildir/cur" "$PNEU_ROOT/mail/ann/Maildir"
echo x >"$PNEU_ROOT/mail/bob/Maildir/cur/1"
run account-rm bob
gives 0 '' '' 'account-rm'
is "$(ls -A "$PNEU_ROOT/mail")" ann 'its mail is gone'
! grep -q account=bob "$PNEU_ROOT/secret/auth/passwd"
ok $? 'its password is gone'
run account-rm -k ann
gives 0 '' '' 'account-rm -k'
[ -d "$PNEU_ROOT/mail/ann/Maildir" ]; ok $? 'its mail is kept'
run account-rm bob
gives 100 '' 'account-rm: no account bob' 'not twice'
run account-rm ..
gives 100 '' 'account-rm: not the name of an account' 'not the root'
run domain-rm example.org
gives 0 '' '' 'domain-rm'
[ -e "$PNEU_ROOT/secret/dkim/old/example.org.${year}a" ]
ok $? 'its keys are kept apart'
run domain-rm example.org
gives 100 '' 'domain-rm: no domain example.org' 'not twice'
run domain-add -e example.org
like "$out" "^${year}e._domainkey.example.org. TXT \"v=DKIM1; k=ed25519" \
    'domain-add -e: an Ed25519 key; selectors are not used again'
d=$PNEU_ROOT/conf/domain/example.org
cp "$d" "$TMP/domain"
# wrong SED WHY: a change to the dkim records of the domain, line 2
wrong() {
	sed "2s/\$/ $1/" "$TMP/domain" >"$d"
	run conf-check
	gives 100 '' "conf-check: conf/domain/example.org:2: $2" "dkim $1"
}
wrong canon=nofws 'canon: not one of the choices (conf-check -l)'
wrong headers=To,Subject 'headers: From is missing'
wrong headers=From,,To 'headers: not names of fields by commas'
wrong headers=From,to,To 'headers: a name given twice'
for f in Received return-path DKIM-Signature ARC-Seal; do
	wrong "headers=From,$f" 'headers: Received, Return-Path, DKIM-Signature, Authentication-Results and ARC-* change on the way'
done
wrong 'headers=From oversign=From,To' 'oversign: To is not in headers'
wrong expire=soon 'expire: not a time such as 90 or 1h30m'
wrong from=ann 'from: not an address'
wrong from=@*. 'from: not @*. and a domain'
wrong from=ann@example.org,@example.net \
    'from: example.net is not this domain or below'
awk 'NR == 2 { two = $2 } NR == 3 { $2 = two } { print }' "$TMP/domain" >"$d"
run conf-check
gives 100 '' 'conf-check: conf/domain/example.org:3: selector: also in line 2' \
    'a selector twice'
cp "$TMP/domain" "$d"
key=$PNEU_ROOT/secret/dkim/example.org.${year}c
chmod o+r "$key"
run conf-check
gives 100 '' "conf-check: conf/domain/example.org:2: key: others may read secret/dkim/example.org.${year}c: chmod o= it" \
    'a key that everyone may read'
chmod o= "$key"
sed '2s/$/ canon=simple\/simple headers=from,X-Own,Subject oversign=From expire=1h from=ann@EXAMPLE.org,@*.example.org/' \
    "$TMP/domain" >"$d"
run conf-build
gives 0 '' '' 'all of it right'
echo "domain name=example.net
dkim selector=k key=example.org.${year}c alg=rsa-sha256" \
    >"$PNEU_ROOT/conf/domain/example.net"
: >"$PNEU_ROOT/secret/dkim/old/example.org.${year}d"
run domain-rm example.org
gives 0 '' '' 'domain-rm'
[ -e "$key" ] && [ -e "$PNEU_ROOT/secret/dkim/old/example.org.${year}d.1" ] &&
    [ ! -s "$PNEU_ROOT/secret/dkim/old/example.org.${year}d" ]
ok $? 'a key that another domain has stays; none in old/ is replaced'
run domain-rm example.net
run domain-add bücher.example new info
like "$code $out" '^0 xn--bcher-kva.example. MX' 'with a new account'
is "$(address-list)" \
    'address account=new addr=info@xn--bcher-kva.example' 'and its address'
run domain-rm bücher.example
like "$code $err" '^100 domain-rm: conf/account/new:2: addr: no such domain' \
    'domain-rm while addresses are left'

for p in 'account-add a' 'account-rm a' 'address-add a@b c' 'domain-add a'; do
	# shellcheck disable=SC2086
	${p%% *} -C "$TMP/none" ${p#* } 2>/dev/null
	is "$? $(find "$TMP" -name none)" '111 ' \
	    "${p%% *}: no root, none made"
done

# Two writers at a time lose nothing.
domain-add example.net >/dev/null
for i in 1 2 3 4 5 6 7 8; do
	account-add "u$i" "u$i@example.net" &
done
wait
is "$(address-list | grep -c example.net)" 8 'eight at a time'
# The examples are right, and the page has every setting and its default.
mkdir -p "$TMP/example"
cp -R "$TOP/conf" "$TMP/example/conf"
run conf-check -C "$TMP/example"
gives 0 '' '' 'conf/ of the source tree'
missing=$(conf-check -l | sed 's/^setting record=//; s/ attr=/ /' |
    while read -r record attr rest; do
	awk -v r=".Li $record" -v a=".It Li $attr=" '
	    $0 == r || $0 == r ":" || $0 == r " ." { on = 1; next }
	    /^Record/ { on = 0 } on && index($0, a) == 1 { found = 1 }
	    END { exit !found }' "$TOP/man/conf.5" || echo "$record $attr"
	case $rest in
	*default=*) value=${rest#*default=} value=${value%% *}
		tr '\n' ' ' <"$TOP/man/conf.5" | grep -qF "default $value" ||
		    echo "default $value of $attr" ;;
	esac
    done)
is "$missing" '' 'conf(5) has every setting'

for p in conf-build conf-check account-add account-list account-rm \
    account-passwd address-add address-list address-rm domain-add \
    domain-list domain-rm; do
	like "$($p -h)" "^$p - .*" "$p -h"
	like "$($p --cage)" '(network: none)' "$p --cage"
done
finish
