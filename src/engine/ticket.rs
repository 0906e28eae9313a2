//! `Ticket` and `TicketFuture`: the caller's end of a queued job, for a thread and for a task.

use crate::codec::CodecError;
use crate::engine::job::{BusyCause, CallerKey, JobError, JobOutput};
use crate::engine::schedule::JobId;
use crate::engine::{EngineCore, Outcome};
use crate::limits::{Cancel, Stopped};
use oneshot::{AsyncReceiver, Receiver, RecvTimeoutError};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Interval at which a waiting thread asks whether its result is still wanted.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Time after its deadline that a job has to notice it. Then its caller is answered without it.
const GRACE: Duration = Duration::from_millis(500);

/// A queued job, for a thread to wait for. Dropping it cancels the job.
#[derive(Debug)]
pub struct Ticket {
    reply: Receiver<Outcome>,
    place: Place,
}

/// A queued job, for a task to await. Dropping it cancels the job.
///
/// It has no timers: a task calls [`TicketFuture::overdue`] at [`TicketFuture::next_deadline`].
#[derive(Debug)]
pub struct TicketFuture {
    reply: AsyncReceiver<Outcome>,
    place: Place,
}

/// The job's place in the queue or on a worker.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) id: JobId,
    pub(super) caller: CallerKey,
    pub(super) cancel: Cancel,
    pub(super) queue_deadline: Instant,
    pub(super) deadline: Instant,
    pub(super) core: Arc<EngineCore>,
}

impl Ticket {
    pub(super) fn new(reply: Receiver<Outcome>, place: Place) -> Ticket {
        Ticket { reply, place }
    }

    /// Waits for the result. The job is cancelled when `is_wanted`, which is called now and then, returns false.
    ///
    /// # Errors
    /// [`JobError`]; `Busy` when no worker was free for too long.
    pub fn wait(self, mut is_wanted: impl FnMut() -> bool) -> Result<JobOutput, JobError> {
        loop {
            match self.reply.recv_timeout(POLL_INTERVAL) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Disconnected) => return Err(JobError::Panicked),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !is_wanted() {
                return Err(JobError::Abandoned);
            }
            if let Some(error) = self.place.overdue(Instant::now()) {
                return Err(error);
            }
        }
    }
}

impl IntoFuture for Ticket {
    type Output = Outcome;
    type IntoFuture = TicketFuture;

    fn into_future(self) -> TicketFuture {
        TicketFuture { reply: self.reply.into_future(), place: self.place }
    }
}

impl TicketFuture {
    /// The next moment to call [`TicketFuture::overdue`]: the end of the longest wait for a worker, then that of the job.
    pub fn next_deadline(&self, now: Instant) -> Instant {
        let Place { queue_deadline, deadline, .. } = self.place;
        if now < queue_deadline { queue_deadline } else { deadline + GRACE }
    }

    /// Gives the job up if its time is over, and returns the reason.
    pub fn overdue(&self, now: Instant) -> Option<JobError> {
        self.place.overdue(now)
    }

    /// Returns true if a worker has taken the job.
    pub fn has_started(&self) -> bool {
        !self.place.core.queue.contains(self.place.id)
    }
}

impl Future for TicketFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let reply = Pin::new(&mut self.reply).poll(context);
        reply.map(|reply| reply.unwrap_or(Err(JobError::Panicked)))
    }
}

impl Place {
    fn overdue(&self, now: Instant) -> Option<JobError> {
        if now >= self.queue_deadline && self.core.queue.withdraw(self.id).is_some() {
            return Some(self.core.queue.busy(BusyCause::Workers, self.caller));
        }
        (now >= self.deadline + GRACE).then(|| CodecError::Stopped(Stopped::DeadlinePassed).into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.core.queue.withdraw(self.id);
    }
}
