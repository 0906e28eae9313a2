//! XML-RPC and the base64 WebSocket, for the first clients.

pub(super) mod base64; // base64 in every usual form.
pub(super) mod gray; // GrayJpeg: the request of both protocols.
pub(super) mod xmlrpc; // XML-RPC: /RPC2, /.

use crate::http::handlers::page;
use crate::http::{HttpState, ws};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `GET /`: the page, or the base64 WebSocket for a client that asks for an upgrade.
pub(super) async fn root(state: State<Arc<HttpState>>, request: Request) -> Response {
    match ws::is_upgrade(request.headers()) {
        true => ws::gray(state, request).await.into_response(),
        false => page::home(request.headers().clone()).await,
    }
}
