#!/usr/bin/env bash
# Installs the peers into a folder of their own and makes the derived photos.
#
#   setup.sh PHOTOS [FOLDER]      FOLDER: $PEERS_DIR, else target/peers in this repository
#
# PHOTOS holds the photos that workloads.py names. Needs python3 with venv, node with npm, cargo, and for Pillow-SIMD
# a C compiler with the headers of libjpeg, zlib and libwebp (Debian: libjpeg-dev zlib1g-dev libwebp-dev); without
# those Pillow-SIMD is left out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
photos=$(cd "${1:?which folder holds the photos?}" && pwd)
peers=${2:-${PEERS_DIR:-$here/../../target/peers}}
mkdir -p "$peers" && cd "$peers" && peers=$PWD

[ -x venv/bin/python ] || python3 -m venv venv
venv/bin/pip install --quiet pillow opencv-python-headless simplejpeg numpy
[ -d pyvips_site ] || venv/bin/pip install --quiet --target pyvips_site 'pyvips[binary]'
[ -d node_modules/sharp ] || npm install --silent --no-fund --no-audit sharp
if [ ! -d pillow_simd_site ]; then
  CC="cc -mavx2" venv/bin/pip install --quiet --no-binary pillow-simd --target pillow_simd_site pillow-simd ||
    { rm -rf pillow_simd_site; echo "Pillow-SIMD does not build here: left out" >&2; }
fi
venv/bin/python "$here/derive.py" "$photos" derived
CARGO_TARGET_DIR=$peers/metric cargo build --quiet --release --manifest-path "$here/metric/Cargo.toml"
cargo build --quiet --release --bin imgsrv --example in_process --manifest-path "$here/../../Cargo.toml"

echo "$peers/venv/bin/python $here/run.py --photos $photos --peers-dir $peers --markdown"
