//! WebP (RFC 9649): lossy, lossless, with alpha; of an animation the first frame.

pub(in crate::codec) mod encode;
#[cfg(feature = "webp")]
mod libwebp;

use crate::codec::bytes::Bytes;
use crate::codec::encoded::Warnings;
use crate::codec::error::CodecError;
use crate::codec::format::Decoded;
use crate::codec::metadata::exif;
use crate::codec::metadata::{Metadata, keep_first};
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use image_webp::WebPDecoder;
use std::io::Cursor;

/// Reads the chunk headers.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let mut canvas = None;
    let mut alpha = false;
    let mut animated = false;
    let mut orientation = Orientation::default();
    let mut picture = None;
    for (kind, data) in chunks(input) {
        match &kind {
            b"VP8X" => {
                let (size, flags) = extended(data).ok_or_else(|| damaged("the VP8X chunk is too short"))?;
                canvas = Some(size);
                alpha |= flags & 0x10 != 0;
                animated = flags & 0x02 != 0;
            }
            b"VP8 " => picture = picture.or(lossy(data)),
            b"VP8L" => {
                let (size, transparent) =
                    lossless(data).ok_or_else(|| damaged("the VP8L header is wrong"))?;
                picture = picture.or(Some(size));
                alpha |= transparent && canvas.is_none();
            }
            b"EXIF" => orientation = exif::orientation(tiff_of(data)),
            _ => {}
        }
    }
    let stored = canvas.or(picture).ok_or_else(|| damaged("there is no picture chunk"))?;
    if !animated && picture.is_some_and(|picture| picture != stored) {
        return Err(damaged("canvas and picture differ in size"));
    }
    let channels = if alpha { Channels::Rgba } else { Channels::Rgb };
    // Planes of a lossy picture (1.5 bytes a pixel), or the four channels in which a lossless one is made.
    let working = stored.pixels() * if animated { 8 } else { 4 };
    Ok(Probe {
        format: Format::WebP,
        stored,
        orientation,
        channels,
        depth: 8,
        animated,
        working,
        planar: false,
    })
}

/// EXIF, XMP and profile.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    for (kind, data) in chunks(input) {
        let Metadata { exif, xmp, icc, other, .. } = &mut metadata;
        match &kind {
            b"EXIF" => keep_first(exif, tiff_of(data), other),
            b"XMP " => keep_first(xmp, data, other),
            b"ICCP" => keep_first(icc, data, other),
            b"VP8X" | b"VP8 " | b"VP8L" | b"ALPH" | b"ANIM" | b"ANMF" => {}
            // Unknown chunks, and whatever stands behind the last one.
            _ => *other = true,
        }
    }
    metadata
}

/// Decodes the picture, or the first frame.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    let refused = |error| CodecError::damaged(Format::WebP, error);
    let mut decoder = WebPDecoder::new(Cursor::new(input)).map_err(refused)?;
    decoder.set_memory_limit(usize::try_from(limits.request_memory).unwrap_or(usize::MAX));
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { Channels::Rgba } else { Channels::Rgb };
    let len = decoder.output_buffer_size().filter(|_| Size { width, height } == probe.stored);
    let len = len.ok_or_else(|| damaged("the sizes do not agree"))?;
    let mut frame = frames.take(len)?;
    decoder.read_image(&mut frame).map_err(refused)?;
    let pixels =
        Pixels::new(width, height, channels, frame).ok_or_else(|| damaged("the sizes do not agree"))?;
    Ok(Decoded { pixels, warnings: Warnings::default() })
}

/// Some writers repeat the JPEG signature before the TIFF header.
fn tiff_of(exif: &[u8]) -> &[u8] {
    exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)
}

fn extended(data: &[u8]) -> Option<(Size, u8)> {
    let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = *data.first_chunk::<10>()?;
    let side = |bytes: [u8; 3]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) + 1;
    Some((Size { width: side([w0, w1, w2]), height: side([h0, h1, h2]) }, flags))
}

/// The frame header of RFC 6386 section 9.1: a key frame, its start code and two 14-bit sides.
fn lossy(data: &[u8]) -> Option<Size> {
    let mut bytes = Bytes(data);
    let [tag, _, _] = bytes.array()?;
    let start = bytes.array()?;
    let size = Size { width: u32::from(bytes.le16()? & 0x3FFF), height: u32::from(bytes.le16()? & 0x3FFF) };
    (tag & 1 == 0 && start == [0x9D, 0x01, 0x2A]).then_some(size)
}

fn lossless(data: &[u8]) -> Option<(Size, bool)> {
    let mut bytes = Bytes(data);
    let signature = bytes.u8()?;
    let bits = bytes.le32()?;
    let size = Size { width: (bits & 0x3FFF) + 1, height: (bits >> 14 & 0x3FFF) + 1 };
    (signature == 0x2F).then_some((size, bits >> 28 & 1 == 1))
}

/// Kind and data of each chunk; data that the file does not have is cut off.
fn chunks(input: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut bytes = Bytes(input.get(12..).unwrap_or_default());
    std::iter::from_fn(move || {
        let kind = bytes.array::<4>()?;
        let len = bytes.le32()? as usize;
        let data = bytes.take(len.min(bytes.0.len()))?;
        bytes.0 = bytes.0.get(len % 2..).unwrap_or_default();
        Some((kind, data))
    })
}

fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::WebP, reason)
}
