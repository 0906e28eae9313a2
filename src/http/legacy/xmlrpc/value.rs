//! `Value`: the values of XML-RPC, and their text. Base64 stays encoded and borrowed until it is used.

use std::borrow::Cow;
use std::fmt::Write;

/// A value of a call or an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Int(i64),
    Bool(bool),
    Double(f64),
    Text(Cow<'a, str>),
    /// Base64 text.
    Base64(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Struct(Vec<(Cow<'a, str>, Value<'a>)>),
    Nil,
}

impl<'a> Value<'a> {
    /// The text of an option: a scalar, or a list of scalars with commas.
    pub(super) fn to_option(&self) -> Option<String> {
        match self {
            Value::Int(n) => Some(n.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Double(n) => Some(n.to_string()),
            Value::Text(text) => Some(text.to_string()),
            Value::Array(items) if !items.iter().any(|item| matches!(item, Value::Array(_))) => {
                items.iter().map(Value::to_option).collect::<Option<Vec<_>>>().map(|items| items.join(","))
            }
            Value::Array(_) | Value::Base64(_) | Value::Struct(_) | Value::Nil => None,
        }
    }

    /// Converts a value of JSON.
    pub(super) fn of_json(value: serde_json::Value) -> Value<'a> {
        match value {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(truth) => Value::Bool(truth),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(n) => Value::Int(n),
                None => Value::Double(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Value::Text(text.into()),
            serde_json::Value::Array(items) => Value::Array(items.into_iter().map(Value::of_json).collect()),
            serde_json::Value::Object(fields) => Value::Struct(
                fields.into_iter().map(|(name, value)| (name.into(), Value::of_json(value))).collect(),
            ),
        }
    }

    /// Appends the element `<value>`.
    fn write(&self, out: &mut String) {
        out.push_str("<value>");
        match self {
            Value::Int(n) => match i32::try_from(*n) {
                Ok(n) => push(out, format_args!("<int>{n}</int>")),
                Err(_) => push(out, format_args!("<double>{n}</double>")), // XML-RPC's integers have 32 bits
            },
            Value::Bool(truth) => push(out, format_args!("<boolean>{}</boolean>", u8::from(*truth))),
            Value::Double(n) => push(out, format_args!("<double>{n}</double>")),
            Value::Text(text) => {
                out.push_str("<string>");
                escape(text, out);
                out.push_str("</string>");
            }
            Value::Base64(text) => {
                out.push_str("<base64>");
                out.push_str(text);
                out.push_str("</base64>");
            }
            Value::Array(items) => {
                out.push_str("<array><data>");
                items.iter().for_each(|item| item.write(out));
                out.push_str("</data></array>");
            }
            Value::Struct(members) => {
                out.push_str("<struct>");
                for (name, value) in members {
                    out.push_str("<member><name>");
                    escape(name, out);
                    out.push_str("</name>");
                    value.write(out);
                    out.push_str("</member>");
                }
                out.push_str("</struct>");
            }
            Value::Nil => out.push_str("<nil/>"),
        }
        out.push_str("</value>");
    }
}

/// The document that answers a call.
pub(super) fn response(value: &Value, room: usize) -> String {
    let mut out = String::with_capacity(room + 256);
    out.push_str("<?xml version=\"1.0\"?>\n<methodResponse><params><param>");
    value.write(&mut out);
    out.push_str("</param></params></methodResponse>\n");
    out
}

/// The document of a fault.
pub(super) fn fault(code: u16, message: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\"?>\n<methodResponse><fault>");
    let code = ("faultCode".into(), Value::Int(code.into()));
    Value::Struct(vec![code, ("faultString".into(), Value::Text(message.into()))]).write(&mut out);
    out.push_str("</fault></methodResponse>\n");
    out
}

fn push(out: &mut String, text: std::fmt::Arguments) {
    let _ = out.write_fmt(text); // a string takes everything
}

/// Appends text. Characters that XML cannot hold become question marks.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#13;"),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('?'),
            c => out.push(c),
        }
    }
}
