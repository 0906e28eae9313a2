//! XML-RPC: `POST /RPC2`, and `/` for calls that say that they are XML. A call that was read is answered with
//! 200, a refusal as a fault whose code is the number that HTTP has for it.

#[cfg(any(fuzzing, debug_assertions))] // not in a release build
pub(in crate::http) mod fuzzing; // invariants of a call.
mod method; // the methods, and what they say of themselves.
mod parse; // a call, from XML that is not trusted.
mod value; // Value, and the documents that answer.

use crate::engine::{BudgetSpent, CallerKey, Job, JobError, JobOutput, Reservation};
use crate::http::legacy::gray;
use crate::http::request_body::{self, Received};
use crate::http::{Admitted, Failure, HttpState, base64, reply, work};
use crate::metrics::Protocol;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::policy::RequestPolicy;
use crate::spec::Spec;
use crate::status::Status;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::response::Response;
use method::{METHODS, Task};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use value::Value;

/// Longest call that may well ask about the methods, which no queue keeps from being answered; a longer one has an
/// image.
const QUESTION_BYTES: u64 = 4 << 10;

/// A call at its own address.
pub(in crate::http) async fn rpc2(
    State(door): State<Arc<HttpState>>,
    admitted: Admitted,
    request: Request,
) -> Result<Response, Failure> {
    answer(door, admitted, request).await
}

/// A call at the root, where it has to say what it is.
pub(in crate::http) async fn root(
    State(door): State<Arc<HttpState>>,
    admitted: Admitted,
    request: Request,
) -> Result<Response, Failure> {
    if !is_xml(request.headers()) {
        return Err(Failure::BadRequest(
            "POST / takes calls of XML-RPC, as text/xml: send images to /resize".into(),
        ));
    }
    answer(door, admitted, request).await
}

fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/xml") || kind.eq_ignore_ascii_case("application/xml")
}

/// Why a call has no result.
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

impl<F: Into<Failure>> From<F> for Fault {
    fn from(failure: F) -> Self {
        let failure = failure.into();
        let (code, message, reason) = (failure.http().as_u16(), failure.to_string(), failure.reason());
        Fault { code, message, report: Box::new(failure.report()), reason }
    }
}

/// An answer, and what is told of it.
struct Answered {
    text: String,
    memory: Reservation,
    report: Report,
    /// Length of the resulting image.
    image: usize,
}

async fn answer(door: Arc<HttpState>, admitted: Admitted, request: Request) -> Result<Response, Failure> {
    let call = admitted.call.clone();
    let (head, body) = request.into_parts();
    let performed = match door.engine.admit(CallerKey::of(&admitted.caller)) {
        Err(busy) if body.size_hint().upper().is_none_or(|most| most > QUESTION_BYTES) => {
            // Refuse before reading the body.
            Err(busy.into())
        }
        _ => {
            let received = request_body::read(&door, &call, &head.headers, body).await?;
            perform(&door, &admitted, received).await
        }
    };
    let body = match performed {
        Ok(Answered { text, memory, report, image }) => {
            call.record(&door, Protocol::XmlRpc, &report, image, None);
            reply::held(text.into_bytes(), memory)
        }
        Err(Fault { code, message, report, reason }) => {
            call.record(&door, Protocol::XmlRpc, &report, 0, Some((reason, &message)));
            value::fault(code, &format!("{}: {message}", report.status)).into()
        }
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    Ok(response)
}

/// What a call comes to once it is read.
enum Read {
    Said(Value<'static>),
    Image { body: Vec<u8>, memory: Reservation, task: Task },
}

/// Carries out a call.
async fn perform(door: &Arc<HttpState>, admitted: &Admitted, received: Received) -> Result<Answered, Fault> {
    let reader = door.clone();
    // A large call takes milliseconds to read, which the other connections should not wait for.
    let read = spawn_blocking(move || read(&reader, received)).await.map_err(|_| JobError::Panicked)?;
    let (body, memory, task) = match read? {
        Read::Said(value) => {
            let (text, memory) = (value::response(&value, 0), door.engine.reserve());
            return Ok(Answered { text, memory, report: Report::new(Status::Ok), image: 0 });
        }
        Read::Image { body, memory, task } => (body, memory, task),
    };
    let (spec, deadline) = picture(&door.settings.door.policy, admitted, &task)?;
    let done = work::run(door, &admitted.caller, Job { body, memory, spec, deadline }).await?;
    let writer = door.clone();
    let id = admitted.call.id().to_owned();
    spawn_blocking(move || write(&writer, &task, done, id)).await.map_err(|_| JobError::Panicked)?
}

/// Reads a call, and the image in it.
fn read(door: &HttpState, received: Received) -> Result<Read, Fault> {
    let Received { bytes, mut memory } = received;
    let call = parse::parse(&bytes).map_err(|malformed| Fault::bad_request(400, malformed.to_string()))?;
    let named = METHODS.iter().find(|method| method.name == call.method);
    let method = named.ok_or_else(|| {
        let message = "there is no such method: ask system.listMethods; several calls in one are not taken";
        Fault::bad_request(404, message.into())
    })?;
    let asked = (method.read)(&call.arguments).map_err(|wrong| {
        Fault::bad_request(400, format!("{wrong}: see system.methodHelp('{}')", method.name))
    })?;
    let (image, mut task) = match asked {
        method::Asked::Said(value) => return Ok(Read::Said(value)),
        method::Asked::Image(image, task) => (image, task),
    };
    let mut body = gray::image(&door.engine, image.as_bytes(), &mut memory)?;
    if let Task::Gray(kind) = &mut task
        && *kind == method::Kind::Base64
        && let Some(inner) = twice(&body)
    {
        (body, *kind) = (inner, method::Kind::TwiceBase64);
    }
    drop(call);
    drop(bytes);
    let _ = memory.resize(body.capacity() as u64); // less is always there
    if body.is_empty() { Err(Failure::Empty.into()) } else { Ok(Read::Image { body, memory, task }) }
}

/// The image in base64 that was sent as `<base64>`, as clients do who encode for a library that encodes.
fn twice(body: &[u8]) -> Option<Vec<u8>> {
    let looks_so = body.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(b));
    looks_so.then(|| base64::decode(body)).flatten()
}

/// What is to be made of an image, and how long that may take.
fn picture(
    offer: &RequestPolicy,
    admitted: &Admitted,
    task: &Task,
) -> Result<(Spec, Option<Duration>), Failure> {
    match task {
        Task::Gray(_) => Ok((gray::spec(offer)?, None)),
        Task::Process(pairs) => {
            let options = crate::http::options::read(offer, &admitted.call, None, pairs.clone())?;
            Ok((options.spec, options.call.deadline))
        }
    }
}

/// The answer to a call that made a picture.
fn write(door: &HttpState, task: &Task, done: JobOutput, id: String) -> Result<Answered, Fault> {
    let report = Report { id: Some(id), ..done.report() };
    let JobOutput { encoded, mut memory, .. } = done;
    let mut text = gray::text(&door.engine, &encoded.bytes, &mut memory)?;
    let image = encoded.bytes.len();
    drop(encoded);
    if *task == Task::Gray(method::Kind::TwiceBase64) {
        memory.resize(memory.bytes() + 2 * text.len() as u64).map_err(|BudgetSpent| door.engine.busy())?;
        text = base64::encode(text.as_bytes());
    }
    let room = text.len();
    let value = match task {
        Task::Gray(method::Kind::Text) => Value::Text(text.into()),
        Task::Gray(method::Kind::Base64 | method::Kind::TwiceBase64) => Value::Base64(text.into()),
        Task::Process(_) => {
            let told = ("report".into(), Value::of_json(report.to_json()));
            Value::Struct(vec![("image".into(), Value::Base64(text.into())), told])
        }
    };
    memory.resize(2 * room as u64 + 4096).map_err(|BudgetSpent| door.engine.busy())?;
    let text = value::response(&value, room + 4096);
    drop(value);
    let _ = memory.resize(text.capacity() as u64); // less is always there
    Ok(Answered { text, memory, report, image })
}
