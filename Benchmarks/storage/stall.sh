#!/bin/sh
# The probe loop's lateness with every fsync taking five seconds, beside the same without.
# usage: stall.sh TAUTD TAUT   as root, with strace; probes 127.0.0.0/8 only.
#
# strace stops the daemon at nothing but an fsync (--seccomp-bpf), so that it is not itself what makes the loop late; the run `traced`
# has it delay nothing. The first 21 calls of each thread pass: opening a database waits for the disk, and should.
set -eu
tautd=$1
taut=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    echo 'defaults: {interval: 1s, timeout: 500ms}'
    echo 'capture: {enabled: false}'
    echo 'storage: {commit_interval: 1s}'
    echo 'targets:'
    for n in $(seq 1 200); do echo "  t$n: {address: 127.0.1.$n, probes: [icmp]}"; done
} >"$work/tautline.yaml"
measure() {
    name=$1
    shift
    mkdir -p "$work/$name/state" "$work/$name/run"
    "$@" "$tautd" --config "$work/tautline.yaml" --state-dir "$work/$name/state" --runtime-dir "$work/$name/run" \
        >"$work/$name/log" 2>&1 &
    pid=$!
    sleep 60
    echo "== $name"
    "$taut" --db "$work/$name/state/tautline.db" --socket "$work/$name/run/control.sock" status --json |
        grep -E '"(lateness[a-z0-9_]*|missed[a-z_]*|dropped)"' || true
    # strace passes a signal on to nobody, so its child is asked.
    child=$(pgrep -P $pid -x tautd || echo $pid)
    kill "$child"
    wait $pid || true
    if [ -e "$work/trace" ]; then echo "delayed: $(grep -c DELAYED "$work/trace" || true) calls"; fi
    rm -f "$work/trace"
}
trace="strace --seccomp-bpf -f -qq -o $work/trace -e trace=fsync,fdatasync"
measure plain
# shellcheck disable=SC2086 # Words of a command.
measure traced $trace
# shellcheck disable=SC2086
measure stalled $trace -e inject=fsync,fdatasync:delay_enter=5000000:when=22+
