//! The whole way: options, a zero byte, a picture.
#![no_main]

use imgsrv::codec::{Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(end) = bytes.iter().position(|b| *b == 0) else { return };
    let Ok(options) = Options::parse(&bytes[..end], &Spec::default()) else { return };
    let limits = Limits {
        max_pixels: 1 << 16,
        max_out_pixels: 1 << 16,
        max_out_side: 512,
        request_memory: 64 << 20,
        ..Limits::default()
    };
    let _ = process(&bytes[end + 1..], &options.spec, &limits, &mut Scratch::new());
});
