//! `Ended`: why a conversation is over, for the peer's close frame, the metrics and the log.

use crate::http::ws::frame::Violation;
use crate::reject_reason::RejectReason;

/// Frames a second that carry nothing: pings, pongs and empty fragments.
pub(super) const IDLE_FRAMES: u32 = 100;

/// Why there is nothing more to read or write.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the peer is gone")]
    Gone,
    #[error("")]
    Closed(Option<u16>),
    #[error("its time is up")]
    Slow,
    #[error("the peer does not take what it is sent")]
    NotTaken,
    #[error(transparent)]
    Broken(#[from] Violation),
    #[error("a text is not UTF-8")]
    NotText,
    #[error("a message is longer than {max} bytes")]
    TooLong { max: u64 },
    #[error("more than {IDLE_FRAMES} frames a second carry nothing")]
    Flood,
    #[error(
        "a valid token is needed: send it as the header 'Authorization: Bearer TOKEN', or as 'token' in the first text"
    )]
    Unauthorized,
    #[error("the peer has been silent for too long")]
    Silent,
    #[error("the server stops")]
    Stopping,
    #[error("the connection has to make room")]
    PutOut,
}

impl Ended {
    /// The code of the close frame, where one can still be sent.
    pub(super) fn close_code(&self) -> Option<u16> {
        match self {
            Ended::Gone | Ended::NotTaken | Ended::PutOut => None,
            Ended::Closed(code) => Some(code.unwrap_or(1000)),
            Ended::Stopping | Ended::Silent => Some(1001),
            Ended::Broken(_) => Some(1002),
            Ended::NotText => Some(1007),
            Ended::Slow | Ended::Flood | Ended::Unauthorized => Some(1008),
            Ended::TooLong { .. } => Some(1009),
        }
    }

    /// The word for metrics and log; nothing for an end that is nobody's fault.
    pub(super) fn reason(&self) -> Option<RejectReason> {
        match self {
            Ended::Gone | Ended::Closed(_) | Ended::Stopping | Ended::PutOut | Ended::Silent => None,
            Ended::Slow => Some(RejectReason::SlowClient),
            Ended::NotTaken => Some(RejectReason::WriteTimeout),
            Ended::Broken(_) | Ended::NotText => Some(RejectReason::BadRequest),
            Ended::Flood => Some(RejectReason::RateLimit),
            Ended::TooLong { .. } => Some(RejectReason::BodyTooLarge),
            Ended::Unauthorized => Some(RejectReason::Unauthorized),
        }
    }
}
