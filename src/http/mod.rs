//! The HTTP door: axum on tokio, for HTTP/1.1 and HTTP/2, in the clear or under TLS.
//!
//! ```text
//! serve (accept, seats) -> connection (TLS, deadlines, hyper) -> call (id, origin, log) -> router
//!      -> Admitted (token, rate) -> options, body -> work (engine) -> reply
//! ```
//! It calls the same engine as the TCP door, through the same gate. No thread is held by a request: a task
//! waits for the engine's ticket, and is dropped, which gives the job up, when its client leaves.
//!
//! A route is an async function of `State<Arc<HttpState>>`, `Admitted` where a token is needed, and what it
//! reads of the request. It returns `Result<Response, Failure>`; `call` turns a `Failure` into the JSON
//! body, adds the headers that every answer has, and writes the log line of whatever `Told` it carries.

mod admitted; // Admitted: a caller with a token and within its rate.
mod aliases; // imaginary's names for the options.
mod base64; // base64 in every usual form.
mod connection; // one connection: TLS, hyper, deadlines.
mod deadlines; // ConnectionDeadlines: header, idle and write deadlines of a connection.
mod failure; // Failure: why there is no result, and its JSON.
#[doc(hidden)]
#[cfg(any(fuzzing, debug_assertions))] // not in a release build
pub mod fuzzing; // invariants of the parsers, for fuzz/.
mod form; // Upload: the picture of a request, as the body or as a part of a form.
mod health; // /health, /ready, /metrics.
mod legacy; // XML-RPC and the base64 WebSocket of the first clients.
mod multipart; // the parts of a form.
mod negotiate; // Accept and If-None-Match.
mod openapi; // /openapi.json, made from the table of options.
mod options; // the query and the path to options.
mod origin; // pages in a browser that may use the server.
mod page; // the pages of web/.
mod picture; // /resize, /crop, /thumbnail, /convert, /pipeline, /info.
mod reply; // a finished picture as a response.
mod reply_body; // ReplyBody: slices of a reply, each with a deadline.
mod request; // RequestContext: one request from its head to its log line.
mod request_body; // RequestBody: read under deadlines, or drained.
mod server; // runtime and accept loop.
mod tasks; // /upload, /status, /result, /tasks.
mod timed_stream; // TimedStream: bytes of a connection, plain or TLS.
mod work; // the engine's tickets as futures.
mod ws; // WebSocket: /ws, /upload, /.

pub use origin::{BadOrigin, Origins};
pub use server::{Running, start};

pub(crate) use admitted::Admitted;
pub(crate) use failure::Failure;
pub(crate) use request::{RequestContext, Told};

use crate::engine::Engine;
use crate::service;
use crate::service::Service;
use crate::tasks::Tasks;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How the door treats its peers.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// What it shares with the TCP door: limits, deadlines, what can be asked for, the certificate.
    pub door: service::settings::ServiceSettings,
    /// Whose pages in a browser may ask. Default: nobody's but our own.
    pub origins: Origins,
    /// Tasks that outlive their request. Default: none are taken.
    pub tasks: Option<Arc<Tasks>>,
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct HttpState {
    pub(crate) engine: Arc<Engine>,
    pub(crate) service: Arc<Service>,
    pub(crate) settings: HttpSettings,
    /// Cancelled when the server is asked to stop. Whatever has no end of its own has to watch it.
    pub(crate) stopping: CancellationToken,
}

/// Every route.
fn router(door: Arc<HttpState>) -> Router {
    Router::new()
        .route("/", get(root).post(legacy::xmlrpc::root))
        .route("/RPC2", post(legacy::xmlrpc::rpc2))
        .route("/docs", get(page::docs))
        .route("/web/{*file}", get(page::file))
        .route("/options.json", get(page::options))
        .route("/presets.json", get(page::presets))
        .route("/openapi.json", get(openapi::openapi))
        .route("/resize", post(picture::resize))
        .route("/crop", post(picture::crop))
        .route("/thumbnail", post(picture::thumbnail))
        .route("/convert", post(picture::convert))
        .route("/pipeline/{operations}", post(picture::pipeline))
        .route("/info", post(picture::info))
        .route("/ws", get(ws::pictures))
        .route("/upload", post(tasks::upload).get(ws::upload))
        .route("/status/{id}", get(tasks::status).delete(tasks::cancel))
        .route("/status/{id}/events", get(tasks::events))
        .route("/result/{id}", get(tasks::result))
        .route("/tasks", get(tasks::list))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(door)
}

/// The page, or the WebSocket that the first clients look for at the same place.
async fn root(door: State<Arc<HttpState>>, request: Request) -> Response {
    match ws::is_asked(request.headers()) {
        true => ws::gray(door, request).await.into_response(),
        false => page::home(request.headers().clone()).await,
    }
}

async fn no_such_path(uri: Uri) -> Failure {
    Failure::NoSuchPath(uri.path().to_owned())
}

async fn no_such_method(method: Method) -> Failure {
    Failure::NoSuchMethod(method)
}
