//! The routes that make an image of an image: `/resize` and its relatives, which differ in their defaults, and `/info`.

use crate::engine::{JobError, JobOutput};
use crate::http::form::{self, Upload};
use crate::http::negotiate::{self, Candidates};
use crate::http::{HttpState, RequestContext, job, options, reply};
use crate::service::policy::RequestPolicy;
use crate::service::{AuthenticatedCaller, ReceivedBody, RequestError};
use crate::spec::{Fit, Options, OutputFormat, Spec, decode_pairs};
use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use std::sync::Arc;

type StateArg = State<Arc<HttpState>>;
type ContextArg = Extension<Arc<RequestContext>>;
type Reply = Result<Response, RequestError>;

/// `POST /resize`: as the options say.
pub(in crate::http) async fn resize(
    State(state): StateArg,
    Extension(context): ContextArg,
    caller: AuthenticatedCaller,
    request: Request,
) -> Reply {
    process(&state, &context, &caller, request, None, |_| {}).await
}

/// `POST /crop`: fills the box and cuts off the rest.
pub(in crate::http) async fn crop(
    State(state): StateArg,
    Extension(context): ContextArg,
    caller: AuthenticatedCaller,
    request: Request,
) -> Reply {
    process(&state, &context, &caller, request, None, |base| base.fit = Fit::Cover).await
}

/// `POST /thumbnail`: within the box, never larger than the source.
pub(in crate::http) async fn thumbnail(
    State(state): StateArg,
    Extension(context): ContextArg,
    caller: AuthenticatedCaller,
    request: Request,
) -> Reply {
    process(&state, &context, &caller, request, None, |base| base.fit = Fit::Inside).await
}

/// `POST /convert`: another format, which has to be named.
pub(in crate::http) async fn convert(
    State(state): StateArg,
    Extension(context): ContextArg,
    caller: AuthenticatedCaller,
    request: Request,
) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    let names_format = query.split('&').any(|pair| pair.starts_with("type=") || pair.starts_with("format="));
    if !form::is_form(request.headers()) && !names_format {
        return Err(RequestError::Malformed("name the format to convert to: format=webp".into()));
    }
    process(&state, &context, &caller, request, None, |_| {}).await
}

/// `POST /pipeline/grayscale,blur:2`: the operations of the path.
pub(in crate::http) async fn pipeline(
    State(state): StateArg,
    Extension(context): ContextArg,
    caller: AuthenticatedCaller,
    Path(operations): Path<String>,
    request: Request,
) -> Reply {
    process(&state, &context, &caller, request, Some(operations), |_| {}).await
}

/// `POST /info`: facts about an image.
pub(in crate::http) async fn info(
    State(state): StateArg,
    Extension(context): ContextArg,
    caller: AuthenticatedCaller,
    request: Request,
) -> Reply {
    let (head, body) = request.into_parts();
    options::read(&state.service.settings().policy.current(), &context, head.uri.query(), Vec::new())?;
    let Upload { image: ReceivedBody { bytes, memory }, .. } =
        form::read(&state, &caller, &head.headers, body).await?;
    let limits = state.service.engine().settings().limits.clone();
    let facts = job::blocking(move || {
        let facts = crate::codec::inspect(&bytes, &limits);
        drop((bytes, memory));
        Ok(facts?)
    });
    let facts = facts.await?;
    let mut facts_json = facts.to_json();
    // imaginary's names for the same, for its clients.
    facts_json["type"] = facts.format.name().into();
    facts_json["hasAlpha"] = facts.channels.has_alpha().into();
    facts_json["hasProfile"] = facts.profile.is_some().into();
    facts_json["space"] = if facts.channels.count() < 3 { "b-w" } else { "srgb" }.into();
    Ok(reply::json(&facts_json))
}

/// Reads options and image, runs the job, and answers with the result.
async fn process(
    state: &HttpState,
    context: &RequestContext,
    caller: &AuthenticatedCaller,
    request: Request,
    operations: Option<String>,
    set_base: impl FnOnce(&mut Spec),
) -> Reply {
    let (head, body) = request.into_parts();
    let mut policy = RequestPolicy::clone(&state.service.settings().policy.current());
    set_base(&mut policy.base);
    let query = head.uri.query();
    if !form::is_form(&head.headers) {
        // No options follow in the body: refuse wrong ones before reading it.
        options::read(&policy, context, query, with_operations(&operations, query, Vec::new())?)?;
    }
    let Upload { image, fields } = form::read(state, caller, &head.headers, body).await?;
    context.set_arrived();
    let options = options::read(&policy, context, query, with_operations(&operations, query, fields)?)?;
    let candidates = Candidates::new(&options.spec, &head.headers);
    let tag = negotiate::tag(&image.bytes, &options.spec, &candidates);
    if negotiate::has_it(&head.headers, &tag) {
        return Ok(reply::not_modified(context, image.bytes.len(), &tag, candidates.varies));
    }
    let done = run_smallest(state, caller, image, options, candidates.formats()).await?;
    Ok(reply::image(context, done, &tag, candidates.varies))
}

/// Adds the operations of the path to the fields, unless query or fields name some too.
fn with_operations(
    operations: &Option<String>,
    query: Option<&str>,
    mut fields: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, RequestError> {
    let Some(operations) = operations else { return Ok(fields) };
    let in_query = decode_pairs(query.unwrap_or_default().as_bytes())?;
    if in_query.iter().chain(&fields).any(|(name, _)| name == "ops") {
        return Err(RequestError::Malformed("the path names the operations: leave out 'ops'".into()));
    }
    fields.push(("ops".to_owned(), operations.clone()));
    Ok(fields)
}

/// Runs one job for each format, and returns the smallest result; the first of two that are equal.
async fn run_smallest(
    state: &HttpState,
    caller: &AuthenticatedCaller,
    image: ReceivedBody,
    options: Options,
    formats: &[OutputFormat],
) -> Result<JobOutput, RequestError> {
    let Options { spec, call } = options;
    let run = async |image, format: &OutputFormat| {
        let spec = Spec { format: *format, ..spec.clone() };
        job::run(state, caller, image, spec, call.deadline).await
    };
    let (last, others) = formats.split_last().unwrap_or((&OutputFormat::Source, &[]));
    let mut results = Vec::new();
    for format in others {
        let memory = state.service.reserve(caller.key(), image.bytes.len() as u64)?;
        results.push(run(ReceivedBody { bytes: image.bytes.clone(), memory }, format).await?);
    }
    results.push(run(image, last).await?);
    let smallest = results.into_iter().min_by_key(|done| done.encoded.bytes.len());
    smallest.ok_or_else(|| JobError::Panicked.into())
}
