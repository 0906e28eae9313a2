//! One file or folder a format: reads its header, metadata and pixels, and writes what is written.

#[cfg(feature = "avif")]
mod avif;
pub(in crate::codec) mod encode;
mod gif;
mod ico;
mod jpeg;
mod png;
mod simple;
mod tiff;
mod webp;

pub(in crate::codec) use jpeg::decode::probe_read as jpeg_probe;

use crate::codec::encoded::Warnings;
use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Pixels;

/// A decoded picture, as stored: not yet upright.
#[derive(Debug)]
pub(in crate::codec) struct Decoded {
    /// Its pixels, sRGB or whatever the profile says.
    pub(in crate::codec) pixels: Pixels,
    /// What went missing on the way.
    pub(in crate::codec) warnings: Warnings,
}

/// What to do about data that ends early or is damaged in places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Tolerance {
    /// Use what could be decoded, with a warning.
    Lenient,
    /// Refuse it.
    Strict,
}

/// Reads the header.
pub(in crate::codec) fn probe(format: Format, input: &[u8]) -> Result<Probe, CodecError> {
    match format {
        Format::Jpeg => jpeg::decode::probe(input),
        Format::Png => png::probe(input),
        Format::WebP => webp::probe(input),
        Format::Tiff => tiff::probe(input),
        Format::Gif => gif::probe(input),
        Format::Ico => ico::probe(input),
        Format::Bmp | Format::Qoi | Format::Pnm | Format::Tga => simple::probe(format, input),
        Format::Avif => Err(CodecError::Unsupported("AVIF is not supported".into())),
    }
}

/// Finds what stands beside the pixels. Blocks that cannot be read are left out.
pub(in crate::codec) fn metadata(format: Format, input: &[u8]) -> Metadata<'_> {
    match format {
        Format::Jpeg => jpeg::decode::metadata(input),
        Format::Png => png::metadata(input),
        Format::WebP => webp::metadata(input),
        Format::Tiff => tiff::metadata(input),
        Format::Gif => gif::metadata(input),
        Format::Bmp | Format::Qoi => simple::metadata(format, input),
        Format::Pnm | Format::Ico | Format::Tga | Format::Avif => Metadata::default(),
    }
}

/// Decodes the pixels of the file that `probe` describes.
///
/// # Errors
/// [`CodecError::Damaged`] when nothing can be decoded, or not all of it and `tolerance` is strict.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    limits.cancel.check()?;
    match probe.format {
        Format::Jpeg => jpeg::decode::decode(input, probe, tolerance, limits),
        Format::Png => png::decode::decode(input, probe, tolerance, limits, frames),
        Format::WebP => webp::decode(input, probe, limits, frames),
        Format::Tiff => tiff::decode(input, probe, tolerance, limits),
        Format::Ico => ico::decode(input, probe, tolerance, limits, frames),
        _ => simple::decode(input, probe, limits),
    }
}
