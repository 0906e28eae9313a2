//! `Effective`: the merged configuration and the origin of each value.
//! A flag overrides a variable, a variable overrides the file, the file overrides the default.

use super::file::{self, Contents};
use super::{Config, Machine, SETTINGS, Setting};
use crate::engine;
use crate::service::policy::RequestPolicy;
use crate::spec::{BadValue, SpecError, clip, nearest};
use std::fmt;
use std::path::PathBuf;

/// Origin of a value, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// No source sets it.
    Default,
    /// A line of the file.
    File(String, usize),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(name, line) => write!(f, "{name}:{line}"),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A mistake in the configuration, which stops the start. Each message names the place and the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is not TOML, or not of the expected shape.
    #[error("{at}: {message}")]
    Syntax {
        /// File and line.
        at: Origin,
        /// The mistake.
        message: String,
    },
    /// No setting of that name.
    #[error("{at}: unknown setting '{key}'{}", nearest.map(|near| format!(", did you mean '{near}'?")).unwrap_or_default())]
    UnknownSetting {
        /// File and line.
        at: Origin,
        /// The name as it is written there.
        key: String,
        /// A setting that is spelled nearly so.
        nearest: Option<&'static str>,
    },
    /// A value that the setting does not take.
    #[error("{at}: {problem}")]
    BadSetting {
        /// Origin of the value.
        at: Origin,
        /// The setting, its value, and the accepted ones.
        problem: BadValue,
    },
    /// A port of a hosting platform that is none.
    #[error("PORT is '{0}', it accepts 0 to 65535; give --http ADDR to do without it")]
    BadPort(String),
    /// A preset that no request could ask for.
    #[error("{at}: preset '{preset}': {problem}")]
    BadPreset {
        /// File and line.
        at: Origin,
        /// Its name.
        preset: String,
        /// The mistake in its options.
        problem: SpecError,
    },
}

/// A configuration and its origins.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The settings.
    pub config: Config,
    /// Options that callers may use, presets included.
    pub policy: RequestPolicy,
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// One origin for each of [`SETTINGS`].
    pub(super) origins: Vec<Origin>,
    /// Name and origin of each preset.
    pub(super) preset_origins: Vec<(String, Origin)>,
}

impl Effective {
    /// Returns true if no source sets the setting of this name.
    pub fn is_default(&self, name: &str) -> bool {
        SETTINGS.iter().zip(&self.origins).any(|(one, from)| one.name == name && *from == Origin::Default)
    }

    /// Merges the sources. `file` is a name for messages and a text; `given` returns the value of a flag or variable.
    ///
    /// # Errors
    /// [`ConfigError`] for the first mistake.
    pub fn resolve(
        machine: Machine,
        file: Option<(&str, &str)>,
        given: impl Fn(&Setting) -> Option<(String, Origin)>,
    ) -> Result<Effective, ConfigError> {
        let (name, text) = file.unwrap_or_default();
        let at = |line| Origin::File(name.to_owned(), line);
        let Contents { settings, presets } = file::read(text)
            .map_err(|fault| ConfigError::Syntax { at: at(fault.line), message: fault.message })?;

        let mut config = Config::defaults(machine);
        let mut origins = vec![Origin::Default; SETTINGS.len()];
        for entry in &settings {
            let found = SETTINGS.iter().position(|setting| setting.name == entry.key);
            let index = found.ok_or_else(|| unknown(&entry.key, at(entry.line)))?;
            put(&mut config, index, &entry.value, at(entry.line), &mut origins)?;
        }
        for (index, setting) in SETTINGS.iter().enumerate() {
            if let Some((value, origin)) = given(setting) {
                put(&mut config, index, &value, origin, &mut origins)?;
            }
        }
        let is_default = |name| {
            SETTINGS.iter().zip(&origins).any(|(one, from)| one.name == name && *from == Origin::Default)
        };
        if is_default("queue") {
            config.queue = engine::EngineSettings::for_workers(config.workers).queue;
        }
        if is_default("total_memory") {
            config.total_memory = Config::shared_memory(config.workers, machine);
        }

        let mut policy = config.policy();
        let mut preset_origins = Vec::new();
        for preset in presets {
            let pairs: Vec<_> =
                preset.options.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
            policy.add_preset(&preset.name, &pairs).map_err(|problem| ConfigError::BadPreset {
                at: at(preset.line),
                preset: preset.name.clone(),
                problem,
            })?;
            preset_origins.push((preset.name, at(preset.line)));
        }
        let file = (!name.is_empty()).then(|| name.into());
        Ok(Effective { config, policy, file, origins, preset_origins })
    }

    /// Takes the port that a hosting platform gives in the variable `PORT`, unless a source sets the HTTP address.
    ///
    /// # Errors
    /// [`ConfigError`] where it is no number of a port.
    pub fn with_platform_port(mut self, port: &str) -> Result<Effective, ConfigError> {
        let Some(index) = SETTINGS.iter().position(|setting| setting.name == "http") else { return Ok(self) };
        if self.origins[index] != Origin::Default {
            return Ok(self);
        }
        let port: u16 = port.parse().map_err(|_| ConfigError::BadPort(clip(port)))?;
        let at = Origin::Variable("PORT".into());
        put(&mut self.config, index, &format!("0.0.0.0:{port}"), at, &mut self.origins)?;
        Ok(self)
    }

    /// The origin of a setting's value.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        SETTINGS.iter().position(|setting| setting.name == name).map(|index| &self.origins[index])
    }
}

fn put(
    config: &mut Config,
    index: usize,
    value: &str,
    at: Origin,
    origins: &mut [Origin],
) -> Result<(), ConfigError> {
    SETTINGS[index]
        .set(config, value)
        .map_err(|problem| ConfigError::BadSetting { at: at.clone(), problem })?;
    origins[index] = at;
    Ok(())
}

fn unknown(key: &str, at: Origin) -> ConfigError {
    let nearest = nearest(key, SETTINGS.iter().map(|setting| setting.name));
    ConfigError::UnknownSetting { at, key: key.escape_debug().to_string(), nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MIB;
    use std::collections::HashMap;

    const MACHINE: Machine = Machine { cores: 4, memory: 64 << 30 };

    fn resolve(text: &str, said: &[(&str, &str, Origin)]) -> Result<Effective, ConfigError> {
        let said: HashMap<_, _> = said.iter().map(|(name, value, from)| (*name, (*value, from))).collect();
        Effective::resolve(MACHINE, Some(("a.toml", text)), |setting| {
            said.get(setting.name).map(|(value, from)| ((*value).to_owned(), (*from).clone()))
        })
    }

    fn flag(name: &str) -> Origin {
        Origin::Flag(name.into())
    }

    #[test]
    fn flag_goes_before_variable_before_file_before_default() {
        let made = resolve("quality = 1\nworkers = 2\n", &[("workers", "3", flag("workers"))]).unwrap();
        assert_eq!((made.config.quality.get(), made.config.workers), (1, 3));
        assert_eq!(made.origin("quality"), Some(&Origin::File("a.toml".into(), 1)));
        assert_eq!(made.origin("workers"), Some(&flag("workers")));
        assert_eq!(made.origin("bind"), Some(&Origin::Default));
    }

    #[test]
    fn defaults_that_depend_on_the_workers_follow_them() {
        let made = resolve("workers = 8", &[]).unwrap().config;
        assert_eq!((made.queue, made.total_memory), (128, 8 * 256 * MIB));
        let made = resolve("workers = 8\nqueue = 5\ntotal_memory = \"100MiB\"", &[]).unwrap().config;
        assert_eq!((made.queue, made.total_memory), (5, 100 * MIB));
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (text, message) in [
            ("\nqualty = 5", "a.toml:2: unknown setting 'qualty', did you mean 'quality'?"),
            ("quality = 101", "a.toml:1: 'quality' is '101', it accepts 1 to 100"),
            (
                "[preset.thumb]\nqualty = 1",
                "a.toml:1: preset 'thumb': unknown option 'qualty', did you mean 'quality'?",
            ),
        ] {
            assert_eq!(resolve(text, &[]).unwrap_err().to_string(), message);
        }
        let error = resolve("", &[("queue", "many", Origin::Variable("IMGSRV_QUEUE".into()))]).unwrap_err();
        assert_eq!(error.to_string(), "IMGSRV_QUEUE: 'queue' is 'many', it accepts a number of jobs");
    }

    #[test]
    fn the_port_of_a_platform_counts_where_no_source_sets_the_address() {
        let made = resolve("", &[]).unwrap().with_platform_port("9000").unwrap();
        assert_eq!(made.config.http, "0.0.0.0:9000");
        assert_eq!(made.origin("http"), Some(&Origin::Variable("PORT".into())));
        let made = resolve("http = \"none\"", &[]).unwrap().with_platform_port("9000").unwrap();
        assert_eq!(made.config.http, "none");
        let error = resolve("", &[]).unwrap().with_platform_port("tcp://x:1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "PORT is 'tcp://x:1', it accepts 0 to 65535; give --http ADDR to do without it"
        );
    }

    #[test]
    fn presets_start_from_the_configured_quality() {
        let made = resolve("quality = 40\n[preset.a]\nwidth = 9", &[]).unwrap();
        assert_eq!(made.policy.presets["a"].quality().get(), 40);
        assert_eq!(made.policy.presets["a"].width, 9);
    }
}
