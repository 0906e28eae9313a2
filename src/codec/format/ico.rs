//! ICO and CUR: a directory of small pictures, of which the best is read. PNG pictures are [`crate::codec::format::png::decode`]'s, bitmaps
//! [`crate::codec::format::simple::decode`]'s.

use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::format::{Decoded, Tolerance, png, simple};
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::format::Format;
use crate::limits::Limits;

const PNG: &[u8] = b"\x89PNG\r\n\x1A\n";

/// Reads the header of the best picture.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    match nested_png(input) {
        Some(inner) => Ok(Probe { format: Format::Ico, ..png::probe(inner)? }),
        None => simple::probe(Format::Ico, input),
    }
}

/// Decodes the best picture.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    match nested_png(input) {
        Some(inner) => {
            png::decode::decode(inner, &Probe { format: Format::Png, ..*probe }, tolerance, limits, frames)
        }
        None => simple::decode(input, probe, limits),
    }
}

/// The best picture, if it is a PNG.
fn nested_png(input: &[u8]) -> Option<&[u8]> {
    let best = best(input)?;
    let from = input.get(best.offset as usize..)?;
    let inner = from.get(..best.len as usize).unwrap_or(from);
    inner.starts_with(PNG).then_some(inner)
}

struct IconEntry {
    /// Bits a pixel, then pixels.
    score: (u16, u32),
    len: u32,
    offset: u32,
}

/// The entry with the most bits a pixel, and of those the largest; the last of equals, as `image` has it.
fn best(input: &[u8]) -> Option<IconEntry> {
    let mut bytes = Bytes(input);
    bytes.skip(4)?;
    let count = bytes.le16()?;
    let entries: Option<Vec<IconEntry>> = (0..count).map(|_| entry(&mut bytes)).collect();
    let mut entries = entries?;
    let last = entries.pop()?;
    Some(entries.into_iter().fold(last, |best, entry| if entry.score > best.score { entry } else { best }))
}

fn entry(bytes: &mut Bytes<'_>) -> Option<IconEntry> {
    let side = |byte: u8| if byte == 0 { 256 } else { u32::from(byte) };
    let pixels = side(bytes.u8()?) * side(bytes.u8()?);
    bytes.skip(4)?;
    let depth = bytes.le16()?;
    Some(IconEntry { score: (depth, pixels), len: bytes.le32()?, offset: bytes.le32()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::transform::geometry::Size;
    use crate::limits::OverLimit;
    use image::{ImageFormat, RgbImage};
    use std::io::Cursor;

    fn file(width: u32, height: u32) -> Vec<u8> {
        let mut inner = Cursor::new(Vec::new());
        RgbImage::new(width, height).write_to(&mut inner, ImageFormat::Png).unwrap();
        let inner = inner.into_inner();
        let mut bytes = b"\0\0\x01\0\x02\0".to_vec();
        bytes.extend([8, 8, 0, 0, 1, 0, 8, 0, 4, 0, 0, 0, 38, 0, 0, 0]);
        bytes.extend([width as u8, height as u8, 0, 0, 1, 0, 32, 0]);
        bytes.extend((inner.len() as u32).to_le_bytes());
        bytes.extend(38u32.to_le_bytes());
        bytes.extend(inner);
        bytes
    }

    #[test]
    fn the_best_picture_is_read_whatever_its_channels() {
        let file = file(20, 10);
        let probe = probe(&file).unwrap();
        assert_eq!((probe.format, probe.stored), (Format::Ico, Size { width: 20, height: 10 }));
        let (limits, mut frames) = (Limits::default(), Frames::default());
        let decoded = decode(&file, &probe, Tolerance::Strict, &limits, &mut frames).unwrap();
        assert_eq!((decoded.pixels.width(), decoded.pixels.height()), (20, 10));
    }

    #[test]
    fn a_nested_picture_is_held_to_the_limits() {
        let mut file = file(20, 10);
        file[38 + 16..38 + 20].copy_from_slice(&60_000u32.to_be_bytes());
        let refused = crate::codec::probe(&file, &Limits::default());
        assert!(matches!(refused, Err(CodecError::TooLarge(OverLimit { value: 60_000, .. }))), "{refused:?}");
    }

    #[test]
    fn a_directory_that_lies_does_no_harm() {
        let whole = file(4, 4);
        for cut in 0..whole.len() {
            let _ = probe(&whole[..cut]);
        }
    }
}
