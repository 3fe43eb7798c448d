#!/bin/sh
# taut analyze beside libpcap's empty loop, tcptrace and argus: CPU seconds (least of RUNS), ratios, peak memory.
# usage: compare.sh TAUT [FLOWS...]    RUNS=3 PACKETS=4000000 LIMIT=300 (seconds a program may take)
# So many packets, since a start takes ten milliseconds or more, which is a tenth of what a million take.
set -eu
[ $# -ge 1 ] || { echo "usage: compare.sh TAUT [FLOWS...]" >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
taut=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- 16 5000 60000 1000000
runs=${RUNS:-3}
limit=${LIMIT:-300}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -Wall -Wextra -Werror -o "$work/generate" "$here/generate.c"
cc -O2 -Wall -Wextra -Werror -o "$work/empty" "$here/emptyloop.c" -lpcap

# Runs a command once and keeps CPU seconds and peak kilobytes of its fastest run in a file of its name; "- -" where it
# failed or took too long. bash knows milliseconds, where GNU time cuts user and system time to hundredths each.
measure() {
    kept="$work/$1"
    shift
    [ "$(cat "$kept" 2>/dev/null)" != "- -" ] || return 0
    if bash -c 'TIMEFORMAT="%3U %3S"; time timeout "$0" /usr/bin/time -o "$1" -f %M "${@:2}" >/dev/null 2>&1' \
        "$limit" "$work/memory" "$@" 2>"$work/time"; then
        awk '{ print $1 + $2 }' "$work/time" | paste -d ' ' - "$work/memory" | cat - "$kept" 2>/dev/null | sort -g |
            head -n 1 >"$work/least"
        mv "$work/least" "$kept"
    else
        echo "- -" >"$kept"
    fi
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a == "-" || b == "-" || b == 0) print "-"; else printf "%.2f\n", a / b }'; }

printf '%-9s %-11s %9s %10s %8s %12s\n' flows program 'cpu s' 'packets/s' 'MiB' 'taut is'
for flows in "$@"; do
    packets=${PACKETS:-4000000}
    file="$work/$flows.pcap"
    "$work/generate" "$file" "$flows" "$packets" 7
    cat "$file" >/dev/null
    programs="taut emptyloop"
    if command -v tcptrace >/dev/null; then programs="$programs tcptrace"; fi
    if command -v argus >/dev/null; then programs="$programs argus"; fi
    # In turns, so that a busy minute of the machine meets them all.
    run=0
    while [ "$run" -lt "$runs" ]; do
        run=$((run + 1))
        for program in $programs; do
            case $program in
            taut) measure taut "$taut" analyze "$file" ;;
            emptyloop) measure emptyloop "$work/empty" "$file" ;;
            tcptrace) measure tcptrace tcptrace -n -r -l "$file" ;;
            argus) measure argus argus -X -r "$file" -w "$work/argus.out" ;;
            esac
        done
    done
    ours=$(cut -d ' ' -f 1 "$work/taut")
    for program in $programs; do
        read -r best memory <"$work/$program"
        factor=""
        [ "$program" = taut ] || factor="$(ratio "$best" "$ours")x"
        printf '%-9s %-11s %9s %10s %8s %12s\n' "$flows" "$program" "$best" \
            "$(awk -v p="$packets" -v t="$best" 'BEGIN { if (t == "-" || t == 0) print "-"; else printf "%.2fM", p / t / 1e6 }')" \
            "$(awk -v m="$memory" 'BEGIN { if (m == "-") print m; else printf "%.0f", m / 1024 }')" "$factor"
        rm "$work/$program"
    done
    rm -f "$file" "$work/argus.out"
done
