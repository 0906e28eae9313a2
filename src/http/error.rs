//! `RequestError` over HTTP: the JSON object and the headers that a caller gets.

use crate::service::RequestError;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

fn status_code(error: &RequestError) -> StatusCode {
    StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The JSON object of an error, for the request of this id.
pub(crate) fn to_json(error: &RequestError, id: &str) -> Value {
    let mut body = json!({
        "status": error.status().word(), "code": error.http_status(), "message": error.to_string(), "id": id,
    });
    if let Some(time) = error.retry_after() {
        body["retry_after_ms"] = json!(time.as_millis() as u64);
    }
    body
}

/// The whole answer to the request of this id.
pub(super) fn answer(error: &RequestError, id: &str) -> Response {
    let mut response = Response::new(Body::from(to_json(error, id).to_string() + "\n"));
    *response.status_mut() = status_code(error);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(time) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(time.as_millis().div_ceil(1000).max(1) as u64));
    }
    if status_code(error) == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"imgsrv\""));
    }
    response
}

/// The same as bytes of HTTP/1.1, for a connection that gets no slot and so never reaches hyper.
pub(super) fn to_http1(error: &RequestError, id: &str) -> Vec<u8> {
    let body = to_json(error, id).to_string() + "\n";
    let (status, length) = (status_code(error), body.len());
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nx-request-id: {id}\r\nconnection: close\r\n"
    )
    .into_bytes();
    for (name, value) in answer(error, id).headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body.as_bytes());
    bytes
}

/// The error of a handler travels as an extension: `request` writes the answer, where the id is known.
impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status_code(&self);
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
