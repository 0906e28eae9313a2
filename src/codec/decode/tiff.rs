//! TIFF 6.0: the first image of a file, in grey, RGB, palette and CMYK of 1 to 16 bits.

use super::Decoded;
use crate::codec::error::CodecError;
use crate::codec::geometry::{Orientation, Size};
use crate::codec::metadata::Metadata;
use crate::codec::outcome::{Warning, Warnings};
use crate::codec::probe::Probe;
use crate::format::Format;
use crate::limits::{Limits, try_vec};
use crate::pixels::{Channels, Pixels};
use std::borrow::Cow;
use std::io::Cursor;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

/// Reads the first directory.
pub(super) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let mut decoder = open(input, &Limits::default()).map_err(refused)?;
    let (width, height) = decoder.dimensions().map_err(refused)?;
    let colour = decoder.colortype().map_err(refused)?;
    let orientation = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let stored = Size { width, height };
    Ok(Probe {
        format: Format::Tiff,
        stored,
        orientation: orientation.and_then(Orientation::from_exif).unwrap_or_default(),
        channels: channels(colour)?,
        depth: colour.bit_depth(),
        animated: decoder.more_images(),
        working: stored.pixels().saturating_mul(u64::from(colour.num_samples()))
            * u64::from(colour.bit_depth().div_ceil(8)),
    })
}

/// The profile and XMP. A TIFF file is its own EXIF block, and is not carried over as one.
pub(super) fn metadata(input: &[u8]) -> Metadata<'_> {
    let Ok(mut decoder) = open(input, &Limits::default()) else { return Metadata::default() };
    let mut block = |tag| decoder.get_tag_u8_vec(tag).ok().filter(|data| !data.is_empty()).map(Cow::Owned);
    Metadata { icc: block(Tag::IccProfile), xmp: block(Tag::Unknown(700)), ..Metadata::default() }
}

/// Decodes the first image.
pub(super) fn decode(input: &[u8], probe: &Probe, limits: &Limits) -> Result<Decoded, CodecError> {
    let mut decoder = open(input, limits).map_err(refused)?;
    let colour = decoder.colortype().map_err(refused)?;
    let mut result = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut result).map_err(refused)?;
    let mut warnings = Warnings::default();
    let planes = layout.planes.max(1);
    let samples = usize::from(colour.num_samples());
    let per_row = probe.stored.width as usize * samples / planes;
    let bytes = match result {
        DecodingResult::U8(bytes) if colour.bit_depth() == 8 => bytes,
        DecodingResult::U8(packed) => unpacked(&packed, per_row, colour)?,
        DecodingResult::U16(wide) if colour.bit_depth() == 16 => {
            warnings.add(Warning::DepthReduced);
            wide.iter().map(|sample| ((u32::from(*sample) * 255 + 32_895) >> 16) as u8).collect()
        }
        _ => return Err(unsupported(colour)),
    };
    let bytes = if planes > 1 { interleaved(&bytes, planes) } else { bytes };
    let data = match colour {
        ColorType::Palette(_) => look_up(&bytes, &mut decoder)?,
        ColorType::CMYK(_) => bytes.as_chunks::<4>().0.iter().flat_map(printed).collect(),
        _ => bytes,
    };
    let Size { width, height } = probe.stored;
    let pixels = Pixels::new(width, height, probe.channels, data)
        .ok_or_else(|| CodecError::damaged(Format::Tiff, "the sizes do not agree"))?;
    Ok(Decoded { pixels, warnings })
}

type Source<'a> = Decoder<Cursor<&'a [u8]>>;

fn open<'a>(input: &'a [u8], limits: &Limits) -> Result<Source<'a>, TiffError> {
    let memory = usize::try_from(limits.request_memory).unwrap_or(usize::MAX);
    let mut allowed = tiff::decoder::Limits::default();
    allowed.decoding_buffer_size = memory;
    allowed.intermediate_buffer_size = memory;
    Ok(Decoder::new(Cursor::new(input))?.with_limits(allowed))
}

fn channels(colour: ColorType) -> Result<Channels, CodecError> {
    Ok(match colour {
        ColorType::Gray(1 | 2 | 4 | 8 | 16) => Channels::Gray,
        ColorType::GrayA(8 | 16) | ColorType::Multiband { bit_depth: 8 | 16, num_samples: 2 } => {
            Channels::GrayAlpha
        }
        ColorType::RGB(8 | 16) | ColorType::CMYK(8 | 16) | ColorType::Palette(1 | 2 | 4 | 8) => Channels::Rgb,
        ColorType::RGBA(8 | 16) => Channels::Rgba,
        other => return Err(unsupported(other)),
    })
}

/// Samples of 1, 2 or 4 bits to bytes: grey ones stretched to 0..=255, palette indices as they are.
fn unpacked(packed: &[u8], per_row: usize, colour: ColorType) -> Result<Vec<u8>, CodecError> {
    let depth = usize::from(colour.bit_depth());
    if !matches!(depth, 1 | 2 | 4) {
        return Err(unsupported(colour));
    }
    let per_byte = 8 / depth;
    let largest = (1u16 << depth) - 1;
    let factor = if matches!(colour, ColorType::Palette(_)) { 1 } else { (255 / largest) as u8 };
    let sample = |byte: u8, i: usize| (byte >> (8 - depth * (i + 1)) & largest as u8) * factor;
    let rows = packed.chunks_exact(per_row.div_ceil(per_byte));
    let row = |row: &[u8]| -> Vec<u8> {
        row.iter().flat_map(|byte| (0..per_byte).map(move |i| sample(*byte, i))).take(per_row).collect()
    };
    Ok(rows.flat_map(row).collect())
}

fn interleaved(planar: &[u8], planes: usize) -> Vec<u8> {
    let len = planar.len() / planes;
    (0..len).flat_map(|i| (0..planes).map(move |plane| planar[plane * len + i])).collect()
}

fn look_up(indices: &[u8], decoder: &mut Source<'_>) -> Result<Vec<u8>, CodecError> {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(refused)?;
    let len = map.len() / 3;
    let colour = |index: u8, plane: usize| {
        map.get(plane * len + usize::from(index)).map_or(0, |wide| (wide >> 8) as u8)
    };
    let mut rgb = try_vec(indices.len() * 3)?;
    for (pixel, index) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(indices) {
        *pixel = [0, 1, 2].map(|plane| colour(*index, plane));
    }
    Ok(rgb)
}

fn printed(&[c, m, y, k]: &[u8; 4]) -> [u8; 3] {
    [c, m, y].map(|ink| (((255 - u32::from(ink)) * (255 - u32::from(k)) + 127) / 255) as u8)
}

fn unsupported(colour: ColorType) -> CodecError {
    CodecError::Unsupported(format!("TIFF with samples of {colour:?} is not supported"))
}

fn refused(error: TiffError) -> CodecError {
    match error {
        TiffError::UnsupportedError(error) => CodecError::Unsupported(format!("TIFF: {error}")),
        error => CodecError::damaged(Format::Tiff, error),
    }
}
