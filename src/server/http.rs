//! The HTTP listener of a configuration, and the tasks that it takes.

use crate::config::{Config, DataDir, Effective};
use crate::http::{self, HttpSettings, Origins};
use crate::net::{ListenAddress, Listener};
use crate::server::ServerError;
use crate::service::Service;
use crate::tasks::{DiskStore, Runners, Tasks};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A bound HTTP listener, not yet served.
#[derive(Debug)]
pub(super) struct PreparedHttp {
    listener: Listener,
    tasks: Option<TaskFolder>,
}

/// The tasks on disk, and their folder.
#[derive(Debug)]
struct TaskFolder {
    path: PathBuf,
    store: DiskStore,
}

/// The HTTP listener and the task runners. Dropping it ends first the one, then the other.
#[derive(Debug)]
pub(super) struct RunningHttp {
    _http: http::Running,
    _runners: Option<Runners>,
}

impl PreparedHttp {
    /// Binds the listener, if there is to be one, and opens the folder of its tasks. A default address in use does not
    /// stop the server; a configured one must be free.
    ///
    /// # Errors
    /// [`ServerError`].
    pub(super) fn bind(effective: &Effective) -> Result<Option<PreparedHttp>, ServerError> {
        let address = &effective.config.http;
        if address == "none" {
            return Ok(None);
        }
        let listener = match Listener::bind(address) {
            Ok(listener) => listener,
            Err(error) if effective.is_default("http") && error.kind() == io::ErrorKind::AddrInUse => {
                log::warn!("{address} is in use: no HTTP, only TCP; give --http another address, or none");
                return Ok(None);
            }
            Err(source) => return Err(ServerError::Listen { address: address.clone(), source }),
        };
        Ok(Some(PreparedHttp { listener, tasks: open_tasks(&effective.config)? }))
    }

    /// The address of the listener.
    pub(super) fn address(&self) -> &ListenAddress {
        self.listener.address()
    }

    /// The folder of the tasks, if there are any.
    pub(super) fn tasks_folder(&self) -> Option<&Path> {
        self.tasks.as_ref().map(|tasks| tasks.path.as_path())
    }

    /// Starts the listener, and the threads that run its tasks.
    ///
    /// # Errors
    /// [`ServerError`].
    pub(super) fn start(self, config: &Config, service: &Arc<Service>) -> Result<RunningHttp, ServerError> {
        let origins: Origins = config.cors_origin.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        let (tasks, runners) = match self.tasks {
            None => (None, None),
            Some(folder) => {
                let tasks = Tasks::new(Box::new(folder.store), service.metrics().clone());
                let runners = Runners::start(&tasks, service.engine());
                (Some(tasks), Some(runners.map_err(ServerError::threads("task runners"))?))
            }
        };
        log::info!("listening on {} for HTTP", self.listener.address());
        let running = http::start(self.listener, service.clone(), HttpSettings { origins, tasks });
        Ok(RunningHttp { _http: running.map_err(ServerError::threads("HTTP listener"))?, _runners: runners })
    }
}

/// Opens the folder of the tasks. A default folder that cannot be used turns tasks off; a configured one must work.
fn open_tasks(config: &Config) -> Result<Option<TaskFolder>, ServerError> {
    let Some(path) = config.data_dir.folder(|name| std::env::var_os(name)) else {
        if config.data_dir == DataDir::Auto {
            log::warn!("no folder for tasks is known, tasks are off: give --data-dir DIR, or none");
        }
        return Ok(None);
    };
    let folder = path.display().to_string();
    match DiskStore::open(&path, config.tasks()) {
        Ok(store) => {
            log::info!("tasks are kept in {folder}");
            Ok(Some(TaskFolder { path, store }))
        }
        Err(error) if config.data_dir == DataDir::Auto => {
            log::warn!("tasks are off, {folder} cannot be used: {error}; give --data-dir DIR, or none");
            Ok(None)
        }
        Err(source) => Err(ServerError::Tasks { folder, source }),
    }
}
