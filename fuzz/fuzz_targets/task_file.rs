#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| imgsrv::jobs::fuzzing::task_file(bytes));
