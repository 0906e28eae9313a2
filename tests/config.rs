//! The settings as the program takes them: precedence, origins, and errors with their place.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::process::{Command, Output};

fn imgsrv(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_imgsrv"))
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn printed(output: &Output, name: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ="))).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "quality = 70\nmax_side = 100\nqueue = 7\n[preset.thumb]\nwidth = 20\n")
        .unwrap();
    let path = file.path().display().to_string();
    let output = imgsrv(
        &["--config", &path, "--print-config", "--queue", "9"],
        &[("IMGSRV_MAX_SIDE", "200"), ("IMGSRV_QUEUE", "8")],
    );
    assert!(output.status.success());
    assert_eq!(printed(&output, "quality"), format!("quality = 70 # {path}:1"));
    assert_eq!(printed(&output, "max_side"), "max_side = 200 # IMGSRV_MAX_SIDE");
    assert_eq!(printed(&output, "queue"), "queue = 9 # --queue");
    assert_eq!(printed(&output, "drain"), "drain = \"20s\" # default");
    assert!(String::from_utf8_lossy(&output.stdout).contains("[preset.thumb]"));
}

#[test]
fn what_is_wrong_stops_the_start_with_one_line_that_names_the_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "workers = 1\n\nqualty = 70\n").unwrap();
    let path = file.path().display().to_string();
    let output = imgsrv(&["--config", &path], &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, format!("imgsrv: {path}:3: unknown setting 'qualty', did you mean 'quality'?\n"));
    let output = imgsrv(&[], &[("IMGSRV_QUALITY", "101")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, "imgsrv: IMGSRV_QUALITY: 'quality' is '101', it accepts 1 to 100\n");
}
