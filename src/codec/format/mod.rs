//! One file or folder a format, its decoder and encoder together; this file chooses among them.

pub(in crate::codec) mod animation;
#[cfg(feature = "avif")]
mod avif;
mod bmp;
pub(in crate::codec) mod encode;
mod gif;
mod ico;
mod jpeg;
mod palette;
mod png;
mod simple;
mod tiff;
mod webp;

pub(in crate::codec) use jpeg::decode::probe_read as jpeg_probe;
pub(in crate::codec) use webp::encode::memory as webp_memory;

use crate::codec::encoded::Warnings;
use crate::codec::error::CodecError;
use crate::codec::format::jpeg::decode::StoredInks;
use crate::codec::metadata::Metadata;
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Pixels;

/// A decoded picture as it is stored, not yet upright.
#[derive(Debug)]
pub(in crate::codec) struct Decoded {
    /// Its pixels, in the colours of the profile.
    pub(in crate::codec) pixels: Pixels,
    /// Losses of the decoding.
    pub(in crate::codec) warnings: Warnings,
}

/// The treatment of data that ends early or is damaged in places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Tolerance {
    /// Use what could be decoded, with a warning.
    Lenient,
    /// Refuse it.
    Strict,
}

/// The VP8 key frame of an opaque still WebP; `None` for all other files.
pub(in crate::codec) fn key_frame(format: Format, input: &[u8]) -> Option<&[u8]> {
    if format == Format::WebP { webp::key_frame(input) } else { None }
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
        Format::Bmp => bmp::probe(input),
        Format::Qoi | Format::Pnm | Format::Tga => simple::probe(format, input),
        Format::Avif => Err(CodecError::Unsupported("AVIF is not supported".into())),
    }
}

/// Finds the metadata. Blocks that cannot be read are left out.
pub(in crate::codec) fn metadata(format: Format, input: &[u8]) -> Metadata<'_> {
    match format {
        Format::Jpeg => jpeg::decode::metadata(input),
        Format::Png => png::metadata(input),
        Format::WebP => webp::metadata(input),
        Format::Tiff => tiff::metadata(input),
        Format::Gif => gif::metadata(input),
        Format::Bmp => bmp::metadata(input),
        Format::Qoi | Format::Pnm | Format::Tga => simple::metadata(format, input),
        Format::Ico | Format::Avif => Metadata::default(),
    }
}

/// Decodes the pixels of the file that `probe` describes. Inks become RGB, by `profile` if there is one.
///
/// # Errors
/// [`CodecError::Damaged`] when nothing can be decoded, or not all of it and `tolerance` is strict.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    profile: Option<&[u8]>,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    limits.cancel.check()?;
    match probe.format {
        Format::Jpeg => {
            let inks = StoredInks { profile, inverted: true };
            jpeg::decode::decode(input, probe, tolerance, inks, limits)
        }
        Format::Png => png::decode::decode(input, probe, tolerance, limits, frames),
        Format::WebP => webp::decode(input, probe, limits, frames),
        Format::Tiff => tiff::decode(input, probe, tolerance, profile, limits),
        Format::Ico => ico::decode(input, probe, tolerance, limits, frames),
        Format::Gif => gif::decode(input, probe, tolerance, limits, frames),
        Format::Bmp => bmp::decode(input, tolerance, limits, frames),
        Format::Qoi | Format::Pnm | Format::Tga => simple::decode(input, probe, limits),
        Format::Avif => Err(CodecError::Unsupported("AVIF is not supported".into())),
    }
}

/// Returns true if `input` was walked to its end and found sound, so that it may be handed on as it is. A file that
/// few other readers know is not sound.
///
/// The walk costs a decode at most: of PNG an inflate and the checksums, of GIF the codes of every frame, of lossy WebP
/// the sizes of its partitions.
///
/// # Errors
/// [`CodecError::Stopped`] and [`CodecError::OutOfMemory`].
pub(in crate::codec) fn is_sound(
    input: &[u8],
    probe: &Probe,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<bool, CodecError> {
    match probe.format {
        Format::Jpeg => Ok(true),
        Format::Png => png::is_sound(input, limits),
        Format::Gif => gif::is_sound(input, limits),
        Format::WebP if !webp::has_all_bytes(input) => Ok(false),
        Format::WebP if !webp::is_lossless(input) => Ok(true),
        _ => match decode(input, probe, Tolerance::Strict, None, limits, frames) {
            Ok(decoded) => {
                frames.give(decoded.pixels.into_data());
                Ok(true)
            }
            Err(stopped @ (CodecError::Stopped(_) | CodecError::OutOfMemory(_))) => Err(stopped),
            Err(_) => Ok(false),
        },
    }
}

/// Returns true if the pixels of `input`, a WebP, are stored without loss.
pub(in crate::codec) fn is_lossless_webp(input: &[u8]) -> bool {
    webp::is_lossless(input)
}

/// Returns true if `input`, a PNG, is interlaced.
pub(in crate::codec) fn is_interlaced_png(input: &[u8]) -> bool {
    png::is_interlaced(input)
}
