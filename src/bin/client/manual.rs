//! `imgcli completions` and `imgcli man`.

use super::arguments::Arguments;
use super::error::CliError;
use crate::manual;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// Print a completion script.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell it is for
    shell: Shell,
}

/// Print the manual.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Folder for a page for each command, instead of one on standard output
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the completion script for a shell.
pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<u8, CliError> {
    let printed = manual::completions(Arguments::command(), arguments.shell);
    printed.map_err(|source| CliError::Output { path: "-".into(), source })?;
    Ok(0)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(arguments: &ManArguments) -> Result<u8, CliError> {
    let dir = arguments.dir.as_deref();
    let path = || dir.map_or_else(|| "-".into(), PathBuf::from);
    manual::pages(Arguments::command(), dir).map_err(|source| CliError::Output { path: path(), source })?;
    Ok(0)
}
