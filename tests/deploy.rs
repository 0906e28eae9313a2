//! The files of `deploy/` fit the program, and the process leaves no core dump.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use imgsrv::internals::engine::{Engine, EngineSettings};
use std::collections::BTreeSet;
use std::process::Command;

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Words of a text that have the form of our metric names.
fn metric_names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = |word: &&str| {
        let metric = word.starts_with("imgsrv_") && word.matches('_').count() > 1;
        metric || word.starts_with("process_") || ["imgsrv_connections", "imgsrv_requests"].contains(word)
    };
    words.filter(ours).collect()
}

#[test]
fn the_dashboard_and_the_documentation_name_metrics_that_exist() {
    let engine = Engine::new(EngineSettings::for_workers(1)).unwrap();
    let page = engine.metrics().render(engine.load());
    let exist: BTreeSet<_> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for (place, text) in [
        ("deploy/grafana.json", file("deploy/grafana.json")),
        ("docs/operations.md", file("docs/operations.md")),
    ] {
        let names = metric_names(&text);
        assert!(names.len() >= 10, "{place} names only {names:?}");
        for name in names {
            let family =
                ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            assert!(exist.contains(family), "{place}: {name}");
        }
    }
}

#[test]
fn the_dashboard_is_json() {
    let dashboard: serde_json::Value = serde_json::from_str(&file("deploy/grafana.json")).unwrap();
    assert!(dashboard["panels"].as_array().is_some_and(|panels| !panels.is_empty()));
}

#[test]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("imgsrv.service");
    // Uses the path of this build, so that systemd can check it.
    let text = file("deploy/imgsrv.service").replace("/usr/local/bin/imgsrv", env!("CARGO_BIN_EXE_imgsrv"));
    std::fs::write(&unit, text).unwrap();
    let Ok(verdict) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output() else {
        return support::skip("systemd-analyze is missing");
    };
    let said = String::from_utf8_lossy(&verdict.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("imgsrv.service")).collect();
    assert!(ours.is_empty(), "{}", ours.join("\n"));
}

#[test]
fn the_unit_exposes_no_more_than_a_server_must() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/imgsrv.service");
    // In tenths. The rest is the network, the group of the token file, and the limit of open files.
    let most = "--threshold=15";
    let verdict = Command::new("systemd-analyze").args(["security", "--offline=true", most, unit]).output();
    let Ok(verdict) = verdict else {
        return support::skip("systemd-analyze is missing");
    };
    let (table, error) = (String::from_utf8_lossy(&verdict.stdout), String::from_utf8_lossy(&verdict.stderr));
    if error.contains("offline") {
        return support::skip("this systemd-analyze checks running units only");
    }
    let open: Vec<_> = table.lines().filter(|line| !line.starts_with('✓')).collect();
    assert!(verdict.status.success(), "{}\n{error}", open.join("\n"));
}

#[test]
fn every_variable_in_the_image_is_a_setting() {
    let text = file("deploy/Dockerfile");
    let variables = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("IMGSRV_"));
    for variable in variables {
        assert!(
            imgsrv::internals::config::SETTINGS.iter().any(|setting| setting.variable() == variable),
            "{variable}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_leaves_no_core_dump() {
    let server = support::Server::start(&[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}
