#!/bin/sh
# make install puts everything where localserve and sendmail callers look, and
# an installed tree runs without the sources.
. "$(dirname "$0")/../lib.sh"
mode=$(basename "$(dirname "$PNEU_BIN")")
MAKEFLAGS='' make -s -C "$TOP" MODE="$mode" CC="${CC:-gcc}" install \
    DESTDIR="$TMP/dest" PREFIX=/opt/pneu >"$TMP/out" 2>&1
ok $? 'make install' || sed 's/^/# /' "$TMP/out"
to=$TMP/dest/opt/pneu
missing=
for p in "$PNEU_BIN"/*; do
	p=${p##*/}
	[ "$p" = sendmail ] || [ -x "$to/bin/$p" ] || missing="$missing bin/$p"
done
for m in "$TOP"/man/*; do
	m=${m##*/}
	[ -s "$to/share/man/man${m##*.}/$m" ] || missing="$missing man/$m"
done
for f in sv/.run sv/smtp-listen/run sv/smtp-listen/log/run conf/host \
    conf/listen conf/pipeline/inbound conf/domain/example.org; do
	[ -s "$to/share/pneu/$f" ] || missing="$missing $f"
done
is "$missing" '' 'programs, pages, services, examples'
# PATH has the installed programs only.
PATH=$to/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ "$(pneu help | grep -c 'stages - ')" = 1 ]
ok $? 'pneu help'
OFFSET=$(free_offset)
INSTANCE=
down() {
	status=$?
	[ -z "$INSTANCE" ] || { kill "$INSTANCE" && wait "$INSTANCE"; }
	(exit $status)
	lib_cleanup
}
trap down EXIT
mkfifo "$TMP/said"
PNEU_ROOT=$TMP/root PNEU_PORT_OFFSET=$OFFSET pneu localserve \
    >"$TMP/said" 2>"$TMP/err" &
INSTANCE=$!
timeout 60 grep -m 1 '^ready' "$TMP/said" >/dev/null
ok $? 'localserve of the installed tree' || sed 's/^/# /' "$TMP/err"
printf 'To: alice@localhost\nSubject: installed\n\nx\n' |
    PNEU_ROOT=$TMP/root "$to/sbin/sendmail" -t -f pneu@localhost >"$TMP/out" 2>&1
ok $? 'sendmail' || sed 's/^/# /' "$TMP/out"
wait_for 10 grep -rqs '^Subject: installed' "$TMP/root/mail/alice/Maildir/new"
ok $? 'its message arrives'
kill "$INSTANCE"
wait "$INSTANCE"
is $? 0 'stops'
INSTANCE=
finish
