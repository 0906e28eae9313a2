//! `Ticket`: the caller's end of a queued job, and `Slot`, the queue's end.

use crate::codec::{CodecError, Plan};
use crate::engine::budget::Reservation;
use crate::engine::job::{BusyCause, Done, Job, JobError};
use crate::engine::promise::{Awaited, Promise, promise};
use crate::engine::{ProbedJob, Shared};
use crate::limits::{Cancel, Stopped};
use crate::spec::Spec;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How often a waiting caller looks whether its result is still wanted.
const GLANCE: Duration = Duration::from_millis(25);

/// How long after its deadline a job may take to notice it, before its caller is answered without it.
const GRACE: Duration = Duration::from_millis(500);

/// A job in the queue or on a worker. Dropping the ticket gives the job up.
///
/// A thread calls [`Ticket::wait`]. A task polls the ticket, which knows no timers: whoever polls it asks
/// [`Ticket::overdue`] at [`Ticket::next_deadline`].
#[derive(Debug)]
pub struct Ticket {
    slot: Arc<Slot>,
    result: Awaited<Result<Done, JobError>>,
    cancel: Cancel,
    queue_deadline: Instant,
    deadline: Instant,
    engine: Arc<Shared>,
}

impl Ticket {
    /// Waits for the result. `still_wanted` is asked now and then; when it says no the job is given up.
    ///
    /// # Errors
    /// [`JobError`]; `Busy` when no worker was free for too long.
    pub fn wait(self, mut still_wanted: impl FnMut() -> bool) -> Result<Done, JobError> {
        loop {
            if let Some(outcome) = self.result.wait(GLANCE) {
                return outcome.unwrap_or(Err(JobError::Panicked));
            }
            if !still_wanted() {
                return Err(JobError::Abandoned);
            }
            if let Some(error) = self.overdue(Instant::now()) {
                return Err(error);
            }
        }
    }

    /// When to ask [`Ticket::overdue`] next: the end of the longest wait for a worker, then that of the job.
    pub fn next_deadline(&self, now: Instant) -> Instant {
        if now < self.queue_deadline { self.queue_deadline } else { self.deadline + GRACE }
    }

    /// Why the job is given up at this moment, if its time is up.
    pub fn overdue(&self, now: Instant) -> Option<JobError> {
        if now >= self.queue_deadline && self.left_queue() {
            return Some(self.engine.busy(&mut self.engine.lock(), BusyCause::Workers));
        }
        (now >= self.deadline + GRACE).then(|| CodecError::Stopped(Stopped::DeadlinePassed).into())
    }
}

impl Future for Ticket {
    type Output = Result<Done, JobError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.result).poll(context).map(|outcome| outcome.unwrap_or(Err(JobError::Panicked)))
    }
}

impl Ticket {
    /// Whether a worker has taken the job.
    pub fn has_started(&self) -> bool {
        self.slot.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Gives up the place in the queue. Whether there still was one, before a worker took it.
    fn left_queue(&self) -> bool {
        let waited = self.slot.take().is_some();
        if waited {
            self.engine.lock().waiting.remove(|slot| Arc::ptr_eq(slot, &self.slot));
        }
        waited
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.left_queue();
    }
}

/// A place in the queue. Emptied by a worker that starts the job, or by the caller that gives it up.
#[derive(Debug)]
pub(super) struct Slot(Mutex<Option<Pending>>);

/// A job with all that a worker needs.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) body: Vec<u8>,
    pub(super) plan: Plan,
    pub(super) spec: Spec,
    pub(super) memory: Reservation,
    pub(super) cancel: Cancel,
    pub(super) queued_at: Instant,
    pub(super) reply: Promise<Result<Done, JobError>>,
    /// Bytes that the job needs in all while it runs.
    needs: u64,
}

impl Slot {
    pub(super) fn new(examined: ProbedJob, now: Instant, engine: &Arc<Shared>) -> (Arc<Slot>, Ticket) {
        let (reply, result) = promise();
        let ProbedJob { job: Job { body, memory, spec, deadline }, plan, needs } = examined;
        let crate::engine::EngineSettings { request_timeout, queue_timeout, .. } = engine.settings;
        let deadline = now + deadline.unwrap_or(request_timeout).min(request_timeout);
        let cancel = Cancel::at(deadline);
        let pending =
            Pending { body, plan, spec, memory, cancel: cancel.clone(), queued_at: now, reply, needs };
        let slot = Arc::new(Slot(Mutex::new(Some(pending))));
        let ticket = Ticket {
            slot: slot.clone(),
            result,
            cancel,
            queue_deadline: now + queue_timeout,
            deadline,
            engine: engine.clone(),
        };
        (slot, ticket)
    }

    /// Reserves the memory that the job needs; `alone` when no other job runs, so that it always gets it.
    /// A job that was given up needs none.
    pub(super) fn reserve(&self, alone: bool) -> bool {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pending) = slot.as_mut() else { return true };
        let needs = pending.needs.max(pending.memory.bytes());
        if alone {
            pending.memory.force(needs);
        }
        pending.memory.resize(needs).is_ok()
    }

    pub(super) fn take(&self) -> Option<Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
