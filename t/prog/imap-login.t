#!/usr/bin/perl
# imap-login on a socket, without the services behind it: what a stranger can
# do before login.
use strict;
use warnings;
use File::Temp 'tempdir';
use FindBin;
use lib "$FindBin::Bin/..";
use Imap;
use POSIX ();
use Socket;
use Test::More;

my $root = tempdir(CLEANUP => 1);
mkdir "$root/run";

sub start {
	socketpair(my $us, my $them, AF_UNIX, SOCK_STREAM, 0) or die;
	my $pid = fork // die;
	if ($pid == 0) {
		close $us;
		POSIX::dup2(fileno $them, 0);
		open STDERR, '>', '/dev/null';
		exec("$ENV{PNEU_BIN}/imap-login", "-C", $root, "-s", "imap") or
		    POSIX::_exit(127);
	}
	close $them;
	return Imap->on($us, undef, $pid);
}

# The last lines after sending some bytes; the connection must end.
sub ends {
	my ($bytes, $want, $name) = @_;
	my $c = start();
	$c->send($bytes);
	my $all = join "\n", $c->finish('none');
	like $all, $want, $name or diag $all;
	is $c->close, 0, "$name: exit 0";
}

my $c = start();
like $c->{greeting}, qr/^\* OK \[CAPABILITY IMAP4rev2 .* AUTH=SCRAM-SHA-256 .*STARTTLS LOGINDISABLED\] /, 'greeting';
unlike $c->{greeting}, qr/AUTH=PLAIN|-PLUS/, 'no passwords in the clear';
like join("\n", $c->cmd('CAPABILITY')), qr/^\* CAPABILITY IMAP4rev2.*\nt1 OK/, 'CAPABILITY';
like $c->ok('NOOP'), qr/^OK/, 'NOOP';
like $c->ok('ID ("name" "x")'), qr/^OK/, 'ID';
like $c->ok('LOGIN ann secret'), qr/^NO \[PRIVACYREQUIRED\]/, 'LOGIN needs TLS';
like $c->ok("LOGIN {3+}\r\nann {6+}\r\nsecret"), qr/^NO \[PRIV/, 'literals';
like $c->ok('AUTHENTICATE PLAIN AGEAYg=='), qr/^NO \[PRIV/, 'PLAIN too';
like $c->ok('AUTHENTICATE FOO'), qr/^NO/, 'unknown mechanism';
like $c->ok('AUTHENTICATE SCRAM-SHA-256 bng='), qr/^NO \[UNAVAILABLE\]/,
    'no sasl-serve: NO, and on';
like $c->ok('SELECT INBOX'), qr/^NO/, 'log in first';
like $c->ok('IDLE'), qr/^NO/, 'IDLE before login';
like $c->ok('FOO'), qr/^BAD/, 'unknown command';
like $c->ok('LOGIN "a\\'), qr/^BAD/, 'backslash at the end';
like $c->ok('LOGIN'), qr/^BAD/, 'no arguments';
like join("\n", $c->cmd('LOGOUT')), qr/^\* BYE.*\nt\d+ OK/, 'LOGOUT';
is $c->close, 0, 'exit 0';

ends "a STARTTLS\r\nb NOOP\r\n", qr/^\* BYE data behind STARTTLS$/,
    'STARTTLS injection';
ends "GET / HTTP/1.1\r\nHost: x\r\n\r\n", qr/^\* BYE/, 'HTTP';
ends "EHLO x\r\n", qr/^\* BYE/, 'SMTP';
ends "\r\n", qr/^\* BYE/, 'empty line';
ends 'a' x 20000 . "\r\n", qr/^\* BYE line too long/, 'long tag';
ends 'a LOGIN ' . '(' x 20000 . "\r\n", qr/^\* BYE line/, 'parentheses';
ends "a LOGIN {4294967295}\r\n", qr/^\* BYE literal/, 'large literal';
ends "a LOGIN {99999999999999999999+}\r\n", qr/^\* BYE literal/, 'huge literal';
ends "a LOGIN " . "{0+}\r\n" x 10, qr/^\* BYE literal/, 'many literals';
ends "a NOOP\r\n" . "b FOO\r\n" x 30, qr/BYE too many bad commands/,
    'many errors';
done_testing;
