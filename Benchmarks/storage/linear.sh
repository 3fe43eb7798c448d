#!/bin/sh
# How the cost of a report and of a status grows with the number of series, from 1 to 200: generated databases of three days.
# The last lines are of processor time, which other work on the machine disturbs least.
# usage: linear.sh DIRECTORY TAUT   needs storebench at $STOREBENCH
set -eu
directory=$1
taut=$2
storebench=${STOREBENCH:-.build/release/storebench}
# shellcheck disable=SC1091
. "$(dirname "$0")/timing.sh"
mkdir -p "$directory"
for series in 1 10 50 200; do
    file=$directory/linear-$series.db
    [ -e "$file" ] || "$storebench" generate --db "$file" --series "$series" --days 3 >/dev/null
    timed "$file" 15 "report $series" "$taut" --db "$file" report --since 2026-10-20 --until 2026-10-23
    timed "$file" 15 "status $series" "$taut" --db "$file" --socket /nonexistent status
done | tee "$directory/linear.txt"
awk '{ series = $2; cost = $11; if (series == 1) { base[$1] = cost; next }
    printf "%s: from 1 to %d series %.3f ms for each further one\n", $1, series, (cost - base[$1]) / (series - 1) }' \
    "$directory/linear.txt"
