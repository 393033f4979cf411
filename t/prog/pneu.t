#!/bin/sh
# pneu runs programs of the suite and lists them; every program answers -h, -V
# and --cage, and says no to an unknown option with 100.
. "$(dirname "$0")/../lib.sh"
pneu help >"$TMP/help"; ok $? 'pneu help'
has "$TMP/help" '^  stages - wire a pipeline' 'names a program and its purpose'
pneu help stages >"$TMP/out"; ok $? 'pneu help PROGRAM'
has "$TMP/out" '^usage: stages ' 'shows its usage'
pneu no-such 2>"$TMP/out"; is $? 100 'no such program: 100'
pneu ../bin/stages 2>/dev/null; is $? 100 'no paths'
pneu 2>/dev/null; is $? 100 'no program: usage'
pneu stages -V >"$TMP/out"; has "$TMP/out" '^stages (pneu) ' 'arguments are passed on'
for p in "$PNEU_BIN"/*; do
	n=$(basename "$p")
	for o in -h -V --cage; do
		"$p" $o >"$TMP/out" 2>&1 </dev/null || { ok 1 "$n $o"; continue; }
		grep -q . "$TMP/out" || ok 1 "$n $o prints nothing"
	done
	want=100
	case $n in
	pneu | sendmail) continue ;;
	mail-submit) want=64 ;; # sysexits.h, for callers of sendmail
	esac
	"$p" -@ >"$TMP/out" 2>&1 </dev/null
	is $? $want "$n: unknown option"
done
finish
