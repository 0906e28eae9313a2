//! `Call`: one request from its head to its log line, and what every answer has.

use crate::http::Door;
use crate::http::failure::Failure;
use crate::http::meter::{InHand, Meter};
use crate::http::origin::Judged;
use crate::metrics::Protocol;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::access_log::{self, Line};
use crate::service::admission;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Request, StatusCode, Version};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

/// The router as hyper calls it.
pub(super) type Routes = hyper_util::service::TowerToHyperService<axum::Router>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing that is served may run scripts, except the pages that say otherwise.
const NO_SCRIPTS: HeaderValue = HeaderValue::from_static("default-src 'none'; img-src 'self' data:; sandbox");

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote {
    pub(super) peer: SocketAddr,
    /// Whether somebody on the way can read along.
    pub(super) line: admission::Line,
    /// The connection's number.
    pub(super) number: u64,
}

/// What is known of a request beside what it asks for. An extension of every request.
#[derive(Debug)]
pub(crate) struct Call {
    /// Who asks.
    pub(crate) peer: SocketAddr,
    /// Whether somebody on the way can read along.
    pub(crate) line: admission::Line,
    /// The clock of its connection.
    pub(super) meter: Arc<Meter>,
    /// Whether the connection goes on after a body that was not taken up.
    may_leave_body: bool,
    left_body: Mutex<Option<Body>>,
    id: String,
    named: OnceLock<String>,
    token: OnceLock<Arc<str>>,
    arrived: OnceLock<Instant>,
}

/// What the log is told of a request that was answered with a picture. An extension of its response.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) report: Report,
    /// Length of the result.
    pub(crate) bytes: usize,
}

impl Call {
    /// Its id: the option `id`, the header `X-Request-Id`, or ours.
    pub(crate) fn id(&self) -> &str {
        self.named.get().unwrap_or(&self.id)
    }

    /// Notes the option `id`.
    pub(crate) fn name(&self, id: Option<&str>) {
        if let Some(id) = id {
            let _ = self.named.set(id.to_owned()); // a call has one
        }
    }

    /// Notes the name of the token that the caller has shown.
    pub(crate) fn show_token(&self, name: Arc<str>) {
        let _ = self.token.set(name);
    }

    /// The name of the token that the caller has shown.
    pub(crate) fn token(&self) -> Option<&Arc<str>> {
        self.token.get()
    }

    /// Leaves the body, of which nothing was read, to the connection, if it can do without; else gives it back.
    pub(super) fn leave_body(&self, body: Body) -> Option<Body> {
        if self.may_leave_body { self.left().replace(body) } else { Some(body) }
    }

    fn left(&self) -> MutexGuard<'_, Option<Body>> {
        self.left_body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the last byte of the request has come.
    pub(crate) fn has_arrived(&self) {
        let _ = self.arrived.set(Instant::now());
    }

    /// Counts and logs how it ended.
    pub(crate) fn record(
        &self,
        door: &Door,
        via: Protocol,
        report: &Report,
        bytes_out: usize,
        failure: Option<(RejectReason, &str)>,
    ) {
        let line = Line {
            via,
            peer: self.peer,
            id: self.id(),
            token: self.token().map(AsRef::as_ref),
            report,
            bytes_out,
            total: self.arrived.get().map(Instant::elapsed).unwrap_or_default(),
            failure,
        };
        access_log::record(door.engine.metrics(), &line);
    }
}

/// Whether a peer that speaks HTTP/1.1 wants to send more requests.
fn stays(request: &Request<Incoming>) -> bool {
    let mut says = request.headers().get_all(header::CONNECTION).iter();
    request.version() == Version::HTTP_11
        && says.all(|says| says.as_bytes().eq_ignore_ascii_case(b"keep-alive"))
}

/// Answers one request of a connection. `may_leave_body` says that the connection can go on after a body that was not
/// taken up.
pub(super) async fn answer(
    door: Arc<Door>,
    routes: Routes,
    Remote { peer, line, number }: Remote,
    in_hand: InHand,
    may_leave_body: bool,
    request: Request<Incoming>,
) -> Response<Tracked> {
    let metrics = door.engine.metrics().clone();
    let is_write = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let _in_progress = is_write.then(|| metrics.in_progress.hold());
    let id = said_id(request.headers()).unwrap_or_else(|| format!("h{number}-{}", in_hand.number));
    let call = Arc::new(Call {
        peer,
        line,
        meter: in_hand.meter(),
        may_leave_body: may_leave_body && stays(&request) && !door.stopping.is_cancelled(),
        left_body: Mutex::new(None),
        id,
        named: OnceLock::new(),
        token: OnceLock::new(),
        arrived: OnceLock::new(),
    });
    let mut unanswered = Unanswered { door: &door, call: &call, is_answered: false };
    let (method, version) = (request.method().clone(), request.version());
    let judged = door.settings.origins.judge(&request);
    let framing = Framing::of(request.headers());
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(call.clone());
    let response = match judged {
        _ if framing == Framing::Twofold => {
            let message = "a body has either a Content-Length or a Transfer-Encoding".into();
            axum::response::IntoResponse::into_response(Failure::BadRequest(message))
        }
        Judged::Foreign => axum::response::IntoResponse::into_response(Failure::ForeignOrigin),
        Judged::Ours | Judged::Allowed(_) => match routes.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
    };
    unanswered.is_answered = true;
    let mut response = finished(&door, &call, &method, response);
    if version < Version::HTTP_2 && (framing != Framing::Length || door.stopping.is_cancelled()) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Judged::Allowed(origin) = judged {
        crate::http::origin::allow(response.headers_mut(), &method, origin);
    }
    in_hand.allow_reply(response.body().size_hint().exact());
    let left = call.left().take();
    response.map(|body| Tracked { body, left, _in_hand: in_hand })
}

/// An id that a proxy or a client gave, if it is fit for a log.
fn said_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (1..=128).contains(&id.len()).then(|| id.to_owned())
}

/// Writes the failure that a response carries, the log line, and the headers that all answers have.
fn finished(door: &Door, call: &Call, method: &Method, response: Response) -> Response {
    let mut response = response;
    if let Some(failure) = response.extensions_mut().remove::<Arc<Failure>>() {
        let is_options = method == Method::OPTIONS && matches!(*failure, Failure::NoSuchMethod(_));
        let allow = response.headers_mut().remove(header::ALLOW);
        if is_options {
            response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
        } else {
            let message = failure.to_string();
            call.record(door, Protocol::Http, &failure.report(), 0, Some((failure.reason(), &message)));
            response = failure.answer(call.id());
            if method == Method::HEAD {
                *response.body_mut() = Body::empty();
            }
        }
        if let Some(mut allow) = allow {
            if let Ok(more) =
                HeaderValue::from_str(&format!("{},OPTIONS", allow.to_str().unwrap_or_default()))
            {
                allow = more;
            }
            response.headers_mut().insert(header::ALLOW, allow);
        }
    } else if let Some(Told { report, bytes }) = response.extensions_mut().remove::<Told>() {
        call.record(door, Protocol::Http, &report, bytes, None);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_bytes(call.id().as_bytes()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NO_SCRIPTS);
    response
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// By its length, or there is none.
    Length,
    /// By chunks. Hyper passes over a length that stands after `Transfer-Encoding`, and a proxy in front may
    /// not, so that nothing after such a body is taken for a request.
    Chunks,
    /// By both, as in attempts to smuggle a request past a proxy.
    Twofold,
}

impl Framing {
    fn of(headers: &HeaderMap) -> Framing {
        match (headers.contains_key(header::TRANSFER_ENCODING), headers.contains_key(header::CONTENT_LENGTH))
        {
            (false, _) => Framing::Length,
            (true, false) => Framing::Chunks,
            (true, true) => Framing::Twofold,
        }
    }
}

/// A request whose client leaves before the answer is dropped: that is told too.
struct Unanswered<'a> {
    door: &'a Door,
    call: &'a Call,
    is_answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            let message = "the caller left before the result was ready";
            access_log::refused(self.door.engine.metrics(), self.call.peer, RejectReason::Abandoned, message);
        }
    }
}

/// A reply's body, which counts as in hand until it is handed over.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    /// The body of the request, which hyper must not miss before it has sent the answer.
    left: Option<Body>,
    _in_hand: InHand,
}

impl Tracked {
    /// Whether it answers a request whose body was left.
    pub(super) fn leaves_body(&self) -> bool {
        self.left.is_some()
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
