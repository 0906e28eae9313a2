//! `SpecError`: why options are refused.

use super::table::BadValue;
#[cfg(feature = "server")]
use super::table::clip;

/// The reason for refused options. Each message names the option and the values that it accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// No option of that name.
    #[error("unknown option '{name}'{}", nearest.map(|near| format!(", did you mean '{near}'?")).unwrap_or_default())]
    UnknownOption {
        /// The name as it came, cut to 100 characters.
        name: String,
        /// A known name that is spelled nearly so.
        nearest: Option<&'static str>,
    },
    /// The same option twice.
    #[error("option '{0}' is given more than once")]
    Repeated(String),
    /// A value that the option does not take.
    #[error("option {0}")]
    BadValue(#[from] BadValue),
    /// Two options that cannot both hold.
    #[error("{0}")]
    Contradiction(String),
    /// No preset of that name.
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
