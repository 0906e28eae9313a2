//! `Cluster`: the connection to NATS, and the streams of the tasks: made by `imgsrv nats-setup`, checked at each start.

use crate::tasks::nats::retry::{Fault, Retry};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, PullConsumer, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, ContextBuilder};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, Stream};
use async_nats::jetstream::{Context, ErrorCode, kv};
use async_nats::{ConnectOptions, Event, ServerAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Earliest server that loses nothing when one of three nodes is killed.
const OLDEST: (u32, u32, u32) = (2, 10, 27);

/// Longest time for the connection at the start.
const CONNECT: Duration = Duration::from_secs(10);

/// Most bytes of an entry.
const MAX_ENTRY: i32 = 64 << 10;

/// Tasks that may wait in the queue.
const MAX_TASKS: i64 = 1_000_000;

/// Time by which entries and images outlive every task, in case no server is left to delete them.
const BACKSTOP: Duration = Duration::from_secs(24 * 3600);

/// Where the cluster is, and what its streams are.
#[derive(Debug, Clone, PartialEq)]
pub struct NatsSettings {
    /// `nats://host:port` or `tls://host:port` of each server, comma separated.
    pub servers: String,
    /// File with JWT and seed of a NATS user.
    pub creds: Option<PathBuf>,
    /// Certificates of the authorities that the servers' certificates come from, PEM. Default: the system's.
    pub ca: Option<PathBuf>,
    /// Certificate and key by which this server proves itself, PEM.
    pub client_cert: Option<(PathBuf, PathBuf)>,
    /// First word of subjects and streams. Default: `imgsrv`.
    pub prefix: String,
    /// Copies of everything. Default: 3.
    pub replicas: usize,
    /// Streams for the images, each with a leader of its own. Default: 1.
    pub shards: usize,
    /// Time after which another worker takes the task of a silent one. Default: 30 s.
    pub lease: Duration,
    /// Longest time that a task waits for a worker. Default: 7 days.
    pub task_wait: Duration,
    /// Age at which an image without a task, or a task without a message, counts as left behind. Default: 1 h.
    pub orphan_age: Duration,
    /// Name of this server in entries and logs.
    pub node: String,
    /// Role, which names the inbox that the permissions of its user allow.
    pub role: &'static str,
}

/// A cluster that cannot be used. Each message says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// An address in `nats`.
    #[error("'{0}' is no address of a NATS server: give nats://host:port or tls://host:port")]
    Address(String),
    /// A file in `nats_creds`, `nats_ca`, `nats_cert` or `nats_key`.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The reason.
        source: std::io::Error,
    },
    /// No server answers.
    #[error("cannot connect to NATS at {servers}: {message}")]
    Connect {
        /// The addresses.
        servers: String,
        /// The reason.
        message: String,
    },
    /// A server that is known to lose data.
    #[error("NATS server {found} can lose tasks: {}.{}.{} or later is needed", OLDEST.0, OLDEST.1, OLDEST.2)]
    TooOld {
        /// Its version.
        found: String,
    },
    /// A stream is missing.
    #[error("NATS has no stream {0}: run 'imgsrv nats-setup' with the same settings")]
    Missing(String),
    /// A stream has other settings.
    #[error(
        "stream {stream} has {what} {found}, not {wanted}: change the setting, or run 'imgsrv nats-setup'"
    )]
    Differs {
        /// The stream.
        stream: String,
        /// The setting of the stream.
        what: &'static str,
        /// Its value.
        found: String,
        /// The value that this server needs.
        wanted: String,
    },
    /// The cluster refuses or does not answer.
    #[error("NATS: {0}")]
    Refused(String),
}

impl ClusterError {
    /// Returns true if the same attempt may succeed soon: an election takes seconds.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, ClusterError::Connect { .. } | ClusterError::Refused(_))
    }
}

impl From<Fault> for ClusterError {
    fn from(fault: Fault) -> Self {
        ClusterError::Refused(fault.to_string())
    }
}

/// The streams as they are to be, from the settings.
#[derive(Debug)]
struct Wanted {
    tasks: Config,
    bucket: Config,
    blobs: Vec<Config>,
}

/// An open connection, with streams that were checked.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) context: Context,
    pub(super) queue: Stream<Info>,
    pub(super) consumer: PullConsumer,
    pub(super) bucket: kv::Store,
    pub(super) blobs: Vec<Stream<Info>>,
    /// Connections made so far.
    pub(super) connections: Arc<AtomicU64>,
}

impl Cluster {
    /// Connects, and checks version and streams.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub(super) async fn open(
        settings: &NatsSettings,
        limits: &super::Limits,
    ) -> Result<Cluster, ClusterError> {
        let connections = Arc::<AtomicU64>::default();
        let context = connect(settings, connections.clone()).await?;
        let wanted = Wanted::new(settings, limits);
        let queue = checked(&context, &wanted.tasks).await?;
        checked(&context, &wanted.bucket).await?;
        let mut blobs = Vec::new();
        for config in &wanted.blobs {
            blobs.push(checked(&context, config).await?);
        }
        let name = bucket_name(settings);
        let bucket =
            Retry::new().run(async || context.get_key_value(&name).await.map_err(Fault::away)).await?;
        let consumer = Retry::new()
            .run(async || match queue.consumer_info(CONSUMER).await {
                Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(None),
                Err(error) => Err(Fault::away(error)),
                Ok(_) => match queue.get_consumer(CONSUMER).await {
                    Ok(consumer) => Ok(Some(consumer)),
                    Err(error) => Err(Fault::Away(error.to_string())),
                },
            })
            .await?
            .ok_or_else(|| ClusterError::Missing(format!("consumer {CONSUMER}")))?;
        check_lease(&consumer, settings)?;
        Ok(Cluster { context, queue, consumer, bucket, blobs, connections })
    }
}

/// Name of the consumer that all workers pull from.
const CONSUMER: &str = "workers";

/// Makes the streams of the settings, or changes them to the settings. Returns their names.
///
/// # Errors
/// [`ClusterError`].
pub(super) async fn set_up(
    settings: &NatsSettings,
    limits: &super::Limits,
) -> Result<Vec<String>, ClusterError> {
    let context = connect(settings, Arc::default()).await?;
    let Wanted { tasks, bucket, blobs } = Wanted::new(settings, limits);
    let mut names = Vec::new();
    for config in [tasks.clone(), bucket].into_iter().chain(blobs) {
        names.push(config.name.clone());
        let make = async || context.create_or_update_stream(config.clone()).await.map_err(Fault::away);
        Retry::new().run(make).await.map_err(|fault| match fault {
            Fault::Full(message) => ClusterError::Refused(format!(
                "{message}: task_bytes is reserved on each server, give a smaller one or the servers more max_file_store"
            )),
            fault => fault.into(),
        })?;
    }
    let queue = context.get_stream(&tasks.name).await.map_err(Fault::away)?;
    let consumer = consumer_config(settings);
    let make = async || match queue.create_consumer(consumer.clone()).await {
        Ok(consumer) => Ok(consumer),
        Err(error) => Err(Fault::away(error)),
    };
    Retry::new().run(make).await?;
    Ok(names)
}

async fn connect(settings: &NatsSettings, connections: Arc<AtomicU64>) -> Result<Context, ClusterError> {
    let servers =
        settings.servers.split(',').map(str::trim).map(|address| {
            address.parse::<ServerAddr>().map_err(|_| ClusterError::Address(address.to_owned()))
        });
    let servers: Vec<ServerAddr> = servers.collect::<Result<_, _>>()?;
    let mut options = ConnectOptions::new()
        .name(format!("imgsrv {} {}", settings.role, settings.node))
        .custom_inbox_prefix(format!("_INBOX_{}", settings.role))
        .connection_timeout(Duration::from_secs(2))
        .ping_interval(Duration::from_secs(5))
        // The sandbox allows the ports of the settings and no others.
        .ignore_discovered_servers()
        .reconnect_delay_callback(|tries| Duration::from_millis(50 * tries.min(20) as u64))
        .event_callback(move |event| {
            if matches!(event, Event::Connected) {
                connections.fetch_add(1, Ordering::Relaxed);
            }
            log::info!(target: "imgsrv::nats", "{event}");
            std::future::ready(())
        });
    // The client itself leaves out what an address says before '@'.
    let user = servers.iter().find_map(|address| Some((address.username()?, address.password()?)));
    if let Some((name, password)) = user {
        options = options.user_and_password(name.to_owned(), password.to_owned());
    }
    let file = |path: &PathBuf| {
        let path = path.display().to_string();
        move |source| ClusterError::File { path, source }
    };
    if let Some(path) = &settings.creds {
        options = options.credentials_file(path).await.map_err(file(path))?;
    }
    if let Some(path) = &settings.ca {
        std::fs::metadata(path).map_err(file(path))?;
        options = options.add_root_certificates(path.clone());
    }
    if let Some((cert, key)) = &settings.client_cert {
        for path in [cert, key] {
            std::fs::metadata(path).map_err(file(path))?;
        }
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    let failed = |message: String| ClusterError::Connect { servers: settings.servers.clone(), message };
    let deadline = tokio::time::Instant::now() + CONNECT;
    let client = loop {
        match options.clone().connect(&servers).await {
            Ok(client) => break client,
            Err(error) if tokio::time::Instant::now() >= deadline => return Err(failed(error.to_string())),
            Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    };
    let version = client.server_info().version;
    if is_too_old(&version) {
        return Err(ClusterError::TooOld { found: version });
    }
    let builder = ContextBuilder::new().timeout(Duration::from_secs(5)).ack_timeout(Duration::from_secs(5));
    Ok(builder.build(client))
}

/// Returns true if a version is before [`OLDEST`], or cannot be read.
fn is_too_old(version: &str) -> bool {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<u32> = release.split('.').filter_map(|part| part.parse().ok()).collect();
    !matches!(parts[..], [major, minor, patch] if (major, minor, patch) >= OLDEST)
}

async fn checked(context: &Context, wanted: &Config) -> Result<Stream<Info>, ClusterError> {
    let stream = Retry::new()
        .run(async || match context.get_stream(&wanted.name).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(Fault::away(error)),
        })
        .await?
        .ok_or_else(|| ClusterError::Missing(wanted.name.clone()))?;
    let found = &stream.cached_info().config;
    let differs = |what, found: String, wanted: String| {
        if found == wanted { Ok(()) } else { Err((what, found, wanted)) }
    };
    differs("replicas", found.num_replicas.to_string(), wanted.num_replicas.to_string())
        .and_then(|()| {
            differs("allow_direct", found.allow_direct.to_string(), wanted.allow_direct.to_string())
        })
        .and_then(|()| {
            differs("retention", format!("{:?}", found.retention), format!("{:?}", wanted.retention))
        })
        .and_then(|()| differs("discard", format!("{:?}", found.discard), format!("{:?}", wanted.discard)))
        .and_then(|()| differs("subjects", found.subjects.join(","), wanted.subjects.join(",")))
        .map_err(|(what, found, value)| ClusterError::Differs {
            stream: wanted.name.clone(),
            what,
            found,
            wanted: value,
        })?;
    Ok(stream)
}

fn is_not_found(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::context::GetStreamErrorKind::JetStream;
    matches!(error.kind(), JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn check_lease(consumer: &Consumer<pull::Config>, settings: &NatsSettings) -> Result<(), ClusterError> {
    let found = consumer.cached_info().config.ack_wait;
    if found == settings.lease {
        return Ok(());
    }
    Err(ClusterError::Differs {
        stream: format!("consumer {CONSUMER}"),
        what: "ack_wait",
        found: format!("{found:?}"),
        wanted: format!("{:?} (nats_lease)", settings.lease),
    })
}

fn consumer_config(settings: &NatsSettings) -> pull::Config {
    pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: settings.lease,
        // Attempts are counted in the entry: a message past max_deliver would stay in the queue for good.
        max_deliver: -1,
        max_ack_pending: 10_000,
        max_waiting: 4096,
        num_replicas: settings.replicas,
        ..pull::Config::default()
    }
}

/// Name of the key-value bucket.
fn bucket_name(settings: &NatsSettings) -> String {
    format!("{}_tasks", settings.prefix)
}

impl Wanted {
    fn new(settings: &NatsSettings, limits: &super::Limits) -> Wanted {
        let NatsSettings { prefix, replicas, shards, .. } = settings;
        let name = prefix.to_uppercase();
        let max_age = limits.ttl + settings.task_wait + BACKSTOP;
        let common = Config {
            num_replicas: *replicas,
            discard: DiscardPolicy::New,
            ..Config::default() // storage in files
        };
        let shard_bytes = limits.bytes / *shards as u64;
        Wanted {
            tasks: Config {
                name: format!("{name}_TASKS"),
                subjects: vec![format!("{prefix}.task.*")],
                retention: RetentionPolicy::WorkQueue,
                max_messages: MAX_TASKS,
                duplicate_window: Duration::from_secs(120),
                ..common.clone()
            },
            bucket: Config {
                name: format!("KV_{}", bucket_name(settings)),
                subjects: vec![format!("$KV.{}.>", bucket_name(settings))],
                max_messages_per_subject: 1,
                allow_rollup: true,
                deny_delete: true,
                // A replica that lags must not answer for the state of a task.
                allow_direct: false,
                max_age,
                max_message_size: MAX_ENTRY,
                ..common.clone()
            },
            blobs: (0..*shards)
                .map(|shard| Config {
                    name: format!("{name}_BLOBS_{shard}"),
                    subjects: vec![format!("{prefix}.blob.{shard}.>")],
                    max_messages_per_subject: 1,
                    allow_direct: true,
                    max_bytes: i64::try_from(shard_bytes).unwrap_or(i64::MAX),
                    max_age,
                    duplicate_window: Duration::from_secs(1),
                    ..common.clone()
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_lose_data_are_told_by_their_version() {
        for old in ["2.9.10", "2.10.26", "1.4.1", "", "next"] {
            assert!(is_too_old(old), "{old}");
        }
        for fine in ["2.10.27", "2.10.27-1", "2.12.8", "3.0.0", "2.15.1-preview.2"] {
            assert!(!is_too_old(fine), "{fine}");
        }
    }
}
