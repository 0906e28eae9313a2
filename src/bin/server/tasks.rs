//! The tasks of this server, as the settings want them: their folder, and the threads that run them.

use anyhow::Context;
use imgsrv::internals::config::{Config, DataDir};
use imgsrv::internals::engine::Engine;
use imgsrv::internals::tasks::{DiskStore, Runners, Tasks};
use std::path::PathBuf;
use std::sync::Arc;

/// The tasks on their disk, and where.
pub(crate) struct Kept {
    /// The folder.
    pub(crate) folder: PathBuf,
    store: DiskStore,
}

/// Opens the folder. One that nobody named must not keep the server from serving everything else; one that was named
/// must be had.
///
/// # Errors
/// When the named folder cannot be used.
pub(crate) fn open(config: &Config) -> anyhow::Result<Option<Kept>> {
    let Some(folder) = config.data_dir.folder(|name| std::env::var_os(name)) else {
        if config.data_dir == DataDir::Auto {
            log::warn!("no folder for tasks is known, they are off: give --data-dir DIR, or none");
        }
        return Ok(None);
    };
    let name = folder.display();
    match DiskStore::open(&folder, config.tasks()) {
        Ok(store) => {
            log::info!("tasks are kept in {name}");
            Ok(Some(Kept { folder, store }))
        }
        Err(error) if config.data_dir == DataDir::Auto => {
            log::warn!("tasks are off, {name} cannot be used: {error}; give --data-dir DIR, or none");
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("cannot keep tasks in {name}")),
    }
}

/// Starts the threads that run them.
///
/// # Errors
/// When the system has no threads left.
pub(crate) fn start(kept: Kept, engine: &Arc<Engine>) -> anyhow::Result<(Arc<Tasks>, Runners)> {
    let tasks = Tasks::new(Box::new(kept.store), engine.metrics().clone());
    let runners = Runners::start(&tasks, engine).context("cannot start the task runners")?;
    Ok((tasks, runners))
}
