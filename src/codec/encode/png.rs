//! PNG results: 8 bits, adaptive filters, `effort` as the level of compression.

use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Spec};
use png::{BitDepth, ColorType, Compression, Encoder, Filter, Info};
use std::borrow::Cow;

/// Encodes the pixels, alpha included.
pub(super) fn encode(pixels: &Pixels, spec: &Spec, metadata: &Metadata<'_>) -> Result<Vec<u8>, CodecError> {
    let mut info = Info::with_size(pixels.width(), pixels.height());
    info.bit_depth = BitDepth::Eight;
    info.color_type = match pixels.channels() {
        Channels::Gray => ColorType::Grayscale,
        Channels::GrayAlpha => ColorType::GrayscaleAlpha,
        Channels::Rgb => ColorType::Rgb,
        Channels::Rgba => ColorType::Rgba,
    };
    info.icc_profile = metadata.icc.as_deref().map(|icc| Cow::Owned(icc.to_vec()));
    info.exif_metadata = metadata.exif.as_deref().map(|exif| Cow::Owned(exif.to_vec()));

    let mut bytes = Vec::new();
    let mut encoder = Encoder::with_info(&mut bytes, info).map_err(defect)?;
    let (compression, filter) = match spec.effort {
        Effort::Fast => (Compression::Fast, Filter::Up),
        Effort::Balanced => (Compression::Balanced, Filter::Adaptive),
        Effort::Smallest => (Compression::High, Filter::Adaptive),
    };
    encoder.set_compression(compression);
    encoder.set_filter(filter);
    let mut writer = encoder.write_header().map_err(defect)?;
    writer.write_image_data(pixels.data()).map_err(defect)?;
    writer.finish().map_err(defect)?;
    Ok(bytes)
}

fn defect(error: png::EncodingError) -> CodecError {
    CodecError::Internal(format!("PNG: {error}"))
}
