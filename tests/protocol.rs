//! The wire protocol against the real server: golden bytes, order, refusals, peers that misbehave.

mod support;

use std::io::{Cursor, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};
use support::*;

#[test]
fn a_plain_request_is_answered_with_a_jpeg_of_exactly_the_asked_size() {
    let server = Server::start(&[]);
    let mut socket = server.connect();
    send(&mut socket, &plain(&png(300, 200), 80, 60));
    let reply = read_plain(&mut socket);
    assert_eq!(&reply[..3], b"\xff\xd8\xff");
    assert_eq!(jpeg_size(&reply), (80, 60));
}

#[test]
fn zero_follows_the_other_side_and_two_zeros_keep_the_size() {
    let server = Server::start(&[]);
    let mut socket = server.connect();
    for (width, height, want) in [(150, 0, (150, 100)), (0, 50, (75, 50)), (0, 0, (300, 200))] {
        send(&mut socket, &plain(&png(300, 200), width, height));
        assert_eq!(jpeg_size(&read_plain(&mut socket)), want);
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_and_as_if_sent_alone() {
    let server = Server::start(&[]);
    let image = png(64, 48);
    let one_by_one: Vec<_> = (1..=100)
        .map(|width| {
            let mut socket = server.connect();
            send(&mut socket, &plain(&image, width, 10));
            read_plain(&mut socket)
        })
        .collect();
    let mut socket = server.connect();
    let all: Vec<u8> = (1..=100).flat_map(|width| plain(&image, width, 10)).collect();
    let mut writer = socket.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(&all).unwrap());
    for want in one_by_one {
        assert_eq!(read_plain(&mut socket), want);
    }
    sender.join().unwrap();
}

#[test]
fn an_extended_request_has_a_report_and_the_format_it_asked_for() {
    let server = Server::start(&[]);
    let mut socket = server.connect();
    send(&mut socket, &extended(&png(300, 200), 30, 20, "format=png&id=my%20id"));
    let (failed, report, payload) = read_extended(&mut socket);
    assert!(!failed);
    assert!(report.starts_with("status=ok&id=my%20id&width=30&height=20&format=png&"), "{report}");
    for part in [
        "source_width=300",
        "source_height=200",
        "source_format=png",
        "queue_us=",
        "decode_us=",
        "encode_us=",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert_eq!(image::load_from_memory(&payload).unwrap().width(), 30);
}

#[test]
fn a_failed_extended_request_leaves_the_connection_usable() {
    let server = Server::start(&[]);
    let mut socket = server.connect();
    let image = png(30, 20);
    for (options, status, words) in [
        ("quality=0", "bad_request", "'quality' is '0', it accepts 1 to 100"),
        ("colour=red", "bad_request", "unknown option 'colour'"),
        ("width=5&width=5", "bad_request", "'width' is given more than once"),
        ("crop=0,0,31,1", "bad_request", "crop"),
    ] {
        send(&mut socket, &extended(&image, 0, 0, options));
        let (failed, report, message) = read_extended(&mut socket);
        assert!(failed && report.starts_with(&format!("status={status}")), "{report}");
        let message = String::from_utf8(message).unwrap();
        assert!(message.contains(words), "{message}");
    }
    send(&mut socket, &extended(b"no image at all", 5, 5, ""));
    assert!(read_extended(&mut socket).1.starts_with("status=unsupported"));
    send(&mut socket, &extended(&image, 5, 5, ""));
    assert!(read_extended(&mut socket).1.starts_with("status=ok"));
}

#[test]
fn a_failed_plain_request_is_four_zero_bytes_and_the_end() {
    let server = Server::start(&[]);
    for request in [plain(b"no image at all", 5, 5), plain(&png(9, 9)[..40], 5, 5), header(0, 5, 5)] {
        let mut socket = server.connect();
        send(&mut socket, &request);
        let mut reply = Vec::new();
        socket.read_to_end(&mut reply).unwrap();
        assert_eq!(reply, [0; 4]);
    }
    let log = server.stop();
    assert!(log.contains("status=unsupported") && log.contains("the image is empty"), "{log}");
}

#[test]
fn a_ping_is_answered_without_a_picture() {
    let server = Server::start(&[]);
    let mut socket = server.connect();
    send(&mut socket, &extended(b"", 0, 0, "op=ping&id=7"));
    assert_eq!(read_extended(&mut socket), (false, "status=ok&id=7".into(), vec![]));
}

#[test]
fn sizes_that_cannot_be_are_refused_before_the_body_is_read() {
    let server = Server::start(&[]);
    let asked = Instant::now();
    for (size, width, height) in [
        (33 << 20, 10, 10),
        (0x7fff_ffff, 10, 10),
        (100, 16_385, 10),
        (100, 10, u32::MAX),
        (100, 65_536, 65_536),
    ] {
        let mut socket = server.connect();
        send(&mut socket, &header(size, width, height));
        assert_eq!(read_u32(&mut socket), 0, "{size} {width} {height}");
    }
    let mut socket = server.connect();
    send(&mut socket, &[header(u32::MAX, 1, 1), vec![0; 4]].concat());
    let (failed, report, _) = read_extended(&mut socket);
    assert!(failed && report.starts_with("status=too_large"), "{report}");
    assert!(asked.elapsed() < Duration::from_secs(4), "nobody waited for a body");
}

#[test]
fn more_bytes_than_announced_are_the_next_header_and_fewer_are_a_cut() {
    let server = Server::start(&[]);
    let image = png(30, 20);
    let mut socket = server.connect();
    send(&mut socket, &[plain(&image, 5, 5), plain(&image, 6, 6)].concat());
    assert_eq!(jpeg_size(&read_plain(&mut socket)), (5, 5));
    assert_eq!(jpeg_size(&read_plain(&mut socket)), (6, 6));

    let mut socket = server.connect();
    send(&mut socket, &plain(&image, 5, 5)[..60]);
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_u32(&mut socket), 0);
    assert!(is_closed(&mut socket));
    let log = server.stop();
    assert!(log.contains("the peer closed the connection after 48 of"), "{log}");
}

#[test]
fn a_header_cut_short_by_a_close_or_a_reset_harms_nobody() {
    let mut server = Server::start(&[]);
    for cut in 0..12 {
        let mut socket = server.connect();
        send(&mut socket, &header(100, 10, 10)[..cut]);
        socket.shutdown(Shutdown::Write).unwrap();
        assert!(is_closed(&mut socket));

        let mut socket = server.connect();
        send(&mut socket, &header(100, 10, 10)[..cut]);
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap(); // drop resets
    }
    let mut socket = server.connect();
    send(&mut socket, &plain(&png(9, 9), 5, 5));
    assert_eq!(jpeg_size(&read_plain(&mut socket)), (5, 5));
    assert!(server.is_alive());
}

#[test]
fn a_half_closed_peer_still_gets_its_reply() {
    let server = Server::start(&[]);
    let mut socket = server.connect();
    send(&mut socket, &plain(&png(30, 20), 5, 5));
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(jpeg_size(&read_plain(&mut socket)), (5, 5));
    assert!(is_closed(&mut socket));
}

#[test]
fn a_request_in_one_byte_segments_is_the_same_request() {
    let server = Server::start(&[]);
    let request = plain(&png(12, 12), 5, 5);
    let mut whole = server.connect();
    send(&mut whole, &request);
    let mut drip = server.connect();
    request.iter().for_each(|byte| send(&mut drip, &[*byte]));
    assert_eq!(read_plain(&mut drip), read_plain(&mut whole));
}

#[test]
fn silence_and_drips_are_cut_at_the_deadline_of_their_stage() {
    let server =
        Server::start(&["--header-timeout", "300ms", "--body-timeout", "600ms", "--stall-timeout", "300ms"]);
    let mut silent = server.connect();
    assert!(is_closed(&mut silent));

    let mut stalled = server.connect();
    send(&mut stalled, &plain(&png(30, 20), 5, 5)[..60]);
    assert_eq!(read_u32(&mut stalled), 0);

    let mut drip = server.connect();
    send(&mut drip, &header(100, 5, 5));
    let dripped = (0..100).take_while(|_| {
        std::thread::sleep(Duration::from_millis(50));
        drip.write_all(b"x").is_ok()
    });
    assert!(dripped.count() < 30, "a drip does not keep a body open");

    let mut well = server.connect();
    send(&mut well, &plain(&png(9, 9), 5, 5));
    assert_eq!(jpeg_size(&read_plain(&mut well)), (5, 5));
    let log = server.stop();
    for word in ["header_timeout", "status=timeout"] {
        assert!(log.contains(word), "{word} in {log}");
    }
}

#[test]
fn a_peer_that_never_reads_is_cut_and_holds_no_worker() {
    let server = Server::start(&["--workers", "1", "--write-timeout", "500ms"]);
    let deaf = server.connect();
    socket2::SockRef::from(&deaf).set_recv_buffer_size(4096).unwrap();
    let mut writer = deaf.try_clone().unwrap();
    let request = extended(&png(400, 400), 1200, 1200, "quality=100"); // results fill the socket's buffers
    let sender = std::thread::spawn(move || (0..40).any(|_| writer.write_all(&request).is_err()));
    std::thread::sleep(Duration::from_millis(300));
    let mut well = server.connect();
    send(&mut well, &plain(&png(9, 9), 5, 5));
    assert_eq!(jpeg_size(&read_plain(&mut well)), (5, 5));
    sender.join().unwrap();
    let log = server.stop();
    assert!(log.contains("write_timeout"), "{log}");
}

#[test]
fn strangers_are_told_in_the_log_that_this_is_the_binary_port() {
    let server = Server::start(&[]);
    let mut socket = server.connect();
    send(&mut socket, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(read_u32(&mut socket), 0);
    let log = server.stop();
    assert!(log.contains("HTTP on the binary port"), "{log}");
}

#[test]
fn one_worker_and_many_give_the_same_bytes() {
    let (one, many) = (Server::start(&["--workers", "1"]), Server::start(&["--workers", "4"]));
    let images: Vec<_> = (1..9).map(|n| png(40 * n, 30 * n)).collect();
    let ask = |server: &Server, image: &[u8]| {
        let mut socket = server.connect();
        send(&mut socket, &plain(image, 50, 50));
        read_plain(&mut socket)
    };
    let alone: Vec<_> = images.iter().map(|image| ask(&one, image)).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = images.iter().map(|image| scope.spawn(|| ask(&many, image))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn a_stop_finishes_what_is_in_flight_and_exits_with_success() {
    let server = Server::start(&[]);
    let mut idle = server.connect();
    send(&mut idle, &extended(b"", 0, 0, "op=ping"));
    read_extended(&mut idle);
    let mut working = server.connect();
    let request = plain(&png(1500, 1000), 900, 700);
    send(&mut working, &request[..request.len() - 1]);
    std::thread::sleep(Duration::from_millis(200));
    server.signal(15);
    std::thread::sleep(Duration::from_millis(100));
    send(&mut working, &request[request.len() - 1..]);
    assert_eq!(jpeg_size(&read_plain(&mut working)), (900, 700));
    assert!(is_closed(&mut working) && is_closed(&mut idle));
    let (status, log) = server.wait(Duration::from_secs(10));
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn the_default_quality_and_the_limits_are_the_operators() {
    let server = Server::start(&["--quality", "20", "--max-body", "100KiB", "--max-pixels", "1MP"]);
    let mut socket = server.connect();
    send(&mut socket, &extended(&png(64, 64), 32, 32, ""));
    assert!(read_extended(&mut socket).1.contains("quality=20"));
    let mut flat = Cursor::new(Vec::new());
    image::RgbImage::new(1100, 1000).write_to(&mut flat, image::ImageFormat::Png).unwrap();
    send(&mut socket, &extended(flat.get_ref(), 32, 32, ""));
    let (failed, report, message) = read_extended(&mut socket);
    assert!(
        failed && report.starts_with("status=too_large"),
        "{report} {}",
        String::from_utf8_lossy(&message)
    );
}
