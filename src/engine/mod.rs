//! The engine that every door calls: admission, one bounded queue, a fixed pool of workers.
//!
//! A door opens a reservation, grows it as the body arrives, and submits a [`Job`]. The picture is probed
//! on the caller's thread; its estimated memory is reserved and a worker taken only when both are free. A
//! panic in a codec ends one job.

mod budget;
mod job;
mod promise;
mod queue;
mod ticket;
mod worker;
#[cfg(test)]
mod tests;

pub use budget::{Budget, BudgetSpent, Reservation};
pub use job::{BusyCause, Done, Job, JobError};
pub use ticket::Ticket;

use crate::codec::{self, CodecError, Encoded, Plan, Scratch};
use crate::limits::{Limits, MIB};
use crate::metrics::{EngineGauges, Metrics};
use crate::spec::Spec;
use queue::{Lane, Lanes};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use ticket::Slot;
use worker::Workers;

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Threads that process pictures. Default: the cores of the machine.
    pub workers: usize,
    /// Jobs that may wait for a worker before no more bodies are asked for. Those on their way by then are queued
    /// nevertheless, at most half as many again. Default: 16 for each worker.
    pub queue: usize,
    /// Longest wait for a worker before `busy`. Default: 2 s.
    pub queue_timeout: Duration,
    /// Longest time for one job, the wait included. Default: 10 s.
    pub request_timeout: Duration,
    /// Memory that all bodies and running jobs share, in bytes. Default: 256 MiB for each worker.
    pub total_memory: u64,
    /// What one job may cost.
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

/// What a worker does with a picture: [`codec::process_planned`], unless somebody wants to see what becomes of a
/// picture whose codec panics or does not come to an end.
pub type Process =
    dyn Fn(&[u8], &Plan, &Spec, &Limits, &mut Scratch) -> Result<Encoded, CodecError> + Send + Sync;

/// The pool of workers and the queue before it.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: EngineSettings,
    workers: Workers,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
    process: Given,
    state: Mutex<State>,
}

/// What was given to do; it cannot be shown.
struct Given(Arc<Process>);

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given(..)")
    }
}

#[derive(Debug)]
struct State {
    waiting: Lanes<Arc<Slot>>,
    running: usize,
    /// Moving average of a job's time on a worker.
    mean_time: Duration,
    /// When the last of those who were refused was told to come again.
    promised: Instant,
}

/// A job whose header has been read: it is not too large, and its size is known.
#[derive(Debug)]
pub struct ProbedJob {
    job: Job,
    plan: Plan,
    /// Bytes that the job needs in all while it runs.
    needs: u64,
}

impl ProbedJob {
    /// Pixels of the source picture.
    pub fn pixels(&self) -> u64 {
        self.plan.source.upright().pixels()
    }

    /// The job again, for somebody who wanted to know no more than whether it can be done.
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

    /// Starts the workers with something else in the codec's place.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn with_process(settings: EngineSettings, process: Arc<Process>) -> std::io::Result<Engine> {
        let workers = Workers::start(settings.workers)?;
        let budget = Budget::new(settings.total_memory);
        let promised = Instant::now();
        let state = State { waiting: Lanes::new(), running: 0, mean_time: Duration::ZERO, promised };
        let (metrics, state) = (Arc::default(), Mutex::new(state));
        Ok(Engine {
            shared: Arc::new(Shared { settings, workers, budget, metrics, process: Given(process), state }),
        })
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &EngineSettings {
        &self.shared.settings
    }

    /// What every door counts in.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// How full it is.
    pub fn load(&self) -> EngineGauges {
        let state = self.shared.lock();
        EngineGauges {
            queue_depth: state.waiting.len(),
            workers_busy: state.running,
            memory_reserved: self.shared.budget.used(),
        }
    }

    /// Whether another job would be queued.
    pub fn has_room(&self) -> bool {
        let state = self.shared.lock();
        state.waiting.len() < self.shared.settings.queue
    }

    /// Whether a job that came now would be queued, so that one that would not need not be read.
    ///
    /// # Errors
    /// [`JobError::Busy`].
    pub fn admit(&self) -> Result<(), JobError> {
        self.shared.admit(&mut self.shared.lock(), self.shared.settings.queue)
    }

    /// A reservation for a body, to be grown as its bytes arrive.
    pub fn open(&self) -> Reservation {
        self.shared.budget.open()
    }

    /// What to answer when a body does not fit the memory budget.
    pub fn busy(&self) -> JobError {
        self.shared.busy(&mut self.shared.lock(), BusyCause::Memory)
    }

    /// Reads the header of a job's picture on the caller's thread.
    ///
    /// # Errors
    /// [`JobError::Codec`] when the header shows that the picture is refused.
    pub fn probe(&self, job: Job) -> Result<ProbedJob, JobError> {
        let limits = &self.shared.settings.limits;
        let looked = catch_unwind(AssertUnwindSafe(|| codec::plan(&job.body, &job.spec, limits)));
        let plan = looked.map_err(|_| {
            self.shared.metrics.panics.increment();
            JobError::Panicked
        })??;
        let needs = plan.memory.saturating_add(job.body.len() as u64);
        Ok(ProbedJob { job, plan, needs })
    }

    /// Queues a job, unless the queue is full. It may be fuller than for [`Engine::admit`]: the queue fills up while
    /// bodies are on their way, and what has come whole has cost as much as ten refusals.
    ///
    /// # Errors
    /// [`JobError::Busy`].
    pub fn submit(&self, examined: ProbedJob) -> Result<Ticket, JobError> {
        let shared = &self.shared;
        let lane = Lane::of(examined.pixels());
        let now = Instant::now();
        let mut state = shared.lock();
        let queue = shared.settings.queue;
        shared.admit(&mut state, queue + queue / 2)?;
        let (slot, ticket) = Slot::new(examined, now, shared);
        state.waiting.push(lane, slot, now);
        shared.start_waiting(state);
        Ok(ticket)
    }

    /// Runs a job to its end on a worker, from a thread that may block. `still_wanted` is asked now and
    /// then; when it says no the job is given up.
    ///
    /// # Errors
    /// [`JobError`].
    pub fn run(&self, job: Job, still_wanted: impl FnMut() -> bool) -> Result<Done, JobError> {
        self.submit(self.probe(job)?)?.wait(still_wanted)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, state: &mut State, places: usize) -> Result<(), JobError> {
        if state.waiting.len() >= places || self.wait_ahead(state) > self.settings.queue_timeout {
            return Err(self.busy(state, BusyCause::Places));
        }
        Ok(())
    }

    /// How long a job that is queued now would wait.
    fn wait_ahead(&self, state: &State) -> Duration {
        let ahead = (state.waiting.len() + state.running + 1).saturating_sub(self.settings.workers);
        state.mean_time.mul_f64(ahead as f64 / self.settings.workers as f64)
    }

    /// What to answer somebody who comes at the wrong time, and when to come again: each at a moment of their own, one
    /// after the other as fast as places come free. Who all came at the same moment would mostly be refused again.
    fn busy(&self, state: &mut State, scarce: BusyCause) -> JobError {
        let now = Instant::now();
        let ahead = self.wait_ahead(state);
        // Those who come again at once must not put off those who wait for longer than anybody waits in the queue.
        let furthest = now + ahead.max(self.settings.queue_timeout);
        let next = state.promised + state.mean_time.div_f64(self.settings.workers as f64);
        state.promised = next.clamp(now + ahead, furthest);
        let hint = state.promised - now;
        JobError::Busy { scarce, retry_after: hint.clamp(Duration::from_millis(50), Duration::from_secs(30)) }
    }

    /// Gives waiting jobs to idle workers, as far as memory allows.
    fn start_waiting(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let now = Instant::now();
        while state.running < self.settings.workers {
            let Some(lane) = state.waiting.next_lane(self.settings.workers, now) else { return };
            let fits = state.waiting.peek(lane).is_some_and(|slot| slot.reserve(state.running == 0));
            if !fits {
                return;
            }
            let Some(slot) = state.waiting.start(lane) else { return };
            let Some(pending) = slot.take() else {
                state.waiting.ended(lane); // given up while it waited
                continue;
            };
            state.running += 1;
            let idle = self.settings.workers - state.running;
            let spare = if state.waiting.len() == 0 { idle } else { 0 };
            let shared = self.clone();
            self.workers.spawn(move |scratch| {
                let started = Instant::now();
                let sharers = shared.workers.sharers();
                let Shared { settings, metrics, process, .. } = &*shared;
                worker::process(pending, spare, sharers, &settings.limits, metrics, &*process.0, scratch);
                shared.ended(lane, started.elapsed());
            });
        }
    }

    /// Notes that a job has left its worker, and starts what waits.
    fn ended(self: &Arc<Self>, lane: Lane, time: Duration) {
        let mut state = self.lock();
        state.running -= 1;
        state.waiting.ended(lane);
        state.mean_time = if state.mean_time.is_zero() { time } else { (state.mean_time * 7 + time) / 8 };
        self.start_waiting(state);
    }
}
