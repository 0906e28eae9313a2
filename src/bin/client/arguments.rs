//! The command line of `imgcli`: images and options alone, or a subcommand.

use super::batch::BatchArguments;
use super::bench::BenchArguments;
use super::compare::CompareArguments;
use super::connection::ConnectionArguments;
use super::explain::ExplainArguments;
use super::info::InfoArguments;
use super::manual::{CompletionsArguments, ManArguments};
use super::ping::PingArguments;
use super::spec_arguments::SpecArguments;
use super::watch::WatchArguments;
use clap::{Args, Parser, Subcommand, ValueEnum};
use imgsrv::internals::build_info::BUILD_INFO;
use std::path::{Path, PathBuf};

/// Resize and compress images, through an imgsrv server or in process.
///
/// A file that is named like a command is written ./info.
#[derive(Debug, Parser)]
#[command(
    name = "imgcli",
    version = BUILD_INFO.version,
    long_version = BUILD_INFO.to_string(),
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) process: ProcessArguments,

    /// Colours in what is printed; NO_COLOR is heeded
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// Commands beside processing images.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the facts of image files: size, quality, profile, metadata
    Info(InfoArguments),
    /// Explain what would be done with an image: path, decode scale, colours, memory
    Explain(ExplainArguments),
    /// Process images one after another, then in parallel, and show the gain
    Compare(CompareArguments),
    /// Load a server and measure its latency
    Bench(BenchArguments),
    /// Keep a folder converted into another
    Watch(WatchArguments),
    /// Check the health of a server, and the time of its answer
    Ping(PingArguments),
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
    /// Print the manual page, or write one for each command into a folder
    Man(ManArguments),
}

/// Processing images: one as the original client does it, or many.
#[derive(Debug, Args)]
pub(crate) struct ProcessArguments {
    /// Image files, folders (with -r) and patterns such as 'trip/**/*.jpg'; - reads standard input
    #[arg(value_name = "IMAGE", required_unless_present = "files_from")]
    pub(crate) inputs: Vec<PathBuf>,

    /// File for the result of one image, whose extension sets the format; - writes standard output
    /// (default: `processed_NAME` beside the input)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace results that exist
    #[arg(long)]
    pub(crate) force: bool,

    /// Do the work in this process, without a server
    #[arg(long)]
    pub(crate) local: bool,

    /// Show one image before and after, in a terminal that has colours or graphics
    #[arg(long)]
    pub(crate) show: bool,

    #[command(flatten)]
    pub(crate) batch: BatchArguments,

    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,

    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

impl ProcessArguments {
    /// Returns true for more than one image saved beside itself.
    pub(crate) fn is_batch(&self) -> bool {
        let one = match self.inputs.as_slice() {
            [input] => !(input.is_dir() || super::batch::is_pattern(input)),
            _ => false,
        };
        !one || self.batch.is_asked_for() || self.spec.formats().len() > 1
    }

    /// Returns true if the result goes to standard output, so that nothing else may.
    pub(crate) fn to_stdout(&self) -> bool {
        let dash = Path::new("-");
        match &self.output {
            Some(path) => path == dash,
            None => self.inputs.iter().any(|input| input == dash),
        }
    }

    /// Prints a line, on standard error if the image goes to standard output.
    pub(crate) fn say(&self, line: &str) {
        if self.to_stdout() { eprintln!("{line}") } else { println!("{line}") }
    }
}

/// Use of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal that has them.
    Auto,
    /// Into files and pipes too.
    Always,
    /// Not at all.
    Never,
}

impl Color {
    pub(crate) fn choice(self) -> anstream::ColorChoice {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::AlwaysAnsi,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}
