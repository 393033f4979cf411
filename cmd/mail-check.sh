#!/bin/sh
# mail-check - judge a message as if it came in now, and say why
# usage   mail-check [-v] [-C root] [-s server] [-i ip] [-H helo] [-f address]
# fd 0    the message
# fd 1    the lines of imf-parse, iprev-check, spf-check, dkim-verify and
#         dmarc-eval
# fd 2    with -v, the steps of each and a sentence for each verdict
# exit    0 DMARC passes, or does not apply; 1 it fails; 100 usage; 111 the DNS
#         does not say, or a check could not be run
# rights  the caller's: keeps the message in a temporary file; the programs
#         confine themselves
set -eu
case $0 in
*/*) bin=$(cd "$(dirname "$0")" && pwd) ;;
*) bin=$(dirname "$(command -v "$0")") ;;
esac
purpose='judge a message as if it came in now, and say why'
options='[-v] [-C root] [-s server] [-i ip] [-H helo] [-f address]'
usage() {
	printf 'usage: mail-check %s\n' "$options" >&2
	exit 100
}
case ${1:-} in
-h) printf 'mail-check - %s\nusage: mail-check %s\n' "$purpose" "$options"; exit 0 ;;
-V) "$bin/pneu" -V | sed 's/^pneu/mail-check/'; exit 0 ;;
--cage) echo 'mail-check: nothing kept: runs programs that confine themselves'; exit 0 ;;
esac
verbose='' root='' server='' ip='' helo='' from='' sender=
while getopts vC:s:i:H:f: letter 2>/dev/null; do
	case $letter in
	v) verbose=-v ;;
	C) root=$OPTARG ;;
	s) server=$OPTARG ;;
	i) ip=$OPTARG; [ -n "$ip" ] || usage ;;
	H) helo=$OPTARG ;;
	f) from=$OPTARG sender=given ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || usage
case $from in
'<'*'>') from=${from#<} from=${from%>} ;;
esac

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 111' INT TERM HUP
{ cat <&0 >"$dir/message"; } 2>/dev/null || {
	echo 'mail-check: unable to read the message on standard input' >&2
	exit 100
}
# The programs would take it for a job, whose lines they believe.
[ "$(head -c 4 "$dir/message" | tr -d '\000')" != 'job ' ] || {
	echo 'mail-check: this is a job(5), not a message' >&2
	exit 100
}
: >"$dir/lines"

# check PROGRAM [ARGUMENT ...]: its lines. 1 is an answer, too, and 111 with a
# line: the last program says whether that matters.
check() {
	program=$1 code=0
	shift
	"$bin/$program" $verbose "$@" <"$dir/message" >"$dir/out" || code=$?
	cat "$dir/out"
	cat "$dir/out" >>"$dir/lines"
	[ $code -le 1 ] || { [ $code -eq 111 ] && [ -s "$dir/out" ]; } || exit $code
}
# The same with the options of those that ask the DNS.
dns_check() {
	program=$1
	shift
	check "$program" ${root:+-C "$root"} ${server:+-s "$server"} "$@"
}
# A value of a tuple.
quote() {
	printf '"%s"' "$(printf %s "$1" | tr -d '\000-\037\177' | sed 's/[\\"]/\\&/g')"
}

# With -v imf-parse describes the whole message; that is not a verdict.
loud=$verbose verbose=
check imf-parse
verbose=$loud
if [ -n "$ip" ]; then
	dns_check iprev-check -n -i "$ip"
	[ -z "$sender$helo" ] || dns_check spf-check -n -i "$ip" \
	    ${helo:+-H "$helo"} -f "$from"
fi
[ -n "$ip" ] && [ -n "$sender$helo" ] ||
    echo 'mail-check: SPF is checked with -i, and -f or -H; iprev with -i' >&2
dns_check dkim-verify

{
	printf 'job id=aaaaaaaaaaaaaaaa size=0 time=%s\n' "$(date +%s)"
	[ -z "$ip" ] || printf 'client ip=%s\n' "$(quote "$ip")"
	printf 'from addr=%s\n' "$(quote "$from")"
	cat "$dir/lines"
	echo
} >"$dir/job"
"$bin/dmarc-eval" $verbose ${root:+-C "$root"} ${server:+-s "$server"} \
    <"$dir/job" >"$dir/out" || exit $?
sed -n '/^dmarc /p' "$dir/out"
case $(sed -n 's/^dmarc result=\([a-z]*\).*/\1/p' "$dir/out") in
pass | none) exit 0 ;;
temperror) exit 111 ;;
*) exit 1 ;;
esac
