//! `Mirror`: what the key-value bucket holds, kept in memory by a watch, so that status and lists ask no machine.

use crate::tasks::head::Content;
use crate::tasks::nats::entry::Entry;
use crate::tasks::store::{Counts, StoreError};
use crate::tasks::{Owner, TaskId, TaskStatus};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The tasks of all machines.
#[derive(Debug, Default)]
pub(super) struct Mirror(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    tasks: HashMap<TaskId, Mirrored>,
    /// Tasks that wait, by number.
    waiting: BTreeSet<(u64, TaskId)>,
    owners: HashMap<Owner, usize>,
    bytes: u64,
    /// Latest revision that the watch has delivered.
    seen: u64,
    /// Tasks delivered since the watch began, until it has delivered all.
    listed: Option<HashSet<TaskId>>,
    housekeeper: Option<Housekeeper>,
    clock: Option<(SystemTime, Instant)>,
}

/// A task, and the revision that the bucket has of it.
#[derive(Debug, Clone)]
pub(super) struct Mirrored {
    pub(super) entry: Entry,
    pub(super) revision: u64,
    /// Time of the revision on the server's clock.
    pub(super) changed: SystemTime,
}

/// The server that does the housekeeping, as the bucket names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Housekeeper {
    pub(super) node: String,
    pub(super) revision: u64,
    /// Arrival of that revision here.
    pub(super) seen: Instant,
}

/// A message of the watch, or a write of this server.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) id: TaskId,
    /// The task now; `None` if it was deleted.
    pub(super) entry: Option<Entry>,
    pub(super) revision: u64,
    pub(super) time: SystemTime,
}

impl Mirror {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A watch begins, which delivers every key before its changes.
    pub(super) fn begin(&self) {
        let mut tables = self.lock();
        tables.listed = Some(HashSet::new());
        tables.seen = 0;
    }

    /// Takes what the watch delivers.
    pub(super) fn take(&self, change: Change) {
        let mut tables = self.lock();
        tables.advance(change.revision, change.time);
        if let Some(listed) = &mut tables.listed {
            listed.insert(change.id);
        }
        tables.apply(change);
    }

    /// Takes what this server has written, unless the watch is past it: a later change must not be undone.
    pub(super) fn take_own(&self, change: Change) {
        let mut tables = self.lock();
        if change.revision > tables.seen {
            tables.apply(change);
        }
    }

    /// Takes a message about the housekeeper.
    pub(super) fn take_housekeeper(&self, node: String, revision: u64, time: SystemTime) {
        let mut tables = self.lock();
        tables.advance(revision, time);
        tables.housekeeper = Some(Housekeeper { node, revision, seen: Instant::now() });
    }

    /// The watch has delivered every key: tasks that it did not name were deleted while it was broken. Returns them.
    pub(super) fn complete(&self) -> Vec<TaskId> {
        let mut tables = self.lock();
        let Some(listed) = tables.listed.take() else { return Vec::new() };
        let gone: Vec<TaskId> = tables.tasks.keys().filter(|id| !listed.contains(id)).copied().collect();
        gone.iter().for_each(|id| tables.remove(*id));
        gone
    }

    /// Returns true once every key was delivered.
    pub(super) fn is_complete(&self) -> bool {
        let tables = self.lock();
        tables.listed.is_none() && tables.seen > 0
    }

    /// Returns true unless the bucket is known to have another revision of the task, or none.
    pub(super) fn is_current(&self, id: TaskId, revision: u64) -> bool {
        let tables = self.lock();
        match tables.tasks.get(&id) {
            Some(known) => known.revision <= revision,
            None => tables.seen < revision,
        }
    }

    pub(super) fn get(&self, owner: &Owner, id: TaskId) -> Option<Mirrored> {
        self.lock().tasks.get(&id).filter(|known| known.entry.head.owner == *owner).cloned()
    }

    pub(super) fn entry(&self, id: TaskId) -> Option<Entry> {
        self.lock().tasks.get(&id).map(|known| known.entry.clone())
    }

    pub(super) fn status(&self, owner: &Owner, id: TaskId) -> Option<TaskStatus> {
        let tables = self.lock();
        let known = tables.tasks.get(&id).filter(|known| known.entry.head.owner == *owner)?;
        Some(tables.status(id, &known.entry))
    }

    /// As [`TaskStore::list`](crate::tasks::TaskStore::list).
    pub(super) fn list(
        &self,
        owner: &Owner,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<TaskStatus>, StoreError> {
        let tables = self.lock();
        let place = |id: TaskId, entry: &Entry| (entry.head.number, id);
        let after = match after {
            None => None,
            Some(id) => {
                let known = tables.tasks.get(&id).filter(|known| known.entry.head.owner == *owner);
                Some(place(id, &known.ok_or(StoreError::NotFound)?.entry))
            }
        };
        let mut page: Vec<_> = tables
            .tasks
            .iter()
            .filter(|(_, known)| known.entry.head.owner == *owner)
            .map(|(id, known)| (place(*id, &known.entry), &known.entry))
            .filter(|(place, _)| after.is_none_or(|after| *place > after))
            .collect();
        page.sort_unstable_by_key(|(place, _)| *place);
        page.truncate(limit);
        Ok(page.into_iter().map(|((_, id), entry)| tables.status(id, entry)).collect())
    }

    /// Tasks of an owner.
    pub(super) fn count_of(&self, owner: &Owner) -> usize {
        self.lock().owners.get(owner).copied().unwrap_or_default()
    }

    /// Tasks of which `is_wanted`, given the time of the last change and the server's time, is true.
    pub(super) fn select(
        &self,
        is_wanted: impl Fn(&Mirrored, SystemTime) -> bool,
    ) -> Vec<(TaskId, Mirrored)> {
        let tables = self.lock();
        let Some(now) = tables.server_time() else { return Vec::new() };
        let wanted = tables.tasks.iter().filter(|(_, known)| is_wanted(known, now));
        wanted.map(|(id, known)| (*id, known.clone())).collect()
    }

    /// Time on the clock of the NATS servers, never ahead of it; `None` before the first message.
    pub(super) fn server_time(&self) -> Option<SystemTime> {
        self.lock().server_time()
    }

    pub(super) fn housekeeper(&self) -> Option<Housekeeper> {
        self.lock().housekeeper.clone()
    }

    pub(super) fn counts(&self) -> Counts {
        let tables = self.lock();
        let first = tables.waiting.first().and_then(|(_, id)| tables.tasks.get(id));
        let oldest = first.zip(tables.server_time()).map(|(known, now)| age(known.entry.head.submitted, now));
        let mut counts =
            Counts { bytes: tables.bytes, oldest: oldest.unwrap_or_default(), ..Counts::default() };
        for known in tables.tasks.values() {
            match (&known.entry.head.content, tables.is_waiting(&known.entry)) {
                (Content::Done { .. }, _) => counts.done += 1,
                (Content::Failed { .. }, _) => counts.failed += 1,
                (Content::Task(_), true) => counts.queued += 1,
                (Content::Task(_), false) => counts.processing += 1,
            }
        }
        counts
    }
}

impl Tables {
    fn advance(&mut self, revision: u64, time: SystemTime) {
        self.seen = self.seen.max(revision);
        if self.clock.is_none_or(|(latest, _)| latest <= time) {
            self.clock = Some((time, Instant::now()));
        }
    }

    fn server_time(&self) -> Option<SystemTime> {
        self.clock.map(|(time, seen)| time + seen.elapsed())
    }

    fn apply(&mut self, Change { id, entry, revision, time }: Change) {
        if self.tasks.get(&id).is_some_and(|known| known.revision >= revision) {
            return;
        }
        self.remove(id);
        let Some(entry) = entry else { return };
        if self.is_waiting(&entry) {
            self.waiting.insert((entry.head.number, id));
        }
        self.bytes += entry.stored_bytes();
        *self.owners.entry(entry.head.owner.clone()).or_default() += 1;
        self.tasks.insert(id, Mirrored { entry, revision, changed: time });
    }

    fn remove(&mut self, id: TaskId) {
        let Some(Mirrored { entry, .. }) = self.tasks.remove(&id) else { return };
        self.waiting.remove(&(entry.head.number, id));
        self.bytes -= entry.stored_bytes();
        if let Some(tasks) = self.owners.get_mut(&entry.head.owner) {
            *tasks -= 1;
            if *tasks == 0 {
                self.owners.remove(&entry.head.owner);
            }
        }
    }

    fn is_waiting(&self, entry: &Entry) -> bool {
        matches!(entry.phase, super::entry::Phase::Queued)
    }

    fn status(&self, id: TaskId, entry: &Entry) -> TaskStatus {
        let ahead =
            if self.is_waiting(entry) { self.waiting.range(..(entry.head.number, id)).count() } else { 0 };
        entry.status(id, ahead)
    }
}

/// Time between two times, zero if the second is earlier.
pub(super) fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}
