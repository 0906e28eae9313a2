//! `Failure`: why a request has no result, and what the peer, the metrics and the log are told.

use crate::engine::JobError;
use crate::net::timed_stream::Stage;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::admission::Denied;
use crate::service::auth::TooManyGuesses;
use crate::service::rates::OverRate;
use crate::spec::SpecError;
use crate::status::Status;
use crate::wire::WireError;
use std::io;
use std::time::Duration;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the image is empty")]
    Empty,
    #[error(transparent)]
    Options(#[from] SpecError),
    #[error("{0} on the binary port: is the client set to the right address?")]
    ForeignProtocol(&'static str),
    #[error("the image is {len} bytes long, the limit is {max}")]
    BodyTooLarge { len: u32, max: u32 },
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    OverRate(#[from] OverRate),
    #[error("{error}")]
    Wire { error: WireError, stage: Stage },
    #[error(transparent)]
    Job(#[from] JobError),
}

impl Failure {
    pub(super) fn status(&self) -> Status {
        match self {
            Failure::Empty | Failure::Options(_) | Failure::ForeignProtocol(_) => Status::BadRequest,
            Failure::BodyTooLarge { .. } => Status::TooLarge,
            Failure::Denied(denied) => denied.status(),
            Failure::OverRate(_) => Status::Busy,
            Failure::Wire { error, .. } if is_overrun(error) => Status::Timeout,
            Failure::Wire { .. } => Status::BadRequest,
            Failure::Job(error) => error.status(),
        }
    }

    pub(super) fn reason(&self) -> RejectReason {
        match self {
            Failure::Empty | Failure::Options(_) => RejectReason::BadRequest,
            Failure::ForeignProtocol(_) => RejectReason::ForeignProtocol,
            Failure::BodyTooLarge { .. } => RejectReason::BodyTooLarge,
            Failure::Denied(denied) => denied.reason(),
            Failure::OverRate(_) => RejectReason::RateLimit,
            Failure::Wire { error, stage } => reason(error, *stage).unwrap_or(RejectReason::HeaderTimeout),
            Failure::Job(error) => error.reason(),
        }
    }

    pub(super) fn report(&self) -> Report {
        let retry_after_ms = |time: Duration| Some(time.as_millis() as u64);
        match self {
            Failure::Job(error) => error.report(),
            Failure::Denied(Denied::Guessing(TooManyGuesses { retry_after }))
            | Failure::OverRate(OverRate { retry_after, .. }) => {
                Report { retry_after_ms: retry_after_ms(*retry_after), ..Report::new(self.status()) }
            }
            _ => Report::new(self.status()),
        }
    }

    /// Whether the connection may go on once the body is read past: the peer is known, sends what it
    /// announced, and only asked for the wrong thing or at the wrong time.
    pub(super) fn is_forgivable(&self) -> bool {
        match self {
            Failure::Empty | Failure::Options(_) | Failure::OverRate(_) | Failure::Job(_) => true,
            Failure::ForeignProtocol(_)
            | Failure::BodyTooLarge { .. }
            | Failure::Denied(_)
            | Failure::Wire { .. } => false,
        }
    }
}

fn is_overrun(error: &WireError) -> bool {
    matches!(error, WireError::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}

/// Why a connection broke in this stage; nothing when it was merely idle for too long.
pub(super) fn reason(error: &WireError, stage: Stage) -> Option<RejectReason> {
    match error {
        error if is_overrun(error) => stage.overrun(),
        WireError::Io(_) => Some(RejectReason::Aborted),
        WireError::Truncated { part: "header", .. } => Some(RejectReason::ShortHeader),
        WireError::Truncated { .. } => Some(RejectReason::Truncated),
        WireError::TooLong { .. } | WireError::Report(_) => Some(RejectReason::BadRequest),
    }
}
