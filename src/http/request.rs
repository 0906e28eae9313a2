//! `RequestContext`: one request from its head to its log line, and the headers that every answer has.

use crate::http::deadlines::RequestGuard;
use crate::http::origin::{self, OriginVerdict};
use crate::http::reply_body::ReplyBody;
use crate::http::request_body::{Drain, RequestBody};
use crate::http::{HttpState, error};
use crate::metrics::Protocol;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::{AccessRecord, AuthenticatedCaller, HttpFacts, Peer, RequestError};
use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Request, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// The router as hyper calls it.
pub(super) type Routes = hyper_util::service::TowerToHyperService<axum::Router>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Policy of every answer but the pages: no scripts run.
const NO_SCRIPTS: HeaderValue = HeaderValue::from_static("default-src 'none'; img-src 'self' data:; sandbox");

/// Characters of a path that are logged.
const LOGGED_PATH: usize = 200;

/// Facts about a request beside its options. An extension of every request.
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) peer: Peer,
    method: Method,
    path: String,
    generated_id: String,
    /// The option `id`.
    id: OnceLock<String>,
    token: OnceLock<Arc<str>>,
    arrived: OnceLock<Instant>,
}

/// Report of a request that was answered with an image. An extension of its response.
#[derive(Debug, Clone)]
pub(crate) struct RecordedReply {
    pub(crate) report: Report,
    /// Length of the result.
    pub(crate) bytes: usize,
}

impl RequestContext {
    /// The request's id: the option `id`, the header `X-Request-Id`, or ours.
    pub(crate) fn id(&self) -> &str {
        self.id.get().unwrap_or(&self.generated_id)
    }

    /// Notes the option `id`.
    pub(crate) fn set_id(&self, id: Option<&str>) {
        if let Some(id) = id {
            let _ = self.id.set(id.to_owned()); // the first one stands
        }
    }

    /// Notes the name of the caller's token.
    pub(crate) fn set_token(&self, caller: &AuthenticatedCaller) {
        if let Some(name) = caller.token() {
            let _ = self.token.set(name.clone());
        }
    }

    /// Name of the caller's token.
    pub(crate) fn token(&self) -> Option<&Arc<str>> {
        self.token.get()
    }

    /// Notes that the last byte of the request has come.
    pub(crate) fn set_arrived(&self) {
        let _ = self.arrived.set(Instant::now());
    }

    /// Counts and logs the end of the request.
    pub(crate) fn record(
        &self,
        state: &HttpState,
        protocol: Protocol,
        code: StatusCode,
        report: &Report,
        bytes_out: usize,
        error: Option<(RejectReason, &str)>,
    ) {
        let record = AccessRecord {
            protocol,
            peer: self.peer.address,
            id: self.id(),
            token: self.token().map(AsRef::as_ref),
            report,
            bytes_out,
            total: self.arrived.get().map(Instant::elapsed).unwrap_or_default(),
            error,
            http: Some(HttpFacts { method: self.method.as_str(), path: &self.path, code: code.as_u16() }),
        };
        record.write(state.service.metrics());
    }
}

/// Answers one request of the connection of this number.
pub(super) async fn answer(
    state: Arc<HttpState>,
    routes: Routes,
    peer: Peer,
    connection: u64,
    guard: RequestGuard,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let peer = client_of(&state, peer, request.headers());
    let metrics = state.service.metrics().clone();
    let is_write = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let _in_progress = is_write.then(|| metrics.in_progress.hold());
    let context = Arc::new(RequestContext {
        peer,
        method: request.method().clone(),
        path: request.uri().path().chars().take(LOGGED_PATH).collect(),
        generated_id: id_of(request.headers()).unwrap_or_else(|| format!("h{connection}-{}", guard.number)),
        id: OnceLock::new(),
        token: OnceLock::new(),
        arrived: OnceLock::new(),
    });
    let mut unanswered = Unanswered { state: &state, context: &context, is_answered: false };
    let (method, version) = (request.method().clone(), request.version());
    let origin = state.settings.origins.judge(&request, peer.transport);
    let host = check_host(&state, &request);
    let is_host_wrong = host.is_err();
    let verdict = host.and(origin);
    // A client that waits for `100 Continue` sends nothing to drain.
    let drain = (!request.headers().contains_key(header::EXPECT))
        .then(|| Drain { service: state.service.clone(), busy: guard.deadlines().busy() });
    let (mut head, incoming) = request.into_parts();
    let (body, refused) = RequestBody::new(incoming, drain);
    head.extensions.insert(context.clone());
    let request = Request::from_parts(head, Body::new(body));
    let (response, allowed) = match verdict {
        Err(error) => {
            drop(request);
            (error.into_response(), None)
        }
        Ok(verdict) => {
            let response = match routes.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            match verdict {
                OriginVerdict::Own => (response, None),
                OriginVerdict::Allowed(origin) => (response, Some(origin)),
            }
        }
    };
    unanswered.is_answered = true;
    let mut response = finished(&state, &context, &method, response);
    let closes = is_host_wrong || refused.load(Ordering::Relaxed) || state.stopping.is_cancelled();
    if closes && version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(allowed) = allowed {
        origin::allow(response.headers_mut(), &method, allowed);
    }
    response.map(|body| ReplyBody::new(body, guard))
}

/// The client of a request: its peer, or the one that a trusted proxy names.
fn client_of(state: &HttpState, peer: Peer, headers: &HeaderMap) -> Peer {
    let settings = state.service.settings();
    let values = headers.get_all(settings.proxy_header.name()).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    settings.proxies.client(peer, settings.proxy_header, values.into_iter())
}

/// Checks that a request of HTTP/1.1 has one `Host`, and that this server answers to it.
fn check_host<B>(state: &HttpState, request: &Request<B>) -> Result<(), RequestError> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if request.version() == Version::HTTP_11 && hosts != 1 {
        let message = "a request of HTTP/1.1 has one header Host (RFC 9112 3.2)";
        return Err(RequestError::Malformed(message.into()));
    }
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let header = || request.headers().get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
    match authority.map(Into::into).or_else(header) {
        Some(host) => state.service.check_host(&state.address, &host),
        None => Ok(()), // HTTP/1.0: no browser speaks it
    }
}

/// An id that a proxy or a client gave, if it is fit for a log.
fn id_of(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (1..=128).contains(&id.len()).then(|| id.to_owned())
}

/// Writes the error that a response carries, the log line, and the headers that all answers have.
fn finished(state: &HttpState, context: &RequestContext, method: &Method, response: Response) -> Response {
    let mut response = response;
    if let Some(error) = response.extensions_mut().remove::<Arc<RequestError>>() {
        let is_options = method == Method::OPTIONS && matches!(*error, RequestError::NoSuchMethod(_));
        let allow = response.headers_mut().remove(header::ALLOW);
        if is_options {
            response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
        } else {
            let message = error.to_string();
            let refusal = Some((error.reject_reason(), message.as_str()));
            response = error::answer(&error, context.id());
            context.record(state, Protocol::Http, response.status(), &error.report(), 0, refusal);
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
    } else if let Some(RecordedReply { report, bytes }) = response.extensions_mut().remove::<RecordedReply>()
    {
        context.record(state, Protocol::Http, response.status(), &report, bytes, None);
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
            let RequestContext { peer, .. } = self.context;
            self.state.service.client_left(Protocol::Http, peer.address, self.context.id());
        }
    }
}
