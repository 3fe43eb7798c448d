#!/bin/sh
# Fuzzes what reads bytes from outside: libFuzzer with AddressSanitizer, two targets at a time.
# usage: fuzz.sh [SECONDS [TARGET...]]   (30 seconds a target, every target)
# Corpora grow under .build-fuzz/corpus; an input that breaks a target is left in .build-fuzz/found and belongs, once
# mended, in Fuzz/FailCases. Exit status 1 where any was found.
set -eu
cd "$(dirname "$0")/.."

scratch=$PWD/.build-fuzz
program=$scratch/release/fuzz

# One target, called by the loop below.
if [ "${1:-}" = --one ]; then
    seconds=$2
    target=$3
    corpus=$scratch/corpus/$target
    log=$scratch/$target.log
    cases=Fuzz/FailCases/$target
    [ -d "$cases" ] || cases=
    mkdir -p "$corpus" "$scratch/found"
    FUZZ_TARGET=$target FUZZ_SEEDS=$corpus "$program"
    status=0
    # A trap ends the program at once: what follows it is libFuzzer's business, not that of Swift's own backtracer.
    FUZZ_TARGET=$target SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16 \
        "$program" -max_total_time="$seconds" -timeout=30 -print_final_stats=1 -verbosity=1 \
        -dict="Fuzz/Dictionaries/$target.dict" -artifact_prefix="$scratch/found/$target-" \
        "$corpus" ${cases:+"$cases"} >"$log" 2>&1 || status=$?
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    edges=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    if [ "$status" -eq 0 ]; then
        result=clean
    else
        result=$(grep -E -m 1 'Fatal error|ERROR: ' "$log" || echo "ended with status $status")
    fi
    printf '%-8s %12s %10s %8s  %s\n' "$target" "${count:-?}" "${rate:-?}" "${edges:-?}" "$result"
    exit "$status"
fi

seconds=${1:-30}
[ "$#" -eq 0 ] || shift
case $seconds in
'' | *[!0-9]*)
    echo "fuzz.sh: SECONDS must be a whole number, not \"$seconds\"" >&2
    exit 64
    ;;
esac

# The second flag takes the first one's place in the compiler; the first one keeps main for libFuzzer.
TAUTLINE_FUZZ=1 TAUTLINE_MODULES=Capturing,TestSupport swift build --package-path Fuzz --scratch-path "$scratch" \
    -c release --product fuzz --sanitize=fuzzer -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing \
    -Xswiftc -use-ld=lld

if [ "$#" -eq 0 ]; then
    # The program lists its targets where it is given none.
    # shellcheck disable=SC2046 # One word a target.
    set -- $("$program" | sed 's/.*one of //')
fi
printf '%-8s %12s %10s %8s  %s\n' target executions a-second edges result
printf '%s\n' "$@" | xargs -P 2 -n 1 "$0" --one "$seconds" && exit 0
echo "inputs that broke a target: $scratch/found; logs: $scratch/TARGET.log" >&2
exit 1
