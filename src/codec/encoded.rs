//! `Encoded`: the result of one picture, its source, warnings and times.

use crate::format::Format;
use crate::spec::Quality;
use std::fmt;
use std::time::Duration;

/// A finished picture.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its format.
    pub format: Format,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// The quality it was encoded with, where the format has one.
    pub quality: Option<Quality>,
    /// Encodes that `max_bytes` or `target` needed; 1 otherwise, 0 when the source was passed through.
    pub tries: u32,
    /// Measured SSIMULACRA2 score, when `target` asked for one.
    pub score: Option<f64>,
    /// The source.
    pub source: SourceInfo,
    /// Losses and changes that are no error.
    pub warnings: Warnings,
    /// Time by stage.
    pub times: StageTimes,
}

/// A step on the way to [`Encoded`], with the warnings and times so far.
#[derive(Debug)]
pub(super) struct EncodeResult<T> {
    pub(super) value: T,
    pub(super) warnings: Warnings,
    pub(super) times: StageTimes,
}

impl<T> EncodeResult<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> EncodeResult<U> {
        EncodeResult { value: change(self.value), warnings: self.warnings, times: self.times }
    }
}

/// The facts in the header of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceInfo {
    /// The format, told by content.
    pub format: Format,
    /// Width of the upright picture in pixels.
    pub width: u32,
    /// Height of the upright picture in pixels.
    pub height: u32,
}

/// Wall-clock time by stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Parsing and decoding. On the planar JPEG path the stages interleave by rows, and each row is measured.
    pub decode: Duration,
    /// Resizing, colour and operations.
    pub resize: Duration,
    /// Encoding.
    pub encode: Duration,
}

/// A loss or a change that the caller did not ask for, or might overlook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// The result is larger than the source.
    Upscaled,
    /// Only the first frame of an animation was used.
    FramesDropped,
    /// A colour profile could not be used; the pixels were taken as sRGB.
    ProfileDropped,
    /// The data ended early; the missing part is grey or empty.
    Truncated,
    /// The data is damaged in places; the rest was used.
    Damaged,
    /// 16 bits a sample became 8.
    DepthReduced,
    /// The source bytes came back untouched.
    Passthrough,
    /// `max_bytes` was met by a smaller picture than asked for.
    Shrunk,
    /// The coefficients of the JPEG source were kept, without loss.
    Lossless,
    /// Not even quality 100 scores the `target`.
    TargetMissed,
    /// The source has a gain map (Ultra HDR, ISO 21496-1), and the result shows no HDR.
    GainMapDropped,
    /// Transparent pixels lie on the background now: the format of the result has no transparency.
    Flattened,
}

impl Warning {
    /// Every warning.
    pub const ALL: [Warning; 12] = [
        Warning::Upscaled,
        Warning::FramesDropped,
        Warning::ProfileDropped,
        Warning::Truncated,
        Warning::Damaged,
        Warning::DepthReduced,
        Warning::Passthrough,
        Warning::Shrunk,
        Warning::Lossless,
        Warning::TargetMissed,
        Warning::GainMapDropped,
        Warning::Flattened,
    ];

    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Warning::Upscaled => "upscaled",
            Warning::FramesDropped => "frames_dropped",
            Warning::ProfileDropped => "profile_dropped",
            Warning::Truncated => "truncated",
            Warning::Damaged => "damaged",
            Warning::DepthReduced => "depth_reduced",
            Warning::Passthrough => "passthrough",
            Warning::Shrunk => "shrunk",
            Warning::Lossless => "lossless",
            Warning::TargetMissed => "target_missed",
            Warning::GainMapDropped => "gain_map_dropped",
            Warning::Flattened => "flattened",
        }
    }
}

/// A set of warnings, listed in the order of [`Warning::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Warnings(u16);

impl Warnings {
    /// Adds a warning. Adding it twice is the same as once.
    pub fn add(&mut self, warning: Warning) {
        self.0 |= 1 << warning as u16;
    }

    /// Returns true if the warning is in the set.
    pub fn contains(self, warning: Warning) -> bool {
        self.0 & 1 << warning as u16 != 0
    }

    /// Returns true if the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The warnings of the set.
    pub fn iter(self) -> impl Iterator<Item = Warning> {
        Warning::ALL.into_iter().filter(move |warning| self.contains(*warning))
    }
}

/// Comma separated, as the report has it.
impl fmt::Display for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, warning) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}", warning.word())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_a_set_in_fixed_order() {
        let mut warnings = Warnings::default();
        assert!(warnings.is_empty());
        warnings.add(Warning::Truncated);
        warnings.add(Warning::Upscaled);
        warnings.add(Warning::Upscaled);
        assert_eq!(warnings.to_string(), "upscaled,truncated");
    }
}
