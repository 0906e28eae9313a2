//! `/health`, `/ready` and `/metrics`, which answer when the pool and the queue are full.

use crate::http::{Admitted, HttpState};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use std::sync::Arc;

const NOT_KEPT: (axum::http::HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// The process lives.
pub(super) async fn health() -> impl IntoResponse {
    ([NOT_KEPT], "ok\n")
}

/// Whether more work is taken.
pub(super) async fn ready(State(door): State<Arc<HttpState>>) -> impl IntoResponse {
    let (status, text) = match door.service.readiness() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    };
    (status, [NOT_KEPT], text)
}

/// What is counted, in Prometheus' text. For those who may ask, where tokens are in use.
pub(super) async fn metrics(State(door): State<Arc<HttpState>>, _: Admitted) -> impl IntoResponse {
    let text = door.engine.metrics().render(door.engine.load());
    ([NOT_KEPT, (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
