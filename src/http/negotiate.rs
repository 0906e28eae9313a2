//! What the client takes (`Accept`), and what it has already (`If-None-Match`).

use crate::format::Format;
use crate::spec::{OutputFormat, Spec};
use axum::http::header::{ACCEPT, HeaderMap, IF_NONE_MATCH};
use twox_hash::XxHash3_128;

/// Changes with every release whose results differ in any byte from those of the one before.
const PIPELINE: u32 = 1;

/// Settles `format=auto` by what the client says it takes. Whether that was looked at.
pub(super) fn settle_format(spec: &mut Spec, headers: &HeaderMap) -> bool {
    if spec.format != OutputFormat::Auto {
        return false;
    }
    let said: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    spec.format = chosen(&said.join(","));
    true
}

/// The newest format that is named; else whatever the source is, where anything goes.
fn chosen(accept: &str) -> OutputFormat {
    let takes = |kind: &str| {
        accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_it = parts.next().is_some_and(|range| range.eq_ignore_ascii_case(kind));
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
            is_it && weight.is_ok_and(|weight| weight > 0.0)
        })
    };
    if cfg!(feature = "avif") && takes("image/avif") {
        OutputFormat::Fixed(Format::Avif)
    } else if cfg!(feature = "webp") && takes("image/webp") {
        OutputFormat::Fixed(Format::WebP)
    } else if takes("image/*") || takes("*/*") {
        OutputFormat::Source
    } else if takes("image/png") && !takes("image/jpeg") {
        OutputFormat::Fixed(Format::Png)
    } else if takes("image/jpeg") {
        OutputFormat::Fixed(Format::Jpeg)
    } else {
        OutputFormat::Auto
    }
}

/// The tag of the result of `input` under `spec`: the same on every machine of the same release.
pub(super) fn tag(input: &[u8], spec: &Spec) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let input = XxHash3_128::oneshot(input);
    let asked = format!("{PIPELINE} {version} {input:032x} {}", spec.canonical());
    format!("\"{:032x}\"", XxHash3_128::oneshot(asked.as_bytes()))
}

/// Whether the client says that it has the result of this tag.
pub(super) fn has_it(headers: &HeaderMap, tag: &str) -> bool {
    let said = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    said.flat_map(|list| list.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_the_newest_format_that_is_named_and_built() {
        let webp =
            if cfg!(feature = "webp") { OutputFormat::Fixed(Format::WebP) } else { OutputFormat::Source };
        for (accept, format) in [
            ("image/webp,image/png,*/*;q=0.8", webp),
            ("image/png, image/webp;q=0, */*", OutputFormat::Source),
            ("*/*", OutputFormat::Source),
            ("image/jpeg", OutputFormat::Fixed(Format::Jpeg)),
            ("image/png", OutputFormat::Fixed(Format::Png)),
            ("", OutputFormat::Auto),
            ("text/html", OutputFormat::Auto),
        ] {
            assert_eq!(chosen(accept), format, "{accept}");
        }
    }

    #[test]
    fn a_tag_follows_input_and_options() {
        let tags = [
            tag(b"a", &Spec::default()),
            tag(b"b", &Spec::default()),
            tag(b"a", &Spec { width: 1, ..Spec::default() }),
        ];
        assert_eq!(tags[0], tag(b"a", &Spec::default()));
        assert!(tags[0] != tags[1] && tags[0] != tags[2] && tags[1] != tags[2]);
        assert_eq!(tags[0].len(), 34);
    }

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_not() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, "\"x\", W/\"y\"".parse().unwrap());
        assert!(has_it(&headers, "\"x\"") && has_it(&headers, "\"y\"") && !has_it(&headers, "\"z\""));
    }
}
