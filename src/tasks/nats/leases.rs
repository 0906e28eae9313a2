//! `Leases`: the messages that this server's runners hold. NATS gives a message to another worker when its lease ends.

use crate::tasks::nats::entry::Entry;
use async_nats::jetstream::message::Acker;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The message of a task, and the task as it was when it was begun.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) acker: Arc<Acker>,
    pub(super) key: String,
    pub(super) entry: Entry,
    /// Revision that the bucket has as long as the lease holds.
    pub(super) revision: u64,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("key", &self.key)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Held {
    pub(super) fn new(acker: Acker, key: String, entry: Entry, revision: u64) -> Held {
        Held { acker: Arc::new(acker), key, entry, revision }
    }
}

/// All held messages, by revision.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<u64, (Held, Instant)>>);

impl Leases {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Held, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, revision: u64, held: Held) {
        self.lock().insert(revision, (held, Instant::now()));
    }

    pub(super) fn get(&self, revision: u64) -> Option<Held> {
        self.lock().get(&revision).map(|(held, _)| held.clone())
    }

    pub(super) fn remove(&self, revision: u64) -> Option<Held> {
        self.lock().remove(&revision).map(|(held, _)| held)
    }

    /// Notes that a runner shows progress. Returns false if the lease is lost.
    pub(super) fn touch(&self, revision: u64) -> bool {
        let mut leases = self.lock();
        let held = leases.get_mut(&revision);
        held.map(|(_, latest)| *latest = Instant::now()).is_some()
    }

    /// The messages whose runners have shown progress within `lease`. Those of silent runners are let go.
    pub(super) fn alive(&self, lease: Duration) -> Vec<Arc<Acker>> {
        let mut leases = self.lock();
        leases.retain(|_, (_, latest)| latest.elapsed() < lease);
        leases.values().map(|(held, _)| held.acker.clone()).collect()
    }
}
