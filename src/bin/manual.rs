//! Completion scripts and manual pages: files that a packager installs beside a program.

use clap::Command;
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::Path;

/// Prints the completion script for a shell.
pub(crate) fn completions(mut command: Command, shell: Shell) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&script)
}

/// Prints the manual page, or writes one for each command into a folder.
pub(crate) fn pages(command: Command, dir: Option<&Path>) -> io::Result<()> {
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir)?;
        return clap_mangen::generate_to(command, dir);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    print(&page)
}

/// A reader that has seen enough, such as `head`, is no failure.
fn print(text: &[u8]) -> io::Result<()> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
