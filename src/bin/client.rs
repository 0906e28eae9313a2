//! `imgcli`: the client. Arguments, files, what is printed, exit codes.

mod client {
    pub(crate) mod arguments; // what can be typed.
    pub(crate) mod batch; // many images.
    pub(crate) mod bench; // a load on a server.
    pub(crate) mod compare; // one after another against in parallel.
    pub(crate) mod connection; // flags that say where the server is.
    pub(crate) mod explain; // what would be done, and why.
    pub(crate) mod failure; // why, what to try, the exit code.
    pub(crate) mod folder; // a place that results cannot leave.
    pub(crate) mod info; // what a file says about itself.
    pub(crate) mod interrupt; // Ctrl-C.
    pub(crate) mod manual; // completions and man pages.
    pub(crate) mod one; // one image, as the original client does it.
    pub(crate) mod output; // a result's name and its way to the disk.
    pub(crate) mod picture; // a finished picture, from here or from a server.
    pub(crate) mod ping; // is the server well?
    pub(crate) mod print; // text that is safe to show.
    pub(crate) mod show; // a preview in the terminal.
    pub(crate) mod spec_arguments; // the options of a request as flags.
    pub(crate) mod svg; // drawings.
    pub(crate) mod timeline; // when each image was under way.
    pub(crate) mod watch; // a folder kept converted.
}

use clap::Parser;
use client::arguments::{Arguments, Command};
use client::failure::{EXIT_USAGE, Failure};
use client::print::DIM;
use client::{batch, bench, compare, explain, info, manual, one, ping, watch};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print(); // nobody reads us: nothing to be done
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    arguments.color.choice().write_global();
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .parse_default_env()
        .format(|out, record| writeln!(out, "{}{DIM}imgcli: {}{DIM:#}", over_bar(), record.args()))
        .init();
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(failure.report()),
    }
}

/// What clears a line on which a progress bar may stand; it is drawn again below.
fn over_bar() -> &'static str {
    if io::stderr().is_terminal() { "\r\x1b[2K" } else { "" }
}

/// Does what was asked for and returns the exit code.
fn run(arguments: &Arguments) -> Result<u8, Failure> {
    match &arguments.command {
        Some(Command::Info(arguments)) => info::run(arguments),
        Some(Command::Explain(arguments)) => explain::run(arguments),
        Some(Command::Compare(arguments)) => compare::run(arguments),
        Some(Command::Bench(arguments)) => bench::run(arguments),
        Some(Command::Watch(arguments)) => watch::run(arguments),
        Some(Command::Ping(arguments)) => ping::run(arguments),
        Some(Command::Completions(arguments)) => manual::completions(arguments),
        Some(Command::Man(arguments)) => manual::man(arguments),
        None if arguments.process.is_batch() => batch::run(&arguments.process),
        None => one::run(&arguments.process),
    }
}
