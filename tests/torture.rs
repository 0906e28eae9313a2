//! The rows of `examples/torture`, reduced: a row must show the behaviour here, not the speed. The full sizes and
//! the timed bars are `cargo run --release --example torture`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    dead_code
)]

#[path = "../examples/torture/confined.rs"]
mod confined;
#[path = "../examples/torture/protocol.rs"]
mod protocol;
#[path = "../examples/torture/flood.rs"]
mod flood;
#[path = "../examples/torture/harness.rs"]
mod harness;
#[path = "../examples/torture/images.rs"]
mod images;
#[path = "../examples/torture/leaks.rs"]
mod leaks;
#[path = "../examples/torture/load.rs"]
mod load;
#[path = "../examples/torture/operations.rs"]
mod operations;
#[path = "../examples/torture/probe.rs"]
mod probe;
#[path = "../examples/torture/rows.rs"]
mod rows;
#[path = "../examples/torture/slow.rs"]
mod slow;
#[path = "../examples/torture/starvation.rs"]
mod starvation;
#[path = "../examples/torture/table.rs"]
mod table;
#[path = "../examples/torture/tasks.rs"]
mod tasks;
#[path = "../examples/torture/tls.rs"]
mod tls;
#[path = "../examples/torture/tokens.rs"]
mod tokens;

use std::path::Path;
use table::{Row, Scale};

#[test]
#[ignore = "minutes, and it wants the machine for itself: cargo test --test torture -- --ignored --nocapture"]
fn every_row_holds_when_reduced() {
    let rows = rows::run(Path::new(env!("CARGO_BIN_EXE_imgsrv")), Scale::Quick, &[]);
    let missed: Vec<_> = rows.iter().filter(|row| !row.pass).map(Row::line).collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
