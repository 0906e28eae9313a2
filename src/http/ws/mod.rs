//! WebSocket (RFC 6455, without extensions): many images over one connection, at `/ws`, `/upload` and `/`.
//!
//! ```text
//! handshake (origin, token) -> session: reader (frames, limits, deadlines) -> image (engine) -> writer
//! ```
//! A session is one task. It reads the next message while images are processed, and stops reading while it holds one for
//! which the connection has no share left, so that TCP slows the peer down.
//!
//! The framing is our own because no kept crate (tungstenite, fastwebsockets, soketto) lets memory be counted as the bytes
//! of a frame arrive: each allocates what a frame announces.

mod close_reason; // CloseReason: why a conversation ended.
mod command; // Command: texts of the peer.
mod endpoint; // Endpoint: /ws, /upload, /, and their limits.
mod frame; // heads of frames, and the mask.
#[cfg(any(fuzzing, debug_assertions))] // not in a release build
pub(super) mod fuzzing; // invariants of the reader.
mod image; // one image on its way through the engine.
mod reader; // MessageReader: messages from the peer, under limits.
mod session; // Session: one connection's images and answers.
mod writer; // MessageWriter: messages to the peer.

use crate::http::HttpState;
use crate::http::connection::UpgradeContext;
use crate::http::extract::{bearer, context};
use crate::service::RequestError;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use axum::http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use axum::http::{StatusCode, Version};
use axum::response::Response;
use endpoint::Endpoint;
use hyper_util::rt::TokioIo;
use session::Session;
use sha1::{Digest, Sha1};
use std::sync::Arc;

/// Suffix of a key before it is hashed, by RFC 6455.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `/ws`: texts of options, images, reports and results.
pub(super) async fn images(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, RequestError> {
    open(state, request, Endpoint::Images)
}

/// `/upload`: images and the text `done`, then the results.
pub(super) async fn upload(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, RequestError> {
    open(state, request, Endpoint::Upload)
}

/// `/`: base64 in, base64 of a grayscale JPEG out.
#[cfg(feature = "legacy")]
pub(super) async fn gray(
    State(state): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, RequestError> {
    open(state, request, Endpoint::Gray)
}

/// Returns true if a request asks for a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    lists(headers, UPGRADE, "websocket") && lists(headers, CONNECTION, "upgrade")
}

/// Shakes hands. A refusal is an answer of HTTP.
fn open(state: Arc<HttpState>, mut request: Request, endpoint: Endpoint) -> Result<Response, RequestError> {
    let context = context(request.extensions())?;
    state.settings.origins.check(&request, context.peer.transport)?;
    let accept = accept(&request)?;
    let caller = match bearer(request.headers()) {
        None if state.service.needs_token() => None, // pages cannot set headers: the first text has the token
        token => Some(state.service.connect(context.peer, token)?),
    };
    if let Some(caller) = &caller {
        context.set_token(caller);
    }
    let policy = &*state.service.settings().policy.current();
    let first_request = match (endpoint, request.uri().query()) {
        #[cfg(feature = "legacy")]
        (Endpoint::Gray, _) => crate::http::legacy::gray::spec(policy)
            .map(|spec| command::ImageRequest { spec, ..Default::default() })
            .map_err(RequestError::from),
        (_, Some(query)) => Ok(command::options(policy, command::query(query)?)?),
        (_, None) => command::options(policy, Vec::new()),
    };
    let connection = request.extensions_mut().remove::<UpgradeContext>();
    let connection =
        connection.ok_or_else(|| RequestError::Malformed("this connection cannot be upgraded".into()))?;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(io) => {
                connection.upgrade();
                let io = TokioIo::new(io);
                Session::new(state, context, connection, io, endpoint, first_request, caller).run().await;
            }
            Err(error) => log::debug!(peer:% = context.peer.address; "the upgrade failed: {error}"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// The answer to the key of a handshake.
fn accept(request: &Request) -> Result<HeaderValue, RequestError> {
    let refused = |what: &str| RequestError::Malformed(what.into());
    let headers = request.headers();
    if request.version() != Version::HTTP_11 || !is_upgrade(headers) {
        return Err(refused(
            "this is a WebSocket: ask by HTTP/1.1 with 'Connection: Upgrade' and 'Upgrade: websocket'",
        ));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(refused("only version 13 of WebSocket is supported"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    let key = key.ok_or_else(|| refused("the handshake has no usable Sec-WebSocket-Key"))?;
    let hash = Sha1::new().chain_update(key.as_bytes()).chain_update(KEY_SUFFIX).finalize();
    let accept = data_encoding::BASE64.encode(&hash);
    HeaderValue::try_from(accept).map_err(|_| refused("the handshake has no usable Sec-WebSocket-Key"))
}

/// Returns true if a header has a word in its lists.
fn lists(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(headers: &[(&str, &str)]) -> Request {
        let request = Request::builder().uri("/ws");
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(Body::empty())
            .unwrap()
    }

    #[test]
    fn the_key_of_the_standard_has_the_answer_of_the_standard() {
        let headers = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert_eq!(accept(&handshake(&headers)).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for missing in 0..headers.len() {
            let rest: Vec<_> =
                headers.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, h)| *h).collect();
            assert!(accept(&handshake(&rest)).is_err(), "without {:?}", headers[missing]);
        }
    }
}
