//! Hostile HTTP clients: slow, silent, greedy, gone, and those that send two framings at once.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "http")]

mod http_support;
mod support;

use http_support::{Answer, ask, connect, exchange, kept_alive, post, posted};
use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;
use support::{Server, png, send};

/// What the server has refused for this reason so far.
fn rejected(server: &Server, reason: &str) -> u64 {
    let page = ask(server, &http_support::get("/metrics")).text();
    let line = format!("imgsrv_rejected_total{{reason=\"{reason}\"}} ");
    page.lines().find_map(|shown| shown.strip_prefix(&line)).unwrap().parse().unwrap()
}

/// Waits for a refusal of this reason to be counted.
fn waits_for(server: &Server, reason: &str) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        rejected(server, reason) > 0
    })
}

#[test]
fn a_head_that_drips_is_cut_at_its_deadline() {
    let server = Server::start_http(&["--header-timeout", "500ms"]);
    let mut socket = connect(&server);
    let mut drip = socket.try_clone().unwrap();
    let dripper = std::thread::spawn(move || {
        for byte in b"POST /resize HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".iter().chain([b'x'; 500].iter()) {
            if drip.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never cut");
    });
    assert!(support::is_closed(&mut socket));
    dripper.join().unwrap();
    assert!(waits_for(&server, "header_timeout"));
}

#[test]
fn silence_is_cut_before_the_first_head_and_again_after_idling() {
    let server = Server::start_http(&["--header-timeout", "300ms", "--idle-timeout", "600ms"]);
    assert!(support::is_closed(&mut connect(&server)));
    let mut socket = connect(&server);
    send(&mut socket, b"PRI * HTTP/2.0\r\n\r\n");
    assert!(support::is_closed(&mut socket), "who begins as HTTP/2 is not answered in HTTP/1.1");
    let mut socket = connect(&server);
    assert_eq!(http_support::exchange(&mut socket, &kept_alive("/resize?width=4", &png(8, 8))).status, 200);
    std::thread::sleep(Duration::from_millis(400)); // longer than for a head
    assert_eq!(http_support::exchange(&mut socket, &kept_alive("/resize?width=4", &png(8, 8))).status, 200);
    assert!(support::is_closed(&mut socket));
}

#[test]
fn a_body_that_stalls_or_drips_is_answered_and_cut() {
    let server = Server::start_http(&["--stall-timeout", "300ms", "--body-timeout", "600ms"]);
    let request = kept_alive("/resize", &png(64, 64));
    let (first, rest) = request.split_at(request.len() - 100);
    let mut stalled = connect(&server);
    send(&mut stalled, first);
    let mut dripping = connect(&server);
    send(&mut dripping, first);
    let mut drip = dripping.try_clone().unwrap();
    let rest = rest.to_vec();
    let dripper = std::thread::spawn(move || {
        for byte in rest {
            std::thread::sleep(Duration::from_millis(100));
            if drip.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    for socket in [&mut stalled, &mut dripping] {
        let answer = Answer::read(socket);
        assert_eq!((answer.status, answer.json()["status"].as_str()), (504, Some("timeout")));
        assert!(support::is_closed(socket));
    }
    dripper.join().unwrap();
    assert_eq!(rejected(&server, "slow_client"), 2);
}

#[test]
fn who_does_not_take_the_reply_is_cut() {
    let server = Server::start_http(&["--write-timeout", "500ms"]);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.http().into()).unwrap();
    let mut socket = std::net::TcpStream::from(socket);
    // A result of several megabytes, more than the buffers in between hold.
    send(&mut socket, &kept_alive("/resize?width=2000&height=2000&format=bmp", &png(64, 64)));
    assert!(waits_for(&server, "write_timeout"));
}

#[test]
fn a_client_that_leaves_gives_its_job_up() {
    let server = Server::start_http(&["--workers", "1"]);
    let mut busy = connect(&server);
    send(&mut busy, &kept_alive("/resize?width=1500&ops=denoise:9", &png(64, 64)));
    let mut gone = connect(&server);
    send(&mut gone, &kept_alive("/resize?width=1500&ops=denoise:9", &png(64, 64)));
    std::thread::sleep(Duration::from_millis(100));
    drop((busy, gone));
    assert!(waits_for(&server, "abandoned"));
    assert_eq!(ask(&server, &post("/resize?width=4", &png(8, 8))).status, 200);
}

#[test]
fn an_announced_body_that_is_too_long_is_refused_before_it_is_sent() {
    let server = Server::start_http(&["--max-body", "1MiB"]);
    let mut socket = connect(&server);
    send(&mut socket, b"POST /resize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4294967296\r\n\r\n");
    assert_eq!(Answer::read(&mut socket).status, 413);
    // Without an announcement it is cut where the limit is; the answer is read although the client still sends.
    let mut socket = connect(&server);
    send(&mut socket, b"POST /resize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut rest = socket.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let chunk = [b"10000\r\n".as_slice(), &[7; 0x10000], b"\r\n"].concat();
        (0..40).for_each(|_| drop(rest.write_all(&chunk)));
    });
    assert_eq!(Answer::read(&mut socket).status, 413);
    sender.join().unwrap();
}

#[test]
fn a_promised_body_takes_no_memory() {
    let server = Server::start_http(&["--total-memory", "64MiB"]);
    let mut promised: Vec<_> = (0..50).map(|_| connect(&server)).collect();
    for socket in &mut promised {
        send(socket, b"POST /resize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\nx");
    }
    assert_eq!(ask(&server, &post("/resize?width=4", &png(8, 8))).status, 200);
    let page = ask(&server, &http_support::get("/metrics")).text();
    let reserved = page.lines().find_map(|line| line.strip_prefix("imgsrv_memory_reserved_bytes ")).unwrap();
    assert!(reserved.parse::<u64>().unwrap() < 1 << 20, "{reserved}");
}

#[test]
fn no_address_gets_more_connections_than_its_share_of_both_protocols() {
    let server = Server::start_http(&["--per-ip", "3"]);
    let _tcp = server.connect();
    let _held = [connect(&server), connect(&server)];
    std::thread::sleep(Duration::from_millis(100));
    let mut refused = connect(&server);
    let answer = Answer::read(&mut refused);
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!((&answer.json()["status"], &answer.json()["code"]), (&"busy".into(), &503.into()));
}

#[test]
fn two_lengths_and_other_ways_to_smuggle_are_refused_and_closed() {
    let server = Server::start_http(&[]);
    let hidden = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for head in [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 4 4\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: a\r\n b\r\nContent-Length: 4\r\n",
        "X\0: a\r\nContent-Length: 4\r\n",
        "X: a\0b\r\nContent-Length: 4\r\n",
        "X: a\rContent-Length: 4\r\n",
        ": empty\r\nContent-Length: 4\r\n",
    ] {
        let mut socket = connect(&server);
        send(
            &mut socket,
            format!("POST /resize HTTP/1.1\r\nHost: localhost\r\n{head}\r\nabcd{hidden}").as_bytes(),
        );
        let mut answers = String::new();
        let _ = socket.read_to_string(&mut answers);
        assert!(!answers.contains("HTTP/1.1 200"), "{head:?}: {answers}");
        assert!(answers.matches("HTTP/1.1 ").count() <= 1, "{head:?}: {answers}");
        assert!(answers.is_empty() || answers.starts_with("HTTP/1.1 4"), "{head:?}: {answers}");
    }
}

#[test]
fn a_head_that_cannot_be_read_is_refused_and_closed() {
    let server = Server::start_http(&[]);
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: x\r\n".repeat(200));
    for (head, status) in [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        ("\x16\x03\x01\x02\0\x01\0\x01\x7C\x03\x03", 400), // TLS
        (&long, 431),
        (&many, 431),
    ] {
        for earlier in 0..2 {
            let mut socket = connect(&server);
            for _ in 0..earlier {
                assert_eq!(exchange(&mut socket, &kept_alive("/resize?width=4", &png(8, 8))).status, 200);
            }
            send(&mut socket, head.as_bytes());
            let answer = Answer::read(&mut socket);
            assert_eq!((answer.status, answer.header("connection")), (status, "close"), "{head:.40}");
            assert!(support::is_closed(&mut socket));
        }
    }
    assert!(waits_for(&server, "bad_request"));
}

#[test]
fn a_request_of_http_1_1_has_exactly_one_host() {
    let server = Server::start_http(&[]);
    let image = png(8, 8);
    for hosts in ["", "Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nhost: b\r\n"] {
        let head = format!("POST /resize?width=4 HTTP/1.1\r\n{hosts}Content-Length: {}\r\n\r\n", image.len());
        let mut socket = connect(&server);
        let answer = exchange(&mut socket, &[head.as_bytes(), &image].concat());
        assert_eq!((answer.status, answer.header("connection")), (400, "close"), "{hosts:?}");
        assert!(answer.text().contains("one header Host"), "{}", answer.text());
        assert!(support::is_closed(&mut socket), "{hosts:?}");
    }
    let old = format!("POST /resize?width=4 HTTP/1.0\r\nContent-Length: {}\r\n\r\n", image.len());
    assert_eq!(ask(&server, &[old.as_bytes(), &image].concat()).status, 200, "HTTP/1.0 needs none");
}

/// RFC 9112 6.1: the length is ignored, the chunks are read, and the connection is closed.
#[test]
fn two_framings_at_once_never_serve_what_is_hidden() {
    let server = Server::start_http(&[]);
    let image = png(8, 8);
    let hidden = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let chunks = [format!("{:x}\r\n", image.len()).as_bytes(), &image, b"\r\n0\r\n\r\n"].concat();
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    ] {
        let mut socket = connect(&server);
        let head = format!("POST /resize?width=4 HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n");
        send(&mut socket, &[head.as_bytes(), &chunks, hidden.as_bytes()].concat());
        let answer = Answer::read(&mut socket);
        assert_eq!((answer.status, answer.header("connection")), (200, "close"), "{framing:?}");
        assert_eq!(answer.header("x-result-width"), "4", "{framing:?}");
        assert!(support::is_closed(&mut socket), "{framing:?}: nothing follows");
    }
}

#[test]
fn a_name_cannot_split_the_answer() {
    let server = Server::start_http(&[]);
    for id in ["a%0d%0aSet-Cookie:%20x=1", "a%0aX:%20y", "a%00b", "%e2%80%a8"] {
        let answer = ask(&server, &post(&format!("/resize?width=4&id={id}"), &png(8, 8)));
        assert!(answer.headers.iter().all(|(name, _)| name != "set-cookie" && name != "x"), "{answer:?}");
        assert!(matches!(answer.status, 200 | 400));
    }
    let answer =
        ask(&server, &posted("/resize?width=4", "Connection: close\r\nX-Request-Id: a\tb\r\n", &png(8, 8)));
    assert!(!answer.header("x-request-id").is_empty());
}

#[test]
fn a_page_of_another_origin_changes_nothing_and_reads_nothing() {
    let server = Server::start_http(&[]);
    for origin in ["https://evil.example", "null", "http://a.evil.example", "http://127.0.0.1:1"] {
        for kind in ["text/plain", "multipart/form-data; boundary=b", "application/json"] {
            let headers = format!("Connection: close\r\nOrigin: {origin}\r\nContent-Type: {kind}\r\n");
            let answer = ask(&server, &posted("/resize?width=4", &headers, &png(8, 8)));
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, ""), "{origin}");
        }
    }
    let own = ask(
        &server,
        &posted("/resize?width=4", "Connection: close\r\nOrigin: http://localhost\r\n", &png(8, 8)),
    );
    assert_eq!(own.status, 200);
    let server = Server::start_http(&["--cors-origin", "https://good.example"]);
    let headers = "Connection: close\r\nOrigin: https://good.example\r\n";
    let answer = ask(&server, &posted("/resize?width=4", headers, &png(8, 8)));
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "https://good.example"));
    let preflight = format!(
        "OPTIONS /resize HTTP/1.1\r\nHost: localhost\r\n{headers}Access-Control-Request-Method: POST\r\n\r\n"
    );
    let answer = ask(&server, preflight.as_bytes());
    assert_eq!((answer.status, answer.header("access-control-allow-methods")), (204, "GET, POST, DELETE"));
}

#[test]
fn markup_in_an_image_or_a_name_is_never_served_as_markup() {
    let server = Server::start_http(&[]);
    let script = b"GIF89a/*<script>alert(1)</script>*/=1;";
    for body in
        [&script[..], b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"<html><script>"]
    {
        let answer = ask(&server, &post("/resize?width=4", body));
        assert!(answer.status >= 400, "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").contains("sandbox"));
    }
    let answer = ask(&server, &http_support::get("/%3Cscript%3Ealert(1)%3C/script%3E"));
    assert_eq!((answer.status, answer.header("content-type")), (404, "application/json"));
}

#[test]
fn a_flood_over_the_queue_is_told_when_to_try_again() {
    let server = Server::start_http(&["--workers", "1", "--queue", "1"]);
    let image = png(64, 64);
    let asking: Vec<_> = (0..12)
        .map(|_| {
            let mut socket = connect(&server);
            send(&mut socket, &kept_alive("/resize?width=700&ops=denoise:9", &image));
            socket
        })
        .collect();
    let answers: Vec<_> = asking.into_iter().map(|mut socket| Answer::read(&mut socket)).collect();
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty() && busy.len() < answers.len(), "{answers:?}");
    for answer in busy {
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert_eq!(answer.json()["status"], "busy");
    }
}

#[test]
fn a_refused_body_is_answered_drained_and_costs_its_connection() {
    let server = Server::start_http(&["--workers", "1", "--queue", "1"]);
    let _asking = http_support::fill(&server);
    let mut unsent = connect(&server);
    send(&mut unsent, b"POST /resize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
    let answer = Answer::read(&mut unsent);
    assert_eq!((answer.status, answer.header("connection")), (503, "close"), "before the body is sent");
    let request = kept_alive("/resize?width=9", &vec![b'\n'; 4_000_000]);
    for cut in [1, 20, 70, 5000, 600_000, request.len()] {
        let mut socket = connect(&server);
        send(&mut socket, &request[..cut]);
        std::thread::sleep(Duration::from_millis(20));
        socket.write_all(&request[cut..]).unwrap_or_else(|error| panic!("after {cut} bytes: {error}"));
        let answer = Answer::read(&mut socket);
        assert_eq!((answer.status, answer.header("connection")), (503, "close"), "after {cut} bytes");
        assert!(support::is_closed(&mut socket));
    }
}

#[test]
fn a_request_behind_a_refused_body_is_not_left_waiting() {
    let server = Server::start_http(&[]);
    let mut socket = connect(&server);
    let refused = kept_alive("/resize?width=x", &vec![b'\n'; 100_000]);
    send(&mut socket, &[refused, kept_alive("/resize?width=4", &png(8, 8))].concat());
    let answer = Answer::read(&mut socket);
    assert_eq!((answer.status, answer.header("connection")), (400, "close"));
    assert!(support::is_closed(&mut socket));
}

#[test]
fn a_refused_body_that_stops_coming_ends_the_connection() {
    let server = Server::start_http(&["--workers", "1", "--queue", "1", "--stall-timeout", "300ms"]);
    let _asking = http_support::fill(&server);
    let mut socket = connect(&server);
    send(&mut socket, &kept_alive("/resize?width=9", &[0; 900_000])[..500_000]);
    assert_eq!(Answer::read(&mut socket).status, 503);
    assert!(support::is_closed(&mut socket));
}

#[test]
fn a_client_that_waits_for_100_continue_is_refused_without_it() {
    let server = Server::start_http(&[]);
    let mut socket = connect(&server);
    let head = "POST /resize?width=x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    send(&mut socket, head.as_bytes());
    assert_eq!(Answer::read(&mut socket).status, 400);
    assert!(support::is_closed(&mut socket));
}

#[test]
fn a_client_that_closes_its_sending_side_gets_its_answer() {
    let server = Server::start_http(&[]);
    let mut socket = connect(&server);
    send(&mut socket, &kept_alive("/resize?width=100&ops=blur:2", &png(64, 64)));
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(Answer::read(&mut socket).status, 200);
    assert!(support::is_closed(&mut socket));
}

/// Every status that refuses a body reaches curl, which is still sending, over both versions of HTTP.
#[test]
fn curl_sees_why_its_body_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, body) = (folder.path().join("tokens"), folder.path().join("body"));
    std::fs::write(&tokens, "me:sesame\n").unwrap();
    support::make_private(&tokens);
    std::fs::write(&body, vec![7; 81 << 10]).unwrap();
    let closed = Server::start_http(&["--token-file", tokens.to_str().unwrap()]);
    let limited = Server::start_http(&["--rate-requests", "1"]);
    let curl = |version: &str, server: &Server| {
        let output = Command::new("curl")
            .args(["-sS", version, "-o"])
            .arg(folder.path().join("answer"))
            .args(["-w", "%{http_code}", "--data-binary", &format!("@{}", body.display())])
            .arg(format!("http://{}/resize?width=9", server.http()))
            .output()
            .expect("curl is installed");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        for run in 0..15 {
            let expected = |status: &str| (status.to_owned(), String::new());
            assert_eq!(curl(version, &closed), expected("401"), "{version}, run {run}");
        }
        let answers: Vec<_> = (0..15).map(|_| curl(version, &limited)).collect();
        let refused = |answer: &&(String, String)| answer.0 == "429" && answer.1.is_empty();
        assert!(answers.iter().filter(refused).count() >= 13, "{version}: {answers:?}");
        assert!(answers.iter().all(|(_, error)| error.is_empty()), "{version}: {answers:?}");
    }
}

/// Preface, empty settings but a stream window of 0, and a request whose reply is an image.
fn with_closed_window(image: &[u8]) -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let path = b"/resize?width=900&format=bmp";
    let head = [&[0x83, 0x86, 0x44, path.len() as u8], &path[..], &[0x41, 1, b'a']].concat();
    let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &frame(1, 4, 1, &head), &frame(0, 1, 1, image)]
        .concat()
}

#[test]
fn a_stream_window_that_stays_closed_holds_no_reply_for_good() {
    let server = Server::start_http(&["--write-timeout", "1s"]);
    let mut socket = connect(&server);
    send(&mut socket, &with_closed_window(&png(64, 64)));
    assert!(waits_for(&server, "write_timeout"));
    socket.read_to_end(&mut Vec::new()).unwrap_or_default(); // its own frames, then the end
    let page = ask(&server, &http_support::get("/metrics")).text();
    assert!(page.contains("imgsrv_memory_reserved_bytes 0\n"), "{page}");
}
