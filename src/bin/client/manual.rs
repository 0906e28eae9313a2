//! `imgcli completions` and `imgcli man`: files that a packager installs beside the program.

use super::arguments::Arguments;
use super::error::CliError;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io;
use std::path::{Path, PathBuf};

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
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "imgcli", &mut script);
    print(&script)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(arguments: &ManArguments) -> Result<u8, CliError> {
    let failed = |path: &Path, source| CliError::Output { path: path.to_owned(), source };
    let command = Arguments::command();
    match &arguments.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir)
                .and_then(|()| clap_mangen::generate_to(command, dir))
                .map_err(|source| failed(dir, source))?;
            Ok(0)
        }
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command).render(&mut page);
            rendered.map_err(|source| failed(Path::new("-"), source))?;
            print(&page)
        }
    }
}

/// A reader that has seen enough, such as `head`, is no failure.
fn print(text: &[u8]) -> Result<u8, CliError> {
    match io::Write::write_all(&mut io::stdout(), text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Output { path: "-".into(), source: error })
        }
        _ => Ok(0),
    }
}
