//! A sandboxed server does all that it did, and opens nothing else.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may")]

#[cfg(all(feature = "http", feature = "tasks"))]
mod http_support;
mod support;

use imgsrv::client::Token;
use imgsrv::client::{Client, ClientSettings};
use imgsrv::internals::service::sandbox::{AccessRules, Enforcement};
use imgsrv::internals::service::syscall_filter::SyscallFilter;
use imgsrv::spec::Spec;
use socket2::{Domain, Socket, Type};
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::{Server, make_private, png};

/// Whether this kernel can keep all of a fence.
fn kernel_can() -> bool {
    let kept = std::thread::spawn(|| AccessRules::default().restrict()).join().unwrap().unwrap();
    if kept != Enforcement::Full {
        support::skip(&format!("this kernel enforces {kept:?} of a sandbox"));
    }
    kept == Enforcement::Full
}

fn takes(server: &Server, token: &str) -> bool {
    let settings = ClientSettings {
        server: server.address.to_string(),
        token: Token::new(token),
        ..ClientSettings::default()
    };
    let spec = Spec { width: 16, ..Spec::default() };
    Client::connect(&settings).and_then(|mut client| client.request(&png(64, 48), &spec)).is_ok()
}

/// Whether a token is taken within a second. Asks only four times: ten wrong tokens silence an address.
fn comes_to_take(server: &Server, token: &str) -> bool {
    (0..4).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        takes(server, token)
    })
}

fn write_token(path: &Path, token: &str) {
    fs::write(path, format!("one:{token}\n")).unwrap();
    make_private(path);
}

/// Puts a link in place of whatever is at `path`.
fn relink(path: &Path, to: &Path) {
    let new = path.with_extension("new");
    symlink(to, &new).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn tokens_are_read_again_where_they_were_and_nowhere_else() {
    if !kernel_can() {
        return;
    }
    for (sandbox, reads_outside) in [("required", false), ("off", true)] {
        // As certificate robots lay it out: what is named is a link into a folder of versions.
        let [live, archive, outside] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        write_token(&archive.path().join("v1"), "token-of-v1");
        let named = live.path().join("tokens");
        symlink(archive.path().join("v1"), &named).unwrap();
        let server = Server::start(&["--sandbox", sandbox, &format!("--token-file={}", named.display())]);
        assert!(takes(&server, "token-of-v1"));

        write_token(&archive.path().join("v2"), "token-of-v2");
        relink(&named, &archive.path().join("v2"));
        server.signal(1);
        assert!(comes_to_take(&server, "token-of-v2"), "{sandbox}: a new version in the old folder");
        let new = live.path().join("tokens.new");
        write_token(&new, "token-of-v3");
        fs::rename(new, &named).unwrap();
        server.signal(1);
        assert!(comes_to_take(&server, "token-of-v3"), "{sandbox}: a new file at the old path");

        write_token(&outside.path().join("v4"), "token-of-v4");
        relink(&named, &outside.path().join("v4"));
        server.signal(1);
        assert_eq!(comes_to_take(&server, "token-of-v4"), reads_outside, "{sandbox}");
        assert_eq!(takes(&server, "token-of-v3"), !reads_outside, "{sandbox}: the old ones stay");
        let (status, log) = {
            server.signal(15);
            server.wait(Duration::from_secs(30))
        };
        assert!(status.success(), "{sandbox}: {log}");
        assert_eq!(
            log.contains("reload failed, keeping the previous tokens") && log.contains("Permission denied"),
            !reads_outside
        );
        assert_eq!(log.contains("sandboxed: reads"), sandbox == "required", "{log}");
    }
}

/// A process that tries what an attacker would, with the rules and the filter of a server.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_restricted_thread_starts_no_program_opens_no_file_outside_and_no_strange_socket() {
    if !kernel_can() {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "text").unwrap();
    let attack = std::thread::spawn(move || {
        AccessRules::default().restrict().unwrap();
        assert!(SyscallFilter { resolves_names: false }.install().unwrap());
        let refused =
            |error: Option<std::io::Error>| error.is_some_and(|error| error.raw_os_error() == Some(1));
        assert!(refused(Command::new("/bin/true").status().err()), "a program");
        assert!(refused(UdpSocket::bind("127.0.0.1:0").err()), "a datagram");
        let netlink = Socket::new(Domain::from(16), Type::RAW, None);
        assert!(refused(netlink.err()), "a socket of another family");
        let opened = fs::read(outside.path().join("secret")).unwrap_err();
        assert_eq!(opened.kind(), std::io::ErrorKind::PermissionDenied, "a file outside");
    });
    attack.join().unwrap();
}

/// Every thread of a server is filtered by default, and none with `sandbox = "off"`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn every_thread_of_a_server_has_the_filter() {
    for (sandbox, mode) in [("auto", "2"), ("required", "2"), ("off", "0")] {
        if sandbox == "required" && !kernel_can() {
            continue;
        }
        let server =
            Server::start_with(cfg!(feature = "http").then_some("127.0.0.1:0"), &["--sandbox", sandbox]);
        assert!(takes(&server, ""));
        let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let modes: Vec<_> = threads
            .filter_map(|thread| {
                // A thread may end before it is looked at.
                let status = fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
                let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
                Some(mode.expect("a kernel with seccomp").trim().to_owned())
            })
            .collect();
        assert!(modes.len() > 1 && modes.iter().all(|found| found == mode), "{sandbox}: {modes:?}");
        assert_eq!(server.stop().contains("system calls are filtered"), mode == "2", "{sandbox}");
    }
}

#[cfg(all(feature = "http", feature = "tasks"))]
#[test]
fn tasks_metrics_and_both_doors_work_inside() {
    use http_support::tasks::{end_of, start, upload};
    use http_support::{ask, get, post};
    if !kernel_can() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("made/by/the/server");
    let server = start(&data, &["--sandbox=required"]);
    assert!(takes(&server, ""));
    let shrunk = ask(&server, &post("/resize?width=16", &png(64, 48)));
    assert_eq!((shrunk.status, support::jpeg_size(&shrunk.body)), (200, (16, 12)));
    let id = upload(&server, "/upload?scale_factor=0.5", &png(64, 48));
    assert_eq!(end_of(&server, &id)["status"], "done");
    assert_eq!(ask(&server, &get(&format!("/result/{id}"))).status, 200);

    let metrics = ask(&server, &get("/metrics")).text().to_owned();
    for name in ["process_resident_memory_bytes", "process_threads", "process_open_fds"] {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(!line.ends_with(" 0"), "{line}");
    }
    server.signal(15);
    let (status, log) = server.wait(Duration::from_secs(30));
    assert!(status.success() && log.contains(&format!("writes {}", data.display())), "{log}");

    let again = start(&data, &["--sandbox=required"]);
    assert_eq!(ask(&again, &get(&format!("/result/{id}"))).status, 200, "kept over a restart");
}
