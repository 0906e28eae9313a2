//! `Accept` to output formats, and `If-None-Match` to `304 Not Modified`.

use crate::format::Format;
use crate::spec::{OutputFormat, Spec};
use axum::http::header::{ACCEPT, HeaderMap, IF_NONE_MATCH};
use twox_hash::XxHash3_128;

/// Changes with every release whose results differ in any byte from those of the one before.
const PIPELINE: u32 = 1;

/// Formats that the reply may have. The smallest result wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidates {
    formats: Vec<OutputFormat>,
    /// The choice depends on `Accept`, so caches have to keep it apart.
    pub(super) varies: bool,
}

impl Candidates {
    /// The format of a spec, or those that `Accept` allows for `format=auto`.
    pub(super) fn new(spec: &Spec, headers: &HeaderMap) -> Candidates {
        if spec.format != OutputFormat::Auto {
            return Candidates { formats: vec![spec.format], varies: false };
        }
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Candidates { formats: acceptable(&values.collect::<Vec<_>>().join(",")), varies: true }
    }

    pub(super) fn formats(&self) -> &[OutputFormat] {
        &self.formats
    }

    /// The newest of the formats, where only one can be tried.
    pub(super) fn newest(&self) -> OutputFormat {
        self.formats.first().copied().unwrap_or(OutputFormat::Source)
    }
}

/// The formats that `Accept` allows, newest first, never none. AVIF and WebP have to be named, since `*/*` comes from
/// clients that show neither.
fn acceptable(accept: &str) -> Vec<OutputFormat> {
    let weight = |kind: &str| {
        accept.split(',').find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            parts.next().filter(|range| range.eq_ignore_ascii_case(kind))?;
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            Some(weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or_default()))
        })
    };
    let is_named = |format: Format| weight(format.mime()).is_some_and(|weight| weight > 0.0);
    let any = weight("image/*").or_else(|| weight("*/*")).is_some_and(|weight| weight > 0.0);
    let takes = |format: Format| weight(format.mime()).map_or(any, |weight| weight > 0.0);
    let mut formats = Vec::new();
    if cfg!(feature = "avif") && is_named(Format::Avif) {
        formats.push(OutputFormat::Fixed(Format::Avif));
    }
    if cfg!(feature = "webp") && is_named(Format::WebP) {
        formats.push(OutputFormat::Fixed(Format::WebP));
    }
    match (takes(Format::Jpeg), takes(Format::Png)) {
        (true, true) => formats.push(OutputFormat::Source),
        (true, false) => formats.push(OutputFormat::Fixed(Format::Jpeg)),
        (false, true) => formats.push(OutputFormat::Fixed(Format::Png)),
        (false, false) if formats.is_empty() => formats.push(OutputFormat::Source),
        (false, false) => {}
    }
    formats
}

/// The tag of the result of `input` under `spec` and its candidates: the same on every machine of the same release.
pub(super) fn tag(input: &[u8], spec: &Spec, candidates: &Candidates) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let input = XxHash3_128::oneshot(input);
    let specs = candidates.formats.iter().map(|format| Spec { format: *format, ..spec.clone() }.canonical());
    let key = format!("{PIPELINE} {version} {input:032x} {}", specs.collect::<Vec<_>>().join(" "));
    format!("\"{:032x}\"", XxHash3_128::oneshot(key.as_bytes()))
}

/// Returns true if the client has the result of this tag.
pub(super) fn has_it(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_tries_the_formats_that_accept_allows() {
        const JPEG: OutputFormat = OutputFormat::Fixed(Format::Jpeg);
        const PNG: OutputFormat = OutputFormat::Fixed(Format::Png);
        const WEBP: OutputFormat = OutputFormat::Fixed(Format::WebP);
        for (accept, formats) in [
            ("image/webp,image/png,*/*;q=0.8", &[WEBP, OutputFormat::Source][..]),
            ("image/webp;q=0.1,image/apng,image/*,*/*;q=0.8", &[WEBP, OutputFormat::Source]),
            ("image/png, image/webp;q=0, */*", &[OutputFormat::Source]),
            ("image/webp;q=0", &[OutputFormat::Source]),
            ("image/webp", &[WEBP]),
            ("*/*", &[OutputFormat::Source]),
            ("image/*;q=0.5", &[OutputFormat::Source]),
            ("image/jpeg", &[JPEG]),
            ("image/*, image/jpeg;q=0", &[PNG]),
            ("image/png", &[PNG]),
            ("image/png;q=x, image/jpeg", &[JPEG]),
            ("", &[OutputFormat::Source]),
            ("text/html", &[OutputFormat::Source]),
        ] {
            let built = |format: &&OutputFormat| cfg!(feature = "webp") || **format != WEBP;
            let expected: Vec<_> = formats.iter().filter(built).copied().collect();
            let expected = if expected.is_empty() { vec![OutputFormat::Source] } else { expected };
            assert_eq!(acceptable(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_tag_follows_input_options_and_candidates() {
        let tag = |input: &[u8], spec: &Spec, accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            super::tag(input, spec, &Candidates::new(spec, &headers))
        };
        let auto = Spec { format: OutputFormat::Auto, ..Spec::default() };
        let tags = [
            tag(b"a", &Spec::default(), "*/*"),
            tag(b"b", &Spec::default(), "*/*"),
            tag(b"a", &Spec { width: 1, ..Spec::default() }, "*/*"),
            tag(b"a", &auto, "*/*"),
            tag(b"a", &auto, "image/png"),
        ];
        assert_eq!(tags[0], tag(b"a", &Spec::default(), "image/png"), "a fixed format does not vary");
        for (n, one) in tags.iter().enumerate() {
            assert_eq!(one.len(), 34);
            assert!(!tags[..n].contains(one), "{n}");
        }
    }

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_not() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, "\"x\", W/\"y\"".parse().unwrap());
        assert!(has_it(&headers, "\"x\"") && has_it(&headers, "\"y\"") && !has_it(&headers, "\"z\""));
    }
}
