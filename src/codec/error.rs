//! `CodecError`: why a picture could not be processed, by who has to act.

use crate::format::Format;
use crate::limits::{OutOfMemory, Stopped};
use crate::status::Status;

/// Why a picture could not be processed.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Not an image, or of a kind that is not built in. Another file may work.
    #[error("{0}")]
    Unsupported(String),
    /// The format is known but the data is broken. Sending it again will not help.
    #[error("{format} data is damaged: {reason}")]
    Damaged {
        /// What the data claims to be.
        format: Format,
        /// What is wrong with it, for a person.
        reason: String,
    },
    /// Valid, but larger than the operator of this server allows.
    #[error("{what} is {value}, the limit is {max}")]
    TooLarge {
        /// Which quantity, with its unit.
        what: &'static str,
        /// How much it is.
        value: u64,
        /// How much it may be.
        max: u64,
    },
    /// The options do not suit this picture. The message names the key and what it accepts.
    #[error("{0}")]
    BadRequest(String),
    /// The result is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The machine has no memory left for this request now.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// A defect of ours.
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
            CodecError::TooLarge { .. } => Status::TooLarge,
            CodecError::BadRequest(_) => Status::BadRequest,
            CodecError::Stopped(_) => Status::Timeout,
            CodecError::OutOfMemory(_) => Status::Busy,
            CodecError::Internal(_) => Status::Internal,
        }
    }
}
