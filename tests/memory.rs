//! What the server's memory peaks at over its idle size for large JPEG pictures. Linux only; ignored by default, as
//! making a picture of 200 megapixels takes a minute: `cargo test --release --test memory -- --ignored --nocapture`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use imgsrv::internals::codec::jpeg::encode::{Coding, EncodeOptions, Encoder};
use imgsrv::internals::codec::jpeg::planes::{Planes, Sampling};
use std::io::Write;
use std::time::Duration;
use support::Server;

/// A 4:2:0 file of gentle waves and a little texture: a sixth of a bit to half a bit a pixel.
fn picture(width: usize, height: usize, coding: Coding) -> Vec<u8> {
    let mut planes = Planes::new(width, height, Sampling::S420).unwrap();
    for plane in planes.planes_mut() {
        let stride = plane.stride();
        for (y, row) in plane.samples_mut().chunks_exact_mut(stride).enumerate() {
            for (x, sample) in row.iter_mut().enumerate() {
                let texture = if (x / 64 + y / 64) % 7 == 0 { (x * y) >> 3 & 15 } else { 0 };
                *sample = (64 + ((x >> 6) + (y >> 5)) % 128 + texture) as u8;
            }
        }
    }
    Encoder::default().encode(&planes, &EncodeOptions { coding, ..EncodeOptions::default() }).unwrap()
}

/// A line of `/proc/PID/status`, in MiB.
fn status_mib(server: &Server, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1024
}

/// The most that one request for 800x600 adds to an idle server, in MiB, the file itself included.
fn peak_over_idle(file: &[u8]) -> u64 {
    let limits = ["--max-pixels", "210000000", "--request-timeout", "60", "--workers", "1"];
    let server = Server::start(&limits);
    let idle = status_mib(&server, "VmRSS:");
    let mut socket = server.connect();
    socket.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    socket.write_all(&support::plain(file, 800, 600)).unwrap();
    let size = support::read_u32(&mut socket);
    assert!(size > 0, "the server refused");
    let result = support::read_bytes(&mut socket, size);
    assert!(result.starts_with(&[0xFF, 0xD8]));
    let over = status_mib(&server, "VmHWM:") - idle;
    println!("{} MiB over idle for a file of {} MiB", over, file.len() >> 20);
    over
}

#[test]
#[ignore = "makes a picture of 200 megapixels"]
fn a_sequential_picture_of_200_megapixels_takes_at_most_48_mib() {
    assert!(peak_over_idle(&picture(16_000, 12_500, Coding::Fixed)) <= 48);
}

#[test]
#[ignore = "makes a picture of 24 megapixels"]
fn a_progressive_picture_of_24_megapixels_takes_at_most_64_mib() {
    assert!(peak_over_idle(&picture(4_000, 6_000, Coding::Progressive)) <= 64);
}

#[test]
#[ignore = "with the others"]
fn a_progressive_photo_of_24_megapixels_takes_at_most_64_mib() {
    let shared =
        std::env::var("TEST_SHARED").unwrap_or_else(|_| format!("{}/../shared", env!("CARGO_MANIFEST_DIR")));
    let Ok(file) = std::fs::read(format!("{shared}/photos/progressive_4000x6000.jpg")) else {
        return support::skip(&format!("no progressive_4000x6000.jpg in {shared}/photos"));
    };
    assert!(peak_over_idle(&file) <= 64);
}
