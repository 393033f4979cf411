#!/usr/bin/perl
# Each message and each key of the vectors, and the examples of RFC 6376 A and
# RFC 8463 A: what dkim-verify says of it and why, in a job, for people, and from
# the case.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Dkim;
use MIME::Base64 qw(decode_base64);
use Test::More;

my ($dir) = grep { defined && -d "$_/dkim/dkimpy" } ($ENV{PNEU_VECTORS},
    "$FindBin::Bin/../../../shared/vectors", '../shared/vectors');
plan skip_all => 'no vectors' if !$dir;
$dir .= '/dkim';
sub file { Dkim::slurp("$dir/$_[0]") }
sub wire { $_[0] =~ s/\r?\n/\r\n/gr }
sub record { file("dkimpy/$_[0]") =~ s/\s+\z//r }

# Keys that messages of the vectors were signed with. Gmail's is in dkimpy's
# tests; RFC 6376's in its appendix C.
my %zone = (
    'brisbane._domainkey.football.example.com' => [ 'v=DKIM1; k=ed25519; ' .
      'p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=' ],
    'test._domainkey.football.example.com' => [ record('test.txt') ],
    'sed._domainkey.test.ex' => [ record('eximtest.dns') ],
    'brisbane._domainkey.example.com' => [ 'v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQ' .
      'UAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOC' .
      'KG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fz' .
      'fVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB' ],
    '20120113._domainkey.gmail.com' => [ 'k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAA' .
      'OCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh+eBCsSTrqmwIYYvywlbhbqoo2DymndFk' .
      'bjOVIPIldNs/m40KF+yzMn1skyoxcTUGCQs8g3FgD2Ap3ZB5DekAo5wMmk4wimDO+U8QzI' .
      '3SD07y2+07wlNWwIt8svnxgdxGkVbbhzY8i+RQ9DpSVpPbF7ykQxtKXkv/ahW3KjViiAH+' .
      'ghvvIhkx4xYSIc9oSwVmAl5OctMEeWUwg8Istjqz8BZeTWbf41fbNhte7Y+YqZOwq1Sd0D' .
      'bvYAD9NOZK9vlfuac0598HY+vtSBczUiKERHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5' .
      'jYchHjPY/wIDAQAB' ],
);
my $cases = 0;

# result(s) and a word of each reason: "pass", "fail:body".
sub check { my ($name, $msg, $at, $want, $why) = @_;
	my ($lines, $more) = Dkim::verify($msg, $at);
	my @got = split /^/, $lines;
	my $good = @got == @$want;
	for my $i (0 .. $#$want) {
		my ($r, $reason) = split /:/, $want->[$i], 2;
		$good &&= ($got[$i] // '') =~ /^dkim result=$r / &&
		    (!defined $reason || $got[$i] =~ /reason=.*\Q$reason/);
	}
	$cases++;
	ok $good, "$name: " . join(' ', @$want) . " ($why)" or diag $lines, $more }

my $at = Dkim::zone(%zone);
my $a2 = wire(<<'END');
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
END
for ([ 'RFC 6376 A.2', $a2, [ 'pass' ],
	'folds of six blanks and one blank in the body, as it was made' ],
    [ 'RFC 6376 A.2, as printed', $a2 =~ s/game\. /game.  /r, [ 'fail:body' ],
	'the RFC has two blanks in "game.  Are", which simple sees' ],
    [ 'RFC 6376 A.2, folded as printed', $a2 =~ s/^ {6}/     /mgr,
	[ 'fail:header' ], 'simple sees folds' ],
    [ 'RFC 8463 A', wire(file('rfc8463-example.msg')), [ 'pass', 'pass' ],
	'Ed25519 and RSA' ],
    [ 'rfc6376.signed.msg', undef, [ 'pass', 'pass' ], 'Ed25519 and RSA, simple' ],
    [ 'rfc6376.signed.rsa.msg', undef, [ 'pass' ], 'simple/simple' ],
    [ 'ed25519test2.msg', undef, [ 'pass' ], 'made by Exim; no Subject, but signed' ],
    [ 'test2.message', undef, [ 'pass' ], 'folds before a colon and inside b=' ],
    [ 'test.message.baddomain', undef, [ 'permerror:d=' ],
	'd=legitimate.com(.attacker.com is no domain' ],
    [ 'message.mbox', undef, [ 'permerror:no key' ], 'its key is not published' ],
    [ 'rfc6376.msg', undef, [ 'none:no signature' ], 'not signed' ],
    [ 'rfc6376.w1258.msg', undef, [ 'none:no signature' ], 'not signed' ],
    [ 'ed25519test.msg', undef, [ 'none:no signature' ], 'not signed' ],
    [ 'test.message', undef, [ 'none:no signature' ], 'not signed' ],
    [ 'test_extra.message', undef, [ 'none:no signature' ], 'not signed' ],
    [ 'test_nofrom.message', undef, [ 'none:no signature' ], 'not signed' ]) {
	my ($name, $msg, $want, $why) = @$_;
	$msg //= wire(file("dkimpy/$name"));
	check($name, $msg, $at, $want, $why);
	next if !grep /^pass/, @$want;
	# And the same message changed.
	check("$name, a line more", "${msg}x\r\n", $at,
	    [ map { s/^pass/fail:body/r } @$want ], 'the body was longer');
	check("$name, another From", $msg =~ s/^From: /From: x/mr, $at,
	    [ map { s/^pass/fail:header/r } @$want ], 'From is signed');
	check("$name, another signature", $msg =~ s/\bb=([^;]{4})/b=AAAA/gr, $at,
	    [ map { s/^pass/fail:header/r } @$want ], 'b= is damaged');
}

# Messages that are not signed, signed here by each key.
my %key = (test => [ 'rsa', 'test.private' ], test2 => [ 'rsa', 'test2.private' ],
    1024 => [ 'rsa', '1024_testkey.key' ], 2048 => [ 'rsa', '2048_testkey.key' ],
    PKCS8 => [ 'rsa', '2048_testkey_PKCS8.key' ],
    ed => [ 'ed25519', 'ed25519test.key' ],
    rfc8032 => [ 'ed25519', 'rfc8032_7_1.key' ]);
my $msg = wire(file('dkimpy/test.message'));
my $h = 'from:to:subject:date:message-id:from';
for (keys %key) {
	my ($type, $name) = @{ $key{$_} };
	my $text = file("dkimpy/$name");
	$key{$_} = Dkim::key_of($type, $type eq 'rsa' ? $text : decode_base64($text));
}
for ([ 'test', 'test.txt', 'pass', 'SubjectPublicKeyInfo; g= means nothing' ],
    [ 'test2', 'test2.txt', 'pass', 'no k=: rsa' ],
    [ 1024, '1024_testkey_wo_markers.pub.txt', 'pass', 'SubjectPublicKeyInfo' ],
    [ 1024, '1024_testkey_wo_markers.pub.rsa.txt', 'pass', 'the bare RSA key' ],
    [ 2048, '2048_testkey_wo_markers.pub.txt', 'pass', 'SubjectPublicKeyInfo' ],
    [ 2048, '2048_testkey_wo_markers.pub.rsa.txt', 'pass', 'the bare RSA key' ],
    [ 'PKCS8', '2048_testkey_PKCS8.key.pub.txt', 'pass', 'PKCS#8' ],
    [ 'ed', 'ed25519test.dns', 'pass', 'no v=' ],
    [ 'rfc8032', undef, 'pass', 'RFC 8032 7.1, the key of RFC 8463' ],
    [ 'test', 'badversion.txt', 'permerror:no key', 'v=DKIM1: is not DKIM1' ],
    [ 'test', 'badk.txt', 'permerror:unknown key type', 'k=ed25519-sha256' ],
    [ 'test', 'test_bad.txt', 'permerror:p=', 'p= is damaged' ],
    [ 'test', 'test_tlsrpt.txt', 'permerror:not for mail', 's=tlsrpt' ],
    [ 'test', '1024_testkey_wo_markers.pub.txt', 'fail:header', 'another key' ],
    [ 'test', 'ed25519test.dns', 'permerror:another type', 'a= is RSA' ],
    [ 'ed', 'test.txt', 'permerror:another type', 'a= is Ed25519' ],
    [ 'ed', 'eximtest.dns', 'fail:header', 'another key' ]) {
	my ($name, $file, $want, $why) = @$_;
	my $text = defined $file ? record($file) :
	    $zone{'brisbane._domainkey.football.example.com'}[0];
	$at = Dkim::zone('k._domainkey.example.org' => [ $text ]);
	check("key $name, record " . ($file // 'of RFC 8463'),
	    Dkim::sign($msg, $key{$name}, h => $h), $at, [ $want ], $why);
}
$at = Dkim::zone('k._domainkey.example.org' => [ record('test.txt') ]);
for my $file ('rfc6376.msg', 'rfc6376.w1258.msg', 'ed25519test.msg',
    'test.message', 'test_extra.message', 'test_nofrom.message', 'message.mbox') {
	for my $c ('simple/simple', 'simple/relaxed', 'relaxed/simple',
	    'relaxed/relaxed') {
		my $m = wire(file("dkimpy/$file")) =~ s/^DKIM-Signature:.*\r\n([ \t].*\r\n)*//mr;
		check("$file signed as $c", Dkim::sign($m, $key{test}, h => $h,
		    c => $c), $at, [ 'pass' ], $file =~ /nofrom/ ?
		    'that there is no From is signed; DMARC refuses it' : 'as signed');
	}
}
print "# $cases cases\n";
done_testing;
