#!/bin/sh
# A DNS that is silent, fails, refuses, lies, cuts off, answers 64 KiB or leads
# in a circle: each check alone, and all of them with a message by SMTP. Each
# says so with a reason, nothing passes, in bounded time; and it says the same
# again from the case.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../dns.sh"
command -v runsvdir >/dev/null || skip_all 'no runsvdir'
# shellcheck disable=SC2034 # of dns.sh
tmp=$TMP
KINDS='silent servfail bogus refused closed wrongid wrongname garbage loop large'
STAGES='iprev-check spf-check dkim-verify dmarc-eval dnsbl-check'

# Below KIND.test, and at the reverse name of 127.0.1.N and its entry in a list
# that is well, the DNS fails in that way.
# shellcheck disable=SC2086 # a list
perl -e '
	my @kinds = @ARGV;
	my %do = (silent => "timeout", closed => "tcclose",
	    map +($_ => $_), qw(servfail bogus refused wrongid wrongname));
	sub name { join "", map(chr(length) . $_, split /\./, $_[0]), "\0" }
	sub rr { $_[0] . pack("nnNn", $_[1], 1, 300, length $_[2]) . $_[2] }
	sub raw {
		my ($name, $type, @rr) = @_;
		print "act name=$name", $type ? " type=$type" : "", " do=raw answers=",
		    scalar @rr, " hex=", unpack("H*", join "", @rr), "\n";
	}
	sub text { # "..." until the packet has 64 KiB
		my ($first, $more, $last) = @_;
		my $s = $first;
		$s .= $more while length($s) + length($more) + length($last) < 64800;
		return rr("\xc0\x0c", 16, join "", map chr(length) . $_, "$s$last" =~ /(.{1,255})/g);
	}
	print "act name=$_.0.0.127.bl.test do=none\n" for 1, 2;
	print "rr name=2.0.0.127.bl.test type=A value=127.0.0.2\n";
	for my $n (1 .. @kinds) {
		my $k = $kinds[$n - 1];
		my $ip = "$n.1.0.127";
		for my $name ("*.$k.test", "$ip.in-addr.arpa", "$ip.bl.test") {
			if ($do{$k}) {
				print "act name=$name do=$do{$k}\n";
			} elsif ($k eq "garbage") {
				raw($name, "", "\xc0\xff" x 20);
			} elsif ($k eq "loop") {
				raw($name, "", rr("\xc0\x0c", 5, name "a.test"),
				    rr(name("a.test"), 5, name "b.test"),
				    rr(name("b.test"), 5, name "a.test"));
			}
		}
		next unless $k eq "large";
		raw("$ip.in-addr.arpa", "PTR",
		    map rr("\xc0\x0c", 12, name sprintf "%04d.large.test", $_), 1 .. 2200);
		raw($_, "A", (rr("\xc0\x0c", 1, "\x7f\0\0\2")) x 4080) for "*.large.test", "$ip.bl.test";
		raw("s._domainkey.k.large.test", "TXT", text("v=DKIM1; k=rsa; p=; n=", "x", ""));
		raw("_dmarc.f.large.test", "TXT", text("v=DMARC1; p=reject; x=", "x", ""));
		raw("*.large.test", "TXT", text("v=spf1", " ip4:192.0.2.1", " ?all"));
		raw("$ip.bl.test", "TXT", text("", "x", ""));
	}
' $KINDS >"$TMP/zone"
dns_fake "$TMP/zone" || exit 1

# may STAGE: seconds, of the table of stages(8).
may() {
	sed -n "s/^\.It $1 Ta [0-9]* Ta \([0-9]*\) Ta [0-9]*\$/\1/p" "$TOP/man/stages.8"
}
# reason KIND: what is said of it.
reason() {
	case $1 in
	silent | wrongid | wrongname) echo 'reason="*time-out' ;;
	servfail) echo 'reason="server failure' ;;
	bogus) echo 'reason="DNSSEC validation failed' ;;
	refused) echo 'reason="query refused' ;;
	closed) echo 'reason="TCP connection lost' ;;
	garbage) echo 'reason="malformed answer' ;;
	loop) echo 'reason="CNAME chain loops or is too long' ;;
	esac
}
# verdict STAGE KIND: a pattern for its line.
verdict() {
	case $2,$1 in
	large,iprev-check) echo '^iprev result=temperror .*reason="answers too large"' ;;
	large,spf-check) echo '^spf result=temperror identity=helo .*reason="answers too large' ;;
	large,dkim-verify) echo '^dkim result=permerror .*reason="key record over 8 KiB"' ;;
	large,dmarc-eval) echo '^dmarc result=fail domain=f.large.test .*policy=reject' ;;
	large,dnsbl-check) echo '^dnsbl zone=bl.test result=listed ' ;;
	*,spf-check) echo "^spf result=temperror identity=mailfrom .*$(reason "$2")" ;;
	*,dnsbl-check) echo "^dnsbl zone=bl.test result=error .*$(reason "$2")" ;;
	*) echo "^${1%-*} result=temperror .*$(reason "$2")" ;;
	esac
}
letter() { # kind
	printf 'DKIM-Signature: v=1; a=rsa-sha256; d=k.%s.test; s=s; h=from; bh=%043d=; b=%0340d\r\n' \
	    "$1" 0 0
	printf 'From: ann@f.%s.test\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@f.%s.test>\r\n\r\nx\r\n' "$1" "$1"
}

# All of them, in a host that rejects what DMARC asks it to: a letter of each
# kind by SMTP, while the checks run alone.
# shellcheck disable=SC2034 # of lib.sh
HOST_ATTRS="resolver=$dns_server dnsbl=bl.test"
instance_make || exit
sed -i 's/dmarc-temperror=accept//' "$ROOT/conf/host"
sed -i 's/^#stage name=dnsbl-check/stage name=dnsbl-check/' "$ROOT/conf/pipeline/inbound"
conf-build -C "$ROOT" && instance_up || exit
send() { # kind n
	letter "$1" | perl -MIO::Socket::INET -MTime::HiRes=time -e '
		my ($k, $n, $port) = @ARGV;
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
		    LocalAddr => "127.0.1.$n") or die "connect: $!";
		my $say = sub { print $s $_[0]; my $r;
			do { $r = <$s> // die "closed" } while $r =~ /^\d+-/; $r };
		$say->("");
		$say->("$_\r\n") for "EHLO h.$k.test", "MAIL FROM:<a\@m.$k.test>",
		    "RCPT TO:<alice\@localhost>", "DATA";
		my $start = time;
		my $r = $say->(join("", <STDIN>) . ".\r\n");
		printf "%d %s", 1000 * (time - $start), $r;
	' "$1" "$2" "$SMTP"
}
# Each check alone, all at the same time; each has its own clock.
pids=
n=0
for k in $KINDS; do
	n=$((n + 1))
	letter "$k" >"$TMP/letter.$k"
	send "$k" $n >"$TMP/reply.$k" &
	pids="$pids $!"
	{
		echo "job id=abcdefghabcdefgh size=$(wc -c <"$TMP/letter.$k") time=1795242486"
		echo "client ip=127.0.1.$n helo=h.$k.test"
		echo "from addr=a@m.$k.test"
		echo 'rcpt addr=alice@localhost'
		echo
		cat "$TMP/letter.$k"
	} | imf-parse >"$TMP/job.$k"
	for s in $STAGES; do
		(
			zone=
			[ "$s" != dnsbl-check ] || zone=bl.test
			start=$(date +%s%N)
			# shellcheck disable=SC2086 # no argument if empty
			timeout 90 "$s" -s "$dns_server" $zone <"$TMP/job.$k" >"$TMP/out.$s.$k"
			echo $? $((($(date +%s%N) - start) / 1000000)) >"$TMP/end.$s.$k"
		) &
		pids="$pids $!"
	done
done
# shellcheck disable=SC2086 # a list
wait $pids
for k in $KINDS; do
	for s in $STAGES; do
		read -r code ms <"$TMP/end.$s.$k"
		[ "$code" -eq 0 ] && [ "$ms" -le $(($(may "$s") * 1000 + 2000)) ]
		ok $? "$s: $k: exit $code in $ms ms"
		sed '/^$/,$d' "$TMP/out.$s.$k" >"$TMP/case"
		has "$TMP/case" "$(verdict "$s" "$k")" "$s: $k: $(verdict "$s" "$k")"
		t=$(verdict "$s" "$k" | sed 's/^.\([a-z]*\) .*/\1/')
		grep "^$t " "$TMP/case" >"$TMP/want"
		"$s" -R <"$TMP/case" | grep "^$t " | cmp -s - "$TMP/want" &&
		    ! grep -q 'result=pass' "$TMP/want"
		ok $? "$s: $k: the same from the case, and no pass"
	done
done

[ "$(wc -c <"$TMP/out.spf-check.large")" -gt 64000 ]; ok $? 'a large answer is large'

# The message: the same verdicts, and a reply within the sum. A large
# answer is one: MAIL FROM has its record, and only HELO is left without.
n=0
for k in $KINDS; do
	n=$((n + 1))
	read -r ms reply <"$TMP/reply.$k"
	[ "${ms:-99999}" -le $(($(may all) * 1000 + 2000)) ]; ok $? "all: $k: a reply in $ms ms"
	code=451
	[ "$k" != large ] || code=550
	is "${reply%% *}" $code "all: $k: ${reply%?}"
	perl -00 -ne "print if /^client .*ip=127\.0\.1\.$n /m" "$ROOT"/case/* |
	    sed '/^$/q' >"$TMP/case"
	for s in $STAGES; do
		has "$TMP/case" "$(verdict "$s" "$k")" "all: $k: $s"
	done
	! grep -q '^[a-z]* result=pass' "$TMP/case"; ok $? "all: $k: no pass"
done
dns_stop
is "$(case-replay -a -C "$ROOT")" \
    "replayed cases=$n same=$n different=0 failed=0 damaged=0" 'the same from the cases'
finish
