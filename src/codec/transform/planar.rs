//! JPEG and WebP sources by our own decoders: the requests that the planar pipeline serves, and their memory.

use crate::codec::encoded::{EncodeResult, StageTimes, Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::encode::{self, Output};
use crate::codec::jpeg;
use crate::codec::jpeg::header::{ColorModel, JpegHeader};
use crate::codec::jpeg::pipeline::{self, DecodeSpeed, JpegOutput, Resize, ResizeScratch};
use crate::codec::jpeg::planes::{Planes, Sampling};
use crate::codec::jpeg::resample::ResampleKernel;
use crate::codec::plan::{Plan, Route};
use crate::codec::source::Source;
use crate::codec::transform::geometry::{Geometry, Orientation, Region, Size};
use crate::codec::transform::key_frame;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::spec::{Colour, Kernel, Quality, Spec};
use std::time::Instant;

/// Returns true if our own decoder may serve `spec`. Planes of luma and chroma have no linear light.
pub(in crate::codec) fn decodes(spec: &Spec) -> bool {
    !spec.linear
}

/// Returns true if the file stores luma and chroma as a JPEG result does, so that no colour need be converted.
pub(in crate::codec) fn is_luma_chroma(source: &Source<'_>) -> bool {
    let is_jpeg =
        |header: &JpegHeader<'_>| matches!(header.color_model(), ColorModel::Grey | ColorModel::YCbCr);
    source.key_frame.is_some() || source.header.as_ref().is_some_and(is_jpeg)
}

/// A file that one of our own decoders reads.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) enum PlanarSource<'a> {
    Jpeg {
        input: &'a [u8],
        header: &'a JpegHeader<'a>,
    },
    /// The VP8 key frame of a WebP.
    WebP(&'a [u8]),
}

impl<'a> PlanarSource<'a> {
    /// The source of `file`, if one of our own decoders reads it.
    pub(in crate::codec) fn of(file: &'a Source<'a>) -> Option<PlanarSource<'a>> {
        match (&file.header, file.key_frame) {
            (Some(header), _) => Some(PlanarSource::Jpeg { input: file.input, header }),
            (None, Some(frame)) => Some(PlanarSource::WebP(frame)),
            (None, None) => None,
        }
    }

    fn format(&self) -> Format {
        match self {
            PlanarSource::Jpeg { .. } => Format::Jpeg,
            PlanarSource::WebP(_) => Format::WebP,
        }
    }
}

/// A request that the planar pipeline serves.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Planar<'a> {
    pub(in crate::codec) source: PlanarSource<'a>,
    pub(in crate::codec) spec: &'a Spec,
    pub(in crate::codec) limits: &'a Limits,
}

impl Planar<'_> {
    /// The chroma resolution of a result of this quality.
    pub(in crate::codec) fn sampling(&self, quality: Quality) -> Sampling {
        let is_grey = match self.source {
            PlanarSource::Jpeg { header, .. } => header.color_model() == ColorModel::Grey,
            PlanarSource::WebP(_) => false,
        };
        let gray = !self.spec.ops.is_empty() || is_grey;
        if gray { Sampling::Gray } else { encode::sampling(quality, self.spec) }
    }

    /// Makes a JPEG file of the asked quality in one pass: its rows are encoded as they are decoded.
    pub(in crate::codec) fn transcode(
        &self,
        geometry: &Geometry,
        output: &Output<'_>,
        scratch: &mut ResizeScratch,
    ) -> Result<JpegOutput<Vec<u8>>, CodecError> {
        let quality = self.spec.quality();
        let sampling = self.sampling(quality);
        output.jpeg(quality, |options| match self.source {
            PlanarSource::Jpeg { input, header } => {
                Ok(self.resize(input, header, geometry).transcode(sampling, options, scratch)?)
            }
            PlanarSource::WebP(_) => {
                let mut made = self.planes(geometry, sampling, scratch)?;
                let started = Instant::now();
                let value = scratch.encoder().encode(&made.value, options)?;
                made.times.encode += started.elapsed();
                Ok(JpegOutput { value, flaws: made.flaws, times: made.times })
            }
        })
    }

    /// Makes the planes of the result, with their margins.
    pub(in crate::codec) fn planes(
        &self,
        geometry: &Geometry,
        sampling: Sampling,
        scratch: &mut ResizeScratch,
    ) -> Result<JpegOutput<Planes>, CodecError> {
        match self.source {
            PlanarSource::Jpeg { input, header } => {
                Ok(self.resize(input, header, geometry).planes(sampling, scratch)?)
            }
            PlanarSource::WebP(frame) => {
                key_frame::planes(frame, geometry, sampling, self.spec, &self.limits.cancel, scratch)
            }
        }
    }

    /// Makes the result as upright pixels, without the canvas.
    pub(in crate::codec) fn pixels(
        &self,
        geometry: &Geometry,
        scratch: &mut ResizeScratch,
    ) -> Result<JpegOutput<Pixels>, CodecError> {
        match self.source {
            PlanarSource::Jpeg { input, header } => {
                Ok(self.resize(input, header, geometry).pixels(scratch)?)
            }
            PlanarSource::WebP(frame) => {
                key_frame::pixels(frame, geometry, self.spec.kernel, &self.limits.cancel, scratch)
            }
        }
    }

    /// Makes a small upright picture of `region`, for `gravity=smart`.
    pub(in crate::codec) fn thumbnail(
        &self,
        orientation: Orientation,
        region: Region,
        size: Size,
        scratch: &mut ResizeScratch,
    ) -> Result<Pixels, CodecError> {
        let Size { width, height } = size;
        let geometry = Geometry { orientation, region, width, height, canvas: None };
        match self.source {
            PlanarSource::Jpeg { input, header } => {
                let (kernel, speed) = (ResampleKernel::Box, DecodeSpeed::Fast);
                let resize = Resize { kernel, speed, ..self.resize(input, header, &geometry) };
                Ok(resize.pixels(scratch)?.value)
            }
            PlanarSource::WebP(frame) => {
                Ok(key_frame::pixels(frame, &geometry, Kernel::Box, &self.limits.cancel, scratch)?.value)
            }
        }
    }

    /// Turns the flaws of the data into warnings, or with `strict` into an error.
    pub(in crate::codec) fn judged<T>(&self, made: JpegOutput<T>) -> Result<EncodeResult<T>, CodecError> {
        let JpegOutput { value, flaws, times } = made;
        let mut warnings = Warnings::default();
        for (flawed, warning, reason) in [
            (flaws.truncated, Warning::Truncated, "the data ends before the end of the picture"),
            (flaws.damaged, Warning::Damaged, "it makes no sense in places"),
        ] {
            if flawed && self.spec.strict {
                return Err(CodecError::damaged(self.source.format(), reason));
            }
            if flawed {
                warnings.add(warning);
            }
        }
        let times = StageTimes { decode: times.decode, resize: times.resize, encode: times.encode };
        Ok(EncodeResult { value, warnings, times })
    }

    fn resize<'r>(
        &'r self,
        input: &'r [u8],
        header: &'r JpegHeader<'r>,
        geometry: &'r Geometry,
    ) -> Resize<'r> {
        let Spec { kernel, speed, background: Colour { r, g, b, .. }, .. } = *self.spec;
        let limits = self.limits;
        let (kernel, speed) = (kernel.into(), speed.into());
        Resize { input, header, geometry, kernel, speed, background: [r, g, b], limits }
    }
}

/// Eighths of its size, 1 to 8, at which our own decoder hands out luma; `None` where another decoder is at work.
pub(in crate::codec) fn decode_scale(source: &Source<'_>, geometry: &Geometry, spec: &Spec) -> Option<u8> {
    match &source.header {
        Some(header) => {
            Some(pipeline::luma_scale(header, geometry, spec.kernel.into(), spec.speed.into()).k() as u8)
        }
        None => source.key_frame.map(|_| 8),
    }
}

/// Most bytes that decoding, resizing and, on a planar route, encoding hold at once besides the input.
pub(in crate::codec) fn estimate(plan: &Plan, spec: &Spec) -> u64 {
    let Plan { source: probe, geometry, .. } = plan;
    let output = geometry.output();
    let straight = geometry.orientation.is_identity() && geometry.canvas.is_none();
    let searched = spec.max_bytes.is_some() || spec.target.is_some();
    // Planes of full resolution before they become pixels, or before they are turned or padded.
    let bytes_per_pixel = match (plan.route, straight) {
        (Route::Planar, true) => 0,
        (Route::Planar, false) => 6,
        (_, true) => 6,
        (_, false) => 9,
    };
    // A search holds the planes of both chroma resolutions and its best file; one that shrinks, smaller copies, too.
    let held = match (plan.route, searched, spec.allow_smaller) {
        (Route::Planar, true, true) => 8,
        (Route::Planar, true, false) => 5,
        _ => 0,
    };
    let file = if plan.route == Route::Planar { encoding(plan, spec) } else { 0 };
    // Rows of the resampler for three planes.
    let rows = u64::from(probe.stored.width) * 3 * 96;
    // Files of several scans keep the low-frequency corner of each block, and 64 bits of what is there.
    let blocks = probe.working / (2 * 64);
    let coefficients = blocks * (2 * stored_coefficients(plan.decode_scale) + 8 + 2);
    rows + output.pixels() * (bytes_per_pixel + held) + file + coefficients
}

/// Most bytes that encoding the JPEG result holds at once, its planes and the file included.
pub(in crate::codec) fn encoding(plan: &Plan, spec: &Spec) -> u64 {
    let Size { width, height } = plan.size();
    let sampling = encode::sampling(spec.quality(), spec);
    jpeg::encode::estimate(width as usize, height as usize, sampling, encode::coding(spec))
}

/// Coefficients of a block that the decoder keeps at a scale.
fn stored_coefficients(scale: Option<u8>) -> u64 {
    match scale {
        Some(..=2) => 8,
        Some(..=4) => 16,
        _ => 64,
    }
}
