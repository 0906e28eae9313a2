//! Tasks that outlive their request: `POST /upload`, `GET` and `DELETE /status/ID`, `/status/ID/events`,
//! `/result/ID`, `/tasks`.

use crate::engine::{BudgetSpent, Job};
use crate::http::form::{self, Upload};
use crate::http::{Admitted, Failure, HttpState, RequestContext, negotiate, options, reply};
use crate::tasks::{NewTask, Owner, State as Standing, StoreError, TaskId, TaskStatus, Tasks};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

/// How often the place in the queue is looked at for somebody who listens.
const GLANCE: Duration = Duration::from_secs(1);

/// Between two signs of life to somebody who listens while nothing happens.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json");
const NOT_KEPT: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// Accepts an image, and what to make of it, as a task: answered once it is on disk.
pub(super) async fn upload(
    State(door): State<Arc<HttpState>>,
    Admitted { call, caller }: Admitted,
    request: Request,
) -> Result<Response, Failure> {
    let tasks = tasks(&door)?;
    let job = asked(&door, &call, request).await?;
    let (owner, engine) = (owner(&call), door.engine.clone());
    // What can never be done is refused now, by the header of the picture.
    let examined = blocking(move || Ok(engine.probe(job)?)).await?;
    door.service.rates().pixels(&caller, examined.cost())?;
    let id = blocking(move || {
        let Job { body, spec, memory: _held, .. } = examined.into_job();
        Ok(tasks.submit(NewTask { owner: &owner, spec: &spec, image: &body })?)
    })
    .await?;
    let place = format!("/status/{id}");
    let body = json!({ "task_id": id.to_string(), "status": "queued", "status_url": place });
    Ok((StatusCode::ACCEPTED, [JSON, NOT_KEPT, (LOCATION, place.as_str())], line(&body)).into_response())
}

/// The job of a request. The fields of its form are options too.
async fn asked(door: &HttpState, call: &RequestContext, request: Request) -> Result<Job, Failure> {
    let (head, body) = request.into_parts();
    let (offer, query) = (&door.settings.door.policy, head.uri.query());
    if !form::is_form(&head.headers) {
        // Nothing more will come with the body, so that what is wrong can be told before it is read.
        options::read(offer, call, query, Vec::new())?;
    }
    let Upload { image, memory, fields } = form::read(door, call, &head.headers, body).await?;
    let mut spec = options::read(offer, call, query, fields)?.spec;
    negotiate::settle_format(&mut spec, &head.headers);
    Ok(Job { body: image, memory, spec, deadline: None })
}

/// How a task stands.
pub(super) async fn status(
    State(door): State<Arc<HttpState>>,
    Admitted { call, .. }: Admitted,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let task = find(&door, &call, &id).await?;
    Ok(([JSON, NOT_KEPT], line(&describe(&task))).into_response())
}

/// Stops a task, or deletes its result.
pub(super) async fn cancel(
    State(door): State<Arc<HttpState>>,
    Admitted { call, .. }: Admitted,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (tasks, owner, id) = (tasks(&door)?, owner(&call), parse(&id)?);
    blocking(move || Ok(tasks.cancel(&owner, id)?)).await?;
    let body = json!({ "task_id": id.to_string(), "status": "cancelled" });
    Ok(([JSON, NOT_KEPT], line(&body)).into_response())
}

/// The caller's tasks, oldest first.
pub(super) async fn list(
    State(door): State<Arc<HttpState>>,
    Admitted { call, .. }: Admitted,
) -> Result<Response, Failure> {
    let (tasks, owner) = (tasks(&door)?, owner(&call));
    let listed = blocking(move || Ok(tasks.list(&owner)?)).await?;
    let body = json!({ "tasks": listed.iter().map(describe).collect::<Vec<_>>() });
    Ok(([JSON, NOT_KEPT], line(&body)).into_response())
}

/// The image of a task that is done.
pub(super) async fn result(
    State(door): State<Arc<HttpState>>,
    Admitted { call, .. }: Admitted,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let task = find(&door, &call, &id).await?;
    let (report, length) = match task.state {
        Standing::Done { report, bytes, .. } => (report, bytes),
        Standing::Failed { failure, .. } => return Err(Failure::TaskFailed(failure)),
        state @ (Standing::Queued { .. } | Standing::Processing { .. }) => {
            return Err(Failure::NotDone(state.word()));
        }
    };
    let tag = format!("\"{}\"", task.id); // a result never changes
    if negotiate::has_it(&headers, &tag) {
        return Ok(reply::not_modified(&call, 0, &tag, false));
    }
    let mut memory = door.engine.reserve();
    memory.resize(length).map_err(|BudgetSpent| door.engine.busy())?;
    let (tasks, owner) = (tasks(&door)?, owner(&call));
    let image = blocking(move || Ok(tasks.result(&owner, task.id)?)).await?;
    Ok(reply::stored(&call, report, image, memory, &tag))
}

/// What happens to a task, as server-sent events, until its end.
pub(super) async fn events(
    State(door): State<Arc<HttpState>>,
    Admitted { call, .. }: Admitted,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let task = find(&door, &call, &id).await?;
    let (tasks, owner) = (tasks(&door)?, owner(&call));
    let events = Sse::new(follow(door, tasks, owner, task.id));
    Ok(([NOT_KEPT], events.keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE))).into_response())
}

fn follow(
    door: Arc<HttpState>,
    tasks: Arc<Tasks>,
    owner: Owner,
    id: TaskId,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let moved = Arc::new(Notify::new());
    let listener = moved.clone();
    let subscription = tasks.subscribe(id, move || listener.notify_one());
    let mut told: Option<Value> = None;
    let mut is_over = false;
    let next = async move || {
        let _ = &subscription; // ends with the stream
        while !is_over {
            let (tasks, owner) = (tasks.clone(), owner.clone());
            let state = match blocking(move || Ok(tasks.status(&owner, id)?)).await {
                Ok(task) => {
                    is_over = task.state.is_final();
                    describe(&task)
                }
                Err(Failure::NoSuchTask) => {
                    is_over = true;
                    json!({ "task_id": id.to_string(), "status": "cancelled" })
                }
                Err(_) => return None,
            };
            if told.as_ref() != Some(&state) {
                let event = Event::default().event(state["status"].as_str().unwrap_or_default());
                let event = event.data(state.to_string());
                told = Some(state);
                return Some(Ok(event));
            }
            tokio::select! {
                () = moved.notified() => {}
                () = tokio::time::sleep(GLANCE) => {}
                () = door.stopping.cancelled() => return None,
            }
        }
        None
    };
    stream::unfold(next, async |mut next| Some((next().await?, next)))
}

fn tasks(door: &HttpState) -> Result<Arc<Tasks>, Failure> {
    door.settings.tasks.clone().ok_or(Failure::NoTasks)
}

fn owner(call: &RequestContext) -> Owner {
    Owner::new(call.token().map(AsRef::as_ref))
}

/// What is no id at all is as unknown as one that nobody has.
fn parse(id: &str) -> Result<TaskId, Failure> {
    id.parse().map_err(|_| Failure::NoSuchTask)
}

async fn find(door: &HttpState, call: &RequestContext, id: &str) -> Result<TaskStatus, Failure> {
    let (tasks, owner, id) = (tasks(door)?, owner(call), parse(id)?);
    blocking(move || Ok(tasks.status(&owner, id)?)).await
}

/// Touches the disk, or waits for somebody who does, on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    spawn_blocking(work).await.map_err(|_| crate::engine::JobError::Panicked)?
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Failure::NoSuchTask,
            error @ (StoreError::Full | StoreError::TooMany { .. } | StoreError::Io(_)) => {
                Failure::NotKept(error)
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
        Standing::Queued { ahead } => json!({ "position": ahead + 1, "progress": 0 }),
        Standing::Processing { started, step } => {
            json!({ "started": rfc3339(*started), "step": step.word(), "progress": step.percent() })
        }
        Standing::Done { finished, report, bytes } => {
            let mut body = report.to_json();
            body["finished"] = rfc3339(*finished).into();
            body["progress"] = 100.into();
            body["result"] = format!("/result/{}", task.id).into();
            body["result_bytes"] = (*bytes).into();
            body
        }
        Standing::Failed { finished, failure } => json!({
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

/// A time as `2026-01-31T23:59:59.999Z`.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // The calendar's years begin in March here, so that the leap day is the last: after H. Hinnant.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * era + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let milli = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_by_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
