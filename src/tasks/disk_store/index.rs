//! `Index`: what the store knows of its files without reading them. Made anew from the files at each start.

use crate::report::Report;
use crate::spec::Spec;
use crate::tasks::head::{Content, Head};
use crate::tasks::store::Limits;
use crate::tasks::store::{Counts, LEASE, Lease, StoreError};
use crate::tasks::{Failure, Owner, State, Step, TaskId, TaskStatus};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

/// Every task that is kept, and the order of those that wait.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashMap<TaskId, Entry>,
    /// Those that were begun less often first, then those that came earlier: attempts and numbers.
    waiting: BTreeSet<(u32, u64, TaskId)>,
    owners: HashMap<Owner, usize>,
    bytes: u64,
    next_number: u64,
    next_turn: u64,
    pub(super) quarantined: u64,
}

/// One task.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) owner: Owner,
    pub(super) number: u64,
    pub(super) submitted: SystemTime,
    pub(super) source_bytes: u64,
    /// What it takes up in the store.
    bytes: u64,
    pub(super) standing: Standing,
}

/// How a task stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// Its file is being written.
    Arriving,
    Waiting {
        attempts: u32,
        spec: Box<Spec>,
    },
    Leased {
        attempts: u32,
        spec: Box<Spec>,
        turn: u64,
        until: Instant,
        started: SystemTime,
        step: Step,
    },
    Done {
        finished: SystemTime,
        report: Box<Report>,
        expires: Instant,
    },
    Failed {
        finished: SystemTime,
        failure: Failure,
        expires: Instant,
    },
}

impl Entry {
    /// What is to stand before a file of this task.
    pub(super) fn head(&self, content: Content) -> Head {
        Head {
            owner: self.owner.clone(),
            number: self.number,
            submitted: self.submitted,
            source_bytes: self.source_bytes,
            content,
        }
    }
}

impl Index {
    /// Makes room for a task that is about to be written: its number.
    pub(super) fn reserve(
        &mut self,
        id: TaskId,
        owner: &Owner,
        bytes: u64,
        limits: &Limits,
    ) -> Result<u64, StoreError> {
        if self.owners.get(owner).is_some_and(|tasks| *tasks >= limits.tasks_per_owner) {
            return Err(StoreError::TooMany { most: limits.tasks_per_owner });
        }
        if self.bytes.saturating_add(bytes) > limits.bytes {
            return Err(StoreError::Full);
        }
        let number = self.next_number;
        self.insert(
            id,
            Entry {
                owner: owner.clone(),
                number,
                submitted: SystemTime::now(),
                source_bytes: bytes,
                bytes,
                standing: Standing::Arriving,
            },
        );
        Ok(number)
    }

    /// Takes in a file that was found, begun `attempts` times before. Results live on for what is left of
    /// `ttl` by the wall clock, at most all of it.
    pub(super) fn take_in(&mut self, id: TaskId, head: Head, bytes: u64, attempts: u32, ttl: Duration) {
        let expires = |finished: SystemTime| {
            let age = SystemTime::now().duration_since(finished).unwrap_or_default();
            Instant::now() + ttl.saturating_sub(age)
        };
        let standing = match head.content {
            Content::Task(spec) => Standing::Waiting { attempts, spec },
            Content::Done { finished, report } => {
                Standing::Done { finished, report, expires: expires(finished) }
            }
            Content::Failed { finished, failure } => {
                Standing::Failed { finished, failure, expires: expires(finished) }
            }
        };
        let Head { owner, number, submitted, source_bytes, .. } = head;
        self.insert(id, Entry { owner, number, submitted, source_bytes, bytes, standing });
    }

    fn insert(&mut self, id: TaskId, entry: Entry) {
        self.next_number = self.next_number.max(entry.number.saturating_add(1));
        self.bytes += entry.bytes;
        *self.owners.entry(entry.owner.clone()).or_default() += 1;
        if let Standing::Waiting { attempts, .. } = entry.standing {
            self.waiting.insert((attempts, entry.number, id));
        }
        self.entries.insert(id, entry);
    }

    /// Takes a task out.
    pub(super) fn remove(&mut self, id: TaskId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.bytes -= entry.bytes;
        if let Some(tasks) = self.owners.get_mut(&entry.owner) {
            *tasks -= 1;
            if *tasks == 0 {
                self.owners.remove(&entry.owner);
            }
        }
        if let Standing::Waiting { attempts, .. } = entry.standing {
            self.waiting.remove(&(attempts, entry.number, id));
        }
        Some(entry)
    }

    pub(super) fn contains(&self, id: TaskId) -> bool {
        self.entries.contains_key(&id)
    }

    /// Lets a task wait, that has been begun `attempts` times.
    pub(super) fn wait(&mut self, id: TaskId, attempts: u32, spec: Box<Spec>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.standing = Standing::Waiting { attempts, spec };
            self.waiting.insert((attempts, entry.number, id));
        }
    }

    /// The task whose turn it is, and how often it was begun.
    pub(super) fn next(&self) -> Option<(TaskId, u32)> {
        self.waiting.first().map(|(attempts, _, id)| (*id, *attempts))
    }

    /// Gives a waiting task to a runner that begins it for the `attempts`th time.
    pub(super) fn lease(&mut self, id: TaskId, attempts: u32) -> Option<(Lease, Spec, u64)> {
        let entry = self.entries.get_mut(&id)?;
        let Standing::Waiting { attempts: before, spec } = &entry.standing else { return None };
        self.waiting.remove(&(*before, entry.number, id));
        let (turn, until, started) = (self.next_turn, Instant::now() + LEASE, SystemTime::now());
        self.next_turn += 1;
        let spec = spec.clone();
        let claim = (Lease { id, owner: entry.owner.clone(), turn }, (*spec).clone(), entry.source_bytes);
        entry.standing = Standing::Leased { attempts, spec, turn, until, started, step: Step::Reading };
        Some(claim)
    }

    /// The entry of a leased task, if the lease still holds.
    pub(super) fn leased(&mut self, lease: &Lease) -> Result<&mut Entry, StoreError> {
        let holds = |entry: &&mut Entry| matches!(entry.standing, Standing::Leased { turn, .. } if turn == lease.turn);
        self.entries.get_mut(&lease.id).filter(holds).ok_or(StoreError::NotFound)
    }

    /// The entry of an owner's task.
    pub(super) fn owned(&self, owner: &Owner, id: TaskId) -> Result<&Entry, StoreError> {
        let theirs = |entry: &&Entry| entry.owner == *owner && !matches!(entry.standing, Standing::Arriving);
        self.entries.get(&id).filter(theirs).ok_or(StoreError::NotFound)
    }

    /// Whether a task may take up `bytes` from now on instead of what it did.
    pub(super) fn has_room(&self, id: TaskId, bytes: u64, limits: &Limits) -> bool {
        let now = self.entries.get(&id).map_or(0, |entry| entry.bytes);
        bytes <= now || (self.bytes - now).saturating_add(bytes) <= limits.bytes
    }

    /// Notes how a task ended, and what it takes up from now on.
    pub(super) fn end(&mut self, id: TaskId, standing: Standing, bytes: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            self.bytes = self.bytes - entry.bytes + bytes;
            (entry.bytes, entry.standing) = (bytes, standing);
        }
    }

    /// Those whose time is over by `now`, and those whose runner has been silent for too long.
    pub(super) fn overdue(&self, now: Instant) -> (Vec<TaskId>, Vec<TaskId>) {
        let (mut expired, mut silent) = (Vec::new(), Vec::new());
        for (id, entry) in &self.entries {
            match entry.standing {
                Standing::Done { expires, .. } | Standing::Failed { expires, .. } if expires <= now => {
                    expired.push(*id);
                }
                Standing::Leased { until, .. } if until <= now => silent.push(*id),
                _ => {}
            }
        }
        (expired, silent)
    }

    /// Puts a leased task back among those that wait, begun `attempts` times; `None` keeps the count.
    pub(super) fn put_back(&mut self, id: TaskId, attempts: Option<u32>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Standing::Leased { attempts: begun, spec, .. } = &entry.standing {
            let (attempts, spec) = (attempts.unwrap_or(*begun), spec.clone());
            self.wait(id, attempts, spec);
        }
    }

    /// A task as its owner sees it.
    pub(super) fn status(&self, id: TaskId, entry: &Entry) -> TaskStatus {
        let state = match &entry.standing {
            Standing::Arriving => State::Queued { ahead: self.waiting.len() },
            Standing::Waiting { attempts, .. } => {
                State::Queued { ahead: self.waiting.range(..(*attempts, entry.number, id)).count() }
            }
            Standing::Leased { started, step, .. } => State::Processing { started: *started, step: *step },
            Standing::Done { finished, report, .. } => {
                State::Done { finished: *finished, report: (**report).clone(), bytes: entry.bytes }
            }
            Standing::Failed { finished, failure, .. } => {
                State::Failed { finished: *finished, failure: failure.clone() }
            }
        };
        TaskStatus { id, submitted: entry.submitted, source_bytes: entry.source_bytes, state }
    }

    /// At most `limit` of an owner's tasks, in the order in which they came, from the one behind `after`. `None` when
    /// there is no such task.
    pub(super) fn list(&self, owner: &Owner, after: Option<TaskId>, limit: usize) -> Option<Vec<TaskStatus>> {
        let after = match after {
            None => None,
            Some(id) => Some(self.entries.get(&id).filter(|entry| entry.owner == *owner)?.number),
        };
        let is_listed = |(_, entry): &(&TaskId, &Entry)| {
            entry.owner == *owner
                && !matches!(entry.standing, Standing::Arriving)
                && after.is_none_or(|number| entry.number > number)
        };
        let mut page: Vec<_> = self.entries.iter().filter(is_listed).collect();
        if page.len() > limit {
            page.select_nth_unstable_by_key(limit, |(_, entry)| entry.number);
            page.truncate(limit);
        }
        page.sort_unstable_by_key(|(_, entry)| entry.number);
        // One pass over the queue for all positions of the page.
        let listed: HashSet<TaskId> = page.iter().map(|(id, _)| **id).collect();
        let waiting = (0..).zip(&self.waiting).filter(|(_, (_, _, id))| listed.contains(id));
        let positions: HashMap<TaskId, usize> = waiting.map(|(n, (_, _, id))| (*id, n)).collect();
        let describe = |(id, entry): (&TaskId, &Entry)| match (&entry.standing, positions.get(id)) {
            (Standing::Waiting { .. }, Some(ahead)) => TaskStatus {
                id: *id,
                submitted: entry.submitted,
                source_bytes: entry.source_bytes,
                state: State::Queued { ahead: *ahead },
            },
            _ => self.status(*id, entry),
        };
        Some(page.into_iter().map(describe).collect())
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts { bytes: self.bytes, quarantined: self.quarantined, ..Counts::default() };
        for entry in self.entries.values() {
            match entry.standing {
                Standing::Arriving => counts.queued += 1,
                Standing::Waiting { .. } => {
                    counts.queued += 1;
                    let waited = SystemTime::now().duration_since(entry.submitted).unwrap_or_default();
                    counts.oldest = counts.oldest.max(waited);
                }
                Standing::Leased { .. } => counts.processing += 1,
                Standing::Done { .. } => counts.done += 1,
                Standing::Failed { .. } => counts.failed += 1,
            }
        }
        counts
    }
}
