//! Attacks a real server on loopback, row by row, and prints each figure beside its bar.
//!
//! `cargo run --release --example torture` runs everything (less than twenty minutes) and writes the table into
//! `docs/reliability.md`; `-- --quick` runs it reduced; `-- --soak MINUTES` runs the long mixed load alone;
//! `-- --program PATH` attacks that server instead of building one; further words run only the rows of that name.
//! Hostile pictures and the corpus come from `$TEST_SHARED`, else `../shared`, when present.

mod confined;
mod protocol;
mod flood;
mod harness;
mod images;
mod leaks;
mod load;
mod operations;
mod probe;
mod rows;
mod slow;
mod starvation;
mod table;
mod tasks;
mod tls;
mod tokens;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;
use table::Scale;

const BEGIN: &str = "<!-- torture: begin -->\n";
const END: &str = "<!-- torture: end -->\n";

fn main() -> ExitCode {
    let mut words: Vec<_> = std::env::args().skip(1).collect();
    let soak = words.iter().position(|word| word == "--soak").map(|at| words.drain(at..).nth(1));
    let given = words.iter().position(|word| word == "--program");
    let given = given.and_then(|at| words.drain(at..words.len().min(at + 2)).nth(1));
    let scale = if words.iter().any(|word| word == "--quick") { Scale::Quick } else { Scale::Full };
    words.retain(|word| !word.starts_with("--"));
    let program = given.map_or_else(build, PathBuf::from);
    let rows = match soak {
        None => rows::run(&program, scale, &words),
        Some(minutes) => {
            let Some(minutes) = minutes.and_then(|text| text.parse::<f64>().ok()).filter(|n| *n > 0.0) else {
                eprintln!("--soak takes a number of minutes");
                return ExitCode::FAILURE;
            };
            vec![load::soak_for(&program, Duration::from_secs_f64(60.0 * minutes))]
        }
    };
    let table = table::markdown(&rows);
    println!("\n{table}");
    if scale == Scale::Full && words.is_empty() && rows.len() > 1 {
        write_down(&table);
    }
    let failed = rows.iter().filter(|row| !row.pass).count();
    println!("{} of {} rows meet their bar", rows.len() - failed, rows.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds the server, which running an example does not, and returns its path.
fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--bin", "imgsrv", "--quiet"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.is_ok_and(|status| status.success()), "the server does not build");
    let me = std::env::current_exe().expect("a path");
    me.parent().and_then(|folder| folder.parent()).expect("target/<profile>/examples").join("imgsrv")
}

fn write_down(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let (Some(begin), Some(end)) = (text.find(BEGIN), text.find(END)) else { return };
    let text = format!("{}{table}{}", &text[..begin + BEGIN.len()], &text[end..]);
    if let Err(error) = std::fs::write(path, text) {
        eprintln!("cannot write {path}: {error}");
    }
}
