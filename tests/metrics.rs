//! `/metrics`, `/health`, `/ready` and `imgsrv health`, against the real server.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

/// A server with metrics: its binary port and its metrics port.
struct Measured {
    child: Child,
    tcp: SocketAddr,
    metrics: SocketAddr,
}

impl Measured {
    fn start(arguments: &[&str]) -> Measured {
        let mut child = Command::new(env!("CARGO_BIN_EXE_imgsrv"))
            .args(["--bind=127.0.0.1:0", "--http=none", "--metrics=127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || lines.next().unwrap().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
        let (metrics, tcp) = (address(), address());
        Measured { child, tcp, metrics }
    }

    fn get(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(self.metrics).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    fn health(&self, address: &str) -> Option<i32> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgsrv"));
        command
            .env("IMGSRV_BIND", self.tcp.to_string())
            .arg("health")
            .args((!address.is_empty()).then_some(address));
        command.stderr(Stdio::null()).status().unwrap().code()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn requests_and_refusals_are_counted() {
    let server = Measured::start(&[]);
    let mut socket = TcpStream::connect(server.tcp).unwrap();
    for options in ["width=9", "width=x"] {
        support::send(&mut socket, &support::extended(&support::png(20, 10), 0, 0, options));
        support::read_extended(&mut socket);
    }
    // The reply leaves before its worker has put everything back.
    let settled = |page: &String| page.lines().any(|line| line == "imgsrv_requests_in_progress 0");
    let pages = std::iter::repeat_with(|| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        server.get("GET /metrics HTTP/1.1\r\n\r\n")
    });
    let page = pages.take(100).find(settled).expect("a worker that comes to rest");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for line in [
        "imgsrv_requests_total{protocol=\"tcp\",status=\"ok\"} 1",
        "imgsrv_requests_total{protocol=\"tcp\",status=\"bad_request\"} 1",
        "imgsrv_rejected_total{reason=\"bad_request\"} 1",
        "imgsrv_stage_duration_seconds_count{stage=\"encode\"} 1",
        "imgsrv_pixels_total 200",
        "imgsrv_connections 1",
        "imgsrv_requests_in_progress 0",
        "imgsrv_memory_reserved_bytes 0",
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line} in\n{page}");
    }
}

#[test]
fn other_paths_and_methods_are_told_so_and_nonsense_is_harmless() {
    let server = Measured::start(&[]);
    for (request, answer) in [
        ("GET /health HTTP/1.1\r\n\r\n", "HTTP/1.1 200"),
        ("HEAD /ready?x=1 HTTP/1.0\r\n\r\n", "HTTP/1.1 200"),
        ("GET /etc/passwd HTTP/1.1\r\n\r\n", "HTTP/1.1 404"),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405"),
        ("\r\n\r\n", "HTTP/1.1 405"),
    ] {
        assert!(server.get(request).starts_with(answer), "{request:?}");
    }
}

#[test]
fn health_says_yes_to_a_server_and_no_to_none() {
    let server = Measured::start(&[]);
    assert_eq!(server.health(&server.metrics.to_string()), Some(0));
    assert_eq!(server.health(""), Some(0), "by a ping at the binary port");
    let (metrics, tcp) = (server.metrics.to_string(), server.tcp);
    drop(server);
    let gone = || {
        Command::new(env!("CARGO_BIN_EXE_imgsrv")).env("IMGSRV_BIND", tcp.to_string()).arg("health").output()
    };
    assert_eq!(gone().unwrap().status.code(), Some(1));
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgsrv"));
    assert_eq!(command.args(["health", &metrics]).output().unwrap().status.code(), Some(1));
}
