//! The engine that every protocol calls: admission, one bounded queue, a fixed pool of workers that pull from it.
//!
//! A protocol makes a reservation, grows it as the body arrives, and submits a [`Job`]. The picture is probed on the
//! caller's thread. A job starts when a worker and its estimated memory are free. A panic in a codec ends one job.

mod budget;
mod job;
mod queue;
mod schedule;
mod ticket;
mod worker;
#[cfg(test)]
mod tests;

pub use budget::{Budget, BudgetSpent, Reservation};
pub use job::{BusyCause, CallerKey, Job, JobError, JobOutput};
pub use ticket::{Ticket, TicketFuture};

use crate::codec::{self, CodecError, Encoded, Plan, Scratch};
use crate::limits::{Cancel, Limits, MIB};
use crate::metrics::{EngineGauges, Metrics};
use crate::spec::Spec;
use queue::{PendingJob, QueueLimits, WorkQueue};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ticket::Place;

/// Settings of an engine.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Threads that process pictures. Default: the cores of the machine.
    pub workers: usize,
    /// Jobs that may wait for a worker before no more bodies are read. Bodies in flight by then are queued
    /// nevertheless, at most half as many again. Default: 16 for each worker.
    pub queue: usize,
    /// Longest wait for a worker before `busy`. Default: 2 s.
    pub queue_timeout: Duration,
    /// Longest time for one job, the wait included. Default: 10 s.
    pub request_timeout: Duration,
    /// Memory that all bodies and running jobs share, in bytes. Default: 256 MiB for each worker.
    pub total_memory: u64,
    /// Limits of one job.
    pub limits: Limits,
}

impl EngineSettings {
    /// The defaults for a number of workers, at least one.
    pub fn for_workers(workers: usize) -> EngineSettings {
        let workers = workers.max(1);
        EngineSettings {
            workers,
            queue: 16 * workers,
            queue_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            total_memory: 256 * MIB * workers as u64,
            limits: Limits::default(),
        }
    }
}

/// Processing of one picture: [`codec::process_planned`]. Tests replace it with a codec that panics or hangs.
pub type Process =
    dyn Fn(&[u8], &Plan, &Spec, &Limits, &mut Scratch) -> Result<Encoded, CodecError> + Send + Sync;

/// The result of a job.
type Outcome = Result<JobOutput, JobError>;

/// The pool of workers and the queue before it.
#[derive(Debug)]
pub struct Engine {
    core: Arc<EngineCore>,
}

/// What workers, tickets and the engine share.
#[derive(Debug)]
struct EngineCore {
    settings: EngineSettings,
    queue: WorkQueue,
    sharers: rayon::ThreadPool,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
    process: OpaqueProcess,
}

/// A [`Process`], which has no `Debug` of its own.
struct OpaqueProcess(Arc<Process>);

impl fmt::Debug for OpaqueProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueProcess(..)")
    }
}

/// A job whose header has been read: it is not too large, and its cost is known.
#[derive(Debug)]
pub struct ProbedJob {
    job: Job,
    plan: Plan,
}

impl ProbedJob {
    /// Estimated work, in the pixels of [`Plan::cost`].
    pub fn cost(&self) -> u64 {
        self.plan.cost
    }

    /// The job again, for a caller that only asked whether it is possible.
    pub fn into_job(self) -> Job {
        self.job
    }
}

impl Engine {
    /// Starts the workers.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(settings: EngineSettings) -> std::io::Result<Engine> {
        Engine::with_process(settings, Arc::new(codec::process_planned))
    }

    /// Starts the workers with a replacement for the codec.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn with_process(settings: EngineSettings, process: Arc<Process>) -> std::io::Result<Engine> {
        let EngineSettings { workers, queue: places, queue_timeout: timeout, total_memory, .. } = settings;
        let core = Arc::new(EngineCore {
            settings,
            queue: WorkQueue::new(QueueLimits { workers, places, timeout }),
            sharers: worker::sharers(workers)?,
            budget: Budget::new(total_memory),
            metrics: Arc::default(),
            process: OpaqueProcess(process),
        });
        let engine = Engine { core }; // dropped on an error, which ends the threads that were started
        worker::start(&engine.core)?;
        Ok(engine)
    }

    /// The settings.
    pub fn settings(&self) -> &EngineSettings {
        &self.core.settings
    }

    /// The counters of all protocols.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.core.metrics
    }

    /// The present load.
    pub fn load(&self) -> EngineGauges {
        let (queue_depth, workers_busy) = self.core.queue.depth();
        EngineGauges { queue_depth, workers_busy, memory_reserved: self.core.budget.used() }
    }

    /// Returns true if the queue has a free place.
    pub fn has_room(&self) -> bool {
        self.core.queue.depth().0 < self.core.settings.queue
    }

    /// Refuses a caller whose job would not be queued now, before its body is read.
    ///
    /// # Errors
    /// [`JobError::Busy`].
    pub fn admit(&self, caller: CallerKey) -> Result<(), JobError> {
        self.core.queue.admit(caller)
    }

    /// An empty reservation for a body of `caller`, to be grown as its bytes arrive.
    pub fn reserve(&self, caller: CallerKey) -> Reservation {
        self.core.budget.reserve(caller)
    }

    /// The memory that all requests share.
    pub fn budget(&self) -> &Budget {
        &self.core.budget
    }

    /// The answer for a body that does not fit the memory budget.
    pub fn busy(&self) -> JobError {
        self.core.queue.busy(BusyCause::Memory, CallerKey::default())
    }

    /// Reads the header of a job's picture on the caller's thread.
    ///
    /// # Errors
    /// [`JobError::Codec`] when the header shows that the picture is refused.
    pub fn probe(&self, job: Job) -> Result<ProbedJob, JobError> {
        let EngineCore { settings, metrics, .. } = &*self.core;
        let planned = catch_unwind(AssertUnwindSafe(|| codec::plan(&job.body, &job.spec, &settings.limits)));
        let plan = planned.map_err(|_| {
            metrics.panics.increment();
            JobError::Panicked
        })??;
        Ok(ProbedJob { job, plan })
    }

    /// Queues a job of `caller`, unless the queue is full. There are half as many places again as for [`Engine::admit`]: the queue fills
    /// up while bodies arrive, and to refuse a body that was read costs as much as ten refusals before.
    ///
    /// # Errors
    /// [`JobError::Busy`].
    pub fn submit(&self, probed: ProbedJob, caller: CallerKey) -> Result<Ticket, JobError> {
        let ProbedJob { job: Job { body, memory, spec, deadline }, plan } = probed;
        let EngineSettings { request_timeout, queue_timeout, .. } = self.core.settings;
        let now = Instant::now();
        let deadline = now + deadline.unwrap_or(request_timeout).min(request_timeout);
        let cancel = Cancel::at(deadline);
        let (sender, receiver) = oneshot::channel();
        let needs = plan.memory.saturating_add(body.len() as u64);
        let pending = PendingJob {
            body,
            plan,
            spec,
            memory,
            needs,
            cancel: cancel.clone(),
            queued_at: now,
            reply: sender,
        };
        let id = self.core.queue.push(caller, plan.cost, pending)?;
        let queue_deadline = now + queue_timeout;
        let place = Place { id, caller, cancel, queue_deadline, deadline, core: self.core.clone() };
        Ok(Ticket::new(receiver, place))
    }

    /// Runs a job to its end on a worker, from a thread that may block; see [`Ticket::wait`].
    ///
    /// # Errors
    /// [`JobError`].
    pub fn run(
        &self,
        job: Job,
        caller: CallerKey,
        is_wanted: impl FnMut() -> bool,
    ) -> Result<JobOutput, JobError> {
        self.submit(self.probe(job)?, caller)?.wait(is_wanted)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.core.queue.close();
    }
}
