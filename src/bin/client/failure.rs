//! Why a file was not processed, what to try, and the exit code that says so.

use imgsrv::client::ClientError;
use imgsrv::codec::CodecError;
use imgsrv::spec::SpecError;
use std::io;
use std::path::PathBuf;

/// The command line is wrong (BSD's `EX_USAGE`).
pub(crate) const EXIT_USAGE: u8 = 64;
const EXIT_NO_INPUT: u8 = 66;
const EXIT_UNAVAILABLE: u8 = 69;
const EXIT_IO: u8 = 74;

/// Why a file was not processed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(#[from] SpecError),
    #[error("{0}")]
    Arguments(String),
    #[error("cannot read {}: {source}", path.display())]
    NoInput { path: PathBuf, source: io::Error },
    #[error("{}: {}{}", input.display(), error, hint(error))]
    Server { input: PathBuf, error: ClientError },
    #[error("{}: {error}", input.display())]
    Local { input: PathBuf, error: CodecError },
    #[error("cannot write {}: {source}", path.display())]
    Output { path: PathBuf, source: io::Error },
    #[error("{} exists already; say --force to replace it", path.display())]
    Exists { path: PathBuf },
}

impl Failure {
    /// The exit code, after BSD's sysexits.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::Arguments(_) => EXIT_USAGE,
            Failure::NoInput { .. } => EXIT_NO_INPUT,
            Failure::Server {
                error: ClientError::Broken { .. } | ClientError::Unreachable { .. }, ..
            } => EXIT_UNAVAILABLE,
            Failure::Server { error, .. } => error.status().exit_code(),
            Failure::Local { error, .. } => error.status().exit_code(),
            Failure::Output { .. } | Failure::Exists { .. } => EXIT_IO,
        }
    }
}

/// What to try next, where there is something.
fn hint(error: &ClientError) -> String {
    match error {
        ClientError::Unreachable { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
            "\n  Is the server running? Start it with: imgsrv\n  Or work without one: imgcli --local"
                .to_owned()
        }
        ClientError::Unreachable { .. } => {
            "\n  Check the address given with --server, and the network.".to_owned()
        }
        ClientError::Refused { report, .. } => match report.retry_after_ms {
            Some(ms) => format!("\n  Try again in {ms} ms, or with --retries 5."),
            None => String::new(),
        },
        ClientError::Broken { .. } => {
            "\n  The server's log says why; --timeout gives it more time.".to_owned()
        }
        ClientError::TooLong(_) => String::new(),
    }
}
