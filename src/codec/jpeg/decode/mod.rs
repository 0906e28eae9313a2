//! The JPEG decoder: Huffman-coded 8-bit pictures, sequential and progressive, to planes at k/8 scale.
//!
//! ```text
//! header -> scans: window (unstuffing) -> bits -> tables -> blocks -> inverse DCT -> rows of planes
//! ```
//! Usage: parse a [`JpegHeader`](super::header::JpegHeader), choose a [`Scale`] for each component, make a
//! [`Decoder`], and call [`Decoder::next_mcu_row`] with room for one row of MCUs until it returns false:
//! ```
//! # use imgsrv::internals::codec::jpeg::decode::{Decoder, PlaneRows, Scale, DecodeScratch};
//! # use imgsrv::internals::codec::jpeg::error::JpegError;
//! # use imgsrv::internals::codec::jpeg::header::JpegHeader;
//! # use imgsrv::limits::Limits;
//! fn luminance(input: &[u8], limits: &Limits, scratch: &mut DecodeScratch) -> Result<Vec<u8>, JpegError> {
//!     let header = JpegHeader::parse(input, limits)?;
//!     let scales = vec![Scale::FULL; header.frame.components().len()];
//!     let mut decoder = Decoder::new(input, &header, &scales, limits, scratch)?;
//!     let planes = decoder.layouts().to_vec();
//!     let mut strips: Vec<_> = planes.iter().map(|p| vec![0; p.strip_len(p.min_stride)]).collect();
//!     let mut picture = Vec::new();
//!     loop {
//!         let rows = strips.iter_mut().zip(&planes);
//!         let mut rows: Vec<_> =
//!             rows.map(|(strip, p)| PlaneRows { samples: strip, stride: p.min_stride }).collect();
//!         if !decoder.next_mcu_row(&mut rows)? {
//!             break;
//!         }
//!         for row in strips[0].chunks_exact(planes[0].min_stride) {
//!             picture.extend_from_slice(&row[..planes[0].width]);
//!         }
//!     }
//!     picture.truncate(planes[0].width * planes[0].height); // the last strip may hold rows below the picture
//!     Ok(picture)
//! }
//! ```
//! A plane covers exactly `extent_x` x `extent_y` samples, which are fractions: the last column and row may
//! show the picture only in part. Resample with these, not with the rounded sizes.
//!
//! Once the first scan has begun, damaged data is no error. The decodable part is decoded, the rest is grey,
//! and [`Decoder::flaws`] reports it. The same bytes always give the same samples.

mod bits;
mod block;
mod coefficients;
mod decoder;
mod kernels;
mod parallel;
mod plane;
mod predictive;
mod progressive;
mod restart;
mod scratch;
mod script;
mod sequential;
mod sink;
mod soundness;
mod store;
mod stored;
mod tables;
mod window;

pub use block::Scale;
pub use coefficients::DecodedCoefficients;
pub use decoder::{DecodedPicture, Decoder, Upper};
pub use parallel::Lower;
pub use plane::{Extent, PlaneLayout, PlaneRows};
pub use predictive::PredictivePicture;
pub use scratch::DecodeScratch;
pub use soundness::{Soundness, soundness};

#[cfg(test)]
pub(in crate::codec::jpeg) mod testing;
#[cfg(test)]
mod tests;

use super::marker::Marker;
use window::ScanReader;

/// Flaws in the data of a picture that was decoded nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flaws {
    /// The data ends early. The missing part is grey.
    pub truncated: bool,
    /// Some data is invalid.
    pub damaged: bool,
}

impl Flaws {
    /// Merges the flaws of a part.
    fn add(&mut self, other: Flaws) {
        self.truncated |= other.truncated;
        self.damaged |= other.damaged;
    }

    /// Records that `reader` ran out of data too early.
    fn data_ended(&mut self, reader: &ScanReader<'_>) {
        match reader.next_marker() {
            None | Some(Marker::EOI) => self.truncated = true,
            Some(_) => self.damaged = true,
        }
    }
}
