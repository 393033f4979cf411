# Sourced by t/bench/run: a network namespace with only a loopback, control
# groups that count CPU time and name the processes of a server, and waiting.
# shellcheck shell=bash
MX=192.0.2.25 SINK=192.0.2.80 DOMAIN=bench.example
HOST=mx.$DOMAIN

# Run $0 again inside a namespace of our own; no packet can leave it.
enter_namespace() {
	[ -z "${PNEU_BENCH_NS:-}" ] || return 0
	local ns=pneu-bench-$$ status=0
	ip netns add "$ns" || exit 111
	mkdir -p "/etc/netns/$ns"
	echo 'nameserver 127.0.0.1' >"/etc/netns/$ns/resolv.conf"
	ip netns exec "$ns" ip link set lo up
	ip netns exec "$ns" ip addr add $MX/32 dev lo
	ip netns exec "$ns" ip addr add $SINK/32 dev lo
	PNEU_BENCH_NS=$ns ip netns exec "$ns" "$0" "$@" || status=$?
	ip netns del "$ns"
	rm -rf "/etc/netns/$ns"
	exit $status
}

# group NAME COMMAND...: run the command in the background in a group of its
# own. v1 of the kernel's interface, or v2; mounted anew, since the namespace
# has a /sys of its own.
group_mount() {
	mkdir -p "$WORK/cgroup"
	mount -t cgroup -o cpuacct none "$WORK/cgroup" 2>/dev/null ||
	    mount -t cgroup2 none "$WORK/cgroup"
}
group_dir() { echo "$WORK/cgroup/pneu-bench-$$-$1"; }
group_run() {
	local dir
	dir=$(group_dir "$1")
	shift
	mkdir -p "$dir"
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$dir" "$@" &
}
group_pids() { cat "$(group_dir "$1")/cgroup.procs" 2>/dev/null; }
# CPU milliseconds used so far.
group_cpu() {
	local dir
	dir=$(group_dir "$1")
	if [ -r "$dir/cpuacct.usage" ]; then
		awk '{ printf "%.1f\n", $1 / 1e6 }' "$dir/cpuacct.usage"
	else
		awk '/^usage_usec/ { printf "%.1f\n", $2 / 1e3 }' "$dir/cpu.stat"
	fi
}
# Proportional set size of all its processes, KiB.
group_pss() {
	local p
	for p in $(group_pids "$1"); do
		cat "/proc/$p/smaps_rollup" 2>/dev/null
	done | awk '/^Pss:/ { s += $2 } END { print s + 0 }'
}
group_end() {
	local i dir
	dir=$(group_dir "$1")
	for i in $(seq 100); do
		[ -z "$(group_pids "$1")" ] && break
		sleep 0.1
	done
	# shellcheck disable=SC2046 # a list of numbers
	[ -z "$(group_pids "$1")" ] || kill -KILL $(group_pids "$1")
	sleep 0.2
	rmdir "$dir" 2>/dev/null || true
}

now() { date +%s.%N; }
wait_port() { # host port
	local i
	for i in $(seq 200); do
		(exec 3<>"/dev/tcp/$1/$2") 2>/dev/null && return 0
		sleep 0.05
	done
	echo "bench: nothing listens on $1:$2" >&2
	return 1
}
# wait_count WANTED SECONDS COMMAND...: until the command prints that number.
wait_count() {
	local want=$1 end=$((SECONDS + $2)) n=0
	shift 2
	while [ $SECONDS -lt $end ]; do
		n=$("$@")
		[ "${n:-0}" -ge "$want" ] && return 0
		sleep 0.05
	done
	echo "bench: only ${n:-0} of $want ($*)" >&2
	return 1
}
median() { sort -n | awk '{ a[NR] = $1 } END { print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }
