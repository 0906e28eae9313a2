#!/usr/bin/env bash
# Builds the static programs for each target that is named, by default both, into target/TARGET/dist.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$(packaging/tools.sh):$PATH
IMGSRV_COMMIT=${IMGSRV_COMMIT:-$(git rev-parse --short=12 HEAD)}
export IMGSRV_COMMIT
[ $# -gt 0 ] || set -- x86_64-unknown-linux-musl aarch64-unknown-linux-musl
for target; do
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || rustup target add "$target"
    cargo zigbuild --locked --profile dist --bins --target "$target"
done
