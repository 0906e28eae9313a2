//! `imgsrv health`: asks a running server how it is, for the probes of containers.

use anyhow::{Context, bail};
use imgsrv::client::{Client, ClientError, ClientSettings, Security};
use imgsrv::internals::config::Config;
use imgsrv::internals::net::reachable;
use imgsrv::report::Status;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// Asks at a metrics address, or where the settings put it, or at the binary port.
///
/// # Errors
/// When no good answer comes within two seconds.
pub(crate) fn check(address: Option<&str>, config: &Config) -> anyhow::Result<()> {
    match address.or(config.metrics.as_deref()) {
        Some(address) => ask_http(first(address)?),
        None => ping(config),
    }
}

fn first(address: &str) -> anyhow::Result<SocketAddr> {
    let found = address.to_socket_addrs().with_context(|| address.to_owned())?.next();
    Ok(reachable(found.with_context(|| format!("{address} has no address"))?))
}

fn ask_http(address: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| address.to_string())?;
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
    let security = if config.tls_cert.is_some() { Security::TlsInsecure } else { Security::Plain };
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
