//! The sandbox of a configuration: the files and ports that a serving process keeps.

use crate::config::{Config, Sandbox};
use crate::net::ListenAddress;
use crate::server::ServerError;
use crate::service::sandbox::{AccessRules, Enforcement};
use crate::service::syscall_filter::SyscallFilter;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Restricts this thread and the threads that it starts. Left are the folders of tokens and certificates, the folder of
/// `tasks`, the port of `own`, to which a shutdown connects, and what a connection to NATS needs if there is one.
///
/// # Errors
/// When the settings require a sandbox that this system lacks.
pub(super) fn enter(
    file: Option<&Path>,
    config: &Config,
    tasks: Option<&Path>,
    own: Option<&ListenAddress>,
) -> Result<(), ServerError> {
    if config.sandbox == Sandbox::Off {
        return Ok(());
    }
    let mut read = BTreeSet::from([PathBuf::from("/dev/null")]);
    // The presets are read again on SIGHUP.
    read.extend(file.into_iter().flat_map(folders));
    let Config { token_file, tls_cert, tls_key, nats_creds, nats_ca, nats_cert, nats_key, .. } = config;
    for file in
        [token_file, tls_cert, tls_key, nats_creds, nats_ca, nats_cert, nats_key].into_iter().flatten()
    {
        read.extend(folders(file));
    }
    let mut connect: Vec<u16> = own.and_then(ListenAddress::port).into_iter().collect();
    if let Some(servers) = &config.nats {
        read.extend(RESOLVER.iter().filter_map(|path| std::fs::canonicalize(path).ok()));
        connect.push(DNS_PORT);
        connect.extend(servers.split(',').map(port));
    }
    let write = tasks.map(Path::to_owned).into_iter().collect();
    let rules = AccessRules { read: read.into_iter().collect(), write, connect };
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
        (Enforcement::None, _) => log::info!("no sandbox of files and ports: this system has no Landlock"),
    }
    match (SyscallFilter { resolves_names: config.nats.is_some() }.install(), config.sandbox) {
        (Ok(true), _) => log::info!("system calls are filtered"),
        (Ok(false), Sandbox::Required) => {
            return Err(ServerError::SandboxUnavailable(
                "this system has no filter of system calls for the sandbox; give --sandbox=auto to serve without",
            ));
        }
        (Err(error), Sandbox::Required) => return Err(error.into()),
        (Ok(false), _) => log::info!("system calls are not filtered: this system has no filter"),
        (Err(error), _) => log::info!("system calls are not filtered: {error}"),
    }
    Ok(())
}

/// Files by which the system resolves host names and knows certificate authorities, where it has them.
const RESOLVER: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/ssl",
    "/etc/pki",
    "/usr/share/ca-certificates",
    "/usr/lib",
    "/lib",
    "/lib64",
];

/// Port of a resolver that is asked over TCP.
const DNS_PORT: u16 = 53;

/// Port of a NATS server whose address has none.
const NATS_PORT: u16 = 4222;

/// The port of `nats://host:port`.
fn port(address: &str) -> u16 {
    let port = address.trim().rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok());
    port.unwrap_or(NATS_PORT)
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
