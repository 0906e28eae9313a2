//! What must hold of this door's parsers for any bytes. They are private, so `fuzz/` and its test come here.

pub use crate::http::legacy::xmlrpc::fuzzing::xmlrpc;
pub use crate::http::ws::fuzzing::websocket;

use crate::http::{aliases, form, multipart};
use crate::service::policy::RequestPolicy;

/// A Content-Type, a zero byte, a body: a form's parts lie within it one after the other, and its picture and
/// fields are what is in them.
pub fn multipart(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|b| *b == 0) else { return };
    let (content_type, body) = (&bytes[..end], &bytes[end + 1..]);
    let Ok(content_type) = str::from_utf8(content_type) else { return };
    let Some(Ok(boundary)) = multipart::boundary(content_type) else { return };
    let Ok(parts) = multipart::parts(body, boundary) else { return };
    let delimiter = format!("\r\n--{boundary}");
    let mut before = 0;
    for part in &parts {
        assert!(before < part.content.start && part.content.start <= part.content.end);
        let content = &body[part.content.clone()];
        assert!(memchr::memmem::find(content, delimiter.as_bytes()).is_none(), "a part is one part");
        assert!(body[part.content.end..].starts_with(delimiter.as_bytes()) || content.is_empty());
        before = part.content.end;
    }
    let Ok((image, fields)) = form::picked(body.to_vec(), boundary) else { return };
    assert_eq!(fields.len(), parts.len() - 1);
    assert!(parts.iter().any(|part| body[part.content.clone()] == image));
    if let Ok(pairs) = aliases::translated(fields) {
        let _ = RequestPolicy::default().parse_pairs(pairs);
    }
}
