//! The rows of `examples/torture`, reduced. The full sizes and the timed bars are `cargo run --release
//! --example torture`; here a row must show the behaviour, not the speed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    dead_code
)]

#[path = "../examples/torture/flood.rs"]
mod flood;
#[path = "../examples/torture/harness.rs"]
mod harness;
#[path = "../examples/torture/images.rs"]
mod images;
#[path = "../examples/torture/load.rs"]
mod load;
#[path = "../examples/torture/operations.rs"]
mod operations;
#[path = "../examples/torture/slow.rs"]
mod slow;
#[path = "../examples/torture/table.rs"]
mod table;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use table::{Row, Scale};

const SERVER: &str = env!("CARGO_BIN_EXE_imgsrv");

/// One attack at a time: each watches its server's threads, descriptors and times, which another would disturb.
static ALONE: Mutex<()> = Mutex::new(());

fn holds(attack: impl FnOnce(&Path, Scale) -> Row) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let row = attack(Path::new(SERVER), Scale::Quick);
    assert!(row.pass, "{}", row.line());
}

fn holds_where_there_is_input(attack: impl FnOnce(&Path, Scale) -> Option<Row>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match attack(Path::new(SERVER), Scale::Quick) {
        Some(row) => assert!(row.pass, "{}", row.line()),
        None => println!("skipped: its input is not there"),
    }
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn short_headers_and_silence_leave_nothing_behind() {
    holds(slow::short_headers);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn sizes_that_lie_take_no_memory() {
    holds(flood::lies);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn impossible_sides_are_refused_before_the_image() {
    holds(flood::impossible_sides);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn half_closes_are_answered() {
    holds(slow::half_closes);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn resets_leave_nothing_behind_and_queued_jobs_of_dead_peers_are_skipped() {
    holds(flood::resets);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn pipelines_are_answered_in_order_and_zeros_once() {
    holds(flood::pipelines);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn a_full_house_evicts_the_idle_and_nobody_else() {
    holds(slow::idle_holders);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn segments_of_a_byte_are_a_request() {
    holds(flood::one_byte_segments);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn strangers_protocols_harm_nobody() {
    holds(flood::strangers);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn metrics_answer_when_everything_is_exhausted() {
    holds(load::metrics_under_load);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn giants_share_the_memory() {
    holds(load::giants_at_once);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn restarts_lose_no_request() {
    holds(operations::rolling_restart);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn a_killed_server_comes_back() {
    holds(operations::kills);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn a_server_without_descriptors_waits_and_recovers() {
    holds(operations::starved);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn a_flood_of_refusals_is_counted_in_full_and_logged_in_part() {
    holds(flood::log_flood);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn wrong_settings_stop_the_start() {
    holds(operations::wrong_settings);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn wrong_tokens_are_few_and_no_token_is_logged() {
    for row in flood::guesses(Path::new(SERVER), Scale::Quick) {
        assert!(row.pass, "{}", row.line());
    }
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn bombs_go_off_in_the_open() {
    holds_where_there_is_input(images::bombs);
}

#[test]
#[ignore = "wants the machine for itself: cargo test --test torture -- --ignored"]
fn one_worker_and_four_answer_the_corpus_alike() {
    holds_where_there_is_input(images::corpus);
}
