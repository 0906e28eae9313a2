//! `/health`, `/ready` and `/metrics`, which answer when workers and queue are full.

use crate::http::HttpState;
use crate::service::AuthenticatedCaller;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;
use std::sync::Arc;

const NO_STORE: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// Says that the process lives.
pub(in crate::http) async fn health() -> impl IntoResponse {
    ([NO_STORE], "ok\n")
}

/// Says whether more work is taken.
pub(in crate::http) async fn ready(State(state): State<Arc<HttpState>>) -> impl IntoResponse {
    readiness(state.service.readiness())
}

/// Says whether more tasks are taken.
pub(in crate::http) async fn ready_tasks(State(state): State<Arc<HttpState>>) -> impl IntoResponse {
    readiness(state.service.task_readiness())
}

fn readiness(ready: Result<(), &'static str>) -> impl IntoResponse {
    let (status, text) = match ready {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    };
    (status, [NO_STORE], text)
}

/// The counters in the text format of Prometheus. Needs a token where tokens are in use.
pub(in crate::http) async fn metrics(
    State(state): State<Arc<HttpState>>,
    _: AuthenticatedCaller,
) -> impl IntoResponse {
    ([NO_STORE, (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.service.render_metrics())
}
