//! Housekeeping that one server does for all: results that are kept for long enough go, and so does what a server that died
//! between two writes left behind.

use crate::status::Status;
use crate::tasks::Failure;
use crate::tasks::TaskId;
use crate::tasks::head::{Content, Head};
use crate::tasks::nats::blobs::Image;
use crate::tasks::nats::entry::{self, Entry, Phase};
use crate::tasks::nats::mirror::age;
use crate::tasks::nats::retry::Fault;
use crate::tasks::nats::{HOUSEKEEPER, Shared};
use crate::tasks::store::StoreError;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Time after which another server takes over from a housekeeper that is silent.
const TAKEOVER: Duration = Duration::from_secs(10);

/// Interval at which the housekeeper says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Sweeps in the time after which something counts as left behind.
const SWEEPS: u32 = 2;

/// When this server swept last.
#[derive(Debug, Default)]
pub(super) struct Housekeeping(Mutex<Option<Instant>>);

impl Shared {
    /// One round, if this server is the housekeeper. Returns the tasks that were forgotten.
    pub(super) async fn keep_house(&self) -> Result<usize, StoreError> {
        if !self.is_housekeeper().await {
            return Ok(0);
        }
        let ttl = self.limits.ttl;
        let overdue =
            self.mirror.select(|known, now| known.entry.is_final() && age(known.changed, now) >= ttl);
        let forgotten = overdue.len();
        for (id, known) in overdue {
            let key = entry::key(&known.entry.head.owner, id);
            let purged = self.cluster.bucket.purge_expect_revision(&key, Some(known.revision)).await;
            match purged.map_err(Fault::away) {
                Ok(()) => drop(self.blobs.remove_all(id).await), // swept otherwise
                Err(Fault::Changed) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        self.give_up_waiting().await?;
        if self.is_time_to_sweep() {
            self.sweep().await?;
        }
        Ok(forgotten)
    }

    /// Returns true if this server is the housekeeper. It stays so by a heartbeat, and becomes so when the one before has
    /// been silent for [`TAKEOVER`], measured on this machine's monotonic clock.
    async fn is_housekeeper(&self) -> bool {
        let Some(now) = self.mirror.housekeeper() else { return false };
        let is_own = now.node == self.settings.node;
        let silent = now.seen.elapsed();
        if silent < if is_own { HEARTBEAT } else { TAKEOVER } {
            return is_own;
        }
        let name = Bytes::from(self.settings.node.clone());
        match self.set(HOUSEKEEPER, name, now.revision).await {
            Ok(_) => true,
            Err(fault) => {
                log::debug!("not the housekeeper: {fault}");
                false
            }
        }
    }

    /// Fails tasks that no worker has begun in `task_wait`.
    async fn give_up_waiting(&self) -> Result<(), StoreError> {
        let longest = self.settings.task_wait;
        let late = self.mirror.select(|known, now| {
            known.entry.phase == Phase::Queued && age(known.entry.head.submitted, now) >= longest
        });
        for (id, known) in late {
            let message = format!("no worker took the task within {} s (task_wait)", longest.as_secs());
            let failure = Failure { status: Status::Timeout, message };
            let content = Content::Failed { finished: SystemTime::now(), failure };
            let key = entry::key(&known.entry.head.owner, id);
            let head = Head { content, ..known.entry.head };
            let failed = Entry { head, phase: Phase::Failed, ..known.entry };
            match self.commit(&key, id, &failed, known.revision).await {
                Ok(_) => {
                    let _ = self.blobs.remove_all(id).await;
                    let _ = self.cluster.queue.purge().filter(self.queue_subject(id)).await;
                }
                Err(Fault::Changed) => {} // a worker came after all
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }

    fn is_time_to_sweep(&self) -> bool {
        let mut latest = self.housekeeping.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = latest.is_none_or(|latest| latest.elapsed() >= self.settings.orphan_age / SWEEPS);
        if due {
            *latest = Some(Instant::now());
        }
        due
    }

    /// Removes images that belong to no task, and queues tasks again whose message is missing.
    async fn sweep(&self) -> Result<(), StoreError> {
        let removed = self.sweep_blobs().await?;
        let requeued = self.sweep_queue().await?;
        if removed + requeued > 0 {
            log::info!(
                "swept the task store: removed {removed} images left behind, queued {requeued} tasks again"
            );
        }
        Ok(())
    }

    async fn sweep_blobs(&self) -> Result<usize, Fault> {
        let mut removed = 0;
        for shard in self.blobs.shards() {
            let mut subjects = shard.info_with_subjects(">").await.map_err(Fault::away)?;
            let mut images: HashMap<(TaskId, Option<Image>), String> = HashMap::new();
            use futures_util::TryStreamExt;
            while let Some((subject, _)) = subjects.try_next().await.map_err(Fault::away)? {
                if let Some(id) = self.blobs.task_of(&subject) {
                    images.insert((id, Image::of_subject(&subject)), subject);
                }
            }
            for ((id, image), subject) in images {
                let Some(image) = image else { continue };
                if self.is_needed(id, image) {
                    continue;
                }
                let written = match shard.get_last_raw_message_by_subject(&subject).await {
                    Ok(message) => SystemTime::from(message.time),
                    Err(error) if Fault::is_missing(&error) => continue,
                    Err(error) => return Err(Fault::away(error)),
                };
                let now = self.mirror.server_time().unwrap_or(written);
                if age(written, now) >= self.settings.orphan_age && !self.is_needed(id, image) {
                    self.blobs.remove_image(id, image).await?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// Returns true if the task of an image still needs it.
    fn is_needed(&self, id: TaskId, image: Image) -> bool {
        match (self.mirror.entry(id).map(|entry| entry.phase), image) {
            (None | Some(Phase::Failed), _) => false,
            (Some(Phase::Done { .. }), Image::Source) => false,
            (Some(Phase::Done { attempt, .. }), Image::Result(of)) => attempt == of,
            // The attempt that wrote it may be about to commit it.
            (Some(Phase::Queued | Phase::Processing { .. }), _) => true,
        }
    }

    async fn sweep_queue(&self) -> Result<usize, Fault> {
        let orphan_age = self.settings.orphan_age;
        let old =
            self.mirror.select(|known, now| !known.entry.is_final() && age(known.changed, now) >= orphan_age);
        let mut requeued = 0;
        for (id, known) in old {
            match self.cluster.queue.get_last_raw_message_by_subject(&self.queue_subject(id)).await {
                Ok(_) => {}
                Err(error) if Fault::is_missing(&error) => {
                    let key = entry::key(&known.entry.head.owner, id);
                    // Committed anew, so that its message has a name that the queue has not seen.
                    match self.commit(&key, id, &known.entry, known.revision).await {
                        Ok(revision) => self.enqueue(&key, id, revision).await?,
                        Err(Fault::Changed) => continue,
                        Err(fault) => return Err(fault),
                    }
                    requeued += 1;
                }
                Err(error) => return Err(Fault::away(error)),
            }
        }
        Ok(requeued)
    }
}
