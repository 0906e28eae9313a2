//! `imgcli bench`: a load on a server, and how it bears it.

mod chart; // the curve of latencies.
mod histogram; // how often each latency occurred.
mod load; // who sends what when.

use super::batch::{Depth, find};
use super::connection::{ConnectionArguments, duration};
use super::error::CliError;
use super::interrupt::{EXIT_INTERRUPTED, Interrupt};
use super::print::{BAD, BOLD, GOOD, count_of, json_line, shown, size};
use super::spec_arguments::SpecArguments;
use clap::Args;
use histogram::LatencyHistogram;
use imgsrv::client::Client;
use load::{Load, LoadModel, Measured};
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];
const STAGES: [&str; 4] = ["queue", "decode", "resize", "encode"];

/// Load a server and measure its latency.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Images to send in turn: files, folders or patterns
    #[arg(required = true, value_name = "IMAGE")]
    inputs: Vec<PathBuf>,

    /// Connections at once
    #[arg(short, long, default_value = "8", value_name = "N")]
    connections: NonZeroUsize,

    /// Requests a second, whether or not the server keeps up [default: each connection sends after its last reply]
    #[arg(long, value_parser = rate, value_name = "N")]
    rate: Option<f64>,

    /// How long
    #[arg(short, long, default_value = "10s", value_parser = duration, value_name = "TIME")]
    duration: Duration,

    /// Load before it, which is not counted
    #[arg(long, default_value = "500ms", value_parser = duration, value_name = "TIME")]
    warmup: Duration,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Draw the latencies into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    #[command(flatten)]
    connection: ConnectionArguments,

    #[command(flatten)]
    spec: SpecArguments,
}

/// Applies the load and prints what was measured.
pub(crate) fn run(arguments: &BenchArguments) -> Result<u8, CliError> {
    let found = find(&arguments.inputs, Depth::Folder, None);
    if let Some(failure) = found.failures.into_iter().next() {
        return Err(failure);
    }
    let read = |path: PathBuf| std::fs::read(&path).map_err(|source| CliError::NoInput { path, source });
    let images: Vec<Vec<u8>> =
        found.sources.into_iter().map(|source| read(source.path)).collect::<Result<_, _>>()?;
    if images.is_empty() {
        return Err(CliError::Arguments("there is no image in this folder".into()));
    }
    let servers = arguments.connection.settings()?;
    let spec = arguments.spec.spec()?;
    for server in &servers {
        // A server that is not there is no measurement.
        Client::connect(server).map_err(|error| CliError::Connection { error })?;
    }
    let interrupt = Interrupt::listen().map_err(|error| CliError::System(format!("no signals: {error}")))?;
    let connections = arguments.connections.get();
    let model = arguments.rate.map_or(LoadModel::Closed, LoadModel::Open);
    let load =
        |duration| Load { servers: &servers, images: &images, spec: &spec, connections, model, duration };
    load(arguments.warmup).apply(&interrupt);
    let measured = load(arguments.duration).apply(&interrupt);
    if arguments.json {
        println!("{}", json_line(&as_json(arguments, &measured)));
    } else {
        print(arguments, images.len(), &measured);
    }
    if let Some(path) = &arguments.svg {
        chart::draw(&measured.latency, path)
            .map_err(|source| CliError::Output { path: path.clone(), source })?;
        if !arguments.json {
            println!("Drawn as {}", shown(path));
        }
    }
    Ok(match (interrupt.is_asked(), measured.latency.count()) {
        (true, _) => EXIT_INTERRUPTED,
        (false, 0) => super::error::EXIT_UNAVAILABLE,
        (false, _) => 0,
    })
}

fn print(arguments: &BenchArguments, images: usize, measured: &Measured) {
    let seconds = measured.took.as_secs_f64().max(1e-9);
    let count = measured.latency.count();
    let model = match arguments.rate {
        Some(rate) => format!("{rate} a second"),
        None => "each sending after its last reply".into(),
    };
    let connections = count_of(arguments.connections.get(), "connection");
    println!("{connections}, {model}, {} in turn, {seconds:.1} s", count_of(images, "image"));
    anstream::println!(
        "{BOLD}{:.1} images/s{BOLD:#}, {} images, {:.1} MB/s sent, {} sent, {} received",
        count as f64 / seconds,
        count,
        measured.bytes_out as f64 / 1e6 / seconds,
        size(measured.bytes_out),
        size(measured.bytes_in),
    );
    println!();
    anstream::println!("{BOLD}latency{BOLD:#}      mean       p50       p90       p99     p99.9       max");
    println!("        {}", row(&measured.latency));
    match arguments.rate {
        Some(_) => println!("        counted from the moment at which each request was due"),
        None => println!("        of a closed loop, without waiting: --rate shows the latency with waiting"),
    }
    println!();
    anstream::println!("{BOLD}in the server{BOLD:#}");
    for (stage, histogram) in STAGES.iter().zip(&measured.stages) {
        println!("{stage:<8}{}", row(histogram));
    }
    println!();
    if measured.errors.is_empty() {
        anstream::println!("{GOOD}no errors{GOOD:#}");
    }
    for (status, count) in &measured.errors {
        anstream::println!("{BAD}{count} {status}{BAD:#}");
    }
}

fn row(histogram: &LatencyHistogram) -> String {
    let columns = std::iter::once(histogram.mean())
        .chain(PERCENTILES.map(|percent| histogram.percentile(percent)))
        .chain([histogram.max()]);
    columns.map(|time| format!("{:>7.2} ms", millis(time))).collect()
}

fn as_json(arguments: &BenchArguments, measured: &Measured) -> Value {
    let seconds = measured.took.as_secs_f64().max(1e-9);
    let stages = STAGES.iter().zip(&measured.stages);
    json!({
        "connections": arguments.connections,
        "rate": arguments.rate,
        "seconds": seconds,
        "images": measured.latency.count(),
        "images_per_second": measured.latency.count() as f64 / seconds,
        "bytes_sent": measured.bytes_out,
        "bytes_received": measured.bytes_in,
        "latency_ms": times(&measured.latency),
        "server_ms": stages.map(|(name, stage)| ((*name).to_owned(), times(stage))).collect::<serde_json::Map<_, _>>(),
        "errors": measured.errors,
    })
}

fn times(histogram: &LatencyHistogram) -> Value {
    json!({
        "mean": millis(histogram.mean()),
        "p50": millis(histogram.percentile(50.0)),
        "p90": millis(histogram.percentile(90.0)),
        "p99": millis(histogram.percentile(99.0)),
        "p99.9": millis(histogram.percentile(99.9)),
        "max": millis(histogram.max()),
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.01..=1e6).contains(rate));
    rate.ok_or_else(|| "a rate is a number of requests a second, 0.01 to 1000000".into())
}
