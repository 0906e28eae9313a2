//! Parses a call. Expands no entities, borrows instead of copying, and refuses documents that are too deep, too large, or
//! not XML-RPC. No message repeats the document.

use crate::http::legacy::xmlrpc::value::Value;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use std::borrow::Cow;

/// Most elements within one another.
const MAX_DEPTH: usize = 32;

/// Most values of a call.
const MAX_VALUES: usize = 1024;

/// Most tags, texts, references and comments of a call. Some clients end each line of base64 with a reference.
const MAX_PIECES: usize = 500_000;

/// Longest name of a method or a member.
const MAX_NAME: usize = 256;

/// A call as it was sent.
#[derive(Debug, PartialEq)]
pub(super) struct MethodCall<'a> {
    pub(super) method: String,
    pub(super) arguments: Vec<Value<'a>>,
}

/// A call that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the call is not UTF-8")]
    NotUtf8,
    #[error("the call is not well-formed XML at byte {0}")]
    Syntax(u64),
    #[error("a document type is not taken")]
    DocumentType,
    #[error("an entity that XML itself does not define is not taken")]
    Entity,
    #[error("attributes have no place in XML-RPC")]
    Attribute,
    #[error("the call is deeper than {MAX_DEPTH} elements")]
    TooDeep,
    #[error("the call has more than {MAX_VALUES} values")]
    TooMany,
    #[error("the call is in more than {MAX_PIECES} pieces")]
    TooManyPieces,
    #[error("a name is longer than {MAX_NAME} bytes")]
    LongName,
    #[error("an element stands where XML-RPC has '{0}'")]
    Unexpected(&'static str),
    #[error("a value does not read as '{0}'")]
    BadValue(&'static str),
}

/// Reads a `methodCall`.
pub(super) fn parse(body: &[u8]) -> Result<MethodCall<'_>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut parser = Parser { reader: Reader::from_str(text), depth: 0, values: 0, pieces: 0 };
    parser.reader.config_mut().expand_empty_elements = true;
    parser.call()
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    values: usize,
    pieces: usize,
}

/// The next piece, without comments and white space.
enum Next<'a> {
    Start(BytesStart<'a>),
    End,
    Over,
}

impl<'a> Parser<'a> {
    fn call(&mut self) -> Result<MethodCall<'a>, Malformed> {
        self.expect("methodCall")?;
        self.expect("methodName")?;
        let method = self.name()?;
        let mut arguments = Vec::new();
        if let Some(start) = self.start()? {
            is(&start, "params")?;
            while let Some(start) = self.start()? {
                is(&start, "param")?;
                self.expect("value")?;
                arguments.push(self.value()?);
                self.end("param")?;
            }
            self.end("methodCall")?;
        }
        match self.next()? {
            Next::Over => Ok(MethodCall { method, arguments }),
            Next::Start(_) | Next::End => Err(Malformed::Unexpected("the end of the document")),
        }
    }

    /// Reads a value behind `<value>`, to its end.
    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Malformed::TooMany);
        }
        let (text, start) = self.text()?;
        let Some(start) = start else { return Ok(Value::Text(text)) }; // a value without a type is a string
        if !text.trim().is_empty() {
            return Err(Malformed::Unexpected("value"));
        }
        let value = match start.local_name().as_ref() {
            "string" | "dateTime.iso8601" => Value::Text(self.content("string")?),
            "base64" => Value::Base64(self.content("base64")?),
            "int" | "i4" | "i8" => Value::Int(self.scalar("int")?),
            "double" => Value::Double(self.scalar("double")?),
            "boolean" => match self.content("boolean")?.trim() {
                "1" => Value::Bool(true),
                "0" => Value::Bool(false),
                _ => return Err(Malformed::BadValue("boolean")),
            },
            "nil" => {
                self.end("nil")?;
                Value::Nil
            }
            "array" => {
                self.expect("data")?;
                let mut items = Vec::new();
                while let Some(start) = self.start()? {
                    is(&start, "value")?;
                    items.push(self.value()?);
                }
                self.end("array")?;
                Value::Array(items)
            }
            "struct" => {
                let mut members = Vec::new();
                while let Some(start) = self.start()? {
                    is(&start, "member")?;
                    self.expect("name")?;
                    let name = self.name()?;
                    self.expect("value")?;
                    members.push((name.into(), self.value()?));
                    self.end("member")?;
                }
                Value::Struct(members)
            }
            _ => return Err(Malformed::Unexpected("a type")),
        };
        self.end("value")?;
        Ok(value)
    }

    fn scalar<T: std::str::FromStr>(&mut self, kind: &'static str) -> Result<T, Malformed> {
        self.content(kind)?.trim().parse().map_err(|_| Malformed::BadValue(kind))
    }

    fn name(&mut self) -> Result<String, Malformed> {
        let name = self.content("name")?;
        if name.len() > MAX_NAME { Err(Malformed::LongName) } else { Ok(name.trim().to_owned()) }
    }

    /// The text of the element that was begun, to its end.
    fn content(&mut self, kind: &'static str) -> Result<Cow<'a, str>, Malformed> {
        match self.text()? {
            (text, None) => Ok(text),
            (_, Some(_)) => Err(Malformed::Unexpected(kind)),
        }
    }

    /// The text up to the next tag, and that tag if it begins an element.
    fn text(&mut self) -> Result<(Cow<'a, str>, Option<BytesStart<'a>>), Malformed> {
        let mut text = Cow::Borrowed("");
        loop {
            let part = match self.event()? {
                Event::Text(part) => part.xml10_content(),
                Event::CData(part) => part.xml10_content(),
                Event::GeneralRef(reference) => resolve(&reference)?,
                Event::Start(start) => return self.begin(start).map(|start| (text, Some(start))),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok((text, None));
                }
                Event::Eof => return Err(self.syntax()),
                _ => continue,
            };
            if text.is_empty() {
                text = part;
            } else {
                text.to_mut().push_str(&part);
            }
        }
    }

    /// The next element; nothing when the one around it ends.
    fn start(&mut self) -> Result<Option<BytesStart<'a>>, Malformed> {
        match self.next()? {
            Next::Start(start) => Ok(Some(start)),
            Next::End => Ok(None),
            Next::Over => Err(self.syntax()),
        }
    }

    fn expect(&mut self, name: &'static str) -> Result<(), Malformed> {
        match self.next()? {
            Next::Start(start) => is(&start, name),
            Next::End | Next::Over => Err(Malformed::Unexpected(name)),
        }
    }

    fn end(&mut self, name: &'static str) -> Result<(), Malformed> {
        match self.next()? {
            Next::End => Ok(()),
            Next::Start(_) | Next::Over => Err(Malformed::Unexpected(name)),
        }
    }

    fn next(&mut self) -> Result<Next<'a>, Malformed> {
        loop {
            match self.event()? {
                Event::Start(start) => return self.begin(start).map(Next::Start),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(Next::End);
                }
                Event::Eof if self.depth == 0 => return Ok(Next::Over),
                Event::Eof => return Err(self.syntax()),
                Event::Text(text) if text.trim().is_empty() => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(Malformed::Unexpected("an element"));
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, start: BytesStart<'a>) -> Result<BytesStart<'a>, Malformed> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Malformed::TooDeep);
        }
        // Some libraries declare namespaces for their extensions, on the outermost element.
        if self.depth > 1 && !start.attributes_raw().trim().is_empty() {
            return Err(Malformed::Attribute);
        }
        Ok(start)
    }

    fn event(&mut self) -> Result<Event<'a>, Malformed> {
        self.pieces += 1;
        if self.pieces > MAX_PIECES {
            return Err(Malformed::TooManyPieces);
        }
        match self.reader.read_event() {
            Ok(Event::DocType(_)) => Err(Malformed::DocumentType),
            Ok(event) => Ok(event),
            Err(_) => Err(self.syntax()),
        }
    }

    fn syntax(&self) -> Malformed {
        Malformed::Syntax(self.reader.error_position().max(self.reader.buffer_position()))
    }
}

fn is(start: &BytesStart, name: &'static str) -> Result<(), Malformed> {
    if start.name().as_ref() == name { Ok(()) } else { Err(Malformed::Unexpected(name)) }
}

/// The character of a reference: one of XML's own five, or a number.
fn resolve<'a>(reference: &BytesRef) -> Result<Cow<'a, str>, Malformed> {
    match reference.resolve_char_ref() {
        Ok(Some(c)) => Ok(Cow::Owned(c.to_string())),
        Ok(None) => resolve_predefined_entity(reference).map(Cow::Borrowed).ok_or(Malformed::Entity),
        Err(_) => Err(Malformed::Entity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn call(arguments: &str) -> String {
        format!(
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>m</methodName>\n<params>{arguments}</params></methodCall>\n"
        )
    }

    fn argument(value: &str) -> Result<Value<'static>, Malformed> {
        let text = call(&format!("<param>\n<value>{value}</value></param>")).leak();
        parse(text.as_bytes()).map(|mut call| call.arguments.remove(0))
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text = |text: &'static str| Value::Text(text.into());
        for (xml, value) in [
            ("<int> 5</int>", Value::Int(5)),
            ("<i4>-5</i4>", Value::Int(-5)),
            ("<boolean>1</boolean>", Value::Bool(true)),
            ("<double>0.5</double>", Value::Double(0.5)),
            ("<string>a &amp; b&#33;</string>", text("a & b!")),
            ("bare", text("bare")),
            ("", text("")),
            ("<string/>", text("")),
            ("<string><![CDATA[<x>]]></string>", text("<x>")),
            ("<base64>AA\nAA</base64>", Value::Base64("AA\nAA".into())),
            ("<nil/>", Value::Nil),
            ("\n<array><data><value>x</value>\n<value><int>1</int></value></data></array>\n", {
                Value::Array(vec![text("x"), Value::Int(1)])
            }),
            ("<struct><member><name>a</name><value><int>1</int></value></member></struct>", {
                Value::Struct(vec![("a".into(), Value::Int(1))])
            }),
        ] {
            assert_eq!(argument(xml), Ok(value), "{xml}");
        }
        let bare = parse(b"<methodCall><methodName>system.listMethods</methodName></methodCall>").unwrap();
        assert_eq!((bare.method.as_str(), bare.arguments.len()), ("system.listMethods", 0));
    }

    #[test]
    fn a_large_text_is_borrowed() {
        let body = call(&format!("<param><value><base64>{}</base64></value></param>", "A".repeat(1 << 20)));
        let call = parse(body.as_bytes()).unwrap();
        assert!(matches!(&call.arguments[0], Value::Base64(Cow::Borrowed(text)) if text.len() == 1 << 20));
    }

    #[test]
    fn what_was_written_reads_back() {
        let value = Value::Struct(vec![
            ("a<b".into(), Value::Array(vec![Value::Int(1), Value::Bool(false), Value::Double(2.5)])),
            ("text".into(), Value::Text("<&>\r\n".into())),
            ("image".into(), Value::Base64("AAAA".into())),
        ]);
        let document = crate::http::legacy::xmlrpc::value::response(&value, 0);
        let inner = &document[document.find("<value>").unwrap() + 7..document.rfind("</value>").unwrap()];
        assert_eq!(argument(inner), Ok(value));
    }

    #[test]
    fn attacks_are_refused_by_name() {
        let deep = "<array><data><value>".repeat(5000);
        let many = "<value>x</value>".repeat(20_000);
        let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><methodCall/>".to_owned();
        for (xml, refusal) in [
            (laughs, Malformed::DocumentType),
            ("<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><methodCall/>".to_owned(), Malformed::DocumentType),
            (call("<param><value>&xxe;</value></param>"), Malformed::Entity),
            (call("<param><value>&#0;</value></param>"), Malformed::Entity),
            (call(&format!("<param><value>{deep}")), Malformed::TooDeep),
            (call(&format!("<param><value><array><data>{many}")), Malformed::TooMany),
            (call("<param a='1' a='2'><value>x</value></param>"), Malformed::Attribute),
            (call("<param><value><evil>x</evil></value></param>"), Malformed::Unexpected("a type")),
            (call("<param><value><boolean>2</boolean></value></param>"), Malformed::BadValue("boolean")),
            (call("<param><value>x</value><value>y</value></param>"), Malformed::Unexpected("param")),
            (call(&format!("<param><value>{}", "&amp;".repeat(600_000))), Malformed::TooManyPieces),
            (call(&format!("<param><value>{}", "<!---->".repeat(600_000))), Malformed::TooManyPieces),
            (call("") + "<more/>", Malformed::Unexpected("the end of the document")),
            (
                format!("<methodCall><methodName>{}</methodName></methodCall>", "x".repeat(300)),
                Malformed::LongName,
            ),
        ] {
            assert_eq!(parse(xml.as_bytes()), Err(refusal), "{:.80}", xml);
        }
        assert_eq!(parse(b"\xFF"), Err(Malformed::NotUtf8));
    }

    #[test]
    fn a_call_that_is_cut_anywhere_is_refused_without_a_panic() {
        let whole = call(
            "<param><value><struct><member><name>a</name><value>&lt;x</value></member></struct></value></param>",
        );
        assert!(parse(whole.as_bytes()).is_ok());
        for cut in 0..whole.trim_end().len() {
            assert!(parse(&whole.as_bytes()[..cut]).is_err(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_changed_in_a_call_it_is_read_or_refused(
            at in 0_usize..120, cut in 0_usize..20, bytes in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut body = call("<param><value><array><data><value>&amp;<!-- --></value></data></array></value></param>").into_bytes();
            body.splice(at..at + cut, bytes);
            let _ = parse(&body);
        }
    }
}
