# Sourced by t/bench/run: what a check of SPF costs beside both programs of the
# name spfquery, in CPU time of the processes that do it.
# shellcheck shell=bash
SPF_PEERS='libspf2 mail-spf-perl'

# N senders at one hoster, so that what either keeps of DNS answers is of little
# use; each has a record of four terms, of which the last but one matches, and a
# HELO name with a record, too. A file a message for job-load, a line for spfquery.
spf_make() {
	local i d ip
	mkdir -p "$WORK/spf.d"
	cat >>"$WORK/auth.dns" <<'E'
	local-data: '_spf.hoster.example. 3600 IN TXT "v=spf1 ip4:198.51.100.0/24 a:out.hoster.example ~all"'
	local-data: "out.hoster.example. 3600 IN A 198.51.100.7"
E
	for i in $(seq "$N"); do
		d=s$i.example ip=203.0.113.$((i % 250 + 1))
		cat >>"$WORK/auth.dns" <<E
	local-data: "$d. 3600 IN MX 10 mx.$d."
	local-data: "mx.$d. 3600 IN A $ip"
	local-data: '$d. 3600 IN TXT "v=spf1 ip4:198.51.100.128/25 include:_spf.hoster.example mx -all"'
	local-data: 'mx.$d. 3600 IN TXT "v=spf1 a -all"'
E
		echo "Subject: bench" >"$WORK/spf.d/$ip,mx.$d,a@$d"
		echo "$ip a@$d mx.$d" >>"$WORK/spf.mailfrom"
		echo "$ip mx.$d mx.$d" >>"$WORK/spf.helo"
	done
}
# Both identities of each of N messages.
bench_spf() {
	local who n root=$WORK/spf.root
	mkdir -p "$root/conf/pipeline"
	echo "host name=$HOST resolver=127.0.0.1:53" >"$root/conf/host"
	spf_command >"$WORK/spf-check"
	chmod +x "$WORK/spf-check"
	echo "stage name=spf-check command=$WORK/spf-check types=spf,dns max=4" >"$root/conf/pipeline/spf"
	auth_up spf || return 1
	"$TOOLS/job-load" -n 40 -c 4 -d "$WORK/spf.d" "$root/run/spf" >"$WORK/load"
	for _ in $(seq "$RUNS"); do
		spf_workers
		note 'spf each' pneu "$(spf_each spf_check)"
		for who in $SPF_PEERS; do
			command -v "spfquery.$who" >/dev/null || continue
			# Perl takes its time.
			[ $who = libspf2 ] && n=$N || n=$((N / 10))
			note 'spf many' "$who" "$(spf_file "$who" "$n")"
			note 'spf each' "$who" "$(spf_each spf_query "$who")"
		done
	done
	auth_down spf
	group_end spf-check
	[ "$(cat "$root"/case/* | grep -c '^spf result=pass identity=mailfrom .*mech=mx')" -ge "$N" ] ||
	    echo 'bench: spf: the messages did not pass' >&2
	for who in $SPF_PEERS; do
		row "spf beside $who" 'us CPU/msg' 'spf many' "$who" '< 1.00 x spfquery'
		row '... a process for each' 'us CPU/msg' 'spf each' "$who" ''
	done
}
# The workers of `stages' in a group of their own: what it costs to hand jobs out
# and to keep cases is not what a check costs.
spf_command() {
	mkdir -p "$(group_dir spf-check)"
	echo '#!/bin/sh'
	echo "echo \$\$ >$(group_dir spf-check)/cgroup.procs && exec $BIN/spf-check \"\$@\""
}
spf_workers() {
	local c0
	c0=$(group_cpu spf-check)
	"$TOOLS/job-load" -n "$N" -c 4 -d "$WORK/spf.d" "$WORK/spf.root/run/spf" >"$WORK/load"
	grep -q " code250=$N\$" "$WORK/load" || echo "bench: spf: $(cat "$WORK/load")" >&2
	note 'spf many' pneu "$(awk "BEGIN { print ($(group_cpu spf-check) - $c0) * 1000 / $N }")"
}
# One process that reads all from a file, which is the cheapest way to use it;
# it judges one identity, so it is run for both. What it costs to start is taken
# off.
spf_file() { # who messages
	local all none
	head -n "$2" "$WORK/spf.mailfrom" >"$WORK/spf.1"
	head -n "$2" "$WORK/spf.helo" >"$WORK/spf.2"
	all=$(cpu_of spf_both "$1" "$WORK/spf.1" "$WORK/spf.2")
	[ "$(grep -c '^pass$' "$WORK/spf.out")" -eq $((2 * $2)) ] ||
	    echo "bench: spfquery.$1: not all passed" >&2
	none=$(cpu_of spf_both "$1" /dev/null /dev/null)
	awk "BEGIN { print ($all - $none) * 1e6 / $2 }"
}
spf_both() { # who mailfrom-file helo-file
	case $1 in
	libspf2)
		spfquery.libspf2 -file=- <"$2"
		spfquery.libspf2 -file=- <"$3"
		;;
	*)
		spfquery.mail-spf-perl --scope mfrom --file - <"$2"
		spfquery.mail-spf-perl --scope helo --file - <"$3"
		;;
	esac >"$WORK/spf.out"
}
# The first 20 messages, a process for each; spfquery needs two of them.
spf_each() { # command...
	local cpu
	cpu=$(cpu_of spf_twenty "$@")
	awk "BEGIN { print $cpu * 1e6 / 20 }"
}
spf_twenty() {
	local ip from helo
	head -n 20 "$WORK/spf.mailfrom" | while read -r ip from helo; do
		"$@" "$ip" "$from" "$helo" </dev/null
	done
}
spf_check() { "$BIN/spf-check" -s 127.0.0.1:53 -n -i "$1" -H "$3" -f "$2"; }
spf_query() { # who ip from helo
	case $1 in
	libspf2)
		spfquery.libspf2 -ip="$2" -sender="$3" -helo="$4"
		spfquery.libspf2 -ip="$2" -sender="$4" -helo="$4"
		;;
	*)
		spfquery.mail-spf-perl --scope mfrom --id "$3" --ip "$2" --helo-id "$4"
		spfquery.mail-spf-perl --scope helo --id "$4" --ip "$2"
		;;
	esac
}
