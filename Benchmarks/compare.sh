#!/bin/sh
# taut analyze beside libpcap's empty loop, tcptrace and argus: CPU seconds (least of RUNS), ratios, peak memory.
# usage: compare.sh TAUT [FLOWS...]    RUNS=3 PACKETS=1000000 LIMIT=300 (seconds a program may take)
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
cc -O2 -Wall -Wextra -Werror -o "$work/emptyloop" "$here/emptyloop.c" -lpcap

# CPU seconds and peak kilobytes of a command, the fastest of the runs; "-" where it failed or took too long.
measure() {
    best=- memory=-
    run=0
    while [ "$run" -lt "$runs" ]; do
        run=$((run + 1))
        if timeout "$limit" /usr/bin/time -o "$work/time" -f '%U %S %M' "$@" >/dev/null 2>&1; then
            line=$(tail -n 1 "$work/time" | awk '{ print $1 + $2, $3 }')
            if [ "$best" = - ] || awk "BEGIN { exit !(${line% *} < $best) }"; then
                best=${line% *} memory=${line#* }
            fi
        else
            return 0
        fi
    done
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a == "-" || b == "-" || b == 0) print "-"; else printf "%.2f\n", a / b }'; }

printf '%-9s %-11s %9s %10s %8s %12s\n' flows program 'cpu s' 'packets/s' 'MiB' 'taut is'
for flows in "$@"; do
    packets=${PACKETS:-1000000}
    # Four packets a flow, so that a million flows are offered.
    [ "$flows" -lt 1000000 ] || packets=$((packets * 4))
    file="$work/$flows.pcap"
    "$work/generate" "$file" "$flows" "$packets" 7
    cat "$file" >/dev/null
    measure "$taut" analyze "$file"
    ours=$best
    show() {
        printf '%-9s %-11s %9s %10s %8s %12s\n' "$flows" "$1" "$best" \
            "$(awk -v p="$packets" -v t="$best" 'BEGIN { if (t == "-" || t == 0) print "-"; else printf "%.2fM", p / t / 1e6 }')" \
            "$(awk -v m="$memory" 'BEGIN { if (m == "-") print m; else printf "%.0f", m / 1024 }')" "$2"
    }
    show taut ""
    measure "$work/emptyloop" "$file"
    show emptyloop "$(ratio "$best" "$ours")x"
    if command -v tcptrace >/dev/null; then
        measure tcptrace -n -r -l "$file"
        show tcptrace "$(ratio "$best" "$ours")x"
    fi
    if command -v argus >/dev/null; then
        measure argus -X -r "$file" -w "$work/argus.out"
        show argus "$(ratio "$best" "$ours")x"
    fi
    rm -f "$file" "$work/argus.out"
done
