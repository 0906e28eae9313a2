//! The invariants that hold for any bytes: one function a fuzz target. `tests/fuzz_seeds.rs` runs them too, over the seeds.

use imgsrv::codec::{self, Scratch, process};
use imgsrv::internals::codec::jpeg::decode::PredictivePicture;
use imgsrv::internals::codec::jpeg::reduce::eight_bit_file;
use imgsrv::internals::service::auth::Tokens;
use imgsrv::internals::wire::{self, Form, FramePart, Incoming};
use imgsrv::limits::Limits;
use imgsrv::report::Report;
use imgsrv::spec::{Icc, Metadata, Options, Spec};
use std::sync::LazyLock;

pub(crate) mod jpeg_planes;

/// A target's name and its check.
pub(crate) type Check = (&'static str, fn(&[u8]));

/// All targets.
pub(crate) const CHECKS: &[Check] = &[
    ("header", header),
    ("options", options),
    ("probe", probe),
    ("decode", decode),
    ("jpeg_paths", jpeg_paths),
    ("metadata", metadata),
    ("whole", whole),
    #[cfg(feature = "http")]
    ("websocket", imgsrv::internals::http::fuzzing::websocket),
    #[cfg(feature = "http")]
    ("multipart", imgsrv::internals::http::fuzzing::multipart),
    #[cfg(feature = "legacy")]
    ("xmlrpc", imgsrv::internals::http::fuzzing::xmlrpc),
    #[cfg(feature = "http")]
    ("task_file", imgsrv::internals::tasks::fuzzing::task_file),
];

/// Limits of one megapixel and 64 MiB, which reach all code at a high rate.
pub(crate) fn small() -> Limits {
    Limits { max_pixels: 1 << 20, request_memory: 64 << 20, ..Limits::default() }
}

/// Requests and replies of the TCP protocol: bytes are read or refused, and memory follows the bytes that exist.
pub(crate) fn header(bytes: &[u8]) {
    let mut reader = bytes;
    while let Ok(Incoming::Request(header, raw)) = wire::read_header(&mut reader) {
        assert_eq!(header.encode(), raw);
        if header.form == Form::Extended && wire::read_options(&mut reader).is_err() {
            break;
        }
        let there = reader.len();
        match wire::read_body(&mut reader, header.body_len, FramePart::Image) {
            Ok(body) => {
                assert!(body.capacity() <= (2 * there).max(16 << 10), "memory for bytes that did not come")
            }
            Err(_) => break,
        }
    }
    let _ = wire::read_plain(&mut &bytes[..], 1 << 20);
    let _ = wire::read_extended(&mut &bytes[..], 1 << 20);
}

/// Options of a request: bytes are a spec or an error, and the canonical form of a spec reads back as itself.
pub(crate) fn options(bytes: &[u8]) {
    if let Ok(options) = Options::parse(bytes, &Spec::default()) {
        let canonical = options.spec.canonical();
        let again = Options::parse(canonical.as_bytes(), &Spec::default());
        assert_eq!(again.map(|again| again.spec), Ok(options.spec), "{canonical}");
    }
    if let Ok(report) = Report::decode(bytes) {
        let _ = Report::decode(report.encode().as_bytes());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Tokens::parse(text);
    }
}

/// Headers of pictures at the limits of the server: a plan never exceeds them.
pub(crate) fn probe(bytes: &[u8]) {
    let limits = Limits::default();
    if let Ok(plan) = codec::plan(bytes, &Spec::plain(100, 100), &limits) {
        assert!(plan.source.upright().pixels() <= limits.max_pixels);
        assert!(plan.memory <= limits.request_memory);
    }
    let _ = codec::inspect(bytes, &limits);
}

/// Every decoder: a small picture or an error results, and the same one twice.
pub(crate) fn decode(bytes: &[u8]) {
    let once = || process(bytes, &Spec::plain(16, 16), &small(), &mut Scratch::new());
    match (once(), once()) {
        (Ok(first), Ok(second)) => assert_eq!(first.bytes, second.bytes, "the same file, other bytes"),
        (Err(_), Err(_)) => {}
        (first, second) => panic!("the same file, once {first:?}, once {second:?}"),
    }
}

/// JPEG by our decoder and by another: files that both accept have the same samples.
pub(crate) fn jpeg_paths(bytes: &[u8]) {
    let _ = jpeg_planes::compare(bytes, &small());
    let _ = PredictivePicture::decode(bytes, &small());
    let _ = eight_bit_file(bytes, &small());
}

static PICTURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let ppm = [b"P6 16 8 255\n".to_vec(), (0..16 * 8 * 3).map(|n| n as u8).collect()].concat();
    process(&ppm, &Spec::plain(16, 8), &Limits::default(), &mut Scratch::new()).expect("a picture").bytes
});

fn segment(marker: u8, name: &[u8], body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(60_000)];
    let len = (2 + name.len() + body.len()) as u16;
    [&[0xFF, marker][..], &len.to_be_bytes(), name, body].concat()
}

/// EXIF, ICC, XMP and IPTC, each as a segment of a sound JPEG: the picture is decoded for any contents.
pub(crate) fn metadata(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    let segment = match kind % 4 {
        0 => segment(0xE1, b"Exif\0\0", body),
        1 => segment(0xE2, b"ICC_PROFILE\0\x01\x01", body),
        2 => segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0", body),
        _ => segment(0xED, b"Photoshop 3.0\0", body),
    };
    let file = [&PICTURE[..2], &segment, &PICTURE[2..]].concat();
    for (metadata, icc) in [(Metadata::Copyright, Icc::Srgb), (Metadata::Keep, Icc::Keep)] {
        let spec = Spec { metadata, icc, passthrough: false, ..Spec::default() };
        let made =
            process(&file, &spec, &Limits::default(), &mut Scratch::new()).expect("the picture is good");
        assert_eq!(u64::from(made.width) * u64::from(made.height), 16 * 8);
    }
}

/// A complete request: options, a zero byte, a picture.
pub(crate) fn whole(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|b| *b == 0) else { return };
    let Ok(options) = Options::parse(&bytes[..end], &Spec::default()) else { return };
    let limits = Limits { max_pixels: 1 << 16, max_out_pixels: 1 << 16, max_out_side: 512, ..small() };
    let _ = process(&bytes[end + 1..], &options.spec, &limits, &mut Scratch::new());
}
