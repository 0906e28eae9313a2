#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| imgsrv::internals::http::fuzzing::multipart(bytes));
