#!/usr/bin/env bash
# Local mode beside sharp and Pillow in the same upload handler: run.sh PHOTOS [rounds]
# PHOTOS is a folder of JPEG photos, of which the largest makes three of 12 megapixels. Needs a release build, Node 20 and Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
export IMGSRV_PROGRAM=${IMGSRV_PROGRAM:-$PWD/target/release/imgsrv}
venv=$PWD/target/client-venv
[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
"$venv/bin/pip" -q --disable-pip-version-check install ./clients/python flask pillow
(cd clients/js && npm ci --no-audit --no-fund --silent && ln -sfn .. node_modules/imgsrv)
exec "$venv/bin/python" benches/local/run.py "$@"
