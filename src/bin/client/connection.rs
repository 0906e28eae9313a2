//! The flags of the connection: addresses, retries, timeouts, token, TLS.

use super::error::CliError;
use clap::Args;
use imgsrv::client::Token;
use imgsrv::client::{Backoff, ClientSettings, Security};
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

/// Addresses of the servers, and how they are trusted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "ServerConnection")]
pub(crate) struct ConnectionArguments {
    /// Address of the server, or unix:PATH of its socket; given several times, the images are shared among them
    #[arg(
        long = "server",
        env = "IMGSRV_SERVER",
        value_delimiter = ',',
        default_value = "127.0.0.1:65432",
        value_name = "HOST:PORT"
    )]
    servers: Vec<String>,

    /// Times to try again when the server cannot be reached or is busy
    #[arg(long, default_value_t = 0, value_name = "N")]
    retries: u32,

    /// Pause before the first retry; doubles from there
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    retry_delay: Duration,

    /// Longest time for a request, and a second more for each 256 KiB of image
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    timeout: Duration,

    /// File with the server's token; the variable IMGSRV_TOKEN holds one as well
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Speak TLS
    #[arg(long)]
    tls: bool,

    /// Speak TLS and trust the authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Speak TLS without a check of the certificate; for tests
    #[arg(long, conflicts_with = "ca")]
    insecure_tls: bool,
}

impl ConnectionArguments {
    /// ClientSettings for each server, at least one.
    pub(crate) fn settings(&self) -> Result<Vec<ClientSettings>, CliError> {
        let token = self.token()?;
        let security = match &self.ca {
            Some(path) => Security::TlsWithCa(path.clone()),
            None if self.insecure_tls => Security::TlsInsecure,
            None if self.tls => Security::Tls,
            None => Security::Plain,
        };
        let servers = self.servers.iter().map(|server| ClientSettings {
            server: server.clone(),
            timeout: self.timeout,
            retries: Backoff { retries: self.retries, delay: self.retry_delay },
            token: token.clone(),
            security: security.clone(),
            ..ClientSettings::default()
        });
        Ok(servers.collect())
    }

    fn token(&self) -> Result<Option<Token>, CliError> {
        let refused =
            |origin: &dyn Display, why: &dyn Display| CliError::Arguments(format!("{origin}: {why}"));
        match &self.token_file {
            Some(path) => Token::read(path).map(Some).map_err(|why| refused(&path.display(), &why)),
            None => match std::env::var("IMGSRV_TOKEN") {
                Ok(text) => Token::new(text.trim())
                    .map(Some)
                    .ok_or_else(|| refused(&"IMGSRV_TOKEN", &"a token is one word of at most 1024 bytes")),
                Err(_) => Ok(None),
            },
        }
    }
}

/// Reads `5s`, `500ms` or `2m`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1e-3),
        None => match text.strip_suffix('m') {
            Some(digits) => (digits, 60.0),
            None => (text.strip_suffix('s').unwrap_or(text), 1.0),
        },
    };
    let seconds = digits.parse::<f64>().ok().filter(|n| (0.0..1e6).contains(n));
    seconds
        .map(|n| Duration::from_secs_f64(n * unit))
        .ok_or_else(|| "a time is written 5s, 500ms or 2m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert!(duration("-1s").is_err() && duration("soon").is_err());
    }
}
