//! A row of the table: attack, figure, bar, verdict.

use std::fmt::Write;

/// One measured row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) what: String,
    pub(crate) figure: String,
    pub(crate) bar: &'static str,
    pub(crate) pass: bool,
}

/// Size of a run: full, as the bars are defined, or reduced for the test suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Full,
    Quick,
}

impl Scale {
    pub(crate) fn of<T>(self, full: T, quick: T) -> T {
        match self {
            Scale::Full => full,
            Scale::Quick => quick,
        }
    }
}

impl Row {
    pub(crate) fn line(&self) -> String {
        let Row { id, what, figure, bar, pass } = self;
        format!("| {id} | {what} | {figure} | {bar} | {} |", if *pass { "yes" } else { "**no**" })
    }
}

/// Formats the table of `docs/reliability.md`.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| row | attack | figure | bar | met |\n|---|---|---|---|---|\n");
    for row in rows {
        let _ = writeln!(text, "{}", row.line());
    }
    text
}
