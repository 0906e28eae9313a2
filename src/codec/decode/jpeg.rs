//! JPEG beside the planar path: its header, its metadata, and the crates that decode what the planar
//! decoder hands back (four components, arithmetic coding, lossless).

use super::{Decoded, Tolerance};
use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::exif;
use crate::codec::geometry::{Orientation, Size};
use crate::codec::jpeg::marker::{Marker, Segment, Segments};
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

/// Walks the segments up to the first scan.
pub(super) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let structure = Structure::of(input).ok_or_else(|| damaged("there is no frame header"))?;
    let frame = structure.frame;
    if frame.size.height == 0 {
        return Err(CodecError::Unsupported(
            "JPEG files whose height follows the scan (DNL) are not supported".into(),
        ));
    }
    let channels = if frame.components == 1 { Channels::Gray } else { Channels::Rgb };
    let samples = frame.size.pixels() * u64::from(frame.components);
    // Files of several scans keep 16-bit coefficients until the last one.
    let working = match frame.process {
        Process::Progressive => samples * 2,
        Process::Sequential if frame.planar && structure.scanned < frame.components => samples * 2,
        Process::Sequential | Process::Lossless if frame.components == 4 => samples,
        Process::Sequential | Process::Lossless => 0,
    };
    Ok(Probe {
        format: Format::Jpeg,
        stored: frame.size,
        orientation: structure.orientation,
        channels,
        depth: frame.depth,
        animated: false,
        working,
        planar: frame.planar,
    })
}

/// EXIF, XMP, IPTC and the profile, which may lie in several segments.
pub(super) fn metadata(input: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    let mut profile = Vec::new();
    for Segment { marker, body, .. } in segments(input) {
        let after = |mark: &[u8]| body.strip_prefix(mark).map(Cow::Borrowed);
        match marker.0 & 0x0F {
            _ if marker == Marker::COM => metadata.other = true,
            _ if marker.0 & 0xF0 != 0xE0 => {}
            // JFIF and Adobe say how to decode; whatever else is not known is somebody's message.
            0 | 14 => {}
            1 if body.starts_with(EXIF) => metadata.exif = metadata.exif.or(after(EXIF)),
            1 if body.starts_with(XMP) => metadata.xmp = metadata.xmp.or(after(XMP)),
            2 if body.starts_with(ICC) => profile.extend(body[ICC.len()..].split_first_chunk::<2>()),
            13 if body.starts_with(PHOTOSHOP) => metadata.iptc = metadata.iptc.or(after(PHOTOSHOP)),
            _ => metadata.other = true,
        }
    }
    metadata.icc = assembled(profile);
    metadata
}

/// The profile from its numbered parts (ICC.1 annex B.4); `None` unless each is there once.
fn assembled<'a>(mut parts: Vec<(&'a [u8; 2], &'a [u8])>) -> Option<Cow<'a, [u8]>> {
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
    if !structure.ends(input) {
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
    /// Whether our own decoder reads files of this kind.
    planar: bool,
}

/// What decides how the pixels are decoded.
struct Structure {
    frame: Frame,
    orientation: Orientation,
    inks: Inks,
    /// Components in the first scan.
    scanned: u8,
    /// Where the first scan begins.
    scan_at: usize,
}

impl Structure {
    fn of(input: &[u8]) -> Option<Structure> {
        let mut frame = None;
        let mut orientation = None;
        let mut inks = Inks::Plain;
        let mut scanned = 0;
        let mut scan_at = input.len();
        for Segment { marker, body, end, .. } in segments(input) {
            if marker.is_frame() {
                frame = frame.or(frame_header(marker, body));
            } else if marker == Marker::app(1) {
                orientation = orientation.or(body.strip_prefix(EXIF).map(exif::orientation));
            } else if marker == Marker::app(14) && body.starts_with(ADOBE) {
                inks = Inks::Inverted;
            } else if marker == Marker::SOS {
                scanned = body.first().copied().unwrap_or_default();
            }
            scan_at = end;
        }
        Some(Structure {
            frame: frame?,
            orientation: orientation.unwrap_or_default(),
            inks,
            scanned,
            scan_at,
        })
    }

    /// Whether an end-of-image marker follows the first scan.
    fn ends(&self, input: &[u8]) -> bool {
        let scans = input.get(self.scan_at..).unwrap_or_default();
        scans.windows(2).rev().any(|pair| pair == [0xFF, Marker::EOI.0])
    }
}

fn frame_header(marker: Marker, body: &[u8]) -> Option<Frame> {
    let mut bytes = Bytes(body);
    let depth = bytes.u8()?;
    let (height, width) = (bytes.be16()?, bytes.be16()?);
    let components = bytes.u8()?;
    let process = match marker.0 & 3 {
        2 => Process::Progressive,
        3 => Process::Lossless,
        _ => Process::Sequential,
    };
    let planar = matches!(marker.0, 0xC0..=0xC2) && depth == 8 && matches!(components, 1 | 3 | 4);
    let size = Size { width: width.into(), height: height.into() };
    Some(Frame { size, depth, components, process, planar })
}

/// Each whole segment up to the first scan, that scan's header included.
fn segments(input: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut scan_seen = false;
    Segments::new(input, 2).map_while(Result::ok).take_while(move |segment| {
        let goes_on = !scan_seen && segment.marker != Marker::EOI;
        scan_seen |= segment.marker == Marker::SOS;
        goes_on
    })
}

fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::Jpeg, reason)
}
