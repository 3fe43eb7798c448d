#!/bin/sh
# What is exact, held against `thresholds`: instructions a packet by callgrind, heap blocks a packet by dhat.
# usage: check.sh PROGRAM...    (`tautbench`, or `taut analyze`)
#
# A start costs what it costs, so each figure is the difference between a file and one of twice its packets, divided by
# the packets between them; `start` is what the start itself takes.
set -eu
[ $# -ge 1 ] || { echo "usage: check.sh PROGRAM..." >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -Wall -Wextra -Werror -o "$work/generate" "$here/generate.c"
cc -O2 -Wall -Wextra -Werror -o "$work/emptyloop" "$here/emptyloop.c" -lpcap
# valgrind 3.19 stumbles over the debug information that lld writes.
program=$1
shift
strip --strip-debug -o "$work/program" "$program"

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null |
        sed -n 's/.*Collected : //p'
}

blocks() {
    valgrind --tool=dhat --dhat-out-file=/dev/null "$@" 2>&1 >/dev/null |
        sed -n 's/.*Total:.* in \([0-9,]*\) blocks.*/\1/p' | tr -d ,
}

status=0
hold() {
    most=$(awk -v name="$1" '$1 == name { print $2 }' "$here/thresholds")
    [ -n "$most" ] || { echo "thresholds has no line for $1" >&2; exit 78; }
    if [ "$2" -gt "$most" ]; then
        echo "FAILED $1: $2, at most $most"
        status=1
    else
        echo "$1: $2 (at most $most)"
    fi
}

packets=${PACKETS:-100000}
for flows in 16 60000 1000000; do
    "$work/generate" "$work/one.pcap" "$flows" "$packets" 7
    "$work/generate" "$work/two.pcap" "$flows" $((packets * 2)) 7
    one=$(instructions "$work/program" "$@" "$work/one.pcap")
    two=$(instructions "$work/program" "$@" "$work/two.pcap")
    empty_one=$(instructions "$work/emptyloop" "$work/one.pcap")
    empty_two=$(instructions "$work/emptyloop" "$work/two.pcap")
    all=$(((two - one) / packets))
    empty=$(((empty_two - empty_one) / packets))
    echo "flows $flows: $all instructions a packet; libpcap's empty loop takes $empty"
    hold "instructions-$flows" $((all - empty))
done

"$work/generate" "$work/one.pcap" 16 "$packets" 7
"$work/generate" "$work/two.pcap" 16 $((packets * 2)) 7
one=$(blocks "$work/program" "$@" "$work/one.pcap")
two=$(blocks "$work/program" "$@" "$work/two.pcap")
echo "heap blocks: $one for $packets packets, $two for twice as many"
hold heap-blocks $((two - one))
exit "$status"
