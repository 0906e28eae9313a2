//! `imgcli`: the client. Arguments, files, what is printed, exit codes.

mod client {
    pub(crate) mod arguments; // the command line.
    pub(crate) mod batch; // many images.
    pub(crate) mod bench; // a load on a server.
    pub(crate) mod compare; // one after another against in parallel.
    pub(crate) mod connection; // flags of the connection.
    pub(crate) mod explain; // the steps of an image, and the reasons.
    pub(crate) mod error; // CliError: reason, hint, exit code.
    pub(crate) mod output_folder; // a folder that results cannot leave.
    pub(crate) mod info; // facts of a file.
    pub(crate) mod interrupt; // Ctrl-C.
    pub(crate) mod manual; // the commands `completions` and `man`.
    pub(crate) mod single; // one image, as the original client does it.
    pub(crate) mod output; // name and saving of one result.
    pub(crate) mod processed; // a finished image, from this process or from a server.
    pub(crate) mod ping; // health of a server.
    pub(crate) mod print; // text that is safe to show.
    pub(crate) mod show; // a preview in the terminal.
    pub(crate) mod spec_arguments; // the options of a request as flags.
    pub(crate) mod svg; // drawings.
    pub(crate) mod timeline; // time in flight of each image.
    pub(crate) mod watch; // a folder of results that follows a folder of images.
}

#[path = "manual.rs"]
mod manual; // completions and manual pages, for both programs.

use clap::Parser;
use client::arguments::{Arguments, Command};
use client::error::{CliError, EXIT_USAGE};
use client::print::{DIM, escaped};
use client::{batch, bench, compare, explain, info, ping, single, watch};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// The allocator of static builds: musl's own has one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print(); // a closed pipe cannot be reported
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    arguments.color.choice().write_global();
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .parse_default_env()
        .format(|out, record| {
            writeln!(out, "{}{DIM}imgcli: {}{DIM:#}", over_bar(), escaped(&record.args().to_string()))
        })
        .init();
    #[cfg(feature = "server")]
    for unknown in imgsrv::internals::config::unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
        log::warn!("{unknown}");
    }
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(failure.report()),
    }
}

/// Sequence that clears the line of a progress bar, which is drawn again below.
fn over_bar() -> &'static str {
    if io::stderr().is_terminal() { "\r\x1b[2K" } else { "" }
}

/// Runs the command and returns the exit code.
fn run(arguments: &Arguments) -> Result<u8, CliError> {
    match &arguments.command {
        Some(Command::Info(arguments)) => info::run(arguments),
        Some(Command::Explain(arguments)) => explain::run(arguments),
        Some(Command::Compare(arguments)) => compare::run(arguments),
        Some(Command::Bench(arguments)) => bench::run(arguments),
        Some(Command::Watch(arguments)) => watch::run(arguments),
        Some(Command::Ping(arguments)) => ping::run(arguments),
        Some(Command::Completions(arguments)) => client::manual::completions(arguments),
        Some(Command::Man(arguments)) => client::manual::man(arguments),
        None if arguments.process.is_batch() => batch::run(&arguments.process),
        None => single::run(&arguments.process),
    }
}
