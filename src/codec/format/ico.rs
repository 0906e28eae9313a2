//! ICO and CUR: a directory of small pictures, of which the best is read. PNG pictures are read by
//! [`crate::codec::format::png`], bitmaps by [`crate::codec::format::bmp`].

use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::format::bmp::Bitmap;
use crate::codec::format::{Decoded, Tolerance, png};
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::codec::transform::geometry::Size;
use crate::codec::transform::orient_pad;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Channels;

const PNG: &[u8] = b"\x89PNG\r\n\x1A\n";

/// Reads the header of the best picture.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    match best(input)? {
        Icon::Png(inner) => Ok(Probe { format: Format::Ico, ..png::probe(inner)? }),
        Icon::Bitmap(inner, stated) => Ok(bitmap(inner, stated)?.probe(Format::Ico)),
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
    match best(input)? {
        Icon::Png(inner) => {
            png::decode::decode(inner, &Probe { format: Format::Png, ..*probe }, tolerance, limits, frames)
        }
        Icon::Bitmap(inner, stated) => masked(&bitmap(inner, stated)?, tolerance, limits, frames),
    }
}

/// Reads the header of a bitmap, which must have the size that the directory states.
fn bitmap(inner: &[u8], stated: Size) -> Result<Bitmap<'_>, CodecError> {
    let bitmap = Bitmap::of_icon(inner)?;
    if bitmap.size() == stated {
        Ok(bitmap)
    } else {
        Err(CodecError::damaged(Format::Ico, "the directory and the picture differ in size"))
    }
}

/// Decodes a bitmap with its transparency. The mask counts only where alpha says nothing: Windows ignores it where
/// alpha does.
fn masked(
    bitmap: &Bitmap<'_>,
    tolerance: Tolerance,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    let Decoded { mut pixels, warnings } = bitmap.decode(tolerance, limits, frames)?;
    let has_alpha = pixels.channels().has_alpha() && pixels.data().iter().skip(3).step_by(4).any(|a| *a > 0);
    if has_alpha {
        return Ok(Decoded { pixels, warnings });
    }
    if !pixels.channels().has_alpha() {
        pixels = orient_pad::widened(&pixels, Channels::Rgba)?;
    }
    let clear = bitmap.mask().unwrap_or_default();
    let clear = clear.into_iter().chain(std::iter::repeat(false));
    for (pixel, clear) in pixels.data_mut().as_chunks_mut::<4>().0.iter_mut().zip(clear) {
        pixel[3] = if clear { 0 } else { 255 };
    }
    Ok(Decoded { pixels, warnings })
}

/// A picture of the directory.
enum Icon<'a> {
    Png(&'a [u8]),
    /// With the size of the directory.
    Bitmap(&'a [u8], Size),
}

/// Finds the picture with the most bits a pixel, and of those the largest; of equals the last, as Windows does.
fn best(input: &[u8]) -> Result<Icon<'_>, CodecError> {
    let entry = entries(input).and_then(|entries| entries.into_iter().max_by_key(|entry| entry.score));
    let entry = entry.ok_or_else(|| CodecError::damaged(Format::Ico, "the directory is cut short"))?;
    let from = input.get(entry.offset as usize..).unwrap_or_default();
    let inner = from.get(..entry.len as usize).unwrap_or(from);
    Ok(if inner.starts_with(PNG) { Icon::Png(inner) } else { Icon::Bitmap(inner, entry.size) })
}

struct IconEntry {
    /// Bits a pixel, then pixels.
    score: (u16, u64),
    size: Size,
    len: u32,
    offset: u32,
}

fn entries(input: &[u8]) -> Option<Vec<IconEntry>> {
    const CURSOR: u16 = 2;
    let mut bytes = Bytes(input);
    bytes.skip(2)?;
    let kind = bytes.le16()?;
    let count = bytes.le16()?;
    let entry = |bytes: &mut Bytes<'_>| {
        let side = |byte: u8| if byte == 0 { 256 } else { u32::from(byte) };
        let size = Size { width: side(bytes.u8()?), height: side(bytes.u8()?) };
        bytes.skip(4)?;
        // In a cursor the place of the depth holds a coordinate of its tip.
        let depth = bytes.le16().map(|depth| if kind == CURSOR { 0 } else { depth })?;
        Some(IconEntry { score: (depth, size.pixels()), size, len: bytes.le32()?, offset: bytes.le32()? })
    };
    (0..count).map(|_| entry(&mut bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn the_best_picture_is_read_of_any_channels() {
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
    fn a_directory_cut_anywhere_does_no_harm() {
        let whole = file(4, 4);
        for cut in 0..whole.len() {
            let _ = probe(&whole[..cut]);
        }
    }

    /// An icon of bitmaps of 2 by 1 pixels; each has its pixels and a mask.
    fn bitmaps(depth: u16, pictures: &[(&[u8], u8)]) -> Vec<u8> {
        let mut file = vec![0, 0, 1, 0, pictures.len() as u8, 0];
        let mut bodies = Vec::new();
        let start = 6 + 16 * pictures.len();
        for (pixels, mask) in pictures {
            let mut body = 40u32.to_le_bytes().to_vec();
            body.extend([2, 0, 0, 0, 2, 0, 0, 0, 1, 0]); // the height counts the mask
            body.extend(depth.to_le_bytes());
            body.extend([0; 24]);
            body.extend(*pixels);
            body.extend([*mask, 0, 0, 0]);
            file.extend([2, 1, 0, 0, 1, 0]);
            file.extend(depth.to_le_bytes());
            file.extend((body.len() as u32).to_le_bytes());
            file.extend(((start + bodies.len()) as u32).to_le_bytes());
            bodies.extend(body);
        }
        file.extend(bodies);
        file
    }

    fn pixels(file: &[u8]) -> Vec<u8> {
        let (limits, mut frames) = (Limits::default(), Frames::default());
        decode(file, &probe(file).unwrap(), Tolerance::Strict, &limits, &mut frames)
            .unwrap()
            .pixels
            .into_data()
    }

    #[test]
    fn the_mask_counts_only_where_alpha_is_empty() {
        let with_alpha = bitmaps(32, &[(&[1, 2, 3, 200, 4, 5, 6, 0], 0b1000_0000)]);
        assert_eq!(pixels(&with_alpha), [3, 2, 1, 200, 6, 5, 4, 0]);
        let without = bitmaps(32, &[(&[1, 2, 3, 0, 4, 5, 6, 0], 0b1000_0000)]);
        assert_eq!(pixels(&without), [3, 2, 1, 0, 6, 5, 4, 255]);
        let rgb = bitmaps(24, &[(&[1, 2, 3, 4, 5, 6, 0, 0], 0b0100_0000)]);
        assert_eq!(pixels(&rgb), [3, 2, 1, 255, 6, 5, 4, 0]);
    }

    #[test]
    fn of_equal_pictures_the_last_is_read() {
        let first: &[u8] = &[0, 0, 0, 255, 0, 0, 0, 255];
        let second: &[u8] = &[9, 9, 9, 255, 9, 9, 9, 255];
        assert_eq!(pixels(&bitmaps(32, &[(first, 0), (second, 0), (second, 0)]))[0], 9);
        let mut file = bitmaps(32, &[(second, 0), (first, 0), (second, 0)]);
        file[6 + 32 + 6] = 24; // the last has fewer bits
        assert_eq!(pixels(&file)[0], 0);
    }
}
