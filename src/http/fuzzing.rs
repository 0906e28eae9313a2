//! Invariants of the parsers of HTTP, for `fuzz/` and the unit test below.

#[cfg(feature = "legacy")]
pub use crate::http::legacy::xmlrpc::fuzzing::xmlrpc;
pub use crate::http::ws::fuzzing::websocket;

use crate::http::form::{self, FormParts};
use crate::http::imaginary;
use crate::service::policy::RequestPolicy;
use axum::body::Bytes;
use futures_util::stream;

/// Checks nothing: this build has no XML-RPC.
#[cfg(not(feature = "legacy"))]
pub fn xmlrpc(_: &[u8]) {}

/// Reads a Content-Type, a zero byte and a form: its image and fields lie within the body, and are the same in pieces.
#[expect(clippy::expect_used, reason = "a fuzzer may")]
pub fn multipart(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|b| *b == 0) else { return };
    let (content_type, body) = (&bytes[..end], &bytes[end + 1..]);
    let Ok(content_type) = str::from_utf8(content_type) else { return };
    let Ok(boundary) = multer::parse_boundary(content_type) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without threads");
    let parts_in = |size: usize| {
        let chunks: Vec<_> = body.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        runtime.block_on(form::read_parts(stream::iter(chunks), boundary.clone())).ok()
    };
    let (whole, in_pieces) = (parts_in(body.len().max(1)), parts_in(7));
    assert_eq!(whole.is_some(), in_pieces.is_some());
    let Some((FormParts { image, fields }, in_pieces)) = whole.zip(in_pieces) else { return };
    assert_eq!((&image, &fields), (&in_pieces.image, &in_pieces.fields));
    assert!(memchr::memmem::find(body, &image).is_some());
    assert!(fields.iter().all(|(_, value)| memchr::memmem::find(body, value.as_bytes()).is_some()));
    let _ = imaginary::parse(&RequestPolicy::default(), fields);
}
