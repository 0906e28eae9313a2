//! The blocks of a GIF (89a), walked for sizes, frames and comments. The pixels are [`crate::codec::format::simple::decode`]'s:
//! the first frame on its screen.

use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::codec::probe::Probe;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::pixels::Channels;

/// Reads the screen and the first picture's frame; the larger of both is what decoding costs.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let damaged = |reason| CodecError::damaged(Format::Gif, reason);
    let screen = screen(input).ok_or_else(|| damaged("the screen descriptor is missing"))?;
    let mut pictures = blocks(input).filter_map(|block| match block {
        Block::Picture(frame) => Some(frame),
        Block::Comment => None,
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
    Metadata { other: blocks(input).any(|block| matches!(block, Block::Comment)), ..Metadata::default() }
}

enum Block {
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
fn blocks(input: &[u8]) -> impl Iterator<Item = Block> {
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
                    return Some(Block::Comment);
                }
                0x2C => {
                    bytes.skip(4)?;
                    let size = Size { width: bytes.le16()?.into(), height: bytes.le16()?.into() };
                    let flags = bytes.u8()?;
                    // A picture that ends early is one all the same.
                    let _ = skip_colours(&mut bytes, flags)
                        .and_then(|()| bytes.skip(1))
                        .and_then(|()| skip_data(&mut bytes));
                    return Some(Block::Picture(size));
                }
                0x21 => {
                    let kind = bytes.u8()?;
                    let loops =
                        bytes.0.starts_with(b"\x0BNETSCAPE2.0") || bytes.0.starts_with(b"\x0BANIMEXTS1.0");
                    skip_data(&mut bytes)?;
                    if matches!(kind, 0xFE | 0x01) || (kind == 0xFF && !loops) {
                        return Some(Block::Comment);
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
