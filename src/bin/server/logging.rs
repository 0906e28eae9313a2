//! The log on standard error: text for a person, or one JSON object a line.

use env_logger::fmt::Formatter;
use humantime::Rfc3339Timestamp;
use imgsrv::internals::config::{LogFormat, LogLevel};
use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{LevelFilter, Record};
use serde_json::Value as Json;
use std::io::{self, IsTerminal, Write};
use std::time::SystemTime;

/// The filter of a level that `verbosity` shifts.
fn filter(level: LogLevel, verbosity: i8) -> LevelFilter {
    use LevelFilter::{Debug, Error, Info, Off, Trace, Warn};
    let levels = [Off, Error, Warn, Info, Debug, Trace];
    let at = match level {
        LogLevel::Error => 1,
        LogLevel::Warn => 2,
        LogLevel::Info => 3,
        LogLevel::Debug => 4,
        LogLevel::Trace => 5,
    };
    let shifted = match verbosity {
        // Once quiet keeps warnings, twice says nothing.
        ..=-2 => 0,
        verbosity => at + verbosity,
    };
    levels[usize::try_from(shifted).unwrap_or(0).min(levels.len() - 1)]
}

/// Changes the level of a running program. Returns false where the variable `RUST_LOG` has the last word.
pub(crate) fn set_level(level: LogLevel, verbosity: i8) -> bool {
    let is_free = std::env::var_os("RUST_LOG").is_none();
    if is_free {
        log::set_max_level(filter(level, verbosity));
    }
    is_free
}

/// Starts logging. `verbosity` shifts the level; the variable `RUST_LOG` has the last word.
pub(crate) fn start(level: LogLevel, verbosity: i8, format: LogFormat) {
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let mut builder = env_logger::Builder::new();
    // The level is the crate's, so that it can change; the builder lets all of it through.
    builder.filter_level(LevelFilter::Trace).parse_default_env();
    builder.format(if json { write_json } else { write_text });
    builder.init();
    set_level(level, verbosity);
}

fn timestamp() -> Rfc3339Timestamp {
    let now = SystemTime::now().max(SystemTime::UNIX_EPOCH); // a clock before it has no form in RFC 3339
    humantime::format_rfc3339_millis(now)
}

fn write_text(out: &mut Formatter, record: &Record) -> io::Result<()> {
    let style = out.default_level_style(record.level());
    write!(
        out,
        "{} {style}{:<5}{style:#} {}",
        timestamp(),
        record.level(),
        escaped(&record.args().to_string())
    )?;
    let mut pairs = Pairs::default();
    visit(record, &mut pairs)?;
    for (key, value) in pairs.0 {
        let value = escaped(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
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
    line.insert("time".into(), timestamp().to_string().into());
    line.insert("level".into(), record.level().as_str().to_ascii_lowercase().into());
    line.insert("message".into(), record.args().to_string().into());
    line.extend(pairs.0);
    writeln!(out, "{}", Json::Object(line))
}

/// The key-value pairs of a record. A field always has the type that the code gives it, so that `id=7` stays text. An
/// absent value is left out.
#[derive(Default)]
struct Pairs(Vec<(String, Json)>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let mut typed = TypedValue(None);
        value.visit(&mut typed)?;
        self.0.extend(typed.0.map(|value| (key.to_string(), value)));
        Ok(())
    }
}

/// One value with its type.
struct TypedValue(Option<Json>);

impl<'v> VisitValue<'v> for TypedValue {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.visit_str(&value.to_string())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }
}

fn visit(record: &Record, pairs: &mut Pairs) -> io::Result<()> {
    record.key_values().visit(pairs).map_err(io::Error::other)
}

/// Escapes text of a peer, so that it cannot forge lines, move the cursor, or reverse the reading direction.
fn escaped(text: &str) -> String {
    let is_bidi =
        |c| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let escape = |c: char| c.is_control() || is_bidi(c) || c == '\u{FEFF}';
    text.chars().map(|c| if escape(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}
