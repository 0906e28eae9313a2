//! A job's way through the engine as a future. No thread waits for it; dropping it cancels the job.

use crate::engine::{JobError, JobOutput, TicketFuture};
use crate::http::HttpState;
use crate::service::{AuthenticatedCaller, ReceivedBody, RequestError};
use crate::spec::Spec;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

/// Runs a job to its end on a worker.
///
/// # Errors
/// As [`crate::service::Service::submit`] and [`wait`].
pub(crate) async fn run(
    state: &HttpState,
    caller: &AuthenticatedCaller,
    body: ReceivedBody,
    spec: Spec,
    deadline: Option<Duration>,
) -> Result<JobOutput, RequestError> {
    wait(&mut submit(state, caller, body, spec, deadline).await?).await
}

/// Probes an image and queues its job.
///
/// # Errors
/// As [`crate::service::Service::submit`].
pub(crate) async fn submit(
    state: &HttpState,
    caller: &AuthenticatedCaller,
    body: ReceivedBody,
    spec: Spec,
    deadline: Option<Duration>,
) -> Result<TicketFuture, RequestError> {
    let (service, caller) = (state.service.clone(), caller.clone());
    // A hostile header takes milliseconds to read, which the other connections should not wait for.
    blocking(move || Ok(service.submit(&caller, body, spec, deadline)?.into_future())).await
}

/// Waits for a queued job. May be dropped and called again.
///
/// # Errors
/// [`RequestError::Job`].
pub(crate) async fn wait(ticket: &mut TicketFuture) -> Result<JobOutput, RequestError> {
    loop {
        let deadline = ticket.next_deadline(Instant::now());
        match timeout_at(deadline.into(), &mut *ticket).await {
            Ok(outcome) => return Ok(outcome?),
            Err(_) => {
                if let Some(error) = ticket.overdue(Instant::now()) {
                    return Err(error.into());
                }
            }
        }
    }
}

/// Runs `work`, which may take milliseconds or touch a disk, outside the I/O threads.
///
/// # Errors
/// Those of `work`; [`RequestError::Overloaded`] when the system has no thread for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
) -> Result<T, RequestError> {
    // Tokio panics when it has no thread and gets none.
    let started = catch_unwind(AssertUnwindSafe(|| spawn_blocking(work)));
    let handle = started.map_err(|_| RequestError::Overloaded)?;
    handle.await.map_err(|_| JobError::Panicked)?
}
