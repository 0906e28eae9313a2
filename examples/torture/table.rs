//! A row of the table: what was tried, the figure, the bar, and whether it was met.

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

/// How much of everything: the full size of the bars, or a reduced one for the test suite.
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

/// The table of `docs/reliability.md`.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| row | attack | figure | bar | met |\n|---|---|---|---|---|\n");
    for row in rows {
        let _ = writeln!(text, "{}", row.line());
    }
    text
}
