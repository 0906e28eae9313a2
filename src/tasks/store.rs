//! `TaskStore`: where tasks are kept until they are done and fetched. Embedded in this process now, spread
//! over many machines later.

use crate::report::Report;
use crate::spec::Spec;
use crate::tasks::{Failure, NewTask, Owner, Step, TaskId, TaskStatus};
use std::fmt::Debug;
use std::io;
use std::time::Duration;

/// How often a task may be begun. One that is still not ended, because each time the process died over it,
/// has failed.
pub const MAX_ATTEMPTS: u32 = 3;

/// How long a runner may be silent about a task before another one takes it.
pub const LEASE: Duration = Duration::from_secs(30);

/// Keeps tasks, hands them to runners, and keeps their results.
///
/// A task that [`TaskStore::submit`] has named survives the end of the process and the loss of power, and
/// is run at least once. Time is measured on the monotonic clock; the wall clock is only shown.
pub trait TaskStore: Debug + Send + Sync {
    /// Keeps a task. When this returns it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no room for it, [`StoreError::TooMany`] when its owner has enough,
    /// [`StoreError::Io`]; nothing of it is left then.
    fn submit(&self, task: NewTask<'_>) -> Result<TaskId, StoreError>;

    /// Takes the task that waits for longest, or waits for one at most this long. Tasks that were begun
    /// before come after those that never were, so that one bad picture holds up nobody.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn claim(&self, wait: Duration) -> Result<Option<Claim>, StoreError>;

    /// The image of a claimed task. One that was damaged on disk fails its task.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the task was cancelled, or its lease ran out, or it has just failed.
    fn image(&self, lease: &Lease) -> Result<Vec<u8>, StoreError>;

    /// Tells how far a claimed task is, and extends its lease.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the task was cancelled or its lease ran out: stop working on it.
    fn progress(&self, lease: &Lease, step: Step) -> Result<(), StoreError>;

    /// Keeps the result of a claimed task. When this returns it is on disk.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] as for [`TaskStore::progress`], the result is ignored then;
    /// [`StoreError::Full`] and [`StoreError::Io`], the task is still claimed then.
    fn complete(&self, lease: &Lease, report: &Report, image: &[u8]) -> Result<(), StoreError>;

    /// Notes that a claimed task will have no result.
    ///
    /// # Errors
    /// As [`TaskStore::complete`].
    fn fail(&self, lease: &Lease, failure: &Failure) -> Result<(), StoreError>;

    /// Puts a claimed task back as if it had not been taken: for a runner that cannot run it now.
    fn release(&self, lease: &Lease);

    /// Forgets a task with all that was kept of it, however it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for tasks that are unknown or of another owner, alike.
    fn cancel(&self, owner: &Owner, id: TaskId) -> Result<(), StoreError>;

    /// How a task stands.
    ///
    /// # Errors
    /// As [`TaskStore::cancel`].
    fn status(&self, owner: &Owner, id: TaskId) -> Result<TaskStatus, StoreError>;

    /// The result of a task that is done. One that was damaged on disk fails its task.
    ///
    /// # Errors
    /// As [`TaskStore::cancel`]; [`StoreError::NotFound`] also when there is no result.
    fn result(&self, owner: &Owner, id: TaskId) -> Result<Vec<u8>, StoreError>;

    /// At most `limit` of an owner's tasks, in the order in which they came, from the one behind `after`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no task `after`, which may have expired since; the store's own.
    fn list(&self, owner: &Owner, after: Option<TaskId>, limit: usize)
    -> Result<Vec<TaskStatus>, StoreError>;

    /// Forgets results and failures that have been kept for long enough, and gives tasks whose runner fell
    /// silent to the others. To be called every few seconds. How many were forgotten.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn expire(&self) -> Result<usize, StoreError>;

    /// How much there is of everything.
    fn counts(&self) -> Counts;

    /// Calls `listener` with each task that another process has moved on. A store of one process has none.
    fn on_move(&self, _listener: Moved) {}

    /// Tells whether tasks can be accepted now.
    ///
    /// # Errors
    /// The reason, in a word or two.
    fn ready(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// A listener of [`TaskStore::on_move`].
pub struct Moved(Box<dyn Fn(TaskId) + Send + Sync>);

impl Moved {
    /// A listener. It must not block.
    pub fn new(listener: impl Fn(TaskId) + Send + Sync + 'static) -> Moved {
        Moved(Box::new(listener))
    }

    /// Tells of a task.
    pub fn tell(&self, id: TaskId) {
        (self.0)(id);
    }
}

impl Debug for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Moved")
    }
}

/// What a store may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long results and failures are kept. Default: 24 h.
    pub ttl: Duration,
    /// Bytes of images and results, of all owners together. Default: 4 GiB.
    pub bytes: u64,
    /// Tasks of one owner, results and failures included. Default: 10,000.
    pub tasks_per_owner: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { ttl: Duration::from_secs(24 * 3600), bytes: 4 << 30, tasks_per_owner: 10_000 }
    }
}

/// A task that was taken to be run.
#[derive(Debug)]
pub struct Claim {
    /// The right to run it.
    pub lease: Lease,
    /// What to make of the picture.
    pub spec: Spec,
    /// Length of the image in bytes.
    pub bytes: u64,
}

/// The right to run a task, for [`LEASE`] after the last sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The task.
    pub id: TaskId,
    /// Its owner, who may be told.
    pub owner: Owner,
    /// Different each time that a task is taken.
    pub(super) turn: u64,
}

/// How much there is in a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks that wait.
    pub queued: usize,
    /// Tasks that a runner has.
    pub processing: usize,
    /// Results that are kept.
    pub done: usize,
    /// Failures that are kept.
    pub failed: usize,
    /// Bytes of images and results.
    pub bytes: u64,
    /// Files that failed their check and were set aside since the start.
    pub quarantined: u64,
    /// Time that the longest waiting task has waited.
    pub oldest: Duration,
    /// Facts of a cluster, where the store is one.
    pub cluster: Option<ClusterCounts>,
}

/// Facts of the cluster that keeps tasks, as this process sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterCounts {
    /// True while it is connected.
    pub is_up: bool,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Tasks taken that another worker had begun.
    pub redelivered: u64,
    /// Writes that came after another server's.
    pub overtaken: u64,
}

/// Why a store does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Unknown, another's, or gone.
    #[error("there is no such task")]
    NotFound,
    /// The owner must fetch and delete, or wait until results have expired.
    #[error("{most} tasks are kept for one caller: delete some, or wait until old results have expired")]
    TooMany {
        /// The limit.
        most: usize,
    },
    /// The operator must give more room, or tasks must end.
    #[error("there is no room to keep another task: try again later")]
    Full,
    /// The machines that keep tasks do not answer. Trying again soon helps.
    #[error("the task store cannot be reached, try again later: {0}")]
    Away(String),
    /// The disk does not do what it should. The details are for the operator's log.
    #[error("the task store does not work, see the server's log")]
    Io(#[source] io::Error),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StoreError::Full
            }
            _ => StoreError::Io(error),
        }
    }
}
