//! `--open`: the page in the default browser.

use anyhow::Context;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};

/// Program that opens an address in the default browser, and its arguments before the address.
const OPENER: (&str, &[&str]) = if cfg!(windows) {
    ("cmd", &["/C", "start", ""])
} else if cfg!(target_os = "macos") {
    ("open", &[])
} else {
    ("xdg-open", &[])
};

/// Starts a thread that opens the address that it is sent. It must start before the server enters its sandbox, in which a
/// browser could not read its own files.
pub(crate) fn opener() -> anyhow::Result<Sender<String>> {
    let (sender, receiver) = channel::<String>();
    let open = move || {
        let Ok(address) = receiver.recv() else { return };
        let (program, arguments) = OPENER;
        let mut command = Command::new(program);
        command.args(arguments).arg(&address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => log::warn!("cannot open {address} in a browser: {program}: {status}"),
            Err(error) => log::warn!("cannot open {address} in a browser: {program}: {error}"),
        }
    };
    std::thread::Builder::new().name("open".into()).spawn(open).context("cannot start the opener")?;
    Ok(sender)
}

/// Address of the page for a browser of this machine.
pub(crate) fn page_address(listener: SocketAddr, is_tls: bool) -> String {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let scheme = if is_tls { "https" } else { "http" };
    format!("{scheme}://{}/", SocketAddr::new(ip, listener.port()))
}
