//! All rows, in the order of the table.

use crate::protocol::Protocol;
use crate::table::{Row, Scale};
use crate::{flood, images, leaks, load, operations, slow, starvation, tasks, tls, tokens};
use std::path::Path;
use std::time::Instant;

type Attack = fn(&Path, Scale) -> Vec<Row>;

/// Result of an attack: a row, several, or none when its input is missing.
trait Rows {
    fn rows(self) -> Vec<Row>;
}

impl Rows for Row {
    fn rows(self) -> Vec<Row> {
        vec![self]
    }
}

impl Rows for Option<Row> {
    fn rows(self) -> Vec<Row> {
        self.into_iter().collect()
    }
}

impl Rows for Vec<Row> {
    fn rows(self) -> Vec<Row> {
        self
    }
}

macro_rules! rows {
    ($($name:literal: $attack:path $([$protocol:expr])?),+ $(,)?) => {
        &[$(($name, |program, scale| $attack($($protocol,)? program, scale).rows())),+]
    };
}

const ROWS: &[(&str, Attack)] = rows![
    "probe": load::baseline,
    "p1": slow::short_headers,
    "p2": flood::false_sizes,
    "p3": flood::impossible_sides,
    "p4": slow::senders [Protocol::Tcp],
    "p4-http": slow::senders [Protocol::Http],
    "p5": slow::half_closes,
    "p6": flood::resets,
    "p7": slow::non_readers [Protocol::Tcp],
    "p7-http": slow::non_readers [Protocol::Http],
    "p8": flood::pipelines,
    "p9": flood::flood [Protocol::Tcp],
    "p9-http": flood::flood [Protocol::Http],
    "p10": slow::idle_connections,
    "p11": flood::one_byte_segments,
    "p12": flood::foreign_protocols,
    "p13": load::overload [Protocol::Tcp],
    "p13-http": load::overload [Protocol::Http],
    "p14": load::mixed_sizes,
    "metrics": load::metrics_under_load,
    "bombs": images::bombs,
    "i16": images::panics,
    "i18": load::large_at_once,
    "i19": images::cuts,
    "corpus": images::corpus,
    "i21": leaks::leaks,
    "o1": operations::rolling_restart,
    "o2": tasks::kills,
    "o5": tasks::stops,
    "o8": operations::jumping_clock,
    "o9": operations::starved,
    "o10": operations::small_group,
    "o11": tls::stalls,
    "o12": flood::log_flood,
    "o13": load::soak,
    "o14": operations::wrong_settings,
    "o16": operations::versions,
    "a1": tokens::timing,
    "tokens": tokens::guesses,
    "a4": tls::downgrades,
    "a16": tasks::guesses,
    "s2-http": starvation::empty_messages,
    "s3": starvation::past_deadlines,
    "s4-http": starvation::closed_windows,
    "s5-http": starvation::waiting_results,
    "s6": starvation::slow_bodies [Protocol::Tcp],
    "s6-http": starvation::slow_bodies [Protocol::Http],
    "s7": starvation::costly_requests,
];

/// Returns true if a row needs HTTP, which not every build has.
fn is_http(name: &str) -> bool {
    name.ends_with("-http") || ["o2", "o5", "a16"].contains(&name)
}

/// Runs the rows whose name is among `words`, or all of them that this build can.
pub(crate) fn run(program: &Path, scale: Scale, words: &[String]) -> Vec<Row> {
    let wanted = |name: &str| {
        (words.is_empty() || words.iter().any(|word| word == name))
            && (cfg!(feature = "http") || !is_http(name))
    };
    let mut rows = Vec::new();
    for (name, attack) in ROWS.iter().filter(|(name, _)| wanted(name)) {
        let began = Instant::now();
        for row in attack(program, scale) {
            println!("{}  ({name}, {:.0} s)", row.line(), began.elapsed().as_secs_f64());
            rows.push(row);
        }
    }
    rows
}
