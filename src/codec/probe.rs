//! `Probe`: what the header of a file says, read without decoding a pixel.

use crate::codec::error::CodecError;
use crate::codec::format;
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::JpegHeader;
use crate::codec::sniff::sniff;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::limits::{LimitKind, Limits, OverLimit};
use crate::pixels::Channels;

/// What the header of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The format, told by content.
    pub format: Format,
    /// The size of the picture as it is stored.
    pub stored: Size,
    /// What EXIF says must be done to stand it upright.
    pub orientation: Orientation,
    /// What a pixel holds after decoding (palettes are looked up, CMYK is converted).
    pub channels: Channels,
    /// Bits of a stored sample, 1 to 64.
    pub depth: u8,
    /// Whether there is more than the one picture that is read.
    pub animated: bool,
    /// True if the samples are stored as inks (cyan, magenta, yellow, black), which no browser shows without a
    /// conversion.
    pub cmyk: bool,
    /// Bytes that decoding needs besides the decoded pixels.
    pub working: u64,
    /// Returns true if one of our own decoders reads it, part by part: most JPEG files and opaque lossy WebP stills.
    pub planar: bool,
}

impl Probe {
    /// The size of the picture when it stands upright.
    pub fn upright(&self) -> Size {
        self.orientation.turned(self.stored)
    }

    /// Bytes of the decoded pixels.
    pub fn decoded_bytes(&self) -> u64 {
        self.stored.pixels().saturating_mul(self.channels.count() as u64)
    }
}

/// Reads the header of `input` and refuses a picture over `limits` before anything is spent on it.
///
/// # Errors
/// [`CodecError::Unsupported`] for what is no image of a known format, [`CodecError::Damaged`] for a
/// header that cannot be read, [`CodecError::TooLarge`] for a picture over the limits.
pub fn probe(input: &[u8], limits: &Limits) -> Result<Probe, CodecError> {
    let format = sniff(input)?;
    of(format, input, jpeg_header(format, input, limits)?.as_ref(), limits)
}

/// The same where the format is known, and the header if it is of a JPEG that our own decoder reads.
pub(super) fn of(
    format: Format,
    input: &[u8],
    header: Option<&JpegHeader<'_>>,
    limits: &Limits,
) -> Result<Probe, CodecError> {
    let probe = match header {
        Some(header) => format::jpeg_probe(input, header),
        None => format::probe(format, input)?,
    };
    let Size { width, height } = probe.stored;
    if width == 0 || height == 0 {
        return Err(CodecError::damaged(probe.format, format_args!("the picture is {width}x{height}")));
    }
    OverLimit::check(LimitKind::SourceSide, width.max(height).into(), limits.max_side.into())?;
    OverLimit::check(LimitKind::SourcePixels, probe.stored.pixels(), limits.max_pixels)?;
    // Our own decoder need not hold the whole picture: its memory depends on the result.
    if !probe.planar {
        let bytes = probe.decoded_bytes().saturating_add(probe.working);
        OverLimit::check(LimitKind::Memory, bytes, limits.request_memory)?;
    }
    Ok(probe)
}

/// The header as our own decoder reads it; `None` for other formats, and for the kinds of JPEG that are left to
/// others.
///
/// # Errors
/// [`CodecError::Damaged`], [`CodecError::TooLarge`].
pub(super) fn jpeg_header<'a>(
    format: Format,
    input: &'a [u8],
    limits: &Limits,
) -> Result<Option<JpegHeader<'a>>, CodecError> {
    if format != Format::Jpeg {
        return Ok(None);
    }
    match JpegHeader::parse(input, limits) {
        Err(JpegError::Unsupported(_)) => Ok(None),
        header => Ok(Some(header?)),
    }
}
