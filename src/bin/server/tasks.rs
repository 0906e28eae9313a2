//! The tasks of this server, as the settings want them: their folder, and the threads that run them.

use anyhow::Context;
use imgsrv::config::{Config, DataDir};
use imgsrv::engine::Engine;
use imgsrv::jobs::{FileStore, Runners, Tasks};
use std::sync::Arc;

/// Opens the folder and starts the runners. A folder that nobody named must not keep the server from
/// serving everything else; one that was named must be had.
///
/// # Errors
/// When the named folder cannot be used.
pub(crate) fn start(config: &Config, engine: &Arc<Engine>) -> anyhow::Result<Option<(Arc<Tasks>, Runners)>> {
    let Some(folder) = config.data_dir.folder(|name| std::env::var_os(name)) else {
        if config.data_dir == DataDir::Auto {
            log::warn!("no folder for tasks is known, they are off: give --data-dir DIR, or none");
        }
        return Ok(None);
    };
    let name = folder.display();
    let store = match FileStore::open(&folder, config.tasks()) {
        Ok(store) => store,
        Err(error) if config.data_dir == DataDir::Auto => {
            log::warn!("tasks are off, {name} cannot be used: {error}; give --data-dir DIR, or none");
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot keep tasks in {name}")),
    };
    let tasks = Tasks::new(Box::new(store), engine.metrics().clone());
    let runners = Runners::start(&tasks, engine).context("cannot start the task runners")?;
    log::info!("tasks are kept in {name}");
    Ok(Some((tasks, runners)))
}
