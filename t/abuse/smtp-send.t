#!/usr/bin/perl
# smtp-send and queue-run against mail hosts that misbehave (t/fake-mx):
# abuse cases 2, 5, 35 to 37.
use strict; use warnings; use Test::More; use File::Temp 'tempdir';
my ($bin, $top) = ($ENV{PNEU_BIN} // die, $0 =~ s{/?t/abuse/[^/]*$}{}r || '.');
$top = '.' if $top eq '';
my $root = tempdir(CLEANUP => 1);
my @pid;
END { my $r = $?; kill 'TERM', @pid if @pid; waitpid $_, 0 for @pid; $? = $r }

sub spew { my ($f, $t) = @_; open my $h, '>', $f or die "$f: $!"; print $h $t; close $h }
sub slurp { my $f = shift; open my $h, '<', $f or return ''; local $/; my $t = <$h>; $t // '' }
sub spawn { my $log = shift; my $p = fork // die;
	return $p if $p;
	open STDERR, '>>', $log; open STDIN, '<', '/dev/null'; exec @_ or die }
sub wait_for { my ($what, $sub) = @_;
	for (1 .. 300) { return 1 if $sub->(); select undef, undef, undef, .05 }
	diag "no $what"; diag slurp("$root/run.log"); diag slurp("$root/send.log"); return 0 }

mkdir "$root/$_" for qw(conf cdb run mx);
my $port = 20000 + $$ % 20000;
spew("$root/conf/host", "host name=a.example mx-port=$port queue-retry=1h\n");
is(system("$bin/conf-build", '-C', $root), 0, 'configuration');
my $fake = open(my $mx, '|-');
if (!$fake) { open STDOUT, '>', "$root/mx.out"; exec "$top/t/fake-mx", $port, "$root/mx" or die }
wait_for('fake-mx', sub { slurp("$root/mx.out") =~ /ready/ }) or BAIL_OUT('fake-mx');
push @pid, spawn("$root/send.log", "$bin/smtp-send", '-C', $root, '-t', 3);
wait_for('smtp-send', sub { -S "$root/run/send" });
push @pid, spawn("$root/run.log", "$bin/queue-run", '-C', $root);
wait_for('queue-run', sub { -S "$root/run/queue" });

# Queue a message: its id.
my $from = 'ann@[127.0.0.2]';
sub add { my ($text, @rcpt) = @_;
	spew("$root/msg", $text);
	my $out = `$bin/queue-add -C $root -f '$from' @{[ map "-r '$_'", @rcpt ]} <$root/msg 2>/dev/null`;
	return $out =~ /id=(\S+)/ ? $1 : diag("queue-add: $out") }
my $plain = "Subject: test\r\nMessage-ID: <orig\@a.example>\r\n\r\nbody\r\n";
sub gone { my $id = shift; wait_for("end of $id", sub { !-e "$root/queue/job/$id" }) }
sub listed { `$bin/queue-list -C $root -v $_[0]` }
sub deferred { my $id = shift; wait_for("result of $id", sub { listed($id) =~ /status=deferred/ }); listed($id) }
my $dsns = 0;
sub dsn { my $id = shift; # the DSN about id, as host 2 got it
	my ($t) = slurp("$root/run.log") =~ /^report .*id=\Q$id\E dsn=(\S+)/m or return '';
	gone($t); my ($m) = grep /Message-ID: <\Q$t\E@/, split /^END\n/m, slurp("$root/mx/2"); $dsns++; return $m // '' }

# 2: only CRLF leaves, dots are doubled, nothing ends the data early
my $smuggle = "Subject: x\r\n\r\na\n.\nb\r.\rc\n.\r\nd\r\n.\ne\r\n.\rf\r\n..g\r.\r\r\nMAIL FROM:<x>\n";
my $id = add($smuggle, 'bob@[127.0.0.2]'); gone($id);
my $raw = slurp("$root/mx/2.raw");
unlike($raw =~ s/\r\n//gr, qr/[\r\n]/, 'no bare CR or LF leaves');
(my $body = $raw) =~ s/.*?\r\n\r\n//s;
is($body, "a\r\n..\r\nb\r\n..\r\nc\r\n..\r\nd\r\n..\r\ne\r\n..\r\nf\r\n...g\r\n..\r\n\r\nMAIL FROM:<x>\r\n", 'dots doubled');
ok(!-e "$root/mx/2.odd", 'and no command came of it');

# results of each recipient
$id = add($plain, map "$_\@[127.0.0.3]", qw(good bad later moved bad2));
wait_for('report', sub { slurp("$root/run.log") =~ /^report .*id=$id/m });
like(slurp("$root/mx/3"), qr/TO good.*\nTO moved/, '251 is success, the others do not stop it');
my $l = listed($id);
like($l, qr/addr=later\@\S+ status=deferred code=451 ecode=4.7.1/, '4xx is kept for later');
like($l, qr/addr=bad\@\S+ status=failed code=550 ecode=5.1.1 text="no such user here"/, '5xx with all lines');
my $d = dsn($id);
like($d, qr/^FROM \nTO ann\@/, 'DSN with null reverse-path to the sender');
is(() = $d =~ /^Final-Recipient: /mg, 2, 'one DSN for both failures');
like($d, qr/^Content-Type: multipart\/report; report-type=delivery-status;/m, 'multipart/report');
like($d, qr/^References: <orig\@a.example>\r$/m, 'References');
like($d, qr/^Status: 5.1.1\r\nRemote-MTA: dns; \[127.0.0.3\] \(127.0.0.3\)\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user here\r$/m, 'fields');
like($d, qr/^Subject: test\r$/m, 'original header'); unlike($d, qr/^body\r$/m, 'not the body');
`$bin/queue-drop -C $root $id`; gone($id);

# 35: lies
$l = deferred(add($plain, 'a@[127.0.0.4]')); like($l, qr/too many reply lines/, 'a million lines');
$l = deferred(add($plain, 'a@[127.0.0.5]')); like($l, qr/not an SMTP reply/, 'code 999');
$l = deferred(add($plain, 'a@[127.0.0.18]')); like($l, qr/reply line too long/, 'an endless line');
$id = add($plain, 'a@[127.0.0.6]'); gone($id); $d = dsn($id);
like($d, qr/evil/, 'text of the host in the DSN');
unlike($d =~ s/\r\n//gr, qr/[\x00-\x08\x0b-\x1f\x7f-\xff]/, 'without its control bytes');
unlike($d, qr/^done id=/m, 'and no line of its own');
unlike(slurp("$root/queue/journal") . slurp("$root/run.log"), qr/[\x00-\x09\x0b-\x1f\x7f]|^done id=aaaa/m, 'nor in journal or log');
$id = add($plain, 'a@[127.0.0.7]'); gone($id);
$id = add($plain, 'b@[127.0.0.7]'); gone($id);
is(() = slurp("$root/mx/7") =~ /^END$/mg, 2, '250 and close: sent, once each');
$id = add($plain, 'a@[127.0.0.8]', 'b@[127.0.0.8]'); gone($id);
like(dsn($id), qr/554 5.7.1 go away/, 'closed while pipelining: the first answer counts');
$l = deferred(add($plain, 'a@[127.0.0.19]')); like($l, qr/code=421/, '421 after the data');
$l = deferred(add($plain, 'a@[127.0.0.20]')); like($l, qr/different codes/, 'two codes in one reply');

# 5: STARTTLS
$l = deferred(add($plain, 'a@[127.0.0.9]')); like($l, qr/plain text after the reply to STARTTLS/, 'injected reply');
wait_for('close', sub { -s "$root/mx/9.after" }); is(slurp("$root/mx/9.after"), "closed\n", 'closed at once');
ok(!-e "$root/mx/9.mail", 'and no mail in plain text');
$id = add($plain, 'a@[127.0.0.16]'); gone($id);
ok(-s "$root/mx/16.tls" && -s "$root/mx/16", 'STARTTLS refused: plain text over a new connection');

# limits of the other side
$id = add($plain, map "r$_\@[127.0.0.10]", 1 .. 5); gone($id);
is(() = slurp("$root/mx/10") =~ /^TO /mg, 5, '452: the rest in further transactions');
is(() = slurp("$root/mx/10") =~ /^END$/mg, 3, 'three of them');
$id = add($plain, 'a@[127.0.0.11]'); gone($id); like(dsn($id), qr/smtp; 554 no service/, 'greeting 554');
$id = add($plain, 'a@[127.0.0.12]'); gone($id); like(slurp("$root/mx/12"), qr/TO a/, 'HELO');
like(slurp("$root/mx/12.mail"), qr/^MAIL FROM:<\Q$from\E>\r\n/, 'no parameters without extensions');
$id = add($plain . 'x' x 200, 'a@[127.0.0.13]'); gone($id); like(dsn($id), qr/Status: 5.3.4/, 'over SIZE');
ok(!-e "$root/mx/13.mail", 'not even tried');
$id = add($plain, 'a@[127.0.0.14]'); gone($id); like(dsn($id), qr/550 5.1.1/, '354 without recipients');
$id = add($plain, 'a@[127.0.0.17]', 'b@[127.0.0.17]'); gone($id); like(slurp("$root/mx/17"), qr/TO a.*\nTO b/, 'without PIPELINING');

# 8-bit and internationalized mail for hosts that do not take it
$id = add($plain . "caf\xc3\xa9\r\n", 'eight@[127.0.0.17]'); gone($id); $d = dsn($id);
like($d, qr/^Status: 5\.6\.3\r\n/m, 'no 8BITMIME: 5.6.3'); like($d, qr/^Remote-MTA: dns; \[127\.0\.0\.17\]/m, 'by which host');
like($d, qr/^Diagnostic-Code: x-pneu; 5\.6\.3 /m, 'our own words, not a reply');
unlike(slurp("$root/mx/17.mail") . slurp("$root/mx/17"), qr/eight|8BITMIME|caf/, 'and it was not tried');
$id = add($plain . "caf\xc3\xa9\r\n", 'eight@[127.0.0.2]'); gone($id);
like(slurp("$root/mx/2.mail"), qr/ BODY=8BITMIME\r\n\z/, 'BODY=8BITMIME where it is offered');
like(slurp("$root/mx/2"), qr/TO eight\S+\n.*?caf\xc3\xa9\r\n/s, 'the bytes as they were');
$id = add($plain =~ s/test/t\xc3\xa9st/r, 'utf@[127.0.0.2]', "\xc3\xbc\@[127.0.0.2]"); gone($id); $d = dsn($id);
like($d, qr/^Status: 5\.6\.7\r\n/m, 'no SMTPUTF8: 5.6.7'); like($d, qr/^Final-Recipient: utf-8; \xc3\xbc\@/m, 'for an address in UTF-8');
like($d, qr{^Content-Type: message/global-delivery-status\r\n}m, 'in its own form');
$id = add($plain, 'x@[127.0.0.21]', "\xc3\xbc\@[127.0.0.21]"); gone($id);
like(slurp("$root/mx/21.mail"), qr/ SMTPUTF8\r\n/, 'SMTPUTF8 where it is offered'); like(slurp("$root/mx/21"), qr/TO \xc3\xbc\@/, 'and delivered');

# 36, 37: loops and backscatter
$id = add($plain, 'a@[127.0.0.15]'); gone($id); like(dsn($id), qr/5.4.6 .*loops back/s, 'our own name: a loop');
my $n = () = slurp("$root/run.log") =~ /^report /mg;
$from = ''; $id = add($plain, 'bad@[127.0.0.3]'); gone($id); $from = 'ann@[127.0.0.2]';
is(() = slurp("$root/run.log") =~ /^report /mg, $n, 'no DSN for a null sender');
$from = 'bad@[127.0.0.3]'; $id = add($plain, 'bad2@[127.0.0.3]'); gone($id);
wait_for('end of the DSN', sub { slurp("$root/run.log") =~ /^report .*id=$id dsn=(\S+)/m && !-e "$root/queue/job/$1" });
is(() = slurp("$root/run.log") =~ /^report /mg, $n + 1, 'none about a DSN that fails');
spew("$root/msg", "Received: by x; now\r\n" x 101 . $plain);
like(`$bin/queue-add -C $root -f a\@b.example -r c\@d.example <$root/msg 2>&1`, qr/5.4.6/, 'a hundred hops are enough');
is(`$bin/queue-list -C $root | grep -c from=\\"\\"`, "0\n", 'no DSN is left');

kill 'TERM', @pid; my $bad = 0;
for (@pid) { waitpid $_, 0; $bad++ if $? }
is($bad, 0, 'both end cleanly'); @pid = ();
unlike(slurp("$root/send.log") . slurp("$root/run.log"), qr/Sanitizer|runtime error/, 'no sanitizer report');
close $mx;
done_testing;
