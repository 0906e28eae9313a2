//! `imgcli watch`: a folder of images, and a folder of results that follows it.

use super::batch::{
    BatchPlan, Depth, Destination, Journaling, Policy, SourceFile, Template, Variant, convert, find, is_image,
};
use super::connection::{ConnectionArguments, duration};
use super::error::CliError;
use super::interrupt::Interrupt;
use super::output_folder::OutputFolder;
use super::print::shown;
use super::spec_arguments::{DefaultSize, SpecArguments};
use clap::Args;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Interval between checks for settled files and signals.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Process each image that appears or changes in a folder into another folder.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Folder of images, with the folders within it
    #[arg(value_name = "IN")]
    from: PathBuf,

    /// Folder for the results
    #[arg(value_name = "OUT")]
    to: PathBuf,

    /// Names of the results within OUT, as with --name of a batch
    #[arg(long, value_name = "TEMPLATE", default_value = "{dir}/{stem}.{ext}")]
    name: Template,

    /// Replace results that exist and were not made by an earlier run
    #[arg(long)]
    force: bool,

    /// Time that a file must stay unchanged before it is processed
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    settle: Duration,

    /// Do the work in this process, without a server
    #[arg(long)]
    local: bool,

    #[command(flatten)]
    connection: ConnectionArguments,

    #[command(flatten)]
    spec: SpecArguments,
}

/// Watches until it is interrupted.
pub(crate) fn run(arguments: &WatchArguments) -> Result<u8, CliError> {
    let broken =
        |error: notify::Error| CliError::System(format!("cannot watch {}: {error}", shown(&arguments.from)));
    let interrupt = Interrupt::listen().map_err(|error| CliError::System(format!("no signals: {error}")))?;
    let specs = arguments.spec.specs_for_many(DefaultSize::Within)?;
    let policy = if arguments.force { Policy::Replace } else { Policy::Refuse };
    let plan = |sources| -> Result<BatchPlan, CliError> {
        let place = Destination::Folder(OutputFolder::create(&arguments.to)?);
        let memory = Journaling::of(&place, true)?;
        let variants = specs.iter().map(|spec| Variant::new(None, spec.clone())).collect();
        Ok(BatchPlan::new(sources, variants, place, arguments.name.clone(), policy, memory))
    };
    let settings = if arguments.local { None } else { Some(arguments.connection.settings()?) };

    // Listening begins before the first search, so that no file is missed.
    let (send, events) = channel();
    let mut watcher = RecommendedWatcher::new(send, notify::Config::default()).map_err(broken)?;
    // Events name paths below the folder as it is watched: absolute, and without links.
    let unreadable = |source| CliError::NoInput { path: arguments.from.clone(), source };
    let watched = arguments.from.canonicalize().map_err(unreadable)?;
    watcher.watch(&watched, RecursiveMode::Recursive).map_err(broken)?;
    println!("Watching {}; Ctrl-C ends it", shown(&arguments.from));

    let mut waiting =
        PendingFiles { from: &arguments.from, watched, to: &arguments.to, files: HashMap::new() };
    waiting.note_all();
    while !interrupt.is_asked() {
        waiting.listen(&events);
        let ready = waiting.settled(arguments.settle);
        if !ready.is_empty() && convert(&plan(ready.clone())?, settings.as_deref(), &interrupt) > 0 {
            // Failed files are tried again.
            ready.into_iter().for_each(|source| waiting.note(source));
        }
    }
    println!("Stopped");
    Ok(0)
}

/// Changed files, each with the time of its last change.
#[derive(Debug)]
struct PendingFiles<'a> {
    from: &'a Path,
    /// `from` as events name it.
    watched: PathBuf,
    to: &'a Path,
    files: HashMap<PathBuf, PendingFile>,
}

#[derive(Debug)]
struct PendingFile {
    source: SourceFile,
    len: u64,
    since: Instant,
}

impl PendingFiles<'_> {
    /// Receives the events of the watcher.
    fn listen(&mut self, events: &Receiver<notify::Result<notify::Event>>) {
        let mut patience = LOOK_EVERY;
        loop {
            match events.recv_timeout(patience) {
                Ok(Ok(event)) if event.need_rescan() => self.note_all(),
                Ok(Ok(event)) if matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_)) => {
                    event.paths.iter().for_each(|path| self.note_path(path));
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => log::warn!("{error}"),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => return std::thread::sleep(LOOK_EVERY),
            }
            patience = Duration::ZERO;
        }
    }

    fn note_path(&mut self, path: &Path) {
        if path.is_dir() {
            // A folder that is moved in brings files without events of their own.
            return self.note_all();
        }
        let below = path.strip_prefix(&self.watched).ok().filter(|below| is_image(below));
        let Some((below, path)) = below.map(|below| (below, self.from.join(below))) else { return };
        let hidden = below.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
        let is_result = match (path.canonicalize(), self.to.canonicalize()) {
            (Ok(path), Ok(to)) => path.starts_with(to),
            _ => false,
        };
        if !hidden && !is_result {
            let dir = below.parent().unwrap_or(Path::new("")).to_owned();
            self.note(SourceFile { path, dir });
        }
    }

    fn note_all(&mut self) {
        let found = find(&[self.from.to_owned()], Depth::Tree, Some(self.to));
        found.sources.into_iter().for_each(|source| self.note(source));
    }

    fn note(&mut self, source: SourceFile) {
        let changed = PendingFile { len: length(&source.path), since: Instant::now(), source };
        self.files.insert(changed.source.path.clone(), changed);
    }

    /// Removes and returns the files that have not changed for that time.
    fn settled(&mut self, settle: Duration) -> Vec<SourceFile> {
        let mut ready = Vec::new();
        self.files.retain(|path, changed| {
            let len = length(path);
            if len != changed.len {
                (changed.len, changed.since) = (len, Instant::now());
            }
            let settled = changed.since.elapsed() >= settle;
            if settled && path.exists() {
                ready.push(changed.source.clone());
            }
            !settled
        });
        ready.sort_by(|a, b| a.path.cmp(&b.path));
        ready
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
