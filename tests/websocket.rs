//! WebSocket against the real server, frame by frame: answers, limits, attacks.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "http")]

mod http_support;
mod support;

use http_support::peer::{BINARY, CLOSE, PING, PONG, Peer, TEXT, frame};
use std::io::Write;
use std::time::Duration;
use support::{Server, jpeg_size, png};

/// Work for some hundred milliseconds.
const SLOW: &str = "width=400&ops=denoise:9";

#[test]
fn options_hold_for_the_images_that_follow_and_each_report_stands_before_its_result() {
    let server = Server::start_http(&[]);
    let mut peer = Peer::open(&server, "/ws?width=10");
    peer.send(BINARY, &png(100, 50));
    let (report, image) = peer.result();
    assert_eq!((report["id"].as_str(), report["status"].as_str()), (Some("1"), Some("ok")));
    assert_eq!(jpeg_size(&image), (10, 5));
    peer.text(r#"{"width": 20, "format": "png", "id": "mine"}"#);
    peer.send(BINARY, &png(100, 50));
    peer.send(BINARY, &png(200, 50));
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (report, image) = peer.result();
        assert_eq!(report["format"], "png");
        assert_eq!(image::load_from_memory(&image).unwrap().width(), 20);
        ids.push(report["id"].as_str().unwrap().to_owned());
    }
    ids.sort();
    assert_eq!(ids, ["3", "mine"], "an id is for one image");
    peer.send(CLOSE, &1000_u16.to_be_bytes());
    assert_eq!(peer.close_code(), 1000);
    let page = http_support::ask(&server, &http_support::get("/metrics")).text();
    assert!(page.contains("imgsrv_requests_total{protocol=\"ws\",status=\"ok\"} 3\n"), "{page}");
    let log = server.stop();
    let lines = log.lines().filter(|line| line.contains("protocol=ws") && line.contains("status=ok"));
    assert_eq!(lines.count(), 3, "{log}");
    assert!(log.contains(".mine protocol=ws"), "{log}");
}

#[test]
fn results_come_as_they_are_ready_or_one_by_one() {
    let server = Server::start_http(&["--workers", "2"]);
    for (mode, order) in [("parallel", ["quick", "slow"]), ("sequential", ["slow", "quick"])] {
        let mut peer = Peer::open(&server, "/ws");
        for (id, options) in [("slow", SLOW), ("quick", "width=4")] {
            peer.text(&format!("{options}&mode={mode}&id={id}"));
            peer.send(BINARY, &png(300, 200));
        }
        let ids = [(); 2].map(|()| peer.result().0["id"].as_str().unwrap().to_owned());
        assert_eq!(ids, order, "{mode}");
    }
}

#[test]
fn steps_are_reported_and_an_image_can_be_cancelled() {
    let server = Server::start_http(&[]);
    let mut peer = Peer::open(&server, "/ws");
    peer.text(&format!("{SLOW}&progress=true&id=a"));
    peer.send(BINARY, &png(600, 400));
    for step in ["received", "processing"] {
        let told = peer.json();
        assert_eq!(
            (&told["type"], &told["id"], &told["step"]),
            (&"progress".into(), &"a".into(), &step.into())
        );
    }
    peer.text("cancel=a");
    let told = peer.json();
    assert_eq!((&told["type"], &told["id"]), (&"error".into(), &"a".into()));
    assert_eq!(told["message"], "cancelled by the client");
    peer.text("width=4");
    peer.send(BINARY, &png(60, 40));
    assert_eq!(peer.result().0["width"], 4, "the connection lives on");
}

#[test]
fn an_error_of_one_image_ends_nothing_else() {
    let server = Server::start_http(&[]);
    let mut peer = Peer::open(&server, "/ws?width=4");
    for (image, code, status) in [(&b"this is text"[..], 415, "unsupported"), (b"", 400, "bad_request")] {
        peer.send(BINARY, image);
        let told = peer.json();
        assert_eq!(
            (&told["type"], &told["status"], &told["code"]),
            (&"error".into(), &status.into(), &code.into())
        );
    }
    peer.text("wdth=9");
    let told = peer.json();
    assert!(
        told["id"].is_null() && told["message"].as_str().unwrap().contains("did you mean 'width'"),
        "{told}"
    );
    peer.send(BINARY, &png(20, 10));
    let told = peer.json();
    assert!(told["id"] == "3" && told["message"].as_str().unwrap().contains("were refused"), "{told}");
    peer.text("width=5");
    peer.send(BINARY, &png(20, 10));
    assert_eq!(peer.result().0["width"], 5);
}

#[test]
fn an_upload_gets_its_results_in_order_after_done_and_a_normal_end() {
    let server = Server::start_http(&[]);
    let mut peer = Peer::open(&server, "/upload?width=8");
    for height in [4, 8, 12] {
        peer.send(BINARY, &png(16, height));
    }
    peer.send(BINARY, b"no image");
    peer.text("done");
    for height in [2, 4, 6] {
        let (first, image) = peer.read();
        assert_eq!((first, jpeg_size(&image)), (BINARY, (8, height)));
    }
    assert_eq!(peer.json()["status"], "unsupported", "in the place of its result");
    assert_eq!(peer.close_code(), 1000);
    let log = server.stop();
    for said in ["image received", "request"] {
        assert!(log.lines().any(|line| line.contains(said) && line.contains(".3 protocol=ws")), "{log}");
    }
}

#[cfg(feature = "legacy")]
#[test]
fn base64_is_answered_by_base64_of_a_gray_jpeg_of_the_same_size() {
    let server = Server::start_http(&[]);
    let mut peer = Peer::open(&server, "/");
    let text = data_encoding::BASE64_MIME.encode(&png(31, 17));
    for text in [text.clone(), format!("data:image/png;base64,{text}")] {
        peer.text(&text);
        let (first, answer) = peer.read();
        assert_eq!(first, TEXT);
        let jpeg = data_encoding::BASE64.decode(&answer).unwrap();
        let image = image::load_from_memory(&png(31, 17)).unwrap();
        assert_eq!(jpeg_size(&jpeg), (31, 17));
        assert_eq!(image.width(), 31);
        assert!(is_gray(&jpeg));
    }
    peer.text("no base64!");
    assert_eq!(peer.json()["status"], "bad_request");
}

/// Returns true if a JPEG's frame has one component.
#[cfg(feature = "legacy")]
fn is_gray(jpeg: &[u8]) -> bool {
    let sof = jpeg.windows(2).position(|marker| matches!(marker, [0xFF, 0xC0..=0xC2])).unwrap();
    jpeg[sof + 9] == 1
}

#[test]
fn foreign_pages_are_refused_before_anything_else_and_own_pages_and_programs_are_not() {
    let server = Server::start_http(&["--cors-origin", "https://friend.example"]);
    for (origin, is_let_in) in [
        ("", true),
        ("Origin: http://localhost\r\n", true),
        ("Origin: https://friend.example\r\n", true),
        ("Origin: https://evil.example\r\n", false),
        ("Origin: null\r\n", false),
    ] {
        match Peer::open_with(&server, "/ws", origin) {
            Ok(_) => assert!(is_let_in, "{origin}"),
            Err(answer) => assert_eq!((answer.status, is_let_in), (403, false), "{origin}"),
        }
    }
    let answer = Peer::open_with(&server, "/ws?width=x", "").err().unwrap();
    assert_eq!(answer.status, 400);
    let answer = http_support::ask(&server, &http_support::get("/ws"));
    assert!(answer.status == 400 && answer.text().contains("this is a WebSocket"), "{answer:?}");
}

#[test]
fn a_token_is_shown_in_the_handshake_or_in_the_first_text() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "me:sesame\n").unwrap();
    support::make_private(&tokens);
    let server = Server::start_http(&["--token-file", tokens.to_str().unwrap(), "--header-timeout", "2s"]);
    let mut by_header =
        Peer::open_with(&server, "/ws?width=4", "Authorization: Bearer sesame\r\n").ok().unwrap();
    let mut by_text = Peer::open(&server, "/ws");
    by_text.text("token=sesame&width=4");
    for peer in [&mut by_header, &mut by_text] {
        peer.send(BINARY, &png(20, 10));
        assert_eq!(peer.result().0["width"], 4);
    }
    let wrong = Peer::open_with(&server, "/ws", "Authorization: Bearer x\r\n").err().unwrap();
    assert_eq!(wrong.status, 401);
    let mut wrong = Peer::open(&server, "/ws");
    wrong.text("token=x");
    assert_eq!(wrong.json()["code"], 401);
    assert_eq!(wrong.close_code(), 1008);
    let mut without = Peer::open(&server, "/ws");
    without.send(BINARY, &png(20, 10));
    assert_eq!(without.close_code(), 1008);
    let mut large = Peer::open(&server, "/ws");
    large.send(BINARY, &[0; 100_000]);
    assert_eq!(large.close_code(), 1009, "who is not known may not send much");
    assert_eq!(Peer::open(&server, "/ws").close_code(), 1008, "nor wait");
    let log = server.stop();
    assert!(!log.contains("sesame") && log.contains("token=me"), "{log}");
}

#[test]
fn frames_that_attack_are_answered_by_the_code_of_their_crime() {
    let server = Server::start_http(&["--max-body", "1MiB"]);
    let lie = [&[BINARY, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255][..], &[0; 4]].concat();
    let over = [&[BINARY, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 1][..], &[0; 4]].concat();
    let endless = [frame(0x02, &[0; 60_000]), frame(0x00, &[0; 60_000]).repeat(20)].concat();
    for (what, bytes, code) in [
        ("a length of 2^63-1", lie, 1009),
        ("a byte too many", over, 1009),
        ("fragments without end", endless, 1009),
        ("empty fragments without end", [frame(0x02, b""), frame(0x00, b"").repeat(500)].concat(), 1008),
        ("an unmasked frame", vec![BINARY, 1, 0], 1002),
        ("compression that was not agreed on", frame(0xC2, b"x"), 1002),
        ("a ping in fragments", frame(0x09, b"x"), 1002),
        ("a text that is none", frame(TEXT, &[0xC0, 0x80]), 1007),
        ("a flood of pings", frame(PING, b"x").repeat(1000), 1008),
        ("options without end", frame(TEXT, &[b'x'; 70_000]), 1009),
    ] {
        let mut peer = Peer::open(&server, "/ws");
        let _ = peer.0.write_all(&bytes);
        assert_eq!(peer.close_code(), code, "{what}");
    }
    let mut peer = Peer::open(&server, "/ws?width=4");
    peer.send(PING, b"there?");
    assert_eq!(peer.read(), (PONG, b"there?".to_vec()));
    peer.send(BINARY, &png(20, 10));
    assert_eq!(peer.result().0["width"], 4, "others are served");
}

/// Memory of the server in bytes; 0 where the system does not say.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() << 10
}

#[test]
fn lies_about_lengths_cost_no_memory() {
    let server = Server::start_http(&["--max-body", "32MiB"]);
    let mut announced = [&[BINARY, 0xFF][..], &(32_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    announced.push(0xFF);
    let before = resident(&server);
    let peers: Vec<Peer> = (0..100)
        .map(|_| {
            let mut peer = Peer::open(&server, "/ws");
            peer.0.write_all(&announced).unwrap();
            peer
        })
        .collect();
    let mut last = Peer::open(&server, "/ws");
    last.send(PING, b"");
    last.read();
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 48 << 20, "{} connections that announce 32 MiB took {grown} bytes", peers.len());
}

#[test]
fn a_slow_message_and_a_peer_that_never_reads_end_the_connection() {
    let server = Server::start_http(&["--stall-timeout", "1s", "--write-timeout", "1s"]);
    let mut slow = Peer::open(&server, "/ws");
    slow.0.write_all(&frame(BINARY, &png(20, 10))[..20]).unwrap();
    assert_eq!(slow.close_code(), 1008);
    let deaf = Peer::open(&server, "/ws?width=2000&format=bmp");
    let mut sender = deaf.0.try_clone().unwrap();
    let image = frame(BINARY, &png(300, 200));
    for _ in 0..100 {
        if sender.write_all(&image).is_err() {
            break;
        }
    }
    let mut log = String::new();
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(200));
        log = http_support::ask(&server, &http_support::get("/metrics")).text();
        if log.contains("imgsrv_rejected_total{reason=\"write_timeout\"} 1") {
            return;
        }
    }
    panic!("{log}");
}

#[test]
fn a_stop_finishes_what_is_in_hand_and_says_that_the_server_goes() {
    let server = Server::start_http(&[]);
    let mut idle = Peer::open(&server, "/ws");
    let mut busy = Peer::open(&server, &format!("/ws?{SLOW}&progress=true"));
    busy.send(BINARY, &png(300, 200));
    assert_eq!(busy.json()["step"], "received");
    server.signal(15);
    assert_eq!(idle.close_code(), 1001);
    while busy.json()["type"] != "report" {}
    assert_eq!(busy.close_code(), 1001);
    let (status, log) = server.wait(Duration::from_secs(30));
    assert!(status.success(), "{log}");
}

#[test]
fn a_silent_peer_is_asked_and_then_let_go() {
    let server = Server::start_http(&["--idle-timeout", "3s"]);
    let mut peer = Peer::open(&server, "/ws");
    assert_eq!(peer.read().0, PING);
    peer.send(PONG, b"");
    assert_eq!(peer.read().0, PING, "an answer is a sign of life");
    assert_eq!(peer.close_code(), 1001);
}

#[test]
fn the_longest_idle_is_evicted_at_the_limit_and_a_busy_one_is_not() {
    let server = Server::start_http(&["--max-connections", "2"]);
    let mut busy = Peer::open(&server, &format!("/ws?{SLOW}&progress=true"));
    let mut idle = Peer::open(&server, "/ws");
    busy.send(BINARY, &png(300, 200));
    assert_eq!(busy.json()["step"], "received");
    assert_eq!(http_support::ask(&server, &http_support::get("/health")).status, 200);
    assert!(support::is_closed(&mut idle.0));
    while busy.json()["type"] != "report" {}
    assert_eq!(busy.read().0, BINARY);
}

#[test]
fn the_rate_of_requests_holds_for_images() {
    let server = Server::start_http(&["--rate-requests", "1"]);
    let mut peer = Peer::open(&server, "/ws?width=4&mode=sequential");
    peer.send(BINARY, &png(20, 10));
    peer.send(BINARY, &png(20, 10));
    assert_eq!(peer.result().0["id"], "1");
    let told = peer.json();
    assert_eq!((&told["id"], &told["code"]), (&"2".into(), &429.into()));
    assert!(told["retry_after_ms"].as_u64().is_some(), "{told}");
}

#[test]
fn busy_is_said_on_the_head_of_an_image_and_the_image_is_discarded() {
    let server = Server::start_http(&["--workers", "1", "--queue", "1"]);
    let asking = http_support::fill(&server);
    let image = frame(BINARY, &png(900, 600));
    let base64 = cfg!(feature = "legacy").then_some(("/", "1"));
    for (target, id) in [("/ws?width=4&id=mine", "mine")].into_iter().chain(base64) {
        let mut peer = Peer::open(&server, target);
        peer.0.write_all(&image[..20]).unwrap();
        let told = peer.json();
        assert_eq!((&told["id"], &told["code"]), (&id.into(), &503.into()));
        assert!(told["retry_after_ms"].as_u64().is_some(), "{told}");
        peer.0.write_all(&image[20..]).unwrap();
        peer.send(PING, b"there?");
        assert_eq!(peer.read(), (PONG, b"there?".to_vec()), "the connection lives on");
    }
    drop(asking);
}

/// What the original client does: it says `done`, and closes without reading.
#[test]
fn an_upload_whose_client_closes_after_done_is_processed_and_logged_to_the_last_image() {
    const IMAGES: usize = 30;
    for half_closes in [false, true] {
        let server = Server::start_http(&[]);
        let mut peer = Peer::open(&server, "/upload?width=40&mode=sequential");
        for _ in 0..IMAGES {
            peer.send(BINARY, &png(300, 200));
        }
        peer.text("done");
        if half_closes {
            peer.send(CLOSE, &1000_u16.to_be_bytes());
        }
        drop(peer);
        let finished = || {
            let page = http_support::ask(&server, &http_support::get("/metrics")).text();
            page.contains(&format!("imgsrv_requests_total{{protocol=\"ws\",status=\"ok\"}} {IMAGES}\n"))
        };
        assert!((0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            finished()
        }));
        let log = server.stop();
        let lines = log.lines().filter(|line| line.contains("image processed"));
        let complete = lines.filter(|line| {
            line.contains("mode=sequential") && line.contains("received=2") && line.contains("processed=2")
        });
        assert_eq!(complete.count(), IMAGES, "{log}");
    }
}

#[test]
fn a_flood_of_empty_messages_is_cut_and_freezes_nothing() {
    let server = Server::start_http(&[]);
    let mut peer = Peer::open(&server, "/upload");
    let mut sender = peer.0.try_clone().unwrap();
    let flood = std::thread::spawn(move || sender.write_all(&frame(BINARY, b"").repeat(100_000)));
    assert_eq!(http_support::ask(&server, &http_support::get("/health")).status, 200);
    assert_eq!(peer.close_code(), 1008);
    let _ = flood.join().unwrap(); // cut off, or done
    let page = http_support::ask(&server, &http_support::get("/metrics")).text();
    assert!(page.contains("imgsrv_memory_reserved_bytes 0\n"), "{page}");
}

#[test]
fn results_that_wait_for_done_are_sent_after_a_while_and_a_peer_that_does_not_read_is_cut() {
    let server = Server::start_http(&["--body-timeout", "1s", "--write-timeout", "1s"]);
    let mut patient = Peer::open(&server, "/upload?width=40");
    patient.send(BINARY, &png(300, 200));
    assert_eq!(patient.read().0, BINARY, "sent without done");
    let mut deaf = Peer::open(&server, "/upload?width=3000&height=3000&format=bmp");
    deaf.send(BINARY, &png(300, 200));
    let reserved = || {
        let page = http_support::ask(&server, &http_support::get("/metrics")).text();
        let line = page.lines().find_map(|line| line.strip_prefix("imgsrv_memory_reserved_bytes "));
        line.unwrap().parse::<u64>().unwrap()
    };
    assert!((0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        reserved() > 0
    }));
    assert!((0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        reserved() == 0
    }));
}

#[cfg(unix)]
#[test]
fn a_revoked_token_is_refused_on_an_open_connection() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "me:sesame\n").unwrap();
    support::make_private(&tokens);
    let server = Server::start_http(&["--token-file", tokens.to_str().unwrap()]);
    let mut peer = Peer::open_with(&server, "/ws?width=4", "Authorization: Bearer sesame\r\n").ok().unwrap();
    peer.send(BINARY, &png(20, 10));
    assert_eq!(peer.result().0["width"], 4);
    std::fs::write(&tokens, "me:other\n").unwrap();
    server.signal(1);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        assert!(std::time::Instant::now() < until, "the old token is still taken");
        peer.send(BINARY, &png(20, 10));
        let answer = peer.json();
        if answer["type"] == "error" {
            assert_eq!(answer["code"], 401);
            break;
        }
        assert_eq!(peer.read().0, BINARY);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(peer.close_code(), 1008);
}
