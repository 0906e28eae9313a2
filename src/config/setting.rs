//! `Setting`: the table of settings that all sources share.
//!
//! A flag `--max-pixels`, a variable `IMGSRV_MAX_PIXELS` and a file key `max_pixels` are one setting.

use super::Config;
use super::value::Value;

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

#[cfg(test)]
mod tests {
    use super::super::Machine;
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
    fn flag_variable_and_key_have_one_name() {
        let setting = setting("max_out_pixels");
        assert_eq!(
            (setting.flag().as_str(), setting.variable().as_str()),
            ("max-out-pixels", "IMGSRV_MAX_OUT_PIXELS")
        );
    }
}
