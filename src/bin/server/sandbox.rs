//! The sandbox as the settings want it: what a server needs once it serves, and what is said when the system cannot
//! keep it from the rest.

use anyhow::{Context, bail};
use imgsrv::internals::config::{Config, Sandbox};
use imgsrv::internals::service::sandbox::{Fence, Kept};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Restricts this thread and those that it starts from now on. Listeners must be open, and what is read only once read:
/// left are the folders of tokens and certificates, the folder of `tasks`, and `own_port`, which a stop connects to.
///
/// # Errors
/// When the settings require a sandbox that this system does not have.
pub(crate) fn enter(config: &Config, tasks: Option<&Path>, own_port: u16) -> anyhow::Result<()> {
    if config.sandbox == Sandbox::Off {
        return Ok(());
    }
    let mut read = BTreeSet::from([PathBuf::from("/dev/null")]);
    for file in [&config.token_file, &config.tls_cert, &config.tls_key].into_iter().flatten() {
        read.extend(folders(file));
    }
    let write = tasks.map(Path::to_owned).into_iter().collect();
    let fence = Fence { read: read.into_iter().collect(), write, connect: vec![own_port] };
    match (fence.close().context("cannot enter the sandbox")?, config.sandbox) {
        (Kept::All, _) => log::info!("sandboxed: {}", inside(&fence)),
        (Kept::Part, Sandbox::Required) => {
            bail!("this kernel keeps only a part of the sandbox; give --sandbox=auto if that will do")
        }
        (Kept::Part, _) => log::info!("sandboxed as far as this kernel can: {}", inside(&fence)),
        (Kept::Nothing, Sandbox::Required) => {
            bail!("this system has no Landlock for the sandbox; give --sandbox=auto to serve without")
        }
        (Kept::Nothing, _) => log::info!("no sandbox: this system has no Landlock"),
    }
    Ok(())
}

/// The folder of a file, where it may be replaced before it is read again, and of the file that it links to.
fn folders(file: &Path) -> impl Iterator<Item = PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let linked = std::fs::canonicalize(file).ok();
    [Some(parent(file)), linked.map(|linked| parent(&linked))].into_iter().flatten()
}

fn inside(fence: &Fence) -> String {
    let paths = |paths: &[PathBuf]| {
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        if paths.is_empty() { "nothing".to_owned() } else { paths.join(", ") }
    };
    format!("reads {}, writes {}", paths(&fence.read), paths(&fence.write))
}
