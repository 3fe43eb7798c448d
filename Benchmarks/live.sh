#!/bin/sh
# The highest rate of tcpreplay over a veth pair that libpcap's empty loop takes without a drop, and the share of it that
# the engine takes. Root; two interfaces in namespaces of its own, deleted at the end.
# usage: live.sh TAUTBENCH    RING=16777216 (bytes) SECONDS_A_RUN=4
set -eu
[ $# -eq 1 ] || { echo "usage: live.sh TAUTBENCH" >&2; exit 64; }
[ "$(id -u)" -eq 0 ] || { echo "live.sh: needs root for network namespaces" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
bench=$(realpath "$1")
ring=${RING:-16777216}
span=${SECONDS_A_RUN:-4}
sender="tautbench-s$$" receiver="tautbench-r$$"
work=$(mktemp -d)
clean() {
    ip netns del "$sender" 2>/dev/null || true
    ip netns del "$receiver" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM
cc -O2 -Wall -Wextra -Werror -o "$work/generate" "$here/generate.c"
cc -O2 -Wall -Wextra -Werror -o "$work/liveloop" "$here/liveloop.c" -lpcap
ip netns add "$sender"
ip netns add "$receiver"
ip -n "$sender" link add bench0 type veth peer name bench1 netns "$receiver"
for where in "$sender" "$receiver"; do ip netns exec "$where" sysctl -qw net.ipv6.conf.all.disable_ipv6=1; done
ip -n "$sender" link set bench0 up
ip -n "$receiver" link set bench1 up
"$work/generate" "$work/load.pcap" 5000 200000 7

# Packets and drops of a reader while tcpreplay sends at a rate (packets/s; 0: as fast as it can).
run() {
    rate=$1
    shift
    ip netns exec "$receiver" "$@" bench1 "$ring" $((span + 4)) >"$work/seen" &
    reader=$!
    sleep 1
    [ "$rate" -gt 0 ] && speed="--pps=$rate" || speed=--topspeed
    ip netns exec "$sender" timeout 30 tcpreplay -q -K "$speed" --loop=1000 --duration="$span" -i bench0 \
        "$work/load.pcap" >"$work/sent" 2>&1 || true
    wait "$reader"
    sent=$(sed -n 's/^Rated:.* \([0-9.]*\) pps.*/\1/p' "$work/sent")
    echo "$(cat "$work/seen") ${sent:-0}"
}

# Drops decide; the rate is what tcpreplay says it reached.
highest() {
    best=0
    for rate in ${RATES:-50000 100000 200000 300000 400000 600000 800000 0}; do
        result=$(run "$rate" "$@")
        echo "  $(basename "$1") asked $rate: packets, drops, packets/s: $result" >&2
        drops=$(echo "$result" | cut -d' ' -f2)
        [ "$drops" -eq 0 ] || echo dropped >"$work/state"
        reached=$(echo "$result" | cut -d' ' -f3 | cut -d. -f1)
        [ "$drops" -eq 0 ] && [ "$reached" -gt "$best" ] && best=$reached
    done
    echo "$best"
}

empty=$(highest "$work/liveloop")
ours=$(highest "$bench" --live)
# Where nobody drops anything at any rate, what was found is how fast tcpreplay is here.
grep -qx dropped "$work/state" 2>/dev/null || echo "no packet was dropped at any rate: tcpreplay is the limit on this host"
echo "libpcap's empty loop takes $empty packets/s without a drop, the engine $ours"
awk -v a="$ours" -v b="$empty" 'BEGIN { if (b > 0) printf "share: %.2f\n", a / b; exit !(b > 0 && a >= 0.6 * b) }'
