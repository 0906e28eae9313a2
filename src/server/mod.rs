//! `Server`: starts every listener of a configuration inside the sandbox, and runs until its shutdown.

#[cfg(feature = "http")]
mod http; // the HTTP listener.
mod reload; // tokens and certificates, which are read again on SIGHUP.
mod sandbox; // the files and ports that the server keeps.
#[cfg(feature = "http")]
mod tasks; // the tasks, in a folder or on NATS.

pub use crate::service::Shutdown;
pub use reload::Reload;

use crate::config::{Config, Effective};
use crate::engine::Engine;
use crate::net::{ListenAddress, Listener};
use crate::service::Service;
use crate::service::metrics_listener::serve_metrics;
use crate::service::policy::CurrentPolicy;
use crate::service::sandbox::SandboxError;
use crate::service::syscall_filter::FilterError;
use crate::tcp;
use crate::token::TokenFileError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A server whose listeners are open.
#[derive(Debug)]
pub struct Server {
    tcp: Option<Listener>,
    http_address: Option<ListenAddress>,
    metrics_address: Option<ListenAddress>,
    service: Arc<Service>,
    reloads: Vec<Reload>,
    stop_delay: Option<Duration>,
    #[cfg(feature = "http")]
    http: Option<crate::http::Running>,
    #[cfg(feature = "http")]
    tasks: tasks::RunningTasks,
}

/// A server that could not start. Each message names the setting to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// An address that cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// The reason.
        source: io::Error,
    },
    /// A public address without tokens, where `require_token` is set.
    #[error("{0} can be reached from other machines and no --token-file is given")]
    Exposed(ListenAddress),
    /// The token file.
    #[error("token file {path}: {source}")]
    Tokens {
        /// Its path.
        path: String,
        /// The reason.
        source: TokenFileError,
    },
    /// Only one of certificate and key.
    #[error("{given} is given without {missing}")]
    TlsIncomplete {
        /// The setting that is given.
        given: &'static str,
        /// The setting that is missing.
        missing: &'static str,
    },
    /// Certificate or key.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::service::tls::TlsError),
    /// A setting of a feature that this build lacks.
    #[error("{setting} is given, but this program was built without the feature '{feature}'")]
    MissingFeature {
        /// The setting.
        setting: &'static str,
        /// The cargo feature.
        feature: &'static str,
    },
    /// The sandbox.
    #[error("cannot enter the sandbox: {0}")]
    Sandbox(#[from] SandboxError),
    /// The filter of system calls.
    #[error("cannot enter the sandbox: {0}")]
    Filter(#[from] FilterError),
    /// A sandbox that is required and not available.
    #[error("{0}")]
    SandboxUnavailable(&'static str),
    /// An origin in `cors_origin`.
    #[cfg(feature = "http")]
    #[error(transparent)]
    Origin(#[from] crate::http::BadOrigin),
    /// The folder of the tasks.
    #[cfg(feature = "http")]
    #[error("cannot keep tasks in {folder}: {source}")]
    Tasks {
        /// The folder.
        folder: String,
        /// The reason.
        source: crate::tasks::OpenError,
    },
    /// A share of the work that only many machines have.
    #[error("role = {role} needs the tasks on NATS: give --nats ADDR, or --role all")]
    RoleWithoutNats {
        /// The role.
        role: &'static str,
    },
    /// A set-up without servers.
    #[error("no NATS servers are known: give --nats ADDR")]
    NoNats,
    /// Both places for tasks.
    #[error("data_dir and nats are two places for tasks: give one of them")]
    TwoStores,
    /// NATS, or its streams.
    #[cfg(feature = "nats")]
    #[error(transparent)]
    Nats(#[from] crate::tasks::nats::ClusterError),
    /// Threads.
    #[error("cannot start the {threads}: {source}")]
    Threads {
        /// The threads.
        threads: &'static str,
        /// The reason.
        source: io::Error,
    },
}

impl ServerError {
    fn threads(threads: &'static str) -> impl FnOnce(io::Error) -> ServerError {
        move |source| ServerError::Threads { threads, source }
    }
}

/// Starts a server and runs it until its shutdown, which only a signal handler of the caller's can request; see
/// [`Server::shutdown`]. Returns true if every request in flight was finished.
///
/// # Errors
/// [`ServerError`].
pub fn run(effective: &Effective) -> Result<bool, ServerError> {
    Ok(Server::start(effective)?.run())
}

/// Makes the NATS streams of a configuration, or changes them to it. Returns their names.
///
/// # Errors
/// [`ServerError`].
pub fn set_up_nats(config: &Config) -> Result<Vec<String>, ServerError> {
    #[cfg(feature = "nats")]
    match config.nats() {
        Some(settings) => Ok(crate::tasks::nats::NatsStore::set_up(&settings, &config.tasks())?),
        None => Err(ServerError::NoNats),
    }
    #[cfg(not(feature = "nats"))]
    {
        let _ = config;
        Err(ServerError::MissingFeature { setting: "nats", feature: "nats" })
    }
}

impl Server {
    /// Binds the listeners, reads tokens and certificates, enters the sandbox, and starts the threads. TCP connections
    /// wait in the backlog until [`Server::run`].
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start(effective: &Effective) -> Result<Server, ServerError> {
        let config = &effective.config;
        let mut settings = config.service();
        settings.policy = CurrentPolicy::new(effective.policy.clone());
        let reloads = reload::read_secrets(config, &mut settings)?;
        let needs_token = settings.tokens.is_some();

        let tcp = takes_tcp(config).then(|| bind(&config.bind)).transpose()?;
        #[cfg(feature = "http")]
        let http = http::PreparedHttp::bind(effective)?;
        #[cfg(feature = "http")]
        let http_address = http.as_ref().map(|http| http.address().clone());
        #[cfg(not(feature = "http"))]
        let http_address = refuse_http(effective)?;
        for address in [tcp.as_ref().map(Listener::address), http_address.as_ref()].into_iter().flatten() {
            check_exposure(address, config, needs_token)?;
        }
        #[cfg(feature = "http")]
        let tasks = match http_address {
            None if config.nats.is_none() => tasks::PreparedTasks::Off, // nobody could ask for them
            _ => tasks::PreparedTasks::open(config)?,
        };
        #[cfg(feature = "http")]
        let tasks_folder = tasks.folder();
        #[cfg(not(feature = "http"))]
        let tasks_folder = None;
        let metrics = config.metrics.as_ref().map(|address| bind(address)).transpose()?;
        let metrics_address = metrics.as_ref().map(|listener| listener.address().clone());

        // Before the first thread, so that all threads are restricted.
        sandbox::enter(effective.file.as_deref(), config, tasks_folder, tcp.as_ref().map(Listener::address))?;
        let engine = Engine::new(config.engine()).map_err(ServerError::threads("workers"))?;
        let service = Service::new(Arc::new(engine), settings, Shutdown::default());
        if let Some(listener) = metrics {
            serve_metrics(listener, &service).map_err(ServerError::threads("metrics listener"))?;
        }
        #[cfg(feature = "http")]
        let tasks = tasks.start(config, &service)?;
        #[cfg(feature = "http")]
        let http = http.map(|http| http.start(config, &service, tasks.tasks.clone())).transpose()?;
        match &tcp {
            Some(tcp) => log::info!(workers = config.workers; "listening on {}", tcp.address()),
            None => log::info!(workers = config.workers; "no TCP listener"),
        }
        Ok(Server {
            tcp,
            http_address,
            metrics_address,
            service,
            reloads,
            stop_delay: config.stop_delay,
            #[cfg(feature = "http")]
            http,
            #[cfg(feature = "http")]
            tasks,
        })
    }

    /// Address of the TCP listener, if there is one.
    pub fn address(&self) -> Option<&ListenAddress> {
        self.tcp.as_ref().map(Listener::address)
    }

    /// Address of the HTTP listener, if there is one.
    pub fn http_address(&self) -> Option<&ListenAddress> {
        self.http_address.as_ref()
    }

    /// Address of the metrics listener, if there is one.
    pub fn metrics_address(&self) -> Option<&ListenAddress> {
        self.metrics_address.as_ref()
    }

    /// The signal that ends [`Server::run`].
    pub fn shutdown(&self) -> Shutdown {
        self.service.shutdown().clone()
    }

    /// Time between the first signal to stop and the end of the listeners.
    pub fn stop_delay(&self) -> Option<Duration> {
        self.stop_delay
    }

    /// The policy of requests, which can be replaced while the server runs.
    pub fn policy(&self) -> CurrentPolicy {
        self.service.settings().policy.clone()
    }

    /// Takes the values that a signal handler reads again.
    pub fn take_reloads(&mut self) -> Vec<Reload> {
        std::mem::take(&mut self.reloads)
    }

    /// Serves until the shutdown, then waits for the requests in flight. Returns true if all were finished.
    pub fn run(self) -> bool {
        let Server { tcp, service, .. } = self;
        match tcp {
            Some(tcp) => tcp::serve(&tcp, &service),
            None => service.shutdown().wait(),
        }
        let is_clean = service.drain();
        #[cfg(feature = "http")]
        {
            drop(self.http); // after the drain: it ends the connections that are left
            drop(self.tasks); // their runners give back the tasks in hand
        }
        log::info!("{}", if is_clean { "stopped" } else { "stopped with requests unfinished" });
        is_clean
    }
}

/// Returns true if the TCP protocol is served.
fn takes_tcp(config: &Config) -> bool {
    config.bind != "none" && config.role.takes_requests()
}

fn bind(address: &str) -> Result<Listener, ServerError> {
    Listener::bind(address).map_err(|source| ServerError::Listen { address: address.to_owned(), source })
}

/// Warns of an address that other machines can reach without protection, or refuses to start.
fn check_exposure(address: &ListenAddress, config: &Config, needs_token: bool) -> Result<(), ServerError> {
    if address.is_local() || config.insecure {
        return Ok(());
    }
    if !needs_token {
        if config.require_token {
            return Err(ServerError::Exposed(address.clone()));
        }
        log::warn!(
            "{address} can be reached from other machines and needs no token: give --token-file, or --insecure if that is intended"
        );
    } else if config.tls_cert.is_none() {
        log::warn!(
            "{address} has no TLS, tokens from other machines are refused: give --tls-cert and --tls-key, or --insecure where the network is trusted"
        );
    }
    Ok(())
}

/// Refuses the setting of a feature that this build lacks.
#[cfg(not(feature = "http"))]
fn refuse_http(effective: &Effective) -> Result<Option<ListenAddress>, ServerError> {
    if effective.config.http == "none" || effective.is_default("http") {
        return Ok(None);
    }
    Err(ServerError::MissingFeature { setting: "http", feature: "http" })
}
