//! The fast path of JPEG sources: which requests it serves, and how it is asked.

use super::colour::{self, Applied};
use super::encode::{self, JpegExtras};
use super::error::CodecError;
use super::geometry::{Geometry, Orientation, Region, Size};
use super::jpeg;
use super::jpeg::error::JpegError;
use super::jpeg::header::Header;
use super::jpeg::pipeline::{Made, Recolour, Resize, Scratch};
use super::jpeg::planes::Sampling;
use super::metadata::Metadata;
use super::outcome::{StageTimes, Warning, Warnings};
use super::probe::Probe;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::spec::{Icc, Kernel, Op, Spec, Speed};

/// A JPEG file that our own decoder reads, and a request that it serves.
pub(super) struct Planar<'a> {
    input: &'a [u8],
    header: Header<'a>,
    spec: &'a Spec,
    limits: &'a Limits,
    /// A profile that has to be applied: not sRGB in effect.
    profile: Option<&'a [u8]>,
}

/// What came of it.
pub(super) struct Done<T> {
    pub(super) value: T,
    pub(super) warnings: Warnings,
    pub(super) times: StageTimes,
}

impl<'a> Planar<'a> {
    /// `None` for other formats, for the kinds of JPEG that are left to others, and for linear light, which
    /// planes of luma and chroma do not have.
    ///
    /// # Errors
    /// [`CodecError::Damaged`], [`CodecError::TooLarge`].
    pub(super) fn open(
        input: &'a [u8],
        probe: &Probe,
        spec: &'a Spec,
        metadata: &'a Metadata<'_>,
        limits: &'a Limits,
    ) -> Result<Option<Planar<'a>>, CodecError> {
        if !probe.planar || spec.linear {
            return Ok(None);
        }
        let header = match Header::parse(input, limits) {
            Err(JpegError::NotForUs(_)) => return Ok(None),
            header => header?,
        };
        let profile = metadata.icc.as_deref().filter(|icc| spec.icc == Icc::Srgb && !colour::is_srgb(icc));
        Ok(Some(Planar { input, header, spec, limits, profile }))
    }

    /// Whether [`Planar::transcode`] serves the request.
    pub(super) fn is_direct(&self, format: Format) -> bool {
        is_direct(self.spec, format)
    }

    /// The result as a JPEG file, if [`Planar::is_direct`] says so.
    pub(super) fn transcode(
        &self,
        geometry: &Geometry,
        metadata: &Metadata<'_>,
        scratch: &mut Scratch,
    ) -> Result<Done<Vec<u8>>, CodecError> {
        let extras = JpegExtras::of(metadata);
        let other = extras.other();
        let mut options = extras.options(self.spec.quality, self.spec);
        options.segments.other = &other;
        let sampling = match self.spec.ops.as_slice() {
            [] => encode::sampling(self.spec.quality, self.spec),
            _ => Sampling::Gray,
        };
        self.recolouring(|recolour| self.resize(geometry).transcode(sampling, &options, recolour, scratch))
    }

    /// The result as upright pixels in sRGB, without the canvas.
    pub(super) fn pixels(
        &self,
        geometry: &Geometry,
        scratch: &mut Scratch,
    ) -> Result<Done<Pixels>, CodecError> {
        self.recolouring(|recolour| {
            let mut made = self.resize(geometry).pixels(scratch)?;
            if let Some(recolour) = recolour {
                recolour(&mut made.value);
            }
            Ok(made)
        })
    }

    /// A small upright picture of `region`, to look at.
    pub(super) fn thumbnail(
        &self,
        orientation: Orientation,
        region: Region,
        size: Size,
        scratch: &mut Scratch,
    ) -> Result<Pixels, CodecError> {
        let Size { width, height } = size;
        let geometry = Geometry { orientation, region, width, height, canvas: None };
        let resize = Resize { kernel: Kernel::Box, speed: Speed::Fast, ..self.resize(&geometry) };
        Ok(resize.pixels(scratch)?.value)
    }

    fn resize<'r>(&'r self, geometry: &'r Geometry) -> Resize<'r> {
        let Spec { kernel, speed, background, .. } = *self.spec;
        Resize {
            input: self.input,
            header: &self.header,
            geometry,
            kernel,
            speed,
            background,
            limits: self.limits,
        }
    }

    /// Runs `work` with what the profile asks for, and judges what was wrong with the file.
    fn recolouring<T>(
        &self,
        work: impl FnOnce(Option<Recolour<'_>>) -> Result<Made<T>, CodecError>,
    ) -> Result<Done<T>, CodecError> {
        let mut warnings = Warnings::default();
        let made = match self.profile {
            None => work(None)?,
            Some(profile) => work(Some(&mut |pixels| {
                if colour::to_srgb(pixels, profile) == Applied::Unusable {
                    warnings.add(Warning::ProfileDropped);
                }
            }))?,
        };
        let Made { value, flaws, times } = made;
        if self.spec.strict && (flaws.truncated || flaws.damaged) {
            let reason = if flaws.truncated {
                "the data ends before the end of the picture"
            } else {
                "it makes no sense in places"
            };
            return Err(CodecError::damaged(Format::Jpeg, reason));
        }
        if flaws.truncated {
            warnings.add(Warning::Truncated);
        }
        if flaws.damaged {
            warnings.add(Warning::Damaged);
        }
        Ok(Done { value, warnings, times })
    }
}

/// Most bytes that the fast path holds at once besides the input, for a picture of which only the header is known.
pub(super) fn estimate(probe: &Probe, geometry: &Geometry, format: Format, spec: &Spec) -> u64 {
    let output = geometry.output();
    let file = match format {
        Format::Jpeg => {
            let (width, height) = (output.width as usize, output.height as usize);
            let sampling = encode::sampling(spec.quality, spec);
            jpeg::encode::estimate(width, height, sampling, jpeg::encode::Coding::of(spec))
        }
        _ => 0,
    };
    // The result as pixels, and a copy of it; or as planes before they are turned or padded.
    let straight = geometry.orientation.is_identity() && geometry.canvas.is_none();
    let bytes_per_pixel = match (is_direct(spec, format), straight) {
        (true, true) => 0,
        (true, false) => 4,
        (false, _) => 9,
    };
    // Rows of the resampler for three planes.
    let rows = u64::from(probe.stored.width) * 3 * 96;
    // Files of several scans keep the low-frequency corner of each block, and 64 bits of what is there.
    let blocks = probe.working / (2 * 64);
    let coefficients = blocks * (2 * stored_coefficients(geometry, spec.speed) + 8);
    rows + output.pixels() * bytes_per_pixel + file + coefficients
}

/// Whether the request is for a JPEG that needs no pixels on the way: no operation but grayscale, and one quality.
fn is_direct(spec: &Spec, format: Format) -> bool {
    format == Format::Jpeg
        && matches!(spec.ops.as_slice(), [] | [Op::Grayscale])
        && spec.max_bytes.is_none()
        && spec.target.is_none()
}

/// Coefficients of a block that the decoder keeps at the scale that this reduction leads to.
fn stored_coefficients(geometry: &Geometry, speed: Speed) -> u64 {
    let Geometry { region, width, height, .. } = geometry;
    let least = if speed == Speed::Fast { 1.0 } else { 1.4 };
    let ratio = (region.width / f64::from(*width)).min(region.height / f64::from(*height));
    match (8.0 * least / ratio).ceil() {
        k if k <= 2.0 => 8,
        k if k <= 4.0 => 16,
        _ => 64,
    }
}
