#!/bin/sh
# A thousand messages of all kinds through a real host, whose configuration
# changes on the way; then, without any name server, case-replay gives every line
# of every check again, byte for byte. With one DNS record changed, case-replay
# -n says what would be different today.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../dns.sh"
for tool in runsvdir perl; do
	command -v $tool >/dev/null || skip_all "no $tool"
done
tmp=$TMP # of dns.sh
COUNT=1000

# Hosts that sign: their keys are good, revoked, out of reach, not there, of
# another, or twice there.
from=$TMP/from
mkdir -p "$from/conf/domain" "$from/conf/account" "$from/secret/dkim"
for t in rsa ed25519; do
	(umask 077 && dkim-keygen -t $t >"$from/secret/dkim/$t.pem") || exit 1
done
echo 'host name=mx.sender.example' >"$from/conf/host"
echo 'listen service=smtp ip=127.0.0.1' >"$from/conf/listen"
for d in good revoked dead gone other twice sub.good xn--bcher-kva; do
	printf 'domain name=%s.test\ndkim selector=r key=rsa.pem alg=rsa-sha256\n' \
	    $d >"$from/conf/domain/$d.test"
	[ $d != good ] || echo 'dkim selector=e key=ed25519.pem alg=ed25519-sha256' \
	    >>"$from/conf/domain/$d.test"
done
conf-build -C "$from" || exit 1
key() { # selector domain type
	dkim-record -s "$1" -d "$2" <"$from/secret/dkim/$3.pem" |
	    perl -0ne 'my $t = join "", /"([^"]*)"/g;
	        print "rr name=$ARGV[0]._domainkey.$ARGV[1] type=TXT value=\"$t\"\n"' - \
	        "$1" "$2" 2>/dev/null
}
# What the DNS says; ZONE is made again later with one record changed.
zone() { # spf of good.test
	cat <<END
rr name=good.test type=TXT value="$1"
rr name=good.test type=MX value="10 mx.good.test"
rr name=mx.good.test type=A value=127.0.0.1
rr name=sub.good.test type=TXT value="v=spf1 include:good.test ~all"
rr name=soft.test type=TXT value="v=spf1 ip4:192.0.2.0/24 ~all"
rr name=fail.test type=TXT value="v=spf1 mx:good.test exists:%{ir}.%{l}.x.test -all exp=exp.fail.test"
rr name=exp.fail.test type=TXT value="%{i} is not of %{d}: ask \\"us\\""
rr name=neutral.test type=TXT value="v=spf1 ptr:good.test ?all"
rr name=bad.test type=TXT value="v=spf1 a:\\x01\\\\ all nonsense"
rr name=two.test type=TXT value="v=spf1 -all"
rr name=two.test type=TXT value="v=spf1 +all"
rr name=loop.test type=TXT value="v=spf1 include:loop.test"
rr name=far.test type=TXT value="v=spf1 redirect=good.test"
rr name=many.test type=TXT value="v=spf1 mx mx:b.many.test mx:c.many.test -all"
$(i=0; while [ $i -lt 10 ]; do i=$((i + 1))
	for p in '' b. c.; do
		echo "rr name=${p}many.test type=MX value=\"$i m$i.${p}many.test\""
		echo "rr name=m$i.${p}many.test type=A value=192.0.2.$i"
	done; done)
rr name=local.test type=TXT value="v=spf1 exists:%{l1r+}.%{o}._x.local.test -all exp=why.local.test"
rr name=3.local.test._x.local.test type=A value=127.0.0.2
rr name=5.local.test._x.local.test type=A value=127.0.0.2
rr name=why.local.test type=TXT value="%{c} with %{h} is not %{S}, at %{t} on %{r}%%%_%-"
rr name=addr.test type=TXT value="v=spf1 exists:%{i}.%{v}._x.%{d} exists:%{ir}.%{d2}._y.%{d} ~all"
rr name=127.0.0.3.in-addr._x.addr.test type=A value=127.0.0.2
rr name=5.0.0.127.addr.test._y.addr.test type=A value=127.0.0.2
rr name=helo.test type=TXT value="v=spf1 exists:%{h}._x.helo.test exists:%{p}._y.helo.test ?all"
rr name=mx.good.test._x.helo.test type=A value=127.0.0.2
rr name=mx.good.test._y.helo.test type=A value=127.0.0.2
rr name=next.test type=TXT value="v=spf1 redirect=%{o}.%{l}.local.test"
rr name=six.test type=TXT value="v=spf1 ip6:::1 -all"
rr name=xn--bcher-kva.test type=TXT value="v=spf1 ip4:127.0.0.4/30 ip6:2001:db8::/32 ?all"
act name=dead.test do=servfail
act name=dead2.test type=TXT do=bogus
act name=slow.test type=TXT do=timeout
rr name=alias.test type=CNAME value=good.test
rr name=_dmarc.good.test type=TXT value="v=DMARC1; p=reject; sp=quarantine"
rr name=_dmarc.alone.good.test type=TXT value="v=DMARC1; p=quarantine; psd=n; t=y"
rr name=_dmarc.soft.test type=TXT value="v=DMARC1; p=quarantine"
rr name=_dmarc.fail.test type=TXT value="v=DMARC1; p=reject; adkim=s; aspf=s"
rr name=_dmarc.neutral.test type=TXT value="v=DMARC1; p=none; rua=mailto:x@neutral.test"
rr name=_dmarc.revoked.test type=TXT value="v=DMARC1; p=reject"
rr name=_dmarc.xn--bcher-kva.test type=TXT value="v=DMARC1; p=none; fo=1:d:s; rua=mailto:a@xn--bcher-kva.test"
rr name=_dmarc.two.test type=TXT value="v=DMARC1; p=none"
rr name=_dmarc.two.test type=TXT value="v=DMARC1; p=reject"
rr name=_dmarc.test type=TXT value="v=DMARC1; p=none; np=reject; psd=y"
act name=_dmarc.dead.test do=servfail
rr name=1.0.0.127.in-addr.arpa type=PTR value=mx.good.test
rr name=2.0.0.127.in-addr.arpa type=PTR value=nowhere.test
rr name=3.0.0.127.in-addr.arpa type=PTR value=dead.test
act name=4.0.0.127.in-addr.arpa do=servfail
rr name=5.0.0.127.in-addr.arpa type=PTR value=alias.test value=m1.many.test
rr name=1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa type=PTR value=six.test
rr name=six.test type=AAAA value=::1
rr name=r._domainkey.revoked.test type=TXT value="v=DKIM1; p="
act name=r._domainkey.dead.test do=servfail
rr name=2.0.0.127.list.test type=A value=127.0.0.2
rr name=5.0.0.127.list.test type=A value=127.0.0.4
rr name=5.0.0.127.list.test type=A value=127.0.0.9
rr name=5.0.0.127.list.test type=TXT value="\\"listed\\": see <https://list.test/>"
rr name=2.0.0.127.some.test type=A value=127.0.0.2
rr name=3.0.0.127.some.test type=A value=192.0.2.80
rr name=4.0.0.127.some.test type=A value=127.0.0.9
rr name=6.0.0.127.some.test type=A value=127.0.0.2
act name=6.0.0.127.some.test type=TXT do=servfail
act name=7.0.0.127.some.test do=servfail
rr name=1.0.0.127.all.test type=A value=127.0.0.2
rr name=2.0.0.127.all.test type=A value=127.0.0.2
rr name=2.0.0.127.white.test type=A value=127.0.0.2
rr name=7.0.0.127.white.test type=A value=127.0.3.1
END
	cat "$TMP/keys"
}
{
	key r good.test rsa
	key e good.test ed25519
	key r sub.good.test rsa
	key r xn--bcher-kva.test rsa
	key r twice.test rsa
	key r twice.test rsa | sed 's/v=DKIM1/v=DKIM1; n=two/'
	key r other.test ed25519
} >"$TMP/keys"
is "$(wc -l <"$TMP/keys")" 7 'key records'
zone 'v=spf1 ip4:127.0.0.1 mx -all' >"$TMP/zone1"
dns_fake "$TMP/zone1" -a || exit 1
HOST_ATTRS="resolver=$dns_server"
instance_start || exit

# The letters: every From with and without signature, some changed after it,
# some with signatures that are none; and headers that are not as they should be.
cat >"$TMP/send.pl" <<'EOF2'
use strict; use warnings; use IO::Socket::IP;
my ($port, $root, $first, $last) = @ARGV;
my @from = map "$_.test", qw(good revoked dead gone other twice sub.good xn--bcher-kva
    soft fail neutral two nx slow deep.er.good alone.good x.alone.good dead2);
push @from, 'no.example', 'GOOD.Test';
my %signs = map { ("$_.test" => 1) } qw(good revoked dead gone other twice sub.good
    xn--bcher-kva);
my @spf = map "$_.test", qw(good sub.good soft fail neutral bad two loop far many
    dead dead2 alias nx none local addr helo next six xn--bcher-kva good good fail);
my @helo = (qw(mx.good.test good.test fail.test dead.test x [127.0.0.1] many.test
    GOOD.TEST good.test. xn--bcher-kva.test six.test under_score.test [IPv6:::1]
    127.0.0.1 -x- local.test helo.test), 'a' x 63 . '.test',
    join '.', ('label') x 30);
my @local = ('a', map("a+$_", 3 .. 7), '3', '"a b"', 'a%b=c', 'A.B-c_d', 'x' x 64);
my @clients = (map("127.0.0.$_", 1 .. 7), '::1');
my ($fake) = join "\r\n", map "DKIM-Signature: $_",
    'v=1; a=rsa-sha1; d=good.test; s=r; h=from; bh=; b=',
    'v=2; a=rsa-sha256; d=good.test; s=r; h=from; bh=AAAA; b=AAAA',
    'v=1; a=rsa-sha256; d=dead.test; s=r; h=from; b=AAAA; bh=' . 'A' x 43 . '=',
    'v=1; a=rsa-sha256; d=nokey.test; s=r; h=from; b=AAAA; bh=' . 'A' x 43 . '=',
    'v=1; a=rsa-sha256; d=good.test; s=r; h=from; i=@other.test; b=AAAA; bh=' . 'A' x 43 . '=',
    'v=1; a=rsa-sha256; d=good.test; s=r; h=to; l=0; b=AAAA; bh=' . 'A' x 43 . '=',
    'no tags', 'v=1; a=none; d=good.test; s=r; h=from; b=AAAA; bh=AAAA',
    'v=1; a=ed25519-sha256; c=relaxed/simple; d=good.test; s=e; h=From:from; x=1; b=AAAA; bh=' . 'A' x 43 . '=';
my @letters;
sub letter {
	my ($domain, $how, $n) = @_;
	my $who = $how eq 'two' ? "a\@$domain, b\@b.example" : "Ann <ann\@$domain>";
	$who =~ s/xn--bcher-kva/b\xc3\xbccher/ if $n % 3 == 0;
	my $m = "From: $who\r\nTo: alice\@localhost\r\nSubject: letter $n\r\n"
	    . "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <$n\@$domain>\r\n"
	    . "\r\nHello $n,\r\nbye\r\n";
	return $m unless $how =~ /signed/;
	open my $f, '>:raw', "$root/letter" or die; print $f $m; close $f;
	$m = `dkim-sign -m -C $root <$root/letter`;
	$? == 0 or die "dkim-sign";
	$m =~ s/bye/BYE/ if $how =~ /body/;
	$m =~ s/bye\r\n/bye\r\n\r\n\r\n/ if $how =~ /lines/;
	$m =~ s/^Subject: /Subject: Re: /m if $how =~ /subject/;
	$m =~ s/^Subject: /SUBJECT:\t/m if $how =~ /folded/;
	$m =~ s/^/From: other\@other.test\r\n/ if $how =~ /from/;
	$m =~ s/:subject:subject//gi if $how =~ /bare/;
	$m =~ s/^(DKIM-Signature:.*; )(t=)/$1x=1; $2/m if $how =~ /expired/;
	$m = "$fake\r\n$m" if $how =~ /more/;
	$m = "$1$m" if $how =~ /twice/ && $m =~ /\A((?:DKIM.*\r\n(?:[ \t].*\r\n)*)+)/;
	return $m;
}
my $n = 0;
for my $d (@from) {
	push @letters, map letter($d, $_, ++$n), 'plain', 'two';
	next unless $signs{$d};
	push @letters, map letter($d, "signed $_", ++$n), '', '', qw(body lines subject folded
	    from bare expired more twice);
}
my $end = "To: alice\@localhost\r\nSubject: odd\r\n\r\nx\r\n";
push @letters, map "$_$end", '', "From: a\@good.test\r\nFrom: b\@good.test\r\n",
    "From: friends: a\@good.test, b\@good.test;\r\n", "From: <>\r\n", "From: ann\r\n",
    "From: =?utf-8?q?J=C3=B6rg?= (of \"us\") <\"a\@fail.test\"\@good.test>\r\n",
    "From: a\@[192.0.2.1]\r\n", "From: a\@good.test.\r\n", "From : a\@good.test\r\n",
    "From: a\@" . join('.', map "l$_", 1 .. 40) . ".good.test\r\n", "$fake\r\n",
    "From: a\@good.test\r\n$fake\r\n$fake\r\n";
printf "# %d letters\n", scalar @letters if $first == 0;
srand 20261121;
my @todo = map +{ letter => $letters[$_ % @letters], helo => $helo[int rand @helo],
    from => $_ % 9 == 0 ? '' : $local[int rand @local] . '@' . $spf[int rand @spf],
    ip => $clients[int rand @clients] }, 0 .. $last;
# Names that never answer take their time: two are enough.
$todo[$_]{from} = 'a@slow.test' for 5, 6;
for (grep $_->{letter} =~ /[\x80-\xff]/, @todo) {
	$_->{from} = "j\xc3\xb6rg\@b\xc3\xbccher.test" if $_->{from} =~ /xn--/;
	$_->{utf8} = ' SMTPUTF8';
}
@todo = @todo[$first .. $last];
my @pids;
# Many at once, for a refusal takes a second.
my $parts = 100;
for my $part (0 .. $parts - 1) {
	my $pid = fork // die;
	if ($pid) { push @pids, $pid; next }
	my $good = 1;
	alarm 120;
	for my $t (@todo[grep $_ % $parts == $part, 0 .. $#todo]) {
		my $to = $t->{ip} eq '::1' ? '::1' : '127.0.0.1';
		my $s = IO::Socket::IP->new(PeerHost => $to, PeerPort => $port,
		    LocalHost => $t->{ip}) or die "connect: $!";
		my $say = sub { print $s $_[0]; my $r;
			do { $r = <$s> // die "closed" } while $r =~ /^\d+-/; $r };
		$say->('');
		for ("EHLO $t->{helo}", "MAIL FROM:<$t->{from}>" . ($t->{utf8} // ''),
		    'RCPT TO:<alice@localhost>', 'DATA') {
			my $r = $say->("$_\r\n");
			$good = 0, print "# $_: $r" unless $r =~ /^[23]\d\d /;
		}
		my $r = $say->("$t->{letter}.\r\n");
		$good = 0, print "# $r" unless $r =~ /^[245]\d\d /;
	}
	exit !$good;
}
my $bad = 0;
for (@pids) { waitpid $_, 0; $bad ||= $? }
exit $bad ? 1 : 0;
EOF2
send() { # first last
	_start=$(date +%s)
	perl "$TMP/send.pl" "$SMTP" "$from" "$1" "$2"
	ok $? "messages $1 to $2 are sent in $(($(date +%s) - _start)) s"
}
# Three configurations, so that a case must not lean on the one of today.
again() { # expressions of sed for conf/host
	instance_down
	sed -i "$@" "$ROOT/conf/host"
	conf-build -C "$ROOT" && instance_up || exit
}
start=$(date +%s)
send 0 499
again -e 's/resolver=/dmarc-org=psl dkim-subject=optional &/'
send 500 699
sed -i 's/^#stage name=dnsbl-check/stage name=dnsbl-check/' "$ROOT/conf/pipeline/inbound"
again -e 's/dmarc-org=psl dkim-subject=optional//' \
    -e 's/name=localhost/name=mx.localhost/' \
    -e 's/resolver=/dnsbl=list.test dnsbl=some.test\/127.0.0.2 dnsbl=all.test dnswl=white.test &/'
send 700 $((COUNT - 1))
echo "# $COUNT messages sent in $(($(date +%s) - start)) s"
is "$(grep -c '^job ' "$ROOT"/case/* | awk -F: '{ n += $NF } END { print n }')" \
    $COUNT 'each has a case'

# All kinds are there.
cat "$ROOT"/case/* >"$TMP/cases"
for want in 'iprev result=pass' 'iprev result=fail' 'iprev result=temperror' \
    'iprev result=permerror' 'iprev result=pass .*ip=::1' 'spf result=pass' \
    'spf result=fail' 'spf result=softfail' 'spf result=neutral' 'spf result=none' \
    'spf result=temperror' 'spf result=permerror' 'spf result=pass identity=mailfrom domain=local.test' \
    'spf .*explanation=.* at [0-9]\{10\} on localhost' 'spf .* on mx.localhost% ' 'dkim result=pass' \
    'dkim result=fail' 'dkim result=temperror' 'dkim result=permerror' \
    'dkim result=none' 'dkim result=policy' 'dmarc result=pass' 'dmarc result=fail' \
    'dmarc result=none' 'dmarc result=temperror' 'dmarc result=permerror' \
    'dmarc .*method=psl' 'dmarc result=pass domain=xn--bcher-kva.test' 'from addr=""' \
    'dns by=iprev-check .* status=ok' 'dns by=spf-check .* status=bogus' \
    'dns by=spf-check .* reason=time-out' 'dns by=dkim-verify .* status=temporary' \
    'dns by=dmarc-eval .* status=nxdomain' 'dnsbl zone=list.test result=clear' \
    'dnsbl zone=list.test result=listed .*code=127.0.0.4,127.0.0.9 reason="\\"listed' \
    'dnsbl zone=some.test/127.0.0.2 result=error' 'dnsbl zone=all.test result=unhealthy' \
    'dnsbl zone=white.test result=listed kind=allow'; do
	has "$TMP/cases" "^$want" "there is $want"
done
echo "# $(perl -00 -ne 'print join(" ", /^((?:iprev|spf|dkim|dmarc|dnsbl) .*?result=\S+)/mg), "\n"' \
    "$TMP/cases" | sort -u | wc -l) different sets of results"

# Nobody is there to be asked now.
dns_stop
start=$(date +%s)
case-replay -a -C "$ROOT" >"$TMP/all" 2>"$TMP/err"
ok $? 'all cases again, without DNS'
is "$(tail -n 1 "$TMP/all")" \
    "replayed cases=$COUNT same=$COUNT different=0 failed=0 damaged=0" 'the same lines'
[ "$(wc -l <"$TMP/all")" -eq 1 ] || sed -n '1,20s/^/# /p' "$TMP/all"
sed -n '1,10s/^/# /p' "$TMP/err"
spent=$(($(date +%s) - start))
echo "# $COUNT cases in $spent s"
[ $spent -lt 30 ]; ok $? 'in less than half a minute'
hour=$(ls "$ROOT/case" | head -n 1)

# One of them: the lines, and what it takes to make them others.
id=$(case-list -C "$ROOT" -s spf=pass -f @good.test -n 1 |
    sed 's/.* id=\([^ ]*\) .*/\1/')
case-list -C "$ROOT" -s spf=pass -f @good.test -n 1 >"$TMP/out"
has "$TMP/out" "^case id=$id time=[0-9]* ip=127.0.0.[0-9] from=[^ ]*@good.test rcpt=alice@localhost code=[245].*spf=[a-z]*,pass dkim=[a-z,]* dmarc=[a-z]*" 'case-list'
case-show -C "$ROOT" "$id" >"$TMP/case"
has "$TMP/case" "^reply id=$id " 'case-show: the case with its reply'
case-show -v -C "$ROOT" "$id" >"$TMP/out"
has "$TMP/out" '^spf       pass of the identity mailfrom, domain good.test, by the term ' \
    'case-show -v: in words'
case-replay -C "$ROOT" "$id" >"$TMP/out"
ok $? 'case-replay of one'
grep -E '^(iprev|spf|dkim|dmarc|dnsbl) ' "$TMP/case" | cmp -s - "$TMP/out"
ok $? 'prints its lines'
for p in iprev-check:iprev spf-check:spf dkim-verify:dkim dmarc-eval:dmarc \
    dnsbl-check:dnsbl; do
	"${p%:*}" -R <"$TMP/case" | grep "^${p#*:} " >"$TMP/got"
	grep "^${p#*:} " "$TMP/case" | cmp -s - "$TMP/got"
	ok $? "${p%:*} -R by hand"
done
grep -v '^dns by=spf-check type=TXT name=good.test' "$TMP/case" | spf-check -R >"$TMP/out"
has "$TMP/out" 'result=temperror .*not in the case' 'an answer that is not there is not looked for'
sed 's/ip4:127.0.0.1 mx/ip4:192.0.2.1/' "$TMP/case" | spf-check -R >"$TMP/out"
has "$TMP/out" '^spf result=fail identity=mailfrom' 'the answers are those of the records'
sed 's/^\(dns by=spf-check type=TXT .*\) status=ok/\1 status=fine/' "$TMP/case" |
    spf-check -R >"$TMP/out" 2>"$TMP/err"
is "$?" 100 'a damaged dns record is refused'

# A changed program would be seen: a case whose verdict is another.
mkdir -p "$TMP/forged/case"
sed 's/^spf result=pass identity=mailfrom/spf result=fail identity=mailfrom/' "$TMP/case" \
    >"$TMP/forged/case/$hour"
echo >>"$TMP/forged/case/$hour"
case-replay -C "$TMP/forged" "$id" >"$TMP/out"
is "$?" 1 'another verdict: exit 1'
case-replay -C "$TMP/forged" -H "$hour" >"$TMP/all"
is "$? $(tail -n 1 "$TMP/all")" \
    '1 replayed cases=1 same=0 different=1 failed=0 damaged=0' 'an hour'
# One byte of one line of a check, in five of ten cases.
mkdir -p "$TMP/byte/case"
perl -00 -ne 'BEGIN { @t = qw(iprev spf dkim dmarc dnsbl) }
	next if $n >= 10;
	if (@t && /^$t[0] .*dnssec=(?:yes|no)/m) {
		s/^($t[0] .*dnssec=)(yes|no)/$1 . ($2 eq "yes" ? "no" : "yes")/me;
		shift @t;
	} elsif ($n - (5 - @t) >= 5) {
		next;
	}
	$n++;
	print' "$TMP/cases" >"$TMP/byte/case/$hour"
is "$(case-replay -C "$TMP/byte" -H "$hour" |
    sed -n 's/^case id=[^ ]* //p;/^replayed/p' | sort)" \
    'check=dkim
check=dmarc
check=dnsbl
check=iprev
check=spf
replayed cases=10 same=5 different=5 failed=0 damaged=0' 'one word of one line'
# A case that cannot be judged again spoils no other.
perl -pi -e '$done ||= s/^(dns by=spf-check .* status)=ok/$1=fine/' "$TMP/byte/case/$hour"
case-replay -C "$TMP/byte" -a >"$TMP/all" 2>/dev/null
is "$? $(sed -n 's/^\(replayed cases=10\) same=[45] different=[45] /\1 /p' "$TMP/all")" \
    '100 replayed cases=10 failed=1 damaged=0' 'a case that cannot be judged'
# Several cases in one run of a check.
perl -00 -ne 'print if /^spf /m && $n++ < 3' "$TMP/cases" >"$TMP/some"
perl -00 -ne 'print join("", /^spf .*\n/mg), "\n"' "$TMP/some" >"$TMP/want"
spf-check -R -C "$ROOT" <"$TMP/some" | cmp -s - "$TMP/want"; ok $? 'spf-check -R of three cases'
case-replay -C "$TMP/forged" -H 2020010100 2>/dev/null
is "$?" 100 'an hour that is not there'
has "$TMP/out" '^< spf result=fail identity=mailfrom' 'what was recorded'
has "$TMP/out" '^> spf result=pass identity=mailfrom' 'what it is now'

# Today: first all as it was, then one record changed.
today() { # zone
	dns_stop
	dns_fake "$1" -a || exit 1
	sed -i "s/resolver=[^ ]*/resolver=$dns_server/" "$ROOT/conf/host"
	conf-build -C "$ROOT"
}
today "$TMP/zone1"
case-replay -n -C "$ROOT" "$id" >"$TMP/out" 2>&1
is "$?" 0 '-n: nothing has changed'
zone 'v=spf1 ip4:192.0.2.1 ~all' >"$TMP/zone2"
today "$TMP/zone2"
case-replay -n -C "$ROOT" "$id" >"$TMP/out" 2>&1
is "$?" 1 '-n: one record has changed'
has "$TMP/out" '^< spf result=pass identity=mailfrom domain=good.test' 'it passed'
has "$TMP/out" '^> spf result=softfail identity=mailfrom domain=good.test' 'it would not today'
case-replay -C "$ROOT" "$id" >"$TMP/out" 2>&1
is "$?" 0 'and without -n it still does'

# Ids of people.
case-replay -C "$ROOT" abcdefghabcdefgh 2>"$TMP/err"; is "$?" 100 'an id that is not there'
has "$TMP/err" 'no case abcdefghabcdefgh' 'says so'
case-show -C "$ROOT" ../../etc/passwd 2>"$TMP/err"; is "$?" 100 'what is no id'
case-list -C "$ROOT" -s spf=unheard-of >"$TMP/out"; is "$?" 1 'none found'
case-list -C "$ROOT" -f '<>' -i 127.0.0.0/8 -c 250 -r alice@localhost -S 1h >"$TMP/out"
[ "$(grep -c ' from="" ' "$TMP/out")" -gt 10 ] && ! grep -v ' from="" ' "$TMP/out"
ok $? 'filters'
case-list -C "$ROOT" -U 2d >"$TMP/out"; is "$?" 1 'none of two days ago'
printf 'job id=broken\n\nxyz\n\njob id=abcdefghabcdefgh size=1 time=1\n\n' >>"$ROOT/case/$hour"
case-list -C "$ROOT" 2>"$TMP/err" >"$TMP/out"
has "$TMP/err" '3 damaged entries skipped' 'what is damaged is skipped'
is "$(wc -l <"$TMP/out")" $COUNT 'and the rest is there'
echo "# $COUNT cases"
finish
