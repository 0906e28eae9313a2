//! The routes that make a picture of a picture: `/resize` and its relatives. They differ in what holds where
//! the request says nothing.

use crate::engine::{CallerKey, Job, JobError};
use crate::http::form::{self, Upload};
use crate::http::{Admitted, Failure, HttpState, negotiate, options, reply, work};
use crate::service::policy::RequestPolicy;
use crate::spec::{Fit, Spec};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use std::sync::Arc;

type Shared = State<Arc<HttpState>>;
type Outcome = Result<Response, Failure>;

/// `POST /resize`: as the options say.
pub(super) async fn resize(State(door): Shared, admitted: Admitted, request: Request) -> Outcome {
    process(&door, admitted, request, Vec::new(), |_| {}).await
}

/// `POST /crop`: fills the box and cuts off what stands over.
pub(super) async fn crop(State(door): Shared, admitted: Admitted, request: Request) -> Outcome {
    process(&door, admitted, request, Vec::new(), |base| base.fit = Fit::Cover).await
}

/// `POST /thumbnail`: within the box, never larger than the source.
pub(super) async fn thumbnail(State(door): Shared, admitted: Admitted, request: Request) -> Outcome {
    process(&door, admitted, request, Vec::new(), |base| base.fit = Fit::Inside).await
}

/// `POST /convert`: another format, which has to be named.
pub(super) async fn convert(State(door): Shared, admitted: Admitted, request: Request) -> Outcome {
    let query = request.uri().query().unwrap_or_default();
    if !form::is_form(request.headers())
        && !query.split('&').any(|pair| pair.starts_with("type=") || pair.starts_with("format="))
    {
        return Err(Failure::BadRequest("say which format to convert to: format=webp".into()));
    }
    process(&door, admitted, request, Vec::new(), |_| {}).await
}

/// `POST /pipeline/grayscale,blur:2`: the operations of the path.
pub(super) async fn pipeline(
    State(door): Shared,
    admitted: Admitted,
    Path(operations): Path<String>,
    request: Request,
) -> Outcome {
    process(&door, admitted, request, vec![("ops".to_owned(), operations)], |_| {}).await
}

/// `POST /info`: what the picture says about itself.
pub(super) async fn info(State(door): Shared, admitted: Admitted, request: Request) -> Outcome {
    let (head, body) = request.into_parts();
    options::read(&door.settings.door.policy, &admitted.call, head.uri.query(), Vec::new())?;
    let Upload { image, memory, .. } = form::read(&door, &admitted.call, &head.headers, body).await?;
    let limits = door.engine.settings().limits.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let facts = crate::codec::inspect(&image, &limits);
        drop((image, memory));
        facts
    });
    let facts = looked.await.map_err(|_| JobError::Panicked)?.map_err(JobError::Codec)?;
    let mut facts_json = facts.to_json();
    // imaginary's names for the same, for its clients.
    facts_json["type"] = facts.format.name().into();
    facts_json["hasAlpha"] = facts.channels.has_alpha().into();
    facts_json["hasProfile"] = facts.profile.is_some().into();
    facts_json["space"] = if facts.channels.count() < 3 { "b-w" } else { "srgb" }.into();
    Ok(reply::json(&facts_json))
}

/// Reads options and picture, runs the job, and answers with the result.
async fn process(
    door: &HttpState,
    Admitted { call, caller }: Admitted,
    request: Request,
    more: Vec<(String, String)>,
    set_base: impl FnOnce(&mut Spec),
) -> Outcome {
    let (head, body) = request.into_parts();
    let mut offer = RequestPolicy::clone(&door.settings.door.policy);
    set_base(&mut offer.base);
    if !form::is_form(&head.headers) {
        // Nothing more will come with the body, so that what is wrong can be told before it is read.
        options::read(&offer, &call, head.uri.query(), more.clone())?;
    }
    door.engine.admit(CallerKey::of(&caller))?; // refuse before reading the body
    let Upload { image, memory, mut fields } = form::read(door, &call, &head.headers, body).await?;
    fields.extend(more);
    let mut options = options::read(&offer, &call, head.uri.query(), fields)?;
    let varies = negotiate::settle_format(&mut options.spec, &head.headers);
    let tag = negotiate::tag(&image, &options.spec);
    if negotiate::has_it(&head.headers, &tag) {
        return Ok(reply::not_modified(&call, image.len(), &tag, varies));
    }
    let job = Job { body: image, memory, spec: options.spec, deadline: options.call.deadline };
    let done = work::run(door, &caller, job).await?;
    Ok(reply::picture(&call, done, &tag, varies))
}
