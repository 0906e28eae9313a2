//! `Runners`: threads that take tasks from the store to the engine, behind the requests that somebody waits
//! for, and one that keeps house.

use crate::engine::{CallerKey, Engine, Job, JobError};
use crate::status::Status;
use crate::tasks::{Claim, Failure, Step, StoreError, Tasks};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a task stands back while requests use every worker.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a task that stands back looks for a free worker.
const GLANCE: Duration = Duration::from_millis(20);

/// How long a runner waits for a task before it looks whether it should stop.
const CLAIM_WAIT: Duration = Duration::from_millis(250);

/// Between two rounds of the housekeeper.
const ROUND: Duration = Duration::from_secs(1);

/// Pauses after a task that could not be run now, doubling.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(15)];

/// The threads. Dropping them lets the tasks in hand go back to the queue.
#[derive(Debug)]
pub struct Runners {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Runners {
    /// Starts `threads` threads that run tasks, and one for the housekeeping.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn start(tasks: &Arc<Tasks>, engine: &Arc<Engine>, threads: usize) -> io::Result<Runners> {
        let mut runners = Runners { stop: Arc::default(), threads: Vec::new() };
        for n in 0..threads {
            let (tasks, engine, stop) = (tasks.clone(), engine.clone(), runners.stop.clone());
            runners.spawn(format!("task-{n}"), move || Runner { tasks, engine, stop }.run())?;
        }
        let (tasks, stop) = (tasks.clone(), runners.stop.clone());
        runners.spawn("task-house".into(), move || keep_house(&tasks, &stop))?;
        Ok(runners)
    }

    fn spawn(&mut self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name).spawn(work)?);
        Ok(())
    }
}

impl Drop for Runners {
    fn drop(&mut self) {
        self.stop.ask();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log::error!("a task runner panicked");
            }
        }
    }
}

/// A wish to stop, for which one can wait.
#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn is_asked(&self) -> bool {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long, or less when asked to stop. Whether to go on.
    fn pause(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(asked, time, |asked| !*asked);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn keep_house(tasks: &Tasks, stop: &Stop) {
    while stop.pause(ROUND) {
        if let Err(error) = tasks.store.expire() {
            log::warn!("old results cannot be removed: {error}");
        }
        tasks.count();
    }
}

struct Runner {
    tasks: Arc<Tasks>,
    engine: Arc<Engine>,
    stop: Arc<Stop>,
}

/// The task is back in the queue: nothing is wrong with it, but it could not be run now.
struct Postponed;

impl Runner {
    fn run(&self) {
        let mut pause = PAUSES[0];
        while self.stand_back() {
            let outcome = match self.tasks.store.claim(CLAIM_WAIT) {
                Ok(None) => continue,
                Ok(Some(claim)) => self.process(&claim),
                Err(_) => Err(Postponed),
            };
            pause = match outcome {
                Ok(()) => PAUSES[0],
                Err(Postponed) if self.stop.pause(pause) => PAUSES[1].min(2 * pause),
                Err(Postponed) => return,
            };
        }
    }

    /// Lets requests go first that somebody waits for, within limits. Whether to go on at all.
    fn stand_back(&self) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            if self.stop.is_asked() {
                return false;
            }
            let load = self.engine.load();
            let free = load.queue_depth == 0 && load.workers_busy < self.engine.settings().workers;
            if free || Instant::now() >= until {
                return true;
            }
            if !self.stop.pause(GLANCE) {
                return false;
            }
        }
    }

    fn process(&self, claim: &Claim) -> Result<(), Postponed> {
        let lease = &claim.lease;
        self.tasks.events.publish(lease.id);
        let started = Instant::now();
        let ended = match self.carry_out(claim) {
            Ok(()) => Ok((Status::Ok, "task".to_owned())),
            Err(Trouble::Task(failure)) => {
                let failed = self.tasks.store.fail(lease, &failure).map_err(Trouble::from);
                failed.map(|()| (failure.status, failure.message))
            }
            Err(trouble) => Err(trouble),
        };
        if let Err(Trouble::Now) = ended {
            self.tasks.store.release(lease);
        }
        if let Ok((status, message)) = &ended {
            self.tasks.metrics.tasks.finished(*status);
            log::info!(
                target: "imgsrv::task",
                id:% = lease.id, token = lease.owner.name(), status = status.word(), bytes_in = claim.bytes,
                total_ms = started.elapsed().as_millis() as u64; "{message}"
            );
        }
        self.tasks.events.publish(lease.id);
        if let Err(Trouble::Now) = ended { Err(Postponed) } else { Ok(()) }
    }

    /// Runs a task to its stored result.
    fn carry_out(&self, claim: &Claim) -> Result<(), Trouble> {
        let (store, lease) = (&self.tasks.store, &claim.lease);
        let caller = CallerKey::of(lease.owner.name());
        let mut memory = self.engine.reserve(caller);
        memory.resize(claim.bytes).map_err(|_| Trouble::Now)?;
        let body = store.image(lease)?;
        store.progress(lease, Step::Working)?;
        let job = Job { body, memory, spec: claim.spec.clone(), deadline: None };
        let mut gone = false;
        let still_wanted = || {
            gone = store.progress(lease, Step::Working).is_err();
            !gone && !self.stop.is_asked()
        };
        let done = self.engine.run(job, caller, still_wanted).map_err(|error| match error {
            JobError::Abandoned if gone => Trouble::Gone,
            error if error.status() == Status::Busy || matches!(error, JobError::Abandoned) => Trouble::Now,
            error => Trouble::Task(Failure { status: error.status(), message: error.to_string() }),
        })?;
        store.progress(lease, Step::Storing)?;
        self.tasks.events.publish(lease.id);
        Ok(store.complete(lease, &done.report(), &done.encoded.bytes)?)
    }
}

/// Why a task that was taken has no result.
enum Trouble {
    /// It will never have one.
    Task(Failure),
    /// Nobody wants it any more.
    Gone,
    /// Not now.
    Now,
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Trouble::Gone,
            StoreError::Full | StoreError::TooMany { .. } | StoreError::Away(_) | StoreError::Io(_) => {
                Trouble::Now
            }
        }
    }
}
