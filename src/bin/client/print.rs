//! Text for a terminal: escaped names, sizes, styles.

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();

/// A path with control characters and bidirectional orders escaped.
pub(crate) fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// A text from outside with control characters and bidirectional orders escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        if letter.is_control() || is_bidi_control(letter) {
            let _ = write!(safe, "{}", letter.escape_unicode()); // a String takes everything
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// A JSON object on one line, in which control characters and bidirectional orders are escaped as JSON has it.
pub(crate) fn json_line(object: &Value) -> String {
    let mut safe = String::new();
    for letter in object.to_string().chars() {
        if letter.is_control() || is_bidi_control(letter) {
            let _ = write!(safe, "\\u{:04x}", u32::from(letter)); // all of them have four digits
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// The characters of Unicode's bidirectional algorithm that are only orders (UAX #9 section 2), and its own
/// ends of lines and paragraphs.
pub(crate) fn is_bidi_control(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}' | '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A number of things: `1 image`, `2 images`.
pub(crate) fn count_of(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A number of bytes with three digits: `1.34 MB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => scaled(bytes as f64 / 1e3, "kB"),
        1_000_000..1_000_000_000 => scaled(bytes as f64 / 1e6, "MB"),
        _ => scaled(bytes as f64 / 1e9, "GB"),
    }
}

fn scaled(number: f64, unit: &str) -> String {
    let digits = if number < 9.995 {
        2
    } else if number < 99.95 {
        1
    } else {
        0
    };
    format!("{number:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(shown(Path::new("a\u{1b}[31mb\u{202e}gpj")), "a\\u{1b}[31mb\\u{202e}gpj");
    }

    #[test]
    fn json_from_outside_cannot_steer_the_terminal_and_keeps_its_value() {
        let object = serde_json::json!({ "message": "a\u{9b}31m\u{202e}\u{1b}[2J" });
        let line = json_line(&object);
        assert!(line.is_ascii() && !line.contains('\u{1b}'), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), object);
    }

    #[test]
    fn sizes_have_three_digits() {
        assert_eq!(
            [0, 999, 1_341_679, 88_211, 12_000_000_000].map(size),
            ["0 B", "999 B", "1.34 MB", "88.2 kB", "12.0 GB"]
        );
    }
}
