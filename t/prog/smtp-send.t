#!/bin/sh
# queue-run and smtp-send: the way from a domain to a host, mail for our own
# accounts, the sender's notice.
set -u
: "${PNEU_BIN:?}" "${PNEU_TOOLS:?}"
top=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
root=$tmp/root
# shellcheck source=t/dns.sh
. "$top/t/dns.sh"
pids=
stop() {
	for p in $pids; do kill "$p" 2>/dev/null; wait "$p"; done
	pids=
	dns_stop
	rm -rf "$tmp"
}
trap stop EXIT
mkdir -p "$root/conf/pipeline" "$root/conf/domain" "$root/conf/account" \
    "$root/run" "$tmp/mx"
PNEU_ROOT=$root
export PNEU_ROOT
PATH=$PNEU_BIN:$PATH
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
has() { # file pattern text
	grep -q -- "$2" "$1"; ok $? "$3"
}
wait_for() { # command ...: at most 15 s
	left=300
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.05
	done
}
cat >"$tmp/zone" <<'XEOF'
rr name=two.example type=MX value="10 dead.example"
rr name=two.example type=MX value="20 good.example"
rr name=pref.example type=MX value="10 no.example"
rr name=pref.example type=MX value="20 good.example"
rr name=null.example type=MX value="0 ."
rr name=self.example type=MX value="10 a.example"
rr name=self.example type=MX value="20 good.example"
rr name=loose.example type=MX value="10 nowhere.example"
rr name=implicit.example type=A value=127.0.0.2
rr name=cname.example type=CNAME value=implicit.example
rr name=good.example type=A value=127.0.0.2
rr name=dead.example type=A value=127.0.0.200
rr name=no.example type=A value=127.0.0.11
act name=fail.example do=servfail
XEOF
dns_fake "$tmp/zone"
port=$(dns_port)
cat >"$root/conf/host" <<XEOF
host name=a.example mx-port=$port resolver=$dns_server queue-retry=1h
XEOF
echo 'domain name=home.example' >"$root/conf/domain/home.example"
printf 'account name=ann\naddress addr=ann@home.example\n' \
    >"$root/conf/account/ann"
cat >"$root/conf/pipeline/local" <<XEOF
stage name=a command="$PNEU_TOOLS/stage-try a" types=a
XEOF
conf-build; ok $? 'configuration'
mkfifo "$tmp/hold"
"$top/t/fake-mx" "$port" "$tmp/mx" <"$tmp/hold" >"$tmp/mx.out" &
exec 9>"$tmp/hold"
stages local 2>"$tmp/stages.log" 9>&- & pids="$pids $!"
smtp-send -t 5 2>"$tmp/send.log" 9>&- & pids="$pids $!"
queue-run 2>"$tmp/run.log" 9>&- & pids="$pids $!"
wait_for grep -q ready "$tmp/mx.out"; ok $? 'mail hosts'
wait_for test -S "$root/run/local" -a -S "$root/run/send" -a -S "$root/run/queue"
ok $? 'services'

add() { # rcpt ...: the id
	# shellcheck disable=SC2046 # addresses without blanks
	set -- $(printf ' -r %s' "$@")
	printf 'Subject: t\r\n\r\nx\r\n' |
	    queue-add -f ann@home.example "$@" 2>/dev/null |
	    sed 's/^queued id=//; s/ .*//'
}
for d in two pref implicit cname null nx self loose fail; do
	id=$(add "u@$d.example")
	case $d in
	two | pref | implicit | cname)
		wait_for grep -q "^sent .*id=$id .*ip=127.0.0.2 " "$tmp/run.log"
		ok $? "$d: delivered" ;;
	null) want=5.1.10 ;;
	nx) want=5.1.2 ;;
	self) want=5.4.6 ;;
	loose) want=5.4.4 ;;
	fail)
		wait_for grep -q "^deferred .*id=$id .*ecode=4.4.3 " "$tmp/run.log"
		ok $? "$d: deferred" ;;
	esac
	case $d in
	null | nx | self | loose)
		wait_for grep -q "^failed .*id=$id .*ecode=$want " "$tmp/run.log"
		ok $? "$d: failed with $want" ;;
	esac
done
has "$tmp/mx/2" '^TO u@two.example$' 'at the second host'
! ls "$tmp/mx/200" >/dev/null 2>&1; ok $? 'not at the first'

# notices go to the account by run/local
wait_for sh -c "[ \$(cat $root/case/* | grep -c 'reply.*code=250') -ge 4 ]"
ok $? 'four notices for the sender'
cat "$root"/case/* >"$tmp/cases"
has "$tmp/cases" '^from addr=""' 'with the null sender'
has "$tmp/cases" '^rcpt addr=ann@home.example account=ann' 'for the account'

# our own recipients: each with its result
: >"$tmp/mx/2"
id=$(add ann@home.example nobody@home.example u@implicit.example)
wait_for grep -q "^sent .*id=$id addr=ann@home.example " "$tmp/run.log"
ok $? 'a local recipient'
wait_for grep -q "^failed .*id=$id addr=nobody@home.example .*ecode=5.1.1 " "$tmp/run.log"
ok $? 'an unknown one'
wait_for grep -q "^sent .*id=$id addr=u@implicit.example " "$tmp/run.log"
ok $? 'and one elsewhere'
wait_for grep -q "^report .*id=$id .*about=failure" "$tmp/run.log"
ok $? 'one notice'
wait_for sh -c "[ \$(queue-list | grep -c .) = 1 ]"
ok $? 'only the deferred message is left'
id=$(queue-list | sed 's/.* id=//; s/ .*//')
queue-drop -A >/dev/null
wait_for grep -q "^dropped .*id=$id .*addr=" "$tmp/run.log"
ok $? 'what queue-drop took is logged'

# the pipeline for local mail is gone: temporary, nothing is lost
set -- $pids
kill "$1"; wait "$1" 2>/dev/null; pids="$2 $3"
id=$(add ann@home.example)
wait_for grep -q "^deferred .*id=$id .*ecode=4.3.0 " "$tmp/run.log"
ok $? 'run/local is gone: deferred'
[ -s "$root/queue/job/$id" ]; ok $? 'and kept'
stages local 2>"$tmp/stages.log" 9>&- & pids="$pids $!"
wait_for test -S "$root/run/local"
queue-retry "$id" >/dev/null
wait_for grep -q "^sent .*id=$id " "$tmp/run.log"; ok $? 'queue-retry: sent'

# a second queue-run does not start
queue-run 2>"$tmp/err" 9>&-; [ $? -eq 111 ]; ok $? 'only one queue-run'
exec 9>&-
echo "1..$n"
