//! The server on Unix sockets: every protocol, its rights, its restart, its stop, and `imgcli` as a client.
#![cfg(all(unix, feature = "http", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use support::{extended, jpeg_size, png, read_extended};

/// A server on two sockets in a folder, killed on drop.
struct UnixServer {
    child: Child,
    folder: PathBuf,
}

impl UnixServer {
    fn start(folder: &std::path::Path, arguments: &[&str]) -> UnixServer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_imgsrv"))
            .env("IMGSRV_DATA_DIR", "none")
            .arg(format!("--bind=unix:{}/tcp", folder.display()))
            .arg(format!("--http=unix:{}/http", folder.display()))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines: Vec<_> = BufReader::new(child.stdout.take().unwrap()).lines().take(2).collect();
        let expected = [("http", "http"), ("listening", "tcp")];
        for (line, (word, name)) in lines.into_iter().zip(expected) {
            assert_eq!(line.unwrap(), format!("imgsrv {word} on unix:{}/{name}", folder.display()));
        }
        UnixServer { child, folder: folder.to_owned() }
    }

    /// Starts with a metrics listener, whose line comes first.
    fn start_with_metrics(folder: &std::path::Path, metrics: &str) -> UnixServer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_imgsrv"))
            .arg(format!("--bind=unix:{}/tcp", folder.display()))
            .args(["--http=none", "--metrics", metrics])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines: Vec<_> = BufReader::new(child.stdout.take().unwrap()).lines().take(2).collect();
        assert_eq!(lines[0].as_ref().unwrap(), &format!("imgsrv metrics on {metrics}"));
        UnixServer { child, folder: folder.to_owned() }
    }

    fn connect(&self, name: &str) -> UnixStream {
        let socket = UnixStream::connect(self.folder.join(name)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket
    }

    fn http(&self, request: &[u8]) -> Vec<u8> {
        let mut socket = self.connect("http");
        socket.write_all(request).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        answer
    }

    fn status_of_options(&self, options: &str) -> String {
        let mut socket = self.connect("tcp");
        socket.write_all(&extended(&png(64, 48), 0, 0, options)).unwrap();
        let (_, report, _) = read_extended(&mut socket);
        report.split('&').next().unwrap().to_owned()
    }
}

impl Drop for UnixServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

#[test]
fn tcp_framing_and_http_work_over_unix_sockets_in_the_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let server = UnixServer::start(folder.path(), &[]);
    for name in ["tcp", "http"] {
        let rights = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(rights & 0o777, 0o600, "{name}");
    }
    let mut socket = server.connect("tcp");
    socket.write_all(&extended(&png(64, 48), 0, 0, "width=32&format=jpeg")).unwrap();
    let (failed, report, result) = read_extended(&mut socket);
    assert!(!failed, "{report}");
    assert_eq!(jpeg_size(&result), (32, 24));

    let body = png(64, 48);
    let head = format!(
        "POST /resize?width=16&format=jpeg HTTP/1.1\r\nHost: imgsrv\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = server.http(&[head.into_bytes(), body].concat());
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..split]));
    assert_eq!(jpeg_size(&answer[split + 4..]), (16, 12));
}

#[test]
fn imgcli_and_the_health_command_take_the_path_of_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = format!("unix:{}/metrics", folder.path().display());
    let tcp = format!("unix:{}/tcp", folder.path().display());
    let mut server = UnixServer::start_with_metrics(folder.path(), &metrics);
    let (picture, result) = (folder.path().join("a.png"), folder.path().join("a.jpg"));
    std::fs::write(&picture, png(64, 48)).unwrap();
    let (picture, out) = (picture.to_str().unwrap(), result.to_str().unwrap());
    let done = run(env!("CARGO_BIN_EXE_imgcli"), &[picture, "--server", &tcp, "--width", "32", "-o", out]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(jpeg_size(&std::fs::read(&result).unwrap()).0, 32);
    let health = |arguments: &[&str]| run(env!("CARGO_BIN_EXE_imgsrv"), arguments).status.code();
    assert_eq!(health(&["health", &metrics]), Some(0));
    assert_eq!(health(&["--bind", &tcp, "health"]), Some(0));
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert_eq!(health(&["--bind", &tcp, "health"]), Some(1));
    let lost = run(env!("CARGO_BIN_EXE_imgcli"), &["ping", "--server", &tcp]);
    assert!(!lost.status.success());
    assert!(String::from_utf8_lossy(&lost.stderr).contains(&tcp), "the address is named");
}

#[test]
fn tokens_count_and_need_no_tls() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "app:sesame\n").unwrap();
    support::make_private(&tokens);
    let server = UnixServer::start(folder.path(), &["--token-file", tokens.to_str().unwrap()]);
    assert_eq!(server.status_of_options("width=8"), "status=unauthorized");
    assert_eq!(server.status_of_options("width=8&token=sesame"), "status=ok");
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_is_for_the_network_and_not_for_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    support::make_private(&key);
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let server = UnixServer::start(folder.path(), &["--tls-cert", cert, "--tls-key", key]);
    assert_eq!(server.status_of_options("width=8"), "status=ok");
    let answer = server.http(b"GET /health HTTP/1.1\r\nHost: imgsrv\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn the_socket_of_a_killed_server_is_replaced_and_that_of_a_running_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = UnixServer::start(folder.path(), &[]);
    let bind = format!("--bind=unix:{}/tcp", folder.path().display());
    let second = run(env!("CARGO_BIN_EXE_imgsrv"), &[&bind, "--http=none"]);
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server listens there"));
    assert_eq!(first.status_of_options("width=8"), "status=ok", "the first one goes on");
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert!(folder.path().join("tcp").exists(), "nothing removes the file of a killed server");
    let third = UnixServer::start(folder.path(), &[]);
    assert_eq!(third.status_of_options("width=8"), "status=ok");
}

#[test]
fn a_signal_and_the_end_of_standard_input_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = UnixServer::start(folder.path(), &[]);
    drop(server.child.stdin.take());
    assert_eq!(
        server.status_of_options("width=8"),
        "status=ok",
        "without the flag the input does not matter"
    );
    assert!(run("kill", &[&server.child.id().to_string()]).status.success());
    assert!(server.child.wait().unwrap().success());

    let mut server = UnixServer::start(folder.path(), &["--stop-at-eof"]);
    assert_eq!(server.status_of_options("width=8"), "status=ok");
    assert!(server.child.try_wait().unwrap().is_none());
    drop(server.child.stdin.take());
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn a_file_in_the_way_is_kept_and_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tcp"), "mine").unwrap();
    let bind = format!("--bind=unix:{}/tcp", folder.path().display());
    let refused = run(env!("CARGO_BIN_EXE_imgsrv"), &[&bind, "--http=none"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is no socket"), "{refused:?}");
    assert_eq!(std::fs::read(folder.path().join("tcp")).unwrap(), b"mine");
}

#[test]
fn a_server_whose_folder_was_deleted_still_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = UnixServer::start(folder.path(), &["--stop-at-eof"]);
    drop(folder);
    drop(server.child.stdin.take());
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while server.child.try_wait().unwrap().is_none() {
        assert!(std::time::Instant::now() < until, "it waits for a connection that cannot come");
        std::thread::sleep(Duration::from_millis(10));
    }
}
