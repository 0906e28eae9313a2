//! JPEG beside the planar path: probe, metadata, and the kinds that the planar decoder does not read (arithmetic
//! coding, the lossless process, 12 bits).

use crate::codec::bytes::Bytes;
use crate::codec::encoded::{Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::{Decoded, Tolerance};
use crate::codec::jpeg::colour;
use crate::codec::jpeg::decode::{Flaws, PredictivePicture};
use crate::codec::jpeg::header::{CodingProcess, JpegHeader, JpegMetadata};
use crate::codec::jpeg::marker::{Marker, MarkerSegment, MarkerSegments};
use crate::codec::jpeg::pipeline::{DecodeSpeed, Resize, ResizeScratch};
use crate::codec::jpeg::planes::{Planes, Sampling};
use crate::codec::jpeg::reduce::eight_bit_file;
use crate::codec::jpeg::resample::ResampleKernel;
use crate::codec::metadata::Metadata;
use crate::codec::metadata::exif;
use crate::codec::probe::Probe;
use crate::codec::transform::colour::InkConverter;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::limits::{Limits, try_vec};
use crate::pixels::{Channels, Geometry, Pixels, Region};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

const EXIF: &[u8] = b"Exif\0\0";

/// Reads the segments of a kind that the planar decoder does not read, up to the first scan.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let structure = SourceStructure::of(input).ok_or_else(|| damaged("there is no frame header"))?;
    let frame = structure.frame;
    if frame.size.height == 0 {
        return Err(CodecError::Unsupported(
            "JPEG files whose height follows the scan (DNL) are not supported".into(),
        ));
    }
    if frame.depth > 8 && !frame.is_reducible() && frame.process != SourceProcess::Lossless {
        return Err(CodecError::Unsupported(format!(
            "JPEG with {} bits a sample is not supported in this process",
            frame.depth
        )));
    }
    let channels = if frame.components == 1 { Channels::Gray } else { Channels::Rgb };
    let samples = frame.size.pixels() * u64::from(frame.components);
    // Progressive files keep 16-bit coefficients until the last scan.
    let working = match frame.process {
        // Coefficients of 12 and of 8 bits, and the file of 8 bits.
        _ if frame.is_reducible() => samples * 8,
        SourceProcess::Lossless => samples * 3,
        SourceProcess::Progressive => samples * 2,
        SourceProcess::Sequential if frame.components == 4 => samples,
        SourceProcess::Sequential => 0,
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

/// Makes the probe of a header that the planar decoder has read.
pub(in crate::codec) fn probe_read(input: &[u8], header: &JpegHeader<'_>) -> Probe {
    let frame = &header.frame;
    let components = frame.components().len();
    let mcu = |side: u16, factor: u8| u64::from(side).div_ceil(8 * u64::from(factor));
    let mcus = mcu(frame.width, frame.h_max()) * mcu(frame.height, frame.v_max());
    let blocks: u64 = frame.components().iter().map(|c| u64::from(c.h) * u64::from(c.v)).sum();
    let samples = mcus * blocks * 64;
    // The number of components follows the marker and length of the first scan.
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

/// Collects EXIF, XMP, IPTC and the profile, which may lie in several segments.
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

/// Decodes the whole picture. Inks become RGB by the profile of the file.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    inks: StoredInks<'_>,
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
    let pixels = match structure.frame.process {
        SourceProcess::Lossless => decode_lossless(input, tolerance, inks, limits, &mut warnings)?,
        _ if structure.frame.is_reducible() => decode_12_bit(input, tolerance, limits, &mut warnings)?,
        SourceProcess::Sequential | SourceProcess::Progressive => {
            let samples = decode_dct(input, &structure, tolerance, limits)?;
            let Size { width, height } = probe.stored;
            let (channels, data) = match structure.frame.components {
                1 => (Channels::Gray, samples),
                4 => (Channels::Rgb, cmyk_to_rgb(samples, inks, limits, &mut warnings)?),
                _ => (Channels::Rgb, samples),
            };
            Pixels::new(width, height, channels, data).ok_or_else(|| damaged("the sizes do not agree"))?
        }
    };
    Ok(Decoded { pixels, warnings })
}

/// Adds warnings for `flaws`.
///
/// # Errors
/// [`CodecError::Damaged`] for flaws under strict tolerance.
fn accept(flaws: Flaws, tolerance: Tolerance, warnings: &mut Warnings) -> Result<(), CodecError> {
    for (found, warning) in [(flaws.truncated, Warning::Truncated), (flaws.damaged, Warning::Damaged)] {
        if found && tolerance == Tolerance::Strict {
            return Err(damaged("the data is truncated or damaged"));
        }
        if found {
            warnings.add(warning);
        }
    }
    Ok(())
}

/// Decodes arithmetic-coded files by zune-jpeg. Missing data becomes grey.
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

/// Decodes the lossless process (SOF3) to 8 bits.
fn decode_lossless(
    input: &[u8],
    tolerance: Tolerance,
    inks: StoredInks<'_>,
    limits: &Limits,
    warnings: &mut Warnings,
) -> Result<Pixels, CodecError> {
    let PredictivePicture { frame, is_ycc, samples, flaws } = PredictivePicture::decode(input, limits)?;
    accept(flaws, tolerance, warnings)?;
    if frame.precision > 8 {
        warnings.add(Warning::DepthReduced);
    }
    // Fewer than 8 bits are spread over the whole range.
    let full = (1_u32 << frame.precision) - 1;
    let reduced = |sample: u16| match frame.precision {
        8.. => (sample >> (frame.precision - 8)) as u8,
        _ => ((u32::from(sample) * 255 + full / 2) / full) as u8,
    };
    let data: Vec<u8> = samples.into_iter().map(reduced).collect();
    let (width, height) = (frame.width.into(), frame.height.into());
    let (channels, data) = match frame.components().len() {
        1 => (Channels::Gray, data),
        4 => (Channels::Rgb, cmyk_to_rgb(data, inks, limits, warnings)?),
        _ => (Channels::Rgb, data),
    };
    if is_ycc {
        return ycc_to_rgb(width, height, &data);
    }
    Pixels::new(width, height, channels, data).ok_or_else(|| damaged("the sizes do not agree"))
}

fn ycc_to_rgb(width: u32, height: u32, data: &[u8]) -> Result<Pixels, CodecError> {
    let mut planes = Planes::new(width as usize, height as usize, Sampling::S444)?;
    for (component, plane) in planes.planes_mut().iter_mut().enumerate() {
        let stride = plane.stride();
        let rows = data.chunks_exact(3 * width as usize);
        for (to, from) in plane.samples_mut().chunks_exact_mut(stride).zip(rows) {
            to.iter_mut().zip(from.iter().skip(component).step_by(3)).for_each(|(to, from)| *to = *from);
        }
    }
    Ok(colour::to_pixels(&planes)?)
}

/// Decodes a DCT picture of 12 bits through a file of 8 bits.
fn decode_12_bit(
    input: &[u8],
    tolerance: Tolerance,
    limits: &Limits,
    warnings: &mut Warnings,
) -> Result<Pixels, CodecError> {
    let (file, flaws) = eight_bit_file(input, limits)?;
    accept(flaws, tolerance, warnings)?;
    warnings.add(Warning::DepthReduced);
    let header = JpegHeader::parse(&file, limits)?;
    let (width, height) = (u32::from(header.frame.width), u32::from(header.frame.height));
    let region = Region { x: 0.0, y: 0.0, width: width.into(), height: height.into() };
    let geometry = Geometry { orientation: Orientation::default(), region, width, height, canvas: None };
    let resize = Resize {
        input: &file,
        header: &header,
        geometry: &geometry,
        kernel: ResampleKernel::Lanczos3,
        speed: DecodeSpeed::Normal,
        background: [255; 3],
        limits,
    };
    Ok(resize.pixels(&mut ResizeScratch::default())?.value)
}

/// The inks of a file of four components.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct StoredInks<'a> {
    /// The profile by which they become RGB.
    pub(in crate::codec) profile: Option<&'a [u8]>,
    /// True if 255 is no ink: readers built on libjpeg take all JPEG files so, with or without an Adobe segment. Within a
    /// TIFF 255 is all of the ink.
    pub(in crate::codec) inverted: bool,
}

/// Converts CMYK to RGB by the profile of the file, or naively.
fn cmyk_to_rgb(
    mut samples: Vec<u8>,
    inks: StoredInks<'_>,
    limits: &Limits,
    warnings: &mut Warnings,
) -> Result<Vec<u8>, CodecError> {
    let (converter, unusable) = InkConverter::of(inks.profile);
    if unusable {
        warnings.add(Warning::ProfileDropped);
    }
    if inks.inverted {
        samples.iter_mut().for_each(|sample| *sample = 255 - *sample);
    }
    let mut rgb = try_vec(samples.len() / 4 * 3)?;
    converter.convert(&samples, &mut rgb, &limits.cancel)?;
    Ok(rgb)
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
    is_arithmetic: bool,
}

impl SourceFrame {
    /// Returns true for a picture that [`eight_bit_file`] reads.
    fn is_reducible(self) -> bool {
        self.depth == 12 && self.process != SourceProcess::Lossless && !self.is_arithmetic
    }
}

/// Facts that select the decoder.
struct SourceStructure {
    frame: SourceFrame,
    orientation: Orientation,
    /// Offset behind the header of the first scan.
    scan_at: usize,
}

impl SourceStructure {
    fn of(input: &[u8]) -> Option<SourceStructure> {
        let mut frame = None;
        let mut orientation = None;
        let mut scan_at = input.len();
        for MarkerSegment { marker, body, end, .. } in segments(input) {
            if marker.is_frame() {
                frame = frame.or(frame_header(marker, body));
            } else if marker == Marker::app(1) {
                orientation = orientation.or(body.strip_prefix(EXIF).map(exif::orientation));
            }
            scan_at = end;
        }
        Some(SourceStructure { frame: frame?, orientation: orientation.unwrap_or_default(), scan_at })
    }

    /// Returns true if an end-of-image marker follows the first scan.
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
    Some(SourceFrame { size, depth, components, process, is_arithmetic: marker.0 >= 0xC9 })
}

/// Iterates over the whole segments up to the header of the first scan.
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
