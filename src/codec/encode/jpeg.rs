//! JPEG results.

use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Quality, Spec, Subsampling};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Encodes opaque pixels.
pub(super) fn encode(
    pixels: &Pixels,
    quality: Quality,
    spec: &Spec,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality.get());
    encoder.set_sampling_factor(match spec.subsampling {
        Subsampling::S444 => SamplingFactor::F_1_1,
        Subsampling::S422 => SamplingFactor::F_2_1,
        Subsampling::S420 => SamplingFactor::F_2_2,
        Subsampling::Auto if quality.get() >= 90 => SamplingFactor::F_1_1,
        Subsampling::Auto => SamplingFactor::F_2_2,
    });
    encoder.set_progressive(spec.progressive);
    if let Some(exif) = &metadata.exif {
        encoder.add_exif_metadata(exif).map_err(defect)?;
    }
    if let Some(icc) = &metadata.icc {
        encoder.add_icc_profile(icc).map_err(defect)?;
    }
    let colour = match pixels.channels() {
        Channels::Gray => ColorType::Luma,
        Channels::Rgb => ColorType::Rgb,
        Channels::Rgba => ColorType::Rgba,
        Channels::GrayAlpha => return Err(CodecError::Internal("JPEG has no transparency".into())),
    };
    let (width, height) = (pixels.width() as u16, pixels.height() as u16);
    encoder.encode(pixels.data(), width, height, colour).map_err(defect)?;
    Ok(bytes)
}

fn defect(error: jpeg_encoder::EncodingError) -> CodecError {
    CodecError::Internal(format!("JPEG: {error}"))
}
