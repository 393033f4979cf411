# Sourced by t/bench/run: pneu with all its checks, and the messages, which are
# signed so that there is something to check.
# shellcheck shell=bash
# The sender's key: an instance that has nothing but it.
bench_key() {
	local r=$WORK/signer
	mkdir -p "$r/conf/domain" "$r/conf/account" "$r/cdb" "$r/secret/dkim"
	(umask 077 && "$BIN/dkim-keygen" >"$r/secret/dkim/bench.pem")
	echo "host name=mx.sender.example" >"$r/conf/host"
	printf 'domain name=sender.example\ndkim selector=bench key=bench.pem alg=rsa-sha256\n' \
	    >"$r/conf/domain/sender.example"
	"$BIN/conf-build" -C "$r" || exit 1
	"$BIN/dkim-record" -s bench -d sender.example <"$r/secret/dkim/bench.pem" |
	    tr -d '()\n' | tr '\t' ' ' >"$WORK/key.txt"
}
# A message with about that many bytes of body.
bench_message() { # bytes
	{
		printf 'From: Ann <a@sender.example>\nTo: <u@%s>\nSubject: bench\n' $DOMAIN
		printf 'Date: %s\nMessage-ID: <%s@sender.example>\n' "$(date -R)" "$RANDOM$RANDOM"
		printf 'MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n'
		seq 1 1000000 | tr '\n' ' ' | fold -s -w 72 | sed 's/ $//' | head -c "$1"
		echo
	} | sed 's/$/\r/' >"$WORK/plain"
	"$BIN/dkim-sign" -m -C "$WORK/signer" <"$WORK/plain" >"$WORK/signed" ||
	    echo "bench: message not signed" >&2
	tr -d '\r' <"$WORK/signed" # smtp-source wants plain LF
}
pneu_make() {
	local r=$WORK/pneu s
	mkdir -p "$r"/{conf/domain,conf/account,conf/pipeline,cdb,secret,mail,queue,spool,case,run/counters,log,sv}
	cat >"$r/conf/host" <<E
host name=$HOST postmaster=u resolver=127.0.0.1:53
	max-connections-per-ip=10000 connection-rate=1000000
E
	for s in smtp:25 submission:587 submissions:465 imap:143 imaps:993; do
		printf 'listen service=%s ip=%s port=%d%s\n' "${s%:*}" $MX "${s#*:}" \
		    "$(case $s in imap:* | submission:*) echo ' require-tls=no' ;; esac)"
	done >"$r/conf/listen"
	echo "domain name=$DOMAIN" >"$r/conf/domain/$DOMAIN"
	printf 'account name=u\naddress addr=u@%s\n' $DOMAIN >"$r/conf/account/u"
	cp "$top"/conf/pipeline/* "$r/conf/pipeline/"
	"$BIN/conf-build" -C "$r" && "$BIN/cert-local" -C "$r" $HOST &&
	    echo benchbench | "$BIN/account-passwd" -C "$r" u
	cp -R "$top/sv/." "$r/sv/"
	cp "$r/secret/tls/$HOST.crt" "$WORK/cert.crt"
	cp "$r/secret/tls/$HOST.key" "$WORK/cert.key"
}
pneu_start() {
	[ -d "$WORK/pneu/cdb" ] || pneu_make || exit 1
	group_run pneu env PNEU_ROOT="$WORK/pneu" PATH="$BIN:$PATH" \
	    setsid runsvdir -P "$WORK/pneu/sv" >"$WORK/pneu.out" 2>&1
	PNEU_PID=$!
	wait_port $MX 25 && wait_port $MX 143 && wait_port $MX 993
}
pneu_stop() {
	local p
	for p in $(group_pids pneu); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = runsvdir ] && kill -HUP "$p"
	done
	wait $PNEU_PID 2>/dev/null
	group_end pneu
}
pneu_count() {
	find "$WORK/pneu/mail/u/Maildir/new" "$WORK/pneu/mail/u/Maildir/cur" \
	    -type f 2>/dev/null | wc -l
}
# Mail stays: the index belongs to it.
pneu_clear() { :; }
pneu_hold() { sv -w 10 down "$WORK/pneu/sv/queue-run" >/dev/null; }
pneu_submit() { # n
	"$TOOLS/job-load" -n "$1" -c 10 -s 1024 -a u -f u@$DOMAIN \
	    -r addr=u@sink.example "$WORK/pneu/run/outbound" >/dev/null
}
pneu_release() { sv up "$WORK/pneu/sv/queue-run" >/dev/null; }
