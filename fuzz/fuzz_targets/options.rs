//! Options of a request: any bytes are a spec or an error, and a spec's canonical form reads back as itself.
#![no_main]

use imgsrv::auth::Tokens;
use imgsrv::report::Report;
use imgsrv::spec::{Options, Spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(options) = Options::parse(bytes, &Spec::default()) {
        let canonical = options.spec.canonical();
        let again = Options::parse(canonical.as_bytes(), &Spec::default());
        assert_eq!(again.map(|again| again.spec), Ok(options.spec), "{canonical}");
    }
    if let Ok(report) = Report::decode(bytes) {
        let _ = Report::decode(report.encode().as_bytes());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Tokens::parse(text);
    }
});
