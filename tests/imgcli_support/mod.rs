//! What the tests of `imgcli` share: the program, folders of pictures, what lies in a folder.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs, clippy::unwrap_used)] // each test binary uses its own part

#[path = "../support/mod.rs"]
mod support;

pub use support::{Server, jpeg_size, picture, png, shared};

use std::fs;
use std::io::{Read, Write, copy, sink};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `imgcli` without anything from the environment.
pub fn imgcli(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgcli"));
    for variable in ["IMGSRV_SERVER", "IMGSRV_TOKEN", "RUST_LOG", "NO_COLOR"] {
        command.env_remove(variable);
    }
    // Journals of tests lie in a folder of their own, not in the user's.
    command.env("XDG_STATE_HOME", state_folder());
    command.args(arguments);
    command
}

/// The state folder of this test process.
pub fn state_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("state-{}", std::process::id()))
}

/// Runs `imgcli` to its end.
pub fn run(arguments: &[&str]) -> Output {
    imgcli(arguments).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes small pictures under these names, each different from the others.
pub fn pictures(folder: &Path, names: &[&str]) {
    for (i, name) in names.iter().enumerate() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, png(60 + i as u32, 40)).unwrap();
    }
}

/// Relative paths of all files below a folder, sorted.
pub fn tree(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| entry.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    files
}

/// Lets only its owner read a file.
pub fn make_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// What `--json` prints: an object a line.
pub fn json_lines(output: &str) -> Vec<serde_json::Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes that many pictures, large enough that each takes a while.
pub fn many(from: &Path, count: usize) {
    fs::create_dir_all(from).unwrap();
    for i in 0..count {
        fs::write(from.join(format!("{i:03}.png")), png(200 + i as u32 % 50, 150)).unwrap();
    }
}

/// A server that reads extended requests, one after another, and answers each with the bytes that `reply`
/// makes of its options; its address.
pub fn listener(reply: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut header = [0; 16];
            while socket.read_exact(&mut header).is_ok() {
                let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
                let mut options = vec![0; number(12) as usize];
                socket.read_exact(&mut options).unwrap();
                copy(&mut (&mut socket).take((number(0) & !(1 << 31)).into()), &mut sink()).unwrap();
                socket.write_all(&reply(&String::from_utf8(options).unwrap())).unwrap();
            }
        }
    });
    address
}

/// An extended reply.
pub fn reply(failed: bool, report: &str, payload: &[u8]) -> Vec<u8> {
    let size = payload.len() as u32 | u32::from(failed) << 31;
    [&size.to_be_bytes()[..], &(report.len() as u32).to_be_bytes(), report.as_bytes(), payload].concat()
}
