//! Every decoder: a small picture comes out, or an error, and the same one twice.
#![no_main]

use imgsrv::codec::{Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::Spec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_pixels: 1 << 20, request_memory: 64 << 20, ..Limits::default() };
    let once = || process(bytes, &Spec::plain(16, 16), &limits, &mut Scratch::new());
    match (once(), once()) {
        (Ok(first), Ok(second)) => assert_eq!(first.bytes, second.bytes, "the same file, other bytes"),
        (Err(_), Err(_)) => {}
        (first, second) => panic!("the same file, once {first:?}, once {second:?}"),
    }
});
