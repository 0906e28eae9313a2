//! The Python clients of `examples/`, run as they are against the real server.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::*;

fn python(script: &str, server: &Server, arguments: &[&Path]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(script);
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).args(arguments);
    command.arg("--server").arg(server.address.to_string()).output().expect("python3 is installed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_plain_client_gets_a_jpeg_for_each_of_several_images_on_one_connection() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.png"), folder.path().join("b.png"));
    fs::write(&a, png(1000, 500)).unwrap();
    fs::write(&b, png(20, 30)).unwrap();
    let output = python("client.py", &server, &[&a, &b]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["processed_a.jpg", "processed_b.jpg"] {
        assert_eq!(jpeg_size(&fs::read(folder.path().join(name)).unwrap()), (800, 600));
    }
}

#[test]
fn the_plain_client_is_told_of_a_refusal() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, "this is text").unwrap();
    let output = python("client.py", &server, &[&path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("refused"));
}

#[test]
fn the_extended_client_gets_report_and_image() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (input, result) = (folder.path().join("a.png"), folder.path().join("out.png"));
    fs::write(&input, png(100, 50)).unwrap();
    let output =
        python("client_extended.py", &server, &[&input, &result, "width=40".as_ref(), "format=png".as_ref()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).starts_with("status=ok width=40 height=20 format=png"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(image::open(&result).unwrap().width(), 40);

    let output = python("client_extended.py", &server, &[&input, &result, "quality=500".as_ref()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("'quality' is '500', it accepts 1 to 100"));
}

#[test]
fn every_photo_comes_back_as_a_jpeg_of_the_asked_size() {
    let Some(photos) = shared("photos") else { return };
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let mut copies = Vec::new();
    for photo in fs::read_dir(photos).unwrap() {
        let photo = photo.unwrap().path();
        let copy = folder.path().join(photo.file_name().unwrap());
        fs::copy(&photo, &copy).unwrap();
        copies.push(copy);
    }
    let arguments: Vec<&Path> = copies.iter().map(AsRef::as_ref).collect();
    let output = python("client.py", &server, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for copy in &copies {
        let result =
            copy.with_file_name(format!("processed_{}.jpg", copy.file_stem().unwrap().to_str().unwrap()));
        assert_eq!(jpeg_size(&fs::read(result).unwrap()), (800, 600), "{}", copy.display());
    }
}
