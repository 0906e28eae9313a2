//! GIF (89a): the first frame is read on its screen, one frame of 256 colours is written.

use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::codec::probe::Probe;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::codec::transform::orient_pad;
use crate::format::Format;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Spec};
use gif::{Encoder, EncodingError, Frame};

/// Reads the screen and the first picture's frame; the larger of both is what decoding costs.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let damaged = |reason| CodecError::damaged(Format::Gif, reason);
    let screen = screen(input).ok_or_else(|| damaged("the screen descriptor is missing"))?;
    let mut pictures = blocks(input).filter_map(|block| match block {
        GifBlock::Picture(frame) => Some(frame),
        GifBlock::Comment => None,
    });
    let frame = pictures.next().ok_or_else(|| damaged("there is no picture"))?;
    Ok(Probe {
        format: Format::Gif,
        stored: screen,
        orientation: Orientation::default(),
        channels: Channels::Rgba,
        depth: 8,
        animated: pictures.next().is_some(),
        // A frame of another size than its screen is decoded whole before it is cut.
        working: if frame == screen { 0 } else { frame.pixels() * 4 },
        planar: false,
    })
}

/// Nothing that could go along; whether there are comments or unknown application blocks.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    Metadata { other: blocks(input).any(|block| matches!(block, GifBlock::Comment)), ..Metadata::default() }
}

enum GifBlock {
    /// The size of a frame.
    Picture(Size),
    /// Something that somebody wrote: a comment, plain text, an application block other than the loop count, or
    /// bytes behind the end.
    Comment,
}

fn screen(input: &[u8]) -> Option<Size> {
    let mut bytes = Bytes(input.get(6..)?);
    Some(Size { width: bytes.le16()?.into(), height: bytes.le16()?.into() })
}

/// Pictures and comments in the order of the file, up to the first block that makes no sense.
fn blocks(input: &[u8]) -> impl Iterator<Item = GifBlock> {
    let mut bytes = Bytes(input.get(10..).unwrap_or_default());
    let mut begun = false;
    std::iter::from_fn(move || {
        if !begun {
            begun = true;
            let [flags, _, _] = bytes.array()?;
            skip_colours(&mut bytes, flags)?;
        }
        loop {
            match bytes.u8()? {
                // Behind the end of the file.
                0x3B if !bytes.0.is_empty() => {
                    bytes.0 = &[];
                    return Some(GifBlock::Comment);
                }
                0x2C => {
                    bytes.skip(4)?;
                    let size = Size { width: bytes.le16()?.into(), height: bytes.le16()?.into() };
                    let flags = bytes.u8()?;
                    // A picture that ends early is one all the same.
                    let _ = skip_colours(&mut bytes, flags)
                        .and_then(|()| bytes.skip(1))
                        .and_then(|()| skip_data(&mut bytes));
                    return Some(GifBlock::Picture(size));
                }
                0x21 => {
                    let kind = bytes.u8()?;
                    let loops =
                        bytes.0.starts_with(b"\x0BNETSCAPE2.0") || bytes.0.starts_with(b"\x0BANIMEXTS1.0");
                    skip_data(&mut bytes)?;
                    if matches!(kind, 0xFE | 0x01) || (kind == 0xFF && !loops) {
                        return Some(GifBlock::Comment);
                    }
                }
                _ => return None,
            }
        }
    })
}

fn skip_colours(bytes: &mut Bytes<'_>, flags: u8) -> Option<()> {
    if flags & 0x80 == 0 { Some(()) } else { bytes.skip(3 << ((flags & 7) + 1)) }
}

fn skip_data(bytes: &mut Bytes<'_>) -> Option<()> {
    loop {
        match bytes.u8()? {
            0 => return Some(()),
            len => bytes.skip(len.into())?,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A 2 x 1 screen with one frame for each of `frames`, and a comment when asked.
    fn file(frames: &[(u16, u16)], comment: bool) -> Vec<u8> {
        let mut bytes = b"GIF89a\x02\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF".to_vec();
        bytes.extend(b"\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0");
        if comment {
            bytes.extend(b"\x21\xFE\x02hi\0");
        }
        for (width, height) in frames {
            bytes.extend(b"\x2C\0\0\0\0");
            bytes.extend(width.to_le_bytes());
            bytes.extend(height.to_le_bytes());
            bytes.extend(b"\0\x02\x02\x44\x01\0");
        }
        bytes.push(0x3B);
        bytes
    }

    #[test]
    fn frames_are_counted_and_comments_found() {
        let one = file(&[(2, 1)], false);
        assert!(!probe(&one).unwrap().animated && !metadata(&one).other);
        let two = file(&[(2, 1), (2, 1)], true);
        assert!(probe(&two).unwrap().animated && metadata(&two).other);
        assert!(probe(&file(&[], false)).is_err());
    }

    #[test]
    fn a_frame_larger_than_its_screen_counts_as_what_it_costs() {
        let probe = probe(&file(&[(60_000, 60_000)], false)).unwrap();
        assert_eq!(probe.stored, Size { width: 2, height: 1 });
        assert_eq!(probe.working, 60_000 * 60_000 * 4);
    }
}
