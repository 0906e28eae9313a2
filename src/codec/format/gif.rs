//! GIF (87a, 89a): its blocks; the first frame is read on its screen, one frame of at most 256 colours is written.
//! All frames are read and written in [`super::animation`].

use crate::codec::bytes::Bytes;
use crate::codec::encoded::{Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::codec::format::palette::{Palette, PaletteOptions};
use crate::codec::format::{Decoded, Tolerance};
use crate::codec::metadata::Metadata;
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::codec::transform::orient_pad;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::spec::Effort;
use gif::{ColorOutput, DecodeOptions, DecodingError, Encoder, EncodingError, Frame, MemoryLimit};
use std::num::NonZeroU64;

/// Reads the screen and the first frame.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let mut frames = blocks(input).filter_map(|block| match block {
        GifBlock::Frame(frame) => Some(frame),
        GifBlock::Comment | GifBlock::Loops(_) | GifBlock::Trailer => None,
    });
    let frame = frames.next().ok_or_else(|| damaged("there is no picture"))?;
    let screen = screen(input, frame).ok_or_else(|| damaged("the screen descriptor is missing"))?;
    Ok(Probe {
        format: Format::Gif,
        stored: screen,
        orientation: Orientation::default(),
        channels: Channels::Rgba,
        depth: 8,
        animated: frames.next().is_some(),
        // One row of the frame at a time.
        working: u64::from(frame.width) * 5,
        cmyk: false,
        planar: false,
    })
}

/// Returns no block: a GIF has none that goes along. Comments and unknown application blocks count as more.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    let other = blocks(input).any(|block| matches!(block, GifBlock::Comment));
    Metadata { other, ..Metadata::default() }
}

/// Decodes the first frame. What it does not cover is clear, rows that the file does not have too.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    let mut decoder = reader(input, limits)?;
    let frame = decoder.next_frame_info().map_err(refused)?.ok_or_else(|| damaged("there is no picture"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (columns, rows) = (usize::from(frame.width), usize::from(frame.height));
    let (transparent, interlaced) = (frame.transparent, frame.interlaced);
    if columns == 0 || rows == 0 {
        return Err(damaged("the picture is empty"));
    }
    let palette = decoder.palette().map_err(refused)?.to_vec();
    let colour = |index: u8| match palette.get(usize::from(index) * 3..).and_then(|rest| rest.first_chunk()) {
        Some(&[r, g, b]) if Some(index) != transparent => [r, g, b, 255],
        _ => [0; 4],
    };

    let Size { width, height } = probe.stored;
    let row_len = width as usize * 4;
    let mut data = frames.take(row_len * height as usize)?;
    data.fill(0);
    let mut row = vec![0; columns];
    let mut warnings = Warnings::default();
    for (done, y) in order(rows, interlaced).enumerate() {
        if done % 64 == 0 {
            limits.cancel.check()?;
        }
        if !decoder.fill_buffer(&mut row).unwrap_or(false) {
            if done == 0 || tolerance == Tolerance::Strict {
                return Err(damaged("the data of the picture ends early"));
            }
            warnings.add(Warning::Truncated);
            break;
        }
        // A frame may stand out over its screen.
        if let Some(to) = data.chunks_exact_mut(row_len).nth(top + y) {
            let to = to.as_chunks_mut::<4>().0.iter_mut().skip(left);
            to.zip(&row).for_each(|(to, index)| *to = colour(*index));
        }
    }
    let pixels = Pixels::new(width, height, Channels::Rgba, data);
    let pixels = pixels.ok_or_else(|| damaged("the sizes do not agree"))?;
    Ok(Decoded { pixels, warnings })
}

/// Returns true if every frame can be decoded to its end and the file has its trailer.
pub(in crate::codec) fn is_sound(input: &[u8], limits: &Limits) -> Result<bool, CodecError> {
    if !has_trailer(input) {
        return Ok(false);
    }
    let Ok(mut decoder) = reader(input, limits) else { return Ok(false) };
    loop {
        match decoder.next_frame_info() {
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
            Ok(Some(frame)) => {
                let mut row = vec![0; usize::from(frame.width)];
                for y in 0..frame.height {
                    if y % 64 == 0 {
                        limits.cancel.check()?;
                    }
                    if !decoder.fill_buffer(&mut row).unwrap_or(false) {
                        return Ok(false);
                    }
                }
            }
        }
    }
}

/// Returns true if the file has its trailer.
pub(super) fn has_trailer(input: &[u8]) -> bool {
    blocks(input).any(|block| matches!(block, GifBlock::Trailer))
}

/// Returns the number of frames.
pub(super) fn frames(input: &[u8]) -> usize {
    blocks(input).filter(|block| matches!(block, GifBlock::Frame(_))).count()
}

/// Returns how often the animation is played, 0 for ever. Browsers show it once more than the file repeats it.
pub(super) fn plays(input: &[u8]) -> u32 {
    let loops = blocks(input).find_map(|block| match block {
        GifBlock::Loops(loops) => Some(loops),
        _ => None,
    });
    match loops {
        None => 1,
        Some(0) => 0,
        Some(loops) => u32::from(loops) + 1,
    }
}

pub(super) fn reader<'a>(input: &'a [u8], limits: &Limits) -> Result<gif::Decoder<&'a [u8]>, CodecError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(
        NonZeroU64::new(limits.request_memory).unwrap_or(NonZeroU64::MIN),
    ));
    // Browsers skip what they do not know.
    options.allow_unknown_blocks(true);
    options.read_info(input).map_err(refused)
}

/// Returns the rows in the order of the data: interlaced ones come in four passes (appendix E).
pub(super) fn order(rows: usize, interlaced: bool) -> impl Iterator<Item = usize> {
    let passes: &[(usize, usize)] = if interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
    passes.iter().flat_map(move |(first, step)| (*first..rows).step_by(*step))
}

enum GifBlock {
    /// The size of a frame and its place.
    Frame(FramePlace),
    /// A comment, plain text, an application block other than the loop count, or bytes behind the end.
    Comment,
    /// Repetitions of the animation, 0 for ever.
    Loops(u16),
    /// The end of the file.
    Trailer,
}

#[derive(Clone, Copy)]
struct FramePlace {
    left: u16,
    top: u16,
    width: u16,
    height: u16,
}

/// Returns the size of the screen. A side of zero is as long as the first frame needs, as browsers take it.
fn screen(input: &[u8], frame: FramePlace) -> Option<Size> {
    let mut bytes = Bytes(input.get(6..)?);
    let side = |side: u16, at: u16, len: u16| match side {
        0 => u32::from(at) + u32::from(len),
        side => side.into(),
    };
    Some(Size {
        width: side(bytes.le16()?, frame.left, frame.width),
        height: side(bytes.le16()?, frame.top, frame.height),
    })
}

/// Returns frames, comments and the trailer in the order of the file, up to the first block that makes no sense.
fn blocks(input: &[u8]) -> impl Iterator<Item = GifBlock> {
    let mut bytes = Bytes(input.get(10..).unwrap_or_default());
    let mut begun = false;
    let mut ended = false;
    std::iter::from_fn(move || {
        if !begun {
            begun = true;
            let [flags, _, _] = bytes.array()?;
            skip_colours(&mut bytes, flags)?;
        }
        if ended {
            let behind = std::mem::take(&mut bytes.0);
            return (!behind.is_empty()).then_some(GifBlock::Comment);
        }
        loop {
            match bytes.u8()? {
                0x3B => {
                    ended = true;
                    return Some(GifBlock::Trailer);
                }
                0x2C => {
                    let [left, top, width, height] =
                        [bytes.le16()?, bytes.le16()?, bytes.le16()?, bytes.le16()?];
                    let flags = bytes.u8()?;
                    // A frame that ends early is one all the same.
                    let _ = skip_colours(&mut bytes, flags)
                        .and_then(|()| bytes.skip(1))
                        .and_then(|()| skip_data(&mut bytes));
                    return Some(GifBlock::Frame(FramePlace { left, top, width, height }));
                }
                0x21 => {
                    let kind = bytes.u8()?;
                    let loops =
                        bytes.0.starts_with(b"\x0BNETSCAPE2.0") || bytes.0.starts_with(b"\x0BANIMEXTS1.0");
                    let count = bytes.0.get(12..16);
                    skip_data(&mut bytes)?;
                    if loops && let Some(&[3, 1, low, high]) = count {
                        return Some(GifBlock::Loops(u16::from_le_bytes([low, high])));
                    }
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

/// Encodes the pixels. Those below half opacity are clear, the others stand on the background.
pub(in crate::codec) fn encode(pixels: &Pixels, output: &Output<'_>) -> Result<Vec<u8>, CodecError> {
    let (Ok(width), Ok(height)) = (u16::try_from(pixels.width()), u16::try_from(pixels.height())) else {
        return Err(CodecError::BadRequest("format=gif holds at most 65535 pixels a side".into()));
    };
    let spec = output.spec;
    let rounds = if spec.effort == Effort::Fast { 0 } else { 4 };
    let options = PaletteOptions { dither: spec.dither, rounds };
    let cancel = &output.limits.cancel;
    let Palette { colours, indices, clear } = if pixels.channels().has_alpha() {
        Palette::of(&orient_pad::half_clear(pixels, spec.background)?, options, cancel)?
    } else {
        Palette::of(pixels, options, cancel)?
    };
    let frame = Frame::from_palette_pixels(width, height, indices, colours.into_flattened(), clear);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &[]).map_err(defect)?;
    encoder.write_frame(&frame).map_err(defect)?;
    drop(encoder);
    Ok(bytes)
}

pub(super) fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::Gif, reason)
}

pub(super) fn refused(error: DecodingError) -> CodecError {
    match error {
        DecodingError::UnexpectedEof => damaged("the file ends before its picture"),
        error => damaged(&error.to_string()),
    }
}

pub(super) fn defect(error: EncodingError) -> CodecError {
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
    fn a_frame_larger_than_its_screen_costs_one_of_its_rows() {
        let probe = probe(&file(&[(60_000, 60_000)], false)).unwrap();
        assert_eq!(probe.stored, Size { width: 2, height: 1 });
        assert_eq!(probe.working, 300_000);
    }

    fn read(file: &[u8], tolerance: Tolerance) -> Result<Decoded, CodecError> {
        decode(file, &probe(file)?, tolerance, &Limits::default(), &mut Frames::default())
    }

    /// 16 x 16 pixels of two colours in random order, so that every row takes bytes.
    fn noise(interlaced: bool) -> Vec<u8> {
        let mut state = 7u32;
        let indices: Vec<u8> = (0..256)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 31) as u8
            })
            .collect();
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 16, 16, &[0, 0, 0, 255, 255, 255]).unwrap();
        let frame = Frame { width: 16, height: 16, interlaced, buffer: indices.into(), ..Frame::default() };
        encoder.write_frame(&frame).unwrap();
        drop(encoder);
        bytes
    }

    #[test]
    fn a_screen_without_size_is_as_large_as_its_frame() {
        let mut file = noise(false);
        let whole = read(&file, Tolerance::Strict).unwrap().pixels;
        file[6..10].fill(0);
        assert_eq!(read(&file, Tolerance::Strict).unwrap().pixels, whole);
    }

    #[test]
    fn a_file_that_ends_early_keeps_the_rows_it_had() {
        let file = noise(false);
        let whole = read(&file, Tolerance::Strict).unwrap().pixels;
        let cut = &file[..file.len() - 20];
        let decoded = read(cut, Tolerance::Lenient).unwrap();
        assert!(decoded.warnings.contains(Warning::Truncated));
        let rows = decoded.pixels.rows().zip(whole.rows()).take_while(|(a, b)| a == b).count();
        assert!((4..16).contains(&rows), "{rows}");
        assert!(decoded.pixels.rows().skip(rows).all(|row| row.iter().all(|sample| *sample == 0)));
        assert!(read(cut, Tolerance::Strict).is_err());
        for cut in 0..file.len() {
            if let Err(error) = read(&file[..cut], Tolerance::Lenient) {
                assert!(!error.to_string().contains("nexpected"), "{error}");
            }
        }
    }

    #[test]
    fn interlaced_rows_come_in_four_passes() {
        assert_eq!(order(10, true).collect::<Vec<_>>(), [0, 8, 4, 2, 6, 1, 3, 5, 7, 9]);
        let (plain, interlaced) = (noise(false), noise(true));
        let rows = |file: &[u8]| -> Vec<Vec<u8>> {
            read(file, Tolerance::Strict).unwrap().pixels.rows().map(<[u8]>::to_vec).collect()
        };
        let plain = rows(&plain);
        for (y, row) in order(16, true).zip(&plain) {
            assert_eq!(&rows(&interlaced)[y], row, "{y}");
        }
    }

    #[test]
    fn a_walk_tells_whole_files_from_cut_and_garbled_ones() {
        let limits = Limits::default();
        let file = noise(false);
        assert!(is_sound(&file, &limits).unwrap());
        for cut in 1..file.len() {
            assert!(!is_sound(&file[..cut], &limits).unwrap(), "{cut}");
        }
        let mut garbled = file.clone();
        let middle = file.len() / 2;
        garbled[middle..middle + 12].fill(0xFF);
        assert!(!is_sound(&garbled, &limits).unwrap());
    }
}
