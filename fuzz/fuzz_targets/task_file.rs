#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| imgsrv::internals::tasks::fuzzing::task_file(bytes));
