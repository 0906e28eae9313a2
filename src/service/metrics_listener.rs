//! The small HTTP listener for `/metrics`, `/health` and `/ready`. It has its own threads from the start, so
//! that it answers when the pool, the queue and the connection limit are exhausted.

use crate::engine::Engine;
use crate::net::timed_stream::{Stage, Timed};
use crate::service::shutdown::Stop;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Peers that are answered at the same time; the others wait in the backlog.
const THREADS: usize = 4;

/// For a whole exchange.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest request head that is read.
const MAX_HEAD: usize = 8 << 10;

/// Starts answering on `listener`, for as long as the process lives. `/ready` says no after `stop`.
///
/// # Errors
/// When the threads cannot be started.
pub fn serve_metrics(listener: TcpListener, engine: Arc<Engine>, stop: Stop) -> io::Result<()> {
    for n in 0..THREADS {
        let (listener, engine, stop) = (listener.try_clone()?, engine.clone(), stop.clone());
        let work = move || loop {
            match listener.accept() {
                Ok((socket, _)) => {
                    let _ = exchange(socket, &engine, &stop); // whoever left has no answer to get
                }
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        };
        thread::Builder::new().name(format!("metrics-{n}")).stack_size(256 << 10).spawn(work)?;
    }
    Ok(())
}

fn exchange(socket: TcpStream, engine: &Engine, stop: &Stop) -> io::Result<()> {
    let mut timed = Timed::new(Arc::new(socket), PATIENCE);
    let mut head = Vec::with_capacity(512);
    let mut part = [0; 512];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") && head.len() < MAX_HEAD {
        match timed.read(&mut part)? {
            0 => break,
            got => head.extend_from_slice(&part[..got]),
        }
    }
    let line = head.split(|b| *b == b'\r').next().unwrap_or_default();
    let mut words = line.split(|b| *b == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(|b| *b == b'?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => ("200 OK", engine.metrics().render(engine.load())),
        (b"GET" | b"HEAD", b"/health") => ("200 OK", "ok\n".to_owned()),
        (b"GET" | b"HEAD", b"/ready") => match readiness(engine, stop) {
            Ok(()) => ("200 OK", "ready\n".to_owned()),
            Err(why) => ("503 Service Unavailable", format!("{why}\n")),
        },
        (b"GET" | b"HEAD", _) => ("404 Not Found", "try /metrics, /health or /ready\n".to_owned()),
        _ => ("405 Method Not Allowed", "GET only\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    timed.enter(Stage::Write, PATIENCE, PATIENCE);
    timed.write_all(head.as_bytes())?;
    if method != b"HEAD" {
        timed.write_all(body.as_bytes())?;
    }
    Ok(())
}

/// Whether the server takes more work.
///
/// # Errors
/// Why not, in a word or two.
pub fn readiness(engine: &Engine, stop: &Stop) -> Result<(), &'static str> {
    match (stop.is_asked(), engine.has_room()) {
        (true, _) => Err("stopping"),
        (false, false) => Err("the queue is full"),
        (false, true) => Ok(()),
    }
}
