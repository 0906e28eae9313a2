//! `RequestError`: why a request has no result, and its one mapping to status, metrics, retry hint and HTTP.

use crate::codec::CodecError;
use crate::engine::JobError;
use crate::net::TimeoutKind;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::auth::Denied;
use crate::service::connections::ConnectionLimit;
use crate::service::rates::OverRate;
use crate::spec::SpecError;
use crate::status::Status;
use std::io;
use std::time::Duration;

/// Why a request has no result. The mappings below have no `_` arm, so a new cause needs a decision in each.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    // The caller must change the request.
    /// Bytes or fields that the protocol does not allow.
    #[error("{0}")]
    Malformed(String),
    /// Another protocol on this port.
    #[error("{0} on the binary port: is the client set to the right address?")]
    ForeignProtocol(&'static str),
    /// Options that cannot be understood.
    #[error(transparent)]
    Options(#[from] SpecError),
    /// No image.
    #[error("the image is empty")]
    Empty,
    /// More bytes than `max_body`.
    #[error("the body is longer than {max} bytes (max_body)")]
    BodyTooLarge {
        /// The limit, in bytes.
        max: u64,
    },
    /// Nothing at this path.
    #[error("there is nothing at {0:?}: see /openapi.json for what there is")]
    NoSuchPath(String),
    /// A method that the path does not have.
    #[error("{0} is not possible here: see the header Allow")]
    NoSuchMethod(String),
    /// A head with more bytes or fields than allowed.
    #[error("the head of the request is longer than 64 KiB or has more than 100 fields")]
    HeadTooLarge,

    // The caller may not ask.
    /// No valid token.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A page of another origin.
    #[error("origin {0} not allowed; see --cors-origin")]
    ForeignOrigin(String),
    /// A host name that this server does not answer to.
    #[error(
        "host {0:?} not allowed; name it in allowed_hosts (--allowed-hosts) if this server is to answer to it"
    )]
    ForeignHost(String),

    // The caller must wait.
    /// Over the caller's rate.
    #[error(transparent)]
    OverRate(#[from] OverRate),
    /// Over the limit of connections.
    #[error(transparent)]
    Connections(#[from] ConnectionLimit),
    /// Another caller needs the memory that this slow body holds.
    #[error(
        "the body was slower than {slow} bytes a second (slow_body) while other callers needed its memory, try again later"
    )]
    GaveWay {
        /// The limit, in bytes a second.
        slow: u64,
    },
    /// The system has no threads or descriptors left.
    #[error("the server has no threads left, try again later")]
    Overloaded,

    // The connection failed.
    /// A deadline passed.
    #[error("{}", kind.message(*after))]
    Timeout {
        /// The deadline.
        kind: TimeoutKind,
        /// Its limit.
        after: Duration,
    },
    /// The peer left within a request.
    #[error("the peer closed the connection after {got} of {want} bytes of the {part}")]
    Truncated {
        /// The part that it was sending.
        part: &'static str,
        /// Bytes that arrived.
        got: u64,
        /// Bytes that were announced.
        want: u64,
    },
    /// The body ended in an error of its protocol.
    #[error("the body ended early")]
    BrokenBody,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The client took its request back.
    #[error("cancelled by the client")]
    Cancelled,

    // The engine has no result.
    /// The image, the queue, the deadline or the codec.
    #[error(transparent)]
    Job(#[from] JobError),

    // Tasks.
    /// Unknown, expired, or of another owner: the answer does not tell which.
    #[error("there is no such task: its result may have expired")]
    NoSuchTask,
    /// A task without a result yet.
    #[error("the task is {0}: ask /status/ID, or listen to /status/ID/events")]
    TaskNotDone(&'static str),
    /// A task that failed, with its status and message.
    #[error("{message}")]
    TaskFailed {
        /// Status of the task.
        status: Status,
        /// Its message.
        message: String,
    },
    /// No room for another task.
    #[error("{0}")]
    StorageFull(String),
    /// The machines that keep tasks do not answer.
    #[error("{0}")]
    StoreAway(String),
    /// A server without tasks.
    #[error("tasks are off on this server: its operator can turn them on with --data-dir DIR")]
    TasksOff,
}

impl From<CodecError> for RequestError {
    fn from(error: CodecError) -> Self {
        RequestError::Job(error.into())
    }
}

impl RequestError {
    /// Status of the reply, the same in each protocol.
    pub fn status(&self) -> Status {
        match self {
            RequestError::Malformed(_)
            | RequestError::ForeignProtocol(_)
            | RequestError::Options(_)
            | RequestError::Empty
            | RequestError::NoSuchPath(_)
            | RequestError::NoSuchMethod(_)
            | RequestError::HeadTooLarge
            | RequestError::Truncated { .. }
            | RequestError::BrokenBody
            | RequestError::Io(_)
            | RequestError::TaskNotDone(_)
            | RequestError::TasksOff => Status::BadRequest,
            RequestError::NoSuchTask => Status::NotFound,
            RequestError::BodyTooLarge { .. } => Status::TooLarge,
            RequestError::ForeignOrigin(_) | RequestError::ForeignHost(_) => Status::Unauthorized,
            RequestError::Denied(denied) => denied.status(),
            RequestError::OverRate(_)
            | RequestError::Connections(_)
            | RequestError::GaveWay { .. }
            | RequestError::Overloaded
            | RequestError::StoreAway(_) => Status::Busy,
            RequestError::Timeout { .. } | RequestError::Cancelled => Status::Timeout,
            RequestError::Job(error) => error.status(),
            RequestError::TaskFailed { status, .. } => *status,
            RequestError::StorageFull(_) => Status::StorageFull,
        }
    }

    /// Word for metrics and log.
    pub fn reject_reason(&self) -> RejectReason {
        match self {
            RequestError::ForeignProtocol(_) => RejectReason::ForeignProtocol,
            RequestError::Malformed(_)
            | RequestError::Options(_)
            | RequestError::Empty
            | RequestError::NoSuchPath(_)
            | RequestError::NoSuchMethod(_)
            | RequestError::HeadTooLarge
            | RequestError::NoSuchTask
            | RequestError::TaskNotDone(_)
            | RequestError::TaskFailed { .. }
            | RequestError::TasksOff => RejectReason::BadRequest,
            RequestError::BodyTooLarge { .. } => RejectReason::BodyTooLarge,
            RequestError::Denied(denied) => denied.reject_reason(),
            RequestError::ForeignOrigin(_) | RequestError::ForeignHost(_) => RejectReason::ForeignOrigin,
            RequestError::OverRate(_) => RejectReason::RateLimit,
            RequestError::Connections(limit) => limit.reject_reason(),
            RequestError::GaveWay { .. } => RejectReason::GaveWay,
            RequestError::Overloaded => RejectReason::Starved,
            RequestError::Timeout { kind, .. } => match kind {
                TimeoutKind::Idle | TimeoutKind::Header => RejectReason::HeaderTimeout,
                TimeoutKind::Body | TimeoutKind::Stall => RejectReason::SlowClient,
                TimeoutKind::Write => RejectReason::WriteTimeout,
            },
            RequestError::Truncated { .. } | RequestError::BrokenBody => RejectReason::Truncated,
            RequestError::Io(_) => RejectReason::Aborted,
            RequestError::Cancelled => RejectReason::Abandoned,
            RequestError::Job(error) => error.reason(),
            RequestError::StorageFull(_) => RejectReason::StorageFull,
            RequestError::StoreAway(_) => RejectReason::StoreAway,
        }
    }

    /// Time after which trying again may help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            RequestError::Job(JobError::Busy { retry_after, .. }) => Some(*retry_after),
            RequestError::OverRate(over) => Some(over.retry_after),
            RequestError::Denied(denied) => denied.retry_after(),
            RequestError::Connections(_) | RequestError::GaveWay { .. } | RequestError::Overloaded => {
                Some(Duration::from_secs(1))
            }
            // An election of the cluster takes two to six seconds.
            RequestError::StoreAway(_) => Some(Duration::from_secs(5)),
            RequestError::Job(JobError::Abandoned | JobError::Codec(_) | JobError::Panicked)
            | RequestError::Malformed(_)
            | RequestError::ForeignProtocol(_)
            | RequestError::Options(_)
            | RequestError::Empty
            | RequestError::BodyTooLarge { .. }
            | RequestError::NoSuchPath(_)
            | RequestError::NoSuchMethod(_)
            | RequestError::HeadTooLarge
            | RequestError::ForeignOrigin(_)
            | RequestError::ForeignHost(_)
            | RequestError::Timeout { .. }
            | RequestError::Truncated { .. }
            | RequestError::BrokenBody
            | RequestError::Io(_)
            | RequestError::Cancelled
            | RequestError::NoSuchTask
            | RequestError::TaskNotDone(_)
            | RequestError::TaskFailed { .. }
            | RequestError::StorageFull(_)
            | RequestError::TasksOff => None,
        }
    }

    /// HTTP status code: that of the status, where HTTP has no better one.
    pub fn http_status(&self) -> u16 {
        match self {
            RequestError::NoSuchPath(_) | RequestError::NoSuchTask => 404,
            RequestError::NoSuchMethod(_) => 405,
            RequestError::HeadTooLarge => 431,
            RequestError::ForeignOrigin(_) => 403,
            RequestError::ForeignHost(_) => 421,
            RequestError::Denied(Denied::Guessing(_)) | RequestError::OverRate(_) => 429,
            RequestError::Timeout { kind: TimeoutKind::Idle | TimeoutKind::Header, .. } => 408,
            RequestError::TaskNotDone(_) => 409,
            RequestError::TasksOff => 501,
            RequestError::Malformed(_)
            | RequestError::ForeignProtocol(_)
            | RequestError::Options(_)
            | RequestError::Empty
            | RequestError::BodyTooLarge { .. }
            | RequestError::Denied(Denied::Unauthorized | Denied::TokenInClear)
            | RequestError::Connections(_)
            | RequestError::GaveWay { .. }
            | RequestError::Overloaded
            | RequestError::Timeout {
                kind: TimeoutKind::Body | TimeoutKind::Stall | TimeoutKind::Write,
                ..
            }
            | RequestError::Truncated { .. }
            | RequestError::BrokenBody
            | RequestError::Io(_)
            | RequestError::Cancelled
            | RequestError::Job(_)
            | RequestError::TaskFailed { .. }
            | RequestError::StorageFull(_)
            | RequestError::StoreAway(_) => self.status().http(),
        }
    }

    /// Returns true if the connection may go on once the rest of the body is discarded: the peer is known, sends what
    /// it announced, and only asked for the wrong thing or at the wrong time.
    pub fn keeps_connection(&self) -> bool {
        match self {
            RequestError::Options(_)
            | RequestError::Empty
            | RequestError::OverRate(_)
            | RequestError::Job(_)
            | RequestError::NoSuchPath(_)
            | RequestError::NoSuchMethod(_)
            | RequestError::ForeignOrigin(_)
            | RequestError::NoSuchTask
            | RequestError::TaskNotDone(_)
            | RequestError::TaskFailed { .. }
            | RequestError::StorageFull(_)
            | RequestError::StoreAway(_)
            | RequestError::Overloaded
            | RequestError::Cancelled
            | RequestError::TasksOff => true,
            RequestError::Malformed(_)
            | RequestError::ForeignProtocol(_)
            | RequestError::BodyTooLarge { .. }
            | RequestError::HeadTooLarge
            | RequestError::Denied(_)
            | RequestError::ForeignHost(_)
            | RequestError::Connections(_)
            | RequestError::GaveWay { .. }
            | RequestError::Timeout { .. }
            | RequestError::Truncated { .. }
            | RequestError::BrokenBody
            | RequestError::Io(_) => false,
        }
    }

    /// What a reply tells beside the message.
    pub fn report(&self) -> Report {
        Report {
            retry_after_ms: self.retry_after().map(|time| time.as_millis() as u64),
            ..Report::new(self.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::BusyCause;
    use crate::service::guesses::TooManyGuesses;

    #[test]
    fn each_cause_has_one_answer_for_all_protocols() {
        let hint = Duration::from_millis(250);
        let busy = RequestError::Job(JobError::Busy { cause: BusyCause::Places, retry_after: hint });
        let guessing = RequestError::Denied(Denied::Guessing(TooManyGuesses { retry_after: hint }));
        let slow = RequestError::Timeout { kind: TimeoutKind::Stall, after: hint };
        let late = RequestError::Timeout { kind: TimeoutKind::Header, after: hint };
        for (error, status, reason, retry, http) in [
            (busy, Status::Busy, RejectReason::QueueFull, Some(hint), 503),
            (guessing, Status::Busy, RejectReason::Guessing, Some(hint), 429),
            (Denied::Unauthorized.into(), Status::Unauthorized, RejectReason::Unauthorized, None, 401),
            (slow, Status::Timeout, RejectReason::SlowClient, None, 504),
            (late, Status::Timeout, RejectReason::HeaderTimeout, None, 408),
            (RequestError::NoSuchTask, Status::NotFound, RejectReason::BadRequest, None, 404),
            (RequestError::BodyTooLarge { max: 1 }, Status::TooLarge, RejectReason::BodyTooLarge, None, 413),
        ] {
            assert_eq!(error.status(), status, "{error}");
            assert_eq!(error.reject_reason(), reason, "{error}");
            assert_eq!(error.retry_after(), retry, "{error}");
            assert_eq!(error.report().retry_after_ms, retry.map(|time| time.as_millis() as u64), "{error}");
            assert_eq!(error.http_status(), http, "{error}");
        }
    }
}
