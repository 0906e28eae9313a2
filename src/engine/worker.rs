//! The worker threads, each with its own scratch, and what one of them does with a job.

use crate::codec::Scratch;
use crate::engine::Process;
use crate::engine::job::{Done, JobError};
use crate::engine::ticket::Pending;
use crate::limits::Limits;
use crate::metrics::{Metrics, Stage};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{fmt, io, thread};

/// Room for the deepest codec; codecs do not recurse on input.
const STACK_BYTES: usize = 4 << 20;

/// What a worker's scratch may keep between two jobs, in bytes: all that a progressive JPEG of 24 megapixels takes,
/// so that the next one does not pay for its pages again.
const IDLE_SCRATCH_BYTES: usize = 32 << 20;

/// What a worker is asked to do.
type Work = Box<dyn FnOnce(&mut Scratch) + Send>;

/// A fixed pool of threads, which sleep between jobs. Those of a rayon pool would look about for more work for a
/// while first, which is a percent of a small picture; such a pool is there as well, but only for pictures that
/// idle workers share.
pub(super) struct Workers {
    hand_off: Arc<HandOff>,
    sharers: rayon::ThreadPool,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("threads", &self.sharers.current_num_threads()).finish()
    }
}

impl Workers {
    pub(super) fn start(threads: usize) -> io::Result<Workers> {
        let hand_off = Arc::<HandOff>::default();
        let sharers = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("sharer-{i}"))
            .stack_size(STACK_BYTES)
            .build()
            .map_err(io::Error::other)?;
        let workers = Workers { hand_off, sharers }; // from here on an error ends those that were started
        for i in 0..threads {
            let hand_off = workers.hand_off.clone();
            thread::Builder::new()
                .name(format!("worker-{i}"))
                .stack_size(STACK_BYTES)
                .spawn(move || hand_off.work_until_closed())?;
        }
        Ok(workers)
    }

    /// Runs `work` on a thread of the pool with that thread's scratch.
    pub(super) fn spawn(&self, work: impl FnOnce(&mut Scratch) + Send + 'static) {
        self.hand_off.lock().work.push_back(Box::new(work));
        self.hand_off.changed.notify_one();
    }

    /// The pool on which a picture may be shared.
    pub(super) fn sharers(&self) -> &rayon::ThreadPool {
        &self.sharers
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.hand_off.lock().closed = true;
        self.hand_off.changed.notify_all();
    }
}

/// Where work passes from those who have it to those who do it.
#[derive(Default)]
struct HandOff {
    state: Mutex<Pile>,
    changed: Condvar,
}

#[derive(Default)]
struct Pile {
    work: VecDeque<Work>,
    closed: bool,
}

impl HandOff {
    fn lock(&self) -> MutexGuard<'_, Pile> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece of work; `None` when there will be no more.
    fn next(&self) -> Option<Work> {
        let waiting = |pile: &mut Pile| pile.work.is_empty() && !pile.closed;
        let pile = self.changed.wait_while(self.lock(), waiting);
        pile.unwrap_or_else(PoisonError::into_inner).work.pop_front()
    }

    fn work_until_closed(&self) {
        let mut scratch = Scratch::default();
        while let Some(work) = self.next() {
            work(&mut scratch);
        }
    }
}

/// Processes one job and sends the outcome to its ticket. A panic ends the job and nothing else.
pub(super) fn process(
    pending: Pending,
    spare: usize,
    sharers: &rayon::ThreadPool,
    limits: &Limits,
    metrics: &Metrics,
    process: &Process,
    scratch: &mut Scratch,
) {
    let Pending { body, plan, spec, mut memory, cancel, queued_at, reply, .. } = pending;
    let queued = queued_at.elapsed();
    metrics.staged(Stage::Queue, queued);
    let limits = Limits { spare_workers: spare, cancel: cancel.clone(), ..limits.clone() };
    let outcome = cancel.check().map_err(|stopped| JobError::Codec(stopped.into())).and_then(|()| {
        let mut work = || process(&body, &plan, &spec, &limits, scratch);
        match catch_unwind(AssertUnwindSafe(|| if spare > 0 { sharers.install(work) } else { work() })) {
            Ok(outcome) => outcome.map_err(JobError::Codec),
            Err(_) => {
                metrics.panics.increment();
                *scratch = Scratch::default(); // who knows what state it was left in
                Err(JobError::Panicked)
            }
        }
    });
    // Before the answer, so that the next request of this caller does not meet what this one held.
    scratch.shrink_to(IDLE_SCRATCH_BYTES);
    let source_bytes = body.len() as u64;
    drop(body);
    let outcome = outcome.map(|encoded| {
        metrics.staged(Stage::Decode, encoded.times.decode);
        metrics.staged(Stage::Resize, encoded.times.resize);
        metrics.staged(Stage::Encode, encoded.times.encode);
        metrics.pixels.add(u64::from(encoded.source.width) * u64::from(encoded.source.height));
        let _ = memory.resize(encoded.bytes.len() as u64); // never more than was reserved
        Done { encoded, source_bytes, queued, memory }
    });
    reply.keep(outcome);
}
