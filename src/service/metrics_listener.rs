//! The HTTP listener for `/metrics`, `/health` and `/ready`. Its threads start with it, so it answers when workers,
//! queue and connection limit are exhausted.

use crate::net::timed_stream::TimedStream;
use crate::net::{Listener, TimeoutKind};
use crate::service::Service;
use socket2::Socket;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Exchanges at the same time; more wait in the backlog.
const THREADS: usize = 4;

/// Longest exchange.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest request head, in bytes.
const MAX_HEAD: usize = 8 << 10;

/// Answers on `listener` for the life of the process. `/ready` fails after a shutdown request.
///
/// # Errors
/// When the threads cannot be started.
pub fn serve_metrics(listener: Listener, service: &Arc<Service>) -> io::Result<()> {
    let listener = Arc::new(listener);
    for n in 0..THREADS {
        let (listener, service) = (listener.clone(), service.clone());
        let work = move || loop {
            match listener.accept() {
                Ok((socket, _)) => {
                    let _ = exchange(socket, &service); // a peer that left needs no answer
                }
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        };
        thread::Builder::new().name(format!("metrics-{n}")).stack_size(256 << 10).spawn(work)?;
    }
    Ok(())
}

fn exchange(socket: Socket, service: &Service) -> io::Result<()> {
    let mut timed = TimedStream::new(Arc::new(socket), EXCHANGE_TIMEOUT);
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
        (b"GET" | b"HEAD", b"/metrics") => ("200 OK", service.render_metrics()),
        (b"GET" | b"HEAD", b"/health") => ("200 OK", "ok\n".to_owned()),
        (b"GET" | b"HEAD", b"/ready") => readiness(service.readiness()),
        (b"GET" | b"HEAD", b"/ready/tasks") => readiness(service.task_readiness()),
        (b"GET" | b"HEAD", _) => {
            ("404 Not Found", "try /metrics, /health, /ready or /ready/tasks\n".to_owned())
        }
        _ => ("405 Method Not Allowed", "GET only\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    timed.enter(TimeoutKind::Write, EXCHANGE_TIMEOUT, EXCHANGE_TIMEOUT);
    timed.write_all(head.as_bytes())?;
    if method != b"HEAD" {
        timed.write_all(body.as_bytes())?;
    }
    Ok(())
}

fn readiness(ready: Result<(), &'static str>) -> (&'static str, String) {
    match ready {
        Ok(()) => ("200 OK", "ready\n".to_owned()),
        Err(why) => ("503 Service Unavailable", format!("{why}\n")),
    }
}
