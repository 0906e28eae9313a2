//! Bytes in, bytes out: tells formats apart, decodes, transforms and encodes one picture.
//!
//! ```text
//! input -> probe, plan -> decode -> upright, crop, resize -> colour -> ops -> encode -> Encoded
//! ```
//! JPEG takes [`jpeg`]'s planar path wherever it can. Knows no sockets and no wire numbers.

mod attention; // where a picture has the most to look at.
mod bytes; // Bytes: a checked reader.
mod colour; // profiles to sRGB.
mod decode; // one file a format.
mod directory; // tags of TIFF files and EXIF blocks.
mod encode; // one file a format.
mod error;
mod exif; // orientation, and what goes from file to file.
pub mod geometry; // from the asked size to where each pixel comes from.
mod inspect; // what a file says about itself.
mod iptc; // who owns a picture, in Photoshop's resources.
pub mod jpeg; // our own codec.
mod linear; // sRGB to linear light.
mod memory; // how much a plan takes.
mod metadata; // what may leave with a picture.
mod metric; // SSIMULACRA2.
mod outcome;
mod ownership; // artist and copyright, wherever they are said.
mod picture; // between decode and encode: planes or pixels.
mod plan; // which way a request takes.
mod planar; // the fast path of JPEG sources.
mod place; // turns, padding, background.
mod probe;
mod process;
mod rate; // the quality that max_bytes or target asks for.
mod resize; // interleaved pixels.
mod scratch;
mod sniff; // formats by their first bytes.
mod source; // a file whose headers have been read.
mod transform; // decode, resize, colour, operations.
mod xmp; // orientation and owner in XMP.

pub use error::CodecError;
pub use inspect::{Classes, EstimatedQuality, Facts, JpegFacts, Profile, inspect};
pub use outcome::{Encoded, SourceInfo, StageTimes, Warning, Warnings};
pub use plan::{Plan, Route, plan};
pub use probe::{Probe, probe};
pub use process::{process, process_planned};
pub use scratch::Scratch;
