//! Requests as bytes, and answers read back by hand, so that a test sees what is on the wire.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_debug_implementations
)] // each test binary uses its own part

pub mod peer;
pub mod tasks;

use super::support::{Server, png};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads one answer: to its length where it has one, else to the end.
    pub fn read(socket: &mut impl Read) -> Answer {
        Answer::try_read(socket).expect("an answer")
    }

    /// The same; nothing when the connection ends before the head does.
    pub fn try_read(socket: &mut impl Read) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if !matches!(socket.read(&mut byte), Ok(1)) {
                return None;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        match answer.header("content-length").parse::<usize>() {
            Ok(length) => {
                answer.body.resize(length, 0);
                if let Err(error) = socket.read_exact(&mut answer.body) {
                    assert!(length > 0, "{error}");
                    answer.body.clear(); // an answer to HEAD
                }
            }
            Err(_) if matches!(status, 100..200 | 204 | 304) => {}
            Err(_) => drop(socket.read_to_end(&mut answer.body)),
        }
        Some(answer)
    }

    /// The value of a header; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub fn connect(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(server.http()).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

/// Sends a request on a connection of its own.
pub fn ask(server: &Server, request: &[u8]) -> Answer {
    exchange(&mut connect(server), request)
}

pub fn exchange(socket: &mut TcpStream, request: &[u8]) -> Answer {
    let _ = socket.write_all(request); // whoever refuses early may not read all of it
    Answer::read(socket)
}

pub fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").into_bytes()
}

/// A request whose connection is closed after it.
pub fn post(target: &str, body: &[u8]) -> Vec<u8> {
    posted(target, "Connection: close\r\n", body)
}

/// A request whose connection stays open.
pub fn kept_alive(target: &str, body: &[u8]) -> Vec<u8> {
    posted(target, "", body)
}

/// A request with more header lines.
pub fn posted(target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Gives a server with one worker and one place in its queue work for seconds, for as long as what is returned lives.
pub fn fill(server: &Server) -> Vec<TcpStream> {
    let is_full = || {
        let page = ask(server, &get("/metrics")).text();
        ["imgsrv_workers_busy 1", "imgsrv_queue_depth 1"]
            .iter()
            .all(|line| page.lines().any(|shown| shown == *line))
    };
    let mut asking = Vec::new();
    while !is_full() {
        let mut socket = connect(server);
        socket.write_all(&kept_alive("/resize?width=1500&ops=denoise:9", &png(64, 64))).unwrap();
        asking.push(socket);
        std::thread::sleep(Duration::from_millis(50));
    }
    asking
}
