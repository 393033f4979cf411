#!/bin/sh
# psl-build and psl-lookup: the list of the system and lists of our own.
. "$(dirname "$0")/../lib.sh"
root=$TMP/root
mkdir -p "$root/conf"
lookup() { psl-lookup -C "$root" "$@" >"$TMP/out" 2>"$TMP/err"; }
list() { # RULE...
	echo '// ===BEGIN ICANN DOMAINS==='
	printf '%s\n' "$@"
	echo '// ===END ICANN DOMAINS==='
}

lookup example.org
is $? 111 'no list'
has "$TMP/err" 'psl-build makes it' 'and what to do'

list test co.test '*.wild.test' '!free.wild.test' 公司.test a b c >"$TMP/list"
psl-build -C "$root" "$TMP/list"; ok $? 'psl-build'
is "$(stat -c %a "$root/cdb/psl.cdb")" 644 'all may read it'
lookup www.Example.co.test; is $? 0 'psl-lookup'
is "$(cat "$TMP/out")" 'psl domain=www.example.co.test suffix=co.test org-domain=example.co.test section=icann rule=co.test' 'its line'
lookup a.test co.test b.test; is $? 1 'one of them is a suffix'
is "$(wc -l <"$TMP/out")" 3 'a line each'
is "$(sed -n 2p "$TMP/out")" 'psl domain=co.test suffix=co.test section=icann rule=co.test' 'a suffix has no organisation'
lookup x.公司.test
has "$TMP/out" 'domain=x.xn--55qx5d.test suffix=xn--55qx5d.test ' 'U-labels'
lookup a.free.wild.test
has "$TMP/out" 'suffix=wild.test org-domain=free.wild.test section=icann rule=!free.wild.test' 'exception'
lookup b.a.wild.test
has "$TMP/out" 'suffix=a.wild.test org-domain=b.a.wild.test section=icann rule=\*.wild.test' 'wildcard'
lookup x.unheard-of
has "$TMP/out" 'suffix=unheard-of org-domain=x.unheard-of section=unlisted rule=\*' 'unlisted'
lookup a..b; is $? 100 'not a name'
lookup 192.0.2.1; is $? 100 'an IP address is no name'
psl-lookup 2>/dev/null; is $? 100 'no operand'

# The same file again is no work; another one is.
before=$(stat -c %i "$root/cdb/psl.cdb")
psl-build -C "$root" "$TMP/list"
is "$(stat -c %i "$root/cdb/psl.cdb")" "$before" 'unchanged: left alone'
list test a b >"$TMP/less"
psl-build -C "$root" "$TMP/less" 2>"$TMP/err"; is $? 100 'under half of the rules: refused'
has "$TMP/err" 'under half of the rules.*-f' 'and what to do'
is "$(stat -c %i "$root/cdb/psl.cdb")" "$before" 'the old list stays'
psl-build -f -C "$root" "$TMP/less"; ok $? '-f'
lookup co.test; is $? 0 'the new list is in place'
list a..b >"$TMP/bad"
psl-build -C "$root" "$TMP/bad" 2>"$TMP/err"; is $? 100 'a bad line'
has "$TMP/err" "bad: line 2 is not a rule" 'is named'
psl-build -n "$TMP/list"; ok $? '-n: a list'
psl-build -n "$TMP/bad" 2>/dev/null; is $? 100 '-n: none'
psl-build -C "$root" "$TMP/none" 2>/dev/null; is $? 100 'no such file'
is "$(ls "$root/cdb")" psl.cdb 'nothing is left behind'
psl-lookup -f "$TMP/list" co.test >/dev/null; is $? 1 '-f: a list as published'
printf x >"$root/cdb/psl.cdb"
lookup a.test; is $? 111 'a damaged file'

# conf-build keeps it up to date with Debian's package.
dat=/usr/share/publicsuffix/public_suffix_list.dat
if [ -r $dat ]; then
	rm "$root/cdb/psl.cdb"
	instance_make || exit
	ok "$([ -s "$ROOT/cdb/psl.cdb" ]; echo $?)" 'conf-build compiles the list of the system'
	psl-lookup -C "$ROOT" www.example.co.uk >"$TMP/out"
	has "$TMP/out" 'suffix=co.uk org-domain=example.co.uk section=icann rule=co.uk' 'which is right'
	psl-lookup -C "$ROOT" a.github.io >"$TMP/out"
	has "$TMP/out" 'org-domain=github.io section=icann rule=io' 'the private section does not count'
	psl-lookup -p -C "$ROOT" a.github.io >"$TMP/out"
	has "$TMP/out" 'suffix=github.io org-domain=a.github.io section=private rule=github.io' '-p: it does'
	before=$(stat -c %i "$ROOT/cdb/psl.cdb")
	conf-build -C "$ROOT"
	is "$(stat -c %i "$ROOT/cdb/psl.cdb")" "$before" 'unchanged: left alone'
else
	skip 5 "no $dat"
fi
finish
