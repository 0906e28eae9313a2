//! Invariants of a call of XML-RPC.

use crate::http::legacy::xmlrpc::method::{METHODS, MethodRequest, Work};
use crate::http::legacy::xmlrpc::parse::parse;
use crate::http::legacy::xmlrpc::value::{self, Value};
use crate::service::policy::RequestPolicy;
use std::borrow::Cow;

/// Checks a call: it is read or refused, nothing is expanded, and its values survive a document of our own.
pub fn xmlrpc(bytes: &[u8]) {
    let Ok(call) = parse(bytes) else { return };
    let length = call.method.len() + call.arguments.iter().map(length).sum::<usize>();
    assert!(length <= bytes.len(), "{length} bytes out of {}", bytes.len());
    for method in &METHODS {
        match (method.read)(&call.arguments) {
            Ok(MethodRequest::Answer(value)) => drop(value::response(&value, 0)),
            Ok(MethodRequest::Image(_, Work::Process(pairs))) => {
                drop(RequestPolicy::default().parse_pairs(pairs))
            }
            Ok(MethodRequest::Image(_, Work::Gray(_))) | Err(_) => {}
        }
    }
    for argument in call.arguments {
        let argument = ours(argument);
        let as_call = value::response(&argument, 0)
            .replace("<methodResponse>", "<methodCall><methodName>m</methodName>")
            .replace("</methodResponse>", "</methodCall>");
        assert_eq!(parse(as_call.as_bytes()).map(|call| call.arguments), Ok(vec![argument]), "{as_call}");
    }
}

/// Bytes of text in a value.
fn length(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Base64(text) => text.len(),
        Value::Array(items) => items.iter().map(length).sum(),
        Value::Struct(members) => members.iter().map(|(name, value)| name.len() + length(value)).sum(),
        Value::Int(_) | Value::Bool(_) | Value::Double(_) | Value::Nil => 0,
    }
}

/// The value as our documents hold it: base64 of our own, integers of 32 bits, no NaN, and question marks for characters
/// that XML cannot hold.
fn ours(value: Value<'_>) -> Value<'_> {
    let plain = |text: Cow<str>| {
        let is_odd = |c: char| c.is_control() && !"\t\r\n".contains(c) || "\u{FFFE}\u{FFFF}".contains(c);
        Cow::Owned(text.replace(is_odd, "?"))
    };
    match value {
        Value::Text(text) => Value::Text(plain(text)),
        Value::Base64(_) => Value::Base64("AAAA".into()),
        Value::Int(n) => Value::Int(i64::from(n as i32)),
        Value::Double(n) if n.is_nan() => Value::Double(0.0),
        Value::Array(items) => Value::Array(items.into_iter().map(ours).collect()),
        Value::Struct(members) => {
            Value::Struct(members.into_iter().map(|(name, value)| (plain(name), ours(value))).collect())
        }
        value => value,
    }
}
