//! The engine that every door calls: admission, one bounded queue, a fixed pool of workers.
//!
//! A door opens a reservation, grows it as the body arrives, and submits a [`Job`]. The picture is probed
//! on the caller's thread; its estimated memory is reserved and a worker taken only when both are free. A
//! panic in a codec ends one job.

mod budget;
mod job;
mod queue;
mod ticket;
mod worker;

pub use budget::{Budget, BudgetSpent, Reservation};
pub use job::{Done, Job, JobError};
pub use ticket::Ticket;

use crate::codec;
use crate::limits::{Cancel, Limits, MIB};
use queue::{Lane, Lanes};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use ticket::Slot;
use worker::Workers;

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that process pictures. Default: the cores of the machine.
    pub workers: usize,
    /// Jobs that may wait for a worker. Default: 16 for each worker.
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

impl Settings {
    /// The defaults for a number of workers, at least one.
    pub fn for_workers(workers: usize) -> Settings {
        let workers = workers.max(1);
        Settings {
            workers,
            queue: 16 * workers,
            queue_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            total_memory: 256 * MIB * workers as u64,
            limits: Limits::default(),
        }
    }
}

/// The pool of workers and the queue before it.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    workers: Workers,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: Lanes<Arc<Slot>>,
    running: usize,
    /// Moving average of a job's time on a worker.
    mean_time: Duration,
}

/// How full the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Jobs on a worker.
    pub running: usize,
    /// Jobs that wait.
    pub queued: usize,
    /// Bytes reserved from the memory budget.
    pub memory: u64,
}

impl Engine {
    /// Starts the workers.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(settings: Settings) -> Result<Engine, rayon::ThreadPoolBuildError> {
        let workers = Workers::start(settings.workers)?;
        let budget = Budget::new(settings.total_memory);
        let state = State { waiting: Lanes::new(), running: 0, mean_time: Duration::ZERO };
        Ok(Engine { shared: Arc::new(Shared { settings, workers, budget, state: Mutex::new(state) }) })
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// How full it is.
    pub fn load(&self) -> Load {
        let state = self.shared.lock();
        Load { running: state.running, queued: state.waiting.len(), memory: self.shared.budget.used() }
    }

    /// A reservation for a body, to be grown as its bytes arrive.
    pub fn open(&self) -> Reservation {
        self.shared.budget.open()
    }

    /// What to answer when a body does not fit the memory budget.
    pub fn busy(&self) -> JobError {
        let state = self.shared.lock();
        self.shared.busy(&state)
    }

    /// Queues a job, unless it can be refused at once: by its header, or because the queue is full.
    ///
    /// # Errors
    /// [`JobError::Codec`] from the probe, [`JobError::Busy`].
    pub fn submit(&self, job: Job) -> Result<Ticket, JobError> {
        let shared = &self.shared;
        let Settings { request_timeout, queue_timeout, ref limits, .. } = shared.settings;
        let probe = codec::probe(&job.body, limits)?;
        let memory = job.body.len() as u64 + codec::estimate(&probe, &job.spec, limits);
        if memory > limits.request_memory.max(job.body.len() as u64) {
            let what = "the memory that this request needs, in bytes,";
            return Err(
                codec::CodecError::TooLarge { what, value: memory, max: limits.request_memory }.into()
            );
        }
        let now = Instant::now();
        let cancel = Cancel::at(now + job.deadline.unwrap_or(request_timeout).min(request_timeout));
        let lane = Lane::of(probe.upright().pixels());
        let (slot, ticket) = Slot::new(job, memory, cancel, now, queue_timeout, shared);
        let mut state = shared.lock();
        if state.waiting.len() >= shared.settings.queue || shared.wait_ahead(&state) > queue_timeout {
            return Err(shared.busy(&state));
        }
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
        self.submit(job)?.wait(still_wanted)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a job that is queued now would wait.
    fn wait_ahead(&self, state: &State) -> Duration {
        let ahead = (state.waiting.len() + state.running + 1).saturating_sub(self.settings.workers);
        state.mean_time.mul_f64(ahead as f64 / self.settings.workers as f64)
    }

    fn busy(&self, state: &State) -> JobError {
        let hint = self.wait_ahead(state);
        JobError::Busy { retry_after: hint.clamp(Duration::from_millis(50), Duration::from_secs(30)) }
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
                worker::process(pending, spare, &shared.settings.limits, scratch);
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
