//! The curve of latencies over percentiles, with each nine as wide as the one before.

use super::super::svg::{Anchor, Svg};
use super::histogram::LatencyHistogram;
use std::path::Path;
use std::time::Duration;

const LEFT: f64 = 70.0;
const TOP: f64 = 30.0;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const MARKS: [(f64, &str); 6] =
    [(0.0, "0"), (50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99.9"), (99.99, "p99.99")];

/// Draws the curve into a file.
pub(super) fn draw(latency: &LatencyHistogram, path: &Path) -> std::io::Result<()> {
    let highest = latency.max().as_secs_f64().max(1e-6);
    let x = |percent: f64| LEFT + (-(1.0 - percent / 100.0).log10() / 4.0).min(1.0) * WIDTH;
    let y = |time: Duration| TOP + HEIGHT - time.as_secs_f64() / highest * HEIGHT;
    let mut svg = Svg::new(LEFT + WIDTH + 40.0, TOP + HEIGHT + 50.0);
    svg.text(LEFT, 18.0, Anchor::Start, &format!("latency of {} requests", latency.count()));
    for (percent, name) in MARKS {
        svg.line(&[(x(percent), TOP), (x(percent), TOP + HEIGHT)], "#dddddd");
        svg.text(x(percent), TOP + HEIGHT + 20.0, Anchor::Middle, name);
    }
    for i in 0..=4 {
        let time = Duration::from_secs_f64(highest * f64::from(i) / 4.0);
        svg.line(&[(LEFT, y(time)), (LEFT + WIDTH, y(time))], "#dddddd");
        svg.text(LEFT - 8.0, y(time) + 4.0, Anchor::End, &format!("{:.1} ms", time.as_secs_f64() * 1e3));
    }
    let curve: Vec<(f64, f64)> = (0..=400)
        .map(|i| 100.0 * (1.0 - 10f64.powf(-f64::from(i) / 100.0)))
        .map(|percent| (x(percent), y(latency.percentile(percent))))
        .collect();
    svg.line(&curve, "#2a78b8");
    svg.save(path)
}
