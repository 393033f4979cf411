#!/bin/sh
# queue-add, queue-list, queue-show, queue-retry, queue-drop, mail-submit.
set -u
: "${PNEU_BIN:?}" "${PNEU_TOOLS:?}"
root=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; wait; rm -rf "$root"' EXIT
mkdir -p "$root/conf/pipeline" "$root/run" "$root/home"
PNEU_ROOT=$root HOME=$root/home
export PNEU_ROOT HOME
PATH=$PNEU_BIN:$PATH
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
is() { # got want text
	[ "$1" = "$2" ]; ok $? "$3"
	[ "$1" = "$2" ] || printf '# got:  %s\n# want: %s\n' "$1" "$2"
}
has() { # text pattern name
	printf '%s\n' "$1" | grep -q -- "$2"; ok $? "$3"
}
echo 'host name=a.example' >"$root/conf/host"
conf-build; ok $? 'configuration'

# queue-add, one-shot: a job goes through with its line added
job='job id=aaaaaaaaaaaaaaaa size=23 time=1000 body=7bit smtputf8=yes
client ip=192.0.2.1 helo=pc proto=ESMTPSA tls=TLSv1.3 cipher=X
auth account=ann
from addr=ann@a.example
rcpt addr=bob@b.example
sign domain=a.example text="DKIM-Signature: v=1;\n b=x"
prepend text="Message-ID: <1@a.example>"

Subject: hi'
out=$(printf '%s\r\n\r\nb\357\274\211dy\r\n' "$job" | queue-add 2>"$root/err"); r=$?
is "$r" 0 'queue-add'; has "$out" '^queued id=aaaaaaaaaaaaaaaa rcpts=1$' 'queued line'
msg=$(queue-show aaaaaaaaaaaaaaaa)
is "$(printf '%s' "$msg" | head -n 1 | tr -d '\r')" \
    'Received: from a.example by a.example with ESMTPSA id aaaaaaaaaaaaaaaa' 'Received first'
has "$msg" 'Thu, 1 Jan 1970 00:16:40 +0000' 'its date'
is "$(printf '%s' "$msg" | grep -c 192.0.2.1)" 0 'the client is not disclosed'
is "$(printf '%s\n' "$msg" | sed -n '5,$p' | tr -d '\r' | head -n 4 | tr '\n' '|')" \
    'DKIM-Signature: v=1;| b=x|Message-ID: <1@a.example>|Subject: hi|' 'sign, prepend, message'
has "$(queue-show -e aaaaaaaaaaaaaaaa)" '^job .*body=8bitmime smtputf8=no$' 'true nature of the message'
printf '%s\n' "$job" | sed 's/<1@a.example>/x\\n\\nbody/; s/size=23/size=12/' | queue-add >/dev/null 2>"$root/err"
is $? 111 'a field that would end the header is refused'

for i in 1 2 3; do
	printf 'Subject: %s\r\n\r\n' $i | queue-add -f "u$i@a.example" -r "x@h$i.example" >/dev/null 2>&1
done
is "$(queue-list | grep -c '^entry ')" 4 'four entries'
is "$(queue-list -account ann | grep -c .)" 1 '-account'
has "$(queue-list -v -to @H2.example)" '^rcpt .*addr=x@h2.example status=new' '-to and -v'
is "$(queue-list -n 2 -sort queued -desc | grep -c .)" 2 '-n'
has "$(queue-list -sort queued | head -n 1)" 'id=aaaaaaaaaaaaaaaa' 'oldest first'
is "$(queue-list -submitted '<-1h' | grep -c .)" 1 '-submitted'
queue-drop >/dev/null 2>&1; is $? 100 'queue-drop needs to be told what'
queue-retry >/dev/null 2>&1; is $? 100 'and queue-retry'
is "$(queue-retry -t +1h -from u1)" 'retry count=1' 'queue-retry -t'
is "$(queue-list -nextattempt '>30m' | grep -c 'from=u1@')" 1 'it is later now'
is "$(queue-list -nextattempt now | grep -c .)" 3 'the others are due'
is "$(queue-retry -A)" 'retry count=4' '-A'
is "$(queue-list -nextattempt now | grep -c .)" 4 'all are due'
is "$(queue-drop aaaaaaaaaaaaaaaa)" 'drop count=1' 'queue-drop by id'
queue-show aaaaaaaaaaaaaaaa >/dev/null 2>&1; is $? 1 'it is gone'
queue-drop aaaaaaaaaaaaaaaa >/dev/null; is $? 1 'queue-drop: no such entry'
queue-retry -ids aaaaaaaaaaaaaaaa >/dev/null; is $? 1 'queue-retry: the same'
queue-list aaaaaaaaaaaaaaaa; is $? 1 'and queue-list'
queue-list -C "$root/nowhere" 2>"$root/err"; is $? 111 'no such root'
[ ! -e "$root/nowhere" ]; ok $? 'and none is made'
queue-retry -to nobody@ >/dev/null; is $? 0 'a filter may choose none'
for c in 'list -submitted 3' 'list -nextattempt soon' 'list -n 0' 'list -sort size' 'retry -A -t x' 'drop -ids x'; do
	# shellcheck disable=SC2086 # words
	queue-$c >/dev/null 2>&1; is $? 100 "queue-$c: usage"
done
queue-list -C "$root/conf/host" >/dev/null 2>&1; is $? 111 'no directory'
queue-show ../../etc/passwd >/dev/null 2>&1; is $? 100 'a path is no id'
echo 'done how=sent id=' >>"$root/queue/journal"
is "$(queue-list | grep -c .)" 3 'a torn record harms nothing'
is "$(queue-drop -A)" 'drop count=3' 'queue-drop -A'
is "$(queue-list)" '' 'empty'

# mail-submit: not accepted, then accepted
printf 'Subject: kept\n\nx\n' | mail-submit bob@b.example 2>"$root/err"; is $? 75 'no pipeline: try again'
has "$(cat "$root/err")" 'is kept in ' 'it says where the message is'
has "$(cat "$root"/home/mail-submit.failures/*)" '^Subject: kept' 'and it is there'
cat >"$root/conf/pipeline/outbound" <<EOF
stage name=queue-add command="$PNEU_BIN/queue-add -w -C $root" types=queued
EOF
stages outbound 2>"$root/log" &
pid=$!
i=0
while [ ! -S "$root/run/outbound" ] && [ $i -lt 100 ]; do
	i=$((i + 1)); sleep 0.05
done
printf 'To: Bob\n <bob@b.example>, root\nBcc: c@c.example\n\n.x\n.\nno\n' |
    "$PNEU_BIN/sendmail" -t -oem -f ann@a.example -F 'Ann "A" Ex' d@d.example
is $? 0 'sendmail -t'
id=$(queue-list | sed 's/^entry id=//; s/ .*//')
env=$(queue-show -e "$id"); msg=$(queue-show "$id" | tr -d '\r')
for a in bob@b.example root@a.example c@c.example d@d.example; do
	has "$env" "^rcpt addr=$a\$" "recipient $a"
done
has "$env" '^peer uid=' 'the caller, from the kernel'
is "$(printf '%s' "$msg" | grep -ci bcc)" 0 'no Bcc'
has "$msg" '^From: "Ann \\"A\\" Ex" <ann@a.example>$' 'From'
has "$msg" '^Date: .* +0000$' 'Date'
has "$msg" '^Message-ID: <.*@a.example>$' 'Message-ID'
is "$(printf '%s\n' "$msg" | tail -n 1)" '.x' 'ends at the dot'
printf 'Subject: i\n\na\n.\nb\n' | mail-submit -i -f '<>' e@e.example
id=$(queue-list -to e@ | sed 's/^entry id=//; s/ .*//')
is "$(queue-show "$id" | tail -n 1 | tr -d '\r')" b '-i'
has "$(queue-list -to e@)" 'from=""' '-f <>'
printf 'Subject: a\n long\n\tone\nX-Old: \\\n\ncaf\303\251\n..\n.x\n' |
    mail-submit -i -f ann@a.example g@g.example
is $? 0 '8-bit, folded, LF'
id=$(queue-list -to g@ | sed 's/^entry id=//; s/ .*//')
has "$(queue-show -e "$id")" '^job .*body=8bitmime smtputf8=no$' '8bitmime'
msg=$(queue-show "$id")
is "$(printf '%s\n' "$msg" | grep -vc "$(printf '\r')\$")" 0 'CRLF line ends'
msg=$(printf '%s' "$msg" | tr -d '\r')
is "$(printf '%s\n' "$msg" | sed -n '/^Subject/,/one$/p' | tr '\n' '|')" \
    'Subject: a| long|	one|' 'folds stay'
is "$(printf '%s\n' "$msg" | sed '1,/^$/d' | tr '\n' '|')" \
    "$(printf 'caf\303\251|..|.x|')" 'the body as it was'
is "$(printf '%s\n' "$msg" | grep -c '^From:')" 1 'a From of our own'
printf 'Cc: x@x.example,\n y@y.example\nBcc: z@z.example,\n w@w.example\nTo: undisclosed:;\n\n' |
    mail-submit -t
is $? 0 '-t with a group and folded lists'
env=$(queue-show -e "$(queue-list -to z@z.example | sed 's/^entry id=//; s/ .*//')")
is "$(printf '%s\n' "$env" | grep -c '^rcpt ')" 4 'four recipients'
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	as_nobody() { # the binary's directory may be closed to others
		chmod 755 "$root" && mkdir -p "$root/bin" "$root/nobody" &&
		    cp "$PNEU_BIN/mail-submit" "$root/bin" && chown nobody "$root/nobody" &&
		    printf 'Subject: n\n\nx\n' | HOME=$root/nobody setpriv --reuid=nobody \
		    --regid=nogroup --clear-groups "$root/bin/mail-submit" n@n.example
	}
	chmod 755 "$root/run" "$root/cdb"
	as_nobody 2>"$root/err"; is $? 75 'another user: temporary'
	has "$(cat "$root/err")" 'run/outbound: Permission denied (only its group' 'and why'
	has "$(cat "$root"/nobody/mail-submit.failures/*)" '^Subject: n' 'the message is kept'
	chgrp nogroup "$root/run/outbound"
	as_nobody; is $? 0 'a user of the group'
	id=$(queue-list -to n@n.example | sed 's/^entry id=//; s/ .*//')
	has "$(queue-show -e "$id")" "^peer uid=$(id -u nobody)\$" 'known by its uid'
	has "$(queue-show "$id" | tr -d '\r')" '^From: .*<nobody@a.example>$' 'and name'
fi
mail-submit 'no address@' </dev/null 2>/dev/null; is $? 67 'bad recipient'
mail-submit </dev/null 2>/dev/null; is $? 64 'no recipient'

# a full disk: refused for now, nothing half
mkdir "$root/small"
if mount -t tmpfs -o size=256k none "$root/small" 2>/dev/null; then
	mkdir "$root/small/run" "$root/small/cdb"
	cp "$root/cdb/conf.cdb" "$root/small/cdb/" # psl.cdb fills it
	head -c 300000 /dev/zero | tr '\0' x |
	    queue-add -C "$root/small" -f a@a.example -r b@b.example \
	    >/dev/null 2>"$root/err"
	is $? 111 'disk full'
	has "$(cat "$root/err")" 'code=452 ecode=4.3.1' '452 4.3.1'
	is "$(find "$root/small/queue/job" "$root/small/queue/tmp" -type f |
	    grep -c .)" 0 'nothing is left behind'
	umount "$root/small"
fi
echo "1..$n"
