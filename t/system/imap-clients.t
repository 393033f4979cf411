#!/bin/sh
# A running instance and the clients that people use: curl, mutt, mbsync,
# offlineimap. And a session that is parked: seen in imap-park, woken by a
# file in new/ and by its client.
. "$(dirname "$0")/../lib.sh"
instance_start || { ok 1 'instance'; finish; }

deliver_one() { # subject
	swaks --silent 3 --to pneu@localhost --from ann@example.net \
	    --server "127.0.0.1:$SMTP" --header "Subject: $1" --body "text of $1"
}
url=imaps://127.0.0.1:$IMAPS
get() { curl -ksS -m 20 -u pneu@localhost:pneupneu "$@"; }

if command -v curl >/dev/null && command -v swaks >/dev/null; then
	deliver_one first; ok $? 'deliver'
	get "$url/" >"$TMP/out"; has "$TMP/out" ' INBOX' 'curl: list'
	get "$url/INBOX;UID=1" >"$TMP/out"; has "$TMP/out" '^Subject: first' 'curl: fetch'
	get "$url/INBOX?SUBJECT%20first" >"$TMP/out"; has "$TMP/out" '^\* SEARCH 1' 'curl: search'
	get "imap://127.0.0.1:$IMAP/INBOX?ALL" --ssl-reqd >"$TMP/out"
	has "$TMP/out" '^\* SEARCH 1' 'curl: STARTTLS'
	printf 'Subject: put\r\n\r\nx\r\n' >"$TMP/mail"
	get -T "$TMP/mail" "$url/Drafts"; ok $? 'curl: append'
	curl -ksS -m 20 -u pneu@localhost:wrong "$url/" >/dev/null 2>&1
	is $? 67 'curl: wrong password'
	curl -ksS -m 20 -u pneu@localhost:pneupneu \
	    "imap://127.0.0.1:$IMAP/" >/dev/null 2>"$TMP/out"
	ok $? 'curl: SCRAM without TLS'
else
	skip 8 'no curl or no swaks'
fi

# mutt reads the message, flags it and leaves. Its terminal is a pty whose
# keyboard is a FIFO: nobody types, and it never ends.
flagged() {
	find "$ROOT/mail/pneu/Maildir/cur" -name '*:2,*F*S*'
}
mutt_try() { # text, and on stdin what is special in muttrc
	rm -f "$TMP/mutt-out"
	before=$(flagged)
	cat >"$TMP/muttrc"
	cat >>"$TMP/muttrc" <<END
set imap_user=pneu@localhost imap_pass=pneupneu wait_key=no
set spoolfile=+INBOX header_cache=$TMP/mutt-cache tmpdir=$TMP
push "<pipe-message>cat >'$TMP/mutt-out'<enter><clear-flag>!<set-flag>!<clear-flag>N<sync-mailbox><quit>"
END
	HOME=$TMP TERM=vt100 timeout 20 script -qec "mutt -n -F '$TMP/muttrc'" \
	    "$TMP/mutt-screen" >/dev/null 2>&1 <>"$TMP/keys"
	is $? 0 "mutt, $1: ends" || tail -n 20 "$TMP/mutt-screen" | tr -d '\033' | sed 's/^/# /'
	[ -f "$TMP/mutt-out" ] || : >"$TMP/mutt-out"
	has "$TMP/mutt-out" 'text of first' "mutt, $1: reads the message"
	ok "$([ -z "$before" ] && [ -n "$(flagged)" ]; echo $?)" "mutt, $1: its flags are in the file name" ||
	    find "$ROOT/mail/pneu/Maildir" -type f | sed 's/^/# /'
	get "$url/INBOX" -X 'UID STORE 1 -FLAGS (\Flagged \Seen)' >/dev/null
}
if command -v mutt >/dev/null && command -v script >/dev/null; then
	mkfifo "$TMP/keys"
	mutt_try TLS <<END
set ssl_force_tls certificate_file=$ROOT/secret/ca.pem
set folder=imaps://localhost:$IMAPS/
END
	mutt_try 'STARTTLS, QRESYNC and IDLE' <<END
set ssl_starttls ssl_force_tls certificate_file=$ROOT/secret/ca.pem
set imap_condstore imap_qresync imap_idle
set folder=imap://localhost:$IMAP/
END
	mutt_try 'SCRAM without TLS' <<END
set ssl_starttls=no ssl_force_tls=no imap_authenticators=scram-sha-256
set folder=imap://localhost:$IMAP/
END
	mutt_try tunnel <<END
set tunnel="imap-serve -C $ROOT -a pneu" folder=imap://localhost/
END
else
	skip 12 'no mutt'
fi

if command -v mbsync >/dev/null; then
	mkdir -p "$TMP/mbsync"
	cat >"$TMP/mbsyncrc" <<END
IMAPStore far
Host localhost
Port $IMAPS
User pneu@localhost
Pass pneupneu
$(mbsync -v 2>&1 | grep -q ' 1\.[0-4]' && echo 'SSLType IMAPS' || echo 'TLSType IMAPS')
CertificateFile $ROOT/secret/ca.pem

MaildirStore near
Path $TMP/mbsync/
Inbox $TMP/mbsync/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
END
	mbsync -c "$TMP/mbsyncrc" -a >"$TMP/out" 2>&1; ok $? 'mbsync: sync' || sed 's/^/# /' "$TMP/out"
	is "$(find "$TMP/mbsync/INBOX" -type f -path '*/new/*' -o -type f -path '*/INBOX/cur/*' | wc -l)" 1 'mbsync: one message'
	f=$(find "$TMP/mbsync/INBOX/new" "$TMP/mbsync/INBOX/cur" -type f | head -n 1)
	mv "$f" "$TMP/mbsync/INBOX/cur/$(basename "$f" | sed 's/:.*//'):2,FS"
	printf 'Subject: near\n\nx\n' >"$TMP/mbsync/Drafts/new/1.near"
	mbsync -c "$TMP/mbsyncrc" -a >"$TMP/out" 2>&1; ok $? 'mbsync: push' || sed 's/^/# /' "$TMP/out"
	get "$url/INBOX?FLAGGED%20SEEN" >"$TMP/out"; has "$TMP/out" '^\* SEARCH 1' 'mbsync: flags arrived'
	get "$url/Drafts?SUBJECT%20near" >"$TMP/out"; has "$TMP/out" '^\* SEARCH [0-9]' 'mbsync: message arrived'
else
	skip 5 'no mbsync'
fi

if command -v offlineimap >/dev/null; then
	cat >"$TMP/offlineimaprc" <<END
[general]
accounts = a
metadata = $TMP/oi-meta
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = $TMP/oi
[Repository far]
type = IMAP
remotehost = localhost
remoteport = $IMAPS
remoteuser = pneu@localhost
remotepass = pneupneu
ssl = yes
sslcacertfile = $ROOT/secret/ca.pem
END
	offlineimap -c "$TMP/offlineimaprc" -o -u basic >"$TMP/out" 2>&1
	ok $? 'offlineimap: sync' || tail -n 15 "$TMP/out" | sed 's/^/# /'
	is "$(find "$TMP/oi/INBOX" -type f | wc -l)" 1 'offlineimap: one message'
else
	skip 2 'no offlineimap'
fi

# ---- parking: a session in IDLE over TLS
parked() {
	find "/proc/$(service_pids imap-park | head -n 1)/fd" -lname 'socket:*' | wc -l
}
if command -v openssl >/dev/null; then
	mkfifo "$TMP/in"
	openssl s_client -quiet -connect "127.0.0.1:$IMAPS" <"$TMP/in" >"$TMP/idle" 2>/dev/null &
	client=$!
	exec 9>"$TMP/in"
	before=$(parked)
	printf 'a LOGIN pneu@localhost pneupneu\r\nb SELECT INBOX\r\nc IDLE\r\n' >&9
	wait_for 10 grep -q '^+ idling' "$TMP/idle"; ok $? 'IDLE'
	wait_for 10 sh -c "[ \$(ls -l /proc/$(service_pids imap-park | head -n 1)/fd | grep -c socket) -gt $before ]"
	ok $? 'imap-park has it'
	printf 'Subject: dropped\n\nx\n' >"$TMP/dropped"
	cp "$TMP/dropped" "$ROOT/mail/pneu/Maildir/new/99.M9.x"
	wait_for 10 grep -q '^\* 2 EXISTS' "$TMP/idle"; ok $? 'a file in new/ shows'
	wait_for 10 sh -c "[ \$(ls -l /proc/$(service_pids imap-park | head -n 1)/fd | grep -c socket) -gt $before ]"
	ok $? 'parked again'
	printf 'DONE\r\nd SEARCH ALL\r\ne LOGOUT\r\n' >&9
	wait_for 10 grep -q '^e OK' "$TMP/idle"; ok $? 'the client wakes it'
	has "$TMP/idle" '^\* SEARCH 1 2' 'its mailbox is what it was'
	has "$TMP/idle" '^c OK' 'IDLE ended under its tag'
	exec 9>&-
	kill $client 2>/dev/null
	# One that leaves while it is parked ends there.
	openssl s_client -quiet -connect "127.0.0.1:$IMAPS" <"$TMP/in" >"$TMP/idle" 2>/dev/null &
	client=$!
	exec 9>"$TMP/in"
	before=$(parked)
	printf 'a LOGIN pneu@localhost pneupneu\r\nb SELECT INBOX\r\nc IDLE\r\n' >&9
	wait_for 10 sh -c "[ \$(ls -l /proc/$(service_pids imap-park | head -n 1)/fd | grep -c socket) -gt $before ]"
	exec 9>&-
	kill $client 2>/dev/null
	wait_for 10 grep -q 'end prog=imap-park.*account=pneu' "$ROOT/log/imap-park/current"
	ok $? 'a parked client leaves'
	is "$(parked)" "$before" 'and its descriptor is closed'
else
	skip 9 'no openssl'
fi
finish
