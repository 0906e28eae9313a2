//! Decompression bombs, built by the corpus's own script: each must end quickly and small, one way or the
//! other. Skipped, saying so, where the script (below `TEST_SHARED`, else `../shared`) or Python is missing.

mod support;

use imgsrv::codec::{self, Scratch};
use imgsrv::limits::{Limits, MIB};
use imgsrv::spec::Spec;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Builds the bombs, or their harmless twins, in a folder that goes when the result is dropped.
fn built(small: bool) -> Option<tempfile::TempDir> {
    let shared = std::env::var_os("TEST_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let script = shared.join("tools/gen_bombs.py");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut python = Command::new("python3");
    python.arg(&script).arg(folder.path()).env("SMALL", if small { "1" } else { "0" });
    let done = script.is_file() && python.output().is_ok_and(|output| output.status.success());
    if !done {
        support::skip(&format!("{} is missing or does not run", script.display()));
    }
    done.then_some(folder)
}

/// Highest resident size of this process so far, in bytes; 0 where the system does not say.
fn peak_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn run(small: bool) {
    let Some(folder) = built(small) else { return };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ext| ext != "tsv")) {
        let input = std::fs::read(file).expect("the bomb is there");
        // A new high-water mark for each file; without the permission the marks only grow.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (before, began) = (peak_resident(), Instant::now());
        let outcome = codec::process(&input, &Spec::plain(320, 240), &Limits::default(), &mut Scratch::new());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let grown = peak_resident().saturating_sub(before) / MIB;
        let said = outcome.map_or_else(
            |error| format!("{}: {error}", error.status()),
            |done| format!("ok {}", done.warnings),
        );
        println!("{name}: {:?}, {grown} MiB, {said}", began.elapsed());
        assert!(grown <= 256 + 16, "{name} took {grown} MiB");
    }
}

#[test]
fn harmless_twins_of_bombs_do_not_panic() {
    run(true);
}

#[test]
#[ignore = "a minute in a debug build"]
fn bombs_end_small() {
    run(false);
}
