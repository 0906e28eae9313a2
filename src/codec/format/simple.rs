//! BMP, QOI, Netpbm, TGA, and the pixels of GIF and ICO: read and written by their crates.

use crate::codec::bytes::Bytes;
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
use image::codecs::{bmp, gif, ico, pnm, qoi, tga};
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageResult};
use std::io::Cursor;

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
        planar: false,
    })
}

/// Nothing that could go along; whether a BMP or QOI file goes on behind its end.
pub(in crate::codec) fn metadata(format: Format, input: &[u8]) -> Metadata<'_> {
    let other = match format {
        Format::Bmp => {
            Bytes(input.get(2..).unwrap_or_default()).le32().is_some_and(|len| (len as usize) < input.len())
        }
        _ => !input.ends_with(&[0, 0, 0, 0, 0, 0, 0, 1]),
    };
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
    decoder.read_image_boxed(&mut data).map_err(refused)?;
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
        Format::Gif => Box::new(gif::GifDecoder::new(reader)?),
        Format::Bmp => Box::new(bmp::BmpDecoder::new(reader)?),
        Format::Qoi => Box::new(qoi::QoiDecoder::new(reader)?),
        Format::Pnm => Box::new(pnm::PnmDecoder::new(reader)?),
        Format::Ico => Box::new(ico::IcoDecoder::new(reader)?),
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
        error => CodecError::damaged(format, error),
    }
}

/// Encodes the pixels as BMP or QOI.
pub(in crate::codec) fn encode(pixels: &Pixels, format: Format) -> Result<Vec<u8>, CodecError> {
    let channels = match pixels.channels() {
        Channels::Gray if format == Format::Bmp => Channels::Gray,
        Channels::Gray | Channels::Rgb => Channels::Rgb,
        Channels::GrayAlpha | Channels::Rgba => Channels::Rgba,
    };
    if channels != pixels.channels() {
        return encode(&orient_pad::widened(pixels, channels)?, format);
    }
    let colour = match channels {
        Channels::Gray | Channels::GrayAlpha => ExtendedColorType::L8,
        Channels::Rgb => ExtendedColorType::Rgb8,
        Channels::Rgba => ExtendedColorType::Rgba8,
    };
    let (width, height) = (pixels.width(), pixels.height());
    let mut bytes = Vec::new();
    match format {
        Format::Bmp => bmp::BmpEncoder::new(&mut bytes).write_image(pixels.data(), width, height, colour),
        _ => qoi::QoiEncoder::new(&mut bytes).write_image(pixels.data(), width, height, colour),
    }
    .map_err(|error| CodecError::Internal(format!("{format}: {error}")))?;
    Ok(bytes)
}
