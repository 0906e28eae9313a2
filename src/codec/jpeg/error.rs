//! `JpegError`: why a JPEG cannot be decoded here, by who has to act.

use crate::codec::CodecError;
use crate::format::Format;
use crate::limits::{OutOfMemory, OverLimit, Stopped};

/// Reason why this codec cannot decode a JPEG.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// A valid file of a kind that this decoder does not support. Another decoder may read it.
    #[error("{0} JPEG")]
    NotForUs(Kind),
    /// Damaged so much that no part of the picture can be decoded.
    #[error("{0}")]
    Damaged(&'static str),
    /// Valid, but larger than the limits allow.
    #[error(transparent)]
    TooLarge(#[from] OverLimit),
    /// Stopped early: cancelled, or past its deadline.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The allocator has no memory for this picture now.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Kind of JPEG that this decoder leaves to others: other processes of T.81, and rare layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Arithmetic entropy coding: SOF9 to SOF11.
    Arithmetic,
    /// Lossless prediction: SOF3.
    Lossless,
    /// A sequence of differential frames: DHP, SOF5 to SOF7, SOF13 to SOF15.
    Hierarchical,
    /// More than 8 bits a sample.
    HighPrecision,
    /// A number of components other than 1, 3 or 4.
    ComponentCount(u8),
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Arithmetic => f.write_str("arithmetic-coded"),
            Kind::Lossless => f.write_str("lossless"),
            Kind::Hierarchical => f.write_str("hierarchical"),
            Kind::HighPrecision => f.write_str("high-precision"),
            Kind::ComponentCount(n) => write!(f, "{n}-component"),
        }
    }
}

impl From<JpegError> for CodecError {
    fn from(error: JpegError) -> CodecError {
        match error {
            JpegError::NotForUs(kind) => CodecError::Unsupported(format!("{kind} JPEG is not supported")),
            JpegError::Damaged(reason) => CodecError::damaged(Format::Jpeg, reason),
            JpegError::TooLarge(over) => CodecError::TooLarge(over),
            JpegError::Stopped(stopped) => CodecError::Stopped(stopped),
            JpegError::OutOfMemory(refused) => CodecError::OutOfMemory(refused),
        }
    }
}
