#!/usr/bin/env bash
# Runs every fuzz target for a number of seconds (default 60) on stable Rust; needs cc and g++.
#     fuzz/run.sh [SECONDS] [TARGET...]
# A finding is kept in fuzz/artifacts/TARGET and ends the run with its exit code.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
shift || true
targets=("${@:-}")
[ -n "${targets[0]}" ] || targets=(header options probe decode jpeg_paths metadata whole websocket multipart xmlrpc task_file)

host=$(rustc -vV | sed -n 's/^host: //p')
(cd .. && cargo test --quiet --test fuzz_seeds -- --ignored)
# The flags of cargo-fuzz without the sanitizers, which need nightly.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
cargo build --quiet --release --target "$host" "${targets[@]/#/--bin=}"
for target in "${targets[@]}"; do
    mkdir -p "artifacts/$target"
    echo "== $target"
    "target/$host/release/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1
done
