//! Batches of `imgcli`, here and on real servers: names, what exists, what fails, what is cut short.

mod imgcli_support;

use imgcli_support::*;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_tree_of_folders_is_processed_into_another_like_it() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "trip/b.png", "trip/day/c.png", ".hidden/d.png"]);
    fs::write(from.join("notes.txt"), "no image").unwrap();
    let address = server.address.to_string();
    let output = run(&[text(&from), "-r", "--out", text(&out), "--width", "30", "--server", &address]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree(&out), ["a.jpg", "trip/b.jpg", "trip/day/c.jpg"]);
    // One side follows the other.
    assert_eq!(jpeg_size(&fs::read(out.join("a.jpg")).unwrap()), (30, 20));
    let said = stdout(&output);
    assert!(
        said.contains("3 saved") && said.lines().filter(|line| line.contains(" -> ")).count() == 3,
        "{said}"
    );
}

#[test]
fn patterns_sizes_and_templates_make_names() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "b.png", "c.gif.png"]);
    let pattern = from.join("[ab].png");
    let sized = run(&[text(&pattern), "--local", "--out", text(&out), "--sizes", "10,20"]);
    assert_eq!(code(&sized), 0, "{}", stderr(&sized));
    assert_eq!(tree(&out), ["a-10.jpg", "a-20.jpg", "b-10.jpg", "b-20.jpg"]);
    let named = root.path().join("named");
    let template = "x/{name}_{width}x{height}.{ext}";
    let output = run(&[
        text(&from),
        "--local",
        "--out",
        text(&named),
        "--name",
        template,
        "--format",
        "png",
        "--scale",
        "0.5",
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree(&named), ["x/a.png_30x20.png", "x/b.png_31x20.png", "x/c.gif.png_31x20.png"]);
    for bad in ["../{stem}.jpg", "/{stem}.jpg", "{stem}{what}"] {
        assert_eq!(code(&run(&[text(&from), "--local", "--out", text(&out), "--name", bad])), 64, "{bad}");
    }
}

#[test]
fn without_a_folder_results_stand_beside_their_images_and_are_not_taken_for_images() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), &["a.png", "b.png"]);
    let run_it = || run(&[text(root.path()), "--local", "--force"]);
    assert_eq!(code(&run_it()), 0);
    assert_eq!(code(&run_it()), 0);
    assert_eq!(tree(root.path()), ["a.png", "b.png", "processed_a.jpg", "processed_b.jpg"]);
    // Neither side given: each picture fits into the box.
    assert_eq!(jpeg_size(&fs::read(root.path().join("processed_a.jpg")).unwrap()), (60, 40));
}

#[test]
fn a_bad_file_stops_nothing_and_the_summary_names_it() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "z.png"]);
    fs::write(from.join("m.jpg"), "this is text").unwrap();
    let missing = from.join("missing.png");
    let output = run(&[text(&from), text(&missing), "--local", "--out", text(&out)]);
    assert_eq!(code(&output), 66, "the worst of 65 and 66");
    assert_eq!(tree(&out), ["a.jpg", "z.jpg"]);
    let said = stdout(&output);
    assert!(said.contains("2 saved") && said.contains("2 failed") && said.contains("m.jpg"), "{said}");
}

#[test]
fn what_exists_is_kept_skipped_or_replaced_as_told() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "b.png"]);
    fs::create_dir(&out).unwrap();
    fs::write(out.join("a.jpg"), "mine").unwrap();
    let with = |more: &[&str]| run(&[&[text(&from), "--local", "--out", text(&out)], more].concat());
    let refused = with(&[]);
    assert_eq!(code(&refused), 74);
    assert!(stderr(&refused).contains("--force"));
    assert_eq!(fs::read(out.join("a.jpg")).unwrap(), b"mine");
    let skipped = with(&["--skip-existing"]);
    assert_eq!(code(&skipped), 0);
    assert!(stdout(&skipped).contains("2 skipped"));
    assert_eq!(fs::read(out.join("a.jpg")).unwrap(), b"mine");
    assert_eq!(code(&with(&["--force"])), 0);
    assert_ne!(fs::read(out.join("a.jpg")).unwrap(), b"mine");
    assert_eq!(code(&with(&["--force", "--skip-existing"])), 64);
}

#[test]
fn resume_makes_what_is_missing_or_out_of_date_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "b.png", "c.png"]);
    let with =
        |more: &[&str]| run(&[&[text(&from), "--local", "--out", text(&out), "--json"], more].concat());
    let saved = |output: &std::process::Output| {
        json_lines(&stdout(output)).last().unwrap()["summary"]["saved"].as_u64().unwrap()
    };
    assert_eq!(saved(&with(&[])), 3);
    assert_eq!(saved(&with(&["--resume"])), 0);
    fs::remove_file(out.join("b.jpg")).unwrap();
    fs::write(from.join("c.png"), png(200, 100)).unwrap();
    let again = with(&["--resume"]);
    assert_eq!((code(&again), saved(&again)), (0, 2));
    // A result that has another size than it was made with is not the one that was made.
    fs::write(out.join("a.jpg"), "mine").unwrap();
    let changed = with(&["--resume"]);
    assert_eq!((code(&changed), saved(&changed)), (74, 0), "and a file of the user's is kept");
    fs::remove_file(out.join("a.jpg")).unwrap();
    assert_eq!(saved(&with(&["--resume"])), 1);
    // Another name is another result.
    let renamed = with(&["--resume", "--name", "{stem}-{width}.{ext}"]);
    assert_eq!((code(&renamed), saved(&renamed)), (0, 3));
    assert_eq!(saved(&with(&["--resume", "--name", "{stem}-{width}.{ext}"])), 0);
    // Other options are other results, which are not in the journal.
    let other = with(&["--resume", "--quality", "20"]);
    assert_eq!((code(&other), saved(&other)), (74, 0));
}

#[test]
fn json_tells_of_each_result_what_a_target_came_to_here_as_on_a_server() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png"]);
    let address = server.address.to_string();
    for place in [&["--local"][..], &["--server", &address]] {
        let options = [text(&from), "--out", text(&out), "--json", "--force", "--target", "60"];
        let line = &json_lines(&stdout(&run(&[&options[..], place].concat())))[0];
        assert!(line["quality"].as_u64().is_some_and(|quality| (1..=100).contains(&quality)), "{line}");
        assert!(line["tries"].as_u64().unwrap() > 1 && line["score"].as_f64().unwrap() >= 60.0, "{line}");
    }
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png"]);
    let output = run(&[text(&from), "--out", text(&out), "--dry-run", "--json", "--width", "30"]);
    assert_eq!(code(&output), 0, "no server is needed: {}", stderr(&output));
    let line = &json_lines(&stdout(&output))[0];
    assert_eq!(
        (&line["status"], &line["width"], &line["height"]),
        (&"planned".into(), &30.into(), &20.into())
    );
    assert!(line["result"].as_str().unwrap().ends_with("a.jpg"));
    assert!(!out.exists(), "neither a folder nor a journal");
    // Nor is the journal of an earlier run touched.
    let with = |more: &[&str]| run(&[&[text(&from), "--local", "--out", text(&out)], more].concat());
    assert_eq!(code(&with(&[])), 0);
    let journal = || fs::read(journal_of(&out)).unwrap();
    let before = journal();
    fs::write(from.join("b.png"), png(60, 60)).unwrap();
    let output = with(&["--resume", "--dry-run"]);
    assert!(stdout(&output).contains("1 would be saved, 1 skipped"), "{}", stdout(&output));
    assert_eq!((tree(&out), journal()), (vec!["a.jpg".to_owned()], before));
}

/// The one journal that mentions results of this folder's tests.
fn journal_of(out: &std::path::Path) -> std::path::PathBuf {
    let source = out.with_file_name("in");
    let journals = fs::read_dir(state_folder().join("imgcli/journals")).expect("the folder of journals");
    let mut paths = journals.map(|entry| entry.expect("an entry").path());
    let mentions =
        |path: &std::path::PathBuf| fs::read_to_string(path).expect("a journal").contains(text(&source));
    paths.find(mentions).expect("a journal in the state folder")
}

#[test]
fn the_folder_of_the_results_holds_results_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png"]);
    assert_eq!(code(&run(&[text(&from), "--local", "--out", text(&out)])), 0);
    assert_eq!(tree(&out), ["a.jpg"]);
    assert!(fs::read_to_string(journal_of(&out)).unwrap().contains("\"result\":\"a.jpg\""));
    // Without a state folder a batch still works; only --resume needs one.
    let without = |more: &[&str]| {
        let arguments = [&[text(&from), "--local", "--force", "--out", text(&out)], more].concat();
        let mut command = imgcli(&arguments);
        ["XDG_STATE_HOME", "HOME", "LOCALAPPDATA"].iter().for_each(|name| {
            command.env_remove(name);
        });
        command.output().unwrap()
    };
    assert_eq!(code(&without(&[])), 0);
    let refused = without(&["--resume"]);
    assert!(code(&refused) != 0 && stderr(&refused).contains("XDG_STATE_HOME"), "{}", stderr(&refused));
}

#[test]
fn images_are_replaced_in_place_in_their_format_and_size() {
    let root = tempfile::tempdir().unwrap();
    let from = root.path().join("in");
    pictures(&from, &["a.png", "sub/b.png"]);
    let photo = from.join("c.jpg");
    let made = run(&[text(&from.join("a.png")), "--local", "-o", text(&photo), "-q", "95", "-w", "300"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&photo).unwrap().set_modified(old).unwrap();
    let before = fs::read(&photo).unwrap();
    let output = run(&[text(&from), "-r", "--local", "--in-place", "--keep-time", "-q", "40"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree(&from), ["a.png", "c.jpg", "sub/b.png"], "no temporary stays");
    let after = fs::read(&photo).unwrap();
    assert!(after.len() < before.len() && jpeg_size(&after) == (300, 200));
    assert_eq!(fs::metadata(&photo).unwrap().modified().unwrap(), old);
    assert!(fs::read(from.join("a.png")).unwrap().starts_with(b"\x89PNG"));
    // Without --keep-time the time is now; a size is obeyed; another format than the name says is refused.
    assert_eq!(code(&run(&[text(&photo), "--local", "--in-place", "-w", "30"])), 0);
    assert!(fs::metadata(&photo).unwrap().modified().unwrap() > old);
    assert_eq!(jpeg_size(&fs::read(&photo).unwrap()), (30, 20));
    let named = run(&[text(&photo), "--local", "--in-place", "--format", "png"]);
    assert_eq!(code(&named), 64, "{}", stderr(&named));
    for wrong in [&["--out", "x"][..], &["--sizes", "9"], &["--format", "png,webp"], &["-o", "x.jpg"]] {
        let output = run(&[&[text(&photo), "--local", "--in-place"], wrong].concat());
        assert_eq!(code(&output), 64, "{wrong:?}");
    }
    // A link stays one, and its file is replaced.
    #[cfg(unix)]
    {
        let link = root.path().join("link.jpg");
        std::os::unix::fs::symlink(&photo, &link).unwrap();
        assert_eq!(code(&run(&[text(&link), "--local", "--in-place", "-w", "15"])), 0);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(jpeg_size(&fs::read(&photo).unwrap()), (15, 10));
    }
}

#[test]
fn a_list_of_files_is_a_batch() {
    use std::io::Write;
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "b c.png", "d.png"]);
    let list = root.path().join("list.txt");
    fs::write(&list, format!("{}\n\n{}\n", text(&from.join("a.png")), text(&from.join("b c.png")))).unwrap();
    let output = run(&["--files-from", text(&list), "--local", "--out", text(&out)]);
    assert_eq!((code(&output), tree(&out)), (0, vec!["a.jpg".to_owned(), "b c.jpg".to_owned()]));
    let mut child = imgcli(&["--files-from", "-", "--local", "--out", text(&out)])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text(&from.join("d.png")).as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(tree(&out).len(), 3);
    assert_eq!(code(&run(&["--files-from", text(&root.path().join("none")), "--local"])), 66);
}

#[test]
fn several_formats_are_several_results_of_each_image() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "b.png"]);
    let output = run(&[text(&from), "--local", "--out", text(&out), "--format", "png,jpeg", "-w", "30"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree(&out), ["a.jpg", "a.png", "b.jpg", "b.png"]);
    let sizes = run(&[
        text(&from),
        "--local",
        "--out",
        text(&root.path().join("sizes")),
        "--format",
        "qoi,jpeg",
        "--sizes",
        "9,18",
    ]);
    assert_eq!((code(&sizes), tree(&root.path().join("sizes")).len()), (0, 8));
    // One image with several formats has them beside it.
    assert_eq!(code(&run(&[text(&from.join("a.png")), "--local", "--format", "webp,gif"])), 0);
    assert!(from.join("processed_a.webp").exists() && from.join("processed_a.gif").exists());
    let wrong = run(&[text(&from), "--local", "--out", text(&out), "--format", "png,jxl"]);
    assert!(code(&wrong) == 64 && stderr(&wrong).contains("jxl"), "{}", stderr(&wrong));
}

#[cfg(target_os = "linux")]
#[test]
fn the_hint_for_names_that_differ_in_case_helps() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "A.PNG"]);
    let output = run(&[text(&from), "--local", "--out", text(&out)]);
    assert_eq!((code(&output), tree(&out).len()), (74, 1));
    assert!(stderr(&output).contains("only in case"), "{}", stderr(&output));
    let fields = stderr(&output);
    let field = fields.split("use ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let name = format!("{{stem}}-{field}.{{ext}}");
    let named = run(&[text(&from), "--local", "--out", text(&out), "--name", &name]);
    assert_eq!((code(&named), tree(&out).len()), (0, 3), "{}", stderr(&named));
}

#[test]
fn two_images_of_one_name_are_not_saved_over_each_other() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    pictures(&from, &["a.png", "A.bmp.png"]);
    fs::rename(from.join("A.bmp.png"), from.join("A.bmp")).unwrap();
    let output = run(&[text(&from), "--local", "--out", text(&out)]);
    assert_eq!((code(&output), tree(&out).len()), (74, 1));
    assert!(stderr(&output).contains("{name}"), "{}", stderr(&output));
    let named = run(&[text(&from), "--local", "--out", text(&out), "--name", "{name}.{ext}"]);
    assert_eq!((code(&named), tree(&out).len()), (0, 3));
}

#[cfg(unix)]
#[test]
fn hostile_names_and_links_stay_in_the_folder() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    let (from, out, outside) = (root.path().join("in"), root.path().join("out"), root.path().join("outside"));
    for folder in [&from, &out, &outside] {
        fs::create_dir(folder).unwrap();
    }
    let image = png(60, 40);
    let long = "ü".repeat(125) + ".png";
    let longest = "y".repeat(251) + ".png";
    let names: Vec<&[u8]> = vec![
        b"..png",
        b"...png",
        b"CON.png",
        b"a\\..\\..\\b.png",
        b"C:x.png",
        b"%2e%2e%2fx.png",
        b"-rf.png",
        b"line\nbreak.png",
        b"\x1b[31mred.png",
        b"not\xff\xfeutf8.png",
        b"  blanks .png",
        "photo\u{202e}gpj.png".as_bytes(),
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}.png".as_bytes(),
        long.as_bytes(),
        longest.as_bytes(),
        b"..\\..\\up.png",
        b"..%2f..%2fpercent.png",
        b"..%c0%afoverlong.png",
        b"%00nul.png",
        b"nul.tar.png",
        b"lpt9.png",
        b"CONOUT$.png",
        "COM\u{b9}.png".as_bytes(),
        b"stream.jpg:hidden.png",
        b"$(touch pwned).png",
        b"`touch pwned`.png",
        b"; touch pwned;.png",
        b"~root.png",
        b"--force.png",
        b"dots....png",
        b"tab\there.png",
        b"\r.png",
        b"\x7f\x08.png",
        "zero\u{200b}width.png".as_bytes(),
        "line\u{2028}separator.png".as_bytes(),
        "isolate\u{2066}gpj\u{2069}.png".as_bytes(),
        "e\u{301}\u{301}\u{301}.png".as_bytes(),
        "\u{1f4f7}.png".as_bytes(),
    ];
    for name in &names {
        fs::write(from.join(std::ffi::OsStr::from_bytes(name)), &image).unwrap();
    }
    fs::write(outside.join("precious.jpg"), "precious").unwrap();
    fs::create_dir(from.join("sub")).unwrap();
    fs::write(from.join("sub/x.png"), &image).unwrap();
    symlink(&outside, out.join("sub")).unwrap();
    symlink(outside.join("precious.jpg"), out.join("_CON.jpg")).unwrap();
    // Hidden files are only taken when they are named.
    let hidden: Vec<_> = names.iter().filter(|name| name.starts_with(b"..") && name.len() > 8).collect();
    let hidden: Vec<_> = hidden.iter().map(|name| from.join(std::ffi::OsStr::from_bytes(name))).collect();
    let output = imgcli(&[text(&from), "-r", "--local", "--out", text(&out), "--force"])
        .args(&hidden)
        .output()
        .unwrap();
    // `..png` and `...png` are left, sub/x.png is refused, the rest is saved under ordinary names.
    assert_eq!(code(&output), 74, "{}", stderr(&output));
    assert!(!stderr(&output).contains('\u{1b}') && !stdout(&output).contains('\u{1b}'));
    assert_eq!(tree(&outside), ["precious.jpg"]);
    assert!(!root.path().join("pwned").exists() && !from.join("pwned").exists());
    assert_eq!(fs::read(outside.join("precious.jpg")).unwrap(), b"precious");
    assert_eq!(tree(root.path()).iter().filter(|file| file.starts_with("out/")).count(), names.len() - 2 + 1);
    for file in tree(&out) {
        let odd = |letter: char| {
            letter.is_control() || matches!(letter, '\\' | ':' | '\u{202e}' | '\u{2028}' | '\u{2066}')
        };
        assert!(!file.contains(odd) && file.len() <= 255, "{file:?}");
    }
    assert!(
        out.join("_CON.jpg").symlink_metadata().unwrap().is_file(),
        "the link was replaced, not followed"
    );
}

#[test]
fn killing_one_of_two_servers_loses_nothing_and_doubles_nothing() {
    const COUNT: usize = 500;
    let (doomed, survivor) = (Server::start(&[]), Server::start(&[]));
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    many(&from, COUNT);
    let (first, second) = (doomed.address.to_string(), survivor.address.to_string());
    let child =
        imgcli(&[text(&from), "--out", text(&out), "--json", "--server", &first, "--server", &second])
            .args(["--width", "1600", "--jobs", "4"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let started = Instant::now();
    while !out.exists() || tree(&out).len() < 50 {
        assert!(started.elapsed() < Duration::from_secs(120), "the batch does not get going");
        std::thread::sleep(Duration::from_millis(5));
    }
    doomed.signal(9);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let lines = json_lines(&stdout(&output));
    let mut saved: Vec<&str> = lines.iter().filter_map(|line| line["result"].as_str()).collect();
    saved.sort_unstable();
    assert_eq!(saved.len(), COUNT, "none is lost or told twice");
    saved.dedup();
    assert_eq!(saved.len(), COUNT);
    let by = |server: &str| lines.iter().filter(|line| line["server"] == *server).count();
    assert!(by(&first) > 0 && by(&second) > COUNT / 2, "{} and {}", by(&first), by(&second));
    assert_eq!(tree(&out).len(), COUNT, "and no temporary file is left");
    for file in tree(&out) {
        let (width, height) = jpeg_size(&fs::read(out.join(file)).unwrap());
        assert!(width == 1600 && height > 0);
    }
}

#[test]
fn when_the_last_server_is_gone_the_rest_is_left_for_resume() {
    let server = Server::start(&[]);
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    many(&from, 60);
    let arguments = [text(&from), "--out", text(&out), "--width", "1600"];
    let address = server.address.to_string();
    let child =
        imgcli(&arguments).args(["--server", &address]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap();
    while !out.exists() || tree(&out).len() < 5 {
        std::thread::sleep(Duration::from_millis(2));
    }
    server.signal(9);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 69, "{}", stderr(&output));
    assert!(
        stdout(&output).contains("not done") && stdout(&output).contains("--resume"),
        "{}",
        stdout(&output)
    );
    let resumed = imgcli(&arguments).args(["--local", "--resume"]).output().unwrap();
    assert_eq!((code(&resumed), tree(&out).len()), (0, 60), "{}", stderr(&resumed));
}

#[cfg(unix)]
#[test]
fn an_interrupt_finishes_what_is_in_flight_and_says_how_to_go_on() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    many(&from, 200);
    let arguments = [text(&from), "--out", text(&out), "--local", "--width", "1600"];
    let child = imgcli(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !out.exists() || tree(&out).len() < 5 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130);
    let said = stdout(&output);
    assert!(said.contains("not done") && said.contains("--resume"), "{said}");
    let done = tree(&out);
    assert!(done.len() < 200 && done.iter().all(|file| file.ends_with(".jpg")), "{done:?}");
    for file in &done {
        jpeg_size(&fs::read(out.join(file)).unwrap());
    }
    let resumed = imgcli(&arguments).arg("--resume").output().unwrap();
    assert_eq!((code(&resumed), tree(&out).len()), (0, 200));
    assert!(stdout(&resumed).contains(&format!("{} skipped", done.len())));
}

#[test]
fn a_busy_server_is_waited_for() {
    let server = Server::start(&["--workers", "1", "--queue", "1"]);
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    many(&from, 40);
    let address = server.address.to_string();
    let output =
        run(&[text(&from), "--out", text(&out), "--server", &address, "--jobs", "8", "--width", "1000"]);
    assert_eq!((code(&output), tree(&out).len()), (0, 40), "{}", stderr(&output));
}

#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_small_images_need_little_memory() {
    let root = tempfile::tempdir().unwrap();
    let (from, out) = (root.path().join("in"), root.path().join("out"));
    fs::create_dir(&from).unwrap();
    let image = png(16, 16);
    for i in 0..10_000 {
        fs::write(from.join(format!("{i}.png")), &image).unwrap();
    }
    let mut child = imgcli(&[text(&from), "--local", "--out", text(&out), "--json"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    let status = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success());
    assert_eq!(tree(&out).len(), 10_000);
    println!("10,000 images: {most} KiB at most");
    assert!((1..200 << 10).contains(&most), "{most} KiB");
}
