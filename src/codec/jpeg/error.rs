//! `JpegError`: why a JPEG cannot be decoded here, by who has to act.

use crate::codec::CodecError;
use crate::format::Format;
use crate::limits::{OutOfMemory, OverLimit, Stopped};

/// Why a JPEG cannot be decoded here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// A sound file of a kind that this decoder leaves to others. Another decoder may read it.
    #[error("{0} JPEG")]
    NotForUs(Kind),
    /// Nothing of the picture can be decoded.
    #[error("{0}")]
    Damaged(&'static str),
    /// Valid, but larger than the limits allow.
    #[error(transparent)]
    TooLarge(#[from] OverLimit),
    /// The result is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The machine has no memory left for this picture now.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// What this decoder leaves to others: the other processes of T.81, and layouts that hardly occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Arithmetic entropy coding: SOF9, SOF10 and their kin.
    Arithmetic,
    /// Lossless prediction: SOF3.
    Lossless,
    /// A sequence of differential frames: DHP, SOF5 to SOF7, SOF13 to SOF15.
    Hierarchical,
    /// More than 8 bits a sample.
    HighPrecision,
    /// Fewer or more than 1, 3 or 4 components.
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
