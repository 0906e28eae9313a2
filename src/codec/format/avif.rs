//! AVIF results by rav1e (cargo feature `avif`): small files, seconds of work.

use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::codec::transform::orient_pad;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Quality, Spec};
use ravif::{Encoder, Img, RGB8, RGBA8};

/// Encodes the pixels, alpha included.
pub(in crate::codec) fn encode(
    pixels: &Pixels,
    quality: Quality,
    spec: &Spec,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, CodecError> {
    let quality = if spec.lossless { 100.0 } else { f32::from(quality.get()) };
    // 10 is rav1e's fastest; below 6 a photo takes minutes.
    let speed = match spec.effort {
        Effort::Fast => 10,
        Effort::Balanced => 9,
        Effort::Smallest => 6,
    };
    let mut encoder = Encoder::new().with_quality(quality).with_alpha_quality(quality).with_speed(speed);
    if let Some(exif) = &metadata.exif {
        encoder = encoder.with_exif(exif.to_vec());
    }
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let encoded = if pixels.channels().has_alpha() {
        let wide = orient_pad::widened(pixels, Channels::Rgba)?;
        let rgba: Vec<RGBA8> = wide.data().as_chunks::<4>().0.iter().map(|&p| RGBA8::from(p)).collect();
        encoder.encode_rgba(Img::new(&rgba[..], width, height))
    } else {
        let wide = orient_pad::widened(pixels, Channels::Rgb)?;
        let rgb: Vec<RGB8> = wide.data().as_chunks::<3>().0.iter().map(|&p| RGB8::from(p)).collect();
        encoder.encode_rgb(Img::new(&rgb[..], width, height))
    };
    encoded.map(|file| file.avif_file).map_err(|error| CodecError::Internal(format!("AVIF: {error}")))
}
