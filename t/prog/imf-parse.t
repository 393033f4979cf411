#!/bin/sh
# imf-parse: the faces, charsets after confinement, odd messages.
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
imf="$PNEU_BIN/imf-parse"
n=0
ok() { # status text
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		head -n 20 "$tmp/out" | sed 's/^/# /'
	fi
}
has() { # fixed-string text
	grep -qF -- "$1" "$tmp/out"
	ok $? "$2"
}

cat >"$tmp/mail" <<'END'
From: Ann <Ann@Example.NET>
To: friends: bob@example.org, carl@example.org;
Date: Sat, 8 Mar 2025 11:00:00 +0100
Subject: =?utf-8?q?Re:_gr=C3=BC=C3=9Fe?=
Message-ID: <ABC@example.net>
References: <one@x> <two@x>
Content-Type: multipart/mixed; boundary=b

--b

=20 plain
--b
Content-Type: image/png; name="../a.png"
Content-Transfer-Encoding: BASE64

AAAA
--b--
END
"$imf" <"$tmp/mail" >"$tmp/out"
ok $? 'exit 0 for a good message'
has 'imf result=ok from=Ann@example.net from-domain=example.net from-count=1 from-addrs=1 date=1741428000 msgid=abc@example.net' 'imf line'
[ "$(wc -l <"$tmp/out")" -eq 1 ]
ok $? 'one line only'

"$imf" -v <"$tmp/mail" >"$tmp/out"
ok $? '-v'
has 'field name=Subject ' 'field'
has 'address field=to group=friends' 'group'
has 'address field=to name="" addr=carl@example.org' 'address in a group'
has 'type=image subtype=png encoding=base64' 'part'
has 'filename=a.png' 'filename without directories'
has 'envelope text="(\"Sat, 8 Mar 2025 11:00:00 +0100\" \"=?utf-8?q?Re:' 'envelope'
has '(\"IMAGE\" \"PNG\" (\"NAME\" \"../a.png\") NIL NIL \"BASE64\" 4 NIL NIL NIL NIL)' 'body'
has 'preview text="=20 plain\n"' 'preview'
has "thread msgid=abc@example.net ref=one@x ref=two@x subject=\"gr$(printf '\303\274\303\237')e\" reply=yes" 'thread'

# The stream face keeps the job and adds the line.
{
	printf 'job id=abcdefghijklmnop size=%d time=1\nfrom addr=x@example.net\n\n' \
	    "$(wc -c <"$tmp/mail")"
	cat "$tmp/mail"
} >"$tmp/job"
"$imf" <"$tmp/job" >"$tmp/out"
ok $? 'a job'
has 'imf result=ok' 'line in the job'
sed '1,/^$/d' "$tmp/out" | cmp -s - "$tmp/mail"
ok $? 'the message is as it was'

# Charsets are there although no file can be opened.
charset() { # name octal-escapes
	printf 'From: a@b.org\nContent-Type: text/plain; charset=%s\n\n%b\n' \
	    "$1" "$2" | "$imf" -v >"$tmp/out"
	has "preview text=\"$3" "charset $1"
}
charset koi8-r '\0360\0322' "$(printf '\320\237\321\200')"
# shellcheck disable=SC2016 # no variable: JIS escape sequences
charset iso-2022-jp '\0033$BF|K\0134\0033(B' "$(printf '\346\227\245\346\234\254')"
charset gb2312 '\0326\0320' "$(printf '\344\270\255')"
charset ks_c_5601-1987 '\0307\0321' "$(printf '\355\225\234')"
charset big5 '\0244\0244' "$(printf '\344\270\255')"
charset shift_jis '\0223\0372' "$(printf '\346\227\245')"
charset windows-1251 '\0317' "$(printf '\320\237')"
charset iso-8859-15 '\0244' "$(printf '\342\202\254')"
charset utf-7 '+AOQ-' "$(printf '\303\244')"
charset x-nothing 'a\0344' "$(printf 'a\357\277\275')"

bad() { # text reason
	printf '%b' "$1" | "$imf" >"$tmp/out"
	[ $? -eq 1 ] && grep -qF "result=bad reason=\"$2\"" "$tmp/out"
	ok $? "$2"
}
bad 'Subject: x\n\n' 'no From field'
bad 'From: a@b.org\nFrom: c@d.org\n\n' 'several From fields'
bad 'From: nobody\n\n' 'From is no address list'
bad '\n\n' 'no header field'
bad 'From: a@b.org\nno field\n\n' 'a line in the header that is no field'

"$imf" --cage >"$tmp/out"
has 'files: none' '--cage'
"$imf" extra </dev/null >"$tmp/out" 2>&1
[ $? -eq 100 ]
ok $? 'usage'
echo "1..$n"
