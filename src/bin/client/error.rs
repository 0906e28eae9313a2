//! `CliError`: the reason why a file was not processed, a hint, and the exit code.

use super::print::{BAD, escaped, shown};
use imgsrv::client::ClientError;
use imgsrv::codec::CodecError;
use imgsrv::report::Status;
use imgsrv::spec::{Format, SpecError};
use std::io;
use std::path::PathBuf;

/// The command line is wrong (BSD's `EX_USAGE`).
pub(crate) const EXIT_USAGE: u8 = 64;
const EXIT_NO_INPUT: u8 = 66;
/// No server answered (`EX_UNAVAILABLE`).
pub(crate) const EXIT_UNAVAILABLE: u8 = 69;
const EXIT_IO: u8 = 74;

/// The reason why a file was not processed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{0}")]
    Usage(#[from] SpecError),
    #[error("{0}")]
    Arguments(String),
    #[error("cannot read {}: {source}", shown(path))]
    NoInput { path: PathBuf, source: io::Error },
    #[error("{0} matches no file")]
    NoMatch(String),
    #[error("{}: {}{}", shown(input), escaped(&error.to_string()), hint(error))]
    Server { input: PathBuf, error: ClientError },
    #[error("{}{}", escaped(&error.to_string()), hint(error))]
    Connection { error: ClientError },
    #[error("{}: {}", shown(input), escaped(&error.to_string()))]
    Local { input: PathBuf, error: CodecError },
    #[error("cannot write {}: {source}", shown(path))]
    Output { path: PathBuf, source: io::Error },
    #[error("{} exists already; say --force to replace it", shown(path))]
    Exists { path: PathBuf },
    #[error("{} would be saved as {}, and so would {}; {hint}", shown(input), shown(path), shown(other))]
    Ambiguous { input: PathBuf, path: PathBuf, other: PathBuf, hint: String },
    #[error("{} has the name of a {} file, but the result is {found}: {hint}", shown(path), named.name())]
    WrongName { path: PathBuf, named: Format, found: Format, hint: &'static str },
    #[error("{0}")]
    System(String),
}

impl CliError {
    /// The exit code, after BSD's sysexits.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CliError::Usage(_) | CliError::Arguments(_) | CliError::WrongName { .. } => EXIT_USAGE,
            CliError::NoInput { .. } | CliError::NoMatch(_) => EXIT_NO_INPUT,
            CliError::Server { error, .. } | CliError::Connection { error } => match error {
                ClientError::Broken { .. } | ClientError::Unreachable { .. } => EXIT_UNAVAILABLE,
                error => error.status().exit_code(),
            },
            CliError::Local { error, .. } => error.status().exit_code(),
            CliError::Output { .. } | CliError::Exists { .. } | CliError::Ambiguous { .. } => EXIT_IO,
            CliError::System(_) => Status::Internal.exit_code(),
        }
    }

    /// One word for machines: a status of the protocol where there is one.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            CliError::Usage(_) | CliError::Arguments(_) | CliError::WrongName { .. } => "usage",
            CliError::NoInput { .. } | CliError::NoMatch(_) => "no_input",
            CliError::Server { error, .. } | CliError::Connection { error } => match error {
                ClientError::Unreachable { .. } => "unreachable",
                ClientError::Broken { .. } => "broken",
                error => error.status().word(),
            },
            CliError::Local { error, .. } => error.status().word(),
            CliError::Output { .. } | CliError::System(_) => "io",
            CliError::Exists { .. } => "exists",
            CliError::Ambiguous { .. } => "ambiguous",
        }
    }

    /// Prints the error on standard error and returns the exit code.
    pub(crate) fn report(&self) -> u8 {
        anstream::eprintln!("{BAD}imgcli:{BAD:#} {self}");
        self.exit_code()
    }
}

/// A hint for the next step; empty without one.
fn hint(error: &ClientError) -> String {
    let tip = match error {
        ClientError::Unreachable { source, .. } => match source.kind() {
            io::ErrorKind::ConnectionRefused => {
                "Is the server running? Start it with: imgsrv\n  Or work without one: imgcli --local"
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
                "Something answered and hung up. If the server does not speak TLS, leave --tls out."
            }
            io::ErrorKind::InvalidData if source.to_string().contains("certificate") => {
                "The server's certificate is not trusted: name its authority with --ca FILE, or, for tests only, --insecure-tls."
            }
            io::ErrorKind::InvalidData => {
                "What answers does not speak TLS; leave --tls out, or check the port."
            }
            io::ErrorKind::InvalidInput => "An address is written HOST:PORT, such as 127.0.0.1:65432.",
            _ => "Check the address given with --server, and the network; --retries 5 tries again.",
        },
        ClientError::Refused { report, .. } => match (report.status, report.retry_after_ms) {
            (Status::Unauthorized, _) => "Give the server's token with --token-file FILE or in IMGSRV_TOKEN.",
            (_, Some(ms)) => return format!("\n  Try again in {ms} ms, or with --retries 5."),
            (Status::Busy, None) => "Try again later, or with --retries 5.",
            _ => return String::new(),
        },
        ClientError::Broken { .. } if error.is_lost() => {
            "The server hung up. Its log says why; --retries 5 tries again; if it expects TLS, say --tls."
        }
        ClientError::Broken { .. } => "The server was silent for too long; --timeout gives it more time.",
        _ => return String::new(),
    };
    format!("\n  {tip}")
}
