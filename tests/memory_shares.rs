//! Memory between callers: slow bodies of one address give way to a request of another, over every protocol.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "http")]

mod http_support;
mod support;

use http_support::Answer;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use support::{Server, extended, header, png};

/// All memory of the server, and the part of each of two bodies that arrives: none is left.
const TOTAL: &str = "--total-memory=32MiB";
const BODY: usize = 20 << 20;
const PART: usize = 12 << 20;

/// Connects from 127.0.0.`n`, a caller of its own.
fn connect_from(n: u8, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, n], 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

/// Waits until so many mebibytes are reserved.
fn wait_for_reserved(server: &Server, mib: f64) {
    let reserved = || {
        let page = http_support::ask(server, &http_support::get("/metrics")).text();
        let line = page.lines().find_map(|line| line.strip_prefix("imgsrv_memory_reserved_bytes "));
        line.unwrap().parse::<f64>().unwrap() / f64::from(1 << 20)
    };
    let came = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        reserved() >= mib
    });
    assert!(came, "{} MiB of {mib}", reserved());
}

/// Two large bodies of which most arrives, and then nothing.
fn hold(server: &Server, to: SocketAddr, head: &[u8]) -> [TcpStream; 2] {
    let held = [(); 2].map(|()| {
        let mut socket = connect_from(9, to);
        socket.write_all(head).unwrap();
        socket.write_all(&vec![0; PART]).unwrap();
        socket
    });
    wait_for_reserved(server, 24.0);
    std::thread::sleep(Duration::from_millis(1100)); // longer than a body may stand still
    held
}

/// A picture larger than what is left, padded after its end.
fn large_picture() -> Vec<u8> {
    let mut picture = png(40, 30);
    picture.resize(12 << 20, 0);
    picture
}

/// A request of another address is served by HTTP.
fn assert_another_is_served(server: &Server) {
    let mut good = connect_from(2, server.http());
    good.write_all(&http_support::post("/resize?width=4", &large_picture())).unwrap();
    assert_eq!(Answer::read(&mut good).status, 200);
}

#[test]
fn slow_bodies_over_http_give_way() {
    let server = Server::start_http(&[TOTAL, "--stall-timeout=20s"]);
    let head = format!("POST /resize?width=4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY}\r\n\r\n");
    let mut held = hold(&server, server.http(), head.as_bytes());
    assert_another_is_served(&server);
    let cut = Answer::read(&mut held[0]);
    assert_eq!((cut.status, cut.header("retry-after")), (503, "1"), "{}", cut.text());
    assert!(cut.text().contains("slow_body"), "{}", cut.text());
    let page = http_support::ask(&server, &http_support::get("/metrics")).text();
    assert!(page.contains("imgsrv_rejected_total{reason=\"gave_way\"} 1\n"), "one was enough");
}

#[test]
fn slow_bodies_over_tcp_give_way() {
    let server = Server::start_http(&[TOTAL, "--stall-timeout=20s"]);
    let head = [header(BODY as u32 | 1 << 31, 4, 4), vec![0; 4]].concat();
    let mut held = hold(&server, server.address, &head);
    let mut good = connect_from(2, server.address);
    good.write_all(&extended(&large_picture(), 4, 3, "")).unwrap();
    let (has_failed, report, _) = support::read_extended(&mut good);
    assert!(!has_failed, "{report}");
    let (has_failed, report, message) = support::read_extended(&mut held[0]);
    assert!(
        has_failed && report.contains("status=busy") && report.contains("retry_after_ms=1000"),
        "{report}"
    );
    assert!(String::from_utf8(message).unwrap().contains("slow_body"));
}

#[test]
fn slow_messages_over_websocket_give_way_and_the_conversation_goes_on() {
    let server = Server::start_http(&[TOTAL, "--stall-timeout=20s"]);
    let mut held = [(); 2].map(|()| {
        let mut socket = connect_from(9, server.http());
        socket
            .write_all(
                b"GET /ws?width=4&height=3 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        socket.write_all(&[&[0x82, 0xFF][..], &(BODY as u64).to_be_bytes(), &[0; 4]].concat()).unwrap();
        socket.write_all(&vec![0; PART]).unwrap();
        socket
    });
    wait_for_reserved(&server, 24.0);
    std::thread::sleep(Duration::from_millis(1100));
    assert_another_is_served(&server);
    let text = read_text(&mut held[0]);
    assert!(text.contains("busy") && text.contains("slow_body"), "{text}");
    held[0].write_all(&vec![0; BODY - PART]).unwrap();
    let picture = png(8, 6);
    held[0]
        .write_all(&[&[0x82, 0xFE][..], &(picture.len() as u16).to_be_bytes(), &[0; 4], &picture].concat())
        .unwrap();
    let text = read_text(&mut held[0]);
    assert!(text.contains("\"ok\""), "{text}");
}

/// The next message of a server, as text.
fn read_text(socket: &mut TcpStream) -> String {
    let mut head = [0; 2];
    socket.read_exact(&mut head).unwrap();
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            socket.read_exact(&mut length).unwrap();
            u16::from_be_bytes(length).into()
        }
        length => usize::from(length),
    };
    let mut text = vec![0; length];
    socket.read_exact(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
