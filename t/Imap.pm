# Imap.pm - an IMAP client for tests: imap-serve on pipes, or a socket.
#
#	my $c = Imap->serve($root, 'ann');        # imap-serve -a ann
#	my $c = Imap->on($socket);                # after the greeting
#	my @lines = $c->cmd('SELECT INBOX');      # all lines with the tagged one
#	$c->send("...\r\n"); my $line = $c->line; # one line with its literals
#	$c->append('INBOX', $message, '(\Seen)');
# A line that has not come within 10 s ends the test.
package Imap;
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IPC::Open2;

sub serve {
	my ($class, $root, $account) = @_;
	my ($out, $in);
	my $pid = open2($out, $in, "$ENV{PNEU_BIN}/imap-serve", '-C', $root,
	    '-a', $account);
	return $class->on($out, $in, $pid);
}

sub on {
	my ($class, $out, $in, $pid) = @_;
	my $self = bless { out => $out, in => $in // $out, pid => $pid,
	    buf => '', n => 0 }, $class;
	binmode $_ for $self->{out}, $self->{in};
	$self->{in}->autoflush(1);
	$self->{greeting} = $self->line;
	return $self;
}

sub fill {
	my ($self, $wait) = @_;
	return 0 unless IO::Select->new($self->{out})->can_read($wait // 10);
	return sysread $self->{out}, $self->{buf}, 65536, length $self->{buf};
}

# The next line without its CRLF, literals within; undef at the end. With a
# time: undef also when nothing comes in it.
sub line {
	my ($self, $wait) = @_;
	my $line = '';
	while (1) {
		while ($self->{buf} !~ /\r\n/) {
			my $n = $self->fill($wait);
			return undef if !$n && defined $wait;
			die "nothing came\n" unless defined $n;
			return undef if !$n;
		}
		$self->{buf} =~ s/^(.*?)\r\n//s;
		$line .= $1;
		return $line unless $line =~ /\{(\d+)\}$/;
		my $size = $1;
		$self->fill($wait) or return undef
		    while length $self->{buf} < $size;
		$line .= "\r\n" . substr $self->{buf}, 0, $size, '';
	}
}

sub send {
	my ($self, $text) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } $text;
}

# Lines up to the tagged one.
sub finish {
	my ($self, $tag) = @_;
	my @lines;
	while (defined(my $line = $self->line)) {
		push @lines, $line;
		last if $line =~ /^\Q$tag\E /;
	}
	return @lines;
}

sub cmd {
	my ($self, $text) = @_;
	my $tag = 't' . ++$self->{n};
	$self->send("$tag $text\r\n");
	return $self->finish($tag);
}

# The tagged line without its tag.
sub ok {
	my @lines = cmd(@_);
	return defined $lines[-1] && $lines[-1] =~ /^t\d+ (.*)/s ? $1 : 'gone';
}

sub append {
	my ($self, $box, $message, $args) = @_;
	$args = defined $args ? "$args " : '';
	return $self->ok("APPEND $box $args\{" . length($message) .
	    "+}\r\n$message");
}

sub close {
	my ($self) = @_;
	CORE::close $self->{in};
	CORE::close $self->{out} if $self->{out} != $self->{in};
	waitpid $self->{pid}, 0 if $self->{pid};
	return $?;
}

1;
