#!/usr/bin/env bash
# The JPEG code on aarch64, where its kernels are NEON: the unit tests, which hold them against the scalar ones, under
# an emulator unless the machine is one. Wants the Rust target aarch64-unknown-linux-gnu; installs the Debian packages (as root).
set -euo pipefail
cd "$(dirname "$0")/.."
target=aarch64-unknown-linux-gnu

if [ "$(uname -m)" != aarch64 ]; then
    if ! [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] && ! [ -d "/usr/lib/rustlib/$target" ]; then
        echo "the standard library for $target is missing: rustup target add $target" >&2
        exit 2
    fi
    if ! command -v qemu-aarch64 >/dev/null || ! command -v aarch64-linux-gnu-gcc >/dev/null; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross >/dev/null
    fi
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
fi
exec cargo test --lib --no-default-features --target $target codec::jpeg
