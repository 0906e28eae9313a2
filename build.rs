//! Tells the crate which commit and target it is built from.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=IMGSRV_COMMIT");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=BUILD_TARGET={target}");
    println!("cargo::rustc-env=BUILD_COMMIT={}", commit().unwrap_or_default());
}

/// The commit: as the packager gives it, as `cargo package` recorded it, or of this clone.
fn commit() -> Option<String> {
    std::env::var("IMGSRV_COMMIT").ok().filter(|commit| !commit.is_empty()).or_else(packaged).or_else(cloned)
}

fn packaged() -> Option<String> {
    let facts = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = facts.split_once("\"sha1\": \"")?;
    Some(rest.split('"').next()?.chars().take(12).collect())
}

/// Debug builds do without: each commit would compile the crate again.
fn cloned() -> Option<String> {
    if std::env::var("PROFILE").ok()? != "release" || !Path::new(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // Every commit and checkout adds a line to this log.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists());
    println!("cargo::rerun-if-changed={}", log.as_deref().unwrap_or(".git/HEAD"));
    git(&["rev-parse", "--short=12", "HEAD"])
}
