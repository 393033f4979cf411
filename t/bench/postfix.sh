# Sourced by t/bench/run: Postfix from its Debian package, local delivery by
# virtual(8) into a Maildir, no checks at all.
# shellcheck shell=bash
postfix_here() { [ -x /usr/sbin/postfix ] && [ -x /usr/sbin/smtp-source ]; }
postfix_start() {
	local p=$WORK/postfix uid
	uid=$(id -u postfix)
	mkdir -p "$p/conf" "$p/spool" "$p/data" "$p/mail/u"
	chown postfix "$p/data"
	chown -R "$uid" "$p/mail"
	chmod 755 "$WORK" "$p"
	cat >"$p/conf/main.cf" <<E
compatibility_level = 3.6
queue_directory = $p/spool
data_directory = $p/data
maillog_file = $p/log
maillog_file_prefixes = $WORK
myhostname = $HOST
mydestination =
mynetworks = 127.0.0.0/8 192.0.2.0/24
inet_interfaces = $MX
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = $DOMAIN
virtual_mailbox_base = $p/mail
virtual_mailbox_maps = static:u/Maildir/
virtual_uid_maps = static:$uid
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 50
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtp_tls_security_level = none
smtpd_tls_security_level = none
smtpd_client_connection_count_limit = 0
default_process_limit = 200
E
	sed -e '/^[^#]*chroot/!s/^\([a-z]*  *[a-z]*  *[n-]  *[-n]  *\)y /\1n /' \
	    /usr/share/postfix/master.cf.dist >"$p/conf/master.cf"
	group_run postfix postfix -c "$p/conf" start-fg >"$p/out" 2>&1
	wait_port $MX 25
}
postfix_stop() {
	postfix -c "$WORK/postfix/conf" stop >/dev/null 2>&1
	group_end postfix
}
postfix_count() {
	find "$WORK/postfix/mail/u/Maildir/new" -type f 2>/dev/null | wc -l
}
postfix_clear() { rm -rf "$WORK/postfix/mail/u/Maildir"; }
# Mail to a remote domain, held back; then let go.
postfix_hold() {
	postconf -c "$WORK/postfix/conf" 'defer_transports = smtp'
	postfix -c "$WORK/postfix/conf" reload >/dev/null 2>&1
	sleep 1
}
postfix_submit() { # n
	smtp-source -s 10 -m "$1" -l 1024 -f u@$DOMAIN -t u@sink.example $MX:25
	sleep 1
}
postfix_release() {
	postconf -c "$WORK/postfix/conf" 'defer_transports ='
	postfix -c "$WORK/postfix/conf" reload >/dev/null 2>&1
	postqueue -c "$WORK/postfix/conf" -f
}
