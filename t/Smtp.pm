# Smtp.pm - an instance for tests of SMTP programs, and a client that sees
# bytes.
#
#	my $i = Smtp->instance;             # bob@, ann@, all@ at example.org
#	$i->pipeline('inbound');            # keeps what it is given
#	my $c = $i->session('smtp', TCPREMOTEIP => '192.0.2.7');
#	$c->talk(undef, '220', "EHLO x\r\n", '250', ...);
package Smtp;
use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use Socket;
use Test::More;

use constant PATIENCE => 20; # seconds for any reply

my $bin = $ENV{PNEU_BIN} or die "PNEU_BIN is not set\n";

sub spew {
	my ($path, $text) = @_;
	open my $fh, '>', $path or die "$path: $!\n";
	print $fh $text;
	close $fh or die "$path: $!\n";
}

sub slurp {
	my ($path) = @_;
	open my $fh, '<:raw', $path or return;
	local $/;
	return scalar <$fh>;
}

sub instance {
	my ($class, $host) = @_;
	my $dir = File::Temp->newdir;
	my $self = bless { dir => $dir, root => "$dir", pids => [] }, $class;
	my $r = $self->{root};
	mkdir "$r/$_" for qw(conf conf/domain conf/account conf/alias
	    conf/pipeline cdb spool run run/counters case got mail secret);
	spew("$r/conf/host", 'host name=mx.example.org postmaster=bob ' .
	    ($host // '') . "\n");
	spew("$r/conf/domain/example.org",
	    "domain name=example.org separator=+\n");
	spew("$r/conf/domain/off.example",
	    "domain name=off.example disabled=yes\n");
	spew("$r/conf/account/bob", <<~'END');
		account name=bob
		address addr=bob@example.org
		address addr=gone@example.org error="550 has left"
		address addr=full@example.org error="421 not now"
		address addr=bob@off.example
		END
	spew("$r/conf/account/ann", <<~'END');
		account name=ann
		address addr=ann@example.org
		END
	spew("$r/conf/alias/all", <<~'END');
		alias addr=all@example.org
		member addr=bob@example.org
		member addr=ann@example.org
		END
	$self->build;
	return $self;
}

sub build {
	my ($self) = @_;
	system("$bin/conf-build", '-C', $self->{root}) == 0
	    or die "conf-build failed\n";
}

# A daemon of the instance; wait until the file is there.
sub start {
	my ($self, $file, @argv) = @_;
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDERR, '>>', "$self->{root}/log" or die;
		exec @argv or die "$argv[0]: $!\n";
	}
	push @{$self->{pids}}, $pid;
	for (1 .. PATIENCE * 50) {
		return $pid if -e "$self->{root}/$file";
		select undef, undef, undef, 0.02;
	}
	die "$argv[0] does not start: " . slurp("$self->{root}/log") . "\n";
}

# stages with one filter, which keeps the job in got/, or the given lines.
sub pipeline {
	my ($self, $name, $lines) = @_;
	my $r = $self->{root};
	spew("$r/keep", <<~"END");
		#!/bin/sh
		t=\$(mktemp $r/got/XXXXXX) && cat >\$t && mv \$t \$t.job && cat \$t.job
		END
	chmod 0755, "$r/keep";
	spew("$r/conf/pipeline/$name", $lines //
	    "stage name=keep command=\"$r/keep\" kind=filter types=keep\n");
	return $self->start("run/$name", "$bin/stages", '-C', $r, $name);
}

# Jobs that came out of the pipeline since the last call: [envelope, message].
sub jobs {
	my ($self) = @_;
	my @jobs;
	for my $f (sort { -M $b <=> -M $a } glob "$self->{root}/got/*.job") {
		my ($env, $msg) = split /(?<=\n)\n/, slurp($f), 2;
		push @jobs, [$env, $msg];
		unlink $f;
	}
	return @jobs;
}

sub session {
	my ($self, $service, %env) = @_;
	socketpair my $mine, my $its, AF_UNIX, SOCK_STREAM, 0 or die;
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		%ENV = (%ENV, %env);
		open STDIN, '<&', $its or die;
		open STDOUT, '>&', $its or die;
		open STDERR, '>>', "$self->{root}/log" or die;
		exec "$bin/smtp-serve", '-C', $self->{root}, '-s', $service;
		die "smtp-serve: $!\n";
	}
	close $its;
	binmode $mine;
	return bless { fh => $mine, pid => $pid, buf => '' }, 'Smtp::Client';
}

sub free_port {
	my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
	    or die "listen: $!\n";
	return $s->sockport;
}

sub tcp {
	my ($self, $port) = @_;
	my $fh = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or return;
	binmode $fh;
	return bless { fh => $fh, buf => '' }, 'Smtp::Client';
}

# tls-serve and sasl-serve; bob's password is "secret of bob".
sub services {
	my ($self) = @_;
	my $r = $self->{root};
	mkdir "$r/secret/tls";
	my $log = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=mx -addext subjectAltName=DNS:mx.example.org -keyout $r/secret/tls/mx.key -out $r/secret/tls/mx.crt 2>&1`;
	$? == 0 or die $log;
	system("$ENV{PNEU_TOOLS}/passwd-set", $r, $_, "secret of $_") == 0
	    or die "passwd-set\n" for qw(bob ann);
	$self->{tls} = $self->start('run/tls', "$bin/tls-serve", '-C', $r);
	$self->{sasl} = $self->start('run/sasl', "$bin/sasl-serve", '-C', $r);
}

sub stop {
	my ($self, $pid) = @_;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	@{$self->{pids}} = grep { $_ != $pid } @{$self->{pids}};
}

# A client inside TLS, by openssl s_client; options such as -starttls smtp.
sub tls {
	my ($self, $port, @opts) = @_;
	socketpair my $mine, my $its, AF_UNIX, SOCK_STREAM, 0 or die;
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN, '<&', $its or die;
		open STDOUT, '>&', $its or die;
		open STDERR, '>', '/dev/null' or die;
		exec 'openssl', 's_client', '-quiet', '-connect',
		    "127.0.0.1:$port", '-servername', 'mx.example.org', @opts;
		die "openssl: $!\n";
	}
	close $its;
	binmode $mine;
	return bless { fh => $mine, pid => $pid, buf => '', kill => 1 },
	    'Smtp::Client';
}

sub DESTROY {
	my ($self) = @_;
	local $?;
	kill 'TERM', @{$self->{pids}};
	waitpid $_, 0 for @{$self->{pids}};
}

package Smtp::Client;
use strict;
use warnings;
use Test::More;

sub say {
	my ($self, $text) = @_;
	local $SIG{PIPE} = 'IGNORE';
	while (length $text) {
		my $n = syswrite $self->{fh}, $text;
		return 0 unless defined $n;
		substr($text, 0, $n, '');
	}
	return 1;
}

sub fill {
	my ($self) = @_;
	return 0 unless IO::Select->new($self->{fh})->can_read(Smtp::PATIENCE);
	return sysread $self->{fh}, $self->{buf}, 65536, length $self->{buf};
}

# One whole reply; undef at the end.
sub reply {
	my ($self) = @_;
	my $got = '';
	for (;;) {
		while ($self->{buf} =~ s/^(.*?\r\n)//s) {
			my $line = $1;
			$got .= $line;
			return $got if $line =~ /^\d\d\d /;
		}
		return undef unless $self->fill;
	}
}

# Nothing more comes, and the connection is closed.
sub closed {
	my ($self) = @_;
	return 0 if length $self->{buf};
	my $n = $self->fill;
	return defined $n ? $n == 0 && !length $self->{buf} : 1;
}

# Pairs of bytes to send (undef: none) and the start of the reply; "closed" for
# an end without a reply. A code "550 5.1.1" must begin every line of it.
sub talk {
	my ($self, @script) = @_;
	while (my ($say, $want) = splice @script, 0, 2) {
		my $shown = defined $say ? $say =~ s/\r?\n/ /gr : '(nothing)';
		$shown =~ s/[^ -~]/sprintf '\\x%02x', ord $&/ge;
		$shown = substr($shown, 0, 50) . '...' if length $shown > 53;
		$self->say($say) if defined $say;
		if ($want eq 'closed') {
			ok($self->closed, "$shown: closed");
			next;
		}
		my $got = $self->reply;
		my ($code, $rest) = $want =~ /^(\d\d\d) ?(.*)$/;
		my $good = defined $got &&
		    !grep { !/^$code[- ]\Q$rest\E/ } split /\r\n/, $got;
		ok($good, "$shown: $want") or diag($got // 'closed');
	}
}

sub end {
	my ($self) = @_;
	close $self->{fh};
	return 0 unless $self->{pid};
	kill 'TERM', $self->{pid} if $self->{kill}; # s_client ignores an end
	waitpid $self->{pid}, 0;
	return $?;
}

1;
