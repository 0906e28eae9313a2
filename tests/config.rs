//! The settings as the program takes them: precedence, origins, and errors with their place.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

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

#[test]
fn each_source_goes_before_the_ones_below_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "\nmax_scans = 30\n").unwrap();
    let path = file.path().display().to_string();
    let (config, flag) = (["--config", &path], ["--max-scans", "50"]);
    let (print, variable) = (["--print-config"], [("IMGSRV_MAX_SCANS", "40")]);
    for (arguments, variables, shown) in [
        (print.to_vec(), &variable[..0], "max_scans = 100 # default".to_owned()),
        ([&print[..], &config].concat(), &variable[..0], format!("max_scans = 30 # {path}:2")),
        ([&print[..], &config].concat(), &variable, "max_scans = 40 # IMGSRV_MAX_SCANS".to_owned()),
        ([&print[..], &config, &flag].concat(), &variable, "max_scans = 50 # --max-scans".to_owned()),
    ] {
        assert_eq!(printed(&imgsrv(&arguments, variables), "max_scans"), shown);
    }
    let by_variable = imgsrv(&print, &[("IMGSRV_CONFIG", &path)]);
    assert_eq!(printed(&by_variable, "max_scans"), format!("max_scans = 30 # {path}:2"));
}

#[test]
fn a_wrong_value_stops_the_start_wherever_it_was_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "quality = 50\nmax_body = \"big\"\n").unwrap();
    let path = file.path().display().to_string();
    for (arguments, variables, at) in [
        (vec!["--config", &path], vec![], format!("{path}:2")),
        (vec![], vec![("IMGSRV_MAX_BODY", "big")], "IMGSRV_MAX_BODY".to_owned()),
        (vec!["--max-body", "big"], vec![], "--max-body".to_owned()),
    ] {
        let output = imgsrv(&arguments, &variables);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said, format!("imgsrv: {at}: 'max_body' is 'big', it accepts bytes, such as 32MiB\n"));
    }
}

#[test]
fn the_example_file_changes_nothing() {
    let values = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let values: Vec<_> =
            text.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect();
        values
    };
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/imgsrv.example.toml");
    let with_file = imgsrv(&["--config", example, "--print-config"], &[]);
    assert!(printed(&with_file, "quality").contains("imgsrv.example.toml:"), "it was read");
    assert_eq!(values(&with_file), values(&imgsrv(&["--print-config"], &[])));
    let printed = imgsrv(&["--print-example"], &[]);
    assert_eq!(printed.stdout, std::fs::read(example).unwrap());
}

#[test]
fn the_version_names_features_and_formats() {
    let shown = imgsrv(&["--version"], &[]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.starts_with(&format!("imgsrv {} (", env!("CARGO_PKG_VERSION"))), "{text}");
    for line in ["features: client server", "reads: jpeg png", "writes: jpeg png"] {
        assert!(text.lines().any(|shown| shown.starts_with(line)), "{line} in\n{text}");
    }
    let short = imgsrv(&["-V"], &[]);
    assert_eq!(short.stdout, format!("imgsrv {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
}

#[test]
fn completions_and_manual_know_the_settings() {
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(imgsrv(&["completions", shell], &[]).stdout).unwrap();
        assert!(script.contains("max-body") && script.contains("print-config"), "{shell}");
    }
    let page = String::from_utf8(imgsrv(&["man"], &[]).stdout).unwrap();
    assert!(page.contains(".TH imgsrv") && page.contains("by the machine"), "{page}");
    let root = tempfile::tempdir().unwrap();
    assert!(imgsrv(&["man", "--dir", root.path().to_str().unwrap()], &[]).status.success());
    assert!(root.path().join("imgsrv.1").exists() && root.path().join("imgsrv-health.1").exists());
}

#[test]
fn a_variable_that_is_no_setting_stops_the_server_and_makes_the_client_warn() {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).env("IMGSRV_MAX_BODDY", "1MiB").output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = run(env!("CARGO_BIN_EXE_imgsrv"), &["--print-config"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("unknown variable IMGSRV_MAX_BODDY, did you mean IMGSRV_MAX_BODY?"), "{told}");
    let (code, told) = run(env!("CARGO_BIN_EXE_imgcli"), &["completions", "bash"]);
    assert_eq!(code, Some(0));
    assert!(told.contains("IMGSRV_MAX_BODDY"), "{told}");
}

#[cfg(unix)]
#[test]
fn sighup_reads_presets_and_log_level_again_and_says_what_changed() {
    use support::{Server, extended, png, read_extended, send};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("imgsrv.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[preset.small]\nwidth = 10\n[preset.old]\nwidth = 7\n");
    let server = Server::start(&[&format!("--config={}", file.display())]);
    let ask = |options: &str| {
        let mut socket = server.connect();
        send(&mut socket, &extended(&png(40, 20), 0, 0, options));
        read_extended(&mut socket).1
    };
    assert!(ask("preset=small").contains("width=10"));
    // Signals are acted on in order, each in its time.
    let until = |is_so: &dyn Fn() -> bool| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !is_so() {
            assert!(std::time::Instant::now() < deadline, "never so");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    };
    write("log_level = \"warn\"\n[preset.small]\nwidth = 12\n[preset.new]\nwidth = 5\n");
    server.signal(1);
    until(&|| ask("preset=new").contains("width=5"));
    assert!(ask("preset=small").contains("width=12"));
    assert!(ask("preset=old").contains("status=bad_request"));
    write("[preset.small]\nwidth = \"wide\"\n");
    server.signal(1);
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(ask("preset=small").contains("width=12"), "a broken file changes nothing");
    let log = server.stop();
    for said in [
        "preset 'new' is new",
        "preset 'small' changed",
        "preset 'old' is gone",
        "log_level is Warn from now on",
    ] {
        assert!(log.contains(said), "{said} in\n{log}");
    }
    assert!(log.contains("reload failed, keeping the previous settings"), "{log}");
    let after = log.split("log_level is Warn").nth(1).unwrap();
    assert!(!after.contains(" INFO "), "nothing below a warning is logged any more: {after}");
}
