//! Many images: results are planned first, then made by several workers, in this process or on servers.

mod inputs; // from arguments to files.
mod journal; // results of earlier runs.
mod plan; // which results, and their names.
mod queue; // items that are left.
mod report; // progress and summary.
mod servers; // servers that answer.
mod template; // names with fields.
mod worker; // one thread.

pub(crate) use inputs::{Depth, SourceFile, find, format_of_name, is_image, is_pattern};
pub(crate) use journal::Fingerprint;
pub(crate) use plan::{BatchPlan, Destination, Journaling, Policy, Variant};
pub(crate) use template::{Template, fitting};

use super::arguments::ProcessArguments;
use super::error::CliError;
use super::interrupt::{EXIT_INTERRUPTED, Interrupt};
use super::output::{Existing, FileTime};
use super::output_folder::OutputFolder;
use super::processed::own_limits;
use super::spec_arguments::DefaultSize;
use clap::Args;
use imgsrv::client::ClientSettings;
use imgsrv::codec;
use imgsrv::spec::OutputFormat;
use queue::Queue;
use report::{ReportStyle, Reporter, ResultOutcome, ResultRecord};
use servers::Servers;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use worker::{BatchContext, BatchItem, work};

/// Connections to each server when `--jobs` does not say.
const JOBS_PER_SERVER: usize = 4;

/// Interval between checks for Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Options for many images.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many images")]
pub(crate) struct BatchArguments {
    /// Folder for the results (default: `processed_NAME` beside each image)
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    out: Option<PathBuf>,

    /// Names of the results within --out, from {dir} {stem} {name} {width} {height} {size} {hash} {ext}
    /// [default: {dir}/{stem}.{ext}, with --sizes {dir}/{stem}-{size}.{ext}]
    #[arg(long, value_name = "TEMPLATE", requires = "out")]
    name: Option<Template>,

    /// Read the names of images from a file, one a line; - reads them from standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from: Option<PathBuf>,

    /// Replace each image by its result, which has the format and, without a size, the dimensions of the image
    #[arg(long, conflicts_with_all = ["output", "out", "sizes", "force", "skip_existing", "resume", "show"])]
    in_place: bool,

    /// Keep the modification time of each image that is replaced
    #[arg(long, requires = "in_place")]
    keep_time: bool,

    /// Look into the folders within a folder
    #[arg(short, long)]
    recursive: bool,

    /// Several results of each image, by width, such as 320,640,1280
    #[arg(
        long,
        value_name = "WIDTHS",
        value_delimiter = ',',
        value_parser = clap::value_parser!(u32).range(1..=16_384),
        conflicts_with_all = ["output", "width", "scale"]
    )]
    sizes: Vec<u32>,

    /// Leave results alone that exist, whatever they hold
    #[arg(long, conflicts_with = "force")]
    skip_existing: bool,

    /// Leave results alone that an earlier run made with these options of images that have not changed since
    #[arg(long, requires = "out")]
    resume: bool,

    /// Print the results that would be made, and make none
    #[arg(long)]
    dry_run: bool,

    /// Images to work on at once [default: 4 for each server; with --local the cores]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Print a JSON object for each result and one for all
    #[arg(long)]
    json: bool,
}

impl BatchArguments {
    /// Returns true if an option was given that applies to many images only.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.out.is_some()
            || self.in_place
            || self.files_from.is_some()
            || !self.sizes.is_empty()
            || self.recursive
            || self.skip_existing
            || self.dry_run
            || self.json
            || self.jobs.is_some()
    }
}

/// Processes all images and returns the worst exit code.
pub(crate) fn run(arguments: &ProcessArguments) -> Result<u8, CliError> {
    let batch = &arguments.batch;
    if arguments.to_stdout() || arguments.output.is_some() {
        return Err(CliError::Arguments(
            "- and --output take one image; --out takes a folder for many".into(),
        ));
    }
    if arguments.show {
        return Err(CliError::Arguments("--show shows one image".into()));
    }
    let depth = if batch.recursive { Depth::Tree } else { Depth::Folder };
    let mut inputs = arguments.inputs.clone();
    if let Some(list) = &batch.files_from {
        inputs.extend(inputs::read_list(list)?);
    }
    let mut found = find(&inputs, depth, batch.out.as_deref());
    let plan = plan(arguments, std::mem::take(&mut found.sources))?;
    let reporter =
        Reporter::new(if batch.json { ReportStyle::Json } else { ReportStyle::Person }, plan.len());
    for failure in found.failures {
        reporter.fail(failure);
    }
    if batch.dry_run {
        foretell(&plan, &reporter);
        return Ok(reporter.finish(0, ""));
    }
    let interrupt = Interrupt::listen().map_err(|error| CliError::System(format!("no signals: {error}")))?;
    let servers = if arguments.local { None } else { Some(arguments.connection.settings()?) };
    let jobs = batch.jobs.map_or_else(|| default_jobs(servers.as_deref()), NonZeroUsize::get);
    let servers = servers.map(Servers::new);
    let left = process(&plan, servers.as_ref(), jobs, &reporter, &interrupt);
    let worst = reporter.finish(left, how_to_resume(batch));
    Ok(if interrupt.is_asked() { EXIT_INTERRUPTED } else { worst })
}

/// Carries out a plan, reports only results and failures, and returns the number of missing results.
pub(crate) fn convert(plan: &BatchPlan, servers: Option<&[ClientSettings]>, interrupt: &Interrupt) -> usize {
    let reporter = Reporter::new(ReportStyle::News, plan.len());
    let jobs = default_jobs(servers);
    let servers = servers.map(|servers| Servers::new(servers.to_vec()));
    let left = process(plan, servers.as_ref(), jobs, &reporter, interrupt);
    reporter.finish(left, "");
    left
}

fn default_jobs(servers: Option<&[ClientSettings]>) -> usize {
    match servers {
        Some(servers) => JOBS_PER_SERVER * servers.len(),
        None => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    }
}

/// Does the work with `jobs` workers and returns the number of missing results.
fn process(
    plan: &BatchPlan,
    servers: Option<&Servers>,
    jobs: usize,
    reporter: &Reporter,
    interrupt: &Interrupt,
) -> usize {
    let queue = Queue::new((0..plan.sources.len()).map(BatchItem::new));
    let shared = BatchContext { plan, queue, reporter, interrupt, servers };
    std::thread::scope(|scope| {
        let (working, ended) = channel::<()>();
        for _ in 0..jobs.min(plan.sources.len()) {
            let (shared, working) = (&shared, working.clone());
            scope.spawn(move || {
                work(shared);
                drop(working);
            });
        }
        drop(working);
        while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            if interrupt.is_asked() {
                return reporter.stopping();
            }
        }
    });
    shared.queue.into_items().map(|item| item.missing(plan)).sum()
}

fn plan(arguments: &ProcessArguments, sources: Vec<SourceFile>) -> Result<BatchPlan, CliError> {
    let batch = &arguments.batch;
    let variants = variants(arguments)?;
    let policy = match () {
        () if arguments.force || batch.in_place => Policy::Replace,
        () if batch.skip_existing => Policy::Skip,
        () => Policy::Refuse,
    };
    let place = match &batch.out {
        Some(out) if batch.dry_run => Destination::Folder(OutputFolder::at(out)?),
        Some(out) => Destination::Folder(OutputFolder::create(out)?),
        None if batch.in_place && batch.keep_time => Destination::InPlace(FileTime::Keep),
        None if batch.in_place => Destination::InPlace(FileTime::Now),
        None => Destination::Beside,
    };
    let template = match (&batch.name, &place, batch.sizes.is_empty()) {
        (Some(template), ..) => Ok(template.clone()),
        (None, Destination::Folder(_), true) => "{dir}/{stem}.{ext}".parse(),
        (None, Destination::Folder(_), false) => "{dir}/{stem}-{size}.{ext}".parse(),
        (None, Destination::Beside | Destination::InPlace(_), true) => "processed_{stem}.{ext}".parse(),
        (None, Destination::Beside | Destination::InPlace(_), false) => {
            "processed_{stem}-{size}.{ext}".parse()
        }
    };
    let template = template.map_err(CliError::Arguments)?;
    let memory = Journaling::of(&place, batch.resume)?;
    Ok(BatchPlan::new(sources, variants, place, template, policy, memory))
}

/// The results of each image: one for each size and format.
fn variants(arguments: &ProcessArguments) -> Result<Vec<Variant>, CliError> {
    let (spec, batch) = (&arguments.spec, &arguments.batch);
    if batch.in_place {
        if spec.formats().len() > 1 {
            return Err(CliError::Arguments(
                "--in-place makes one result of each image; give one format".into(),
            ));
        }
        let mut specs = spec.specs_for_many(DefaultSize::Keep)?;
        if !spec.gives("format") {
            specs.iter_mut().for_each(|spec| spec.format = OutputFormat::Source);
        }
        return Ok(specs.into_iter().map(|spec| Variant::new(None, spec)).collect());
    }
    if batch.sizes.is_empty() {
        let specs = spec.specs_for_many(DefaultSize::Within)?;
        return Ok(specs.into_iter().map(|spec| Variant::new(None, spec)).collect());
    }
    let mut variants = Vec::new();
    for size in &batch.sizes {
        let specs = spec.specs_of_width(*size)?;
        variants.extend(specs.into_iter().map(|spec| Variant::new(Some(*size), spec)));
    }
    Ok(variants)
}

/// Reports the results that would be made, from the headers of the images.
fn foretell(plan: &BatchPlan, reporter: &Reporter) {
    for (i, source) in plan.sources.iter().enumerate() {
        for (j, variant) in plan.variants.iter().enumerate() {
            let outcome = foretold(plan, (i, source), (j, variant)).unwrap_or_else(ResultOutcome::Failed);
            reporter.tell(&ResultRecord { source: &source.path, size: variant.size, outcome });
        }
    }
}

fn foretold(
    plan: &BatchPlan,
    (i, source): (usize, &SourceFile),
    (j, variant): (usize, &Variant),
) -> Result<ResultOutcome, CliError> {
    plan.check_name(i, j)?;
    let unreadable = |error| CliError::NoInput { path: source.path.clone(), source: error };
    let metadata = std::fs::metadata(&source.path).map_err(unreadable)?;
    let now = Fingerprint::from(&metadata);
    if let Some(name) =
        plan.fixed_name(source, variant).filter(|name| plan.is_done(source, variant, name, now))
    {
        return Ok(ResultOutcome::Skipped { path: plan.path(&name), why: "done earlier" });
    }
    let image = std::fs::read(&source.path).map_err(unreadable)?;
    let result = codec::plan(&image, &variant.spec, &own_limits())
        .map_err(|error| CliError::Local { input: source.path.clone(), error })?;
    let name = plan.name(source, variant, result.size(), result.format);
    let path = plan.path(&name);
    if plan.is_done(source, variant, &name, now) {
        return Ok(ResultOutcome::Skipped { path, why: "done earlier" });
    }
    Ok(match (plan.holds(&name), plan.policy) {
        (true, Policy::Skip) => ResultOutcome::Skipped { path, why: "exists" },
        (true, Policy::Refuse) if plan.existing(source, variant, &name) == Existing::Keep => {
            return Err(CliError::Exists { path });
        }
        _ => ResultOutcome::Planned { path, size: Some(result.size()) },
    })
}

fn how_to_resume(batch: &BatchArguments) -> &'static str {
    if batch.out.is_some() {
        "To go on, run the same command with --resume."
    } else {
        "To go on, run the same command with --skip-existing."
    }
}
