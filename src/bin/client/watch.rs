//! `imgcli watch`: a folder of images and a folder of their results, kept in step.

use super::batch::{Depth, Memory, Place, Plan, Policy, Source, Template, Variant, convert, find, is_image};
use super::connection::{ConnectionArguments, duration};
use super::failure::Failure;
use super::folder::Folder;
use super::interrupt::Interrupt;
use super::print::shown;
use super::spec_arguments::SpecArguments;
use clap::Args;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often it is looked whether a file has settled or a signal has come.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Keep a folder converted: what appears or changes in one is processed into the other.
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

    /// How long a file must stay unchanged before it is taken
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
pub(crate) fn run(arguments: &WatchArguments) -> Result<u8, Failure> {
    let broken =
        |error: notify::Error| Failure::System(format!("cannot watch {}: {error}", shown(&arguments.from)));
    let interrupt = Interrupt::listen().map_err(|error| Failure::System(format!("no signals: {error}")))?;
    let spec = arguments.spec.spec_for_many()?;
    let policy = if arguments.force { Policy::Replace } else { Policy::Refuse };
    let plan = |sources| -> Result<Plan, Failure> {
        let place = Place::Folder(Folder::create(&arguments.to)?);
        let memory = Memory::of(&place, true)?;
        let variants = vec![Variant::new(None, spec.clone())];
        Ok(Plan::new(sources, variants, place, arguments.name.clone(), policy, memory))
    };
    let settings = if arguments.local { None } else { Some(arguments.connection.settings()?) };

    // Listening begins before the first look, so that nothing falls between.
    let (send, events) = channel();
    let mut watcher = RecommendedWatcher::new(send, notify::Config::default()).map_err(broken)?;
    watcher.watch(&arguments.from, RecursiveMode::Recursive).map_err(broken)?;
    println!("Watching {}; Ctrl-C ends it", shown(&arguments.from));

    let mut waiting = Waiting { from: &arguments.from, to: &arguments.to, files: HashMap::new() };
    waiting.note_all();
    while !interrupt.is_asked() {
        waiting.listen(&events);
        let ready = waiting.settled(arguments.settle);
        if !ready.is_empty() && convert(&plan(ready.clone())?, settings.as_deref(), &interrupt) > 0 {
            // What could not be done now is tried again with what comes next.
            ready.into_iter().for_each(|source| waiting.note(source));
        }
    }
    println!("Stopped");
    Ok(0)
}

/// Files that have changed, and since when they have not changed again.
#[derive(Debug)]
struct Waiting<'a> {
    from: &'a Path,
    to: &'a Path,
    files: HashMap<PathBuf, Changed>,
}

#[derive(Debug)]
struct Changed {
    source: Source,
    len: u64,
    since: Instant,
}

impl Waiting<'_> {
    /// Takes up what the watcher has to tell.
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
            // A folder that is moved in brings files of which nothing else is told.
            return self.note_all();
        }
        let Some(below) = path.strip_prefix(self.from).ok().filter(|_| is_image(path)) else { return };
        let hidden = below.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
        let is_result = match (path.canonicalize(), self.to.canonicalize()) {
            (Ok(path), Ok(to)) => path.starts_with(to),
            _ => false,
        };
        if !hidden && !is_result {
            let dir = below.parent().unwrap_or(Path::new("")).to_owned();
            self.note(Source { path: path.to_owned(), dir });
        }
    }

    fn note_all(&mut self) {
        let found = find(&[self.from.to_owned()], Depth::Tree, Some(self.to));
        found.sources.into_iter().for_each(|source| self.note(source));
    }

    fn note(&mut self, source: Source) {
        let changed = Changed { len: length(&source.path), since: Instant::now(), source };
        self.files.insert(changed.source.path.clone(), changed);
    }

    /// The files that have not changed for that long, which are no longer waited for.
    fn settled(&mut self, settle: Duration) -> Vec<Source> {
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
