#!/bin/sh
# Queries on a generated database of 30 days whose pages are in no cache, process start included.
# usage: cold.sh FILE TAUT [RUNS]
set -eu
file=$1
taut=$2
runs=${3:-15}
# shellcheck disable=SC1091
. "$(dirname "$0")/timing.sh"
timed "$file" "$runs" "start (--version)" "$taut" --version
timed "$file" "$runs" "history, 7 days, 500 points" "$taut" --db "$file" history target-7 \
    --since 2026-11-10 --until 2026-11-17 --step 1210s --json
timed "$file" "$runs" "report, 30 days, all series" "$taut" --db "$file" report --since 2026-10-20 --until 2026-11-19
timed "$file" "$runs" "status, all targets" "$taut" --db "$file" --socket /nonexistent status
