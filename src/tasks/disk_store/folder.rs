//! `Folder`: the store's files by name on a disk, written whole or not at all, and read with their checksums.
//!
//! ```text
//! lock            held by the one process that uses the folder
//! queue/ID.N      a task that was begun N times: its options and its image
//! done/ID         a result or a failure
//! */ID.new        being written: forgotten at the next start
//! quarantine/     files that failed their check, for a person to look at
//! ```

use crate::tasks::disk_store::TaskId;
use crate::tasks::disk_store::disk::Disk;
use crate::tasks::disk_store::record::{self, Damage};
use crate::tasks::head::Head;
use std::io;
use std::path::{Path, PathBuf};

pub(super) const QUEUE: &str = "queue";
pub(super) const DONE: &str = "done";
const QUARANTINE: &str = "quarantine";

/// The folder of a store.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    disk: Box<dyn Disk>,
}

/// What a name of a task stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// A task that was begun so many times.
    Task(TaskId, u32),
    /// A folder, a link, a pipe or a device, which the store did not make.
    NoFile,
}

impl Folder {
    /// The folder at `path`, with what it must have in it.
    pub(super) fn make(disk: Box<dyn Disk>, path: &Path) -> io::Result<Folder> {
        for name in [QUEUE, DONE, QUARANTINE] {
            disk.make_dir(&path.join(name))?;
        }
        disk.sync_dir(path)?;
        Ok(Folder { path: path.to_owned(), disk })
    }

    /// Where a task is that was begun so many times.
    pub(super) fn queued(&self, id: TaskId, attempts: u32) -> PathBuf {
        self.path.join(QUEUE).join(format!("{id}.{attempts}"))
    }

    /// Where a result or a failure is.
    pub(super) fn done(&self, id: TaskId) -> PathBuf {
        self.path.join(DONE).join(id.to_string())
    }

    /// What is named like a task in a folder, and what was found there. What was being written is removed.
    pub(super) fn list(&self, folder: &str) -> io::Result<Vec<(PathBuf, Found)>> {
        let mut found = Vec::new();
        for name in self.disk.list(&self.path.join(folder))? {
            let path = self.path.join(folder).join(&name);
            let (stem, extension) = name.split_once('.').unwrap_or((&name, "0"));
            match (stem.parse::<TaskId>(), extension, extension.parse()) {
                (Ok(_), "new", _) | (Ok(_), _, Ok(_)) if !self.disk.is_file(&path)? => {
                    found.push((path, Found::NoFile));
                }
                (Ok(_), "new", _) => self.disk.remove(&path)?,
                (Ok(id), _, Ok(attempts)) => found.push((path, Found::Task(id, attempts))),
                _ => log::warn!(file:% = path.display(); "not a file of the task store: left alone"),
            }
        }
        Ok(found)
    }

    /// The head of a file, and the length of its image.
    pub(super) fn head(&self, path: &Path) -> io::Result<Result<(Head, u64), Damage>> {
        const USUAL: u64 = 2 << 10;
        let (bytes, len) = self.disk.head(path, USUAL)?;
        match record::decode(&bytes, len) {
            Err(Damage::Length) if len > USUAL => {
                let (bytes, len) = self.disk.head(path, record::MAX_HEAD)?;
                Ok(record::decode(&bytes, len))
            }
            outcome => Ok(outcome),
        }
    }

    /// The image of a file.
    pub(super) fn image(&self, path: &Path) -> io::Result<Result<Vec<u8>, Damage>> {
        self.disk.read(path).map(record::image)
    }

    /// Writes a file whole and safe, or leaves nothing of it.
    pub(super) fn keep(
        &self,
        folder: &str,
        id: TaskId,
        path: &Path,
        head: &Head,
        image: &[u8],
    ) -> io::Result<()> {
        let new = self.path.join(folder).join(format!("{id}.new"));
        let written = self
            .disk
            .create(&new, &[&record::encode(head, image), image])
            .and_then(|()| self.disk.rename(&new, path))
            .and_then(|()| self.sync(folder));
        if written.is_err() {
            let _ = self.disk.remove(&new);
            let _ = self.disk.remove(path);
        }
        written
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    /// Makes what was written and removed in a folder safe.
    pub(super) fn sync(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_dir(&self.path.join(folder))
    }

    /// Sets a damaged file aside and says so.
    pub(super) fn set_aside(&self, path: &Path, damage: Damage) {
        let aside = self.path.join(QUARANTINE).join(path.file_name().unwrap_or_default());
        let file = path.display();
        match self.disk.rename(path, &aside) {
            Ok(()) => log::error!(file:% = file; "damaged task set aside in {}: {damage}", aside.display()),
            Err(error) => log::error!(file:% = file; "damaged task cannot be set aside ({error}): {damage}"),
        }
    }
}
