//! Bytes in, bytes out: tells formats apart, decodes, transforms and encodes one picture.
//!
//! ```text
//! input -> probe, plan -> decode -> upright, crop, resize -> colour -> ops -> encode -> Encoded
//! ```
//! JPEG takes `jpeg`'s planar path wherever it can. Knows no sockets and no wire numbers.

mod bytes; // Bytes: a checked reader.
mod cost; // estimated work of a plan.
mod encoded; // Encoded: the result, its source, times and warnings.
mod error;
mod frames; // an animation from end to end.
mod format; // one file or folder a format: reader and writer.
mod inspect; // what a file says about itself.
pub(crate) mod jpeg; // our own codec.
pub(crate) mod webp; // our own decoder of VP8 key frames.
mod memory; // memory that a plan takes.
mod metadata; // EXIF, XMP, IPTC, ICC: read, and what may leave with a picture.
mod metric; // SSIMULACRA2.
mod picture; // between decode and encode: planes or pixels.
mod plan; // the route of a request.
mod probe;
mod process;
mod quality_search; // the quality that max_bytes or target asks for.
mod scratch;
mod sniff; // formats by their first bytes.
mod source; // a file whose headers have been read.
mod transform; // geometry, resize, colour, orientation, padding, smart crop.

pub use crate::pixels::Channels;
pub use encoded::{Encoded, SourceInfo, StageTimes, Warning, Warnings};
pub use error::CodecError;
pub use inspect::{Classes, EstimatedQuality, Facts, JpegFacts, Profile, inspect};
pub use plan::{Plan, Route, plan};
pub use probe::{Probe, probe};
pub use process::{process, process_planned};
pub use scratch::Scratch;
pub use transform::geometry::{Canvas, Geometry, Orientation, Region, Size};
