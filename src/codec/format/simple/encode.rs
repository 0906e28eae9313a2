//! The formats that need nothing but their crate: BMP and QOI.

use crate::codec::error::CodecError;
use crate::codec::transform::orient_pad;
use crate::format::Format;
use crate::pixels::{Channels, Pixels};
use image::codecs::{bmp::BmpEncoder, qoi::QoiEncoder};
use image::{ExtendedColorType, ImageEncoder};

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
        Format::Bmp => BmpEncoder::new(&mut bytes).write_image(pixels.data(), width, height, colour),
        _ => QoiEncoder::new(&mut bytes).write_image(pixels.data(), width, height, colour),
    }
    .map_err(|error| CodecError::Internal(format!("{format}: {error}")))?;
    Ok(bytes)
}
