#!/bin/sh
# Installs the Debian packages that are missing. usage: install-packages.sh PACKAGE...
# Root installs them; anybody else is told the command. Nothing is done, and nothing is asked of the network, where
# every package is there.
set -eu

missing=
for package in "$@"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "missing Debian packages; install them with:" >&2
    echo "  sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # A list of names without blanks.
apt-get install -y -q --no-install-recommends $missing
