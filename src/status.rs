//! `Status`: the eleven outcomes of a request, one word for report, HTTP body, metric label and log line.

use std::fmt;
use std::str::FromStr;

/// Outcome of a request. Each variant tells who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The result follows.
    Ok,
    /// The header or the options cannot be understood: the caller must change the request.
    BadRequest,
    /// The token is missing or wrong.
    Unauthorized,
    /// No such task, or one of another owner.
    NotFound,
    /// More bytes or pixels than the server's limits, in or out.
    TooLarge,
    /// Not an image, or a format that this build lacks.
    Unsupported,
    /// The format is known but the data is broken: sending it again will not help.
    Damaged,
    /// Queue or memory budget full: try again later.
    Busy,
    /// A deadline passed (read, queue or processing).
    Timeout,
    /// No room on disk for a task: the operator must add some, or results must expire.
    StorageFull,
    /// A defect of ours; the worker survived.
    Internal,
}

impl Status {
    /// Every status, in the order of the protocol document.
    pub const ALL: [Status; 11] = [
        Status::Ok,
        Status::BadRequest,
        Status::Unauthorized,
        Status::NotFound,
        Status::TooLarge,
        Status::Unsupported,
        Status::Damaged,
        Status::Busy,
        Status::Timeout,
        Status::StorageFull,
        Status::Internal,
    ];

    /// Word on the wire, in logs and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::BadRequest => "bad_request",
            Status::Unauthorized => "unauthorized",
            Status::NotFound => "not_found",
            Status::TooLarge => "too_large",
            Status::Unsupported => "unsupported",
            Status::Damaged => "damaged",
            Status::Busy => "busy",
            Status::Timeout => "timeout",
            Status::StorageFull => "storage_full",
            Status::Internal => "internal",
        }
    }

    /// HTTP status code.
    pub fn http(self) -> u16 {
        match self {
            Status::Ok => 200,
            Status::BadRequest => 400,
            Status::Unauthorized => 401,
            Status::NotFound => 404,
            Status::TooLarge => 413,
            Status::Unsupported => 415,
            Status::Damaged => 422,
            Status::Busy => 503,
            Status::Timeout => 504,
            Status::StorageFull => 507,
            Status::Internal => 500,
        }
    }

    /// Exit code of `imgcli` for this status, after BSD's sysexits.
    pub fn exit_code(self) -> u8 {
        match self {
            Status::Ok => 0,
            Status::BadRequest | Status::NotFound => 64,
            Status::TooLarge | Status::Unsupported | Status::Damaged => 65,
            Status::Busy | Status::Timeout | Status::StorageFull => 69,
            Status::Internal => 70,
            Status::Unauthorized => 77,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Status::ALL.into_iter().find(|status| status.word() == word).ok_or(UnknownStatus)
    }
}

/// The word is none of the eleven statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a status word")]
pub struct UnknownStatus;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_as_its_status() {
        for status in Status::ALL {
            assert_eq!(status.word().parse(), Ok(status));
        }
        assert_eq!("fine".parse::<Status>(), Err(UnknownStatus));
    }
}
