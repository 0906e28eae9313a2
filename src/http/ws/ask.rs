//! What a text asks for: options of the images that follow, or an end to one that is on its way.

use crate::http::Failure;
use crate::service::policy::RequestPolicy;
use crate::spec::{Spec, decode_pairs};
use serde_json::Value;
use std::time::Duration;

/// How the images that follow are to be treated.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) spec: Spec,
    pub(super) deadline: Option<Duration>,
    /// The next image's id.
    pub(super) id: Option<String>,
    pub(super) order: Order,
    /// Whether the steps of each image are told.
    pub(super) tells_progress: bool,
    pub(super) token: Option<Secret>,
}

/// How many images are worked on at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// As many as the connection has a share for; answered as they are ready.
    #[default]
    Parallel,
    /// One, answered before the next is begun.
    Sequential,
}

/// A token on its way to the gate. Never shown.
#[derive(Clone)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// What a text says.
#[derive(Debug)]
pub(super) enum Said {
    Options(Box<Asked>),
    /// Give up the image of this id.
    Cancel(String),
}

impl Asked {
    pub(super) fn for_spec(spec: Spec) -> Asked {
        Asked { spec, ..Asked::default() }
    }
}

/// Reads a text: a JSON object, or pairs as in a query.
///
/// # Errors
/// [`Failure::Options`] and [`Failure::BadRequest`].
pub(super) fn read(offer: &RequestPolicy, text: &str) -> Result<Said, Failure> {
    let pairs = if text.trim_start().starts_with('{') { json(text)? } else { query(text.trim())? };
    match pairs.as_slice() {
        [(key, id)] if key == "cancel" => Ok(Said::Cancel(id.clone())),
        _ => options(offer, pairs).map(|asked| Said::Options(Box::new(asked))),
    }
}

/// The pairs of a query.
///
/// # Errors
/// [`Failure::Options`].
pub(super) fn query(text: &str) -> Result<Vec<(String, String)>, Failure> {
    Ok(decode_pairs(text.as_bytes())?)
}

/// The pairs of a JSON object. A list is its items with commas between them.
fn json(text: &str) -> Result<Vec<(String, String)>, Failure> {
    fn scalar(value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
    let object = serde_json::from_str::<serde_json::Map<String, Value>>(text)
        .map_err(|error| Failure::BadRequest(format!("the text is no JSON object: {error}")))?;
    let pair = |(key, value): (String, Value)| {
        let text = match value {
            Value::Array(items) => {
                items.into_iter().map(scalar).collect::<Option<Vec<_>>>().map(|items| items.join(","))
            }
            value => scalar(value),
        };
        let refused = || {
            let key: String = key.chars().take(100).collect();
            Failure::BadRequest(format!(
                "option '{key}' has to be a text, a number, true, false or a list of them"
            ))
        };
        text.ok_or_else(refused).map(|text| (key, text))
    };
    object.into_iter().map(pair).collect()
}

/// The options in pairs: those of every door, and the three that only a connection has.
///
/// # Errors
/// As [`read`].
pub(super) fn options(offer: &RequestPolicy, mut pairs: Vec<(String, String)>) -> Result<Asked, Failure> {
    let order = match take(&mut pairs, "mode")?.as_deref() {
        None | Some("parallel") => Order::Parallel,
        Some("sequential") => Order::Sequential,
        Some(_) => return Err(refused("option 'mode' accepts parallel or sequential")),
    };
    let tells_progress = match take(&mut pairs, "progress")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(refused("option 'progress' accepts true or false")),
    };
    if pairs.iter().any(|(key, _)| key == "cancel") {
        return Err(refused("'cancel' stands alone: nothing else goes into its text"));
    }
    let options = offer.parse_pairs(pairs)?;
    if options.call.ping {
        return Err(refused("there is no 'op' here: send a ping frame, or name operations in 'ops'"));
    }
    let crate::spec::Call { token, id, deadline, ping: _ } = options.call;
    Ok(Asked { spec: options.spec, deadline, id, order, tells_progress, token: token.map(Secret) })
}

fn take(pairs: &mut Vec<(String, String)>, name: &str) -> Result<Option<String>, Failure> {
    let mut values = pairs.extract_if(.., |(key, _)| key == name).map(|(_, value)| value);
    let first = values.next();
    match values.next() {
        Some(_) => Err(refused(&format!("option '{name}' is given more than once"))),
        None => Ok(first),
    }
}

fn refused(message: &str) -> Failure {
    Failure::BadRequest(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Asked {
        match read(&RequestPolicy::default(), text) {
            Ok(Said::Options(asked)) => *asked,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_query_and_an_object_say_the_same() {
        let a = asked("width=40&quality=70&ops=grayscale,blur:2&mode=sequential&progress=true&id=7");
        let b = asked(
            r#"{"width": 40, "quality": "70", "ops": ["grayscale", "blur:2"], "mode": "sequential", "progress": true, "id": 7}"#,
        );
        assert_eq!(a.spec, b.spec);
        for asked in [a, b] {
            assert_eq!(asked.spec.width, 40);
            assert_eq!((asked.order, asked.tells_progress), (Order::Sequential, true));
            assert_eq!(asked.id.as_deref(), Some("7"));
        }
        assert_eq!(asked("{}").order, Order::Parallel);
    }

    #[test]
    fn an_image_can_be_given_up_by_its_id() {
        for text in ["cancel=a%20b", r#"{"cancel": "a b"}"#] {
            assert!(matches!(read(&RequestPolicy::default(), text), Ok(Said::Cancel(id)) if id == "a b"));
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_by_name() {
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
            let error = read(&RequestPolicy::default(), text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let asked = asked("token=hunter2");
        assert_eq!(asked.token.as_ref().map(|token| token.0.as_str()), Some("hunter2"));
        assert!(!format!("{asked:?}").contains("hunter2"));
    }
}
