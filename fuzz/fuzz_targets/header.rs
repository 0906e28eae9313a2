//! A whole request and a whole reply off the wire: any bytes are read or refused, and memory follows the
//! bytes that are there.
#![no_main]

use imgsrv::wire::{self, Form, Incoming, WireError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = bytes;
    while let Ok(Incoming::Request(header, raw)) = wire::read_header(&mut reader) {
        assert_eq!(header.encode(), raw);
        if header.form == Form::Extended && wire::read_options(&mut reader).is_err() {
            break;
        }
        let there = reader.len();
        let body = wire::read_body(&mut reader, header.body_len, |room| {
            assert!(room <= (2 * there).max(16 << 10), "memory for bytes that did not come");
            Ok::<_, WireError>(())
        });
        if body.is_err() {
            break;
        }
    }
    let _ = wire::read_plain(&mut &bytes[..], 1 << 20);
    let _ = wire::read_extended(&mut &bytes[..], 1 << 20);
});
