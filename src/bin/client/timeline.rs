//! Timelines of images: a table with bars in a terminal, and a drawing.

use super::print::{BOLD, DIM, GOOD, count_of, shown};
use super::svg::{Anchor, Svg};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Letters of a bar.
const WIDTH: usize = 40;

/// One image's time under way, since the start of its run.
#[derive(Debug)]
pub(crate) struct TimelineSpan {
    pub(crate) name: PathBuf,
    pub(crate) worker: usize,
    pub(crate) received: Duration,
    pub(crate) processed: Duration,
}

/// All images once.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) title: String,
    /// In the order of their start.
    pub(crate) spans: Vec<TimelineSpan>,
}

impl Run {
    /// From the start to the last result.
    pub(crate) fn total(&self) -> Duration {
        self.spans.iter().map(|span| span.processed).max().unwrap_or_default()
    }
}

/// Prints a line for each image and the total.
pub(crate) fn print(run: &Run) {
    anstream::println!("{BOLD}{}{BOLD:#}", run.title);
    let names: Vec<String> = run.spans.iter().map(|span| label(&span.name, 24)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    anstream::println!("{DIM}  {:<longest$}  received  processed       took{DIM:#}", "image");
    let total = run.total();
    for (span, name) in run.spans.iter().zip(&names) {
        anstream::println!(
            "  {name:<longest$}  {:7.3}s   {:7.3}s  {:6.0} ms  {GOOD}{}{GOOD:#}",
            span.received.as_secs_f64(),
            span.processed.as_secs_f64(),
            (span.processed - span.received).as_secs_f64() * 1e3,
            bar(span, total)
        );
    }
    println!("  {} in {:.3} s", count_of(run.spans.len(), "image"), total.as_secs_f64());
}

fn bar(span: &TimelineSpan, total: Duration) -> String {
    let total = total.as_secs_f64().max(1e-9);
    let at = |time: Duration| (time.as_secs_f64() / total * WIDTH as f64).round() as usize;
    let start = at(span.received).min(WIDTH - 1);
    let end = at(span.processed).clamp(start + 1, WIDTH);
    format!("{}{}", " ".repeat(start), "█".repeat(end - start))
}

fn label(path: &Path, most: usize) -> String {
    let name = shown(Path::new(path.file_name().unwrap_or(path.as_os_str())));
    if name.chars().count() <= most {
        return name;
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

/// Draws the runs below each other on one scale of time, a row for each worker.
pub(crate) fn draw(runs: &[Run], path: &Path) -> std::io::Result<()> {
    const LEFT: f64 = 20.0;
    const SPAN: f64 = 860.0;
    const ROW: f64 = 22.0;
    const HEAD: f64 = 30.0;
    const LETTER: f64 = 7.5; // wide enough for most
    let workers = |run: &Run| run.spans.iter().map(|span| span.worker + 1).max().unwrap_or(1);
    let height: f64 = runs.iter().map(|run| HEAD + ROW * workers(run) as f64 + 10.0).sum::<f64>() + 40.0;
    let longest = runs.iter().map(Run::total).max().unwrap_or_default().as_secs_f64().max(1e-9);
    let x = |time: Duration| LEFT + time.as_secs_f64() / longest * SPAN;
    let mut svg = Svg::new(LEFT * 2.0 + SPAN, height);
    let mut top = 0.0;
    for run in runs {
        let images = count_of(run.spans.len(), "image");
        let title = format!("{}: {images} in {:.3} s", run.title, run.total().as_secs_f64());
        svg.text(LEFT, top + 20.0, Anchor::Start, &title);
        top += HEAD;
        for span in &run.spans {
            let (left, row) = (x(span.received), top + ROW * span.worker as f64);
            let width = x(span.processed) - left - 1.0;
            svg.bar(left, row, width, ROW - 4.0, "#9cc7e8");
            let room = (width / LETTER) as usize;
            if room > 3 {
                svg.text(left + 3.0, row + 13.0, Anchor::Start, &label(&span.name, room - 1));
            }
        }
        top += ROW * workers(run) as f64 + 10.0;
    }
    for i in 0..=4 {
        let time = Duration::from_secs_f64(longest * f64::from(i) / 4.0);
        let anchor = match i {
            0 => Anchor::Start,
            4 => Anchor::End,
            _ => Anchor::Middle,
        };
        svg.text(x(time), top + 20.0, anchor, &format!("{:.3} s", time.as_secs_f64()));
    }
    svg.save(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_lies_where_its_time_does_and_is_never_empty() {
        let span = |from, to| TimelineSpan {
            name: PathBuf::new(),
            worker: 0,
            received: Duration::from_millis(from),
            processed: Duration::from_millis(to),
        };
        let total = Duration::from_millis(400);
        assert_eq!(bar(&span(0, 400), total), "█".repeat(40));
        assert_eq!(bar(&span(200, 300), total), format!("{}{}", " ".repeat(20), "█".repeat(10)));
        assert_eq!(bar(&span(400, 400), total), format!("{}█", " ".repeat(39)));
    }
}
