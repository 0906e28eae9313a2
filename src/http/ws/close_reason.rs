//! `CloseReason`: why a conversation ended, for the close frame, the metrics and the log.

use crate::http::ws::frame::Violation;
use crate::reject_reason::RejectReason;

/// Most frames a second without payload: pings, pongs, empty messages and fragments.
pub(super) const IDLE_FRAMES: u32 = 100;

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseReason {
    #[error("the connection broke")]
    Gone,
    #[error("closed by the peer")]
    Closed(Option<u16>),
    #[error("timed out reading a message (body_timeout, stall_timeout)")]
    SlowMessage,
    #[error("write timed out (write_timeout)")]
    WriteTimeout,
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error("a text is not UTF-8")]
    NotUtf8,
    #[error("a message is longer than {max} bytes")]
    TooLong { max: u64 },
    #[error("more than {IDLE_FRAMES} frames a second carry nothing")]
    Flood,
    #[error(
        "a valid token is needed: send it as the header 'Authorization: Bearer TOKEN', or as 'token' in the first text"
    )]
    Unauthorized,
    #[error("no message and no pong for too long (idle_timeout)")]
    Silent,
    #[error("the server stops")]
    Stopping,
    #[error("evicted: connection limit reached")]
    Evicted,
}

impl CloseReason {
    /// The code of the close frame, where one can still be sent.
    pub(super) fn close_code(&self) -> Option<u16> {
        match self {
            CloseReason::Gone | CloseReason::WriteTimeout | CloseReason::Evicted => None,
            CloseReason::Closed(code) => Some(code.unwrap_or(1000)),
            CloseReason::Stopping | CloseReason::Silent => Some(1001),
            CloseReason::Violation(_) => Some(1002),
            CloseReason::NotUtf8 => Some(1007),
            CloseReason::SlowMessage | CloseReason::Flood | CloseReason::Unauthorized => Some(1008),
            CloseReason::TooLong { .. } => Some(1009),
        }
    }

    /// The word for metrics and log; `None` for an end that is not an error.
    pub(super) fn reject_reason(&self) -> Option<RejectReason> {
        match self {
            CloseReason::Gone
            | CloseReason::Closed(_)
            | CloseReason::Stopping
            | CloseReason::Evicted
            | CloseReason::Silent => None,
            CloseReason::SlowMessage => Some(RejectReason::SlowClient),
            CloseReason::WriteTimeout => Some(RejectReason::WriteTimeout),
            CloseReason::Violation(_) | CloseReason::NotUtf8 => Some(RejectReason::BadRequest),
            CloseReason::Flood => Some(RejectReason::RateLimit),
            CloseReason::TooLong { .. } => Some(RejectReason::BodyTooLarge),
            CloseReason::Unauthorized => Some(RejectReason::Unauthorized),
        }
    }
}
