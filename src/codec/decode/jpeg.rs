//! JPEG beside the planar path: its header, its metadata, and the crates that decode what the planar
//! decoder hands back (four components, arithmetic coding, lossless).

use super::{Decoded, Tolerance};
use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::exif;
use crate::codec::geometry::{Orientation, Size};
use crate::codec::metadata::Metadata;
use crate::codec::outcome::{Warning, Warnings};
use crate::codec::probe::Probe;
use crate::format::Format;
use crate::limits::{Limits, try_vec};
use crate::pixels::{Channels, Pixels};
use std::borrow::Cow;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
const ADOBE: &[u8] = b"Adobe";

/// Marker codes (ITU-T T.81 table B.1).
mod marker {
    pub(super) const SOI: u8 = 0xD8;
    pub(super) const EOI: u8 = 0xD9;
    pub(super) const SOS: u8 = 0xDA;
    pub(super) const APP1: u8 = 0xE1;
    pub(super) const APP2: u8 = 0xE2;
    pub(super) const APP13: u8 = 0xED;
    pub(super) const APP14: u8 = 0xEE;
}

/// Walks the segments up to the first scan.
pub(super) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let mut frame = None;
    let mut orientation = Orientation::default();
    for (code, data) in segments(input) {
        match code {
            _ if is_frame(code) => frame = frame.or(frame_header(code, data)),
            marker::APP1 => {
                orientation = data.strip_prefix(EXIF).map_or(orientation, exif::orientation);
            }
            _ => {}
        }
    }
    let frame = frame.ok_or_else(|| damaged("there is no frame header"))?;
    if frame.size.height == 0 {
        return Err(CodecError::Unsupported(
            "JPEG files whose height follows the scan (DNL) are not supported".into(),
        ));
    }
    let channels = if frame.components == 1 { Channels::Gray } else { Channels::Rgb };
    let samples = frame.size.pixels() * u64::from(frame.components);
    // Progressive files keep 16-bit coefficients until the last scan.
    let working = match frame.process {
        Process::Progressive => samples * 2,
        Process::Sequential | Process::Lossless if frame.components == 4 => samples,
        Process::Sequential | Process::Lossless => 0,
    };
    Ok(Probe {
        format: Format::Jpeg,
        stored: frame.size,
        orientation,
        channels,
        depth: frame.depth,
        animated: false,
        working,
    })
}

/// EXIF, XMP, IPTC and the profile, which may lie in several segments.
pub(super) fn metadata(input: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    let mut profile = Vec::new();
    for (code, data) in segments(input) {
        match code {
            marker::APP1 => {
                metadata.exif = metadata.exif.or(data.strip_prefix(EXIF).map(Cow::Borrowed));
                metadata.xmp = metadata.xmp.or(data.strip_prefix(XMP).map(Cow::Borrowed));
            }
            marker::APP2 => profile.extend(data.strip_prefix(ICC).and_then(<[u8]>::split_first_chunk::<2>)),
            marker::APP13 => {
                metadata.iptc = metadata.iptc.or(data.strip_prefix(PHOTOSHOP).map(Cow::Borrowed))
            }
            _ => {}
        }
    }
    metadata.icc = assemble(profile);
    metadata
}

/// The profile from its numbered parts (ICC.1 annex B.4); `None` unless each is there once.
fn assemble<'a>(mut parts: Vec<(&'a [u8; 2], &'a [u8])>) -> Option<Cow<'a, [u8]>> {
    parts.sort_by_key(|([number, _], _)| *number);
    let complete = parts
        .iter()
        .zip(1..)
        .all(|(([number, count], _), i)| usize::from(*number) == i && usize::from(*count) == parts.len());
    let len: usize = parts.iter().map(|(_, data)| data.len()).sum();
    if !complete || len == 0 || len > Metadata::MAX_BLOCK {
        return None;
    }
    match parts.as_slice() {
        [(_, only)] => Some(Cow::Borrowed(only)),
        _ => Some(Cow::Owned(parts.iter().flat_map(|(_, data)| data.iter().copied()).collect())),
    }
}

/// Decodes the whole picture.
pub(super) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    limits: &Limits,
) -> Result<Decoded, CodecError> {
    let structure = Structure::of(input).ok_or_else(|| damaged("there is no scan"))?;
    let mut warnings = Warnings::default();
    if !structure.ends {
        if tolerance == Tolerance::Strict {
            return Err(damaged("the data ends before the end of the picture"));
        }
        warnings.add(Warning::Truncated);
    }
    let samples = match structure.frame.process {
        Process::Lossless => decode_lossless(input, &structure, limits, &mut warnings)?,
        Process::Sequential | Process::Progressive => decode_dct(input, &structure, tolerance, limits)?,
    };
    let (channels, data) = match structure.frame.components {
        1 => (Channels::Gray, samples),
        4 => (Channels::Rgb, cmyk_to_rgb(samples, structure.inks)),
        _ => (Channels::Rgb, samples),
    };
    let Size { width, height } = probe.stored;
    let pixels =
        Pixels::new(width, height, channels, data).ok_or_else(|| damaged("the sizes do not agree"))?;
    Ok(Decoded { pixels, warnings })
}

/// zune-jpeg: baseline, extended, progressive, arithmetic. It yields grey where data is missing.
fn decode_dct(
    input: &[u8],
    structure: &Structure,
    tolerance: Tolerance,
    limits: &Limits,
) -> Result<Vec<u8>, CodecError> {
    let Size { width, height } = structure.frame.size;
    let colour = match structure.frame.components {
        1 => ColorSpace::Luma,
        4 => ColorSpace::CMYK,
        _ => ColorSpace::RGB,
    };
    let options = DecoderOptions::default()
        .set_max_width(width as usize)
        .set_max_height(height as usize)
        .set_strict_mode(tolerance == Tolerance::Strict)
        .jpeg_set_max_scans(limits.max_scans as usize)
        .jpeg_set_out_colorspace(colour);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(input), options);
    decoder.decode_headers().map_err(|error| damaged(&format!("{error:?}")))?;
    let mut samples = try_vec(width as usize * height as usize * colour.num_components())?;
    decoder.decode_into(&mut samples).map_err(|error| damaged(&format!("{error:?}")))?;
    Ok(samples)
}

/// jpeg-decoder: the lossless process (SOF3).
#[expect(clippy::host_endian_bytes, reason = "the crate gives samples in the machine's order")]
fn decode_lossless(
    input: &[u8],
    structure: &Structure,
    limits: &Limits,
    warnings: &mut Warnings,
) -> Result<Vec<u8>, CodecError> {
    let mut decoder = jpeg_decoder::Decoder::new(input);
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.request_memory).unwrap_or(usize::MAX));
    let samples = decoder.decode().map_err(|error| damaged(&error.to_string()))?;
    match decoder.info().map(|info| info.pixel_format) {
        Some(jpeg_decoder::PixelFormat::L16) => {
            warnings.add(Warning::DepthReduced);
            let shift = u32::from(structure.frame.depth.clamp(8, 16)) - 8;
            Ok(samples
                .as_chunks::<2>()
                .0
                .iter()
                .map(|wide| (u16::from_ne_bytes(*wide) >> shift) as u8)
                .collect())
        }
        _ => Ok(samples),
    }
}

/// How much a sample of 255 prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inks {
    /// All of the ink, as T.81 leaves it.
    Plain,
    /// None of it, as Adobe's programs write it.
    Inverted,
}

/// The naive conversion, in place: each colour is what neither its ink nor black takes away.
fn cmyk_to_rgb(mut samples: Vec<u8>, inks: Inks) -> Vec<u8> {
    let light = |sample: u8| u32::from(if inks == Inks::Inverted { sample } else { 255 - sample });
    let pixels = samples.len() / 4;
    for i in 0..pixels {
        let Some(&[c, m, y, k]) = samples[4 * i..].first_chunk::<4>() else { break };
        for (to, ink) in samples[3 * i..3 * i + 3].iter_mut().zip([c, m, y]) {
            *to = ((light(ink) * light(k) + 127) / 255) as u8;
        }
    }
    samples.truncate(pixels * 3);
    samples
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    Sequential,
    Progressive,
    Lossless,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    size: Size,
    depth: u8,
    components: u8,
    process: Process,
}

/// What decides how the pixels are decoded.
struct Structure {
    frame: Frame,
    inks: Inks,
    /// Whether an end-of-image marker follows the first scan.
    ends: bool,
}

impl Structure {
    fn of(input: &[u8]) -> Option<Structure> {
        let mut frame = None;
        let mut inks = Inks::Plain;
        let mut rest = input;
        for (code, data) in segments(input) {
            rest = data;
            match code {
                _ if is_frame(code) => frame = frame.or(frame_header(code, data)),
                marker::APP14 if data.starts_with(ADOBE) => inks = Inks::Inverted,
                _ => {}
            }
        }
        let scan_at = rest.as_ptr_range().start as usize - input.as_ptr() as usize;
        let ends = input.get(scan_at..)?.windows(2).rev().any(|pair| pair == [0xFF, marker::EOI]);
        Some(Structure { frame: frame?, inks, ends })
    }
}

fn is_frame(code: u8) -> bool {
    // 0xC4, 0xC8 and 0xCC are DHT, JPG and DAC.
    matches!(code, 0xC0..=0xCF) && !matches!(code, 0xC4 | 0xC8 | 0xCC)
}

fn frame_header(code: u8, data: &[u8]) -> Option<Frame> {
    let mut bytes = Bytes(data);
    let depth = bytes.u8()?;
    let (height, width) = (bytes.be16()?, bytes.be16()?);
    let components = bytes.u8()?;
    let process = match code & 3 {
        2 => Process::Progressive,
        3 => Process::Lossless,
        _ => Process::Sequential,
    };
    Some(Frame { size: Size { width: width.into(), height: height.into() }, depth, components, process })
}

/// Marker and payload of each segment up to the first scan, that scan's header included. Bytes between
/// segments are skipped, as every decoder does.
fn segments(input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut bytes = Bytes(input);
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        loop {
            let at = bytes.0.iter().position(|byte| *byte == 0xFF)?;
            bytes.skip(at + 1)?;
            let code = *bytes.0.first()?;
            match code {
                0xFF => continue,
                0 | 1 | 0xD0..=marker::SOI => bytes.skip(1)?,
                marker::EOI => return None,
                _ => {
                    bytes.skip(1)?;
                    let len = usize::from(bytes.be16()?).saturating_sub(2);
                    ended = code == marker::SOS;
                    return Some((code, bytes.take(len)?));
                }
            }
        }
    })
}

fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::Jpeg, reason)
}
