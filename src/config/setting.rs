//! The table of settings: name, values and help of each, and the field of [`Config`] that holds it.
//!
//! A flag `--max-pixels`, a variable `IMGSRV_MAX_PIXELS` and a file key `max_pixels` are one setting.

use super::Config;
use crate::spec::{OptionDef, OptionValue, ValueSet};

/// One setting of the server.
pub type Setting = OptionDef<Config>;

impl Setting {
    /// The environment variable of this setting.
    pub fn variable(&self) -> String {
        format!("IMGSRV_{}", self.name.to_ascii_uppercase())
    }
}

const WORKERS: ValueSet = ValueSet::Integer { min: 1, max: 1024 };

/// A row: a setting whose values are those of its type, or narrower ones, or described in words.
macro_rules! setting {
    ($field:ident, $help:literal) => {
        setting!($field, values_of(|config| &config.$field), $help)
    };
    ($field:ident, $accepts:literal, $help:literal) => {
        setting!($field, ValueSet::Text($accepts.into()), $help)
    };
    ($field:ident, $values:expr, $help:literal) => {
        OptionDef {
            name: stringify!($field),
            help: $help,
            values: || $values,
            unset: "none",
            set: |config, text| OptionValue::read(text).map(|value| config.$field = value),
            show: |config| config.$field.show(),
        }
    };
}

/// The values of the type that a field has.
fn values_of<T: OptionValue>(_: fn(&Config) -> &T) -> ValueSet {
    T::values()
}

/// Every setting, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    setting!(
        bind,
        "host:port, [IPv6]:port, name:port, unix:PATH or none; port 0 takes a free one",
        "address of the TCP listener"
    ),
    setting!(http, "host:port, [IPv6]:port, name:port, unix:PATH, or none", "address of the HTTP listener"),
    setting!(
        cors_origin,
        "origins such as https://example.org, comma separated, or *; or nothing",
        "pages in a browser that may call over HTTP"
    ),
    OptionDef {
        set: |config, text| WORKERS.integer(text).map(|n| config.workers = n as usize),
        ..setting!(workers, WORKERS, "threads that process pictures")
    },
    setting!(quality, "quality when a request names none"),
    setting!(max_body, "bytes, such as 32MiB", "largest image accepted"),
    setting!(max_pixels, "a number of pixels, such as 50MP", "largest source picture"),
    setting!(max_side, "a number of pixels", "longest side of a source picture"),
    setting!(max_out_pixels, "a number of pixels, such as 25MP", "largest result"),
    setting!(max_out_side, "a number of pixels", "longest side of a result"),
    setting!(request_memory, "bytes, such as 256MiB", "memory that one request may need"),
    setting!(total_memory, "bytes, such as 1GiB", "memory that all requests share"),
    setting!(max_scans, "a number of scans", "most scans of a progressive JPEG"),
    setting!(max_frames, "a number of frames", "most frames of an animation in one result"),
    setting!(header_timeout, "longest time for the header of a request"),
    setting!(body_timeout, "longest time for the body, plus a second for each 256 KiB"),
    setting!(stall_timeout, "longest pause within a body"),
    setting!(
        slow_body,
        "bytes a second, such as 256KiB",
        "speed below which a body gives its memory up when another caller needs it"
    ),
    setting!(write_timeout, "longest pause of a client that receives its reply"),
    setting!(idle_timeout, "longest pause between two requests"),
    setting!(request_timeout, "longest time for one job, its wait in the queue included"),
    setting!(queue, "a number of jobs", "jobs that may wait for a worker"),
    setting!(queue_timeout, "longest wait for a worker before busy"),
    setting!(max_connections, "a number of connections", "most open connections"),
    setting!(per_ip, "a number of connections", "most open connections of one address"),
    setting!(drain, "time for requests in flight after a stop"),
    setting!(insecure, "trust the network: no warning without tokens, and tokens without TLS"),
    setting!(
        metrics,
        "host:port or unix:PATH, or nothing",
        "address of /metrics, /health and /ready over HTTP"
    ),
    setting!(
        token_file,
        "a file of name:token lines that others cannot read",
        "tokens of the callers that are served"
    ),
    setting!(require_token, "refuse to start on a public address without tokens"),
    setting!(tls_cert, "a PEM file", "certificate chain for TLS; read again on SIGHUP"),
    setting!(tls_key, "a PEM file", "private key of the certificate; read again on SIGHUP"),
    setting!(
        sandbox,
        "auto (as far as the system can), required or off",
        "keep the process from files, ports and system calls that it does not need, by Landlock and seccomp"
    ),
    setting!(
        proxy_from,
        "networks of balancers whose word about a client is believed: the PROXY protocol on TCP, proxy_header on HTTP"
    ),
    setting!(proxy_header, "the HTTP header that they set"),
    setting!(
        allowed_hosts,
        "names that a listener on loopback without tokens answers to, beside localhost and addresses"
    ),
    setting!(rate_requests, "a number, or nothing", "requests a second of one token or address"),
    setting!(rate_megapixels, "a number, or nothing", "megapixels of work a minute of one token or address"),
    setting!(only_presets, "take only requests that name a preset and nothing else of the picture"),
    setting!(data_dir, "a folder, auto (the system's folder for state) or none", "folder of the tasks"),
    setting!(task_ttl, "time that results of tasks are kept"),
    setting!(task_bytes, "bytes, such as 4GiB", "images and results of all tasks together"),
    setting!(tasks_per_owner, "a number of tasks", "tasks that are kept for one token"),
    setting!(
        role,
        "share of the work: all, front (takes requests, runs no tasks) or worker (runs tasks alone)"
    ),
    setting!(
        nats,
        "nats://host:port or tls://host:port, comma separated; or nothing",
        "NATS servers that keep the tasks, for many machines"
    ),
    setting!(nats_creds, "a file with JWT and seed, or nothing", "user of the NATS servers"),
    setting!(
        nats_ca,
        "a PEM file, or nothing",
        "authorities of the NATS servers' certificates; the system's without"
    ),
    setting!(nats_cert, "a PEM file, or nothing", "certificate by which this server proves itself to NATS"),
    setting!(nats_key, "a PEM file, or nothing", "private key of nats_cert"),
    setting!(nats_prefix, "a word", "first word of the subjects and streams of the tasks"),
    setting!(nats_replicas, "a number, 3 for a cluster", "copies of each task on the NATS servers"),
    setting!(nats_shards, "a number of streams", "streams for the images, each with a leader of its own"),
    setting!(nats_lease, "time after which another worker takes the task of a silent one"),
    setting!(nats_orphan_age, "age at which an image without a task is removed"),
    setting!(task_wait, "longest time that a task waits for a worker of many"),
    setting!(node, "a name, or nothing for that of the machine", "name of this server for the others"),
    setting!(
        stop_delay,
        "a time, or nothing",
        "time between a stop and the end of the listeners, in which /ready fails already"
    ),
    setting!(log_level, "least urgent lines of the log; read again on SIGHUP, as the presets are"),
    setting!(log_format, "form of the log; auto is text on a terminal, json otherwise"),
];

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::*;

    const MACHINE: Machine = Machine { cores: 4, memory: 1 << 30 };

    fn setting(name: &str) -> &'static Setting {
        SETTINGS.iter().find(|setting| setting.name == name).unwrap()
    }

    #[test]
    fn every_setting_reads_back_the_value_that_it_shows() {
        let defaults = Config::defaults(MACHINE);
        for setting in SETTINGS {
            let mut config = defaults.clone();
            setting.set(&mut config, &setting.show(&defaults)).unwrap();
            assert_eq!(config, defaults, "{}", setting.name);
        }
    }

    #[test]
    fn a_wrong_value_names_the_setting_the_value_and_the_accepted_ones() {
        let mut config = Config::defaults(MACHINE);
        let error = setting("quality").set(&mut config, "101").unwrap_err();
        assert_eq!(error.to_string(), "'quality' is '101', it accepts 1 to 100");
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
