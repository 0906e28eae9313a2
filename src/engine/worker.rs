//! The worker threads: each pulls a job from the queue, processes it with its own scratch, and sends the outcome.

use crate::codec::Scratch;
use crate::engine::job::{JobError, JobOutput};
use crate::engine::queue::PendingJob;
use crate::engine::schedule::Start;
use crate::engine::{EngineCore, Outcome};
use crate::limits::Limits;
use crate::metrics::Stage;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use std::{io, thread};

/// Stack of a worker. Codecs do not recurse on input.
const STACK_BYTES: usize = 4 << 20;

/// Most scratch that a worker keeps between two jobs, in bytes: that of a progressive JPEG of 24 megapixels, whose pages
/// then need no second fault.
const IDLE_SCRATCH_BYTES: usize = 32 << 20;

/// Starts a thread for each worker, and one for the extra worker of the [`schedule`](crate::engine::schedule).
pub(super) fn start(core: &Arc<EngineCore>) -> io::Result<()> {
    for i in 0..=core.settings.workers {
        let core = core.clone();
        thread::Builder::new()
            .name(format!("worker-{i}"))
            .stack_size(STACK_BYTES)
            .spawn(move || work(&core))?;
    }
    Ok(())
}

/// Threads that help workers with large pictures. They are a pool of their own because an idle thread of a rayon pool
/// looks for work for a while, which costs as much as a small picture.
pub(super) fn sharers(threads: usize) -> io::Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("sharer-{i}"))
        .stack_size(STACK_BYTES)
        .build()
        .map_err(io::Error::other)
}

fn work(core: &EngineCore) {
    let mut scratch = Scratch::default();
    while let Some(Start { id, job, idle_workers }) = core.queue.next() {
        let started = Instant::now();
        let (reply, outcome) = process(core, job, idle_workers, &mut scratch);
        core.queue.finish(id, started.elapsed());
        let _ = reply.send(outcome); // the caller may have left
    }
}

/// Processes one job. A panic ends the job and nothing else.
fn process(
    core: &EngineCore,
    job: PendingJob,
    idle_workers: usize,
    scratch: &mut Scratch,
) -> (oneshot::Sender<Outcome>, Outcome) {
    let PendingJob { body, plan, spec, mut memory, cancel, queued_at, reply, .. } = job;
    let metrics = &core.metrics;
    let queued = queued_at.elapsed();
    metrics.staged(Stage::Queue, queued);
    let spare_workers = if plan.is_shareable { idle_workers } else { 0 };
    let limits = Limits { spare_workers, cancel: cancel.clone(), ..core.settings.limits.clone() };
    let outcome = cancel.check().map_err(|stopped| JobError::Codec(stopped.into())).and_then(|()| {
        let mut work = || core.process.0(&body, &plan, &spec, &limits, scratch);
        let contained = catch_unwind(AssertUnwindSafe(|| match spare_workers {
            0 => work(),
            _ => core.sharers.install(work),
        }));
        match contained {
            Ok(outcome) => outcome.map_err(JobError::Codec),
            Err(_) => {
                metrics.panics.increment();
                *scratch = Scratch::default(); // its state is unknown
                Err(JobError::Panicked)
            }
        }
    });
    // Before the answer, so that the caller's next request does not meet the memory of this one.
    scratch.shrink_to(IDLE_SCRATCH_BYTES);
    let source_bytes = body.len() as u64;
    drop(body);
    let outcome = outcome.map(|encoded| {
        metrics.staged(Stage::Decode, encoded.times.decode);
        metrics.staged(Stage::Resize, encoded.times.resize);
        metrics.staged(Stage::Encode, encoded.times.encode);
        metrics.pixels.add(u64::from(encoded.source.width) * u64::from(encoded.source.height));
        let _ = memory.resize(encoded.bytes.len() as u64); // never more than was reserved
        JobOutput { encoded, source_bytes, queued, memory }
    });
    (reply, outcome)
}
