//! The pixels of a PNG, row by row, so that 16-bit rows shrink to 8 bits at once and a file that ends early
//! keeps the rows that it had. Of an APNG the default image is read.

use crate::codec::encoded::{Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::png::{damaged, is_apple, without_apple};
use crate::codec::format::{Decoded, Tolerance};
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::codec::transform::geometry::Size;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use png::{BitDepth, ColorType, DecodingError, Transformations};
use std::io::Cursor;

/// Decodes the default image.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    if !is_apple(input) {
        return decode_standard(input, probe, tolerance, limits, frames);
    }
    let mut decoded = decode_standard(&without_apple(input), probe, tolerance, limits, frames)?;
    let channels = decoded.pixels.channels();
    for pixel in decoded.pixels.data_mut().chunks_exact_mut(channels.count()) {
        if channels.colours() == 3 {
            pixel.swap(0, 2);
        }
        if let (colours, [alpha]) = pixel.split_at_mut(channels.colours())
            && *alpha > 0
        {
            let alpha = u32::from(*alpha);
            let straight = |sample: u8| ((u32::from(sample) * 255 + alpha / 2) / alpha).min(255) as u8;
            colours.iter_mut().for_each(|sample| *sample = straight(*sample));
        }
    }
    Ok(decoded)
}

fn decode_standard(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    let memory = usize::try_from(limits.request_memory).unwrap_or(usize::MAX);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(input), png::Limits { bytes: memory });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(|error| refused(&error))?;

    let Size { width, height } = probe.stored;
    let (colour, depth) = reader.output_color_type();
    let channels = match colour {
        ColorType::Grayscale => Channels::Gray,
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed => return Err(damaged("there is no palette")),
    };
    let row_len = width as usize * channels.count();
    let mut frame = frames.take(row_len * height as usize)?;
    let mut warnings = Warnings::default();
    let mut done = 0;
    let outcome = if reader.info().interlaced {
        let outcome = read_interlaced(&mut reader, depth, &mut frame);
        done = if outcome.is_ok() { frame.len() } else { 0 };
        outcome
    } else {
        frame.chunks_exact_mut(row_len).enumerate().try_for_each(|(y, row)| {
            if y % 64 == 0 {
                limits.cancel.check()?;
            }
            read_row(&mut reader, depth, row)?;
            done += row_len;
            Ok(())
        })
    };
    match outcome {
        Ok(()) => {}
        Err(RowError::Data(_)) if tolerance == Tolerance::Lenient && done > 0 => {
            frame[done..].fill(if channels.has_alpha() { 0 } else { 128 });
            warnings.add(Warning::Truncated);
        }
        Err(RowError::Data(error)) => return Err(refused(&error)),
        Err(RowError::Other(error)) => return Err(error),
    }
    if depth == BitDepth::Sixteen {
        warnings.add(Warning::DepthReduced);
    }
    let pixels =
        Pixels::new(width, height, channels, frame).ok_or_else(|| damaged("the sizes do not agree"))?;
    Ok(Decoded { pixels, warnings })
}

/// Returns true if every picture of the file can be unpacked to its end. The rows are dropped.
pub(super) fn is_whole(input: &[u8], limits: &Limits) -> Result<bool, CodecError> {
    let memory = usize::try_from(limits.request_memory).unwrap_or(usize::MAX);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(input), png::Limits { bytes: memory });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let Ok(mut reader) = decoder.read_info() else { return Ok(false) };
    let info = reader.info();
    let pictures = match info.animation_control {
        // The default image may stand before the animation or be its first frame.
        Some(control) if info.frame_control.is_none() => control.num_frames.saturating_add(1),
        Some(control) => control.num_frames,
        None => 1,
    };
    for picture in 0..pictures {
        if picture > 0 && reader.next_frame_info().is_err() {
            return Ok(false);
        }
        let mut rows = 0u32;
        loop {
            if rows.is_multiple_of(64) {
                limits.cancel.check()?;
            }
            match reader.next_row() {
                Ok(Some(_)) => rows += 1,
                Ok(None) => break,
                Err(_) => return Ok(false),
            }
        }
    }
    Ok(reader.finish().is_ok())
}

type RowReader<'a> = png::Reader<Cursor<&'a [u8]>>;

enum RowError {
    Data(DecodingError),
    Other(CodecError),
}

impl From<DecodingError> for RowError {
    fn from(error: DecodingError) -> RowError {
        RowError::Data(error)
    }
}

impl<E: Into<CodecError>> From<E> for RowError {
    fn from(error: E) -> RowError {
        RowError::Other(error.into())
    }
}

fn read_row(reader: &mut RowReader<'_>, depth: BitDepth, row: &mut [u8]) -> Result<(), RowError> {
    if depth == BitDepth::Sixteen {
        let wide = reader.next_row()?.ok_or_else(|| damaged("rows are missing"))?;
        reduce(wide.data(), row);
    } else {
        reader.read_row(row)?;
    }
    Ok(())
}

fn read_interlaced(reader: &mut RowReader<'_>, depth: BitDepth, frame: &mut [u8]) -> Result<(), RowError> {
    if depth == BitDepth::Sixteen {
        let mut wide = crate::limits::try_vec(frame.len() * 2)?;
        reader.next_frame(&mut wide)?;
        reduce(&wide, frame);
    } else {
        reader.next_frame(frame)?;
    }
    Ok(())
}

/// 16-bit samples to the nearest of 8 bits: `v * 255 / 65535`, rounded.
fn reduce(wide: &[u8], row: &mut [u8]) {
    for (sample, wide) in row.iter_mut().zip(wide.as_chunks::<2>().0) {
        *sample = ((u32::from(u16::from_be_bytes(*wide)) * 255 + 32_895) >> 16) as u8;
    }
}

fn refused(error: &DecodingError) -> CodecError {
    match error {
        DecodingError::IoError(_) => damaged("the file ends before its picture"),
        error => CodecError::damaged(Format::Png, error),
    }
}
