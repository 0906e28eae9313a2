//! HTTP, WebSocket and XML-RPC: axum and hyper on tokio, plain or under TLS.
//!
//! ```text
//! server (accept) -> connection (TLS, deadlines, hyper) -> request (id, host, origin, log) -> router
//!      -> AuthenticatedCaller (token, rate) -> handler: options, body -> job (engine) -> reply
//! ```
//! The order of these steps, limits and errors are those of [`crate::service`]. No thread is held by a request: a task
//! awaits the engine's ticket. A client that leaves drops the task, which cancels the job.
//!
//! A handler is an async function of `State<Arc<HttpState>>`, `AuthenticatedCaller` where a token is needed, and the
//! request. It returns `Result<Response, RequestError>`; `request` turns the error into JSON, adds the headers that every
//! answer has, and writes the log line.

mod connection; // one connection: TLS, hyper, deadlines.
mod deadlines; // ConnectionDeadlines: header, idle and write deadlines of a connection.
mod error; // RequestError as JSON.
mod extract; // AuthenticatedCaller from the headers of a request.
mod form; // Upload: the image of a request, as the body or as a part of a form.
#[cfg(any(fuzzing, debug_assertions))] // not in a release build
pub mod fuzzing; // invariants of the parsers, for fuzz/.
mod handlers; // the routes.
mod imaginary; // imaginary's names for the options.
mod listener; // AsyncListener: the listening socket, TCP or Unix.
mod job; // the engine's tickets as futures.
#[cfg(feature = "legacy")]
mod legacy; // XML-RPC and the base64 WebSocket.
mod negotiate; // Accept and If-None-Match.
mod options; // the query and the path to options.
mod origin; // Origins: pages in a browser that may use the server.
mod reply; // a result as a response.
mod reply_body; // ReplyBody: slices of a reply, each with a deadline.
mod request; // RequestContext: one request from its head to its log line.
mod request_body; // RequestBody: read under deadlines, or drained.
mod server; // runtime and accept loop.
mod timed_stream; // TimedStream: bytes of a connection, plain or TLS.
mod ws; // WebSocket: /ws, /upload, /.

pub use origin::{BadOrigin, Origins};
pub use server::{Running, start};

pub(crate) use request::{RecordedReply, RequestContext};

use crate::net::ListenAddress;
use crate::service::{RequestError, Service};
use crate::tasks::Tasks;
use axum::Router;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use handlers::{health, image, openapi, page, tasks};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Settings of HTTP alone.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// Origins whose pages may use the server. Default: its own.
    pub origins: Origins,
    /// Tasks that outlive their request. Default: none are taken.
    pub tasks: Option<Arc<Tasks>>,
}

/// State that all requests share.
#[derive(Debug)]
pub(crate) struct HttpState {
    pub(crate) service: Arc<Service>,
    pub(crate) settings: HttpSettings,
    /// Address of the listener.
    pub(crate) address: ListenAddress,
    /// Cancelled at the shutdown, for futures that have no end of their own.
    pub(crate) stopping: CancellationToken,
}

fn router(state: Arc<HttpState>) -> Router {
    let router = Router::new()
        .route("/docs", get(page::docs))
        .route("/web/{*file}", get(page::file))
        .route("/options.json", get(page::options))
        .route("/presets.json", get(page::presets))
        .route("/openapi.json", get(openapi::openapi))
        .route("/resize", post(image::resize))
        .route("/crop", post(image::crop))
        .route("/thumbnail", post(image::thumbnail))
        .route("/convert", post(image::convert))
        .route("/pipeline/{operations}", post(image::pipeline))
        .route("/info", post(image::info))
        .route("/ws", get(ws::images))
        .route("/upload", post(tasks::upload).get(ws::upload))
        .route("/status/{id}", get(tasks::status).delete(tasks::cancel))
        .route("/status/{id}/events", get(tasks::events))
        .route("/result/{id}", get(tasks::result))
        .route("/tasks", get(tasks::list))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/ready/tasks", get(health::ready_tasks))
        .route("/metrics", get(health::metrics));
    #[cfg(feature = "legacy")]
    let router = router
        .route("/", get(legacy::root).post(legacy::xmlrpc::root))
        .route("/RPC2", post(legacy::xmlrpc::rpc2));
    #[cfg(not(feature = "legacy"))]
    let router = router.route("/", get(page::home));
    router.fallback(no_such_path).method_not_allowed_fallback(no_such_method).with_state(state)
}

async fn no_such_path(uri: Uri) -> RequestError {
    RequestError::NoSuchPath(uri.path().to_owned())
}

async fn no_such_method(method: Method) -> RequestError {
    RequestError::NoSuchMethod(method.to_string())
}
