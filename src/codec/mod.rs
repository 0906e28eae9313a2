//! Bytes in, bytes out: tells formats apart, decodes, transforms and encodes one picture.
//!
//! ```text
//! input -> probe -> decode -> upright, crop, resize -> colour -> ops -> encode -> Encoded
//! ```
//! JPEG takes [`jpeg`]'s planar path wherever it can. Knows no sockets and no wire numbers.

mod error;
pub mod geometry;
pub mod jpeg;
mod outcome;

pub use error::CodecError;
pub use outcome::{Encoded, SourceInfo, StageTimes, Warning, Warnings};
