//! How much a result looks like its original: SSIMULACRA2, 100 for the same, 90 for no visible loss.

use crate::codec::error::CodecError;
use crate::codec::transform::orient_pad;
use crate::pixels::{Channels, Pixels};
use fast_ssim2::{PixelDescriptor, PixelSlice, Ssimulacra2Reference};

/// Bytes that a measurement takes for each pixel of the picture.
pub(super) const BYTES_PER_PIXEL: u64 = 260;

/// The original, prepared once for many comparisons.
pub(super) struct Original(Ssimulacra2Reference);

impl Original {
    pub(super) fn new(pixels: &Pixels) -> Result<Original, CodecError> {
        let pixels = coloured(pixels)?;
        Ssimulacra2Reference::new(&view(&pixels)?).map(Original).map_err(defect)
    }

    /// The score of `result`, which has the same size.
    pub(super) fn score(&self, result: &Pixels) -> Result<f64, CodecError> {
        let pixels = coloured(result)?;
        self.0.compare(&view(&pixels)?).map_err(defect)
    }
}

fn coloured(pixels: &Pixels) -> Result<Pixels, CodecError> {
    let channels = if pixels.channels().has_alpha() { Channels::Rgba } else { Channels::Rgb };
    Ok(orient_pad::widened(pixels, channels)?)
}

fn view(pixels: &Pixels) -> Result<PixelSlice<'_>, CodecError> {
    let kind =
        if pixels.channels().has_alpha() { PixelDescriptor::RGBA8_SRGB } else { PixelDescriptor::RGB8_SRGB };
    PixelSlice::new(pixels.data(), pixels.width(), pixels.height(), pixels.row_len(), kind).map_err(defect)
}

fn defect(error: impl std::fmt::Display) -> CodecError {
    CodecError::Internal(format!("SSIMULACRA2: {error}"))
}
