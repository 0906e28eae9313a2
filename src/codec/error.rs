//! `CodecError`: the reasons for having no result, sorted by who has to act.

use crate::format::Format;
use crate::limits::{OutOfMemory, OverLimit, Stopped};
use crate::status::Status;

/// A picture could not be processed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Not an image, or of a kind that is not built in. Another file may work.
    #[error("{0}")]
    Unsupported(String),
    /// The format is known but the data is broken. Sending it again will not help.
    #[error("{format} data is damaged: {reason}")]
    Damaged {
        /// Format that the data claims.
        format: Format,
        /// The fault, for a person.
        reason: String,
    },
    /// Valid, but over a limit of this server, or over the `max_bytes` of the request.
    #[error(transparent)]
    TooLarge(#[from] OverLimit),
    /// The options do not suit this picture. The message names the key and what it accepts.
    #[error("{0}")]
    BadRequest(String),
    /// The caller left, or the deadline passed.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The machine is out of memory now.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// A defect of this program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl CodecError {
    /// Shorthand for [`CodecError::Damaged`].
    pub fn damaged(format: Format, reason: impl ToString) -> CodecError {
        CodecError::Damaged { format, reason: reason.to_string() }
    }

    /// The status that a peer is told.
    pub fn status(&self) -> Status {
        match self {
            CodecError::Unsupported(_) => Status::Unsupported,
            CodecError::Damaged { .. } => Status::Damaged,
            CodecError::TooLarge(_) => Status::TooLarge,
            CodecError::BadRequest(_) => Status::BadRequest,
            CodecError::Stopped(_) => Status::Timeout,
            CodecError::OutOfMemory(_) => Status::Busy,
            CodecError::Internal(_) => Status::Internal,
        }
    }
}
