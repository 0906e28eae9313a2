//! JPEG on our own path against another decoder: what that one reads to the end, ours reads too.
#![no_main]

use imgsrv::codec::{Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Rotate, Spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if !bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return;
    }
    let limits = Limits { max_pixels: 1 << 20, request_memory: 64 << 20, ..Limits::default() };
    let spec = Spec { rotate: Rotate::None, passthrough: false, ..Spec::default() };
    let ours = process(bytes, &spec, &limits, &mut Scratch::new());
    let mut theirs = jpeg_decoder::Decoder::new(bytes);
    theirs.set_max_decoding_buffer_size(16 << 20);
    if theirs.read_info().is_err() {
        return;
    }
    let Some(info) = theirs.info() else { return };
    if u64::from(info.width) * u64::from(info.height) > 1 << 20 {
        return;
    }
    if let (Ok(_), Ok(ours)) = (theirs.decode(), &ours) {
        assert_eq!((ours.width, ours.height), (info.width.into(), info.height.into()));
    }
});
