//! `Config`: the server's settings, where each value came from, and the table that all sources share.
//!
//! A flag `--max-pixels`, a variable `IMGSRV_MAX_PIXELS` and a file key `max_pixels` are one setting.

mod data_dir;
mod effective;
mod file;
mod machine;
mod show;
mod value;

pub use data_dir::DataDir;
pub use effective::{ConfigError, Effective, Origin};
pub use machine::Machine;
pub use show::example;

use crate::engine;
use crate::gate;
use crate::limits::{Limits, MIB};
use crate::server;
use crate::spec::{Offer, Quality, Spec};
use std::path::PathBuf;
use std::time::Duration;
use value::Value;

/// Every setting of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Address of the TCP door. Default: `127.0.0.1:65432`.
    pub bind: String,
    /// Address of the HTTP door; `none` for none. Default: `127.0.0.1:8080`.
    pub http: String,
    /// Whose pages in a browser may ask, comma separated origins or `*`. Default: none but our own.
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
    /// Memory that all requests share, in bytes. Default: 256 MiB a worker, at most half of what there is.
    pub total_memory: u64,
    /// Most scans of a JPEG. Default: 100.
    pub max_scans: u32,
    /// For the header of a request. Default: 5 s.
    pub header_timeout: Duration,
    /// For the body, beside a second for each 256 KiB. Default: 10 s.
    pub body_timeout: Duration,
    /// Longest pause within a body. Default: 5 s.
    pub stall_timeout: Duration,
    /// Longest pause of a peer that is to take its reply. Default: 10 s.
    pub write_timeout: Duration,
    /// Longest pause between two requests. Default: 75 s.
    pub idle_timeout: Duration,
    /// For one job, its wait included. Default: 10 s.
    pub request_timeout: Duration,
    /// Jobs that may wait. Default: 16 for each worker.
    pub queue: usize,
    /// Longest wait for a worker. Default: 2 s.
    pub queue_timeout: Duration,
    /// Most open connections. Default: 2,048.
    pub max_connections: usize,
    /// Most open connections of one address. Default: 256.
    pub per_ip: usize,
    /// For requests in flight after a stop. Default: 20 s.
    pub drain: Duration,
    /// Whether the network is trusted: nobody is warned of a public address without tokens, and tokens are
    /// taken without TLS. Default: false.
    pub insecure: bool,
    /// Form of the log. Default: text on a terminal, json otherwise.
    pub log_format: LogFormat,
    /// Address of the metrics, `/health` and `/ready`. Default: none.
    pub metrics: Option<String>,
    /// File of the tokens that are taken. Default: none, everybody may ask.
    pub token_file: Option<PathBuf>,
    /// Whether a public address without tokens stops the start. Default: false.
    pub require_token: bool,
    /// Certificate chain, PEM. Default: none, everything is in the clear.
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM.
    pub tls_key: Option<PathBuf>,
    /// Whether the process is kept from all files and ports that it does not need. Default: where the system can.
    pub sandbox: Sandbox,
    /// Requests a second of one caller. Default: no limit.
    pub rate_requests: Option<u32>,
    /// Source megapixels a minute of one caller. Default: no limit.
    pub rate_megapixels: Option<u32>,
    /// Whether requests must name a preset and may say no more. Default: false.
    pub only_presets: bool,
    /// Where tasks and their results are kept. Default: the system's place for the state of programs.
    pub data_dir: DataDir,
    /// How long results of tasks are kept. Default: 24 h.
    pub task_ttl: Duration,
    /// Bytes of the images and results of all tasks. Default: 4 GiB.
    pub task_bytes: u64,
    /// Tasks that are kept for one token, or for everybody without tokens. Default: 10,000.
    pub tasks_per_owner: usize,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, json otherwise.
    Auto,
    /// A line for a person.
    Text,
    /// A JSON object a line.
    Json,
}

/// Whether a server is kept from what it does not need ([`crate::sandbox`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// As far as the system can.
    Auto,
    /// No start where the system cannot do all of it.
    Required,
    /// Not at all.
    Off,
}

/// One setting: the row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The file key; `-` for `_` gives the flag, upper case after `IMGSRV_` the variable.
    pub name: &'static str,
    /// What it takes.
    pub accepts: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    set: fn(&mut Config, &str) -> Option<()>,
    show: fn(&Config) -> String,
}

/// A value that a setting does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is '{value}', it accepts {accepts}")]
pub struct BadSetting {
    name: String,
    value: String,
    accepts: &'static str,
}

impl Setting {
    /// The environment variable of this setting.
    pub fn variable(&self) -> String {
        format!("IMGSRV_{}", self.name.to_ascii_uppercase())
    }

    /// The command line flag of this setting, without the dashes in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Writes a value into a configuration.
    ///
    /// # Errors
    /// [`BadSetting`] names the setting, the value and what is accepted.
    pub fn set(&self, config: &mut Config, value: &str) -> Result<(), BadSetting> {
        let bad = || BadSetting {
            name: self.name.into(),
            value: value.escape_debug().to_string(),
            accepts: self.accepts,
        };
        (self.set)(config, value).ok_or_else(bad)
    }

    /// The value that a configuration holds, as [`Setting::set`] takes it.
    pub fn show(&self, config: &Config) -> String {
        (self.show)(config)
    }
}

macro_rules! setting {
    ($field:ident, $accepts:literal, $meaning:literal) => {
        Setting {
            name: stringify!($field),
            accepts: $accepts,
            meaning: $meaning,
            set: |config, text| Value::read(text).map(|value| config.$field = value),
            show: |config| config.$field.show(),
        }
    };
}

/// Every setting, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    setting!(bind, "host:port, [IPv6]:port or name:port; port 0 takes a free one", "address of the TCP door"),
    setting!(http, "host:port, [IPv6]:port, name:port, or none", "address of the HTTP door"),
    setting!(
        cors_origin,
        "origins such as https://example.org, comma separated, or *; or nothing",
        "whose pages in a browser may ask over HTTP"
    ),
    setting!(workers, "1 to 1024", "threads that process pictures"),
    setting!(quality, "1 to 100", "quality when a request names none"),
    setting!(max_body, "bytes, such as 32MiB", "largest image accepted"),
    setting!(max_pixels, "a number of pixels, such as 50MP", "largest source picture"),
    setting!(max_side, "a number of pixels", "longest side of a source picture"),
    setting!(max_out_pixels, "a number of pixels, such as 25MP", "largest result"),
    setting!(max_out_side, "a number of pixels", "longest side of a result"),
    setting!(request_memory, "bytes, such as 256MiB", "memory that one request may need"),
    setting!(total_memory, "bytes, such as 1GiB", "memory that all requests share"),
    setting!(max_scans, "a number of scans", "most scans of a progressive JPEG"),
    setting!(header_timeout, "a time, such as 5s or 500ms", "for the header of a request"),
    setting!(body_timeout, "a time", "for the body, beside a second for each 256 KiB"),
    setting!(stall_timeout, "a time", "longest pause within a body"),
    setting!(write_timeout, "a time", "longest pause of a peer that is to take its reply"),
    setting!(idle_timeout, "a time", "longest pause between two requests"),
    setting!(request_timeout, "a time", "for one job, its wait in the queue included"),
    setting!(queue, "a number of jobs", "jobs that may wait for a worker"),
    setting!(queue_timeout, "a time", "longest wait for a worker before busy"),
    setting!(max_connections, "a number of connections", "most open connections"),
    setting!(per_ip, "a number of connections", "most open connections of one address"),
    setting!(drain, "a time", "for requests in flight after a stop"),
    setting!(
        insecure,
        "true or false",
        "the network is trusted: open to everybody, and tokens may come without TLS"
    ),
    setting!(metrics, "host:port, or nothing", "address of /metrics, /health and /ready over HTTP"),
    setting!(token_file, "a file of name:token lines that others cannot read", "whose requests are taken"),
    setting!(require_token, "true or false", "refuse to start on a public address without tokens"),
    setting!(tls_cert, "a PEM file", "certificate chain for TLS; read again on SIGHUP"),
    setting!(tls_key, "a PEM file", "private key of the certificate; read again on SIGHUP"),
    setting!(
        sandbox,
        "auto (as far as the system can), required or off",
        "keep the process from files and ports that it does not need, by Landlock"
    ),
    setting!(rate_requests, "a number, or nothing", "requests a second of one token or address"),
    setting!(rate_megapixels, "a number, or nothing", "source megapixels a minute of one token or address"),
    setting!(only_presets, "true or false", "take requests that name a preset and say no more"),
    setting!(data_dir, "a folder, auto (the system's place for state) or none", "where tasks are kept"),
    setting!(task_ttl, "a time, such as 24h", "how long results of tasks are kept"),
    setting!(task_bytes, "bytes, such as 4GiB", "images and results of all tasks together"),
    setting!(tasks_per_owner, "a number of tasks", "tasks that are kept for one token"),
    setting!(log_format, "auto, text or json", "form of the log; auto is text on a terminal, json otherwise"),
];

impl Config {
    /// The defaults on this machine.
    pub fn defaults(machine: Machine) -> Config {
        let limits = Limits::default();
        let engine = engine::Settings::for_workers(machine.cores);
        let server = server::Settings::default();
        let gate = gate::Settings::default();
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
            header_timeout: server.header_timeout,
            body_timeout: server.body_timeout,
            stall_timeout: server.stall_timeout,
            write_timeout: server.write_timeout,
            idle_timeout: server.idle_timeout,
            request_timeout: engine.request_timeout,
            queue: engine.queue,
            queue_timeout: engine.queue_timeout,
            max_connections: gate.max_connections,
            per_ip: gate.per_ip,
            drain: server.drain,
            insecure: false,
            log_format: LogFormat::Auto,
            metrics: None,
            token_file: None,
            require_token: false,
            tls_cert: None,
            tls_key: None,
            sandbox: Sandbox::Auto,
            rate_requests: None,
            rate_megapixels: None,
            only_presets: false,
            data_dir: DataDir::Auto,
            task_ttl: Duration::from_secs(24 * 3600),
            task_bytes: 4096 * MIB,
            tasks_per_owner: 10_000,
        }
    }

    /// The memory for all requests that goes with a number of workers on a machine.
    fn shared_memory(workers: usize, machine: Machine) -> u64 {
        let wanted = engine::Settings::for_workers(workers).total_memory;
        wanted.min(machine.memory / 2).max(16 * MIB)
    }

    /// What can be asked for, as yet without presets.
    fn offer(&self) -> Offer {
        // Who sets another quality asks for it on behalf of every caller.
        let quality = (self.quality != Quality::DEFAULT).then_some(self.quality);
        let base = Spec { quality, ..Spec::default() };
        Offer { base, only_presets: self.only_presets, ..Offer::default() }
    }

    /// The part that the engine needs.
    pub fn engine(&self) -> engine::Settings {
        engine::Settings {
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
                ..Limits::default()
            },
        }
    }

    /// The part that the TCP door needs, but for what has to be read from files.
    pub fn server(&self) -> server::Settings {
        server::Settings {
            max_body: u32::try_from(self.max_body).unwrap_or(u32::MAX).min(crate::wire::MAX_BODY_LEN),
            header_timeout: self.header_timeout,
            body_timeout: self.body_timeout,
            stall_timeout: self.stall_timeout,
            write_timeout: self.write_timeout,
            idle_timeout: self.idle_timeout,
            drain: self.drain,
            offer: self.offer(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The part that all doors share, but for what has to be read from files.
    pub fn gate(&self) -> gate::Settings {
        gate::Settings {
            max_connections: self.max_connections,
            per_ip: self.per_ip,
            tokens: None,
            tokens_in_clear: self.insecure,
            rate_requests: self.rate_requests,
            rate_megapixels: self.rate_megapixels,
        }
    }
}

#[cfg(feature = "jobs")]
impl Config {
    /// What the store of tasks may keep.
    pub fn tasks(&self) -> crate::jobs::Limits {
        crate::jobs::Limits {
            ttl: self.task_ttl,
            bytes: self.task_bytes,
            tasks_per_owner: self.tasks_per_owner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine { cores: 4, memory: 1 << 30 };

    fn setting(name: &str) -> &'static Setting {
        SETTINGS.iter().find(|setting| setting.name == name).unwrap()
    }

    #[test]
    fn every_setting_takes_back_what_it_shows() {
        let defaults = Config::defaults(MACHINE);
        for setting in SETTINGS {
            let mut config = defaults.clone();
            setting.set(&mut config, &setting.show(&defaults)).unwrap();
            assert_eq!(config, defaults, "{}", setting.name);
        }
    }

    #[test]
    fn a_wrong_value_names_the_setting_the_value_and_what_is_accepted() {
        let mut config = Config::defaults(MACHINE);
        let error = setting("quality").set(&mut config, "101").unwrap_err();
        assert_eq!(error.to_string(), "'quality' is '101', it accepts 1 to 100");
    }

    #[test]
    fn memory_defaults_to_at_most_half_of_what_the_machine_has() {
        assert_eq!(Config::defaults(MACHINE).total_memory, 512 * MIB);
        assert_eq!(Config::defaults(Machine { cores: 1, memory: 1 << 40 }).total_memory, 256 * MIB);
    }

    #[test]
    fn flag_variable_and_key_have_one_name() {
        let setting = setting("max_out_pixels");
        assert_eq!(
            (setting.flag().as_str(), setting.variable().as_str()),
            ("max-out-pixels", "IMGSRV_MAX_OUT_PIXELS")
        );
    }
}
