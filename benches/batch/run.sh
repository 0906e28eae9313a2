#!/usr/bin/env bash
# Installs sharp and Pillow into a folder of their own, then measures a folder of 200 photos: see run.py.
#
#   run.sh PHOTOS [OPTIONS OF run.py]      PEERS_DIR: where the peers are installed, else target/peers in this repository
#
# Needs python3 with venv, node with npm, cargo, and vipsthumbnail (Debian: libvips-tools).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
photos=$(cd "${1:?which folder holds the photos?}" && pwd)
shift
command -v vipsthumbnail >/dev/null || { echo "there is no vipsthumbnail: apt-get install libvips-tools" >&2; exit 1; }

export PEERS_DIR=${PEERS_DIR:-$here/../../target/peers}
mkdir -p "$PEERS_DIR" && PEERS_DIR=$(cd "$PEERS_DIR" && pwd)
(
  cd "$PEERS_DIR"
  [ -x venv/bin/python ] || python3 -m venv venv
  venv/bin/python -c 'import PIL' 2>/dev/null || venv/bin/pip install --quiet pillow
  [ -d node_modules/sharp ] || npm install --silent --no-fund --no-audit sharp
)
cargo build --quiet --release --bins --manifest-path "$here/../../Cargo.toml"
exec "$PEERS_DIR/venv/bin/python" "$here/run.py" --photos "$photos" "$@"
