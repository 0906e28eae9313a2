//! The log: text for a person or one JSON object a line, on standard error.

use env_logger::fmt::Formatter;
use imgsrv::internals::config::LogFormat;
use log::kv::{self, Key, Value, VisitSource};
use log::{LevelFilter, Record};
use std::io::{self, IsTerminal, Write};

/// Starts logging. `verbosity` shifts the level from info; the variable `RUST_LOG` has the last word.
pub(crate) fn start(verbosity: i8, format: LogFormat) {
    let level = match verbosity {
        ..=-2 => LevelFilter::Off,
        -1 => LevelFilter::Warn,
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level).parse_default_env();
    builder.format(if json { write_json } else { write_text });
    builder.init();
}

fn write_text(out: &mut Formatter, record: &Record) -> io::Result<()> {
    let style = out.default_level_style(record.level());
    write!(
        out,
        "{} {style}{:<5}{style:#} {}",
        out.timestamp_millis(),
        record.level(),
        escaped(&record.args().to_string())
    )?;
    let mut pairs = Pairs::default();
    visit(record, &mut pairs)?;
    for (key, value) in pairs.0 {
        let value = escaped(&value);
        if value.is_empty() || value.contains([' ', '"', '=']) {
            write!(out, " {key}=\"{}\"", value.replace('"', "\\\""))?;
        } else {
            write!(out, " {key}={value}")?;
        }
    }
    writeln!(out)
}

fn write_json(out: &mut Formatter, record: &Record) -> io::Result<()> {
    let mut pairs = Pairs::default();
    visit(record, &mut pairs)?;
    let mut line = serde_json::Map::new();
    line.insert("time".into(), out.timestamp_millis().to_string().into());
    line.insert("level".into(), record.level().as_str().to_ascii_lowercase().into());
    line.insert("message".into(), record.args().to_string().into());
    line.extend(pairs.0.into_iter().map(|(key, value)| {
        let number = value.parse::<serde_json::Number>().map(serde_json::Value::Number);
        (key, number.unwrap_or(serde_json::Value::String(value)))
    }));
    writeln!(out, "{}", serde_json::Value::Object(line))
}

/// The key-value pairs of a record as text.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}

fn visit(record: &Record, pairs: &mut Pairs) -> io::Result<()> {
    record.key_values().visit(pairs).map_err(io::Error::other)
}

/// A stranger's text must not forge lines, move the cursor, or turn the reading direction around.
fn escaped(text: &str) -> String {
    let is_bidi =
        |c| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let escape = |c: char| c.is_control() || is_bidi(c) || c == '\u{FEFF}';
    text.chars().map(|c| if escape(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}
