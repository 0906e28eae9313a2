//! `imgsrv health`: asks a running server how it is, for the probes of containers.

use anyhow::{Context, bail};
use imgsrv::client::{Client, ClientError, ClientSettings, Security};
use imgsrv::internals::config::Config;
use imgsrv::internals::net::{ListenAddress, reachable};
use imgsrv::report::Status;
use std::io::{Read, Write};
use std::net::ToSocketAddrs;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// Asks at a metrics address, or where the settings put it, or at the binary port.
///
/// # Errors
/// When no good answer comes within two seconds.
pub(crate) fn check(address: Option<&str>, config: &Config) -> anyhow::Result<()> {
    match address.or(config.metrics.as_deref()) {
        Some(address) => ask_http(&first(address)?),
        None => ping(config),
    }
}

fn first(address: &str) -> anyhow::Result<ListenAddress> {
    if let Some(unix) = ListenAddress::unix(address) {
        return Ok(unix);
    }
    let found = address.to_socket_addrs().with_context(|| address.to_owned())?.next();
    let found = found.with_context(|| format!("{address} has no address"))?;
    Ok(ListenAddress::Tcp(reachable(found)))
}

fn ask_http(address: &ListenAddress) -> anyhow::Result<()> {
    let mut socket = address.connect(PATIENCE).with_context(|| address.to_string())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: imgsrv\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.take(4096).read_to_string(&mut answer)?;
    match answer.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        _ => bail!("{address} answers {:?}", answer.lines().next().unwrap_or_default()),
    }
}

/// A server that wants a token, or is too busy for this probe, is well.
fn ping(config: &Config) -> anyhow::Result<()> {
    let is_tls = config.tls_cert.is_some() && ListenAddress::unix(&config.bind).is_none();
    let security = if is_tls { Security::TlsInsecure } else { Security::Plain };
    let server = first(&config.bind)?.to_string();
    let settings = ClientSettings {
        server,
        security,
        connect_timeout: PATIENCE,
        timeout: PATIENCE,
        ..ClientSettings::default()
    };
    match Client::connect(&settings).and_then(|mut client| client.ping()) {
        Ok(_) => Ok(()),
        Err(ClientError::Refused { report, .. })
            if matches!(report.status, Status::Unauthorized | Status::Busy) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
