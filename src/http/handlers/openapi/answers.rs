//! Responses: results and their headers, JSON, text, and the failures.

use crate::format::Format;
use crate::status::Status;
use serde_json::{Map, Value, json};

/// Headers of a result: name, type, meaning.
const RESULT_HEADERS: [(&str, &str, &str); 17] = [
    ("X-Request-Id", "string", "id of the request, as in the log"),
    ("ETag", "string", "of image, options and release"),
    ("Server-Timing", "string", "milliseconds in queue, decode, resize and encode"),
    ("Vary", "string", "Accept, with format=auto"),
    ("X-Origin-Width", "integer", "width of the upright source in pixels"),
    ("X-Origin-Height", "integer", "height of the upright source in pixels"),
    ("X-Origin-Format", "string", "format of the source"),
    ("X-Origin-Bytes", "integer", "length of the source"),
    ("X-Result-Width", "integer", "width in pixels"),
    ("X-Result-Height", "integer", "height in pixels"),
    ("X-Result-Format", "string", "name of the format"),
    ("X-Result-Bytes", "integer", "length"),
    ("X-Result-Quality", "integer", "quality that it was encoded with"),
    ("X-Result-Tries", "integer", "encodes that max_bytes or target took"),
    ("X-Result-Score", "number", "SSIMULACRA2 score, where it was measured"),
    ("X-Result-Warnings", "string", "words for what was lost or changed, comma separated"),
    ("Content-Length", "integer", "length"),
];

/// Headers of other answers.
const OTHER_HEADERS: [(&str, &str, &str); 3] = [
    ("Location", "string", "address of the task's state"),
    ("Retry-After", "integer", "seconds after which trying again may help"),
    ("WWW-Authenticate", "string", "Bearer"),
];

/// Failures that are not the HTTP status of a [`Status`]: code, component, meaning.
const MORE_FAILURES: [(&str, &str, &str); 5] = [
    ("403", "Forbidden", "A page of an origin that is not admitted (cors_origin)"),
    ("409", "NotReady", "The task is not done"),
    ("421", "Misdirected", "A Host that is no name of this server"),
    ("429", "TooManyRequests", "Over the rate of the caller, or too many wrong tokens; see Retry-After"),
    ("501", "NotOffered", "This server takes no tasks"),
];

/// All headers, by name.
pub(super) fn headers() -> Map<String, Value> {
    let all = RESULT_HEADERS.iter().chain(&OTHER_HEADERS);
    let header = |(name, kind, description): &(&str, &str, &str)| {
        ((*name).to_owned(), json!({ "description": description, "schema": { "type": kind } }))
    };
    all.map(header).collect()
}

fn refer(names: impl IntoIterator<Item = &'static str>) -> Map<String, Value> {
    let names = names.into_iter();
    names.map(|name| (name.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))).collect()
}

/// A result in any of the formats.
pub(super) fn image() -> Value {
    let images = Format::ALL.into_iter().filter(|format| format.is_writable());
    let binary = json!({ "schema": { "type": "string", "format": "binary" } });
    let content: Map<_, _> = images.map(|format| (format.mime().to_owned(), binary.clone())).collect();
    let headers = refer(RESULT_HEADERS.map(|(name, ..)| name));
    json!({ "description": "The result", "content": content, "headers": headers })
}

pub(super) fn not_modified() -> Value {
    json!({ "description": "The caller has it (If-None-Match)", "headers": refer(["ETag", "X-Request-Id"]) })
}

/// A JSON object of `schema`.
pub(super) fn json(description: &str, schema: &str, headers: &[&'static str]) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
    let headers = refer(headers.iter().copied().chain(["X-Request-Id"]));
    json!({ "description": description, "content": { "application/json": { "schema": schema } }, "headers": headers })
}

/// A text of another type.
pub(super) fn text(mime: &str, description: &str) -> Value {
    json!({ "description": description, "content": { mime: { "schema": { "type": "string" } } } })
}

/// A word that says yes, and a line break.
pub(super) fn health(word: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Health" });
    json!({ "description": format!("'{word}' and a line break"), "content": { "text/plain": { "schema": schema } } })
}

/// These answers, and references to the failures of these codes. A wrong Host fails everywhere.
pub(super) fn with_failures<'a>(
    answers: impl IntoIterator<Item = (&'a str, Value)>,
    failures: &[&str],
) -> Value {
    let mut all: Map<_, _> = answers.into_iter().map(|(code, answer)| (code.to_owned(), answer)).collect();
    let can_happen = |code: &str| code == "421" || failures.contains(&code);
    for (code, name, _) in known_failures().filter(|(code, ..)| can_happen(code)) {
        all.insert(code, json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    all.into()
}

/// All failures, by name.
pub(super) fn failures() -> Map<String, Value> {
    let schema = json!({ "$ref": "#/components/schemas/Failure" });
    let failure = |(code, name, description): (String, String, String)| {
        let more: &[&str] = match code.as_str() {
            "401" => &["WWW-Authenticate"],
            "429" | "503" => &["Retry-After"],
            _ => &[],
        };
        let headers = refer(more.iter().copied().chain(["X-Request-Id"]));
        (
            name,
            json!({ "description": description, "headers": headers,
            "content": { "application/json": { "schema": schema } } }),
        )
    };
    known_failures().map(failure).collect()
}

/// Code, name and meaning of each failure.
fn known_failures() -> impl Iterator<Item = (String, String, String)> {
    let of_status = Status::ALL.into_iter().filter(|status| *status != Status::Ok).map(|status| {
        let name = status.word().split('_').map(capitalized).collect();
        (status.http().to_string(), name, meaning(status).to_owned())
    });
    of_status.chain(MORE_FAILURES.map(|(code, name, meaning)| (code.into(), name.into(), meaning.into())))
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

fn meaning(status: Status) -> &'static str {
    match status {
        Status::Ok => "The result",
        Status::BadRequest => {
            "An option that does not exist, a value that it does not take, or a broken body"
        }
        Status::Unauthorized => "The token is missing or wrong",
        Status::NotFound => "Unknown, expired, or another caller's",
        Status::TooLarge => "More bytes or pixels than the server takes",
        Status::Unsupported => "Not an image, or of a format that the server lacks",
        Status::Damaged => "An image whose data is broken",
        Status::Busy => "No room now; see Retry-After and retry_after_ms",
        Status::Timeout => "A deadline passed",
        Status::StorageFull => "No room on disk for a task",
        Status::Internal => "A defect of the server",
    }
}
