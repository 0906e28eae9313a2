//! Tasks that outlive their request: `POST /upload`, `GET` and `DELETE /status/ID`, `/status/ID/events`,
//! `/result/ID`, `/tasks`.

use crate::engine::Job;
use crate::http::form::{self, Upload};
use crate::http::job::blocking;
use crate::http::negotiate::{self, Candidates};
use crate::http::{HttpState, RequestContext, options, reply};
use crate::service::{AuthenticatedCaller, RequestError};
use crate::spec::{Options, decode_pairs};
use crate::tasks::{NewTask, Owner, State as TaskState, StoreError, TaskId, TaskStatus, Tasks};
use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};
use axum::http::{StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// Interval at which the queue position of a followed task is looked up.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Interval of keep-alive comments while nothing happens to a followed task.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Most tasks of one page of `/tasks`.
const MAX_PAGE: usize = 200;

/// Most bytes of JSON for one task.
const TASK_BYTES: u64 = 2048;

const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json");
const NO_STORE: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// Accepts an image and its options as a task. The answer comes once the task is on disk.
pub(in crate::http) async fn upload(
    State(state): State<Arc<HttpState>>,
    Extension(context): Extension<Arc<RequestContext>>,
    caller: AuthenticatedCaller,
    request: Request,
) -> Result<Response, RequestError> {
    let tasks = tasks(&state)?;
    let (head, body) = request.into_parts();
    let (policy, query) = (state.service.settings().policy.current(), head.uri.query());
    if !form::is_form(&head.headers) {
        // No options follow in the body: refuse wrong ones before reading it.
        options::read(&policy, &context, query, Vec::new())?;
    }
    let Upload { image, fields } = form::read(&state, &caller, &head.headers, body).await?;
    let Options { mut spec, .. } = options::read(&policy, &context, query, fields)?;
    spec.format = Candidates::new(&spec, &head.headers).newest();
    let (owner, service) = (owner(&caller), state.service.clone());
    let id = blocking(move || {
        // The header tells what can never be done: refuse it now.
        let probed = service.probe(&caller, image, spec, None)?;
        let Job { body, spec, memory: _held, .. } = probed.into_job();
        Ok(tasks.submit(NewTask { owner: &owner, spec: &spec, image: &body })?)
    })
    .await?;
    let place = format!("/status/{id}");
    let body = json!({ "task_id": id.to_string(), "status": "queued", "status_url": place });
    Ok((StatusCode::ACCEPTED, [JSON, NO_STORE, (LOCATION, place.as_str())], line(&body)).into_response())
}

/// State of a task.
pub(in crate::http) async fn status(
    State(state): State<Arc<HttpState>>,
    caller: AuthenticatedCaller,
    Path(id): Path<String>,
) -> Result<Response, RequestError> {
    let task = find(&state, &caller, &id).await?;
    Ok(([JSON, NO_STORE], line(&describe(&task))).into_response())
}

/// Stops a task, or deletes its result.
pub(in crate::http) async fn cancel(
    State(state): State<Arc<HttpState>>,
    caller: AuthenticatedCaller,
    Path(id): Path<String>,
) -> Result<Response, RequestError> {
    let (tasks, owner, id) = (tasks(&state)?, owner(&caller), parse(&id)?);
    blocking(move || Ok(tasks.cancel(&owner, id)?)).await?;
    let body = json!({ "task_id": id.to_string(), "status": "cancelled" });
    Ok(([JSON, NO_STORE], line(&body)).into_response())
}

/// One page of the caller's tasks, oldest first: at most `limit`, those that came after the task `after`.
pub(in crate::http) async fn list(
    State(state): State<Arc<HttpState>>,
    caller: AuthenticatedCaller,
    uri: Uri,
) -> Result<Response, RequestError> {
    let (tasks, owner) = (tasks(&state)?, owner(&caller));
    let (mut limit, mut after) = (MAX_PAGE, None);
    for (key, value) in decode_pairs(uri.query().unwrap_or_default().as_bytes())? {
        match key.as_str() {
            "limit" => {
                let wanted = value.parse().ok().filter(|n| (1..=MAX_PAGE).contains(n));
                limit = wanted.ok_or_else(|| {
                    RequestError::Malformed(format!("'limit' is a number from 1 to {MAX_PAGE}"))
                })?;
            }
            "after" => after = Some(parse(&value)?),
            _ => return Err(RequestError::Malformed("/tasks takes 'limit' and 'after'".into())),
        }
    }
    let memory = state.service.reserve(caller.key(), limit as u64 * TASK_BYTES)?;
    let body = blocking(move || {
        // One more than the page tells whether another follows.
        let mut listed = tasks.list(&owner, after, limit + 1)?;
        let next = (listed.len() > limit).then(|| listed[limit - 1].id.to_string());
        listed.truncate(limit);
        let tasks: Vec<_> = listed.iter().map(describe).collect();
        Ok(line(&json!({ "tasks": tasks, "next": next })))
    })
    .await?;
    Ok(([JSON, NO_STORE], axum::body::Body::from(reply::held(body.into_bytes(), memory))).into_response())
}

/// The image of a task that is done.
pub(in crate::http) async fn result(
    State(state): State<Arc<HttpState>>,
    Extension(context): Extension<Arc<RequestContext>>,
    caller: AuthenticatedCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let task = find(&state, &caller, &id).await?;
    let (report, length) = match task.state {
        TaskState::Done { report, bytes, .. } => (report, bytes),
        TaskState::Failed { failure, .. } => {
            return Err(RequestError::TaskFailed { status: failure.status, message: failure.message });
        }
        state @ (TaskState::Queued { .. } | TaskState::Processing { .. }) => {
            return Err(RequestError::TaskNotDone(state.word()));
        }
    };
    let tag = format!("\"{}\"", task.id); // a result never changes
    if negotiate::has_it(&headers, &tag) {
        return Ok(reply::not_modified(&context, 0, &tag, false));
    }
    let memory = state.service.reserve(caller.key(), length)?;
    let (tasks, owner) = (tasks(&state)?, owner(&caller));
    let image = blocking(move || Ok(tasks.result(&owner, task.id)?)).await?;
    Ok(reply::stored(&context, report, image, memory, &tag))
}

/// The states of a task as server-sent events, until its end.
pub(in crate::http) async fn events(
    State(state): State<Arc<HttpState>>,
    caller: AuthenticatedCaller,
    Path(id): Path<String>,
) -> Result<Response, RequestError> {
    let task = find(&state, &caller, &id).await?;
    let (tasks, owner) = (tasks(&state)?, owner(&caller));
    let events = Sse::new(follow(state, tasks, owner, task.id));
    Ok(([NO_STORE], events.keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response())
}

fn follow(
    state: Arc<HttpState>,
    tasks: Arc<Tasks>,
    owner: Owner,
    id: TaskId,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let changed = Arc::new(Notify::new());
    let listener = changed.clone();
    let subscription = tasks.subscribe(id, move || listener.notify_one());
    let mut last: Option<Value> = None;
    let mut is_over = false;
    let next = async move || {
        let _ = &subscription; // ends with the stream
        while !is_over {
            let (tasks, owner) = (tasks.clone(), owner.clone());
            let current = match blocking(move || Ok(tasks.status(&owner, id)?)).await {
                Ok(task) => {
                    is_over = task.state.is_final();
                    describe(&task)
                }
                Err(RequestError::NoSuchTask) => {
                    is_over = true;
                    json!({ "task_id": id.to_string(), "status": "cancelled" })
                }
                Err(_) => return None,
            };
            if last.as_ref() != Some(&current) {
                let event = Event::default().event(current["status"].as_str().unwrap_or_default());
                let event = event.data(current.to_string());
                last = Some(current);
                return Some(Ok(event));
            }
            tokio::select! {
                () = changed.notified() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                () = state.stopping.cancelled() => return None,
            }
        }
        None
    };
    stream::unfold(next, async |mut next| Some((next().await?, next)))
}

fn tasks(state: &HttpState) -> Result<Arc<Tasks>, RequestError> {
    state.settings.tasks.clone().ok_or(RequestError::TasksOff)
}

fn owner(caller: &AuthenticatedCaller) -> Owner {
    Owner::new(caller.token().map(AsRef::as_ref))
}

/// Parses an id. A text that is not one is as unknown as one of no task.
fn parse(id: &str) -> Result<TaskId, RequestError> {
    id.parse().map_err(|_| RequestError::NoSuchTask)
}

async fn find(state: &HttpState, caller: &AuthenticatedCaller, id: &str) -> Result<TaskStatus, RequestError> {
    let (tasks, owner, id) = (tasks(state)?, owner(caller), parse(id)?);
    blocking(move || Ok(tasks.status(&owner, id)?)).await
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => RequestError::NoSuchTask,
            error @ StoreError::Away(_) => RequestError::StoreAway(error.to_string()),
            error @ (StoreError::Full | StoreError::TooMany { .. } | StoreError::Io(_)) => {
                RequestError::StorageFull(error.to_string())
            }
        }
    }
}

fn line(body: &Value) -> String {
    body.to_string() + "\n"
}

/// A task as its owner sees it.
fn describe(task: &TaskStatus) -> Value {
    let mut body = match &task.state {
        TaskState::Queued { ahead } => json!({ "position": ahead + 1, "progress": 0 }),
        TaskState::Processing { started, step } => {
            json!({ "started": rfc3339(*started), "step": step.word(), "progress": step.percent() })
        }
        TaskState::Done { finished, report, bytes } => {
            let mut body = report.to_json();
            body["finished"] = rfc3339(*finished).into();
            body["progress"] = 100.into();
            body["result"] = format!("/result/{}", task.id).into();
            body["result_bytes"] = (*bytes).into();
            body
        }
        TaskState::Failed { finished, failure } => json!({
            "finished": rfc3339(*finished),
            "error": failure.status.word(),
            "code": failure.status.http(),
            "message": failure.message,
        }),
    };
    body["task_id"] = task.id.to_string().into();
    body["status"] = task.state.word().into();
    body["submitted"] = rfc3339(task.submitted).into();
    body["source_bytes"] = task.source_bytes.into();
    body
}

/// Last second of the year 9999: RFC 3339 has four digits for a year.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// A time as `2026-01-31T23:59:59.999Z`.
pub(in crate::http) fn rfc3339(time: SystemTime) -> String {
    let time = time.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + LAST_SECOND);
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_are_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(951_782_400_007);
        assert_eq!(rfc3339(time), "2000-02-29T00:00:00.007Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + LAST_SECOND * 2), "9999-12-31T23:59:59.000Z");
    }
}
