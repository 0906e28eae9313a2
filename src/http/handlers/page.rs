//! The pages of `web/`, compiled in: HTML, CSS and ES modules that load nothing from other addresses.

use crate::format::Format;
use crate::http::{HttpState, reply};
use crate::service::{AuthenticatedCaller, RequestError};
use crate::spec::{OPTIONS, OptionDef, Spec, ValueSet};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderValue, VARY,
};
use axum::response::Response;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, LazyLock};

/// Content security policy of the pages: own scripts, pictures that the visitor chose, requests to this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HOME: &str = "index.html";
const DOCS: &str = "docs.html";

/// Files of the pages: name and content. All are served below `/web/`.
const FILES: &[(&str, &str)] = &[
    ("api.js", include_str!("../../../web/api.js")),
    ("app.js", include_str!("../../../web/app.js")),
    ("code.js", include_str!("../../../web/code.js")),
    ("curve.js", include_str!("../../../web/curve.js")),
    (DOCS, include_str!("../../../web/docs.html")),
    ("docs.js", include_str!("../../../web/docs.js")),
    ("dom.js", include_str!("../../../web/dom.js")),
    ("files.js", include_str!("../../../web/files.js")),
    ("health.js", include_str!("../../../web/health.js")),
    (HOME, include_str!("../../../web/index.html")),
    ("list.js", include_str!("../../../web/list.js")),
    ("options.js", include_str!("../../../web/options.js")),
    ("page.css", include_str!("../../../web/page.css")),
    ("preview.js", include_str!("../../../web/preview.js")),
    ("queue.js", include_str!("../../../web/queue.js")),
    ("results.js", include_str!("../../../web/results.js")),
    ("settings.js", include_str!("../../../web/settings.js")),
    ("sources.js", include_str!("../../../web/sources.js")),
    ("state.js", include_str!("../../../web/state.js")),
    ("strings.js", include_str!("../../../web/strings.js")),
    ("tasks.js", include_str!("../../../web/tasks.js")),
    ("vendor/client-zip.js", include_str!("../../../web/vendor/client-zip.js")),
    ("vendor/client-zip.LICENSE.txt", include_str!("../../../web/vendor/client-zip.LICENSE.txt")),
    ("viewer.js", include_str!("../../../web/viewer.js")),
];

/// The same files, compressed once.
static COMPRESSED: LazyLock<BTreeMap<&str, Bytes>> = LazyLock::new(|| {
    let compress = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default()
    };
    FILES.iter().map(|(name, text)| (*name, compress(text).into())).collect()
});

/// The page at `/`.
pub(in crate::http) async fn home(headers: HeaderMap) -> Response {
    page(HOME, &headers)
}

/// The page that lists every endpoint.
pub(in crate::http) async fn docs(headers: HeaderMap) -> Response {
    page(DOCS, &headers)
}

/// A file that the pages load.
pub(in crate::http) async fn file(
    uri: Uri,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let known = FILES.iter().find(|(known, _)| *known == name);
    let (name, _) = known.ok_or_else(|| RequestError::NoSuchPath(uri.path().to_owned()))?;
    Ok(page(name, &headers))
}

/// A file of [`FILES`] as a response, compressed for clients that take gzip.
fn page(name: &str, headers: &HeaderMap) -> Response {
    let takes_gzip = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("gzip"));
    let compressed = takes_gzip.then(|| COMPRESSED.get(name)).flatten();
    let plain = FILES.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
    let mut response =
        Response::new(compressed.map_or_else(|| Body::from(plain), |bytes| bytes.clone().into()));
    let kind = match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if compressed.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The table of options as JSON, with the formats that can be written and the limits that the page checks first.
pub(in crate::http) async fn options(State(state): State<Arc<HttpState>>) -> Response {
    let options: Vec<Value> = OPTIONS.iter().map(option).collect();
    let formats = Format::ALL.into_iter().filter(|format| format.is_writable()).map(Format::name);
    reply::json(&json!({
        "options": options,
        "formats": formats.collect::<Vec<_>>(),
        "max_body": state.service.settings().max_body,
        "tasks": state.settings.tasks.is_some(),
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

/// A row of the table of options: words to choose from, or a range of numbers, or neither for free text.
fn option(option: &OptionDef<Spec>) -> Value {
    let mut row = json!({
        "name": option.name,
        "help": option.help,
        "default": option.default(),
        "accepts": option.accepts(),
    });
    match option.values() {
        ValueSet::Words(words) => row["words"] = words.into(),
        ValueSet::Integer { min, max } => {
            (row["min"], row["max"], row["step"]) = (min.into(), max.into(), 1.into())
        }
        ValueSet::Number { min, max } => (row["min"], row["max"]) = (min.into(), max.into()),
        ValueSet::Pattern { .. } | ValueSet::List { .. } | ValueSet::Text(_) => {}
    }
    row
}

/// The presets of this server by name, each as form-encoded options.
pub(in crate::http) async fn presets(
    State(state): State<Arc<HttpState>>,
    _: AuthenticatedCaller,
) -> Response {
    let policy = state.service.settings().policy.current();
    let presets: Value =
        policy.presets.iter().map(|(name, spec)| (name.clone(), Value::from(spec.canonical()))).collect();
    reply::json(&json!({ "presets": presets }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_pages_travel_as_at_most_120_kilobytes() {
        let bytes: usize = COMPRESSED.values().map(Bytes::len).sum();
        assert!(bytes <= 120_000, "{bytes}");
        let mut text = String::new();
        flate2::read::GzDecoder::new(&COMPRESSED[HOME][..]).read_to_string(&mut text).unwrap();
        assert!(text.contains("<main>"));
    }

    #[test]
    fn the_pages_load_only_files_that_are_compiled_in() {
        let is_known = |name: &str| FILES.iter().any(|(known, _)| *known == name);
        for (file, text) in FILES {
            let before = if file.ends_with(".html") { "\"web/" } else { "from \"./" };
            for name in text.split(before).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(is_known(name), "{name} in {file}");
            }
        }
    }

    #[test]
    fn the_pages_name_no_other_address() {
        for (name, text) in FILES {
            for address in text.split("://").skip(1) {
                assert!(
                    address.starts_with("www.w3.org/2000/svg"),
                    "{name}: {}",
                    address.lines().next().unwrap()
                );
            }
        }
    }
}
