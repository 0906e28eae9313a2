//! `Config`: the server's settings, and the origin of each value.

mod data_dir;
mod effective;
mod file;
mod machine;
mod setting;
mod show;
mod value;
mod variables;

pub use data_dir::DataDir;
pub use effective::{ConfigError, Effective, Origin};
pub use machine::Machine;
pub use setting::{SETTINGS, Setting};
pub use show::example;
pub use value::HostNames;
pub use variables::{UnknownVariable, unknown_variables};

use crate::engine;
use crate::limits::{Limits, MIB};
use crate::service;
use crate::service::policy::{CurrentPolicy, RequestPolicy};
use crate::service::proxies::{Proxies, ProxyHeader};
use crate::spec::{Quality, Spec};
use std::path::PathBuf;
use std::time::Duration;

/// Every setting of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Address of the TCP listener; `none` for none. Default: `127.0.0.1:65432`.
    pub bind: String,
    /// Address of the HTTP listener; `none` for none. Default: `127.0.0.1:8080`.
    pub http: String,
    /// Origins of pages that may call from a browser, comma separated, or `*`. Default: only our own page.
    pub cors_origin: Option<String>,
    /// Threads that process pictures. Default: the cores.
    pub workers: usize,
    /// Quality of a result when the request names none. Default: 85.
    pub quality: Quality,
    /// Largest image that is accepted, in bytes. Default: 32 MiB.
    pub max_body: u64,
    /// Largest source picture, in pixels. Default: 50 million.
    pub max_pixels: u64,
    /// Longest side of a source picture, in pixels. Default: 16,384.
    pub max_side: u32,
    /// Largest result, in pixels. Default: 25 million.
    pub max_out_pixels: u64,
    /// Longest side of a result, in pixels. Default: 8,192.
    pub max_out_side: u32,
    /// Memory that one request may need, in bytes. Default: 256 MiB.
    pub request_memory: u64,
    /// Memory that all requests share, in bytes. Default: 256 MiB a worker, at most half of the machine's.
    pub total_memory: u64,
    /// Most scans of a JPEG. Default: 100.
    pub max_scans: u32,
    /// Most frames of an animation. Default: 1,000.
    pub max_frames: u32,
    /// Longest time for the header of a request. Default: 5 s.
    pub header_timeout: Duration,
    /// Longest time for the body, plus a second for each 256 KiB. Default: 10 s.
    pub body_timeout: Duration,
    /// Longest pause within a body. Default: 5 s.
    pub stall_timeout: Duration,
    /// Bytes a second below which a body gives its memory up when another caller needs it. Default: 256 KiB.
    pub slow_body: u64,
    /// Longest pause of a client that receives its reply. Default: 10 s.
    pub write_timeout: Duration,
    /// Longest pause between two requests. Default: 75 s.
    pub idle_timeout: Duration,
    /// Longest time for one job, its wait in the queue included. Default: 10 s.
    pub request_timeout: Duration,
    /// Jobs that may wait. Default: 16 for each worker.
    pub queue: usize,
    /// Longest wait for a worker. Default: 2 s.
    pub queue_timeout: Duration,
    /// Most open connections. Default: 2,048.
    pub max_connections: usize,
    /// Most open connections of one address. Default: 256.
    pub per_ip: usize,
    /// Time for requests in flight after a stop. Default: 20 s.
    pub drain: Duration,
    /// Trust the network: no warning of a public address without tokens, and tokens without TLS. Default: false.
    pub insecure: bool,
    /// Least urgent lines of the log. Default: info.
    pub log_level: LogLevel,
    /// Form of the log. Default: text on a terminal, json otherwise.
    pub log_format: LogFormat,
    /// Address of the metrics, `/health` and `/ready`. Default: none.
    pub metrics: Option<String>,
    /// File of the accepted tokens. Default: none, every caller is served.
    pub token_file: Option<PathBuf>,
    /// Refuse to start on a public address without tokens. Default: false.
    pub require_token: bool,
    /// Certificate chain, PEM. Default: none, no TLS.
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM.
    pub tls_key: Option<PathBuf>,
    /// Confinement of the process to the files and ports that it needs. Default: as far as the system can.
    pub sandbox: Sandbox,
    /// Networks of balancers whose word about a client's address is believed. Default: none.
    pub proxy_from: Proxies,
    /// HTTP header by which they tell it. Default: `x-forwarded-for`.
    pub proxy_header: ProxyHeader,
    /// Host names that a listener on loopback without tokens answers to, beside localhost and addresses. Default: none.
    pub allowed_hosts: HostNames,
    /// Requests a second of one caller. Default: no limit.
    pub rate_requests: Option<u32>,
    /// Megapixels of work a minute of one caller; see [`Plan::cost`](crate::codec::Plan::cost). Default: no limit.
    pub rate_megapixels: Option<u32>,
    /// Take only requests that name a preset and no other option of the picture. Default: false.
    pub only_presets: bool,
    /// Folder of tasks and their results. Default: the system's folder for the state of programs.
    pub data_dir: DataDir,
    /// Time that results of tasks are kept. Default: 24 h.
    pub task_ttl: Duration,
    /// Bytes of the images and results of all tasks. Default: 4 GiB.
    pub task_bytes: u64,
    /// Tasks that are kept for one token, or for all callers without tokens. Default: 10,000.
    pub tasks_per_owner: usize,
    /// Share of the work that this server does. Default: all of it.
    pub role: Role,
    /// Addresses of the NATS servers that keep the tasks. Default: none, tasks are kept in `data_dir`.
    pub nats: Option<String>,
    /// File with JWT and seed of the NATS user.
    pub nats_creds: Option<PathBuf>,
    /// Certificates of the authorities of the NATS servers, PEM. Default: the system's.
    pub nats_ca: Option<PathBuf>,
    /// Certificate by which this server proves itself to NATS, PEM.
    pub nats_cert: Option<PathBuf>,
    /// Private key of `nats_cert`, PEM.
    pub nats_key: Option<PathBuf>,
    /// First word of the subjects and streams of the tasks. Default: `imgsrv`.
    pub nats_prefix: String,
    /// Copies of each task on the NATS servers. Default: 3.
    pub nats_replicas: usize,
    /// Streams for the images. Default: 1.
    pub nats_shards: usize,
    /// Time after which another worker takes the task of a silent one. Default: 30 s.
    pub nats_lease: Duration,
    /// Age of an image without a task at which it is removed. Default: 1 h.
    pub nats_orphan_age: Duration,
    /// Longest time that a task waits for a worker. Default: 7 days.
    pub task_wait: Duration,
    /// Name of this server for the others. Default: the name of the machine, with the number of the process.
    pub node: Option<String>,
    /// Time between a stop and the end of the listeners, in which `/ready` already fails. Default: none.
    pub stop_delay: Option<Duration>,
}

/// The share of the work that a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It takes requests and runs tasks.
    All,
    /// It takes requests, and runs no tasks.
    Front,
    /// It runs tasks, and takes no requests.
    Worker,
}

impl Role {
    /// The word of the setting.
    pub fn word(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Front => "front",
            Role::Worker => "worker",
        }
    }

    /// Returns true if the server takes requests.
    pub fn takes_requests(self) -> bool {
        self != Role::Worker
    }

    /// Returns true if the server runs tasks.
    pub fn runs_tasks(self) -> bool {
        self != Role::Front
    }
}

/// Urgency of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Failures of the server.
    Error,
    /// What an operator should look at.
    Warn,
    /// One line a request.
    Info,
    /// What a developer looks for.
    Debug,
    /// Everything.
    Trace,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, json otherwise.
    Auto,
    /// A readable line.
    Text,
    /// A JSON object a line.
    Json,
}

/// Confinement of the process ([`crate::service::sandbox`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// As far as the system can.
    Auto,
    /// Refuse to start where the system cannot do all of it.
    Required,
    /// No confinement.
    Off,
}

impl Config {
    /// The defaults on this machine.
    pub fn defaults(machine: Machine) -> Config {
        let limits = Limits::default();
        let engine = engine::EngineSettings::for_workers(machine.cores);
        let server = service::ServiceSettings::default();
        Config {
            bind: "127.0.0.1:65432".into(),
            http: "127.0.0.1:8080".into(),
            cors_origin: None,
            workers: engine.workers,
            quality: Quality::DEFAULT,
            max_body: server.max_body.into(),
            max_pixels: limits.max_pixels,
            max_side: limits.max_side,
            max_out_pixels: limits.max_out_pixels,
            max_out_side: limits.max_out_side,
            request_memory: limits.request_memory,
            total_memory: Config::shared_memory(machine.cores, machine),
            max_scans: limits.max_scans,
            max_frames: limits.max_frames,
            header_timeout: server.header_timeout,
            body_timeout: server.body_timeout,
            stall_timeout: server.stall_timeout,
            slow_body: server.slow_body,
            write_timeout: server.write_timeout,
            idle_timeout: server.idle_timeout,
            request_timeout: engine.request_timeout,
            queue: engine.queue,
            queue_timeout: engine.queue_timeout,
            max_connections: server.max_connections,
            per_ip: server.per_ip,
            drain: server.drain,
            insecure: false,
            log_level: LogLevel::Info,
            log_format: LogFormat::Auto,
            metrics: None,
            token_file: None,
            require_token: false,
            tls_cert: None,
            tls_key: None,
            sandbox: Sandbox::Auto,
            proxy_from: Proxies::default(),
            proxy_header: ProxyHeader::XForwardedFor,
            allowed_hosts: HostNames::default(),
            rate_requests: None,
            rate_megapixels: None,
            only_presets: false,
            data_dir: DataDir::Auto,
            task_ttl: Duration::from_secs(24 * 3600),
            task_bytes: 4096 * MIB,
            tasks_per_owner: 10_000,
            role: Role::All,
            nats: None,
            nats_creds: None,
            nats_ca: None,
            nats_cert: None,
            nats_key: None,
            nats_prefix: "imgsrv".into(),
            nats_replicas: 3,
            nats_shards: 1,
            nats_lease: Duration::from_secs(30),
            nats_orphan_age: Duration::from_secs(3600),
            task_wait: Duration::from_secs(7 * 24 * 3600),
            node: None,
            stop_delay: None,
        }
    }

    /// The memory for all requests of so many workers on a machine.
    fn shared_memory(workers: usize, machine: Machine) -> u64 {
        let wanted = engine::EngineSettings::for_workers(workers).total_memory;
        wanted.min(machine.memory / 2).max(16 * MIB)
    }

    /// The options that callers may use, without presets.
    fn policy(&self) -> RequestPolicy {
        // Another quality than the default counts as asked for by every caller.
        let quality = (self.quality != Quality::DEFAULT).then_some(self.quality);
        let base = Spec { quality, ..Spec::default() };
        RequestPolicy { base, only_presets: self.only_presets, ..RequestPolicy::default() }
    }

    /// Settings of the engine.
    pub fn engine(&self) -> engine::EngineSettings {
        engine::EngineSettings {
            workers: self.workers,
            queue: self.queue,
            queue_timeout: self.queue_timeout,
            request_timeout: self.request_timeout,
            total_memory: self.total_memory,
            limits: Limits {
                max_pixels: self.max_pixels,
                max_side: self.max_side,
                max_out_pixels: self.max_out_pixels,
                max_out_side: self.max_out_side,
                request_memory: self.request_memory,
                max_scans: self.max_scans,
                max_frames: self.max_frames,
                ..Limits::default()
            },
        }
    }

    /// Settings of the request path, without those that are read from files.
    pub fn service(&self) -> service::ServiceSettings {
        service::ServiceSettings {
            max_body: u32::try_from(self.max_body).unwrap_or(u32::MAX).min(crate::wire::MAX_BODY_LEN),
            header_timeout: self.header_timeout,
            body_timeout: self.body_timeout,
            stall_timeout: self.stall_timeout,
            slow_body: self.slow_body,
            write_timeout: self.write_timeout,
            idle_timeout: self.idle_timeout,
            drain: self.drain,
            max_connections: self.max_connections,
            per_ip: self.per_ip,
            tokens: None,
            tokens_in_clear: self.insecure,
            proxies: self.proxy_from.clone(),
            proxy_header: self.proxy_header,
            allowed_hosts: self.allowed_hosts.0.clone(),
            rate_requests: self.rate_requests,
            rate_megapixels: self.rate_megapixels,
            policy: CurrentPolicy::new(self.policy()),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

#[cfg(feature = "tasks")]
impl Config {
    /// Limits of the task store.
    pub fn tasks(&self) -> crate::tasks::Limits {
        crate::tasks::Limits {
            ttl: self.task_ttl,
            bytes: self.task_bytes,
            tasks_per_owner: self.tasks_per_owner,
        }
    }
}

#[cfg(feature = "nats")]
impl Config {
    /// Where the tasks of many machines are, if they are on NATS.
    pub fn nats(&self) -> Option<crate::tasks::nats::NatsSettings> {
        Some(crate::tasks::nats::NatsSettings {
            servers: self.nats.clone()?,
            creds: self.nats_creds.clone(),
            ca: self.nats_ca.clone(),
            client_cert: self.nats_cert.clone().zip(self.nats_key.clone()),
            prefix: self.nats_prefix.clone(),
            replicas: self.nats_replicas,
            shards: self.nats_shards,
            lease: self.nats_lease,
            task_wait: self.task_wait,
            orphan_age: self.nats_orphan_age,
            node: self.node.clone().unwrap_or_else(machine::node_name),
            role: self.role.word(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_defaults_to_at_most_half_of_what_the_machine_has() {
        let total = |cores, memory| Config::defaults(Machine { cores, memory }).total_memory;
        assert_eq!(total(4, 1 << 30), 512 * MIB);
        assert_eq!(total(1, 1 << 40), 256 * MIB);
    }
}
