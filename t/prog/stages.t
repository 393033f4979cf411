#!/bin/sh
# stages: order, refusal, slow and dying workers, filters, shadow, both faces.
set -u
: "${PNEU_BIN:?}" "${PNEU_TOOLS:?}"
root=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid; wait; rm -rf "$root"' EXIT
mkdir -p "$root/conf/pipeline" "$root/run" "$root/case"
touch "$root/case/2020010100"
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
try=$PNEU_TOOLS/stage-try
load() { "$PNEU_TOOLS/job-load" "$@" "$root/run/inbound"; }
has() { # pattern text
	grep -q -- "$1" "$root/out"
	ok $? "$2"
}
cat >"$root/filter" <<'EOF'
#!/bin/sh
# Adds a line of its own type, and one that is not its own.
env=$(mktemp) && trap 'rm -f $env' EXIT
cat >"$env"
sed '/^$/q' "$env" | sed '$d'
grep -q 'addr=filter-refuse' "$env" && exit 100
echo 'site result=seen'
echo 'b result=forged'
echo
sed '1,/^$/d' "$env"
EOF
chmod +x "$root/filter"
cat >"$root/conf/pipeline/inbound" <<EOF
# the first stage is slow for some
stage name=a command="$try a" types=a max=6 time=2 fail=neutral
stage name=site command="$root/filter" kind=filter types=site time=5
stage name=s command="$try s" types=s shadow=yes
stage name=b command="$try b" types=b max=4 time=2
EOF
"$PNEU_BIN/stages" -C "$root" inbound 2>"$root/log" &
pid=$!
i=0
while [ ! -S "$root/run/inbound" ] && [ $i -lt 100 ]; do
	i=$((i + 1)); sleep 0.05
done

load -v >"$root/out"; has 'code=250' 'a job goes through'
cat "$root"/case/* >"$root/out"
has '^peer uid=' 'the peer is recorded'
[ ! -e "$root/case/2020010100" ]; ok $? 'cases of years ago are gone'
has '^a result=pass from=a@example.net' 'first stage'
has '^site result=seen' 'filter'
has '^shadow stage=stage-try line="s result=pass' 'shadow stage recorded apart'
has '^b result=pass' 'last stage'
! grep -q forged "$root/out"; ok $? 'a line of a foreign type is dropped'
[ "$(grep -nE '^(job|client|from|rcpt|peer|a|site|shadow|b) ' "$root/out" |
    awk '{ print $1 }' | sed 's/.*://' | tr '\n' ' ')" = \
    'job client from rcpt peer a site shadow b ' ]
ok $? 'records in the order of the stages'

load -v -f a-refuse@x >"$root/out"; has 'code=550 ecode=5.7.1 text="refused by a"' 'refusal by a stage'
load -v -f filter-refuse@x >"$root/out"; has 'code=550' 'refusal by a filter'
load -v -f s-refuse@x >"$root/out"; has 'code=250' 'refusal by a shadow stage is not used'
load -v -f b-accept@x >"$root/out"; has 'ecode=2.6.0 text="taken by b"' 'accepted by the last stage'
load -v -f a-accept@x >"$root/out"; has 'code=451' 'only the last stage may accept'
load -v -f a-foreign@x >"$root/out"; has 'code=250' 'a worker cannot write foreign lines'

load -v -f b-sleep9@x >"$root/out"; has 'code=451' 'over its time: temporary failure'
load -v -f a-sleep9@x >"$root/out"; has 'code=250' 'over its time: neutral where the pipeline says so'
grep -h 'a result=temperror' "$root"/case/* >"$root/out"; has 'time budget' 'the neutral line'

load -v -f b-crash@x >"$root/out"; has 'code=451' 'a job that kills two workers is refused'
ls "$root"/spool/poison/* >/dev/null 2>&1; ok $? 'and set aside'
sed '/^$/q' "$root"/spool/poison/* >"$root/out"; has 'addr=b-crash@x' 'with its envelope'
load -n 20 -c 4 >"$root/out"; has 'code250=20' 'the line moves on'
load -v -s 3000000 >"$root/out"; has 'code=250' 'a large message'

# One message sleeps for long; others are not held up.
up() { # pipeline: started, $up
	"$PNEU_BIN/stages" -C "$root" "$1" 2>"$root/up.log" &
	up=$!
	i=0
	while [ ! -S "$root/run/$1" ] && [ $i -lt 100 ]; do
		i=$((i + 1)); sleep 0.05
	done
}
asleep() { # until a job sleeps
	i=0
	while ! grep -q 'stage-try.* sleeps' "$root/up.log" && [ $i -lt 200 ]; do
		i=$((i + 1)); sleep 0.05
	done
}
echo "stage name=b command=\"$try b\" types=b max=4 time=60" >"$root/conf/pipeline/slow"
up slow
to_slow() { "$PNEU_TOOLS/job-load" "$@" "$root/run/slow"; }
to_slow -v -f b-sleep9@x >"$root/slow" & slow=$!
asleep
to_slow -n 50 -c 5 >"$root/out"
[ ! -s "$root/slow" ]
ok $? 'a slow message does not delay fifty others'
has 'code250=50' 'all fifty'
kill $slow $up; wait $slow $up

# In a batch, too, only the job that kills is set aside.
rm -rf "${root:?}/spool/poison/"*
echo "stage name=b command=\"$try -B b\" types=b max=1" >"$root/conf/pipeline/batch"
up batch
to_batch() { "$PNEU_TOOLS/job-load" "$@" "$root/run/batch"; }
to_batch -f b-sleep1@x >/dev/null & first=$!
asleep # the worker has that one; the others wait together
to_batch -n 20 -c 20 >"$root/out" & many=$!
to_batch -v -f b-crash@x >"$root/crash" & crash=$!
wait $first $many $crash
has 'code250=20' 'a job that kills takes none of its batch with it'
grep -q 'code=451' "$root/crash"; ok $? 'but is refused itself'
[ "$(ls "$root/spool/poison" | sed 's/\..*//' | sort -u | wc -l)" -eq 1 ]; ok $? 'and set aside alone'
kill $up; wait $up

# A filter that says it all and does not end: it and its children are ended.
cat >"$root/hang" <<'EOF'
#!/bin/sh
cat
exec >&-
sleep 317 &
echo $! >"$0.pid"
wait
EOF
chmod +x "$root/hang"
echo "stage name=hang command=\"$root/hang\" kind=filter types=hang time=1
stage name=b command=\"$try b\" types=b" >"$root/conf/pipeline/hang"
up hang
"$PNEU_TOOLS/job-load" -v "$root/run/hang" >"$root/out"
has 'code=451' 'a filter that does not end: temporary failure'
i=0
left() { # not ended; one that waits to be reaped has
	grep -q '^State:.[^Z]' "/proc/$(cat "$root/hang.pid")/status" 2>/dev/null
}
while left && [ $i -lt 100 ]; do
	i=$((i + 1)); sleep 0.05
done
[ -s "$root/hang.pid" ] && ! left; ok $? 'and nothing of it is left'
kill $up; wait $up

# The three faces give the same line.
printf 'From: a@x\r\n\r\nhi\r\n' >"$root/mail"
printf 'job id=abcdefghijklmnop size=17 time=1\nfrom addr=q@x\nrcpt addr=r@x\n\n' >"$root/job"
cat "$root/mail" >>"$root/job"
$try a <"$root/job" >"$root/out"; ok $? 'one-shot'
has '^a result=pass from=q@x bytes=17$' 'adds its line'
sed '1,/^$/d' "$root/out" | cmp -s - "$root/mail"; ok $? 'the message is passed on unchanged'
$try -f q@x a <"$root/mail" >"$root/out"; ok $? 'for people'
[ "$(cat "$root/out")" = 'a result=pass from=q@x bytes=17' ]; ok $? 'only the verdict'
head -c 80 "$root/job" | $try a >"$root/out" 2>"$root/err"; [ $? -eq 111 ]; ok $? 'a cut job is noticed'
[ ! -s "$root/out" ]; ok $? 'and nothing is passed on'


# More jobs than a socket holds by itself, and a worker that takes none:
# stages(8) is not held up.
printf '#!/bin/sh\nexec sleep 60\n' >"$root/jam"
chmod +x "$root/jam"
echo "stage name=jam command=\"$root/jam\" types=jam max=1" \
    >"$root/conf/pipeline/jam"
up jam; jam=$up
"$PNEU_TOOLS/job-load" -n 900 -c 900 -s 100 "$root/run/jam" >/dev/null 2>&1 &
load=$!
i=0
until [ "$(ls /proc/$jam/fd | wc -l)" -gt 2500 ] || [ $i -eq 200 ]; do
	i=$((i + 1)); sleep 0.05
done
[ $i -lt 200 ]; ok $? 'it takes more jobs than its workers can'
kill $jam
i=0
while kill -0 $jam 2>/dev/null && [ $i -lt 100 ]; do
	i=$((i + 1)); sleep 0.05
done
[ $i -lt 100 ]; ok $? 'and still obeys'
[ $i -lt 100 ] || kill -9 $jam
wait $jam $load

kill $pid; wait $pid; pid=
ok $? 'stops on SIGTERM'

# append=: records kept for reports, with the verdict.
echo "stage name=a command=\"$try a\" types=a,dns append=a
stage name=b command=\"$try b\" types=b" >"$root/conf/pipeline/inbound"
rm -rf "$root/case" "$root/report" "$root/run/inbound"
# inbound: its stages(8) again; hours FILE SIZE: such a case of this hour and the next.
inbound() { up inbound; pid=$up; }
down() { kill $pid; wait $pid; pid=; rm -f "$root/run/inbound"; }
inbound
load -v >"$root/out"; has 'code=250' 'with append='
load -v -f b-refuse@x >"$root/out"; has 'code=550' 'and a refusal'
cat "$root"/report/a/* >"$root/out"
[ "$(grep -cE '^a result=pass from=[^ ]* bytes=[0-9]+ id=[a-z0-9]{16} time=[0-9]+ code=(250|550)$' "$root/out")" -eq 2 ]
ok $? 'the records with id, time and code'
[ "$(wc -l <"$root/out")" -eq 2 ]; ok $? 'and nothing else'
# A disk that was full left half a line: the next case is whole.
printf 'job id=zzzz' >>"$(ls "$root"/case/* | tail -n 1)"
load -v -f after-torn@x >"$root/out"
cat "$root"/case/* >"$root/out"
awk 'BEGIN { RS = "" } /addr=after-torn@x/ && /^job id=/ && !/zzzz/ { good = 1 }
    END { exit !good }' "$root/out"
ok $? 'half a line does not spoil the next case'
down
echo 'stage name=a command=a types=a append=b' >"$root/conf/pipeline/bad"
"$PNEU_BIN/stages" -C "$root" bad 2>"$root/out"; [ $? -eq 100 ]; ok $? 'append= of another type'
echo 'stage name=a command=a types=../a append=../a' >"$root/conf/pipeline/bad"
"$PNEU_BIN/stages" -C "$root" bad 2>"$root/out"; [ $? -eq 100 ]; ok $? 'append= of a path'

# case-size=1m: the oldest hours go first, and an hour has a quarter.
rm -rf "$root/case" "$root/conf/pipeline/bad"; mkdir -p "$root/case" "$root/cdb"
printf 'host name=mx.example.org case-size=1m\n' >"$root/conf/host"
"$PNEU_BIN/conf-build" -C "$root" 2>"$root/out"; ok $? 'conf-build'
for h in 30 29 28 27; do
	head -c 300000 /dev/zero >"$root/case/$(date -u -d "-$h hours" +%Y%m%d%H)"
done
newest=$(ls "$root/case" | tail -n 2 | tr '\n' ' ')
inbound
load -v >"$root/out"; has 'code=250' 'under a small bound'
ls "$root/case" | head -n 2 | tr '\n' ' ' >"$root/out"; has "^$newest\$" 'the oldest went'
[ "$(ls "$root/case" | wc -l)" -eq 3 ]; ok $? 'two of four'
for h in 0 1; do
	head -c 262000 /dev/zero >>"$root/case/$(date -u -d "+$h hours" +%Y%m%d%H)"
done
load -n 5 >"$root/out"; has 'code250=5' 'an hour that is full: the mail goes on'
[ "$(grep -c 'has its share' "$root/up.log")" -eq 1 ]; ok $? 'one line says it'
[ "$(cat "$root"/case/* | wc -c)" -lt 1400000 ]; ok $? 'and nothing is added'
down
# What cannot be written does not hold up the mail either.
rm -rf "$root/case"; mkdir "$root/case"
for h in 0 1; do
	mkfifo "$root/case/$(date -u -d "+$h hours" +%Y%m%d%H)"
done
inbound
load -n 2 >"$root/out"; has 'code250=2' 'a FIFO in the way'
down
! pgrep -f "$root" >/dev/null; ok $? 'no worker is left'
echo 'stage name=x' >"$root/conf/pipeline/bad"
"$PNEU_BIN/stages" -C "$root" bad 2>"$root/out"; [ $? -eq 100 ]; ok $? 'bad pipeline file: exit 100'
has 'bad:1: a stage needs' 'names file and line'
echo "1..$n"
