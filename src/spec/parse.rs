//! The one parser of options, for all protocols: form-encoded pairs to a [`Spec`] and back.

use super::error::SpecError;
use super::form::{decode_pairs, encode_pairs};
use super::options::{CALL_OPTIONS, OPTIONS};
use super::table::{OptionDef, ValueSet, clip, either, nearest};
use super::value::Words;
use super::{Icc, OutputFormat, Spec, Subsampling};
use crate::format::Format;
use std::fmt;
use std::time::Duration;

/// All options of one request: those of the picture and those of the call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Options of the picture.
    pub spec: Spec,
    /// Options of the call.
    pub call: Call,
}

/// The options that belong to the call and not to the picture.
#[derive(Clone, Default, PartialEq)]
pub struct Call {
    /// Authentication. Never shown.
    pub token: Option<String>,
    /// Echoed in the report and the log; at most 128 bytes, no control characters.
    pub id: Option<String>,
    /// Time until the request is given up.
    pub deadline: Option<Duration>,
    /// True for a health probe, which carries no picture.
    pub ping: bool,
}

/// The token stays out of logs.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "...");
        let Call { token: _, id, deadline, ping } = self;
        f.debug_struct("Call")
            .field("token", &token)
            .field("id", id)
            .field("deadline", deadline)
            .field("ping", ping)
            .finish()
    }
}

impl Options {
    /// Reads form-encoded pairs, `quality=80&format=webp`; options that they do not name are taken from `base`.
    ///
    /// # Errors
    /// [`SpecError`] for an unknown or repeated option, a value out of range, or a contradiction.
    pub fn parse(encoded: &[u8], base: &Spec) -> Result<Options, SpecError> {
        Options::from_pairs(&decode_pairs(encoded)?, base)
    }

    /// Reads pairs that are decoded already.
    ///
    /// # Errors
    /// As [`Options::parse`].
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: &[(K, V)],
        base: &Spec,
    ) -> Result<Options, SpecError> {
        let mut options = Options { spec: base.clone(), call: Call::default() };
        for (i, (name, value)) in pairs.iter().enumerate() {
            let name = name.as_ref();
            let mut others =
                pairs.iter().enumerate().filter(|(j, (other, _))| *j != i && other.as_ref() == name);
            match others.next() {
                None => options.set(name, value.as_ref())?,
                Some(_) if !is_list(name) => return Err(SpecError::Repeated(clip(name))),
                Some((earlier, _)) if earlier < i => {} // its values were taken with the first one
                Some(_) => {
                    let values = pairs.iter().filter(|(other, _)| other.as_ref() == name);
                    let values: Vec<_> = values.map(|(_, value)| value.as_ref()).collect();
                    options.set(name, &values.join(","))?;
                }
            }
        }
        options.spec.check()?;
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SpecError> {
        if let Some(option) = OptionDef::of(name) {
            option.set(&mut self.spec, value)?;
        } else if let Some(option) = CALL_OPTIONS.iter().find(|option| option.name == name) {
            option.set(&mut self.call, value)?;
        } else {
            return Err(unknown(name));
        }
        Ok(())
    }
}

impl Spec {
    /// The options that differ from the defaults, in one fixed order: the form for logs and cache keys.
    pub fn canonical(&self) -> String {
        let defaults = Spec::default();
        let differs = |option: &OptionDef<Spec>| {
            let value = option.show(self);
            (value != option.show(&defaults)).then_some((option.name, value))
        };
        encode_pairs(OPTIONS.iter().filter_map(differs))
    }

    /// Takes width and height from a request header; 0 leaves the value of the options.
    ///
    /// # Errors
    /// [`SpecError`] when a side is too long or header and options disagree.
    pub fn sized(mut self, width: u32, height: u32) -> Result<Spec, SpecError> {
        for (name, header) in [("width", width), ("height", height)] {
            let side = if name == "width" { &mut self.width } else { &mut self.height };
            if header != 0 && *side != 0 && header != *side {
                return Err(SpecError::Contradiction(format!(
                    "the header says {name} {header}, the options say {side}"
                )));
            }
            if header != 0
                && let Some(option) = OptionDef::of(name)
            {
                option.set(&mut self, &header.to_string())?;
            }
        }
        self.check()?;
        Ok(self)
    }

    /// Refuses contradictions between options.
    fn check(&self) -> Result<(), SpecError> {
        let clash = |said: &str| Err(SpecError::Contradiction(said.to_owned()));
        if self.scale.is_some() && (self.width != 0 || self.height != 0) {
            return clash("option 'scale' does not go with 'width' or 'height': give one or the other");
        }
        if let OutputFormat::Fixed(format) = self.format {
            self.check_format(format)?;
        }
        if self.max_bytes.is_some() && self.target.is_some() {
            return clash("options 'max_bytes' and 'target' both choose the quality: give one or the other");
        }
        if self.lossless && self.target.is_some() {
            return clash("option 'target' chooses a lossy quality, but 'lossless' is true");
        }
        Ok(())
    }

    /// Refuses a format that cannot keep the promises of the options; called again once a source has decided the
    /// format.
    ///
    /// # Errors
    /// [`SpecError::Contradiction`].
    pub fn check_promises(&self, format: Format) -> Result<(), SpecError> {
        if self.lossless {
            require(format, "lossless' is 'true", "such mode", |format| {
                !matches!(format, Format::Jpeg | Format::Gif | Format::Avif)
            })?;
        }
        if let Some(score) = self.target {
            require(format, &format!("target' is '{score}"), "quality that is measured", |format| {
                matches!(format, Format::Jpeg | Format::WebP)
            })?;
        }
        Ok(())
    }

    /// Refuses options that the format does not have.
    fn check_format(&self, format: Format) -> Result<(), SpecError> {
        self.check_promises(format)?;
        if self.progressive {
            require(format, "progressive' is 'true", "such mode", |format| {
                matches!(format, Format::Jpeg | Format::Png)
            })?;
        }
        if self.icc == Icc::Keep {
            require(format, "icc' is 'keep", "place for a profile", |format| {
                matches!(format, Format::Jpeg | Format::Png | Format::WebP | Format::Tiff)
            })?;
        }
        if self.subsampling != Subsampling::Auto {
            let option = format!("subsampling' is '{}", self.subsampling.word().unwrap_or_default());
            require(format, &option, "such choice", |format| format == Format::Jpeg)?;
        }
        Ok(())
    }
}

/// Refuses `format` unless `has` is true of it; the message names the formats of which it is.
fn require(
    format: Format,
    option: &str,
    missing: &str,
    has: impl Fn(Format) -> bool,
) -> Result<(), SpecError> {
    if has(format) {
        return Ok(());
    }
    let formats = Format::ALL.into_iter().filter(|format| format.is_writable() && has(*format));
    let formats: Vec<_> = formats.map(Format::name).collect();
    Err(SpecError::Contradiction(format!(
        "option '{option}', but format '{format}' has no {missing}: it accepts {}",
        either(&formats)
    )))
}

/// Returns true if the values of the option may come one by one under its name.
fn is_list(name: &str) -> bool {
    OptionDef::of(name).is_some_and(|option| matches!(option.values(), ValueSet::List { .. }))
}

fn unknown(name: &str) -> SpecError {
    let calls = CALL_OPTIONS.iter().map(|option| option.name).chain(["preset"]);
    let known = OPTIONS.iter().map(|option| option.name).chain(calls);
    SpecError::UnknownOption { name: clip(name), nearest: nearest(name, known) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Fit, Gravity, Op, Quality};
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Options, SpecError> {
        Options::parse(text.as_bytes(), &Spec::default())
    }

    #[test]
    fn pairs_become_a_spec_and_the_rest_stays_default() {
        let options =
            parse("width=320&fit=cover&gravity=0.2,0.8&ops=grayscale,blur:2.5&id=a%20b&deadline_ms=500")
                .unwrap();
        let want = Spec {
            width: 320,
            fit: Fit::Cover,
            gravity: Gravity::Focus(0.2, 0.8),
            ops: vec![Op::Grayscale, Op::Blur(2.5)],
            ..Spec::default()
        };
        assert_eq!(options.spec, want);
        assert_eq!(options.call.id.as_deref(), Some("a b"));
        assert_eq!(options.call.deadline, Some(Duration::from_millis(500)));
    }

    #[test]
    fn an_unknown_key_names_itself_and_the_nearest_known_one() {
        let error = parse("qualty=80").unwrap_err();
        assert_eq!(error.to_string(), "unknown option 'qualty', did you mean 'quality'?");
        assert_eq!(parse("zzzzzzzzz=1").unwrap_err().to_string(), "unknown option 'zzzzzzzzz'");
    }

    #[test]
    fn a_value_out_of_range_names_key_value_and_what_is_accepted() {
        assert_eq!(
            parse("quality=0").unwrap_err().to_string(),
            "option 'quality' is '0', it accepts 1 to 100"
        );
        assert_eq!(
            parse("width=16385").unwrap_err().to_string(),
            "option 'width' is '16385', it accepts 0 to 16384"
        );
        for bad in [
            "quality=101",
            "quality=",
            "quality=8x",
            "scale=9",
            "scale=nan",
            "fit=stretch",
            "op=pong",
            "deadline_ms=0",
        ] {
            assert!(matches!(parse(bad), Err(SpecError::BadValue(_))), "{bad}");
        }
    }

    #[test]
    fn a_repeated_key_is_refused() {
        assert_eq!(parse("quality=80&quality=80"), Err(SpecError::Repeated("quality".into())));
    }

    #[test]
    fn the_values_of_a_list_may_come_one_by_one() {
        let spec = |text| parse(text).unwrap().spec;
        assert_eq!(
            spec("ops=grayscale&width=9&ops=blur:2&ops=invert,sepia"),
            spec("width=9&ops=grayscale,blur:2,invert,sepia")
        );
        assert_eq!(spec("crop=1&crop=2&crop=3&crop=4"), spec("crop=1,2,3,4"));
        assert!(parse("crop=1,2,3,4&crop=5").is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        for (bad, says) in [
            ("scale=0.5&width=10", "'scale' does not go with 'width' or 'height'"),
            ("scale=0.5&height=10", "'scale' does not go with 'width' or 'height'"),
            (
                "lossless=true",
                "'lossless' is 'true', but format 'jpeg' has no such mode: it accepts png, webp, bmp, tiff or qoi",
            ),
            ("lossless=true&format=gif", "'lossless' is 'true', but format 'gif'"),
            ("lossless=true&format=avif", "'lossless' is 'true', but format 'avif'"),
            ("max_bytes=1k&target=70", "'max_bytes' and 'target' both choose the quality"),
            (
                "lossless=true&format=webp&target=70",
                "'target' chooses a lossy quality, but 'lossless' is true",
            ),
            (
                "target=70&format=png",
                "'target' is '70', but format 'png' has no quality that is measured: it accepts jpeg or webp",
            ),
            (
                "progressive=true&format=webp",
                "'progressive' is 'true', but format 'webp' has no such mode: it accepts jpeg or png",
            ),
            (
                "subsampling=444&format=webp",
                "'subsampling' is '444', but format 'webp' has no such choice: it accepts jpeg",
            ),
            (
                "icc=keep&format=gif",
                "'icc' is 'keep', but format 'gif' has no place for a profile: it accepts jpeg, png, webp or tiff",
            ),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(
                matches!(error, SpecError::Contradiction(_)) && error.to_string().contains(says),
                "{bad}: {error}"
            );
        }
        for fine in [
            "lossless=true&format=webp",
            "lossless=true&format=png",
            "lossless=true&format=source",
            "progressive=true&format=png",
            "target=70&format=webp",
            "progressive=true&format=auto",
            "icc=keep&format=tiff",
        ] {
            assert!(parse(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn the_header_gives_the_size_unless_the_options_disagree() {
        let spec = parse("quality=70").unwrap().spec.sized(800, 600).unwrap();
        assert_eq!((spec.width, spec.height, spec.quality), (800, 600, Quality::new(70)));
        assert!(parse("width=100").unwrap().spec.sized(800, 0).is_err());
        assert_eq!(parse("width=100").unwrap().spec.sized(0, 50).map(|s| (s.width, s.height)), Ok((100, 50)));
        assert!(Spec::default().sized(16_385, 0).is_err());
        assert!(parse("scale=0.5").unwrap().spec.sized(800, 600).is_err());
    }

    #[test]
    fn the_canonical_form_drops_defaults_and_keeps_one_order() {
        assert_eq!(Spec::default().canonical(), "");
        let a = parse("quality=80&width=10&fit=fill").unwrap().spec.canonical();
        assert_eq!(a, "width=10&quality=80");
        assert_eq!(parse("width=10&quality=80").unwrap().spec.canonical(), a);
    }

    #[test]
    fn a_token_is_never_shown() {
        let options = parse("token=hunter2").unwrap();
        assert_eq!(options.call.token.as_deref(), Some("hunter2"));
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Options::parse(&bytes, &Spec::default());
        }

        #[test]
        fn the_canonical_form_reads_back_as_the_same_spec(
            width in 0_u32..=16384, quality in 1_u8..=100, x in 0_f64..=1.0, enlarge in proptest::option::of(any::<bool>()),
            sigma in 0.1_f32..100.0, bytes in proptest::option::of(1_u64..1 << 40),
        ) {
            let spec = Spec {
                width, quality: Quality::new(quality), gravity: Gravity::Focus(x, 1.0 - x), enlarge,
                ops: vec![Op::Blur(sigma)], max_bytes: bytes, ..Spec::default()
            };
            prop_assert_eq!(Options::parse(spec.canonical().as_bytes(), &Spec::default()).unwrap().spec, spec);
        }
    }
}
