#!/bin/sh
# The highest rate over a veth pair that libpcap's empty loop takes without a drop, and that the engine takes; then what
# the engine leaves out when it cannot keep up. Root; two interfaces in namespaces of its own, deleted at the end.
# usage: live.sh TAUTBENCH    RING=16777216 (bytes) FLOWS=5000 PACKETS=1500000 (a run) REPEATS=3 STEPS=4
#
# `blast` sends on one processor, which also does the kernel's part of each packet up to the copy into the ring, and the
# reader has another. That is measured twice: so ("apart"), and with the kernel's receive steered to the reader's
# processor (receive packet steering, "together"), as where one core serves a network card's queue and the capture.
# A rate counts as taken where most of REPEATS runs lose nothing at all: every packet sent was read. It is bisected in
# STEPS. Where even the fastest is taken, the sender is the limit, and that is said.
#
# Exit status: 0: the engine takes 60 % or more of the empty loop's rate in each way, and sheds whole flows; 1: not so;
# 3: nothing could be measured, because even the empty loop loses packets at every rate.
set -eu
[ $# -eq 1 ] || { echo "usage: live.sh TAUTBENCH" >&2; exit 64; }
[ "$(id -u)" -eq 0 ] || { echo "live.sh: needs root for network namespaces" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
bench=$(realpath "$1")
ring=${RING:-16777216}
packets=${PACKETS:-1500000}
repeats=${REPEATS:-3}
steps=${STEPS:-4}
sender="tautbench-s$$" receiver="tautbench-r$$"
work=$(mktemp -d)
reader=
clean() {
    [ -z "$reader" ] || kill -KILL "$reader" 2>/dev/null || true
    ip netns del "$sender" 2>/dev/null || true
    ip netns del "$receiver" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM
for program in generate blast; do cc -O2 -Wall -Wextra -Werror -o "$work/$program" "$here/$program.c"; done
cc -O2 -Wall -Wextra -Werror -o "$work/liveloop" "$here/liveloop.c" -lpcap
ip netns add "$sender"
ip netns add "$receiver"
ip -n "$sender" link add bench0 type veth peer name bench1 netns "$receiver"
for where in "$sender" "$receiver"; do ip netns exec "$where" sysctl -qw net.ipv6.conf.all.disable_ipv6=1; done
ip -n "$sender" link set bench0 up
ip -n "$receiver" link set bench1 up
"$work/generate" "$work/load.pcap" "${FLOWS:-5000}" "$packets" 7

# The first two processors that we may use; with only one, both ends share it.
allowed() {
    taskset -cp $$ | sed 's/.*: //' | tr , '\n' | while IFS=- read -r first last; do seq "$first" "${last:-$first}"; done
}
sending=$(allowed | sed -n 1p)
reading=$(allowed | sed -n 2p)
[ -n "$reading" ] || { reading=$sending; echo "one processor only: sender and reader share it"; }

# Starts a reader on the receiving end and waits until it listens.
listen() {
    taskset -c "$reading" ip netns exec "$receiver" "$@" >"$work/seen" &
    reader=$!
    tries=0
    until [ "$(ip netns exec "$receiver" cat /proc/net/packet | wc -l)" -gt 1 ]; do
        tries=$((tries + 1))
        if [ "$tries" -ge 100 ] || ! kill -0 "$reader" 2>/dev/null; then
            echo "live.sh: $1 does not listen" >&2
            exit 1
        fi
        sleep 0.1
    done
    sleep 0.3
}

send() {
    taskset -c "$sending" ip netns exec "$sender" "$work/blast" bench0 "$work/load.pcap" "$@"
}

# One run at a rate (packets/s; 0: flat out) of as many packets as come in two seconds, or four flat out. Leaves in
# `$work/result`: packets lost, the rate reached, the reader's nanoseconds of processor a packet, those of the packets lost
# that the ring had no room for, and the sender's nanoseconds a packet.
run() {
    rate=$1
    shift
    count=$((rate > 0 && rate * 2 < packets ? rate * 2 : packets))
    listen "$@" bench1 "$ring" 120
    send "$rate" "$count" 4 >"$work/sent"
    # A block of the ring is handed over after a tenth of a second, and a reader sleeps for a fifth at most.
    sleep 0.5
    kill -TERM "$reader"
    wait "$reader"
    reader=
    paste -d ' ' "$work/sent" "$work/seen" |
        awk '{ printf "%d %d %d %d %d\n", $1 - $5, $3, ($5 > 0 ? $7 * 1000 / $5 : 0), $6, ($1 > 0 ? $4 * 1000 / $1 : 0) }' \
            >"$work/result"
}

# Whether most of the runs at a rate lose nothing. Leaves the greatest rate of a run without loss in `$work/reached`.
is_taken() {
    asked=$1
    good=0
    bad=0
    echo 0 >"$work/reached"
    while [ $((good * 2)) -le "$repeats" ] && [ $((bad * 2)) -lt "$repeats" ]; do
        run "$@"
        read -r lost reached cost full sender_cost <"$work/result"
        echo "    asked $asked: sent at $reached/s, lost $lost (ring full: $full);" \
            "ns of processor a packet: sender $sender_cost, reader $cost" >&2
        if [ "$lost" -eq 0 ]; then
            good=$((good + 1))
            [ "$reached" -gt "$(cat "$work/reached")" ] && echo "$reached" >"$work/reached"
            echo "$cost" >>"$work/costs"
        else
            bad=$((bad + 1))
        fi
        if [ "$asked" -eq 0 ]; then
            echo "$reached" >>"$work/flat"
            echo "$sender_cost" >>"$work/sending"
        fi
    done
    [ $((good * 2)) -gt "$repeats" ]
}

middle() { sort -n "$1" 2>/dev/null | awk '{ line[NR] = $1 } END { print NR ? line[int((NR + 1) / 2)] : 0 }'; }

# Finds the highest rate that a reader takes: prints it, "sender" or "reader" for what limits it, and its cost.
highest() {
    rm -f "$work/costs" "$work/flat" "$work/sending"
    if is_taken 0 "$@"; then
        echo "$(cat "$work/reached") sender $(middle "$work/costs")"
        return
    fi
    low=0
    high=$(middle "$work/flat")
    step=0
    while [ "$step" -lt "$steps" ]; do
        step=$((step + 1))
        rate=$(((low + high) / 2))
        if is_taken "$rate" "$@"; then low=$(cat "$work/reached"); else high=$rate; fi
    done
    echo "$low reader $(middle "$work/costs")"
}

status=0
# Prints what both readers take in one arrangement, and whether that is enough.
compare() {
    echo "$1:"
    highest "$work/liveloop" >"$work/empty"
    read -r empty empty_limit empty_cost <"$work/empty"
    highest "$bench" --live >"$work/ours"
    read -r ours our_limit our_cost <"$work/ours"
    echo "  the sender takes $(middle "$work/sending") ns of processor a packet, flat out"
    echo "  libpcap's empty loop takes $empty packets/s without a drop, and $empty_cost ns of processor a packet"
    echo "  the engine takes           $ours packets/s without a drop, and $our_cost ns of processor a packet"
    if [ "$empty" -eq 0 ]; then
        echo "  nothing to compare with: the empty loop loses packets at every rate"
        exit 3
    fi
    if [ "$empty_limit" = reader ]; then
        awk -v a="$ours" -v b="$empty" 'BEGIN { printf "  share: %.2f\n", a / b; exit !(a >= 0.6 * b) }' || status=1
        return 0
    fi
    # What a sender reaches depends on who else uses the machine, so rates of two runs make no share.
    echo "  sender-limited: the empty loop loses nothing at the most that the sender can, so its ceiling is above that"
    most=$((empty > ours ? empty : ours))
    if [ "$our_limit" = sender ]; then echo "  sender-limited: neither does the engine"; fi
    wanted=$((most * 6 / 10))
    if is_taken "$wanted" "$bench" --live; then
        echo "  at 60 % of the sender's most ($wanted packets/s asked, $(cat "$work/reached") reached) the engine loses nothing"
    else
        echo "  FAILED: at 60 % of the sender's most ($wanted packets/s asked) the engine loses packets"
        status=1
    fi
    awk -v a="$our_cost" -v b="$empty_cost" 'BEGIN { if (a > 0 && b > 0)
        printf "  by its cost a whole processor would do for %d packets/s of the engine, %d of the empty loop\n", 1e9 / a, 1e9 / b }'
}

compare "apart (sender and kernel on processor $sending, reader on $reading)"
mask=$(printf '%x' $((1 << reading)))
if ip netns exec "$receiver" sh -c "echo $mask >/sys/class/net/bench1/queues/rx-0/rps_cpus" 2>/dev/null; then
    compare "together (sender on processor $sending, kernel's receive and reader on $reading)"
    ip netns exec "$receiver" sh -c "echo 0 >/sys/class/net/bench1/queues/rx-0/rps_cpus"
fi

# Overload that no processor is fast enough for: a small ring, and a reader that is held still for most of the time. One
# connection a client, few enough that an interval holds each.
echo "held back (the reader stands still for three quarters of the time):"
seconds=16
rate=60000
"$work/generate" "$work/load.pcap" 800 $((rate * seconds)) 11
listen "$bench" --shed bench1 1048576 60
(
    while kill -STOP "$reader" 2>/dev/null; do
        sleep 0.3
        kill -CONT "$reader" 2>/dev/null || break
        sleep 0.1
    done
) &
holder=$!
send "$rate" $((rate * seconds)) $((seconds * 2)) >"$work/sent"
kill "$holder" 2>/dev/null || true
wait "$holder" 2>/dev/null || true
kill -CONT "$reader"
sleep 1.2
kill -TERM "$reader"
wait "$reader" || status=1
reader=
cat "$work/seen"
[ "$status" -eq 0 ]
