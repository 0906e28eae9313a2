//! A result as a response: the image, and its report as headers.

use crate::engine::{JobOutput, Reservation};
use crate::format::Format;
use crate::http::{RecordedReply, RequestContext};
use crate::report::Report;
use crate::status::Status;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, VARY};
use axum::response::Response;

/// A processed image as a response.
pub(crate) fn image(context: &RequestContext, done: JobOutput, tag: &str, varies: bool) -> Response {
    let report = done.report();
    respond(context, report, held(done.encoded.bytes, done.memory), tag, varies)
}

/// The stored result of a task as a response.
pub(crate) fn stored(
    context: &RequestContext,
    report: Report,
    bytes: Vec<u8>,
    memory: Reservation,
    tag: &str,
) -> Response {
    respond(context, report, held(bytes, memory), tag, false)
}

fn respond(context: &RequestContext, report: Report, bytes: Bytes, tag: &str, varies: bool) -> Response {
    let report = Report { id: Some(context.id().to_owned()), ..report };
    let mut headers = HeaderMap::with_capacity(16);
    describe(&mut headers, &report, bytes.len());
    let mime = report.format.map_or("application/octet-stream", Format::mime);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    identify(&mut headers, tag, varies);
    let record = RecordedReply { report, bytes: bytes.len() };
    let mut response = Response::new(Body::from(bytes));
    *response.headers_mut() = headers;
    response.extensions_mut().insert(record);
    response
}

/// Tells the client that it has the result: no work was done.
pub(super) fn not_modified(
    context: &RequestContext,
    source_bytes: usize,
    tag: &str,
    varies: bool,
) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    identify(response.headers_mut(), tag, varies);
    let id = Some(context.id().to_owned());
    let report = Report { id, source_bytes: Some(source_bytes as u64), ..Report::new(Status::Ok) };
    response.extensions_mut().insert(RecordedReply { report, bytes: 0 });
    response
}

/// A JSON object as a response.
pub(crate) fn json(value: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string() + "\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn identify(headers: &mut HeaderMap, tag: &str, varies: bool) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    if varies {
        headers.insert(VARY, HeaderValue::from_static("Accept"));
    }
}

/// Bytes to be sent, whose memory is released once they are.
pub(super) fn held(bytes: Vec<u8>, memory: Reservation) -> Bytes {
    Bytes::from_owner(HeldBytes { bytes, _memory: memory })
}

/// Bytes and the memory that they hold.
struct HeldBytes {
    bytes: Vec<u8>,
    _memory: Reservation,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Puts a report into headers.
fn describe(headers: &mut HeaderMap, report: &Report, length: usize) {
    let mut put = |name: &'static str, value: Option<String>| {
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    fn text(value: Option<impl ToString>) -> Option<String> {
        value.map(|value| value.to_string())
    }
    put("x-origin-width", text(report.source_width));
    put("x-origin-height", text(report.source_height));
    put("x-origin-format", text(report.source_format));
    put("x-origin-bytes", text(report.source_bytes));
    put("x-result-bytes", Some(length.to_string()));
    put("x-result-width", text(report.width));
    put("x-result-height", text(report.height));
    put("x-result-format", text(report.format));
    put("x-result-quality", text(report.quality));
    put("x-result-tries", text(report.tries));
    put("x-result-score", report.score.map(|score| format!("{score:.2}")));
    put("x-result-warnings", (!report.warnings.is_empty()).then(|| report.warnings.join(",")));
    put("server-timing", Some(timing(report)));
}

fn timing(report: &Report) -> String {
    let stages = [
        ("queue", report.queue_us),
        ("decode", report.decode_us),
        ("resize", report.resize_us),
        ("encode", report.encode_us),
    ];
    let known = stages.into_iter().filter_map(|(name, us)| Some((name, us? as f64 / 1e3)));
    known.map(|(name, ms)| format!("{name};dur={ms:.2}")).collect::<Vec<_>>().join(", ")
}
