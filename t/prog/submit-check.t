#!/usr/bin/perl
# submit-check: whose addresses, which From, what is prepended.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Smtp;
use Test::More;

my $bin = $ENV{PNEU_BIN};
my $i = Smtp->instance;
my $uid = 4242;
Smtp::spew("$i->{root}/conf/account/ann",
    "account name=ann uid=$uid\naddress addr=ann\@example.org\n");
Smtp::spew("$i->{root}/conf/alias/team", <<'END');
alias addr=team@example.org allow-from=yes
member addr=ann@example.org
END
$i->build;

# The exit code and the lines that it added, or the diagnostics.
sub check {
	my (%o) = @_;
	my $msg = $o{msg} // "From: x\r\nMessage-ID: <1\@x>\r\n" .
	    "Date: Sat, 8 Mar 2025 10:00:00 +0000\r\n\r\nhi\r\n";
	my $env = 'job id=abcdefghijklmnop size=' . length($msg) .
	    " time=1741428000\n";
	$env .= "auth account=$o{auth} login=x mech=PLAIN\n" if $o{auth};
	$env .= 'from addr="' . ($o{path} // 'bob@example.org') . "\"\n";
	$env .= "rcpt addr=a\@b.example\n";
	$env .= "peer uid=$o{peer}\n" if defined $o{peer};
	$env .= ($o{imf} // 'imf result=ok from=' . ($o{from} //
	    'bob@example.org') . ' from-count=1 from-addrs=1') . "\n";
	Smtp::spew("$i->{root}/in", "$env\n$msg");
	my $out = `$bin/submit-check -C $i->{root} <$i->{root}/in 2>$i->{root}/err`;
	my $code = $? >> 8;
	return ($code, Smtp::slurp("$i->{root}/err")) if $code != 0;
	$out =~ s/^\Q$env\E// or return (-1, $out);
	$out =~ s/\n\Q$msg\E\z// or return (-1, $out);
	return (0, $out);
}

sub passes {
	my ($name, $want, %o) = @_;
	my ($code, $out) = check(%o);
	ok($code == 0 && $out eq $want, $name) or diag("$code $out");
}

sub refuses {
	my ($name, $want, $text, %o) = @_;
	my ($code, $out) = check(%o);
	$text =~ s/^(\d+) (\S+)/code=$1 ecode=$2/;
	ok($code == $want && $out =~ /$text/, $name) or diag("$code $out");
}

my $pass = "submit result=pass account=bob\n";
passes('an address of the account', $pass, auth => 'bob');
passes('with a separator', $pass, auth => 'bob', from => 'bob+x@example.org');
passes('null reverse-path', $pass, auth => 'bob', path => '');
passes('as an alias that allows it', "submit result=pass account=ann\n",
    auth => 'ann', from => 'team@example.org', path => 'ann@example.org');
refuses('foreign From', 100, '550 5.7.1', auth => 'bob', from => 'ann@example.org');
refuses('From of another domain', 100, '550 5.7.1', auth => 'bob', from => 'x@else.example');
refuses('alias that does not allow it', 100, '550 5.7.1', auth => 'bob', from => 'all@example.org');
refuses('foreign reverse-path', 100, '550 5.7.1.*reverse-path', auth => 'bob', path => 'x@else.example');
refuses('disabled domain', 111, '451 4.3.0', auth => 'bob', from => 'bob@off.example');
refuses('address literal', 100, '550 5.7.1', auth => 'bob', from => '"bob@[127.0.0.1]"');
refuses('postmaster is no right', 100, '550 5.7.1', auth => 'bob', from => 'postmaster@mx.example.org');
for ('from="" from-count=0 from-addrs=0', 'from=bob@example.org from-count=2 from-addrs=2',
    'from=bob@example.org from-count=1 from-addrs=2', 'from-count=1 from-addrs=1') {
	refuses("imf $_", 100, '550 5.6.0', auth => 'bob', imf => "imf result=ok $_");
}
refuses('no imf record', 111, '451 4.3.0', auth => 'bob', imf => '# none');

# Local programs.
passes('a system user with an account', "submit result=pass account=ann\n",
    peer => $uid, from => 'ann@example.org', path => 'ann@example.org');
refuses('only its addresses', 100, '550 5.7.1', peer => $uid);
refuses('a system user without', 100, '550 5.7.1', peer => 4243);
passes('root may use any address here', "submit result=pass\n", peer => 0,
    from => 'MAILER-DAEMON@mx.example.org');
refuses('but no foreign one', 100, '550 5.7.1', peer => 0, from => 'x@else.example');

# Missing fields.
my $id = "prepend text=\"Message-ID: <abcdefghijklmnop\@mx.example.org>\"\n";
my $date = "prepend text=\"Date: Sat, 8 Mar 2025 10:00:00 +0000\"\n";
passes('both are added', "$pass$id$date", auth => 'bob', msg => "From: x\r\n\r\nDate: x\r\n");
passes('only the missing one', "$pass$date", auth => 'bob', msg => "message-id : x\r\n\r\n");
passes('a bad one is left alone', "$pass$id", auth => 'bob', msg => "DATE: nonsense\r\n\r\n");
is(system("$bin/submit-check -C /nonexistent </dev/null 2>/dev/null") >> 8, 111,
    'no configuration: 111');
is(system("$bin/submit-check -x 2>/dev/null") >> 8, 100, 'usage: 100');
done_testing();
