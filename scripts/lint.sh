#!/bin/sh
# Everything that is checked without building: Swift format, shell scripts, the unit, manual pages.
set -eu
cd "$(dirname "$0")/.."

echo "swift format lint"
swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks Fuzz/Package.swift \
    Fuzz/Sources

echo "shellcheck"
scripts=$(grep -rlE '^#!/bin/(ba)?sh' scripts etc/hooks .ci Benchmarks)
# shellcheck disable=SC2086 # No name of ours holds a blank.
shellcheck $scripts

echo "systemd-analyze security"
systemd-analyze security --offline=true --threshold=20 --no-pager systemd/tautd.service >/dev/null || {
    systemd-analyze security --offline=true --threshold=20 --no-pager systemd/tautd.service
    exit 1
}

echo "manual pages"
for page in docs/man/*.[158]; do
    [ -e "$page" ] || continue
    # style: only what breaks a page; mandoc's wish for a mdoc date is not ours.
    mandoc -T lint -W error "$page"
done
