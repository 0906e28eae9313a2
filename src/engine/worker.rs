//! The worker threads, each with its own scratch, and what one of them does with a job.

use super::job::{Done, JobError};
use super::ticket::Pending;
use crate::codec::{self, Scratch};
use crate::limits::Limits;
use crate::metrics::{Metrics, Stage};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, TryLockError};

/// Room for the deepest codec; codecs do not recurse on input.
const STACK_BYTES: usize = 4 << 20;

/// What a worker's scratch may keep between two jobs, in bytes.
const IDLE_SCRATCH_BYTES: usize = 16 << 20;

/// A fixed pool of threads.
pub(super) struct Workers {
    pool: rayon::ThreadPool,
    scratches: Arc<[Mutex<Scratch>]>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("threads", &self.scratches.len()).finish()
    }
}

impl Workers {
    pub(super) fn start(threads: usize) -> Result<Workers, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("worker-{i}"))
            .stack_size(STACK_BYTES)
            .build()?;
        let scratches = (0..threads).map(|_| Mutex::default()).collect();
        Ok(Workers { pool, scratches })
    }

    /// Runs `work` on a thread of the pool with that thread's scratch.
    pub(super) fn spawn(&self, work: impl FnOnce(&mut Scratch) + Send + 'static) {
        let scratches = self.scratches.clone();
        self.pool.spawn(move || {
            let own = rayon::current_thread_index().and_then(|i| scratches.get(i));
            match own.map(Mutex::try_lock) {
                Some(Ok(mut scratch)) => {
                    work(&mut scratch);
                    scratch.shrink_to(IDLE_SCRATCH_BYTES);
                }
                Some(Err(TryLockError::Poisoned(poisoned))) => work(&mut poisoned.into_inner()),
                // A thread that waits for its share of a divided picture may be handed a second job.
                Some(Err(TryLockError::WouldBlock)) | None => work(&mut Scratch::default()),
            }
        });
    }
}

/// Processes one job and sends the outcome to its ticket. A panic ends the job and nothing else.
pub(super) fn process(
    pending: Pending,
    spare: usize,
    limits: &Limits,
    metrics: &Metrics,
    scratch: &mut Scratch,
) {
    let Pending { body, plan, spec, mut memory, cancel, queued_at, reply, .. } = pending;
    let queued = queued_at.elapsed();
    metrics.staged(Stage::Queue, queued);
    let limits = Limits { spare_workers: spare, cancel: cancel.clone(), ..limits.clone() };
    let outcome = cancel.check().map_err(|stopped| JobError::Codec(stopped.into())).and_then(|()| {
        let work = AssertUnwindSafe(|| codec::process_planned(&body, &plan, &spec, &limits, scratch));
        match catch_unwind(work) {
            Ok(outcome) => outcome.map_err(JobError::Codec),
            Err(_) => {
                metrics.panics.increment();
                *scratch = Scratch::default(); // who knows what state it was left in
                Err(JobError::Panicked)
            }
        }
    });
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
