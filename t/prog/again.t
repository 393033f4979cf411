#!/bin/sh
# A job that is submitted again with its id after its pipeline died is done
# once: deliver, queue-add, and who submits.
set -u
. "$(dirname "$0")/../lib.sh"
PATH=$PNEU_TOOLS:$PATH
PNEU_ROOT=$TMP/root
export PNEU_ROOT
mkdir -p "$PNEU_ROOT/conf/pipeline" "$PNEU_ROOT/mail" "$PNEU_ROOT/run"
echo 'host name=mx.example.org' >"$PNEU_ROOT/conf/host"
conf-build && domain-add example.org >/dev/null && account-add bob bob@example.org >/dev/null
ok $? 'an account'
cat >"$PNEU_ROOT/conf/pipeline/in" <<E
stage name=wait command="$PNEU_TOOLS/stage-try wait" types=wait time=60
stage name=imf-parse command=imf-parse types=imf
stage name=deliver command=deliver types=deliver
E
echo 'stage name=queue-add command=queue-add types=queued' >"$PNEU_ROOT/conf/pipeline/out"
pids=
up() { # pipeline
	rm -f "$PNEU_ROOT/run/$1"
	stages "$1" 2>>"$TMP/log" &
	pid=$! pids="$pids $!"
	wait_for 10 test -S "$PNEU_ROOT/run/$1"
}
trap 'kill $pids 2>/dev/null; lib_cleanup' EXIT
load() { # pipeline options...
	_to=$PNEU_ROOT/run/$1
	shift
	job-load -v -r 'addr=bob@example.org account=bob' "$@" "$_to"
}
inbox() { find "$PNEU_ROOT/mail/bob/Maildir/new" -type f 2>/dev/null | wc -l | tr -d ' '; }

up in
load in -i aaaaaaaaaaaaaaaa >"$TMP/out"; has "$TMP/out" code=250 'a job'
load in -A -i aaaaaaaaaaaaaaaa >"$TMP/out"; has "$TMP/out" code=250 'again: accepted'
is "$(inbox)" 1 'and there once'
load in -A -i bbbbbbbbbbbbbbbb >"$TMP/out"; has "$TMP/out" code=250 'again, but nothing was done'
is "$(inbox)" 2 'then it is done now'
load in -i aaaaaaaaaaaaaaaa >"$TMP/out"
is "$(inbox)" 3 'who does not ask again has another message'

# The pipeline is killed with the job, and comes back.
load in -f wait-sleep2@x.example >"$TMP/slow" &
slow=$!
# The worker has the job once it has its envelope, message and parts.
has_job() {
	for c in $(pgrep -P "$pid" stage-try); do
		find "/proc/$c/fd" -lname "*memfd:message*" | grep -q . && return 0
	done
	return 1
}
wait_for 10 has_job
ok $? 'a job on its way'
kill -KILL "$pid"
wait "$pid" 2>/dev/null
up in
wait $slow
has "$TMP/slow" code=250 'killed with the job: its next life answers'
is "$(inbox)" 4 'it is there once'

# Nobody comes back: an answer all the same, by the caller.
load in -f wait-sleep2@x.example >"$TMP/slow" 2>&1 &
slow=$!
wait_for 10 has_job
kill -KILL "$pid"
wait $slow
is $? 111 'nobody comes back'
load in >"$TMP/out" 2>&1; is $? 111 'and who is not there is not waited for'

up out
load out -a bob -f bob@example.org -i cccccccccccccccc >"$TMP/out"
has "$TMP/out" code=250 'queued'
load out -A -a bob -f bob@example.org -i cccccccccccccccc >"$TMP/out"
has "$TMP/out" code=250 'again'
is "$(queue-list | wc -l | tr -d ' ')" 1 'one entry'
queue-drop cccccccccccccccc >/dev/null
# As queue-run ends it.
rm -f "$PNEU_ROOT/queue/job/cccccccccccccccc"
load out -A -a bob -f bob@example.org -i cccccccccccccccc >"$TMP/out"
has "$TMP/out" code=250 'again, after it was sent'
[ ! -e "$PNEU_ROOT/queue/job/cccccccccccccccc" ]; ok $? 'it is not sent twice'
load out -A -a bob -f bob@example.org -i dddddddddddddddd >"$TMP/out"
[ -e "$PNEU_ROOT/queue/job/dddddddddddddddd" ]; ok $? 'what was not queued is queued now'
finish
