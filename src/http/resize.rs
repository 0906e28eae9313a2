//! `POST /resize`: an image in the body, what to make of it in the query, the result as the answer.

use super::body::{self, Received};
use super::{Admitted, Door, Failure, options, reply, work};
use crate::engine::Job;
use axum::extract::{Request, State};
use axum::response::Response;
use std::sync::Arc;

pub(super) async fn resize(
    State(door): State<Arc<Door>>,
    Admitted { call, caller }: Admitted,
    request: Request,
) -> Result<Response, Failure> {
    let options = options::read(&door.settings.door.offer, &call, request.uri().query())?;
    let (head, body) = request.into_parts();
    let Received { bytes, memory } = body::read(&door, &call, &head.headers, body).await?;
    if bytes.is_empty() {
        return Err(Failure::Empty);
    }
    let job = Job { body: bytes, memory, spec: options.spec, deadline: options.call.deadline };
    let done = work::run(&door, &caller, job).await?;
    Ok(reply::picture(&call, done))
}
