//! WebP results: lossless in Rust, lossy by libwebp (cargo feature `webp`), metadata in a VP8X container
//! (RFC 9649 section 2.7).

use crate::codec::error::CodecError;
#[cfg(feature = "webp")]
use crate::codec::format::webp::libwebp;
use crate::codec::metadata::Metadata;
#[cfg(feature = "webp")]
use crate::codec::transform::orient_pad;
use crate::limits::Cancel;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Quality, Spec};
use image_webp::{ColorType, WebPEncoder};

/// Longest side of a WebP picture, in pixels.
const MAX_SIDE: u32 = 16_383;

/// Encodes the pixels, alpha included.
pub(in crate::codec) fn encode(
    pixels: &Pixels,
    quality: Quality,
    spec: &Spec,
    metadata: &Metadata<'_>,
    cancel: &Cancel,
) -> Result<Vec<u8>, CodecError> {
    if pixels.width().max(pixels.height()) > MAX_SIDE {
        return Err(CodecError::BadRequest(format!("format=webp holds at most {MAX_SIDE} pixels a side")));
    }
    let file = if spec.lossless { lossless(pixels)? } else { lossy(pixels, quality, spec, cancel)? };
    if metadata.icc.is_none() && metadata.exif.is_none() && metadata.xmp.is_none() {
        return Ok(file);
    }
    extended(&file, pixels, metadata)
        .ok_or_else(|| CodecError::Internal("WebP: the encoder wrote no picture".into()))
}

fn lossless(pixels: &Pixels) -> Result<Vec<u8>, CodecError> {
    let colour = match pixels.channels() {
        Channels::Gray => ColorType::L8,
        Channels::GrayAlpha => ColorType::La8,
        Channels::Rgb => ColorType::Rgb8,
        Channels::Rgba => ColorType::Rgba8,
    };
    let mut bytes = Vec::new();
    WebPEncoder::new(&mut bytes)
        .encode(pixels.data(), pixels.width(), pixels.height(), colour)
        .map_err(|error| CodecError::Internal(format!("WebP: {error}")))?;
    Ok(bytes)
}

#[cfg(feature = "webp")]
fn lossy(pixels: &Pixels, quality: Quality, spec: &Spec, cancel: &Cancel) -> Result<Vec<u8>, CodecError> {
    let channels = if pixels.channels().has_alpha() { Channels::Rgba } else { Channels::Rgb };
    if pixels.channels() == channels {
        libwebp::encode(pixels, quality, spec.effort, cancel)
    } else {
        libwebp::encode(&orient_pad::widened(pixels, channels)?, quality, spec.effort, cancel)
    }
}

/// Most bytes that encoding a lossy result holds beside the pixels, one file included.
#[cfg(feature = "webp")]
pub(in crate::codec) fn memory(pixels: u64, has_alpha: bool, effort: Effort) -> u64 {
    libwebp::memory(pixels, has_alpha, effort)
}

#[cfg(not(feature = "webp"))]
pub(in crate::codec) fn memory(_: u64, _: bool, _: Effort) -> u64 {
    0
}

#[cfg(not(feature = "webp"))]
fn lossy(_: &Pixels, _: Quality, _: &Spec, _: &Cancel) -> Result<Vec<u8>, CodecError> {
    Err(CodecError::Unsupported("format=webp is in this build with lossless=true only".into()))
}

/// The chunks of `file` with a VP8X header before and metadata around them.
fn extended(file: &[u8], pixels: &Pixels, metadata: &Metadata<'_>) -> Option<Vec<u8>> {
    // A file that has a VP8X header already gets a new one.
    let body = match file.get(12..)? {
        [b'V', b'P', b'8', b'X', rest @ ..] => rest.get(4 + 10..)?,
        body => body,
    };
    let flag = |present: bool, bit: u8| if present { bit } else { 0 };
    let flags = flag(metadata.icc.is_some(), 0x20)
        | flag(pixels.channels().has_alpha(), 0x10)
        | flag(metadata.exif.is_some(), 0x08)
        | flag(metadata.xmp.is_some(), 0x04);
    let mut header = vec![flags, 0, 0, 0];
    for side in [pixels.width(), pixels.height()] {
        header.extend_from_slice(&(side - 1).to_le_bytes()[..3]);
    }
    let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
    chunk(&mut out, b"VP8X", &header);
    metadata.icc.iter().for_each(|icc| chunk(&mut out, b"ICCP", icc));
    out.extend_from_slice(body);
    metadata.exif.iter().for_each(|exif| chunk(&mut out, b"EXIF", exif));
    metadata.xmp.iter().for_each(|xmp| chunk(&mut out, b"XMP ", xmp));
    let len = u32::try_from(out.len() - 8).ok()?;
    out[4..8].copy_from_slice(&len.to_le_bytes());
    Some(out)
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(&(data.len() as u32).to_le_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(&[0][..data.len() % 2]);
}
