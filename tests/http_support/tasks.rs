//! Tasks handed in and followed to their end.

use super::super::support::Server;
use super::{Answer, ask, get, post};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

pub fn start(folder: &Path, arguments: &[&str]) -> Server {
    let folder = folder.to_str().unwrap();
    Server::start_http(&[&["--data-dir", folder, "--request-timeout", "60s"], arguments].concat())
}

pub fn delete(target: &str) -> Vec<u8> {
    format!("DELETE {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Hands in an image; the id of its task.
pub fn upload(server: &Server, target: &str, image: &[u8]) -> String {
    let answer = ask(server, &post(target, image));
    assert_eq!(answer.status, 202, "{}", answer.text());
    id_of(&answer)
}

pub fn id_of(answer: &Answer) -> String {
    answer.json()["task_id"].as_str().unwrap().to_owned()
}

pub fn status(server: &Server, id: &str) -> Value {
    ask(server, &get(&format!("/status/{id}"))).json()
}

/// Waits until a task is done, or has failed.
pub fn end_of(server: &Server, id: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let task = status(server, id);
        if task["status"] == "done" || task["status"] == "failed" {
            return task;
        }
        assert!(Instant::now() < until, "{task}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A request that keeps a worker busy for a while.
pub const SLOW: &str = "/upload?ops=median:12,median:12";
