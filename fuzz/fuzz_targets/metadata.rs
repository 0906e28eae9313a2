//! EXIF, ICC and comments, each as a segment of a good JPEG: the picture comes out whatever they hold.
#![no_main]

use imgsrv::codec::{Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Icc, Metadata, Spec};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static PICTURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let ppm = [b"P6 16 8 255\n".to_vec(), (0..16 * 8 * 3).map(|n| n as u8).collect()].concat();
    process(&ppm, &Spec::plain(16, 8), &Limits::default(), &mut Scratch::new()).expect("a picture").bytes
});

fn segment(marker: u8, name: &[u8], body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(60_000)];
    let len = (2 + name.len() + body.len()) as u16;
    [&[0xFF, marker][..], &len.to_be_bytes(), name, body].concat()
}

fuzz_target!(|bytes: &[u8]| {
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
        let made = process(&file, &spec, &Limits::default(), &mut Scratch::new()).expect("the picture is good");
        assert_eq!(u64::from(made.width) * u64::from(made.height), 16 * 8);
    }
});
