//! `imgcli`: the client. Arguments, files, what is printed, exit codes.

mod client {
    pub(crate) mod arguments;
    pub(crate) mod failure;
    pub(crate) mod one;
    pub(crate) mod output;
    pub(crate) mod spec_arguments;
}

use clap::Parser;
use client::arguments::Arguments;
use client::failure::{EXIT_USAGE, Failure};
use client::one;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print(); // nobody reads us: nothing to be done
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .parse_default_env()
        .format_target(false)
        .init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => ExitCode::from(code),
    }
}

/// Processes every file, goes on after a bad one, and returns the worst exit code.
fn run(arguments: &Arguments) -> Result<(), u8> {
    let mut worst = 0;
    let mut job = one::Job::new(arguments).map_err(|failure| report(&failure))?;
    for (i, input) in arguments.inputs.iter().enumerate() {
        if i > 0 {
            arguments.say(""); // a blank line between two files
        }
        if let Err(failure) = job.run(input) {
            worst = worst.max(report(&failure));
        }
    }
    if worst == 0 { Ok(()) } else { Err(worst) }
}

fn report(failure: &Failure) -> u8 {
    eprintln!("imgcli: {failure}");
    failure.exit_code()
}
