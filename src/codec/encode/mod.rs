//! One file a format: writes pixels and the metadata that may leave.

mod jpeg;
mod png;

use super::error::CodecError;
use super::metadata::Metadata;
use crate::format::Format;
use crate::pixels::Pixels;
use crate::spec::{Quality, Spec};

/// Encodes `pixels` as `format`; `quality` counts where the format has one, the other knobs are in `spec`.
///
/// # Errors
/// [`CodecError::Unsupported`] for a format that this build does not write.
pub(super) fn encode(
    pixels: &Pixels,
    format: Format,
    quality: Quality,
    spec: &Spec,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, CodecError> {
    match format {
        Format::Jpeg => jpeg::encode(pixels, quality, spec, metadata),
        Format::Png => png::encode(pixels, spec, metadata),
        _ => Err(CodecError::Unsupported(format!("this build does not write {format}"))),
    }
}
