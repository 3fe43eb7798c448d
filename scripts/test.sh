#!/bin/sh
# Lint, a debug build without warnings, every test, a short run of every fuzz target, and the counts at the end.
set -eu
cd "$(dirname "$0")/.."

scripts/lint.sh

[ "$(id -u)" -eq 0 ] || echo "not root: tests that need network namespaces are skipped (all of them: sudo make test)"

# Warnings are errors by Package.swift; this flag adds imports that no dependency stands for.
flags="--explicit-target-dependency-import-check error"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# shellcheck disable=SC2086
swift build --build-tests $flags

status=0
run() {
    # shellcheck disable=SC2086
    { swift test --skip-build $flags "$@" 2>&1 || touch "$log.failed"; } | tee -a "$log"
    if [ -e "$log.failed" ]; then
        rm -f "$log.failed"
        status=1
    fi
}
run --skip '^SystemTests\.'
# These measure time against a known truth, so they have the machine to themselves.
run --no-parallel --filter '^SystemTests\.'

echo
echo "== fuzzing"
scripts/fuzz.sh "${TAUTLINE_FUZZ_SECONDS:-30}" || status=1

echo
echo "== instructions and heap blocks a packet"
make --no-print-directory bench-check || status=1

echo
echo "== failures"
grep -E '^✘ ' "$log" || echo none
echo "== skipped"
grep -E '^➜ .*skipped' "$log" || echo none
echo "== counts"
grep -E 'Test run with [0-9]+ tests' "$log" || status=1
exit "$status"
