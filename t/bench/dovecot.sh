# Sourced by t/bench/run: Dovecot's IMAP from its Debian package.
# shellcheck shell=bash
dovecot_here() { [ -x /usr/sbin/dovecot ] && [ -x /usr/lib/dovecot/imap ]; }
dovecot_start() {
	local p=$WORK/dovecot
	mkdir -p "$p/run" "$p/mail"
	chown mail "$p/mail"
	cp "$WORK/cert.crt" "$WORK/cert.key" "$p/"
	echo 'u:{PLAIN}benchbench' >"$p/passwd"
	cat >"$p/dovecot.conf" <<E
base_dir = $p/run
protocols = imap
listen = $MX
log_path = $p/log
mail_location = maildir:$p/mail/Maildir
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
disable_plaintext_auth = no
ssl = yes
ssl_cert = <$p/cert.crt
ssl_key = <$p/cert.key
mail_max_userip_connections = 2000
auth_username_format = %n
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%n $p/passwd
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$p/mail
}
namespace inbox {
  inbox = yes
}
service imap-login {
  process_limit = 1200
  client_limit = 1200
}
service imap {
  process_limit = 1200
}
E
	group_run dovecot dovecot -F -c "$p/dovecot.conf" >"$p/out" 2>&1
	DOVECOT_PID=$!
	wait_port $MX 143
}
dovecot_stop() {
	kill "$DOVECOT_PID" 2>/dev/null
	group_end dovecot
}
# The certificate that pneu made for itself serves Dovecot too.
dovecot_cert() { :; }
