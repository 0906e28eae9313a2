//! Headers of pictures, at the caps of the server: cheap, and never more than what the limits say.
#![no_main]

use imgsrv::codec;
use imgsrv::limits::Limits;
use imgsrv::spec::Spec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(probe) = codec::probe(bytes, &limits) {
        assert!(probe.upright().pixels() <= limits.max_pixels);
        let _ = codec::estimate(&probe, &Spec::plain(100, 100), &limits);
    }
});
