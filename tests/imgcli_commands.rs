//! The subcommands of `imgcli`, each against a real server where it needs one.

mod imgcli_support;

use imgcli_support::*;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn one_image_prints_what_the_original_client_prints() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["info"]);
    let address = server.address.to_string();
    let output = imgcli(&["./info", "--width", "30", "--height", "20", "--server", &address])
        .current_dir(root.path())
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let said = stdout(&output);
    let heads: Vec<&str> = said.lines().map(|line| line.split([':', '(']).next().unwrap()).collect();
    let bytes = fs::metadata(root.path().join("processed_info.jpg")).unwrap().len();
    assert_eq!(heads[0], "Original image size");
    assert_eq!(said.lines().nth(1).unwrap(), format!("Connecting to {address}..."));
    assert_eq!(said.lines().nth(2).unwrap(), "Connected to server");
    assert!(said.contains(&format!("Expecting processed image of {bytes} bytes\n")), "{said}");
    assert!(said.contains(&format!("Received {bytes} bytes of processed image data\n")), "{said}");
    assert!(said.contains("Saved processed image as ./processed_info.jpg\n"), "{said}");
    assert!(
        said.ends_with("Original image dimensions: (60, 40)\nProcessed image dimensions: (30, 20)\n"),
        "{said}"
    );
}

#[test]
fn info_tells_what_a_jpeg_is() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let (from, to) = (root.path().join("a.png"), root.path().join("a.jpg"));
    let made = run(&[
        text(&from),
        "--local",
        "-o",
        text(&to),
        "--quality",
        "77",
        "--progressive",
        "true",
        "--subsampling",
        "422",
    ]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let output = run(&["info", text(&to), "--json"]);
    let facts: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&facts["format"], &facts["width"], &facts["orientation"]),
        (&"jpeg".into(), &800.into(), &1.into())
    );
    let jpeg = &facts["jpeg"];
    assert_eq!((&jpeg["quality"], &jpeg["quality_exact"]), (&77.into(), &true.into()));
    assert_eq!((&jpeg["progressive"], &jpeg["subsampling"]), (&true.into(), &"4:2:2".into()));
    assert_eq!(facts["metadata"]["gps"], false);
    let text_form = stdout(&run(&["info", text(&to), text(&from)]));
    assert!(
        text_form.contains("77 (from the quantisation tables)") && text_form.contains("png"),
        "{text_form}"
    );
    fs::write(root.path().join("no.jpg"), "text").unwrap();
    assert_eq!(code(&run(&["info", text(&root.path().join("no.jpg"))])), 65);
}

#[test]
fn explain_says_what_a_server_then_does() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    let (png_file, jpeg_file) = (root.path().join("a.png"), root.path().join("a.jpg"));
    fs::write(&png_file, png(1600, 1200)).unwrap();
    let made = run(&[text(&png_file), "--local", "-o", text(&jpeg_file), "--width", "1600", "--height", "0"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let explain = |file, more: &[&str]| run(&[&["explain", text(file)], more].concat());
    let small = ["--width", "400", "--height", "300"];
    let output = explain(&jpeg_file, &[&small[..], &["--json", "--run"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let want = serde_json::json!(["planar", 0.375, "lanczos3", 400, 300, "jpeg"]);
    let keys = ["route", "decode_scale", "kernel", "width", "height", "format"];
    assert_eq!(serde_json::json!(keys.map(|key| &told[key])), want);
    assert_eq!(told["steps"]["resize"], "600 x 450 to 400 x 300 by lanczos3");
    assert!(told["memory"].as_u64().unwrap() > 0 && told["run"]["decode_ms"].as_f64().unwrap() > 0.0);
    let address = server.address.to_string();
    let served = run(&[&[text(&jpeg_file), "--server", &address, "-o", "-"], &small[..]].concat());
    assert_eq!(told["run"]["bytes"].as_u64().unwrap(), served.stdout.len() as u64);
    // The same as text, with the reason for the longer way.
    let pixels = stdout(&explain(&jpeg_file, &["--ops", "blur:2", "--kernel", "mitchell"]));
    for part in ["pixels: decoded to pixels, because the operations work on them", "by mitchell", "blur:2"] {
        assert!(pixels.contains(part), "{part} in {pixels}");
    }
    assert!(!pixels.contains("done in"), "{pixels}");
    let enlarged = stdout(&explain(&png_file, &["--scale", "2"]));
    assert!(enlarged.contains("because the source is png") && enlarged.contains("upscaled"), "{enlarged}");
    // What only this machine's owner may do.
    fs::write(&png_file, png(20_000, 4)).unwrap();
    let refused = stdout(&explain(&png_file, &small));
    assert!(refused.contains("server") && refused.contains("16384"), "{refused}");
    assert_eq!(code(&explain(&root.path().join("none.jpg"), &[])), 66);
}

#[test]
fn show_draws_before_and_after_where_there_are_colours() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let (image, address) = (root.path().join("a.png"), server.address.to_string());
    let show = |more: &[&str]| {
        let head = [text(&image), "--show", "--width", "30", "--height", "20", "--server", &address];
        imgcli(&[&head[..], more].concat())
    };
    let plain = show(&[]).output().unwrap();
    assert_eq!(code(&plain), 0);
    assert!(!stdout(&plain).contains('\u{1b}') && stderr(&plain).contains("No preview"), "{plain:?}");
    let drawn = show(&["--color=always"]).output().unwrap();
    let said = stdout(&drawn);
    let (_, picture) = said.split_once("before").unwrap();
    // 60 x 40 does not fit into 39 columns and keeps its shape beside 30 x 20; a letter is two pixels high.
    assert_eq!(picture.lines().filter(|line| line.contains('▀')).count(), 13, "{said}");
    assert!(picture.contains("\u{1b}[38;2;") && picture.lines().next().unwrap().ends_with("after"));
    let off = show(&["--color=never"]).env("COLORTERM", "truecolor").output().unwrap();
    assert!(!stdout(&off).contains('\u{1b}'));
    let to_stdout = show(&["--color=always", "-o", "-"]).output().unwrap();
    jpeg_size(&to_stdout.stdout);
    assert!(stderr(&to_stdout).contains('▀'), "the picture goes elsewhere when the image goes there");
    assert_eq!(code(&run(&[text(root.path()), "--show", "--local"])), 64);
}

#[test]
fn ping_tells_a_living_server_from_a_dead_one() {
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let output = run(&["ping", "--server", &address, "--count", "2", "--interval", "1ms"]);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("is well"));
    drop(server);
    let output = run(&["ping", "--server", &address]);
    assert_eq!(code(&output), 69);
    assert!(stderr(&output).contains("Is the server running?"), "{}", stderr(&output));
}

#[test]
fn compare_shows_both_ways_and_draws_them() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    let from = root.path().join("in");
    pictures(&from, &["a.png", "b.png", "c.png"]);
    let (address, svg) = (server.address.to_string(), root.path().join("t.svg"));
    for place in [["--server", &address], ["--local", "--color=never"]] {
        let output =
            run(&[&["compare", text(&from), "--jobs", "3", "--svg", text(&svg)], &place[..]].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let said = stdout(&output);
        assert_eq!(said.matches("3 images in").count(), 2, "{said}");
        assert!(said.contains("in parallel, 3 at once") && said.contains("times as fast"), "{said}");
        assert!(said.lines().filter(|line| line.contains('█')).count() == 6, "{said}");
        assert_eq!(fs::read_to_string(&svg).unwrap().matches("<rect").count(), 1 + 6);
    }
}

#[test]
fn bench_measures_throughput_latency_and_errors() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png", "b.png"]);
    let (address, svg) = (server.address.to_string(), root.path().join("t.svg"));
    let folder = text(root.path());
    let short = ["--duration", "300ms", "--warmup", "0s", "--connections", "2", "--width", "30"];
    let output =
        run(&[&["bench", folder, "--server", &address, "--json", "--svg", text(&svg)], &short[..]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let measured: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(measured["images"].as_u64().unwrap() > 0 && measured["errors"] == serde_json::json!({}));
    let latency = |name: &str| measured["latency_ms"][name].as_f64().unwrap();
    assert!(latency("p50") > 0.0 && latency("p50") <= latency("p99") && latency("p99.9") <= latency("max"));
    assert!(measured["server_ms"]["decode"]["p50"].as_f64().unwrap() > 0.0);
    assert!(fs::read_to_string(&svg).unwrap().contains("p99.9"));
    let bad =
        run(&[&["bench", folder, "--server", &address, "--crop", "0,0,9999,9999"], &short[..]].concat());
    assert_eq!(code(&bad), 69);
    assert!(stdout(&bad).contains("bad_request"), "{}", stdout(&bad));
    // Several servers share the connections; one that is not there ends it before it begins.
    let other = Server::start(&[]);
    let both = format!("{address},{}", other.address);
    let shared = run(&[&["bench", folder, "--server", &both, "--json"], &short[..]].concat());
    assert_eq!(code(&shared), 0, "{}", stderr(&shared));
    assert!(other.stop().contains("status=ok"), "it had its share");
    let gone = run(&[&["bench", folder, "--server", &both], &short[..]].concat());
    assert!(code(&gone) == 69 && stderr(&gone).contains("Is the server running?"), "{}", stderr(&gone));
}

#[test]
fn an_open_load_counts_the_time_that_requests_wait_for_their_turn() {
    // Answers one request at a time and takes 40 ms for each: 100 a second must queue up.
    let address = listener(|_| {
        std::thread::sleep(Duration::from_millis(40));
        reply(false, "status=ok", b"x")
    });
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let p90 = |rate: &[&str]| {
        let head = ["bench", text(root.path()), "--server", &address, "--json", "--connections", "1"];
        let output = run(&[&head[..], &["--duration", "600ms", "--warmup", "0s"], rate].concat());
        let measured: Value = serde_json::from_str(&stdout(&output)).unwrap();
        measured["latency_ms"]["p90"].as_f64().unwrap()
    };
    let (closed, open) = (p90(&[]), p90(&["--rate", "100"]));
    // 60 requests are due in 0.6 s and take 2.4 s in all: the late ones have waited more than a second.
    assert!(open > 1000.0 && open > 3.0 * closed, "{closed} ms closed, {open} ms open");
}

#[test]
fn watch_converts_what_is_there_what_comes_and_what_changes() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    let (from, to) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png"]);
    let address = server.address.to_string();
    let mut child = imgcli(&["watch", text(&from), text(&to), "--settle", "200ms", "--server", &address])
        .args(["--width", "30"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("Watching"), "{line}");
    let wait_for = |what: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !what() {
            assert!(started.elapsed() < Duration::from_secs(60), "{:?}", tree(&to));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let size = |name: &str| fs::read(to.join(name)).ok().map(|bytes| jpeg_size(&bytes));
    wait_for(&|| size("a.jpg") == Some((30, 20)));
    // A file that is written in pieces is taken when it is whole.
    let image = png(90, 30);
    fs::write(from.join("b.png"), &image[..100]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    fs::write(from.join("b.png"), &image).unwrap();
    pictures(&from, &["new/folder/c.png"]);
    wait_for(&|| size("b.jpg") == Some((30, 10)) && size("new/folder/c.jpg") == Some((30, 20)));
    fs::write(from.join("a.png"), png(30, 60)).unwrap();
    wait_for(&|| size("a.jpg") == Some((30, 60)));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert_eq!(tree(&to), ["a.jpg", "b.jpg", "new/folder/c.jpg"]);
}

#[cfg(unix)]
#[test]
fn watch_takes_relative_and_linked_folders() {
    let root = tempfile::tempdir().unwrap();
    let from = root.path().join("real/in");
    fs::create_dir_all(&from).unwrap();
    std::os::unix::fs::symlink(&from, root.path().join("link")).unwrap();
    for (i, named) in ["real/in", "./real/../real/in", "link"].into_iter().enumerate() {
        let to = format!("out-{i}");
        let mut child = imgcli(&["watch", named, &to, "--settle", "100ms", "--local", "--width", "30"])
            .current_dir(root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut line, mut said) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
        said.read_line(&mut line).unwrap();
        // It comes after the start, so that only an event can tell of it.
        let name = format!("sub/{i}.png");
        pictures(&from, &[&name]);
        let result = root.path().join(&to).join(format!("sub/{i}.jpg"));
        let started = Instant::now();
        while !result.exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "{named}: {line}");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn one_side_follows_the_other_and_a_stretch_is_told_once() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let (image, to) = (root.path().join("a.png"), root.path().join("b.jpg"));
    let made = |more: &[&str]| {
        let output = run(&[&[text(&image), "--local", "--force", "-o", text(&to)], more].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let notes = stdout(&output).lines().filter(|line| line.contains("stretched")).count();
        (jpeg_size(&fs::read(&to).unwrap()), notes)
    };
    assert_eq!(made(&["-w", "30"]), ((30, 20), 0));
    assert_eq!(made(&["--height", "10"]), ((15, 10), 0));
    assert_eq!(made(&[]), ((800, 600), 1), "the size of the original client");
    assert_eq!(made(&["-w", "30", "--height", "30"]), ((30, 30), 1));
    assert_eq!(made(&["-w", "30", "--height", "30", "--fit", "fill"]), ((30, 30), 0), "as asked");
    assert_eq!(made(&["-w", "30", "--height", "30", "--fit", "inside"]), ((30, 20), 0));
    assert_eq!(made(&["-w", "1000", "--height", "667"]), ((1000, 667), 0), "less than a percent");
    assert_eq!(made(&["-w", "30", "--height", "30", "--crop", "0,0,40,40"]), ((30, 30), 0));
}

#[test]
fn the_name_of_the_result_sets_its_format() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let image = root.path().join("a.png");
    let save = |name: &str, more: &[&str]| {
        let to = root.path().join(name);
        let output = run(&[&[text(&image), "--local", "-w", "30", "-o", text(&to)], more].concat());
        (code(&output), fs::read(&to).unwrap_or_default(), stderr(&output))
    };
    for (name, magic) in [
        ("b.webp", &b"RIFF"[..]),
        ("b.PNG", b"\x89PNG"),
        ("b.tif", b"II*\0"),
        ("b.tiff", b"II*\0"),
        ("b.gif", b"GIF89a"),
        ("b.bmp", b"BM"),
        ("b.qoi", b"qoif"),
        ("b.jpeg", b"\xff\xd8"),
        ("b.out", b"\xff\xd8"),
    ] {
        let (code, bytes, said) = save(name, &[]);
        assert!(code == 0 && bytes.starts_with(magic), "{name}: {said}");
    }
    assert_eq!(save("c.jpg", &["--format", "jpeg"]).0, 0);
    for (name, format) in [("d.webp", "png"), ("d.jpg", "source")] {
        let (code, bytes, said) = save(name, &["--format", format]);
        assert_eq!((code, bytes.len()), (64, 0), "{said}");
        assert!(said.contains("--format"), "{said}");
    }
    let (code, _, said) = save("d.ico", &[]);
    assert!(code == 64 && said.contains("ico"), "{said}");
}

#[test]
fn transparency_that_is_lost_is_told_with_the_formats_that_keep_it() {
    let root = tempfile::tempdir().unwrap();
    let logo = root.path().join("logo.png");
    image::RgbaImage::from_pixel(20, 20, image::Rgba([200, 0, 0, 128])).save(&logo).unwrap();
    let said = |more: &[&str]| stdout(&run(&[&[text(&logo), "--local", "-w", "10"], more].concat()));
    let told = said(&[]);
    assert!(
        told.contains("Note: flattened (") && told.contains("--background") && told.contains("webp"),
        "{told}"
    );
    assert!(!said(&["--format", "png"]).contains("flattened"));
    image::RgbaImage::from_pixel(20, 20, image::Rgba([200, 0, 0, 255])).save(&logo).unwrap();
    assert!(!said(&[]).contains("flattened"), "an alpha channel without transparency loses nothing");
}

#[test]
fn text_from_a_server_and_names_of_files_cannot_steer_the_terminal() {
    let root = tempfile::tempdir().unwrap();
    let name = "evil\u{1b}[31m\u{202e}.png";
    pictures(root.path(), &["a.png", name]);
    let refusing =
        listener(|_| reply(true, "status=unsupported", "no\u{1b}]0;title\u{7}\u{202e}".as_bytes()));
    let image = fs::read(root.path().join("a.png")).unwrap();
    let warning = listener(move |_| reply(false, "status=ok&format=png&warnings=odd%1B%5B2J", &image));
    let harmless = |output: &std::process::Output| {
        let all = [&output.stdout[..], &output.stderr].concat();
        let all = String::from_utf8(all).unwrap();
        assert!(!all.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{all:?}");
        all
    };
    let [plain, evil] = ["a.png", name].map(|name| root.path().join(name));
    let refused = harmless(&run(&[text(&plain), "--server", &refusing]));
    assert!(refused.contains("no\\u{1b}]0;title"), "{refused}");
    let noted = harmless(&run(&[text(&plain), "--server", &warning, "-o", text(&root.path().join("x.png"))]));
    assert!(noted.contains("odd\\u{1b}[2J"), "{noted}");
    for more in [&["--local"][..], &["--local", "--dry-run"], &["--local", "--json", "--skip-existing"]] {
        harmless(&run(&[&[text(&evil), "-w", "9"], more].concat()));
    }
    for arguments in [&["info", text(&evil)][..], &["info", "--json", text(&evil)], &["explain", text(&evil)]]
    {
        harmless(&run(arguments));
    }
    let out = root.path().join("out");
    let batch = [text(root.path()), "--server", &refusing, "--json", "--out", text(&out)];
    harmless(&run(&batch));
}

#[test]
fn the_http_port_is_named_as_such() {
    let server = Server::start_http(&[]);
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let address = server.http().to_string();
    let output = run(&[text(&root.path().join("a.png")), "--server", &address, "--retries", "5"]);
    assert_eq!(code(&output), 64, "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("{address} is an HTTP port")), "{}", stderr(&output));
}

#[test]
fn completions_and_manual_know_the_subcommands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&run(&["completions", shell]));
        assert!(script.contains("compare") && script.contains("max-bytes"), "{shell}");
    }
    let page = stdout(&run(&["man"]));
    assert!(page.contains(".TH imgcli") && page.contains("skip\\-existing"));
    let root = tempfile::tempdir().unwrap();
    assert_eq!(code(&run(&["man", "--dir", text(root.path())])), 0);
    assert!(root.path().join("imgcli-bench.1").exists());
    assert!(stdout(&run(&["--version"])).starts_with("imgcli "));
}

#[test]
fn colours_come_only_when_they_are_wanted() {
    let missing = ["info", "/nowhere/at/all.png"];
    let escapes = |command: &mut Command| stderr(&command.output().unwrap()).contains('\u{1b}');
    assert!(!escapes(&mut imgcli(&missing)));
    assert!(escapes(imgcli(&missing).arg("--color=always")));
    assert!(!escapes(imgcli(&missing).arg("--color=never")));
    assert!(!escapes(imgcli(&missing).env("NO_COLOR", "1")));
}

#[test]
fn each_trouble_with_a_connection_says_what_to_try() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let image = root.path().join("a.png");
    let said = |arguments: &[&str]| {
        let output = run(&[&[text(&image)], arguments].concat());
        (code(&output), stderr(&output))
    };
    // Nobody there.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (exit, message) = said(&["--server", &free]);
    assert!(exit == 69 && message.contains("--local"), "{exit} {message}");
    // Hangs up at once.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let rude = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let (exit, message) = said(&["--server", &rude]);
    assert!(exit == 69 && message.contains("--retries"), "{exit} {message}");
    // Never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let (exit, message) = said(&["--server", &address, "--timeout", "200ms"]);
    assert!(exit == 69 && message.contains("--timeout"), "{exit} {message}");
    // Answers so slowly, a byte at a time, that no pause is long.
    let slow = TcpListener::bind("127.0.0.1:0").unwrap();
    let dripping = slow.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut socket = slow.incoming().next().unwrap().unwrap();
        for byte in reply(false, &format!("status=ok&format=jpeg&message={}", "x".repeat(60)), b"x") {
            std::thread::sleep(Duration::from_millis(50));
            let _ = socket.write_all(&[byte]); // it has hung up
        }
    });
    let (exit, message) = said(&["--server", &dripping, "--timeout", "500ms"]);
    assert!(exit == 69 && message.contains("--timeout"), "{exit} {message}");
    // An address without a port.
    let (exit, message) = said(&["--server", "127.0.0.1", "--retries", "9"]);
    assert!(exit == 69 && message.contains("HOST:PORT") && !message.contains("trying again"), "{message}");
    // No TLS there.
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let (exit, message) = said(&["--server", &address, "--insecure-tls", "--timeout", "2s"]);
    assert!(exit == 69 && message.contains("--tls"), "{exit} {message}");
    // A token that does not exist.
    let (exit, message) = said(&["--server", &address, "--token-file", "/nowhere/token"]);
    assert!(exit == 64 && message.contains("/nowhere/token"), "{exit} {message}");
}

#[test]
fn retries_outlast_a_server_that_starts_late() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let image = root.path().join("a.png");
    let child = imgcli(&[text(&image), "--server", &port, "--retries", "8", "--retry-delay", "100ms"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut server = Command::new(env!("CARGO_BIN_EXE_imgsrv"))
        .args(["--bind", &port, "--http", "none"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(root.path().join("processed_a.jpg").exists());
}

#[test]
fn a_token_is_shown_from_a_file_or_the_environment() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png"]);
    let tokens = root.path().join("tokens");
    fs::write(&tokens, "me:sesame\n").unwrap();
    make_private(&tokens);
    let address = listener(|options| match options.split('&').any(|pair| pair == "token=sesame") {
        true => reply(false, "status=ok&format=jpeg", b"x"),
        false => reply(true, "status=unauthorized", b"no token"),
    });
    let image = root.path().join("a.png");
    let denied = run(&[text(&image), "--server", &address]);
    assert_eq!(code(&denied), 77);
    assert!(stderr(&denied).contains("--token-file"), "{}", stderr(&denied));
    assert_eq!(code(&run(&[text(&image), "--server", &address, "--token-file", text(&tokens)])), 0);
    let from_environment =
        imgcli(&[text(&image), "--server", &address]).env("IMGSRV_TOKEN", "sesame").output();
    assert_eq!(code(&from_environment.unwrap()), 0);
}
