//! `JpegError`: reasons why this codec cannot decode a JPEG, sorted by who has to act.

use crate::limits::{OutOfMemory, OverLimit, Stopped};

/// Reason why this codec cannot decode a JPEG.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// A valid file of a kind that this decoder does not support. Another decoder may read it.
    #[error("{0} JPEG")]
    Unsupported(JpegKind),
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

/// JpegKind of JPEG that this decoder leaves to others: other processes of T.81, and rare layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JpegKind {
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

impl std::fmt::Display for JpegKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JpegKind::Arithmetic => f.write_str("arithmetic-coded"),
            JpegKind::Lossless => f.write_str("lossless"),
            JpegKind::Hierarchical => f.write_str("hierarchical"),
            JpegKind::HighPrecision => f.write_str("high-precision"),
            JpegKind::ComponentCount(n) => write!(f, "{n}-component"),
        }
    }
}
