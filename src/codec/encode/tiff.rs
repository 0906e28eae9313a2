//! TIFF results: one strip image, deflated or LZW, with the profile and ownership in its directory.

use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Spec};
use std::io::Cursor;
use tiff::encoder::colortype::{ColorType, Gray8, RGB8, RGBA8};
use tiff::encoder::{Compression, DeflateLevel, Predictor, TiffEncoder};
use tiff::tags::{ExtraSamples, Tag};
use tiff::{TiffError, TiffResult};

/// Encodes the pixels.
pub(super) fn encode(pixels: &Pixels, spec: &Spec, metadata: &Metadata<'_>) -> Result<Vec<u8>, CodecError> {
    match pixels.channels() {
        Channels::Gray => write::<Gray8>(pixels, spec, metadata),
        Channels::Rgb => write::<RGB8>(pixels, spec, metadata),
        Channels::Rgba => write::<RGBA8>(pixels, spec, metadata),
        Channels::GrayAlpha => {
            return encode(&crate::codec::place::widened(pixels, Channels::Rgba)?, spec, metadata);
        }
    }
    .map_err(|error: TiffError| CodecError::Internal(format!("TIFF: {error}")))
}

fn write<C: ColorType<Inner = u8>>(
    pixels: &Pixels,
    spec: &Spec,
    metadata: &Metadata<'_>,
) -> TiffResult<Vec<u8>> {
    let compression = match spec.effort {
        Effort::Fast => Compression::Lzw,
        Effort::Balanced => Compression::Deflate(DeflateLevel::Balanced),
        Effort::Smallest => Compression::Deflate(DeflateLevel::Best),
    };
    let mut file = Cursor::new(Vec::new());
    let mut encoder =
        TiffEncoder::new(&mut file)?.with_compression(compression).with_predictor(Predictor::Horizontal);
    let mut image = encoder.new_image::<C>(pixels.width(), pixels.height())?;
    if pixels.channels().has_alpha() {
        image.encoder().write_tag(Tag::ExtraSamples, &[ExtraSamples::UnassociatedAlpha.to_u16()][..])?;
    }
    if let Some(icc) = &metadata.icc {
        image.encoder().write_tag(Tag::IccProfile, &icc[..])?;
    }
    image.write_data(pixels.data())?;
    Ok(file.into_inner())
}
