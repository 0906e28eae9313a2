//! `WorkQueue`: the one queue, from which the workers pull.

use crate::codec::Plan;
use crate::engine::Outcome;
use crate::engine::budget::Reservation;
use crate::engine::job::{BusyCause, CallerKey, JobError};
use crate::engine::schedule::{JobId, Schedule, Start};
use crate::limits::Cancel;
use crate::spec::Spec;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Interval at which an idle worker looks again after a job that cannot start yet.
const RETRY: Duration = Duration::from_millis(10);

/// A job with all that a worker needs.
#[derive(Debug)]
pub(super) struct PendingJob {
    pub(super) body: Vec<u8>,
    pub(super) plan: Plan,
    pub(super) spec: Spec,
    pub(super) memory: Reservation,
    /// Bytes that the job needs in all while it runs.
    pub(super) needs: u64,
    pub(super) cancel: Cancel,
    pub(super) queued_at: Instant,
    pub(super) reply: oneshot::Sender<Outcome>,
}

impl PendingJob {
    /// Reserves the memory that the job needs. A job that runs alone always gets it, so that a budget full of waiting
    /// bodies cannot bring everything to a halt.
    fn reserve(&mut self, alone: bool) -> bool {
        let needs = self.needs.max(self.memory.bytes());
        if alone {
            self.memory.force(needs);
        }
        self.memory.resize(needs).is_ok()
    }
}

/// Limits of the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueLimits {
    pub(super) workers: usize,
    /// Places for jobs that are asked for. Jobs whose bodies were in flight when these filled up get half as many again.
    pub(super) places: usize,
    /// Longest wait.
    pub(super) timeout: Duration,
}

/// Jobs that wait for a worker, and a record of those that run.
#[derive(Debug)]
pub(super) struct WorkQueue {
    limits: QueueLimits,
    state: Mutex<QueueState>,
    /// A job may start, or the queue is closed.
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState {
    schedule: Schedule<PendingJob>,
    /// Latest retry time handed out.
    promised: Instant,
    closed: bool,
}

impl WorkQueue {
    pub(super) fn new(limits: QueueLimits) -> WorkQueue {
        let schedule = Schedule::new(limits.workers);
        let state = QueueState { schedule, promised: Instant::now(), closed: false };
        WorkQueue { limits, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers of jobs that wait and that run.
    pub(super) fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (state.schedule.queued(), state.schedule.running())
    }

    /// Refuses a caller whose job would not be queued now.
    ///
    /// # Errors
    /// [`JobError::Busy`].
    pub(super) fn admit(&self, caller: CallerKey) -> Result<(), JobError> {
        let mut state = self.lock();
        let wait = state.schedule.wait(caller, None);
        let has_place =
            state.schedule.queued() < self.limits.places || state.schedule.can_displace_for(caller);
        if has_place && wait <= self.limits.timeout {
            return Ok(());
        }
        Err(state.busy(BusyCause::Places, wait, self.limits.timeout))
    }

    /// Queues a job. In a full queue the caller with most jobs gives one up for a caller with fewer.
    ///
    /// # Errors
    /// [`JobError::Busy`].
    pub(super) fn push(&self, caller: CallerKey, cost: u64, job: PendingJob) -> Result<JobId, JobError> {
        let QueueLimits { places, timeout, .. } = self.limits;
        let now = job.queued_at;
        let mut state = self.lock();
        let wait = state.schedule.wait(caller, Some(cost));
        if wait > timeout {
            return Err(state.busy(BusyCause::Places, wait, timeout));
        }
        let mut displaced = None;
        if state.schedule.queued() >= places + places / 2 {
            displaced = state.schedule.displace_for(caller);
            if displaced.is_none() {
                return Err(state.busy(BusyCause::Places, wait, timeout));
            }
        }
        let id = state.schedule.push(caller, cost, job, now);
        let wakes = state.schedule.may_start(now) || state.schedule.is_held_back();
        let refusal = displaced.map(|job| (job, state.busy(BusyCause::Places, timeout, timeout)));
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
        if let Some((job, busy)) = refusal {
            let _ = job.reply.send(Err(busy));
        }
        Ok(id)
    }

    /// Blocks until a job starts on the calling worker; `None` when the queue is closed and empty.
    pub(super) fn next(&self) -> Option<Start<PendingJob>> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if let Some(start) = state.schedule.start(now, PendingJob::reserve) {
                if state.schedule.may_start(now) {
                    self.changed.notify_one();
                }
                return Some(start);
            }
            if state.closed && state.schedule.is_empty() {
                return None;
            }
            // Memory comes free, and time passes, without a signal.
            state = if state.schedule.is_held_back() {
                self.changed.wait_timeout(state, RETRY).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// Notes that a job has left its worker, which is about to ask for the [`WorkQueue::next`].
    pub(super) fn finish(&self, id: JobId, time: Duration) {
        self.lock().schedule.finish(id, time);
    }

    /// Removes a job that waits; `None` if it has started or ended.
    pub(super) fn withdraw(&self, id: JobId) -> Option<PendingJob> {
        self.lock().schedule.remove(id)
    }

    /// Returns true if the job waits.
    pub(super) fn contains(&self, id: JobId) -> bool {
        self.lock().schedule.contains(id)
    }

    /// Builds [`JobError::Busy`] with a retry time of its own.
    pub(super) fn busy(&self, cause: BusyCause, caller: CallerKey) -> JobError {
        let mut state = self.lock();
        let wait = state.schedule.wait(caller, None);
        state.busy(cause, wait, self.limits.timeout)
    }

    /// Ends the workers once no job waits.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl QueueState {
    /// Builds [`JobError::Busy`] with staggered retry times, so that refused callers do not return together.
    fn busy(&mut self, cause: BusyCause, wait: Duration, timeout: Duration) -> JobError {
        let now = Instant::now();
        // A caller that returns at once must not put the next one off for longer than a job may wait.
        let latest = wait.max(timeout);
        let next = (self.promised + self.schedule.interval()).saturating_duration_since(now);
        let retry_after = next.clamp(wait, latest);
        self.promised = now + retry_after;
        JobError::Busy {
            cause,
            retry_after: retry_after.clamp(Duration::from_millis(50), Duration::from_secs(30)),
        }
    }
}
