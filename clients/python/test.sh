#!/usr/bin/env bash
# Builds the wheel, installs it into an environment of its own, and runs mypy and pytest against the real server.
set -euo pipefail
cd "$(dirname "$0")"
target=$(cd ../../target && pwd)
program=${IMGSRV_PROGRAM:-$target/release/imgsrv}
venv=$target/client-venv
[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
pip() { "$venv/bin/pip" --quiet --disable-pip-version-check "$@"; }

# From a copy: a build leaves folders beside its sources.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r pyproject.toml README.md src "$work"
rm -rf "$work/src/imgsrv.egg-info"
pip wheel --no-deps --wheel-dir "$work/plain" "$work"
ls "$work"/plain/imgsrv-*-py3-none-any.whl >/dev/null

# The wheel of a release carries the programs, and is for this platform alone.
pip install build "setuptools>=77"
mkdir "$work/carrying"
(cd ../.. && SOURCE_DATE_EPOCH=$(date +%s) "$venv/bin/python" packaging/wheel.py \
    "$(dirname "$program")" "$(uname -m)-unknown-linux-musl" "$work/carrying")
pip install --force-reinstall --no-deps "$work"/carrying/imgsrv-*.whl
if ls "$work"/carrying/*-any.whl 2>/dev/null; then exit 1; fi
(cd "$work" && env -u IMGSRV_PROGRAM PATH=/usr/bin:/bin "$venv/bin/python" -c '
import sys
import imgsrv
with imgsrv.local() as images:
    assert images.health()
    assert images.server._program == sys.prefix + "/bin/imgsrv", images.server._program
')

pip install --force-reinstall --no-deps "$work"/plain/imgsrv-*.whl
pip install pytest mypy django easy-thumbnails flask pillow
"$venv/bin/python" -m mypy
IMGSRV_PROGRAM=$program "$venv/bin/python" -m pytest -q -p no:cacheprovider
