#!/bin/sh
# queue-run: files of entries that are over are removed by other processes;
# those that die are not missed, and what cannot be removed is not sent again.
set -u
: "${PNEU_BIN:?}"
root=$(mktemp -d)
pid='' sender=''
trap 'kill $pid $sender 2>/dev/null; wait; rm -rf "$root"' EXIT
mkdir -p "$root/conf" "$root/run"
PNEU_ROOT=$root
PATH=$PNEU_BIN:$PATH
export PNEU_ROOT
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
wait_for() { # command...
	i=0
	while ! "$@" && [ $i -lt 200 ]; do
		i=$((i + 1)); sleep 0.05
	done
	"$@"
}
files() { [ "$(find "$root/queue/job" -mindepth 1 | grep -c .)" -eq "$1" ]; }
listed() { [ "$(queue-list | grep -c '^entry ')" -eq "$1" ]; }
add() { # count
	for _ in $(seq "$1"); do
		printf 'Subject: x\r\n\r\nx\r\n' |
		    queue-add -f a@a.example -r b@b.example >/dev/null 2>&1
	done
}
start() {
	queue-run 2>>"$root/log" &
	pid=$!
	wait_for test -S "$root/run/queue"
}
# Drop all; the files are left to queue-run, as after messages are sent.
drop_all() {
	kill -STOP $pid
	cp -R "$root/queue/job" "$root/kept"
	queue-drop -A >/dev/null
	cp -R "$root/kept/." "$root/queue/job/"
	rm -rf "$root/kept"
	kill -CONT $pid
}
one() { # tests of find: an id
	find "$root/queue/job" -mindepth 1 "$@" | sed 's/.*\///'
}
sweepers() { cat "/proc/$pid/task/$pid/children"; }

# A resolver that is not there: every attempt is deferred at once.
echo 'host name=a.example resolver=127.0.0.1:9' >"$root/conf/host"
conf-build; ok $? 'configuration'
smtp-send 2>>"$root/log" &
sender=$!
wait_for test -S "$root/run/send"
start
add 100
listed 100; ok $? 'a hundred entries'
drop_all
wait_for files 0; ok $? 'dropped: all files are removed'

# shellcheck disable=SC2046 # pids
kill -KILL $(sweepers)
add 20
drop_all
wait_for files 0; ok $? 'without those processes, too'
grep -q 'removes queue entries has ended' "$root/log"; ok $? 'which the log says'
kill $pid; wait $pid; ok $? 'it ends'

# A directory in the place of a file cannot be removed as one.
start
add 1
id=$(one)
wait_for grep -q "deferred .*id=$id" "$root/log"
kill -STOP $pid
cp "$root/queue/job/$id" "$root/kept"
queue-drop "$id" >/dev/null
mkdir "$root/queue/job/$id"
kill -CONT $pid
wait_for grep -q "unable to remove queue entry $id" "$root/log"
ok $? 'one that cannot be removed is told'
rmdir "$root/queue/job/$id" && mv "$root/kept" "$root/queue/job/$id"
before=$(grep -c "id=$id" "$root/log")
add 1
queue-retry -A >/dev/null # it reads the directory
other=$(one ! -name "$id")
wait_for grep -q "deferred .*id=$other" "$root/log"
[ "$(grep -c "id=$id" "$root/log")" -eq "$before" ]
ok $? 'and not sent again when the directory is read'
kill $pid; wait $pid; ok $? 'it ends'
start
wait_for files 1; ok $? 'the next start removes it'
echo "1..$n"
