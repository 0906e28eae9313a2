//! A job's way through the engine as a future: no thread waits for it, and dropping it gives the job up.

use crate::engine::{CallerKey, Job, JobError, JobOutput, TicketFuture};
use crate::http::{Failure, HttpState};
use crate::service::Caller;
use std::time::Instant;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

/// Runs a job to its end on a worker.
///
/// # Errors
/// [`Failure::Job`], [`Failure::OverRate`] for the caller's megapixels.
pub(crate) async fn run(door: &HttpState, caller: &Caller, job: Job) -> Result<JobOutput, Failure> {
    wait(&mut start(door, caller, job).await?).await
}

/// Queues a job.
///
/// # Errors
/// As [`run`].
pub(crate) async fn start(door: &HttpState, caller: &Caller, job: Job) -> Result<TicketFuture, Failure> {
    let engine = door.engine.clone();
    // A hostile header can take milliseconds to read, which the other connections should not wait for.
    let examined = spawn_blocking(move || engine.probe(job)).await.map_err(|_| JobError::Panicked)??;
    door.service.rates().pixels(caller, examined.cost())?;
    Ok(door.engine.submit(examined, CallerKey::of(caller))?.into_future())
}

/// Waits for a queued job. May be dropped and called again.
///
/// # Errors
/// [`Failure::Job`].
pub(crate) async fn wait(ticket: &mut TicketFuture) -> Result<JobOutput, Failure> {
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
