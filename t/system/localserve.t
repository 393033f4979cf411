#!/bin/sh
# localserve: two instances side by side, the test message, mail in and out,
# cages, refusal of a second start and of a taken port, a clean stop.
. "$(dirname "$0")/../lib.sh"
for tool in runsvdir swaks curl perl; do
	command -v $tool >/dev/null || skip_all "no $tool"
done

# Processes of an instance have its root in their environment.
processes() {
	grep -lsFz "PNEU_ROOT=$1" /proc/[0-9]*/environ |
	    sed 's,/proc/,,; s,/environ,,'
}
none_left() {
	[ -z "$(processes "$1")" ]
}
# begin NAME: localserve in $TMP/NAME, its output in $TMP/NAME.out. perl gives
# it back SIGINT, which a background command of sh ignores.
begin() {
	root=$TMP/$1
	PNEU_ROOT=$root PNEU_PORT_OFFSET=$offset perl -e \
	    '$SIG{INT} = "DEFAULT"; exec @ARGV or die' pneu localserve \
	    >"$TMP/$1.out" 2>"$TMP/$1.err" &
	pid=$!
	pids="$pids $pid"
}
ready() {
	wait_for 60 sh -c "! [ -d /proc/$2 ] || grep -qx ready '$TMP/$1.out'"
	grep -qx ready "$TMP/$1.out" && return
	sed 's/^/# /' "$TMP/$1.out" "$TMP/$1.err"
	tail -n 5 "$TMP/$1"/log/*/current | sed 's/^/# /'
	return 1
}
# Ends the instance with a signal and checks how.
stops() {
	start=$(date +%s%N)
	kill -"$3" "$2"
	wait "$2"
	is $? 0 "SIG$3: exit 0"
	took=$((($(date +%s%N) - start) / 1000000))
	[ $took -le 5000 ]; ok $? "within 5 s ($took ms)"
	wait_for 1 none_left "$TMP/$1"
	ok $? 'no process is left' || processes "$TMP/$1" |
	    while read -r p; do
		printf '# %s %s\n' "$p" "$(tr '\0' ' ' <"/proc/$p/cmdline")"
	    done
}
pids=
end_all() {
	status=$?
	for p in $pids; do
		kill "$p" 2>/dev/null && wait "$p"
	done
	(exit $status)
	lib_cleanup
}
trap end_all EXIT

# In a Maildir, new or read.
arrived() {
	grep -rqsF "$2" "$1/Maildir/new" "$1/Maildir/cur"
}
send() { # to text port
	swaks --to "$1" --from test@localhost --header "Subject: $2" \
	    --body "$2" --server "127.0.0.1:$3" >"$TMP/swaks" 2>&1
}
# With TLS, the local CA, and perhaps a login.
submit() { # url to text option...
	url=$1 to=$2
	printf 'From: pneu@localhost\r\nSubject: %s\r\n\r\n%s\r\n' "$3" "$3" \
	    >"$TMP/letter"
	shift 3
	curl -s --max-time 20 --ssl-reqd --cacert "$TMP/one/secret/ca.pem" \
	    --mail-from pneu@localhost --mail-rcpt "$to" -T "$TMP/letter" \
	    "$@" "$url" >"$TMP/curl" 2>&1
}
imap() { # user password command
	curl -s --max-time 10 --cacert "$TMP/one/secret/ca.pem" -u "$1:$2" \
	    "imaps://localhost:$((one + 993))/INBOX" -X "$3" 2>&1
}

PNEU_PORT_OFFSET=x PNEU_ROOT=$TMP/none pneu localserve >"$TMP/out" 2>&1
is $? 100 'an offset that is no number: 100'

one=$(free_offset)
offset=$one
begin one
first=$pid
two=$(free_offset)
offset=$two
begin two
second=$pid
ready one "$first"; ok $? 'the first gets ready' || { finish; exit 1; }
ready two "$second"; ok $? 'the second gets ready'
is "$(tail -n 1 "$TMP/one.out")" ready 'ready is the last line'
has "$TMP/one.out" 'swaks .*'"$((one + 25))" 'says how to send'
has "$TMP/one.out" 'curl .*'"$((one + 993))" 'says how to read'
has "$TMP/one.out" '^Received: ' 'shows the test message'
OFFSET=$one
ips=127.0.0.1
grep -qs '^0\{31\}1 ' /proc/net/if_inet6 && ips="$ips ::1"
for ip in $ips; do
	for p in 25 587 465 143 993; do
		perl -MIO::Socket::IP -e 'exit !IO::Socket::IP->new(
		    PeerHost => shift, PeerPort => shift)' $ip $((one + p))
		ok $? "listens on $ip port $p + offset"
	done
done

# Mail in.
send pneu@localhost to-pneu $((one + 25))
ok $? 'port 25 takes mail to pneu'
arrived "$TMP/one/mail/pneu" to-pneu; ok $? 'it is there with the 250'
send any.one@localhost to-anyone $((one + 25))
ok $? 'and to any other at localhost'
arrived "$TMP/one/mail/pneu" to-anyone; ok $? 'pneu gets it'
submit "smtp://localhost:$((one + 25))" alice@localhost to-alice
ok $? 'and to alice, with STARTTLS'
arrived "$TMP/one/mail/alice" to-alice; ok $? 'alice gets it'
! send ann@example.org relay $((one + 25))
ok $? 'and none to other hosts'
! arrived "$TMP/two/mail/pneu" to-pneu
ok $? 'the other instance has none of it'

# Mail of users.
for url in "smtp://localhost:$((one + 587))" \
    "smtps://localhost:$((one + 465))"; do
	! submit "$url" alice@localhost from-eve -u pneu@localhost:wrong
	ok $? "${url%%:*}: submission with a wrong password is refused"
	submit "$url" alice@localhost "by-${url%%:*}" -u pneu@localhost:pneupneu
	ok $? "${url%%:*}: submission takes mail of pneu"
	wait_for 15 arrived "$TMP/one/mail/alice" "by-${url%%:*}"
	ok $? "${url%%:*}: it comes by way of the queue to alice"
done
! submit "smtp://localhost:$((one + 587))" alice@localhost as-pneu \
    -u alice@localhost:alicealice
ok $? 'but not as someone else'

# Reading.
imap pneu@localhost pneupneu 'SEARCH SUBJECT to-pneu' >"$TMP/imap"
has "$TMP/imap" '^\* SEARCH [0-9]' 'IMAP with the local CA finds it'
imap alice@localhost alicealice NOOP >/dev/null
ok $? 'alice logs in'
! imap alice@localhost wrong NOOP >/dev/null
ok $? 'not with a wrong password'

# Every program is caged but the supervisors, and stages and the parent of
# imap-serve, which start others and read nothing that comes from outside.
loose=
for p in $(processes "$TMP/one"); do
	name=$(cat "/proc/$p/comm" 2>/dev/null) || continue
	case $name in
	sh | runsv | runsvdir | svlogd | localserve | pneu | stages | sleep) ;;
	imap-serve) ;;
	*) grep -q '^Seccomp:.*2' "/proc/$p/status" &&
		grep -q '^NoNewPrivs:.*1' "/proc/$p/status" ||
		loose="$loose $name" ;;
	esac
done
is "$loose" '' 'all services are confined'

# What must not start says so and disturbs nothing.
PNEU_ROOT=$TMP/one PNEU_PORT_OFFSET=$((one + 1000)) timeout 30 \
    pneu localserve >"$TMP/out" 2>"$TMP/err"
is $? 111 'a second one in the same root: 111'
is "$(wc -l <"$TMP/err" | tr -d ' ')" 1 'and one line'
PNEU_ROOT=$TMP/three PNEU_PORT_OFFSET=$one timeout 60 \
    pneu localserve >"$TMP/out" 2>"$TMP/err"
is $? 111 'a taken port: 111'
has "$TMP/err" "$((one + 25))" 'and a line that names it'
wait_for 1 none_left "$TMP/three"; ok $? 'and no process is left'
send pneu@localhost still $((one + 25)); ok $? 'the first goes on'

stops one "$first" TERM
send pneu@localhost beside $((two + 25)); ok $? 'the second goes on'

# Again in the same root: everything is kept.
ca=$(cksum <"$TMP/one/secret/ca.pem")
offset=$one
begin one
first=$pid
ready one "$first"; ok $? 'starts again'
arrived "$TMP/one/mail/pneu" to-pneu; ok $? 'the mail is kept'
is "$(cksum <"$TMP/one/secret/ca.pem")" "$ca" 'the CA is kept'
stops one "$first" INT
stops two "$second" TERM
finish
