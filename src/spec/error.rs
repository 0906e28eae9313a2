//! `SpecError`: why options are refused, in words for whoever wrote them.

/// Why options are refused. Each message names the key and what it accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No such key.
    #[error("unknown option '{key}'{}", nearest.map(|near| format!(", did you mean '{near}'?")).unwrap_or_default())]
    UnknownKey {
        /// As it came.
        key: String,
        /// A known key that is spelled nearly so.
        nearest: Option<&'static str>,
    },
    /// The same key twice.
    #[error("option '{0}' is given more than once")]
    Repeated(String),
    /// A value that the key does not take.
    #[error("option '{key}' is '{value}', it accepts {accepts}")]
    BadValue {
        /// Which key.
        key: &'static str,
        /// As it came, cut to 100 characters.
        value: String,
        /// What would be right.
        accepts: &'static str,
    },
    /// Two options that cannot both hold.
    #[error("{0}")]
    Contradiction(String),
    /// No such preset.
    #[error("unknown preset '{0}'")]
    UnknownPreset(String),
    /// The operator offers presets and nothing else.
    #[error("this server takes presets only: give 'preset' and no other option of the picture")]
    PresetsOnly,
    /// Not form-encoded UTF-8.
    #[error("the options are not form-encoded UTF-8")]
    BadEncoding,
}

#[cfg(feature = "server")]
impl SpecError {
    pub(crate) fn unknown_preset(name: &str) -> SpecError {
        SpecError::UnknownPreset(clip(name))
    }
}

/// A stranger's text, short enough for a message and a log line.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}
