//! `Reporter`: progress of a batch as a bar on a terminal, a line an image in a pipe, or JSON; and its summary.

use super::super::error::CliError;
use super::super::print::{BAD, BOLD, DIM, GOOD, escaped, json_line, shown, size};
use super::super::processed::Rate;
use imgsrv::codec::Size;
use imgsrv::spec::Format;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures that the summary names.
const MAX_LISTED: usize = 20;

/// Style of the report of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportStyle {
    /// A bar when standard error is a terminal, a line an image otherwise.
    Person,
    /// Only a line for each result that was saved or failed.
    News,
    /// A JSON object a line.
    Json,
}

/// A result that was saved.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) path: PathBuf,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) source_size: Option<(u32, u32)>,
    pub(crate) size: Size,
    pub(crate) format: Format,
    pub(crate) took: Duration,
    pub(crate) server: Option<Arc<str>>,
    pub(crate) rate: Rate,
    pub(crate) warnings: Vec<String>,
}

/// Outcome of one result.
#[derive(Debug)]
pub(crate) enum ResultOutcome {
    Saved(Saved),
    Skipped { path: PathBuf, why: &'static str },
    Planned { path: PathBuf, size: Option<Size> },
    Failed(CliError),
}

/// Outcome of one result of one source.
#[derive(Debug)]
pub(crate) struct ResultRecord<'a> {
    pub(crate) source: &'a Path,
    /// The entry of `--sizes`.
    pub(crate) size: Option<u32>,
    pub(crate) outcome: ResultOutcome,
}

/// Totals of a batch.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    saved: usize,
    skipped: usize,
    planned: usize,
    failed: usize,
    bytes_in: u64,
    bytes_out: u64,
    failures: Vec<String>,
    lost: Option<CliError>,
    worst: u8,
}

/// Reports every outcome, and the totals at the end.
#[derive(Debug)]
pub(crate) struct Reporter {
    form: ReportStyle,
    bar: Option<ProgressBar>,
    started: Instant,
    totals: Mutex<Totals>,
}

impl Reporter {
    pub(crate) fn new(form: ReportStyle, results: usize) -> Reporter {
        let bar = (form == ReportStyle::Person && io::stderr().is_terminal()).then(|| {
            let bar =
                ProgressBar::with_draw_target(Some(results as u64), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{bar:28} {pos}/{len} {wide_msg} ETA {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Reporter { form, bar, started: Instant::now(), totals: Mutex::default() }
    }

    /// Reports the outcome of one result.
    pub(crate) fn tell(&self, record: &ResultRecord<'_>) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.count(&record.outcome);
        match self.form {
            ReportStyle::Json => print_line(&json_line(&json_of(record))),
            ReportStyle::News if matches!(record.outcome, ResultOutcome::Skipped { .. }) => {}
            ReportStyle::News | ReportStyle::Person => match (&record.outcome, &self.bar) {
                (ResultOutcome::Failed(failure), Some(bar)) => bar.suspend(|| {
                    failure.report();
                }),
                (ResultOutcome::Failed(failure), None) => {
                    failure.report();
                }
                (_, None) => print_line(&line_of(record)),
                (_, Some(_)) => {}
            },
        }
        if let Some(bar) = &self.bar {
            bar.set_message(totals.speed(self.started.elapsed()));
            bar.inc(1);
        }
    }

    /// Reports that no other image is started.
    pub(crate) fn stopping(&self) {
        let say = || eprintln!("Finishing what is in flight; Ctrl-C again ends at once");
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Reports once that no server is left.
    pub(crate) fn lost(&self, failure: CliError) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.worst = totals.worst.max(failure.exit_code());
        totals.lost.get_or_insert(failure);
    }

    /// Reports a failure that belongs to no image.
    pub(crate) fn fail(&self, failure: CliError) {
        self.tell(&ResultRecord {
            source: Path::new(""),
            size: None,
            outcome: ResultOutcome::Failed(failure),
        });
    }

    /// Prints the totals and returns the worst exit code. `left` results were not made; `resume` is the hint to continue.
    pub(crate) fn finish(self, left: usize, resume: &str) -> u8 {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let took = self.started.elapsed();
        let totals = self.totals.into_inner().unwrap_or_else(PoisonError::into_inner);
        match self.form {
            ReportStyle::Json => print_line(&json_line(&totals.json(left, took))),
            ReportStyle::Person => totals.print(left, took, resume),
            ReportStyle::News => {
                if let Some(lost) = &totals.lost {
                    lost.report();
                }
            }
        }
        totals.worst
    }
}

impl Totals {
    fn count(&mut self, outcome: &ResultOutcome) {
        match outcome {
            ResultOutcome::Saved(saved) => {
                self.saved += 1;
                self.bytes_in += saved.bytes_in;
                self.bytes_out += saved.bytes_out;
            }
            ResultOutcome::Skipped { .. } => self.skipped += 1,
            ResultOutcome::Planned { .. } => self.planned += 1,
            ResultOutcome::Failed(failure) => {
                self.failed += 1;
                self.worst = self.worst.max(failure.exit_code());
                if self.failures.len() < MAX_LISTED {
                    self.failures.push(failure.to_string());
                }
            }
        }
    }

    fn ratio(&self) -> f64 {
        self.bytes_in as f64 / self.bytes_out.max(1) as f64
    }

    fn speed(&self, took: Duration) -> String {
        let seconds = took.as_secs_f64().max(1e-3);
        format!(
            "{:.1} images/s, {:.1} MB/s, ratio {:.1}x",
            self.saved as f64 / seconds,
            self.bytes_in as f64 / 1e6 / seconds,
            self.ratio()
        )
    }

    fn print(&self, left: usize, took: Duration, resume: &str) {
        let mut parts = Vec::new();
        if self.saved > 0 {
            parts.push(format!("{GOOD}{} saved{GOOD:#}", self.saved));
        }
        if self.planned > 0 {
            parts.push(format!("{} would be saved", self.planned));
        }
        if self.skipped > 0 {
            parts.push(format!("{} skipped", self.skipped));
        }
        if self.failed > 0 {
            parts.push(format!("{BAD}{} failed{BAD:#}", self.failed));
        }
        if left > 0 {
            parts.push(format!("{left} not done"));
        }
        anstream::println!("{BOLD}{}{BOLD:#} in {:.2} s", parts.join(", "), took.as_secs_f64());
        if self.saved > 0 {
            anstream::println!("{} to {}, {}", size(self.bytes_in), size(self.bytes_out), self.speed(took));
        }
        if self.failed > 0 {
            anstream::println!("Failed:");
            for failure in &self.failures {
                anstream::println!("  {}", failure.replace('\n', "\n  "));
            }
            if self.failed > self.failures.len() {
                anstream::println!("  and {} more", self.failed - self.failures.len());
            }
        }
        if let Some(lost) = &self.lost {
            lost.report();
        }
        if left > 0 {
            anstream::println!("{resume}");
        }
    }

    fn json(&self, left: usize, took: Duration) -> Value {
        json!({
            "summary": {
                "saved": self.saved,
                "planned": self.planned,
                "skipped": self.skipped,
                "failed": self.failed,
                "not_done": left,
                "bytes_in": self.bytes_in,
                "bytes_out": self.bytes_out,
                "seconds": took.as_secs_f64(),
                "error": self.lost.as_ref().map(ToString::to_string),
            }
        })
    }
}

/// Prints a line; a reader that closed the pipe is no failure of the batch.
fn print_line(line: &str) {
    let _ = writeln!(anstream::stdout().lock(), "{line}");
}

fn line_of(record: &ResultRecord<'_>) -> String {
    let source = shown(record.source);
    match &record.outcome {
        ResultOutcome::Saved(saved) => {
            let Size { width, height } = saved.size;
            let from = saved.source_size.map(|(w, h)| format!("{w}x{h} to ")).unwrap_or_default();
            let notes = escaped(&saved.warnings.join(", "));
            let notes = if notes.is_empty() { notes } else { format!(" ({notes})") };
            format!(
                "{source} -> {}  {DIM}{from}{width}x{height}, {} to {}, {:.0} ms{notes}{DIM:#}",
                shown(&saved.path),
                size(saved.bytes_in),
                size(saved.bytes_out),
                saved.took.as_secs_f64() * 1e3,
            )
        }
        ResultOutcome::Skipped { path, why } => {
            format!("{source} -> {}  {DIM}skipped: {why}{DIM:#}", shown(path))
        }
        ResultOutcome::Planned { path, size } => {
            let size = size.map(|Size { width, height }| format!("{width}x{height}, ")).unwrap_or_default();
            format!("{source} -> {}  {DIM}{size}not done: --dry-run{DIM:#}", shown(path))
        }
        ResultOutcome::Failed(failure) => failure.to_string(),
    }
}

fn json_of(record: &ResultRecord<'_>) -> Value {
    let source = record.source.to_string_lossy();
    match &record.outcome {
        ResultOutcome::Saved(saved) => json!({
            "status": "ok",
            "source": source,
            "result": saved.path.to_string_lossy(),
            "size": record.size,
            "bytes_in": saved.bytes_in,
            "bytes_out": saved.bytes_out,
            "source_width": saved.source_size.map(|(width, _)| width),
            "source_height": saved.source_size.map(|(_, height)| height),
            "width": saved.size.width,
            "height": saved.size.height,
            "format": saved.format.name(),
            "quality": saved.rate.quality,
            "tries": saved.rate.tries,
            "score": saved.rate.score,
            "ms": saved.took.as_secs_f64() * 1e3,
            "server": saved.server.as_deref(),
            "warnings": saved.warnings,
        }),
        ResultOutcome::Skipped { path, why } => json!({
            "status": "skipped",
            "source": source,
            "result": path.to_string_lossy(),
            "size": record.size,
            "reason": why,
        }),
        ResultOutcome::Planned { path, size } => json!({
            "status": "planned",
            "source": source,
            "result": path.to_string_lossy(),
            "size": record.size,
            "width": size.map(|size| size.width),
            "height": size.map(|size| size.height),
        }),
        ResultOutcome::Failed(failure) => json!({
            "status": failure.word(),
            "source": source,
            "size": record.size,
            "message": failure.to_string(),
            "exit": failure.exit_code(),
        }),
    }
}
