//! Behind a balancer: whose word about a client is believed, and what the server answers to on loopback.
#![cfg(feature = "http")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may")]

mod http_support;
mod support;

use http_support::{Answer, ask, post, posted};
use std::io::{Read, Write};
use support::{Server, extended, png, read_extended, send};

fn behind(arguments: &[&str]) -> Server {
    Server::start_http(&[&["--proxy-from", "127.0.0.1"], arguments].concat())
}

/// Sends a request over TCP as a balancer does that tells the client's address.
fn told_by_proxy(server: &Server, client: &str, options: &str) -> String {
    let mut socket = server.connect();
    socket.write_all(format!("PROXY TCP4 {client} 127.0.0.1 4000 65432\r\n").as_bytes()).unwrap();
    send(&mut socket, &extended(&png(30, 20), 0, 0, options));
    read_extended(&mut socket).1
}

#[test]
fn rates_count_the_client_that_the_balancer_tells_on_tcp() {
    let server = behind(&["--rate-requests=2"]);
    for _ in 0..2 {
        assert!(told_by_proxy(&server, "203.0.113.1", "width=9").contains("status=ok"));
    }
    assert!(told_by_proxy(&server, "203.0.113.1", "width=9").contains("status=busy"));
    assert!(told_by_proxy(&server, "203.0.113.2", "width=9").contains("status=ok"), "another client");
    let log = server.stop();
    assert!(log.contains("203.0.113.2:4000"), "the log names the client: {log}");
}

#[test]
fn version_2_is_understood_and_a_health_check_of_the_balancer_is_served() {
    let server = behind(&[]);
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let client = [&[0x21, 0x11, 0, 12][..], &[203, 0, 113, 9, 127, 0, 0, 1, 0x0F, 0xA0, 0xFF, 0xB8]].concat();
    for header in [client, vec![0x20, 0, 0, 0]] {
        let mut socket = server.connect();
        socket.write_all(&[signature.as_slice(), &header].concat()).unwrap();
        send(&mut socket, &extended(&png(30, 20), 0, 0, "width=9"));
        assert!(read_extended(&mut socket).1.contains("status=ok"));
    }
    assert!(server.stop().contains("203.0.113.9:4000"));
}

#[test]
fn a_balancer_that_tells_nothing_is_cut_with_the_remedy_in_the_log() {
    let server = behind(&[]);
    let mut socket = server.connect();
    send(&mut socket, &extended(&png(30, 20), 0, 0, "width=9"));
    assert_eq!(socket.read(&mut [0; 64]).unwrap_or_default(), 0);
    let log = server.stop();
    assert!(log.contains("no PROXY protocol header") && log.contains("proxy_from"), "{log}");
}

#[test]
fn per_ip_counts_the_clients_of_a_balancer_and_not_the_balancer() {
    let server = behind(&["--per-ip=2"]);
    let connect = |client: &str| {
        let mut socket = server.connect();
        socket.write_all(format!("PROXY TCP4 {client} 127.0.0.1 4000 65432\r\n").as_bytes()).unwrap();
        socket
    };
    let mut held: Vec<_> = ["203.0.113.1", "203.0.113.1", "203.0.113.2"].into_iter().map(connect).collect();
    for socket in &mut held {
        send(socket, &extended(&png(30, 20), 0, 0, "width=9"));
        assert!(read_extended(socket).1.contains("status=ok"));
    }
    let mut third = connect("203.0.113.1");
    assert_eq!(third.read(&mut [0; 64]).unwrap_or_default(), 0, "the client has its two already");
    assert!(told_by_proxy(&server, "203.0.113.3", "width=9").contains("status=ok"));
}

#[test]
fn over_http_the_rightmost_untrusted_address_counts_and_is_believed_from_a_proxy_alone() {
    let request = |server: &Server, forwarded: &str| -> Answer {
        ask(server, &posted("/resize?width=9", &format!("X-Forwarded-For: {forwarded}\r\n"), &png(30, 20)))
    };
    let server = behind(&["--rate-requests=1"]);
    assert_eq!(request(&server, "203.0.113.1").status, 200);
    assert_eq!(
        request(&server, "1.2.3.4, 203.0.113.1").status,
        429,
        "what a client put in front does not count"
    );
    assert_eq!(request(&server, "203.0.113.2").status, 200);
    let forwarded = posted(
        "/resize?width=9",
        "Forwarded: for=203.0.113.9\r\nX-Forwarded-For: 203.0.113.2\r\n",
        &png(9, 9),
    );
    assert_eq!(ask(&server, &forwarded).status, 429, "only the header that the proxy sets is read");

    let open = Server::start_http(&["--rate-requests=1"]);
    assert_eq!(request(&open, "203.0.113.1").status, 200);
    assert_eq!(request(&open, "203.0.113.2").status, 429, "anybody can write a header");
}

#[test]
fn wrong_tokens_of_one_client_behind_a_balancer_lock_out_no_other() {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), "me:right-token-0123456789\n").unwrap();
    let server = behind(&[&format!("--token-file={}", tokens.path().display())]);
    let with = |client: &str, token: &str| {
        let headers = format!("X-Forwarded-For: {client}\r\nAuthorization: Bearer {token}\r\n");
        ask(&server, &posted("/resize?width=9", &headers, &png(30, 20))).status
    };
    let guesses: Vec<u16> = (0..12).map(|_| with("203.0.113.1", "wrong")).collect();
    assert_eq!(guesses.last(), Some(&429), "{guesses:?}");
    assert_eq!(with("203.0.113.2", "wrong"), 401);
    assert_eq!(with("203.0.113.1", "right-token-0123456789"), 200);
}

#[test]
fn on_loopback_only_names_of_this_machine_and_listed_ones_are_answered() {
    let status = |server: &Server, host: &str| {
        let mut request = post("/resize?width=9", &png(30, 20));
        let at = request.windows(6).position(|six| six == b"Host: ").unwrap() + 6;
        let end = at + request[at..].iter().position(|byte| *byte == b'\r').unwrap();
        request.splice(at..end, host.bytes());
        ask(server, &request)
    };
    let server = Server::start_http(&["--allowed-hosts", "img.example, Other.example"]);
    for host in
        ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "img.example:80", "OTHER.example."]
    {
        assert_eq!(status(&server, host).status, 200, "{host}");
    }
    for host in ["evil.example:8080", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
        let refused = status(&server, host);
        assert_eq!(refused.status, 421, "{host}");
        assert!(refused.text().contains("allowed_hosts"), "{}", refused.text());
    }
    let upgrade = "GET /ws HTTP/1.1\r\nHost: evil.example:8080\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Origin: http://evil.example:8080\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(ask(&server, upgrade.as_bytes()).status, 421);
    // A server that asks for tokens is not tricked by a page, which has none.
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), "me:right-token-0123456789\n").unwrap();
    let guarded = Server::start_http(&[&format!("--token-file={}", tokens.path().display())]);
    assert_eq!(status(&guarded, "img.example").status, 401);
}
