//! Tasks that outlive a request: accepted, kept on disk, run when a worker is free, their results kept until
//! they are fetched or expire.
//!
//! Knows the engine and no door. [`Tasks`] is what doors call, [`TaskStore`] where tasks are kept,
//! [`DiskStore`] the one that needs nothing but a folder, [`Runners`] what takes tasks to the engine.

mod events;
mod disk_store;
mod head;
mod id;
#[cfg(feature = "nats")]
pub mod nats;
mod runner;
mod store;
mod task;

#[cfg(any(fuzzing, debug_assertions))]
pub use disk_store::fuzzing;
pub use disk_store::{DiskStore, OpenError};
pub use id::{BadTaskId, TaskId};
pub use runner::Runners;
pub use store::{
    Claim, ClusterCounts, Counts, LEASE, Lease, Limits, MAX_ATTEMPTS, Moved, StoreError, TaskStore,
};
pub use task::{Failure, NewTask, Owner, State, Step, TaskStatus};

use crate::metrics::Metrics;
use events::{Events, Subscription};
use std::sync::Arc;

/// The tasks of a server, as its doors see them.
#[derive(Debug)]
pub struct Tasks {
    store: Box<dyn TaskStore>,
    events: Arc<Events>,
    metrics: Arc<Metrics>,
}

impl Tasks {
    /// Tasks that are kept in `store`, and counted.
    pub fn new(store: Box<dyn TaskStore>, metrics: Arc<Metrics>) -> Arc<Tasks> {
        let tasks = Tasks { store, events: Arc::default(), metrics };
        let events = tasks.events.clone();
        tasks.store.on_move(Moved::new(move |id| events.publish(id)));
        tasks.count();
        Arc::new(tasks)
    }

    /// Accepts a task. It is on disk when this returns.
    ///
    /// # Errors
    /// As [`TaskStore::submit`].
    pub fn submit(&self, task: NewTask<'_>) -> Result<TaskId, StoreError> {
        let id = self.store.submit(task)?;
        self.metrics.tasks.accepted.increment();
        Ok(id)
    }

    /// How a task stands.
    ///
    /// # Errors
    /// As [`TaskStore::status`].
    pub fn status(&self, owner: &Owner, id: TaskId) -> Result<TaskStatus, StoreError> {
        self.store.status(owner, id)
    }

    /// The result of a task that is done.
    ///
    /// # Errors
    /// As [`TaskStore::result`].
    pub fn result(&self, owner: &Owner, id: TaskId) -> Result<Vec<u8>, StoreError> {
        self.store.result(owner, id)
    }

    /// One page of an owner's tasks; see [`TaskStore::list`].
    ///
    /// # Errors
    /// As [`TaskStore::list`].
    pub fn list(
        &self,
        owner: &Owner,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<TaskStatus>, StoreError> {
        self.store.list(owner, after, limit)
    }

    /// Stops a task, wherever it is, and forgets it.
    ///
    /// # Errors
    /// As [`TaskStore::cancel`].
    pub fn cancel(&self, owner: &Owner, id: TaskId) -> Result<(), StoreError> {
        self.store.cancel(owner, id)?;
        self.metrics.tasks.cancelled.increment();
        self.events.publish(id);
        Ok(())
    }

    /// Calls `listener` whenever the task has moved on, until the subscription is dropped. What it is told
    /// is only that: ask [`Tasks::status`]. It runs on the runners' threads and must not block.
    pub fn subscribe(&self, id: TaskId, listener: impl Fn() + Send + 'static) -> Subscription {
        self.events.subscribe(id, Box::new(listener))
    }

    /// Tells whether tasks can be accepted now.
    ///
    /// # Errors
    /// The reason, in a word or two.
    pub fn ready(&self) -> Result<(), &'static str> {
        self.store.ready()
    }

    /// Publishes how many tasks there are.
    fn count(&self) {
        let counts = self.store.counts();
        let Counts { queued, processing, done, failed, bytes, quarantined, oldest, cluster } = counts;
        let tasks = &self.metrics.tasks;
        let as_u64 = |n: usize| n as u64;
        tasks
            .states
            .iter()
            .zip([queued, processing, done, failed].map(as_u64))
            .for_each(|(gauge, n)| gauge.set(n));
        tasks.bytes.set(bytes);
        tasks.quarantined.set(quarantined);
        tasks.oldest_seconds.set(oldest.as_secs());
        tasks.set_cluster(cluster.map(|it| [it.is_up.into(), it.reconnects, it.redelivered, it.overtaken]));
    }
}
