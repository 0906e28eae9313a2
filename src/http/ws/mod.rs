//! WebSocket (RFC 6455, without extensions): many images over one connection, at `/ws`, `/upload` and `/`.
//!
//! ```text
//! handshake (origin, token) -> session: channel (frames, limits, deadlines) -> picture (engine) -> channel
//! ```
//! A session is one task. It reads the next message while pictures are worked on, and stops reading when it
//! holds one for which the connection has no share left, so that TCP slows the peer down.

mod ask; // what a text asks for.
mod channel; // Channel: messages to and from one peer, under limits.
mod ended; // why a conversation is over.
mod frame; // the heads of frames, and the mask.
#[cfg(any(fuzzing, debug_assertions))] // not in a release build
pub(super) mod fuzzing; // invariants of the frames of a peer.
mod manner; // Manner: what a connection is for.
mod picture; // one image on its way through the engine.
mod session; // Session: one connection's images and answers.

use crate::http::admitted::{bearer, call, identify};
use crate::http::connection::UpgradeContext;
use crate::http::legacy::gray;
use crate::http::{Failure, HttpState};
use ask::Asked;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use axum::http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use axum::http::{StatusCode, Version};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use manner::Manner;
use session::Session;
use sha1::{Digest, Sha1};
use std::sync::Arc;

/// What RFC 6455 appends to a key before it is hashed.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// `/ws`: texts of options, images, reports and results.
pub(super) async fn pictures(
    State(door): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Failure> {
    open(door, request, Manner::Pictures)
}

/// `/upload`: images and the text `done`, then the results.
pub(super) async fn upload(
    State(door): State<Arc<HttpState>>,
    request: Request,
) -> Result<Response, Failure> {
    open(door, request, Manner::Upload)
}

/// `/`: base64 in, base64 of a grayscale JPEG out.
pub(super) async fn gray(State(door): State<Arc<HttpState>>, request: Request) -> Result<Response, Failure> {
    open(door, request, Manner::Gray)
}

/// Whether a request wants to become a WebSocket.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    lists(headers, UPGRADE, "websocket") && lists(headers, CONNECTION, "upgrade")
}

/// The handshake. What is refused here is refused as HTTP.
fn open(door: Arc<HttpState>, mut request: Request, manner: Manner) -> Result<Response, Failure> {
    let call = call(request.extensions())?;
    if !door.settings.origins.may_ask(&request) {
        return Err(Failure::ForeignOrigin);
    }
    let accept = accept(&request)?;
    let offer = &door.settings.door.policy;
    let asked = match (manner, request.uri().query()) {
        (Manner::Gray, _) => gray::spec(offer).map(Asked::for_spec).map_err(Failure::from),
        (_, Some(query)) => Ok(ask::options(offer, ask::query(query)?)?),
        (_, None) => ask::options(offer, Vec::new()),
    };
    let caller = match bearer(request.headers()) {
        None if door.service.needs_token() => None, // a page cannot set a header: its first text has the token
        token => Some(identify(&door, &call, token)?),
    };
    let context = request.extensions_mut().remove::<UpgradeContext>();
    let context = context.ok_or_else(|| Failure::BadRequest("this connection cannot be upgraded".into()))?;
    let upgrade = hyper::upgrade::on(&mut request);
    context.upgrade();
    tokio::spawn(async move {
        match upgrade.await {
            Ok(io) => Session::new(door, call, context, TokioIo::new(io), manner, asked, caller).run().await,
            Err(error) => log::debug!(peer:% = call.peer; "no WebSocket after all: {error}"),
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
fn accept(request: &Request) -> Result<HeaderValue, Failure> {
    let refused = |what: &str| Failure::BadRequest(what.into());
    let headers = request.headers();
    if request.version() != Version::HTTP_11 || !is_asked(headers) {
        return Err(refused(
            "this is a WebSocket: ask by HTTP/1.1 with 'Connection: Upgrade' and 'Upgrade: websocket'",
        ));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(refused("only version 13 of WebSocket is known here"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    let key = key.ok_or_else(|| refused("the handshake has no usable Sec-WebSocket-Key"))?;
    let hash = Sha1::new().chain_update(key.as_bytes()).chain_update(KEY_SUFFIX).finalize();
    let accept = data_encoding::BASE64.encode(&hash);
    HeaderValue::try_from(accept).map_err(|_| refused("the handshake has no usable Sec-WebSocket-Key"))
}

/// Whether a header has a word in its lists.
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
