#!/usr/bin/env bash
# Installs the package as its users do, and runs tsc and node --test against the real server.
set -euo pipefail
cd "$(dirname "$0")"
target=$(cd ../../target && pwd)
export IMGSRV_PROGRAM=${IMGSRV_PROGRAM:-$target/release/imgsrv}
npm ci --no-audit --no-fund --silent
# The examples and the README import the package by its name, from what npm would publish.
npm pack --silent --pack-destination "$target" >/dev/null
rm -rf node_modules/imgsrv && mkdir node_modules/imgsrv
tar -xzf "$target"/imgsrv-*.tgz -C node_modules/imgsrv --strip-components=1
npx tsc -p .
node --test --test-timeout=120000 --test-reporter=dot tests/*.test.js
