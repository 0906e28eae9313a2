//! `Command`: a text of the peer, which sets the options of the images that follow or cancels one.

use crate::http::imaginary;
use crate::service::RequestError;
use crate::service::policy::RequestPolicy;
use crate::spec::{Spec, decode_pairs};
use serde_json::Value;
use std::time::Duration;

/// Options of the images that follow.
#[derive(Debug, Clone, Default)]
pub(super) struct ImageRequest {
    pub(super) spec: Spec,
    pub(super) deadline: Option<Duration>,
    /// The next image's id.
    pub(super) id: Option<String>,
    pub(super) order: Order,
    /// Reports the steps of each image.
    pub(super) reports_progress: bool,
    pub(super) token: Option<Secret>,
}

/// Order of the work on a connection's images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// As many at a time as the connection's share allows, answered as they are ready.
    #[default]
    Parallel,
    /// One at a time, answered before the next is started.
    Sequential,
}

impl Order {
    /// The word of the option `mode`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Order::Parallel => "parallel",
            Order::Sequential => "sequential",
        }
    }
}

/// A token, never shown.
#[derive(Clone)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// A text of the peer.
#[derive(Debug)]
pub(super) enum Command {
    Options(Box<ImageRequest>),
    /// Cancels the image of this id.
    Cancel(String),
}

/// Parses a text: a JSON object, or pairs as in a query.
///
/// # Errors
/// [`RequestError::Options`] and [`RequestError::Malformed`].
pub(super) fn parse(policy: &RequestPolicy, text: &str) -> Result<Command, RequestError> {
    let pairs = if text.trim_start().starts_with('{') { json(text)? } else { query(text.trim())? };
    match pairs.as_slice() {
        [(key, id)] if key == "cancel" => Ok(Command::Cancel(id.clone())),
        _ => options(policy, pairs).map(|request| Command::Options(Box::new(request))),
    }
}

/// The pairs of a query.
///
/// # Errors
/// [`RequestError::Options`].
pub(super) fn query(text: &str) -> Result<Vec<(String, String)>, RequestError> {
    Ok(decode_pairs(text.as_bytes())?)
}

/// The pairs of a JSON object. A list is its items with commas between them.
fn json(text: &str) -> Result<Vec<(String, String)>, RequestError> {
    fn scalar(value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
    let object = serde_json::from_str::<serde_json::Map<String, Value>>(text)
        .map_err(|error| RequestError::Malformed(format!("the text is no JSON object: {error}")))?;
    let pair = |(key, value): (String, Value)| {
        let text = match value {
            Value::Array(items) => {
                items.into_iter().map(scalar).collect::<Option<Vec<_>>>().map(|items| items.join(","))
            }
            value => scalar(value),
        };
        let refused = || {
            let key: String = key.chars().take(100).collect();
            RequestError::Malformed(format!(
                "option '{key}' has to be a text, a number, true, false or a list of them"
            ))
        };
        text.ok_or_else(refused).map(|text| (key, text))
    };
    object.into_iter().map(pair).collect()
}

/// Parses options: those of all protocols, and the two of a connection.
///
/// # Errors
/// As [`parse`].
pub(super) fn options(
    policy: &RequestPolicy,
    mut pairs: Vec<(String, String)>,
) -> Result<ImageRequest, RequestError> {
    let order = match take(&mut pairs, "mode")?.as_deref() {
        None | Some("parallel") => Order::Parallel,
        Some("sequential") => Order::Sequential,
        Some(_) => return Err(refused("option 'mode' accepts parallel or sequential")),
    };
    let reports_progress = match take(&mut pairs, "progress")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(refused("option 'progress' accepts true or false")),
    };
    if pairs.iter().any(|(key, _)| key == "cancel") {
        return Err(refused("'cancel' stands alone: nothing else goes into its text"));
    }
    let options = imaginary::parse(policy, pairs)?;
    if options.call.ping {
        return Err(refused("there is no 'op' here: send a ping frame, or name operations in 'ops'"));
    }
    let crate::spec::Call { token, id, deadline, ping: _ } = options.call;
    Ok(ImageRequest { spec: options.spec, deadline, id, order, reports_progress, token: token.map(Secret) })
}

fn take(pairs: &mut Vec<(String, String)>, name: &str) -> Result<Option<String>, RequestError> {
    let mut values = pairs.extract_if(.., |(key, _)| key == name).map(|(_, value)| value);
    let first = values.next();
    match values.next() {
        Some(_) => Err(refused(&format!("option '{name}' is given more than once"))),
        None => Ok(first),
    }
}

fn refused(message: &str) -> RequestError {
    RequestError::Malformed(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> ImageRequest {
        match parse(&RequestPolicy::default(), text) {
            Ok(Command::Options(request)) => *request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_query_and_an_object_say_the_same() {
        let a = request("width=40&quality=70&ops=grayscale,blur:2&mode=sequential&progress=true&id=7");
        let b = request(
            r#"{"width": 40, "quality": "70", "ops": ["grayscale", "blur:2"], "mode": "sequential", "progress": true, "id": 7}"#,
        );
        assert_eq!(a.spec, b.spec);
        for request in [a, b] {
            assert_eq!(request.spec.width, 40);
            assert_eq!((request.order, request.reports_progress), (Order::Sequential, true));
            assert_eq!(request.id.as_deref(), Some("7"));
        }
        assert_eq!(request("{}").order, Order::Parallel);
    }

    #[test]
    fn an_image_can_be_cancelled_by_its_id() {
        for text in ["cancel=a%20b", r#"{"cancel": "a b"}"#] {
            assert!(matches!(parse(&RequestPolicy::default(), text), Ok(Command::Cancel(id)) if id == "a b"));
        }
    }

    #[test]
    fn an_error_names_the_option() {
        for (text, why) in [
            ("wdth=9", "did you mean 'width'"),
            ("mode=fast", "'mode' accepts"),
            ("mode=parallel&mode=parallel", "more than once"),
            ("progress=1", "'progress' accepts"),
            ("cancel=1&width=2", "stands alone"),
            ("op=ping", "no 'op'"),
            ("{\"width\": null}", "'width' has to be"),
            ("{\"ops\": [[1]]}", "'ops' has to be"),
            ("{\"width\": 1", "no JSON object"),
        ] {
            let error = parse(&RequestPolicy::default(), text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let request = request("token=hunter2");
        assert_eq!(request.token.as_ref().map(|token| token.0.as_str()), Some("hunter2"));
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
