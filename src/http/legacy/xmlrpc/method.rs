//! The methods: their names, signatures, help, and the reading of their arguments.

use crate::http::legacy::xmlrpc::value::Value;

/// One method.
pub(super) struct Method {
    pub(super) name: &'static str,
    /// The kinds of the result and of the arguments, for each way to call it.
    signatures: &'static [&'static [&'static str]],
    help: &'static str,
    pub(super) read: for<'v> fn(&'v [Value]) -> Result<MethodRequest<'v>, &'static str>,
}

/// The request of a call.
pub(super) enum MethodRequest<'v> {
    /// No image: the answer is known.
    Answer(Value<'static>),
    /// The image in this base64 text, and the work on it.
    Image(&'v str, Work),
}

/// The work on an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// A grayscale JPEG of the same size.
    Gray(Kind),
    /// As the options say.
    Process(Vec<(String, String)>),
}

/// The form of an image, and of its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Base64 in a `<string>`.
    Text,
    /// `<base64>`.
    Base64,
    /// Base64 in a `<base64>`.
    TwiceBase64,
}

pub(super) static METHODS: [Method; 5] = [
    Method {
        name: "preto_branco",
        signatures: &[&["string", "string"], &["base64", "base64"]],
        help: "preto_branco(image): a grayscale JPEG of the same size. The image is base64 in a string, or \
               <base64>; the result is of the same kind.",
        read: |arguments| match arguments {
            [Value::Text(text)] => Ok(MethodRequest::Image(text, Work::Gray(Kind::Text))),
            [Value::Base64(text)] => Ok(MethodRequest::Image(text, Work::Gray(Kind::Base64))),
            _ => Err("the only argument is an image, as base64"),
        },
    },
    Method {
        name: "process",
        signatures: &[
            &["struct", "base64"],
            &["struct", "base64", "struct"],
            &["struct", "base64", "string"],
            &["struct", "string"],
            &["struct", "string", "struct"],
            &["struct", "string", "string"],
        ],
        help: "process(image, options): what the options make of the image, as a struct of 'image' (<base64>) and \
               'report' (a struct of sizes, times and warnings). Options are a struct such as \
               {'width': 320, 'format': 'webp'}, or a string such as 'width=320&format=webp'; docs/options.md has all.",
        read: |arguments| {
            let (image, options) = match arguments {
                [image] => (image, None),
                [image, options] => (image, Some(options)),
                _ => return Err("the arguments are an image and, if you like, options"),
            };
            let (Value::Text(image) | Value::Base64(image)) = image else {
                return Err("the first argument is an image, as base64");
            };
            let options = options.map_or(Ok(Vec::new()), options_of)?;
            Ok(MethodRequest::Image(image, Work::Process(options)))
        },
    },
    Method {
        name: "system.listMethods",
        signatures: &[&["array"]],
        help: "system.listMethods(): the names of all methods.",
        read: |arguments| match arguments {
            [] => Ok(MethodRequest::Answer(Value::Array(
                METHODS.iter().map(|method| text(method.name)).collect(),
            ))),
            _ => Err("there are no arguments"),
        },
    },
    Method {
        name: "system.methodHelp",
        signatures: &[&["string", "string"]],
        help: "system.methodHelp(name): what a method does.",
        read: |arguments| named(arguments).map(|method| MethodRequest::Answer(text(method.help))),
    },
    Method {
        name: "system.methodSignature",
        signatures: &[&["array", "string"]],
        help: "system.methodSignature(name): the kinds of a method's result and arguments, for each way to call it.",
        read: |arguments| {
            let kinds =
                |signature: &&[&'static str]| Value::Array(signature.iter().map(|kind| text(kind)).collect());
            named(arguments).map(|method| {
                MethodRequest::Answer(Value::Array(method.signatures.iter().map(kinds).collect()))
            })
        },
    },
];

fn text(text: &'static str) -> Value<'static> {
    Value::Text(text.into())
}

/// The method that the only argument names.
fn named(arguments: &[Value]) -> Result<&'static Method, &'static str> {
    let [Value::Text(name)] = arguments else { return Err("the only argument is the name of a method") };
    METHODS.iter().find(|method| method.name == name).ok_or("the argument names no method")
}

/// The pairs of options in a struct, or in a string that reads like a query.
fn options_of(value: &Value) -> Result<Vec<(String, String)>, &'static str> {
    match value {
        Value::Text(query) => {
            crate::spec::decode_pairs(query.as_bytes()).map_err(|_| "the options are not form-encoded UTF-8")
        }
        Value::Struct(members) => {
            let pair = |(name, value): &(_, Value)| {
                let name: &std::borrow::Cow<str> = name;
                value.to_option().map(|value| (name.to_string(), value))
            };
            let pairs: Option<Vec<_>> = members.iter().map(pair).collect();
            pairs.ok_or("an option is a string, a number, true, false or a list of them")
        }
        _ => Err("the options are a struct or a string"),
    }
}
