//! QOI, Netpbm and TGA, read by the crate `image`; QOI is also written.

use crate::codec::encoded::{Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::Decoded;
use crate::codec::metadata::Metadata;
use crate::codec::probe::Probe;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::codec::transform::orient_pad;
use crate::format::Format;
use crate::limits::{LimitKind, Limits, OverLimit, try_vec};
use crate::pixels::{Channels, Pixels};
use image::codecs::{pnm, qoi, tga};
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageResult};
use std::io::Cursor;

/// The last bytes of a QOI.
const QOI_END: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

/// Reads the header.
pub(in crate::codec) fn probe(format: Format, input: &[u8]) -> Result<Probe, CodecError> {
    let decoder = open(format, input).map_err(|error| refused(format, error))?;
    let (width, height) = decoder.dimensions();
    let colour = decoder.color_type();
    let channels = channels(format, colour)?;
    let depth = if colour.bytes_per_pixel() as usize == channels.count() { 8 } else { 16 };
    let working = if depth == 16 {
        u64::from(width) * u64::from(height) * u64::from(colour.bytes_per_pixel())
    } else {
        0
    };
    Ok(Probe {
        format,
        stored: Size { width, height },
        orientation: Orientation::default(),
        channels,
        depth,
        animated: false,
        working,
        cmyk: false,
        planar: false,
    })
}

/// Returns no block: none of these formats has one that goes along. Bytes behind the end of a QOI count as more.
pub(in crate::codec) fn metadata(format: Format, input: &[u8]) -> Metadata<'_> {
    let other = format == Format::Qoi && !input.ends_with(&QOI_END);
    Metadata { other, ..Metadata::default() }
}

/// Decodes the pixels.
pub(in crate::codec) fn decode(input: &[u8], probe: &Probe, limits: &Limits) -> Result<Decoded, CodecError> {
    let format = probe.format;
    let refused = |error| refused(format, error);
    let mut decoder = open(format, input).map_err(refused)?;
    let mut allowed = image::Limits::default();
    allowed.max_image_width = Some(probe.stored.width);
    allowed.max_image_height = Some(probe.stored.height);
    allowed.max_alloc = Some(limits.request_memory);
    decoder.set_limits(allowed).map_err(refused)?;
    let bytes = decoder.total_bytes();
    OverLimit::check(LimitKind::Memory, bytes, limits.request_memory)?;
    let (width, height) = decoder.dimensions();
    let mut data = try_vec(usize::try_from(bytes).unwrap_or(usize::MAX))?;
    decoder.read_image_boxed(&mut data).map_err(|error| match format {
        // The crate hides the end of the data within its own words.
        Format::Qoi if !input.ends_with(&QOI_END) => CodecError::damaged(format, "the file ends early"),
        _ => refused(error),
    })?;
    let mut warnings = Warnings::default();
    if probe.depth == 16 {
        data = reduced(&data);
        warnings.add(Warning::DepthReduced);
    }
    let pixels = Pixels::new(width, height, probe.channels, data)
        .ok_or_else(|| CodecError::damaged(format, "the sizes do not agree"))?;
    Ok(Decoded { pixels, warnings })
}

fn open<'a>(format: Format, input: &'a [u8]) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    let reader = Cursor::new(input);
    Ok(match format {
        Format::Qoi => Box::new(qoi::QoiDecoder::new(reader)?),
        Format::Pnm => Box::new(pnm::PnmDecoder::new(reader)?),
        _ => Box::new(tga::TgaDecoder::new(reader)?),
    })
}

fn channels(format: Format, colour: ColorType) -> Result<Channels, CodecError> {
    match colour {
        ColorType::L8 | ColorType::L16 => Ok(Channels::Gray),
        ColorType::La8 | ColorType::La16 => Ok(Channels::GrayAlpha),
        ColorType::Rgb8 | ColorType::Rgb16 => Ok(Channels::Rgb),
        ColorType::Rgba8 | ColorType::Rgba16 => Ok(Channels::Rgba),
        other => Err(CodecError::Unsupported(format!("{format} with samples of {other:?} is not supported"))),
    }
}

/// 16-bit samples (in the machine's order, as `image` gives them) to the nearest of 8 bits.
#[expect(clippy::host_endian_bytes, reason = "`image` gives samples in the machine's order")]
fn reduced(wide: &[u8]) -> Vec<u8> {
    let to_8 = |wide: &[u8; 2]| ((u32::from(u16::from_ne_bytes(*wide)) * 255 + 32_895) >> 16) as u8;
    wide.as_chunks::<2>().0.iter().map(to_8).collect()
}

fn refused(format: Format, error: ImageError) -> CodecError {
    match error {
        ImageError::Unsupported(error) => CodecError::Unsupported(error.to_string()),
        // The reader's own words for a file that ends early do not say what ended.
        ImageError::IoError(_) => CodecError::damaged(format, "the file ends early"),
        error => CodecError::damaged(format, error),
    }
}

/// Encodes the pixels as QOI.
pub(in crate::codec) fn encode(pixels: &Pixels) -> Result<Vec<u8>, CodecError> {
    let (channels, colour) = if pixels.channels().has_alpha() {
        (Channels::Rgba, ExtendedColorType::Rgba8)
    } else {
        (Channels::Rgb, ExtendedColorType::Rgb8)
    };
    if channels != pixels.channels() {
        return encode(&orient_pad::widened(pixels, channels)?);
    }
    let mut bytes = Vec::new();
    qoi::QoiEncoder::new(&mut bytes)
        .write_image(pixels.data(), pixels.width(), pixels.height(), colour)
        .map_err(|error| CodecError::Internal(format!("QOI: {error}")))?;
    Ok(bytes)
}
