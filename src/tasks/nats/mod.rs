//! `NatsStore`: tasks of many machines, on NATS JetStream.
//!
//! ```text
//! queue   one small message a task; the message that a worker holds is its lease
//! bucket  OWNER.ID -> Entry: the truth about a task, changed by compare-and-set alone
//! blobs   sources and results, cut into messages
//! ```
//! Order of writes: `submit` stores image, entry, message; `complete` stores the result, then the entry (the only commit
//! point), then removes source and message. A server that dies between two of them leaves an image or a message behind,
//! which the housekeeper finds; it never leaves a task that was promised and is not there.

mod blobs; // Blobs: images as messages.
mod cluster; // Cluster: connection, streams, and the check of both.
mod entry; // Entry: a task in the bucket.
mod housekeeping; // what one server does for all.
mod leases; // Leases: the messages that this server's runners hold.
mod mirror; // Mirror: the bucket in memory.
mod retry; // Fault, Retry.

pub use cluster::{ClusterError, NatsSettings};

use crate::report::Report;
use crate::status::Status;
use crate::tasks::head::{Content, Head, millis};
use crate::tasks::store::{Claim, ClusterCounts, Counts, Lease, MAX_ATTEMPTS, Moved, StoreError, TaskStore};
use crate::tasks::{Failure, Limits, NewTask, Owner, Step, TaskId, TaskStatus};
use async_nats::HeaderMap;
use async_nats::jetstream::kv::Operation;
use async_nats::jetstream::{AckKind, Message};
use blobs::{BlobError, Blobs, Image};
use bytes::Bytes;
use cluster::Cluster;
use entry::{BadEntry, Entry, Phase};
use futures_util::StreamExt;
use housekeeping::Housekeeping;
use leases::{Held, Leases};
use mirror::{Change, Mirror};
use retry::{Fault, Retry};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Runtime;

/// Shortest wait for a task: shorter ones only make more requests to the cluster.
const PULL: Duration = Duration::from_secs(1);

/// Delay of a message that came too early: its entry was changed by another server.
const CHANGED_DELAY: Duration = Duration::from_secs(1);

/// Delay of a message that only a newer release can read.
const NEWER_DELAY: Duration = Duration::from_secs(5);

/// Delay of a task that could not be run now.
const RELEASE_DELAY: Duration = Duration::from_millis(250);

/// Longest time for the first connection: two elections.
const FIRST_CONNECTION: Duration = Duration::from_secs(30);

/// Longest wait for the first view of the bucket at the start.
const FIRST_VIEW: Duration = Duration::from_secs(30);

/// Pause before a broken watch begins again.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Key of the housekeeper in the bucket.
const HOUSEKEEPER: &str = "housekeeper";

/// Tasks on NATS JetStream.
#[derive(Debug)]
pub struct NatsStore {
    /// One thread of its own; the store is called from threads that may block.
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
}

/// What the store's threads share.
#[derive(Debug)]
struct Shared {
    cluster: Cluster,
    blobs: Blobs,
    mirror: Mirror,
    leases: Leases,
    housekeeping: Housekeeping,
    settings: NatsSettings,
    limits: Limits,
    moved: OnceLock<Moved>,
    quarantined: AtomicU64,
    redelivered: AtomicU64,
    overtaken: AtomicU64,
}

impl NatsStore {
    /// Connects to the cluster, checks its streams, and reads the bucket.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn open(settings: NatsSettings, limits: Limits) -> Result<NatsStore, ClusterError> {
        let runtime = runtime().map_err(|error| ClusterError::Refused(error.to_string()))?;
        let shared = runtime.block_on(async {
            let cluster = Self::connected(&settings, &limits).await?;
            let blobs = Blobs::new(cluster.context.clone(), &settings.prefix, cluster.blobs.clone());
            let shared = Arc::new(Shared {
                cluster,
                blobs,
                mirror: Mirror::default(),
                leases: Leases::default(),
                housekeeping: Housekeeping::default(),
                settings,
                limits,
                moved: OnceLock::new(),
                quarantined: AtomicU64::default(),
                redelivered: AtomicU64::default(),
                overtaken: AtomicU64::default(),
            });
            // The first server makes the key, so that a watch of the bucket always delivers one.
            let name = Bytes::from(shared.settings.node.clone());
            match shared.set(HOUSEKEEPER, name, 0).await {
                Ok(_) | Err(Fault::Changed) => {}
                Err(fault) => return Err(fault.into()),
            }
            tokio::spawn(shared.clone().watch());
            tokio::spawn(shared.clone().keep_leases());
            let deadline = Instant::now() + FIRST_VIEW;
            while !shared.mirror.is_complete() {
                if Instant::now() > deadline {
                    return Err(ClusterError::Refused("the tasks cannot be listed in time".to_owned()));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(shared)
        })?;
        Ok(NatsStore { runtime: Some(runtime), shared })
    }

    /// Opens the cluster, also while it elects leaders.
    async fn connected(settings: &NatsSettings, limits: &Limits) -> Result<Cluster, ClusterError> {
        let deadline = Instant::now() + FIRST_CONNECTION;
        loop {
            match Cluster::open(settings, limits).await {
                Err(error) if error.is_passing() && Instant::now() < deadline => {
                    log::warn!("{error}; trying again");
                    tokio::time::sleep(WATCH_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Makes the streams that [`NatsStore::open`] needs, or changes them to the settings. Returns their names.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn set_up(settings: &NatsSettings, limits: &Limits) -> Result<Vec<String>, ClusterError> {
        let runtime = runtime().map_err(|error| ClusterError::Refused(error.to_string()))?;
        runtime.block_on(cluster::set_up(settings, limits))
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.runtime {
            Some(runtime) => runtime.handle().block_on(work),
            None => unreachable!("the runtime lives until the store is dropped"),
        }
    }
}

impl Drop for NatsStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background(); // the last owner may be an asynchronous task
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("nats").enable_all().build()
}

impl TaskStore for NatsStore {
    fn submit(&self, task: NewTask<'_>) -> Result<TaskId, StoreError> {
        self.block_on(self.shared.submit(task))
    }

    fn claim(&self, wait: Duration) -> Result<Option<Claim>, StoreError> {
        self.block_on(self.shared.claim(wait))
    }

    fn image(&self, lease: &Lease) -> Result<Vec<u8>, StoreError> {
        self.block_on(self.shared.image(lease))
    }

    fn progress(&self, lease: &Lease, _: Step) -> Result<(), StoreError> {
        let is_current = self.shared.mirror.is_current(lease.id, lease.turn);
        if is_current && self.shared.leases.touch(lease.turn) { Ok(()) } else { Err(StoreError::NotFound) }
    }

    fn complete(&self, lease: &Lease, report: &Report, image: &[u8]) -> Result<(), StoreError> {
        self.block_on(self.shared.complete(lease, report, image))
    }

    fn fail(&self, lease: &Lease, failure: &Failure) -> Result<(), StoreError> {
        self.block_on(async {
            let held = self.shared.leases.get(lease.turn).ok_or(StoreError::NotFound)?;
            self.shared.fail(&held, failure).await
        })
    }

    fn release(&self, lease: &Lease) {
        self.block_on(self.shared.release(lease));
    }

    fn cancel(&self, owner: &Owner, id: TaskId) -> Result<(), StoreError> {
        self.block_on(self.shared.cancel(owner, id))
    }

    fn status(&self, owner: &Owner, id: TaskId) -> Result<TaskStatus, StoreError> {
        match self.shared.mirror.status(owner, id) {
            Some(status) => Ok(status),
            // The watch may be behind: the task was accepted by another server a moment ago.
            None => self.block_on(async {
                let (entry, _) =
                    self.shared.read(&entry::key(owner, id)).await?.ok_or(StoreError::NotFound)?;
                Ok(entry.status(id, 0))
            }),
        }
    }

    fn result(&self, owner: &Owner, id: TaskId) -> Result<Vec<u8>, StoreError> {
        self.block_on(self.shared.result(owner, id))
    }

    fn list(
        &self,
        owner: &Owner,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<TaskStatus>, StoreError> {
        self.shared.mirror.list(owner, after, limit)
    }

    fn expire(&self) -> Result<usize, StoreError> {
        self.block_on(self.shared.keep_house())
    }

    fn counts(&self) -> Counts {
        let shared = &self.shared;
        let cluster = ClusterCounts {
            is_up: self.ready().is_ok(),
            reconnects: shared.cluster.connections.load(Ordering::Relaxed).saturating_sub(1),
            redelivered: shared.redelivered.load(Ordering::Relaxed),
            overtaken: shared.overtaken.load(Ordering::Relaxed),
        };
        let quarantined = shared.quarantined.load(Ordering::Relaxed);
        Counts { quarantined, cluster: Some(cluster), ..shared.mirror.counts() }
    }

    fn on_move(&self, listener: Moved) {
        let _ = self.shared.moved.set(listener); // set once, by the one who opened the store
    }

    fn ready(&self) -> Result<(), &'static str> {
        match self.shared.cluster.context.client().connection_state() {
            async_nats::connection::State::Connected => Ok(()),
            _ => Err("NATS is not reachable"),
        }
    }
}

impl Shared {
    async fn submit(&self, task: NewTask<'_>) -> Result<TaskId, StoreError> {
        let most = self.limits.tasks_per_owner;
        if self.mirror.count_of(task.owner) >= most {
            return Err(StoreError::TooMany { most });
        }
        let id = TaskId::random().map_err(|error| StoreError::Io(std::io::Error::other(error)))?;
        let submitted = SystemTime::now();
        let source = self.blobs.put(id, Image::Source, task.image).await?;
        let head = Head {
            owner: task.owner.clone(),
            number: micros(submitted),
            submitted,
            source_bytes: source.bytes,
            content: Content::Task(Box::new(task.spec.clone())),
        };
        let entry = Entry { head, attempts: 0, source, phase: Phase::Queued };
        let key = entry::key(task.owner, id);
        let queued = async {
            let revision = self.commit(&key, id, &entry, 0).await?;
            self.enqueue(&key, id, revision).await.map(|()| revision)
        };
        match queued.await {
            Ok(_) => Ok(id),
            Err(fault) => {
                // Nobody was given the id. What cannot be removed now, the housekeeper removes.
                let _ = self.cluster.bucket.purge(&key).await;
                let _ = self.blobs.remove_all(id).await;
                Err(fault.into())
            }
        }
    }

    /// Puts the message of a task into the queue. Its name makes a second one of the same revision harmless.
    async fn enqueue(&self, key: &str, id: TaskId, revision: u64) -> Result<(), Fault> {
        let publish = async || {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("{id}.{revision}"));
            let sent = self.cluster.context.publish_with_headers(
                self.queue_subject(id),
                headers,
                Bytes::from(key.to_owned()),
            );
            sent.await?.await?;
            Ok(())
        };
        Retry::new().run(publish).await
    }

    fn queue_subject(&self, id: TaskId) -> String {
        format!("{}.task.{id}", self.settings.prefix)
    }

    async fn claim(&self, wait: Duration) -> Result<Option<Claim>, StoreError> {
        let pull = self.cluster.consumer.batch().max_messages(1).expires(wait.max(PULL));
        let message = match pull.messages().await {
            Ok(mut messages) => messages.next().await,
            Err(error) => return Err(Fault::away(error).into()),
        };
        match message {
            None => Ok(None),
            Some(Ok(message)) => Ok(self.begin(message).await?),
            Some(Err(error)) => Err(StoreError::Away(error.to_string())),
        }
    }

    /// Begins the task of a message, unless it is ended, gone, or given up.
    async fn begin(&self, message: Message) -> Result<Option<Claim>, Fault> {
        let (message, acker) = message.split();
        let postpone = async |delay| {
            let _ = acker.ack_with(AckKind::Nak(Some(delay))).await; // the lease ends by itself otherwise
        };
        let key = String::from_utf8_lossy(&message.payload).into_owned();
        let Some(id) = entry::id_of(&key) else {
            log::error!(subject:% = message.subject; "not a message of a task: removed from the queue");
            let _ = acker.double_ack().await;
            return Ok(None);
        };
        let (entry, revision) = match self.read_once(&key).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                let _ = acker.double_ack().await; // cancelled
                return Ok(None);
            }
            Err(ReadError::Entry(BadEntry::Newer)) => {
                postpone(NEWER_DELAY).await;
                return Ok(None);
            }
            Err(ReadError::Entry(BadEntry::Damaged)) => {
                self.quarantined.fetch_add(1, Ordering::Relaxed);
                log::error!(task:% = id; "the entry of a task is damaged: removed from the queue");
                let _ = acker.double_ack().await;
                return Ok(None);
            }
            Err(ReadError::Fault(fault)) => {
                postpone(CHANGED_DELAY).await;
                return Err(fault);
            }
        };
        if entry.is_final() {
            let _ = acker.double_ack().await;
            return Ok(None);
        }
        if entry.attempts >= MAX_ATTEMPTS {
            let message = format!("given up: the server died {MAX_ATTEMPTS} times over this task");
            log::error!(task:% = id; "{message}");
            let held = Held::new(acker, key, entry, revision);
            let _ = self.fail(&held, &Failure { status: Status::Internal, message }).await;
            return Ok(None);
        }
        if matches!(entry.phase, Phase::Processing { .. }) {
            self.redelivered.fetch_add(1, Ordering::Relaxed);
        }
        let node = self.settings.node.clone();
        let begun = Entry {
            attempts: entry.attempts + 1,
            phase: Phase::Processing { node, started: SystemTime::now() },
            ..entry
        };
        let turn = match self.commit(&key, id, &begun, revision).await {
            Ok(turn) => turn,
            Err(fault) => {
                postpone(CHANGED_DELAY).await;
                return if fault == Fault::Changed { Ok(None) } else { Err(fault) };
            }
        };
        let Content::Task(spec) = &begun.head.content else { return Ok(None) };
        let lease = Lease { id, owner: begun.head.owner.clone(), turn };
        let claim = Claim { lease, spec: (**spec).clone(), bytes: begun.head.source_bytes };
        self.leases.insert(turn, Held::new(acker, key, begun, turn));
        Ok(Some(claim))
    }

    async fn image(&self, lease: &Lease) -> Result<Vec<u8>, StoreError> {
        let held = self.leases.get(lease.turn).ok_or(StoreError::NotFound)?;
        match self.blobs.get(lease.id, Image::Source, held.entry.source).await {
            Ok(image) => Ok(image),
            Err(BlobError::Fault(fault)) => Err(fault.into()),
            Err(BlobError::Lost) if !self.mirror.is_current(lease.id, lease.turn) => {
                Err(StoreError::NotFound)
            }
            Err(BlobError::Lost) => {
                self.quarantined.fetch_add(1, Ordering::Relaxed);
                let message = "the image was damaged in the task store: send it again".to_owned();
                self.fail(&held, &Failure { status: Status::Internal, message }).await?;
                Err(StoreError::NotFound)
            }
        }
    }

    async fn complete(&self, lease: &Lease, report: &Report, image: &[u8]) -> Result<(), StoreError> {
        let held = self.leases.get(lease.turn).ok_or(StoreError::NotFound)?;
        let result = self.blobs.put(lease.id, Image::Result(lease.turn), image).await?;
        let content = Content::Done { finished: SystemTime::now(), report: Box::new(report.clone()) };
        let ended = self.end(&held, content, Phase::Done { attempt: lease.turn, result }).await;
        if ended.is_err() {
            let _ = self.blobs.remove_image(lease.id, Image::Result(lease.turn)).await;
        }
        ended
    }

    async fn fail(&self, held: &Held, failure: &Failure) -> Result<(), StoreError> {
        let content = Content::Failed { finished: SystemTime::now(), failure: failure.clone() };
        self.end(held, content, Phase::Failed).await
    }

    /// Commits the end of a task, then removes its source and its message.
    async fn end(&self, held: &Held, content: Content, phase: Phase) -> Result<(), StoreError> {
        let Some(id) = entry::id_of(&held.key) else { return Err(StoreError::NotFound) };
        let entry = held.entry.clone();
        let ended = Entry { head: Head { content, ..entry.head }, phase, ..entry };
        match self.commit(&held.key, id, &ended, held.revision).await {
            Ok(_) => {}
            Err(Fault::Changed) => {
                self.leases.remove(held.revision);
                return Err(StoreError::NotFound);
            }
            Err(fault) => return Err(fault.into()),
        }
        // The task is ended: what fails from here on, the housekeeper repeats.
        let _ = self.blobs.remove_image(id, Image::Source).await;
        let _ = held.acker.double_ack().await;
        self.leases.remove(held.revision);
        Ok(())
    }

    async fn release(&self, lease: &Lease) {
        let Some(held) = self.leases.remove(lease.turn) else { return };
        let attempts = held.entry.attempts.saturating_sub(1);
        let waiting = Entry { attempts, phase: Phase::Queued, ..held.entry.clone() };
        // If this fails, the attempt counts: the message comes again all the same.
        let _ = self.commit(&held.key, lease.id, &waiting, lease.turn).await;
        let _ = held.acker.ack_with(AckKind::Nak(Some(RELEASE_DELAY))).await;
    }

    async fn cancel(&self, owner: &Owner, id: TaskId) -> Result<(), StoreError> {
        let key = entry::key(owner, id);
        self.read(&key).await?.ok_or(StoreError::NotFound)?;
        Retry::new()
            .run(async || {
                let Some((_, revision)) = self.read_once(&key).await.map_err(ReadError::into_fault)? else {
                    return Ok(());
                };
                let purged = self.cluster.bucket.purge_expect_revision(&key, Some(revision)).await;
                // A worker has moved the task on in between: once more.
                purged.map_err(|error| match Fault::away(error) {
                    Fault::Changed => Fault::Away("the task keeps changing".to_owned()),
                    fault => fault,
                })
            })
            .await?;
        // The task is gone. The housekeeper removes what is left of it if these fail.
        let _ = self.blobs.remove_all(id).await;
        let _ = self.cluster.queue.purge().filter(self.queue_subject(id)).await;
        Ok(())
    }

    async fn result(&self, owner: &Owner, id: TaskId) -> Result<Vec<u8>, StoreError> {
        let key = entry::key(owner, id);
        let found = match self.mirror.get(owner, id) {
            Some(known) => (known.entry, known.revision),
            None => self.read(&key).await?.ok_or(StoreError::NotFound)?,
        };
        let (entry, revision) = found;
        let Phase::Done { attempt, result } = entry.phase else { return Err(StoreError::NotFound) };
        match self.blobs.get(id, Image::Result(attempt), result).await {
            Ok(image) => Ok(image),
            Err(BlobError::Fault(fault)) => Err(fault.into()),
            Err(BlobError::Lost) if !self.mirror.is_current(id, revision) => Err(StoreError::NotFound),
            Err(BlobError::Lost) => {
                self.quarantined.fetch_add(1, Ordering::Relaxed);
                let message = "the result was damaged in the task store: send the image again".to_owned();
                let failure = Failure { status: Status::Internal, message };
                let content = Content::Failed { finished: SystemTime::now(), failure };
                let failed = Entry { head: Head { content, ..entry.head }, phase: Phase::Failed, ..entry };
                self.commit(&key, id, &failed, revision).await?;
                Err(StoreError::NotFound)
            }
        }
    }

    /// Writes an entry if the bucket has it at `revision`, or none of it for 0. Returns the new revision.
    async fn commit(&self, key: &str, id: TaskId, entry: &Entry, revision: u64) -> Result<u64, Fault> {
        let new = self.set(key, Bytes::from(entry.encode()), revision).await?;
        let time = self.mirror.server_time().unwrap_or_else(SystemTime::now);
        self.mirror.take_own(Change { id, entry: Some(entry.clone()), revision: new, time });
        Ok(new)
    }

    /// Writes a key by compare-and-set. An acknowledgement that was lost is made good by reading the key back.
    async fn set(&self, key: &str, value: Bytes, revision: u64) -> Result<u64, Fault> {
        let subject = format!("$KV.{}.{key}", self.cluster.bucket.name);
        let write = async || {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
            let sent = self.cluster.context.publish_with_headers(subject.clone(), headers, value.clone());
            let written = async { sent.await?.await }.await;
            match written.map_err(Fault::from) {
                Ok(ack) => Ok(ack.sequence),
                Err(Fault::Changed) => match self.cluster.bucket.entry(key).await {
                    Ok(Some(found)) if found.operation == Operation::Put && found.value == value => {
                        Ok(found.revision)
                    }
                    Ok(_) => {
                        self.overtaken.fetch_add(1, Ordering::Relaxed);
                        Err(Fault::Changed)
                    }
                    Err(error) => Err(Fault::away(error)),
                },
                Err(fault) => Err(fault),
            }
        };
        Retry::new().run(write).await
    }

    /// Reads a task from the leader of the bucket.
    async fn read(&self, key: &str) -> Result<Option<(Entry, u64)>, StoreError> {
        let read = async || match self.read_once(key).await {
            Ok(found) => Ok(Ok(found)),
            Err(ReadError::Entry(bad)) => Ok(Err(bad)),
            Err(ReadError::Fault(fault)) => Err(fault),
        };
        match Retry::new().run(read).await? {
            Ok(found) => Ok(found),
            Err(bad) => {
                log::error!("the entry of a task cannot be read: {bad}");
                Err(StoreError::NotFound)
            }
        }
    }

    async fn read_once(&self, key: &str) -> Result<Option<(Entry, u64)>, ReadError> {
        let found = self.cluster.bucket.entry(key).await.map_err(Fault::away)?;
        match found.filter(|found| found.operation == Operation::Put) {
            Some(found) => Ok(Some((Entry::decode(&found.value)?, found.revision))),
            None => Ok(None),
        }
    }

    /// Keeps the mirror, for the life of the runtime.
    async fn watch(self: Arc<Self>) {
        loop {
            if let Err(error) = self.follow().await {
                log::warn!("the watch of the tasks broke, it begins again: {error}");
            }
            tokio::time::sleep(WATCH_PAUSE).await;
        }
    }

    async fn follow(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut watch = self.cluster.bucket.watch_many_with_history([">"]).await?;
        self.mirror.begin();
        while let Some(message) = watch.next().await {
            let message = message?;
            let (revision, time) = (message.revision, SystemTime::from(message.created));
            if message.key == HOUSEKEEPER {
                let node = String::from_utf8_lossy(&message.value).into_owned();
                self.mirror.take_housekeeper(node, revision, time);
            } else if let Some(id) = entry::id_of(&message.key) {
                let entry = match message.operation {
                    Operation::Put => Entry::decode(&message.value).ok(),
                    Operation::Delete | Operation::Purge => None,
                };
                self.mirror.take(Change { id, entry, revision, time });
                self.tell(id);
            }
            if message.delta == 0 {
                self.mirror.complete().into_iter().for_each(|id| self.tell(id));
            }
        }
        Ok(())
    }

    fn tell(&self, id: TaskId) {
        if let Some(listener) = self.moved.get() {
            listener.tell(id);
        }
    }

    /// Extends the leases of tasks whose runners show progress, for the life of the runtime.
    async fn keep_leases(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.settings.lease / 3);
        loop {
            ticks.tick().await;
            for acker in self.leases.alive(self.settings.lease) {
                let _ = acker.ack_with(AckKind::Progress).await; // the next one follows soon
            }
        }
    }
}

/// An entry that cannot be read.
#[derive(Debug)]
enum ReadError {
    Fault(Fault),
    Entry(BadEntry),
}

impl ReadError {
    /// A fault; an entry that cannot be used is as good as a change.
    fn into_fault(self) -> Fault {
        match self {
            ReadError::Fault(fault) => fault,
            ReadError::Entry(_) => Fault::Changed,
        }
    }
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        ReadError::Fault(fault)
    }
}

impl From<BadEntry> for ReadError {
    fn from(bad: BadEntry) -> Self {
        ReadError::Entry(bad)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Away(message) => StoreError::Away(message),
            Fault::Full(message) => {
                log::warn!("NATS: {message}");
                StoreError::Full
            }
            Fault::Changed => StoreError::NotFound,
        }
    }
}

/// Microseconds since 1970, by which tasks of all machines are ordered.
fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_else(|_| millis(time))
}
