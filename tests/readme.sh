#!/usr/bin/env bash
# Follows README: starts the server with its first command, runs its client line, compares what is printed.
# `tests/readme.sh --write` puts today's output into README instead.
set -euo pipefail
cd "$(dirname "$0")/.."

block=$(awk '/^```console$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md)
client=$(sed -n '1s/^\$ //p' <<<"$block")
server=$(awk '/^```sh$/ { getline; print; exit }' README.md)

log=$(mktemp)
$server >"$log" 2>&1 &
trap 'kill %1 2>/dev/null; wait; rm -f docs/processed_photo.jpg "$log"' EXIT
for _ in $(seq 600); do grep -q "listening on" "$log" && break; sleep 1; done

said=$($client 2>/dev/null)
if [ "${1-}" = --write ]; then
    SAID="\$ $client"$'\n'"$said" perl -0pi -e 's/(```console\n).*?(\n```)/$1$ENV{SAID}$2/s' README.md
    exit
fi
without_time() { grep -v '^Total time' ; }
diff <(tail -n +2 <<<"$block" | without_time) <(without_time <<<"$said")
file_type=$(head -c 3 docs/processed_photo.jpg | od -An -tx1)
[ "$file_type" = " ff d8 ff" ]
echo "README keeps its promise"
