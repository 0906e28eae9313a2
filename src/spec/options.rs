//! The table of options: name, values, default and help of each, and the field of [`Spec`] or [`Call`] that holds it.

use super::Spec;
use super::parse::Call;
use super::table::{OptionDef, ValueSet};
use super::value::{OptionValue, parse_size};
use std::time::Duration;

const SIDE: ValueSet = ValueSet::Integer { min: 0, max: Spec::MAX_SIDE as u64 };
const SCALE: ValueSet = ValueSet::Number { min: 0.01, max: 8.0 };
const SCORE: ValueSet = ValueSet::Number { min: 1.0, max: 100.0 };
const DEADLINE_MS: ValueSet = ValueSet::Integer { min: 1, max: 3_600_000 };

/// Longest id of a call, in bytes.
const MAX_ID_LEN: usize = 128;

/// A row whose field always has a value, or (`Option`) is empty until a request sets it.
macro_rules! option {
    ($field:ident, $help:literal) => {
        OptionDef {
            name: stringify!($field),
            help: $help,
            values: || values_of(|spec: &Spec| &spec.$field),
            unset: "",
            set: |spec, text| OptionValue::read(text).map(|value| spec.$field = value),
            show: |spec| spec.$field.show(),
        }
    };
    (Option $field:ident, $unset:literal, $help:literal) => {
        OptionDef {
            name: stringify!($field),
            help: $help,
            values: || values_of_optional(|spec: &Spec| &spec.$field),
            unset: $unset,
            set: |spec, text| OptionValue::read(text).map(|value| spec.$field = Some(value)),
            show: |spec| spec.$field.as_ref().map(OptionValue::show).unwrap_or_default(),
        }
    };
}

/// The values of the type that a field has.
fn values_of<T: OptionValue>(_: fn(&Spec) -> &T) -> ValueSet {
    T::values()
}

fn values_of_optional<T: OptionValue>(_: fn(&Spec) -> &Option<T>) -> ValueSet {
    T::values()
}

/// Every option of a picture, in the order of the canonical form.
pub const OPTIONS: &[OptionDef<Spec>] = &[
    OptionDef {
        name: "width",
        help: "width of the result in pixels; 0 follows the height, both 0 keep the size",
        values: || SIDE,
        unset: "none",
        set: |spec, text| SIDE.integer(text).map(|n| spec.width = n as u32),
        show: |spec| spec.width.to_string(),
    },
    OptionDef {
        name: "height",
        help: "height of the result in pixels; 0 follows the width",
        values: || SIDE,
        unset: "none",
        set: |spec, text| SIDE.integer(text).map(|n| spec.height = n as u32),
        show: |spec| spec.height.to_string(),
    },
    OptionDef {
        name: "scale",
        help: "factor on both sides instead of width and height",
        values: || SCALE,
        unset: "none",
        set: |spec, text| SCALE.number(text).map(|n| spec.scale = Some(n)),
        show: |spec| optional(&spec.scale),
    },
    option!(fit, "stretch; crop to cover; pad to contain; never larger than; never smaller than the box"),
    option!(gravity, "the part that cover keeps; smart looks for it; a pair is a focal point"),
    option!(Option enlarge, "true for fill, cover and contain; false for inside and outside", "let the result be larger than the source"),
    option!(Option crop, "none", "the part to keep, before the resize"),
    option!(rotate, "clockwise turn of the stored picture; auto follows the EXIF orientation"),
    option!(flip, "mirror top to bottom"),
    option!(flop, "mirror left to right"),
    option!(kernel, "the resampling kernel"),
    option!(speed, "fast lets the JPEG decoder scale down to the target itself"),
    option!(linear, "resize in linear light, 16 bits a sample"),
    option!(background, "under transparency when the result has none; the padding of contain"),
    option!(format, "format of the result; auto is the smallest that the client takes"),
    option!(Option quality, "85", "quality of a lossy result; a JPEG that keeps its pixels is encoded anew only when one is given"),
    option!(progressive, "progressive JPEG or interlaced PNG; no other format has such a mode"),
    option!(subsampling, "chroma resolution of a JPEG; auto is 444 from quality 90, else 420"),
    option!(effort, "time spent on a small file; for JPEG fixed Huffman tables, optimised ones, every trick"),
    option!(lossless, "lossless WebP; PNG, TIFF, BMP and QOI always are, JPEG, GIF and AVIF never"),
    option!(
        dither,
        "diffuse the error of a palette of 256 colours, for GIF; smooth areas keep their shades, the file grows"
    ),
    OptionDef {
        name: "max_bytes",
        help: "largest result; the best quality that fits is found",
        values: || ValueSet::Pattern {
            pattern: r"^[0-9]+(\.[0-9]+)?[kKmM]?$".into(),
            accepts: "a number of bytes such as 200000, 200k or 1.5m".into(),
        },
        unset: "none",
        set: |spec, text| parse_size(text).map(|n| spec.max_bytes = Some(n)),
        show: |spec| optional(&spec.max_bytes),
    },
    option!(allow_smaller, "let max_bytes shrink the dimensions when no quality fits"),
    OptionDef {
        name: "target",
        help: "the lowest quality of a JPEG or WebP whose SSIMULACRA2 score reaches this; 100 if none does, which the reported score tells",
        values: || SCORE,
        unset: "none",
        set: |spec, text| SCORE.number(text).map(|n| spec.target = Some(n)),
        show: |spec| optional(&spec.target),
    },
    option!(
        passthrough,
        "give the source back untouched when nothing needs doing or nothing would be gained"
    ),
    option!(metadata, "EXIF, IPTC and XMP of the result"),
    option!(icc, "convert to sRGB; embed the profile; drop it"),
    option!(strict, "refuse truncated or damaged input"),
    option!(
        frames,
        "frames of an animation that a GIF, WebP or PNG result keeps; max_bytes and target work on one frame"
    ),
    OptionDef {
        unset: "none",
        ..option!(ops, "up to 32 operations after the resize, in order, comma separated")
    },
];

fn optional(value: &Option<impl ToString>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

impl OptionDef<Spec> {
    /// The text of the default.
    pub fn default(&self) -> String {
        self.effective(&Spec::default())
    }

    /// The option of that name.
    pub fn of(name: &str) -> Option<&'static OptionDef<Spec>> {
        OPTIONS.iter().find(|option| option.name == name)
    }
}

/// The options of a call: they name the caller or limit the work, and say nothing of the picture.
pub const CALL_OPTIONS: &[OptionDef<Call>] = &[
    OptionDef {
        name: "token",
        help: "the secret of the caller",
        values: || ValueSet::Text("a token that the server knows".into()),
        unset: "none",
        set: |call, text| {
            call.token = Some(text.to_owned());
            Some(())
        },
        show: |_| String::new(), // a secret
    },
    OptionDef {
        name: "id",
        help: "echoed in the report and the log",
        values: || ValueSet::Text(format!("at most {MAX_ID_LEN} bytes without control characters")),
        unset: "none",
        set: |call, text| {
            let is_id = text.len() <= MAX_ID_LEN && !text.chars().any(char::is_control);
            is_id.then(|| call.id = Some(text.to_owned()))
        },
        show: |call| optional(&call.id),
    },
    OptionDef {
        name: "deadline_ms",
        help: "give up after so many milliseconds",
        values: || DEADLINE_MS,
        unset: "none",
        set: |call, text| DEADLINE_MS.integer(text).map(|ms| call.deadline = Some(Duration::from_millis(ms))),
        show: |call| optional(&call.deadline.map(|deadline| deadline.as_millis())),
    },
    OptionDef {
        name: "op",
        help: "a health probe instead of a picture",
        values: || ValueSet::Words(vec!["ping"]),
        unset: "none",
        set: |call, text| (text == "ping").then(|| call.ping = true),
        show: |call| if call.ping { "ping".to_owned() } else { String::new() },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Quality;

    #[test]
    fn the_words_for_an_empty_field_tell_its_default() {
        let quality = OptionDef::of("quality").unwrap();
        assert_eq!(quality.default(), Quality::DEFAULT.get().to_string());
        assert_eq!(OptionDef::of("width").unwrap().default(), "0");
        for option in OPTIONS {
            assert!(!option.default().is_empty(), "{}", option.name);
        }
    }

    #[test]
    fn a_default_is_a_value_that_the_option_takes() {
        for option in OPTIONS {
            let shown = option.show(&Spec::default());
            let mut spec = Spec::default();
            assert!(shown.is_empty() || option.set(&mut spec, &shown).is_ok(), "{}", option.name);
            assert_eq!(spec, Spec::default(), "{}", option.name);
        }
    }
}
