//! XML-RPC: `POST /RPC2`, and `/` for calls of type `text/xml`. A call that was read is answered with 200, a refusal as a
//! fault whose code is the HTTP status.

#[cfg(any(fuzzing, debug_assertions))] // not in a release build
pub(in crate::http) mod fuzzing; // invariants of a call.
mod method; // the methods and their descriptions.
mod parse; // a call, from untrusted XML.
mod value; // Value, and the documents that answer.

use crate::engine::{JobOutput, Reservation};
use crate::http::job::{self, blocking};
use crate::http::legacy::{base64, gray};
use crate::http::request_body::{BodyStream, announced_length};
use crate::http::{HttpState, RequestContext, options, reply};
use crate::metrics::Protocol;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::{AuthenticatedCaller, BodyLength, ReceivedBody, RequestError, Service};
use crate::spec::Spec;
use crate::status::Status;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::response::Response;
use method::{METHODS, MethodRequest, Work};
use std::sync::Arc;
use std::time::{Duration, Instant};
use value::Value;

/// Longest call without an image. It needs no worker, so it is answered when the queue is full.
const QUESTION_BYTES: u64 = 4 << 10;

/// A call at `/RPC2`.
pub(in crate::http) async fn rpc2(
    State(state): State<Arc<HttpState>>,
    Extension(context): Extension<Arc<RequestContext>>,
    caller: AuthenticatedCaller,
    request: Request,
) -> Result<Response, RequestError> {
    answer(&state, &context, &caller, request).await
}

/// A call at `/`, which needs the type of XML.
pub(in crate::http) async fn root(
    State(state): State<Arc<HttpState>>,
    Extension(context): Extension<Arc<RequestContext>>,
    caller: AuthenticatedCaller,
    request: Request,
) -> Result<Response, RequestError> {
    if !is_xml(request.headers()) {
        let message = "POST / takes calls of XML-RPC, as text/xml: send images to /resize";
        return Err(RequestError::Malformed(message.into()));
    }
    answer(&state, &context, &caller, request).await
}

fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/xml") || kind.eq_ignore_ascii_case("application/xml")
}

/// The answer to a call without a result.
#[derive(Debug)]
struct Fault {
    code: u16,
    message: String,
    report: Box<Report>,
    reason: RejectReason,
}

impl Fault {
    fn bad_request(code: u16, message: String) -> Fault {
        let report = Box::new(Report::new(Status::BadRequest));
        Fault { code, message, report, reason: RejectReason::BadRequest }
    }
}

impl<E: Into<RequestError>> From<E> for Fault {
    fn from(error: E) -> Self {
        let error = error.into();
        let (code, message, reason) = (error.http_status(), error.to_string(), error.reject_reason());
        Fault { code, message, report: Box::new(error.report()), reason }
    }
}

/// The answer to a call with a result.
struct CallResult {
    text: String,
    memory: Reservation,
    report: Report,
    /// Length of the resulting image.
    image: usize,
}

async fn answer(
    state: &Arc<HttpState>,
    context: &RequestContext,
    caller: &AuthenticatedCaller,
    request: Request,
) -> Result<Response, RequestError> {
    let (head, body) = request.into_parts();
    let announced = announced_length(&head.headers, &body);
    let length = BodyLength { announced, overhead: 0 };
    let is_question = announced.is_some_and(|length| length <= QUESTION_BYTES);
    let budget = match is_question {
        true => state.service.budget(caller, length, Instant::now()),
        false => state.service.admit(caller, length, Instant::now()),
    };
    let performed = match budget {
        Ok(budget) => {
            let call = BodyStream::new(body, budget).collect().await?;
            context.set_arrived();
            perform(state, context, caller, call).await
        }
        Err(error @ (RequestError::Empty | RequestError::BodyTooLarge { .. })) => return Err(error),
        Err(error) => Err(error.into()), // `Busy`, before the body is read
    };
    let body = match performed {
        Ok(CallResult { text, memory, report, image }) => {
            context.record(state, Protocol::XmlRpc, StatusCode::OK, &report, image, None);
            reply::held(text.into_bytes(), memory)
        }
        Err(Fault { code, message, report, reason }) => {
            context.record(state, Protocol::XmlRpc, StatusCode::OK, &report, 0, Some((reason, &message)));
            value::fault(code, &format!("{}: {message}", report.status)).into()
        }
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    Ok(response)
}

/// A call that was read.
enum ReadCall {
    Answer(Value<'static>),
    Image(ReceivedBody, Work),
}

/// Carries out a call.
async fn perform(
    state: &Arc<HttpState>,
    context: &RequestContext,
    caller: &AuthenticatedCaller,
    call: ReceivedBody,
) -> Result<CallResult, Fault> {
    let service = state.service.clone();
    // A large call takes milliseconds to read, which the other connections should not wait for.
    let (image, work) = match blocking(move || Ok(read(&service, call))).await?? {
        ReadCall::Answer(value) => {
            let (text, memory) = (value::response(&value, 0), state.service.reserve(caller.key(), 0)?);
            return Ok(CallResult { text, memory, report: Report::new(Status::Ok), image: 0 });
        }
        ReadCall::Image(image, work) => (image, work),
    };
    let (spec, deadline) = spec_of(&state.service, context, &work)?;
    let done = job::run(state, caller, image, spec, deadline).await?;
    let service = state.service.clone();
    let id = context.id().to_owned();
    blocking(move || Ok(write(&service, &work, done, id))).await?
}

/// Reads a call and decodes its image.
fn read(service: &Service, ReceivedBody { bytes, memory }: ReceivedBody) -> Result<ReadCall, Fault> {
    let call = parse::parse(&bytes).map_err(|malformed| Fault::bad_request(400, malformed.to_string()))?;
    let method = METHODS.iter().find(|method| method.name == call.method);
    let method = method.ok_or_else(|| {
        let message = "there is no such method: ask system.listMethods; several calls in one are not taken";
        Fault::bad_request(404, message.into())
    })?;
    let request = (method.read)(&call.arguments).map_err(|wrong| {
        Fault::bad_request(400, format!("{wrong}: see system.methodHelp('{}')", method.name))
    })?;
    let (text, mut work) = match request {
        MethodRequest::Answer(value) => return Ok(ReadCall::Answer(value)),
        MethodRequest::Image(text, work) => (text, work),
    };
    let mut image = gray::decode(service, text.as_bytes(), memory)?;
    if let Work::Gray(kind) = &mut work
        && *kind == method::Kind::Base64
        && let Some(inner) = decode_twice(&image.bytes)
    {
        (image.bytes, *kind) = (inner, method::Kind::TwiceBase64);
    }
    drop(call);
    drop(bytes);
    let _ = image.memory.resize(image.bytes.capacity() as u64); // never more than before
    if image.bytes.is_empty() { Err(RequestError::Empty.into()) } else { Ok(ReadCall::Image(image, work)) }
}

/// Decodes an image that was base64 before it became `<base64>`, as from clients that encode for a library that encodes.
fn decode_twice(body: &[u8]) -> Option<Vec<u8>> {
    let is_base64 = body.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(b));
    is_base64.then(|| base64::decode(body)).flatten()
}

/// The spec and the deadline of a call.
fn spec_of(
    service: &Service,
    context: &RequestContext,
    work: &Work,
) -> Result<(Spec, Option<Duration>), RequestError> {
    let policy = &*service.settings().policy.current();
    match work {
        Work::Gray(_) => Ok((gray::spec(policy)?, None)),
        Work::Process(pairs) => {
            let options = options::read(policy, context, None, pairs.clone())?;
            Ok((options.spec, options.call.deadline))
        }
    }
}

/// Writes the answer to a call with a result.
fn write(service: &Service, work: &Work, done: JobOutput, id: String) -> Result<CallResult, Fault> {
    let report = Report { id: Some(id), ..done.report() };
    let JobOutput { encoded, mut memory, .. } = done;
    let mut text = gray::encode(service, &encoded.bytes, &mut memory)?;
    let image = encoded.bytes.len();
    drop(encoded);
    if *work == Work::Gray(method::Kind::TwiceBase64) {
        let needed = memory.bytes() + 2 * text.len() as u64;
        service.resize(&mut memory, needed)?;
        text = base64::encode(text.as_bytes());
    }
    let room = text.len();
    let value = match work {
        Work::Gray(method::Kind::Text) => Value::Text(text.into()),
        Work::Gray(method::Kind::Base64 | method::Kind::TwiceBase64) => Value::Base64(text.into()),
        Work::Process(_) => {
            let report = ("report".into(), Value::of_json(report.to_json()));
            Value::Struct(vec![("image".into(), Value::Base64(text.into())), report])
        }
    };
    service.resize(&mut memory, 2 * room as u64 + 4096)?;
    let text = value::response(&value, room + 4096);
    drop(value);
    let _ = memory.resize(text.capacity() as u64); // never more than before
    Ok(CallResult { text, memory, report, image })
}
