//! What one caller may do: rates, presets, and the metrics that count it.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use support::{Server, extended, png, read_extended, send};

fn told(server: &Server, options: &str) -> String {
    let mut socket = server.connect();
    send(&mut socket, &extended(&png(100, 100), 0, 0, options));
    read_extended(&mut socket).1
}

#[test]
fn requests_over_the_rate_are_busy_with_a_hint() {
    let server = Server::start(&["--rate-requests=3"]);
    let reports: Vec<_> = (0..8).map(|_| told(&server, "width=9")).collect();
    assert!(reports[..3].iter().all(|report| report.contains("status=ok")), "{reports:?}");
    let over = reports.iter().find(|report| report.contains("status=busy")).expect("one is over the rate");
    assert!(over.contains("retry_after_ms="), "{over}");
}

#[test]
fn pixels_over_the_rate_are_busy() {
    let server = Server::start(&["--rate-megapixels=8"]);
    let mut socket = server.connect();
    send(&mut socket, &extended(&png(1000, 900), 0, 0, "width=9"));
    assert!(read_extended(&mut socket).1.contains("status=ok"));
    send(&mut socket, &extended(&png(1000, 900), 0, 0, "width=9"));
    assert!(read_extended(&mut socket).1.contains("status=busy"));
    send(&mut socket, &extended(&png(10, 10), 0, 0, "width=9"));
    assert!(read_extended(&mut socket).1.contains("status=ok"), "the connection goes on");
}

#[test]
fn a_body_for_which_memory_runs_out_half_way_is_busy_and_the_next_request_is_read_where_it_begins() {
    let server = Server::start(&["--total-memory=1MiB"]);
    let mut socket = server.connect();
    let image = vec![7; 3 << 20];
    for _ in 0..2 {
        send(&mut socket, &extended(&image, 0, 0, "width=9"));
        assert!(read_extended(&mut socket).1.contains("status=busy"));
        send(&mut socket, &extended(&png(10, 10), 0, 0, "width=9"));
        assert!(read_extended(&mut socket).1.contains("status=ok"), "the connection goes on");
    }
}

#[test]
fn presets_come_from_the_file_and_may_be_all_there_is() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[preset.thumb]\nwidth = 20\nheight = 10\nformat = \"png\"\n").unwrap();
    let config = format!("--config={}", file.path().display());
    let server = Server::start(&[&config]);
    let report = told(&server, "preset=thumb&height=30");
    assert!(report.contains("width=20&height=30&format=png"), "{report}");
    assert!(told(&server, "preset=thum").contains("status=bad_request"));

    let server = Server::start(&[&config, "--only-presets"]);
    assert!(told(&server, "preset=thumb").contains("status=ok"));
    for refused in ["", "width=20", "preset=thumb&width=20"] {
        assert!(told(&server, refused).contains("status=bad_request"), "{refused}");
    }
}
