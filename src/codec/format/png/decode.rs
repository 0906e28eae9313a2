//! PNG (W3C Portable Network Graphics, third edition), row by row, so that 16-bit rows shrink to 8 bits
//! at once and a file that ends early keeps the rows it had. Of an APNG the default image is read.

use crate::codec::bytes::Bytes;
use crate::codec::encoded::{Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::{Decoded, Tolerance};
use crate::codec::metadata::exif;
use crate::codec::metadata::{Metadata, keep_first};
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use png::{BitDepth, ColorType, DecodingError, Transformations};
use std::borrow::Cow;
use std::io::Cursor;

const SIGNATURE: usize = 8;

/// What an uncompressed XMP packet in an iTXt chunk begins with: keyword, zero, two flags of zero, two empty strings.
const XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";

/// Walks the chunks.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let mut chunks = chunks(input);
    let header = chunks.next().and_then(header).ok_or_else(|| damaged("the IHDR chunk is missing"))?;
    let mut alpha = matches!(header.colour, 4 | 6);
    let mut animated = false;
    let mut orientation = Orientation::default();
    let mut before_pixels = true;
    for (kind, data) in chunks {
        match &kind {
            b"IDAT" => before_pixels = false,
            b"tRNS" if before_pixels => alpha = true,
            b"acTL" if before_pixels => animated = Bytes(data).be32().is_some_and(|frames| frames > 1),
            b"eXIf" => orientation = exif::orientation(data),
            _ => {}
        }
    }
    let channels = match (header.colour, alpha) {
        (0 | 4, false) => Channels::Gray,
        (0 | 4, true) => Channels::GrayAlpha,
        (_, false) => Channels::Rgb,
        (_, true) => Channels::Rgba,
    };
    // Interlaced passes fill the whole picture at its full depth before a row is complete.
    let pixels = header.size.pixels();
    let working = if header.interlaced && header.depth == 16 {
        pixels.saturating_mul(2 * channels.count() as u64)
    } else {
        0
    };
    Ok(Probe {
        format: Format::Png,
        stored: header.size,
        orientation,
        channels,
        depth: header.depth,
        animated,
        working,
        planar: false,
    })
}

/// EXIF, XMP and the profile. The profile is the only one that must be inflated, within the limit.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    let mut len = SIGNATURE;
    for (kind, data) in chunks(input) {
        len += data.len() + 12;
        let Metadata { exif, xmp, other, .. } = &mut metadata;
        match &kind {
            b"eXIf" => keep_first(exif, data, other),
            b"iTXt" if data.starts_with(XMP) => keep_first(xmp, &data[XMP.len()..], other),
            b"iCCP" => {
                let icc = profile(input);
                *other |= icc.is_none();
                metadata.icc = icc.map(Cow::Owned);
            }
            b"IHDR" | b"PLTE" | b"IDAT" | b"IEND" | b"tRNS" | b"cHRM" | b"gAMA" | b"sBIT" | b"sRGB"
            | b"cICP" | b"mDCV" | b"cLLI" | b"bKGD" | b"hIST" | b"pHYs" | b"acTL" | b"fcTL" | b"fdAT" => {}
            _ => *other = true,
        }
    }
    metadata.other |= len != input.len();
    metadata
}

fn profile(input: &[u8]) -> Option<Vec<u8>> {
    let limits = png::Limits { bytes: Metadata::MAX_BLOCK };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(input), limits);
    decoder.set_ignore_text_chunk(true);
    let reader = decoder.read_info().ok()?;
    reader.info().icc_profile.as_deref().map(<[u8]>::to_vec)
}

/// Decodes the default image.
pub(in crate::codec) fn decode(
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
        Err(Failure::Data(_)) if tolerance == Tolerance::Lenient && done > 0 => {
            frame[done..].fill(if channels.has_alpha() { 0 } else { 128 });
            warnings.add(Warning::Truncated);
        }
        Err(Failure::Data(error)) => return Err(refused(&error)),
        Err(Failure::Other(error)) => return Err(error),
    }
    if depth == BitDepth::Sixteen {
        warnings.add(Warning::DepthReduced);
    }
    let pixels =
        Pixels::new(width, height, channels, frame).ok_or_else(|| damaged("the sizes do not agree"))?;
    Ok(Decoded { pixels, warnings })
}

type Reader<'a> = png::Reader<Cursor<&'a [u8]>>;

enum Failure {
    Data(DecodingError),
    Other(CodecError),
}

impl From<DecodingError> for Failure {
    fn from(error: DecodingError) -> Failure {
        Failure::Data(error)
    }
}

impl<E: Into<CodecError>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Other(error.into())
    }
}

fn read_row(reader: &mut Reader<'_>, depth: BitDepth, row: &mut [u8]) -> Result<(), Failure> {
    if depth == BitDepth::Sixteen {
        let wide = reader.next_row()?.ok_or_else(|| damaged("rows are missing"))?;
        reduce(wide.data(), row);
    } else {
        reader.read_row(row)?;
    }
    Ok(())
}

fn read_interlaced(reader: &mut Reader<'_>, depth: BitDepth, frame: &mut [u8]) -> Result<(), Failure> {
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

struct Header {
    size: Size,
    depth: u8,
    colour: u8,
    interlaced: bool,
}

fn header((kind, data): ([u8; 4], &[u8])) -> Option<Header> {
    let mut bytes = Bytes(data);
    let size = Size { width: bytes.be32()?, height: bytes.be32()? };
    let [depth, colour, _, _, interlace] = bytes.array()?;
    (&kind == b"IHDR").then_some(Header { size, depth, colour, interlaced: interlace != 0 })
}

/// Kind and data of each whole chunk.
fn chunks(input: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut bytes = Bytes(input.get(SIGNATURE..).unwrap_or_default());
    std::iter::from_fn(move || {
        let len = bytes.be32()?;
        let kind = bytes.array::<4>()?;
        let data = bytes.take(len as usize)?;
        bytes.skip(4)?; // CRC
        Some((kind, data))
    })
}

fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::Png, reason)
}

fn refused(error: &DecodingError) -> CodecError {
    CodecError::damaged(Format::Png, error)
}
