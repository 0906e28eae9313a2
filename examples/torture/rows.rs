//! Every row, in the order of the table.

use crate::table::{Row, Scale};
use crate::{flood, images, load, operations, slow, tls, tokens};
use std::path::Path;
use std::time::Instant;

type Attack = fn(&Path, Scale) -> Vec<Row>;

macro_rules! rows {
    ($($name:ident: $attack:path),+ $(,)?) => {
        &[$((stringify!($name), |program, scale| vec![$attack(program, scale)])),+]
    };
}

const ROWS: &[(&str, Attack)] = rows![
    probe: load::baseline,
    p1: slow::short_headers,
    p2: flood::lies,
    p3: flood::impossible_sides,
    p4: slow::drippers,
    p5: slow::half_closes,
    p6: flood::resets,
    p7: slow::non_readers,
    p8: flood::pipelines,
    p9: flood::flood,
    p10: slow::idle_holders,
    p11: flood::one_byte_segments,
    p12: flood::strangers,
    p13: load::overload,
    p14: load::mixed_sizes,
    metrics: load::metrics_under_load,
    i16: images::panics,
    i18: load::giants_at_once,
    o1: operations::rolling_restart,
    o2: operations::kills,
    o9: operations::starved,
    o11: tls::stalls,
    o12: flood::log_flood,
    o13: load::soak,
    o14: operations::wrong_settings,
    o16: operations::versions,
    a1: tokens::timing,
    a4: tls::downgrades,
];

/// Rows of more than one line, or of none where their input is missing.
const GROUPS: &[(&str, Attack)] = &[
    ("bombs", |program, scale| images::bombs(program, scale).into_iter().collect()),
    ("i19", |program, scale| images::cuts(program, scale).into_iter().collect()),
    ("corpus", |program, scale| images::corpus(program, scale).into_iter().collect()),
    ("i21", |program, scale| images::leaks(program, scale).into_iter().collect()),
    ("o8", |program, scale| operations::jumping_clock(program, scale).into_iter().collect()),
    ("o10", |program, scale| operations::small_group(program, scale).into_iter().collect()),
    ("tokens", tokens::guesses),
];

/// Runs the rows whose name is among `words`, or all of them.
pub(crate) fn run(program: &Path, scale: Scale, words: &[String]) -> Vec<Row> {
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let mut rows = Vec::new();
    for (name, attack) in ROWS.iter().chain(GROUPS).filter(|(name, _)| wanted(name)) {
        let began = Instant::now();
        for row in attack(program, scale) {
            println!("{}  ({name}, {:.0} s)", row.line(), began.elapsed().as_secs_f64());
            rows.push(row);
        }
    }
    rows
}
