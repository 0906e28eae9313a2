//! `RequestContext`: one request from its head to its log line, and the headers that every answer has.

use crate::http::HttpState;
use crate::http::deadlines::RequestGuard;
use crate::http::failure::Failure;
use crate::http::origin::{self, Judged};
use crate::http::reply_body::ReplyBody;
use crate::http::request_body::{BodyTimes, Drain, RequestBody};
use crate::metrics::Protocol;
use crate::net::TransportKind;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::AccessRecord;
use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Request, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// The router as hyper calls it.
pub(super) type Routes = hyper_util::service::TowerToHyperService<axum::Router>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Policy of every answer but the pages: no scripts run.
const NO_SCRIPTS: HeaderValue = HeaderValue::from_static("default-src 'none'; img-src 'self' data:; sandbox");

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote {
    pub(super) peer: SocketAddr,
    pub(super) line: TransportKind,
    /// The connection's number.
    pub(super) number: u64,
}

/// Facts about a request beside its options. An extension of every request.
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) peer: SocketAddr,
    /// Plain or TLS: tokens are taken over TLS only.
    pub(crate) line: TransportKind,
    id: String,
    named: OnceLock<String>,
    token: OnceLock<Arc<str>>,
    arrived: OnceLock<Instant>,
}

/// Report of a request that was answered with an image. An extension of its response.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) report: Report,
    /// Length of the result.
    pub(crate) bytes: usize,
}

impl RequestContext {
    /// The request's id: the option `id`, the header `X-Request-Id`, or ours.
    pub(crate) fn id(&self) -> &str {
        self.named.get().unwrap_or(&self.id)
    }

    /// Notes the option `id`.
    pub(crate) fn name(&self, id: Option<&str>) {
        if let Some(id) = id {
            let _ = self.named.set(id.to_owned()); // the first one stands
        }
    }

    /// Notes the name of the caller's token.
    pub(crate) fn show_token(&self, name: Arc<str>) {
        let _ = self.token.set(name);
    }

    /// Name of the caller's token.
    pub(crate) fn token(&self) -> Option<&Arc<str>> {
        self.token.get()
    }

    /// Notes that the last byte of the request has come.
    pub(crate) fn has_arrived(&self) {
        let _ = self.arrived.set(Instant::now());
    }

    /// Counts and logs how the request ended.
    pub(crate) fn record(
        &self,
        state: &HttpState,
        via: Protocol,
        report: &Report,
        bytes_out: usize,
        failure: Option<(RejectReason, &str)>,
    ) {
        let record = AccessRecord {
            protocol: via,
            peer: self.peer,
            id: self.id(),
            token: self.token().map(AsRef::as_ref),
            report,
            bytes_out,
            total: self.arrived.get().map(Instant::elapsed).unwrap_or_default(),
            error: failure,
        };
        record.write(state.engine.metrics());
    }
}

/// Answers one request of a connection.
pub(super) async fn answer(
    state: Arc<HttpState>,
    routes: Routes,
    Remote { peer, line, number }: Remote,
    guard: RequestGuard,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let metrics = state.engine.metrics().clone();
    let is_write = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let _in_progress = is_write.then(|| metrics.in_progress.hold());
    let context = Arc::new(RequestContext {
        peer,
        line,
        id: id_of(request.headers()).unwrap_or_else(|| format!("h{number}-{}", guard.number)),
        named: OnceLock::new(),
        token: OnceLock::new(),
        arrived: OnceLock::new(),
    });
    let mut unanswered = Unanswered { state: &state, context: &context, is_answered: false };
    let (method, version) = (request.method().clone(), request.version());
    let judged = state.settings.origins.judge(&request);
    let is_host_wrong =
        version == Version::HTTP_11 && request.headers().get_all(header::HOST).iter().count() != 1;
    let drain = Drain {
        most: state.settings.door.max_body.into(),
        times: BodyTimes::new(&state.settings.door),
        busy: (!request.headers().contains_key(header::EXPECT)).then(|| guard.deadlines().busy()),
    };
    let (mut head, incoming) = request.into_parts();
    let (body, refused) = RequestBody::new(incoming, drain);
    head.extensions.insert(context.clone());
    let request = Request::from_parts(head, Body::new(body));
    let response = if is_host_wrong {
        drop(request);
        Failure::BadRequest("a request of HTTP/1.1 has one header Host (RFC 9112 3.2)".into()).into_response()
    } else if judged == Judged::Foreign {
        drop(request);
        Failure::ForeignOrigin.into_response()
    } else {
        match routes.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    };
    unanswered.is_answered = true;
    let mut response = finished(&state, &context, &method, response);
    let closes = is_host_wrong || refused.load(Ordering::Relaxed) || state.stopping.is_cancelled();
    if closes && version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Judged::Allowed(origin) = judged {
        origin::allow(response.headers_mut(), &method, origin);
    }
    response.map(|body| ReplyBody::new(body, guard))
}

/// An id that a proxy or a client gave, if it is fit for a log.
fn id_of(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (1..=128).contains(&id.len()).then(|| id.to_owned())
}

/// Writes the failure that a response carries, the log line, and the headers that all answers have.
fn finished(state: &HttpState, context: &RequestContext, method: &Method, response: Response) -> Response {
    let mut response = response;
    if let Some(failure) = response.extensions_mut().remove::<Arc<Failure>>() {
        let is_options = method == Method::OPTIONS && matches!(*failure, Failure::NoSuchMethod(_));
        let allow = response.headers_mut().remove(header::ALLOW);
        if is_options {
            response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
        } else {
            let message = failure.to_string();
            context.record(state, Protocol::Http, &failure.report(), 0, Some((failure.reason(), &message)));
            response = failure.answer(context.id());
            if method == Method::HEAD {
                *response.body_mut() = Body::empty();
            }
        }
        if let Some(mut allow) = allow {
            let methods = format!("{},OPTIONS", allow.to_str().unwrap_or_default());
            if let Ok(methods) = HeaderValue::from_str(&methods) {
                allow = methods;
            }
            response.headers_mut().insert(header::ALLOW, allow);
        }
    } else if let Some(Told { report, bytes }) = response.extensions_mut().remove::<Told>() {
        context.record(state, Protocol::Http, &report, bytes, None);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_bytes(context.id().as_bytes()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NO_SCRIPTS);
    response
}

/// Logs a request whose client left before the answer.
struct Unanswered<'a> {
    state: &'a HttpState,
    context: &'a RequestContext,
    is_answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            let message = "the caller left before the result was ready";
            self.state.service.connection_closed(self.context.peer, RejectReason::Abandoned, message);
        }
    }
}
