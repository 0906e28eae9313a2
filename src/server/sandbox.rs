//! The sandbox of a configuration: the files and ports that a serving process keeps.

use crate::config::{Config, Sandbox};
use crate::net::ListenAddress;
use crate::server::ServerError;
use crate::service::sandbox::{AccessRules, Enforcement};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Restricts this thread and the threads that it starts. Left are the folders of tokens and certificates, the folder of
/// `tasks`, and the port of `own`, to which a shutdown connects.
///
/// # Errors
/// When the settings require a sandbox that this system lacks.
pub(super) fn enter(config: &Config, tasks: Option<&Path>, own: &ListenAddress) -> Result<(), ServerError> {
    if config.sandbox == Sandbox::Off {
        return Ok(());
    }
    let mut read = BTreeSet::from([PathBuf::from("/dev/null")]);
    for file in [&config.token_file, &config.tls_cert, &config.tls_key].into_iter().flatten() {
        read.extend(folders(file));
    }
    let write = tasks.map(Path::to_owned).into_iter().collect();
    let rules =
        AccessRules { read: read.into_iter().collect(), write, connect: own.port().into_iter().collect() };
    match (rules.restrict()?, config.sandbox) {
        (Enforcement::Full, _) => log::info!("sandboxed: {}", describe(&rules)),
        (Enforcement::Partial, Sandbox::Required) => {
            return Err(ServerError::SandboxUnavailable(
                "this kernel enforces only a part of the sandbox; give --sandbox=auto to accept that",
            ));
        }
        (Enforcement::Partial, _) => log::info!("sandboxed as far as this kernel can: {}", describe(&rules)),
        (Enforcement::None, Sandbox::Required) => {
            return Err(ServerError::SandboxUnavailable(
                "this system has no Landlock for the sandbox; give --sandbox=auto to serve without",
            ));
        }
        (Enforcement::None, _) => log::info!("no sandbox: this system has no Landlock"),
    }
    Ok(())
}

/// The folder of a file, where it may be replaced before it is read again, and that of the file that it links to.
fn folders(file: &Path) -> impl Iterator<Item = PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let linked = std::fs::canonicalize(file).ok();
    [Some(parent(file)), linked.map(|linked| parent(&linked))].into_iter().flatten()
}

fn describe(rules: &AccessRules) -> String {
    let paths = |paths: &[PathBuf]| {
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        if paths.is_empty() { "nothing".to_owned() } else { paths.join(", ") }
    };
    format!("reads {}, writes {}", paths(&rules.read), paths(&rules.write))
}
