//! JPEG beside the planar path: its header, its metadata, and the crates that decode what the planar
//! decoder hands back (four components, arithmetic coding, lossless).

use crate::codec::bytes::Bytes;
use crate::codec::encoded::{Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::{Decoded, Tolerance};
use crate::codec::jpeg::header::{CodingProcess, JpegHeader, JpegMetadata};
use crate::codec::jpeg::marker::{Marker, MarkerSegment, MarkerSegments};
use crate::codec::metadata::Metadata;
use crate::codec::metadata::exif;
use crate::codec::probe::Probe;
use crate::codec::transform::colour::InkConverter;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::limits::{Limits, try_vec};
use crate::pixels::{Channels, Pixels};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

const EXIF: &[u8] = b"Exif\0\0";
const ADOBE: &[u8] = b"Adobe";

/// Walks the segments of a kind that is left to others, up to the first scan.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let structure = SourceStructure::of(input).ok_or_else(|| damaged("there is no frame header"))?;
    let frame = structure.frame;
    if frame.size.height == 0 {
        return Err(CodecError::Unsupported(
            "JPEG files whose height follows the scan (DNL) are not supported".into(),
        ));
    }
    let channels = if frame.components == 1 { Channels::Gray } else { Channels::Rgb };
    let samples = frame.size.pixels() * u64::from(frame.components);
    // Progressive files keep 16-bit coefficients until the last scan.
    let working = match frame.process {
        SourceProcess::Progressive => samples * 2,
        SourceProcess::Sequential | SourceProcess::Lossless if frame.components == 4 => samples,
        SourceProcess::Sequential | SourceProcess::Lossless => 0,
    };
    Ok(Probe {
        format: Format::Jpeg,
        stored: frame.size,
        orientation: structure.orientation,
        channels,
        depth: frame.depth,
        animated: false,
        working,
        cmyk: frame.components == 4,
        planar: false,
    })
}

/// What the header says that our own decoder has read.
pub(in crate::codec) fn probe_read(input: &[u8], header: &JpegHeader<'_>) -> Probe {
    let frame = &header.frame;
    let components = frame.components().len();
    let samples = frame.pixels() * components as u64;
    // Behind the first scan's marker and length stands how many components it has.
    let scanned = input.get(header.scans + 4).copied().unwrap_or_default();
    // Files of several scans keep 16-bit coefficients until the last one.
    let working = match frame.coding {
        CodingProcess::Progressive => samples * 2,
        CodingProcess::Sequential if usize::from(scanned) < components => samples * 2,
        CodingProcess::Sequential if components == 4 => samples,
        CodingProcess::Sequential => 0,
    };
    Probe {
        format: Format::Jpeg,
        stored: Size { width: frame.width.into(), height: frame.height.into() },
        orientation: header.metadata.exif.map(exif::orientation).unwrap_or_default(),
        channels: if components == 1 { Channels::Gray } else { Channels::Rgb },
        depth: frame.precision,
        animated: false,
        working,
        cmyk: components == 4,
        planar: true,
    }
}

/// EXIF, XMP, IPTC and the profile, which may lie in several segments.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    let mut found = JpegMetadata::default();
    let mut scans = None;
    for segment in segments(input) {
        if segment.marker == Marker::SOS {
            scans = input.get(segment.start..);
        }
        found.read(&segment);
    }
    Metadata::of_jpeg(&found, scans)
}

/// Decodes the whole picture. Inks become RGB by `profile`, which is that of the file.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    profile: Option<&[u8]>,
    limits: &Limits,
) -> Result<Decoded, CodecError> {
    let structure = SourceStructure::of(input).ok_or_else(|| damaged("there is no scan"))?;
    let mut warnings = Warnings::default();
    if !structure.ends(input) {
        if tolerance == Tolerance::Strict {
            return Err(damaged("the data ends before the end of the picture"));
        }
        warnings.add(Warning::Truncated);
    }
    let mut samples = match structure.frame.process {
        SourceProcess::Lossless => decode_lossless(input, &structure, limits, &mut warnings)?,
        SourceProcess::Sequential | SourceProcess::Progressive => {
            decode_dct(input, &structure, tolerance, limits)?
        }
    };
    let (channels, data) = match structure.frame.components {
        1 => (Channels::Gray, samples),
        4 => {
            let (converter, unusable) = InkConverter::of(profile);
            if unusable {
                warnings.add(Warning::ProfileDropped);
            }
            if structure.inks == Inks::Inverted {
                samples.iter_mut().for_each(|sample| *sample = 255 - *sample);
            }
            let mut rgb = try_vec(samples.len() / 4 * 3)?;
            converter.convert(&samples, &mut rgb, &limits.cancel)?;
            (Channels::Rgb, rgb)
        }
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
    structure: &SourceStructure,
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
    structure: &SourceStructure,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceProcess {
    Sequential,
    Progressive,
    Lossless,
}

#[derive(Debug, Clone, Copy)]
struct SourceFrame {
    size: Size,
    depth: u8,
    components: u8,
    process: SourceProcess,
}

/// What decides how the pixels are decoded.
struct SourceStructure {
    frame: SourceFrame,
    orientation: Orientation,
    inks: Inks,
    /// Where the first scan begins.
    scan_at: usize,
}

impl SourceStructure {
    fn of(input: &[u8]) -> Option<SourceStructure> {
        let mut frame = None;
        let mut orientation = None;
        let mut inks = Inks::Plain;
        let mut scan_at = input.len();
        for MarkerSegment { marker, body, end, .. } in segments(input) {
            if marker.is_frame() {
                frame = frame.or(frame_header(marker, body));
            } else if marker == Marker::app(1) {
                orientation = orientation.or(body.strip_prefix(EXIF).map(exif::orientation));
            } else if marker == Marker::app(14) && body.starts_with(ADOBE) {
                inks = Inks::Inverted;
            }
            scan_at = end;
        }
        Some(SourceStructure { frame: frame?, orientation: orientation.unwrap_or_default(), inks, scan_at })
    }

    /// Whether an end-of-image marker follows the first scan.
    fn ends(&self, input: &[u8]) -> bool {
        let scans = input.get(self.scan_at..).unwrap_or_default();
        scans.windows(2).rev().any(|pair| pair == [0xFF, Marker::EOI.0])
    }
}

fn frame_header(marker: Marker, body: &[u8]) -> Option<SourceFrame> {
    let mut bytes = Bytes(body);
    let depth = bytes.u8()?;
    let (height, width) = (bytes.be16()?, bytes.be16()?);
    let components = bytes.u8()?;
    let process = match marker.0 & 3 {
        2 => SourceProcess::Progressive,
        3 => SourceProcess::Lossless,
        _ => SourceProcess::Sequential,
    };
    let size = Size { width: width.into(), height: height.into() };
    Some(SourceFrame { size, depth, components, process })
}

/// Each whole segment up to the first scan, that scan's header included.
fn segments(input: &[u8]) -> impl Iterator<Item = MarkerSegment<'_>> {
    let mut scan_seen = false;
    MarkerSegments::new(input, 2).map_while(Result::ok).take_while(move |segment| {
        let goes_on = !scan_seen && segment.marker != Marker::EOI;
        scan_seen |= segment.marker == Marker::SOS;
        goes_on
    })
}

fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::Jpeg, reason)
}
