//! The TOML file: its settings and presets, each with its line.

use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Settings and presets of a file, not yet checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) settings: Vec<FileEntry>,
    pub(super) presets: Vec<Preset>,
}

/// `key = value`, the value as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileEntry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) line: usize,
}

/// A table `[preset.name]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preset {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) options: Vec<FileEntry>,
}

/// A mistake in the syntax, and its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Reads the text of a file.
pub(super) fn read(text: &str) -> Result<Contents, SyntaxError> {
    let line_of = |span: Range<usize>| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| SyntaxError {
        line: line_of(error.span().unwrap_or_default()),
        message: error.message().to_owned(),
    })?;
    let mut contents = Contents::default();
    for (key, value) in table.get_ref() {
        let line = line_of(key.span());
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("preset", DeValue::Table(presets)) => {
                for (name, options) in presets {
                    let line = line_of(name.span());
                    contents.presets.push(preset(name.get_ref(), options.get_ref(), line, line_of)?);
                }
            }
            (key, value) => contents.settings.push(entry(key, value, line)?),
        }
    }
    contents.settings.sort_by_key(|entry| entry.line);
    Ok(contents)
}

fn preset(
    name: &str,
    options: &DeValue,
    line: usize,
    line_of: impl Fn(Range<usize>) -> usize,
) -> Result<Preset, SyntaxError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !(1..=64).contains(&name.len()) || !name.chars().all(fine) {
        let message = format!("preset '{}' is not 1 to 64 letters, digits, - and _", name.escape_debug());
        return Err(SyntaxError { line, message });
    }
    let DeValue::Table(options) = options else {
        return Err(SyntaxError {
            line,
            message: format!("preset '{name}' is not a table: write [preset.{name}]"),
        });
    };
    let options =
        options.iter().map(|(key, value)| entry(key.get_ref(), value.get_ref(), line_of(key.span())));
    Ok(Preset { name: name.to_owned(), line, options: options.collect::<Result<_, _>>()? })
}

fn entry(key: &str, value: &DeValue, line: usize) -> Result<FileEntry, SyntaxError> {
    let value = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Integer(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            let key = key.escape_debug();
            return Err(SyntaxError {
                line,
                message: format!("'{key}' is not a number, a string, true or false"),
            });
        }
    };
    Ok(FileEntry { key: key.to_owned(), value, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str, line: usize) -> FileEntry {
        FileEntry { key: key.into(), value: value.into(), line }
    }

    #[test]
    fn settings_and_presets_come_with_their_lines() {
        let text =
            "# first\nworkers = 4\nmax_body = \"16MiB\"\n\n[preset.thumb]\nwidth = 200\nenlarge = false\n";
        let contents = read(text).unwrap();
        assert_eq!(contents.settings, [entry("workers", "4", 2), entry("max_body", "16MiB", 3)]);
        let [preset] = &contents.presets[..] else { panic!("{contents:?}") };
        assert_eq!((preset.name.as_str(), preset.line), ("thumb", 5));
        assert!(preset.options.contains(&entry("width", "200", 6)), "{preset:?}");
        assert!(preset.options.contains(&entry("enlarge", "false", 7)), "{preset:?}");
    }

    #[test]
    fn a_syntax_error_is_named_with_its_line() {
        for (text, line) in [
            ("\nworkers = = 4", 2),
            ("workers = 4\nworkers = 5", 2),
            ("a = 1\nqueue = [1]", 2),
            ("\n\n[preset]\nthumb = 3", 4),
            ("[preset.'no spaces']\nwidth = 1", 1),
            ("bind = 2026-11-21", 1),
        ] {
            assert_eq!(read(text).unwrap_err().line, line, "{text}");
        }
    }
}
