#!/bin/sh
# The same facts in Tautline's database, in Prometheus and in VictoriaMetrics: bytes a result of each.
# usage: [DIGITS=6] [REUSE=1] peers.sh DIRECTORY [DAYS]
# DIGITS rounds the durations of the peers, which have nine digits else; REUSE takes the facts of an earlier run.
# Needs storebench (swift build -c release --product storebench) at $STOREBENCH,
# and promtool and victoria-metrics (Debian packages prometheus and victoria-metrics) on the PATH.
set -eu
directory=$1
days=${2:-3}
storebench=${STOREBENCH:-.build/release/storebench}
mkdir -p "$directory"
cd "$directory"
rm -rf prometheus victoria
if [ -z "${REUSE:-}" ]; then
    rm -rf tautline.db* facts.txt
    "$storebench" generate --db tautline.db --days "$days" --openmetrics facts.txt | tee tautline.txt
fi
if [ -n "${DIGITS:-}" ]; then
    awk -v digits="$DIGITS" '/^probe_duration/ { printf "%s %.*f %s\n", $1, digits, $2, $3; next } { print }' facts.txt \
        >facts.rounded
    mv facts.rounded facts.txt
fi
results=$(sed 's/^results \([0-9]*\).*/\1/' tautline.txt)
bytes() { find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }'; }
per() { awk -v name="$1" -v bytes="$2" -v results="$results" -v own="$(bytes tautline.db)" \
    'BEGIN { printf "%-16s %.0f bytes  %.3f bytes/result  %.2f times Tautline\n", name, bytes, bytes / results, bytes / own }'; }
per tautline "$(bytes tautline.db)"

promtool tsdb create-blocks-from openmetrics --quiet --max-block-duration=744h facts.txt prometheus
per prometheus "$(bytes prometheus)"

victoria-metrics -storageDataPath=victoria -httpListenAddr=127.0.0.1:18428 -retentionPeriod=100y \
    -search.disableCache >victoria.log 2>&1 &
victoria=$!
trap 'kill $victoria 2>/dev/null || true' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10; do
    curl -fsS http://127.0.0.1:18428/health >/dev/null 2>&1 && break
    sleep 1
done
# Its import takes milliseconds where OpenMetrics has seconds.
awk '/^#/ { next } { printf "%s %s %.0f\n", $1, $2, $3 * 1000 }' facts.txt |
    split -l 500000 --filter='curl -fsS --data-binary @- http://127.0.0.1:18428/api/v1/import/prometheus' -
sleep 5
curl -fsS "http://127.0.0.1:18428/internal/force_flush"
curl -fsS "http://127.0.0.1:18428/internal/force_merge"
sleep 10
while curl -fsS http://127.0.0.1:18428/metrics | grep -q '^vm_active_merges{.*} [1-9]'; do sleep 2; done
sleep 5
kill $victoria
wait $victoria 2>/dev/null || true
per victoria-metrics "$(bytes victoria/data)"
