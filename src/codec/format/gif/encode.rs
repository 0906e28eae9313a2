//! GIF results: one frame, 256 colours by NeuQuant, one of them clear where the picture is transparent.

use crate::codec::error::CodecError;
use crate::codec::transform::orient_pad;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Spec};
use gif::{Encoder, EncodingError, Frame};

/// Encodes the pixels.
pub(in crate::codec) fn encode(pixels: &Pixels, spec: &Spec) -> Result<Vec<u8>, CodecError> {
    let (Ok(width), Ok(height)) = (u16::try_from(pixels.width()), u16::try_from(pixels.height())) else {
        return Err(CodecError::BadRequest("format=gif holds at most 65535 pixels a side".into()));
    };
    // The share of pixels that the quantiser learns from: 1 is all of them, 30 a thirtieth.
    let speed = match spec.effort {
        Effort::Fast => 30,
        Effort::Balanced => 10,
        Effort::Smallest => 1,
    };
    let frame = match pixels.channels() {
        Channels::Gray => grey(width, height, pixels.data()),
        Channels::Rgb => Frame::from_rgb_speed(width, height, pixels.data(), speed),
        Channels::GrayAlpha | Channels::Rgba => {
            let mut rgba = orient_pad::widened(pixels, Channels::Rgba)?.into_data();
            Frame::from_rgba_speed(width, height, &mut rgba, speed)
        }
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &[]).map_err(defect)?;
    encoder.write_frame(&frame).map_err(defect)?;
    drop(encoder);
    Ok(bytes)
}

/// Grey needs no quantiser: its levels are the palette.
fn grey(width: u16, height: u16, levels: &[u8]) -> Frame<'static> {
    let palette: Vec<u8> = (0..=255u8).flat_map(|level| [level; 3]).collect();
    Frame::from_palette_pixels(width, height, levels, palette, None)
}

fn defect(error: EncodingError) -> CodecError {
    CodecError::Internal(format!("GIF: {error}"))
}
