#!/bin/sh
# Cold queries on a generated database: the page cache of the file is dropped before each.
# usage: cold.sh FILE TAUT
set -eu
file=$1
taut=$2
run() {
    name=$1
    shift
    for _ in 1 2 3; do
        sync
        # Only this file's pages: dd's nocache advises the kernel to forget them.
        dd of="$file" oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null
        /usr/bin/time -f "$name: %e s, %U s user, %M KiB" "$@" >/dev/null
    done
}
run start "$taut" --version
run "history of 7 days, 500 buckets" "$taut" --db "$file" history target-7 --since 2026-11-10 --until 2026-11-17 --step 1210s --json
run "report of 30 days" "$taut" --db "$file" report --since 2026-10-20 --until 2026-11-19
run "status" "$taut" --db "$file" --socket /nonexistent status
