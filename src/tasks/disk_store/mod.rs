//! `DiskStore`: tasks as files in a folder of this machine.
//!
//! A file is written under a temporary name, synced, renamed, and the folder synced, before anything is
//! acknowledged: so it is there whole or not at all, and a task is accepted by one atomic step. A result is on
//! disk before its task is removed; when both are found, the result counts.
//!
//! Why files and no database: images are most of the bytes, and would be written twice; a flipped bit in a
//! shared page of a B-tree takes many tasks with it, in a file one; and on a full disk a folder can still
//! be read and removed from, where a database that failed to grow must be closed and opened again.

mod disk; // Disk: the few things that are asked of a file system.
mod folder; // Folder: the files by name.
#[doc(hidden)]
#[cfg(any(fuzzing, debug_assertions))] // not in a release build
pub mod fuzzing; // invariants of the files, for fuzz/.
mod index; // Index: what is known without reading files.
mod record; // one file as bytes.
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use crate::report::Report;
use crate::status::Status;
use crate::tasks::head::{Content, Head};
use crate::tasks::store::{Claim, Counts, LEASE, Lease, Limits, MAX_ATTEMPTS, StoreError, TaskStore};
use crate::tasks::{Failure, NewTask, Owner, Step, TaskId, TaskStatus};
use disk::{Disk, LocalDisk};
use folder::{DONE, Folder, Found, QUEUE};
use index::{Index, Standing};
use record::Damage;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// One folder, one process.
    #[error("another process uses it")]
    InUse,
    /// It cannot be made, read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Tasks in a folder.
#[derive(Debug)]
pub struct DiskStore {
    folder: Folder,
    limits: Limits,
    index: Mutex<Index>,
    arrived: Condvar,
    _lock: Option<File>,
}

impl DiskStore {
    /// Opens a folder, which is made if it is not there, and takes in the tasks that it holds. Damaged files
    /// are reported and set aside.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path, limits: Limits) -> Result<DiskStore, OpenError> {
        LocalDisk.make_dir(folder)?;
        let path = folder.join("lock");
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            let message = format!("{} is not a file: remove it", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message).into()); // opening a pipe would hang
        }
        let lock = File::options().create(true).truncate(false).write(true).open(path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(OpenError::InUse),
            Err(fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut store = DiskStore::open_on(Box::new(LocalDisk), folder, limits)?;
        store._lock = Some(lock);
        Ok(store)
    }

    fn open_on(disk: Box<dyn Disk>, folder: &Path, limits: Limits) -> io::Result<DiskStore> {
        let folder = Folder::make(disk, folder)?;
        let store =
            DiskStore { folder, limits, index: Mutex::default(), arrived: Condvar::new(), _lock: None };
        store.take_in(DONE)?;
        store.take_in(QUEUE)?;
        Ok(store)
    }

    /// Takes the files of a folder into the index.
    fn take_in(&self, folder: &'static str) -> io::Result<()> {
        let mut index = self.lock();
        for (path, found) in self.folder.list(folder)? {
            let Found::Task(id, attempts) = found else {
                self.quarantine(&mut index, &path, Damage::NoFile);
                continue;
            };
            if index.contains(id) {
                self.folder.remove(&path)?; // its result is there, or its twin of fewer attempts
                continue;
            }
            match self.folder.head(&path)? {
                Ok((head, bytes)) if matches!(head.content, Content::Task(_)) == (folder == QUEUE) => {
                    index.take_in(id, head, bytes, attempts, self.limits.ttl);
                }
                Ok(_) => self.quarantine(&mut index, &path, Damage::Foreign),
                Err(damage) => self.quarantine(&mut index, &path, damage),
            }
        }
        Ok(())
    }

    /// Sets a damaged file aside.
    fn quarantine(&self, index: &mut Index, path: &Path, damage: Damage) {
        index.quarantined += 1;
        self.folder.set_aside(path, damage);
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expire_at(&self, now: Instant) -> Result<usize, StoreError> {
        let mut index = self.lock();
        let (expired, silent) = index.overdue(now);
        for id in silent {
            log::warn!(task:% = id; "its runner fell silent: given to another");
            index.put_back(id, None);
            self.arrived.notify_one();
        }
        for id in &expired {
            match self.folder.remove(&self.folder.done(*id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(error)),
                _ => index.remove(*id),
            };
        }
        Ok(expired.len())
    }

    /// Keeps how a leased task ended, then removes the task.
    fn end(&self, lease: &Lease, content: Content, image: &[u8]) -> Result<(), StoreError> {
        let (head, attempts) = {
            let mut index = self.lock();
            let entry = index.leased(lease)?;
            let Standing::Leased { attempts, until, .. } = &mut entry.standing else {
                return Err(StoreError::NotFound);
            };
            *until = Instant::now() + LEASE;
            let attempts = *attempts;
            let head = entry.head(content);
            if !index.has_room(lease.id, image.len() as u64, &self.limits) {
                return Err(StoreError::Full);
            }
            (head, attempts)
        };
        self.folder.keep(DONE, lease.id, &self.folder.done(lease.id), &head, image).map_err(told)?;
        let mut index = self.lock();
        if index.leased(lease).is_err() {
            let _ = self.folder.remove(&self.folder.done(lease.id)); // cancelled meanwhile
            return Err(StoreError::NotFound);
        }
        let expires = Instant::now() + self.limits.ttl;
        let standing = match head.content {
            Content::Done { finished, report } => Standing::Done { finished, report, expires },
            Content::Failed { finished, failure } => Standing::Failed { finished, failure, expires },
            Content::Task(spec) => Standing::Waiting { attempts, spec },
        };
        index.end(lease.id, standing, image.len() as u64);
        let _ = self.folder.remove(&self.folder.queued(lease.id, attempts)); // found again, the result counts
        Ok(())
    }
}

/// Logs what only the operator can mend.
fn told(error: io::Error) -> StoreError {
    let error = StoreError::from(error);
    if let StoreError::Io(source) = &error {
        log::error!("task store: {source}");
    }
    error
}

impl TaskStore for DiskStore {
    fn submit(&self, task: NewTask<'_>) -> Result<TaskId, StoreError> {
        let id = TaskId::random().map_err(|error| StoreError::Io(io::Error::other(error)))?;
        let source_bytes = task.image.len() as u64;
        let number = self.lock().reserve(id, task.owner, source_bytes, &self.limits)?;
        let spec = Box::new(task.spec.clone());
        let head = Head {
            owner: task.owner.clone(),
            number,
            submitted: SystemTime::now(),
            source_bytes,
            content: Content::Task(spec.clone()),
        };
        let kept = self.folder.keep(QUEUE, id, &self.folder.queued(id, 0), &head, task.image);
        let mut index = self.lock();
        match kept {
            Ok(()) => {
                index.wait(id, 0, spec);
                self.arrived.notify_one();
                Ok(id)
            }
            Err(error) => {
                index.remove(id);
                Err(told(error))
            }
        }
    }

    fn claim(&self, wait: Duration) -> Result<Option<Claim>, StoreError> {
        let deadline = Instant::now() + wait;
        let mut index = self.lock();
        loop {
            let Some((id, attempts)) = index.next() else {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(None);
                }
                index = self.arrived.wait_timeout(index, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            let begun = if attempts < MAX_ATTEMPTS {
                // The count must outlive this process, which the task may kill, but not a loss of power.
                self.folder.rename(&self.folder.queued(id, attempts), &self.folder.queued(id, attempts + 1))
            } else {
                Ok(())
            };
            let message = match begun {
                Ok(()) if attempts < MAX_ATTEMPTS => {
                    let Some((lease, spec, bytes)) = index.lease(id, attempts + 1) else { continue };
                    return Ok(Some(Claim { lease, spec, bytes }));
                }
                Ok(()) => format!("given up: the server died {MAX_ATTEMPTS} times over this task"),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    "the task's file has vanished from the task store: send the image again".to_owned()
                }
                Err(error) => return Err(told(error)),
            };
            log::error!(task:% = id; "{message}");
            let Some((lease, ..)) = index.lease(id, attempts) else { continue };
            drop(index);
            if let Err(error) = self.fail(&lease, &Failure { status: Status::Internal, message }) {
                self.lock().put_back(id, None);
                return Err(error);
            }
            index = self.lock();
        }
    }

    fn image(&self, lease: &Lease) -> Result<Vec<u8>, StoreError> {
        let path = {
            let mut index = self.lock();
            match index.leased(lease)?.standing {
                Standing::Leased { attempts, .. } => self.folder.queued(lease.id, attempts),
                _ => return Err(StoreError::NotFound),
            }
        };
        let damage = match self.folder.image(&path) {
            Ok(Ok(image)) => return Ok(image),
            Ok(Err(damage)) => damage,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::NotFound),
            Err(error) => return Err(told(error)),
        };
        self.quarantine(&mut self.lock(), &path, damage);
        let message = "the image was damaged in the task store: send it again".to_owned();
        self.fail(lease, &Failure { status: Status::Internal, message })?;
        Err(StoreError::NotFound)
    }

    fn progress(&self, lease: &Lease, step: Step) -> Result<(), StoreError> {
        if let Standing::Leased { until, step: at, .. } = &mut self.lock().leased(lease)?.standing {
            *until = Instant::now() + LEASE;
            *at = step;
        }
        Ok(())
    }

    fn complete(&self, lease: &Lease, report: &Report, image: &[u8]) -> Result<(), StoreError> {
        let content = Content::Done { finished: SystemTime::now(), report: Box::new(report.clone()) };
        self.end(lease, content, image)
    }

    fn fail(&self, lease: &Lease, failure: &Failure) -> Result<(), StoreError> {
        self.end(lease, Content::Failed { finished: SystemTime::now(), failure: failure.clone() }, &[])
    }

    fn release(&self, lease: &Lease) {
        let mut index = self.lock();
        let Ok(entry) = index.leased(lease) else { return };
        let Standing::Leased { attempts, .. } = entry.standing else { return };
        let before = attempts.saturating_sub(1);
        let renamed = self
            .folder
            .rename(&self.folder.queued(lease.id, attempts), &self.folder.queued(lease.id, before));
        index.put_back(lease.id, renamed.is_ok().then_some(before));
        self.arrived.notify_one();
    }

    fn cancel(&self, owner: &Owner, id: TaskId) -> Result<(), StoreError> {
        let gone = |removed: io::Result<()>| match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(told(error)),
            _ => Ok(()),
        };
        {
            let mut index = self.lock();
            match index.owned(owner, id)?.standing {
                Standing::Waiting { attempts, .. } | Standing::Leased { attempts, .. } => {
                    gone(self.folder.remove(&self.folder.queued(id, attempts)))?;
                }
                Standing::Arriving | Standing::Done { .. } | Standing::Failed { .. } => {}
            }
            index.remove(id);
        }
        // A result must not go before its task is gone for good, or the task would run once more.
        self.folder.sync(QUEUE).map_err(told)?;
        gone(self.folder.remove(&self.folder.done(id)))?;
        self.folder.sync(DONE).map_err(told)
    }

    fn status(&self, owner: &Owner, id: TaskId) -> Result<TaskStatus, StoreError> {
        let index = self.lock();
        index.owned(owner, id).map(|entry| index.status(id, entry))
    }

    fn result(&self, owner: &Owner, id: TaskId) -> Result<Vec<u8>, StoreError> {
        let is_done = matches!(self.lock().owned(owner, id)?.standing, Standing::Done { .. });
        if !is_done {
            return Err(StoreError::NotFound);
        }
        let path = self.folder.done(id);
        let damage = match self.folder.image(&path) {
            Ok(Ok(image)) => return Ok(image),
            Ok(Err(damage)) => damage,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::NotFound),
            Err(error) => return Err(told(error)),
        };
        let mut index = self.lock();
        let Ok(entry) = index.owned(owner, id) else { return Err(StoreError::NotFound) };
        let Standing::Done { finished, expires, .. } = entry.standing else {
            return Err(StoreError::NotFound);
        };
        let message = "the result was damaged in the task store: send the image again".to_owned();
        let failure = Failure { status: Status::Internal, message };
        let head = entry.head(Content::Failed { finished, failure: failure.clone() });
        self.quarantine(&mut index, &path, damage);
        index.end(id, Standing::Failed { finished, failure, expires }, 0);
        let _ = self.folder.keep(DONE, id, &path, &head, &[]); // told until the next start at least
        Err(StoreError::NotFound)
    }

    fn list(
        &self,
        owner: &Owner,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<TaskStatus>, StoreError> {
        self.lock().list(owner, after, limit).ok_or(StoreError::NotFound)
    }

    fn expire(&self) -> Result<usize, StoreError> {
        self.expire_at(Instant::now())
    }

    fn counts(&self) -> Counts {
        self.lock().counts()
    }
}
