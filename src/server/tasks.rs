//! The tasks of a configuration: in a folder of this machine, or on NATS for many machines.

use crate::config::{Config, DataDir};
use crate::server::ServerError;
use crate::service::Service;
use crate::tasks::{DiskStore, Runners, TaskStore, Tasks};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where tasks are kept, before the sandbox. A folder is open; a connection is made within the sandbox, which its threads
/// must not escape.
#[derive(Debug)]
pub(super) enum PreparedTasks {
    /// None are taken.
    Off,
    /// In a folder.
    Folder { path: PathBuf, store: Box<DiskStore> },
    /// On NATS.
    #[cfg(feature = "nats")]
    Nats(Box<crate::tasks::nats::NatsSettings>),
}

/// The tasks, and the threads that run them here.
#[derive(Debug, Default)]
pub(super) struct RunningTasks {
    pub(super) tasks: Option<Arc<Tasks>>,
    _runners: Option<Runners>,
}

impl PreparedTasks {
    /// Opens the folder of the tasks, unless NATS keeps them.
    ///
    /// # Errors
    /// [`ServerError`].
    pub(super) fn open(config: &Config) -> Result<PreparedTasks, ServerError> {
        if config.nats.is_none() {
            if let Some(role) = (config.role != crate::config::Role::All).then(|| config.role.word()) {
                return Err(ServerError::RoleWithoutNats { role });
            }
            return open_folder(config);
        }
        if matches!(config.data_dir, DataDir::At(_)) {
            return Err(ServerError::TwoStores);
        }
        #[cfg(feature = "nats")]
        {
            let settings = config.nats().map(Box::new);
            Ok(settings.map_or(PreparedTasks::Off, PreparedTasks::Nats))
        }
        #[cfg(not(feature = "nats"))]
        Err(ServerError::MissingFeature { setting: "nats", feature: "nats" })
    }

    /// The folder of the tasks, if they are in one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            PreparedTasks::Folder { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Starts the threads that run tasks, if this server is to run them.
    ///
    /// # Errors
    /// [`ServerError`].
    pub(super) fn start(self, config: &Config, service: &Arc<Service>) -> Result<RunningTasks, ServerError> {
        let workers = service.engine().settings().workers;
        let (store, runners): (Box<dyn TaskStore>, usize) = match self {
            PreparedTasks::Off => return Ok(RunningTasks::default()),
            PreparedTasks::Folder { store, .. } => (store, workers),
            #[cfg(feature = "nats")]
            PreparedTasks::Nats(settings) => {
                log::info!(node = settings.node.as_str(), role = settings.role; "tasks are kept by NATS at {}", settings.servers);
                let store = crate::tasks::nats::NatsStore::open(*settings, config.tasks())?;
                // A task spends 30 ms on the way to the cluster and back, in which a second runner keeps the worker busy.
                (Box::new(store), 2 * workers)
            }
        };
        let tasks = Tasks::new(store, service.metrics().clone());
        let watched = tasks.clone();
        service.watch_tasks(move || watched.ready());
        let runners = config.role.runs_tasks().then(|| Runners::start(&tasks, service.engine(), runners));
        let runners = runners.transpose().map_err(ServerError::threads("task runners"))?;
        Ok(RunningTasks { tasks: Some(tasks), _runners: runners })
    }
}

/// Opens the folder of the tasks. A default folder that cannot be used turns tasks off; a configured one must work.
fn open_folder(config: &Config) -> Result<PreparedTasks, ServerError> {
    let Some(path) = config.data_dir.folder(|name| std::env::var_os(name)) else {
        if config.data_dir == DataDir::Auto {
            log::warn!("no folder for tasks is known, tasks are off: give --data-dir DIR, or none");
        }
        return Ok(PreparedTasks::Off);
    };
    let folder = path.display().to_string();
    match DiskStore::open(&path, config.tasks()) {
        Ok(store) => {
            log::info!("tasks are kept in {folder}");
            Ok(PreparedTasks::Folder { path, store: Box::new(store) })
        }
        Err(error) if config.data_dir == DataDir::Auto => {
            log::warn!("tasks are off, {folder} cannot be used: {error}; give --data-dir DIR, or none");
            Ok(PreparedTasks::Off)
        }
        Err(source) => Err(ServerError::Tasks { folder, source }),
    }
}
