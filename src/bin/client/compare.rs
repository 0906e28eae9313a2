//! `imgcli compare`: the same images one after another, then in parallel, and the gain.

use super::batch::{Depth, find};
use super::connection::ConnectionArguments;
use super::error::CliError;
use super::interrupt::{EXIT_INTERRUPTED, Interrupt};
use super::print::{BOLD, GOOD, shown};
use super::processed::process_here;
use super::spec_arguments::SpecArguments;
use super::timeline::{self, Run, TimelineSpan};
use clap::Args;
use imgsrv::client::{ClientSettings, Session};
use imgsrv::codec::Scratch;
use imgsrv::spec::Spec;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Process the same images one after another, then in parallel.
#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// Folders of images, files or patterns
    #[arg(required = true, value_name = "DIR")]
    inputs: Vec<PathBuf>,

    /// Look into the folders within a folder
    #[arg(short, long)]
    recursive: bool,

    /// Images at once in the parallel run [default: the cores, at least 2]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Do the work in this process, without a server
    #[arg(long)]
    local: bool,

    /// Draw the timelines into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    #[command(flatten)]
    connection: ConnectionArguments,

    #[command(flatten)]
    spec: SpecArguments,
}

/// An image in memory, so that no run waits for the disk.
struct LoadedImage {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// Runs both ways and prints how they compare.
pub(crate) fn run(arguments: &CompareArguments) -> Result<u8, CliError> {
    let depth = if arguments.recursive { Depth::Tree } else { Depth::Folder };
    let found = find(&arguments.inputs, depth, None);
    let mut worst = found.failures.iter().map(CliError::report).max().unwrap_or(0);
    let mut images = Vec::new();
    for source in found.sources {
        match std::fs::read(&source.path) {
            Ok(bytes) => images.push(LoadedImage { path: source.path, bytes }),
            Err(error) => worst = worst.max(CliError::NoInput { path: source.path, source: error }.report()),
        }
    }
    if images.is_empty() {
        return Err(CliError::NoMatch(
            arguments.inputs.iter().map(|path| shown(path)).collect::<Vec<_>>().join(", "),
        ));
    }
    let spec = arguments.spec.spec_for_many()?;
    let servers = if arguments.local { Vec::new() } else { arguments.connection.settings()? };
    let interrupt = Interrupt::listen().map_err(|error| CliError::System(format!("no signals: {error}")))?;
    let cores = std::thread::available_parallelism().map_or(2, NonZeroUsize::get).max(2);
    let jobs = arguments.jobs.map_or(cores, NonZeroUsize::get);

    // Neither run shall pay for a server that is still cold.
    time(String::new(), &images[..1], &spec, &servers, 1, &interrupt);
    let mut runs = Vec::new();
    for (title, jobs) in [("one after another".to_owned(), 1), (format!("in parallel, {jobs} at once"), jobs)]
    {
        let (run, failures) = time(title, &images, &spec, &servers, jobs, &interrupt);
        if interrupt.is_asked() {
            return Ok(EXIT_INTERRUPTED);
        }
        worst = failures.iter().map(CliError::report).fold(worst, u8::max);
        if run.spans.is_empty() {
            return Ok(worst);
        }
        timeline::print(&run);
        println!();
        runs.push(run);
    }
    if let [before, after] = runs.as_slice() {
        let gain = before.total().as_secs_f64() / after.total().as_secs_f64().max(1e-9);
        anstream::println!(
            "{BOLD}{:.3} s{BOLD:#} one after another, {BOLD}{:.3} s{BOLD:#} in parallel: {GOOD}{gain:.2} times as fast{GOOD:#}",
            before.total().as_secs_f64(),
            after.total().as_secs_f64()
        );
    }
    if let Some(path) = &arguments.svg {
        timeline::draw(&runs, path).map_err(|source| CliError::Output { path: path.clone(), source })?;
        println!("Drawn as {}", shown(path));
    }
    Ok(worst)
}

/// Processes all images with `jobs` workers, on the servers or, without any, here, and notes when each was received and when it was processed.
fn time(
    title: String,
    images: &[LoadedImage],
    spec: &Spec,
    servers: &[ClientSettings],
    jobs: usize,
    interrupt: &Interrupt,
) -> (Run, Vec<CliError>) {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), Vec::new()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..jobs.min(images.len()) {
            let (next, done) = (&next, &done);
            let server = servers.get(worker % servers.len().max(1));
            scope.spawn(move || {
                let mut session = server.map(|settings| Session::new(settings.clone()));
                let mut scratch = Scratch::new();
                while let Some(image) = images.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if interrupt.is_asked() {
                        break;
                    }
                    let received = started.elapsed();
                    let input = || image.path.clone();
                    let result = match &mut session {
                        Some(session) => session
                            .request(&image.bytes, spec, |_| {})
                            .map(drop)
                            .map_err(|error| CliError::Server { input: input(), error }),
                        None => process_here(&image.bytes, spec, &mut scratch)
                            .map(drop)
                            .map_err(|error| CliError::Local { input: input(), error }),
                    };
                    let processed = started.elapsed();
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    match result {
                        Ok(()) => done.0.push(TimelineSpan { name: input(), worker, received, processed }),
                        Err(failure) => done.1.push(failure),
                    }
                }
            });
        }
    });
    let (mut spans, failures) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    spans.sort_by_key(|span: &TimelineSpan| span.received);
    (Run { title, spans }, failures)
}
