#!/bin/sh
# Runs the built daemon on this host with state under .run/, and shows what it sees until Ctrl-C.
# usage: run.sh BIN_DIRECTORY [CONFIG]
set -eu

bin=$1
config=${2:-etc/tautline.yaml}
# Relative to the repository, since a socket's path has 107 bytes at most.
state=.run/state
runtime=.run/run
socket=$runtime/control.sock
log=.run/tautd.log
daemon=

mkdir -p "$state" "$runtime"

finish() {
    code=$?
    trap - EXIT
    # From here on a second Ctrl-C does not leave the daemon behind.
    trap '' INT TERM HUP
    if [ -n "$daemon" ] && kill -TERM "$daemon" 2>/dev/null; then
        wait "$daemon" && status=0 || status=$?
        echo "tautd stopped (status $status); state is kept in $state, its log in $log"
    fi
    exit "$code"
}
trap finish EXIT
trap 'exit 0' INT TERM HUP

if [ "$(id -u)" -ne 0 ]; then
    echo "not root: packets cannot be captured, and ICMP works only where net.ipv4.ping_group_range allows it."
    echo "For everything: sudo make run"
fi

"$bin/tautd" --config "$config" --state-dir "$state" --runtime-dir "$runtime" >"$log" 2>&1 &
daemon=$!

tries=0
while [ ! -S "$socket" ] || ! "$bin/taut" status --socket "$socket" --db "$state/tautline.db" >/dev/null 2>&1; do
    if ! kill -0 "$daemon" 2>/dev/null; then
        wait "$daemon" && status=0 || status=$?
        daemon=
        echo "tautd ended at once (status $status):" >&2
        cat "$log" >&2
        exit "$status"
    fi
    tries=$((tries + 1))
    if [ "$tries" -ge 100 ]; then
        echo "tautd does not answer on $socket; its log:" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
    sleep 0.1
done

if [ -t 1 ]; then
    "$bin/taut" watch --socket "$socket" --db "$state/tautline.db" || true
else
    # Not a terminal: a table every five seconds until a signal comes.
    while kill -0 "$daemon" 2>/dev/null; do
        "$bin/taut" status --socket "$socket" --db "$state/tautline.db" || true
        sleep 5 &
        wait $! || true
    done
fi
