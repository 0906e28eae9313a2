//! Decoder of VP8 key frames (RFC 6386), the pixels of a lossy WebP, to bands of Y, U and V.
//!
//! ```text
//! chunk -> header -> [ modes -> tokens -> predict + transform ] a row of macroblocks -> (loop filter) -> band
//! ```
//! A frame is never whole in memory: the caller resamples each band before the next one is decoded. Knows no containers and
//! nothing of the rest of the crate but [`crate::limits`].

mod bool_decoder; // BoolDecoder: binary decisions.
mod decoder; // BandDecoder: reconstruction row by row.
mod header; // the frame header.
mod loop_filter; // the simple and the normal filter.
mod modes; // prediction modes.
mod predict; // intra prediction.
mod simd; // the best instruction set of the processor.
mod tables; // constants of the RFC.
mod tokens; // coefficients.
mod transform; // inverse DCT and Walsh-Hadamard transform.

pub use decoder::{Band, BandDecoder, LoopFilter, Rows};
pub use header::{FrameSize, frame_size};

use crate::limits::{OutOfMemory, Stopped};

/// Reason why a frame cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Vp8Error {
    /// The data ends before the frame does.
    #[error("the VP8 data ends early")]
    Truncated,
    /// The data is not that of a key frame.
    #[error("{0}")]
    Damaged(&'static str),
    /// The result is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The machine has no memory left for this frame now.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

#[cfg(test)]
#[cfg(feature = "webp")]
mod tests;
