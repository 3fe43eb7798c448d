# Sourced by the scripts beside it: times of whole processes.

# Forgets the pages of a file that the page cache holds.
forget() {
    sync "$1"
    dd of="$1" oflag=nocache conv=notrunc,fdatasync count=0 2>/dev/null
}

# timed FILE RUNS NAME COMMAND...: runs the command with the file's pages forgotten before each run, and prints the median,
# least and greatest wall time, the mean of its processor time (in steps of 10 ms a run), and its greatest resident set.
timed() {
    file=$1
    runs=$2
    name=$3
    shift 3
    times=$(mktemp)
    for _ in $(seq "$runs"); do
        forget "$file"
        begin=$(date +%s%N)
        /usr/bin/time -o "$times.one" -f "%U %S %M" "$@" >/dev/null
        end=$(date +%s%N)
        echo "$(((end - begin) / 1000)) $(tail -n 1 "$times.one")" >>"$times"
    done
    sort -n "$times" | awk -v name="$name" '
        { wall[NR] = $1 / 1000; cpu += ($2 + $3) * 1000; if ($4 > rss) rss = $4 }
        END {
            printf "%-28s %7.1f ms (%.1f to %.1f of %d), processor %.1f ms, %.1f MiB\n", name, wall[int((NR + 1) / 2)],
                wall[1], wall[NR], NR, cpu / NR, rss / 1024
        }'
    rm -f "$times" "$times.one"
}
