//! Headers of pictures, at the caps of the server: cheap, and never more than what the limits say.
#![no_main]

use imgsrv::codec;
use imgsrv::limits::Limits;
use imgsrv::spec::Spec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(plan) = codec::plan(bytes, &Spec::plain(100, 100), &limits) {
        assert!(plan.source.upright().pixels() <= limits.max_pixels);
        assert!(plan.memory <= limits.request_memory);
    }
});
