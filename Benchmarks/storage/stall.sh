#!/bin/sh
# The probe loop's lateness with every fsync taking five seconds, beside the same without. strace stops every call of the
# daemon, which makes the loop late by itself: so there is a run under it that delays nothing.
# usage: stall.sh TAUTD TAUT   as root, with strace; probes 127.0.0.0/8 only.
set -eu
tautd=$1
taut=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    echo 'defaults: {interval: 1s, timeout: 500ms}'
    echo 'capture: {enabled: false}'
    echo 'targets:'
    for n in $(seq 1 200); do echo "  t$n: {address: 127.0.1.$n, probes: [icmp]}"; done
} >"$work/tautline.yaml"
measure() {
    name=$1
    mkdir -p "$work/$name/state" "$work/$name/run"
    "$tautd" --config "$work/tautline.yaml" --state-dir "$work/$name/state" --runtime-dir "$work/$name/run" \
        >"$work/$name/log" 2>&1 &
    pid=$!
    sleep 10
    tracer=
    # Attached once it runs: opening a database waits for the disk, and should.
    case $name in
    traced)
        strace -f -qq -o "$work/trace" -p $pid -e trace=fsync,fdatasync &
        tracer=$!
        ;;
    stalled)
        strace -f -qq -o "$work/trace" -p $pid -e trace=fsync,fdatasync \
            -e inject=fsync:delay_enter=5000000 -e inject=fdatasync:delay_enter=5000000 &
        tracer=$!
        ;;
    esac
    sleep 40
    echo "== $name"
    "$taut" --db "$work/$name/state/tautline.db" --socket "$work/$name/run/control.sock" status --json |
        grep -E '"(lateness[a-z0-9_]*|missed[a-z_]*|dropped)"' || true
    if [ -n "$tracer" ]; then
        kill $tracer
        wait $tracer 2>/dev/null || true
        echo "delayed: $(grep -c DELAYED "$work/trace" || true) calls"
    fi
    kill $pid
    wait $pid || true
}
measure plain
measure traced
measure stalled
