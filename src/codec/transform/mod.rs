//! Decode and transform: from a source to a picture that only has to be encoded.

pub(in crate::codec) mod colour; // profiles to sRGB.
pub(crate) mod geometry; // from the asked size to where each pixel comes from.
pub(in crate::codec) mod key_frame; // VP8 key frames to planes.
pub(in crate::codec) mod linear; // sRGB to linear light.
pub(in crate::codec) mod orient_pad; // turns, padding, background.
pub(in crate::codec) mod planar; // the fast path of JPEG and lossy WebP sources.
pub(in crate::codec) mod resize; // interleaved pixels.
pub(in crate::codec) mod smart_crop; // the part of a picture with the most detail.

use crate::codec::encoded::{StageTimes, Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::codec::format::{self, Decoded, Tolerance};
use crate::codec::jpeg::encode::EncodeOptions;
use crate::codec::jpeg::pipeline::JpegOutput;
use crate::codec::picture::Picture;
use crate::codec::plan::{self, Plan, Route};
use crate::codec::scratch::Scratch;
use crate::codec::source::Source;
use crate::codec::transform::colour::Applied;
use crate::codec::transform::geometry::{Geometry, Region, Size};
use crate::codec::transform::planar::{Planar, PlanarSource};
use crate::codec::transform::resize::{Light, Premultiplied};
use crate::limits::Limits;
use crate::ops::{self, OpError};
use crate::pixels::Pixels;
use crate::spec::{Gravity, Icc, Kernel, Spec};
use std::time::Instant;

/// What is to be done to a source.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Transform<'a> {
    pub(in crate::codec) source: &'a Source<'a>,
    pub(in crate::codec) plan: &'a Plan,
    pub(in crate::codec) spec: &'a Spec,
    pub(in crate::codec) limits: &'a Limits,
}

/// What came of it.
pub(in crate::codec) struct Transformed<T> {
    pub(in crate::codec) value: T,
    /// The plan's, in which `gravity=smart` is settled.
    pub(in crate::codec) geometry: Geometry,
    pub(in crate::codec) warnings: Warnings,
    pub(in crate::codec) times: StageTimes,
}

impl<T> Transformed<T> {
    pub(in crate::codec) fn map<U>(self, change: impl FnOnce(T, &Geometry) -> U) -> Transformed<U> {
        let Transformed { value, geometry, warnings, times } = self;
        Transformed { value: change(value, &geometry), geometry, warnings, times }
    }
}

impl<'a> Transform<'a> {
    /// The picture, to be encoded as often as it takes.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub(in crate::codec) fn picture(
        &self,
        scratch: &mut Scratch,
    ) -> Result<Transformed<Picture<'a>>, CodecError> {
        match self.planar() {
            Some(planar) if self.plan.route == Route::Planar => {
                let geometry = self.settled(&planar, scratch)?;
                let sampling = planar.sampling(self.spec.quality());
                let made = planar.planes(&geometry, sampling, &mut scratch.planar)?;
                let done = judged(&planar, geometry, made)?;
                Ok(done.map(|planes, geometry| Picture::of_planes(planar, *geometry, planes)))
            }
            Some(planar) => {
                let geometry = self.settled(&planar, scratch)?;
                let made = planar.pixels(&geometry, &mut scratch.planar)?;
                self.finished(judged(&planar, geometry, made)?)
            }
            None => self.finished(self.decoded(scratch)?),
        }
    }

    /// The JPEG file of a planar plan at the asked quality, encoded row by row as it is decoded.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub(in crate::codec) fn streamed(
        &self,
        output: &Output<'_>,
        scratch: &mut Scratch,
    ) -> Result<Transformed<Vec<u8>>, CodecError> {
        let planar = self.planar().ok_or_else(|| CodecError::Internal("a planar plan of no JPEG".into()))?;
        let geometry = self.settled(&planar, scratch)?;
        let made = planar.transcode(&geometry, output, &mut scratch.planar)?;
        judged(&planar, geometry, made)
    }

    /// The JPEG file of a lossless plan, made of the coefficients of the source. `None` if they do not allow it.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub(in crate::codec) fn recoded(
        &self,
        output: &Output<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Transformed<Vec<u8>>>, CodecError> {
        let Transform { source, plan: Plan { format, geometry, .. }, spec, limits } = *self;
        let Some((header, moved)) = plan::rearrangement(source, *format, geometry, spec) else {
            return Ok(None);
        };
        let memory = scratch.planar.lossless();
        let coding = plan::kept_coding(header, spec);
        let made = output.jpeg(spec.quality(), |options| {
            moved.run(source.input, header, &EncodeOptions { coding, ..*options }, limits, memory)
        })?;
        let Some(made) = made else { return Ok(None) };
        let planar = Planar { source: PlanarSource::Jpeg { input: source.input, header }, spec, limits };
        let mut done = judged(&planar, *geometry, made)?;
        done.warnings.add(Warning::Lossless);
        Ok(Some(done))
    }

    fn planar(&self) -> Option<Planar<'a>> {
        let Transform { source, spec, limits, .. } = *self;
        Some(Planar { source: source.planar(spec)?, spec, limits })
    }

    fn settled(&self, planar: &Planar<'_>, scratch: &mut Scratch) -> Result<Geometry, CodecError> {
        self.focused(|region, size| {
            planar.thumbnail(self.plan.geometry.orientation, region, size, &mut scratch.planar)
        })
    }

    /// The way over pixels of any format: decode in full, resize, turn.
    fn decoded(&self, scratch: &mut Scratch) -> Result<Transformed<Pixels>, CodecError> {
        let Transform { source, plan, spec, limits } = *self;
        let started = Instant::now();
        let tolerance = if spec.strict { Tolerance::Strict } else { Tolerance::Lenient };
        let Decoded { pixels, warnings } = format::decode(
            source.input,
            &plan.source,
            tolerance,
            source.ink_profile(spec),
            limits,
            &mut scratch.frames,
        )?;
        let decoded = Instant::now();
        let (pixels, geometry) = self.arranged(pixels, scratch)?;
        let pixels = orient_pad::turned(pixels, geometry.orientation)?;
        let times =
            StageTimes { decode: decoded - started, resize: decoded.elapsed(), ..StageTimes::default() };
        Ok(Transformed { value: pixels, geometry, warnings, times })
    }

    /// The stored pixels resampled to the size of the plan, not yet turned; and the settled plan.
    fn arranged(&self, pixels: Pixels, scratch: &mut Scratch) -> Result<(Pixels, Geometry), CodecError> {
        let Transform { plan: Plan { source: probe, geometry, .. }, spec, .. } = *self;
        if geometry.keeps_all(probe.stored) {
            return Ok((pixels, *geometry));
        }
        let orientation = geometry.orientation;
        let stored = |region| orientation.stored_region(region, orientation.turned(probe.stored));
        let light = if spec.linear { Light::Linear } else { Light::Encoded };
        let source = Premultiplied::new(pixels, light)?;
        let geometry = self.focused(|region, size| {
            let size = orientation.turned(size);
            let thumbnail = source.resize(stored(region), size, Kernel::Box, &mut scratch.resizer)?;
            Ok(orient_pad::turned(thumbnail, orientation)?)
        })?;
        let size = orientation.turned(Size { width: geometry.width, height: geometry.height });
        let resized = source.resize(stored(geometry.region), size, spec.kernel, &mut scratch.resizer)?;
        scratch.frames.give(source.into_data());
        Ok((resized, geometry))
    }

    /// The geometry, with `gravity=smart` settled by a thumbnail of an upright region.
    fn focused(
        &self,
        thumbnail: impl FnOnce(Region, Size) -> Result<Pixels, CodecError>,
    ) -> Result<Geometry, CodecError> {
        let Transform { plan: Plan { source: probe, geometry, .. }, spec, limits, .. } = *self;
        let base = Region::of(spec.crop, geometry.orientation.turned(probe.stored));
        if spec.gravity != Gravity::Smart || geometry.region == base {
            return Ok(*geometry);
        }
        let thumbnail = thumbnail(base, smart_crop::thumbnail(base))?;
        let window = (geometry.region.width / base.width, geometry.region.height / base.height);
        let (x, y) = smart_crop::focus(&thumbnail, window);
        let spec = Spec { gravity: Gravity::Focus(x, y), ..spec.clone() };
        Geometry::plan(probe.stored, probe.orientation, &spec, limits)
    }

    /// Upright pixels of the right size, when all else has been done to them: colours, canvas, operations, and
    /// nothing transparent left where the format cannot say so. There are fewer of them than in the source.
    fn finished(&self, mut done: Transformed<Pixels>) -> Result<Transformed<Picture<'a>>, CodecError> {
        let Transform { source, plan, spec, limits } = *self;
        let started = Instant::now();
        let mut pixels = done.value;
        if spec.icc == Icc::Srgb
            && let Some(profile) = plan::profile_to_apply(source, spec)
            && colour::to_srgb(&mut pixels, profile) == Applied::Unusable
        {
            done.warnings.add(Warning::ProfileDropped);
        }
        if let Some(canvas) = done.geometry.canvas {
            pixels = orient_pad::padded(&pixels, canvas, spec.background)?;
        }
        for op in &spec.ops {
            pixels = ops::apply(pixels, op, limits).map_err(stopped)?;
        }
        if !plan.format.has_alpha() {
            if orient_pad::is_transparent(&pixels) {
                done.warnings.add(Warning::Flattened);
            }
            pixels = orient_pad::flattened(pixels, spec.background)?;
        }
        done.times.resize += started.elapsed();
        Ok(Transformed {
            value: Picture::of_pixels(pixels),
            geometry: done.geometry,
            warnings: done.warnings,
            times: done.times,
        })
    }
}

/// What the planar pipeline made, if what was wrong with the data is no reason to refuse it.
fn judged<T>(
    planar: &Planar<'_>,
    geometry: Geometry,
    made: JpegOutput<T>,
) -> Result<Transformed<T>, CodecError> {
    let JpegOutput { value, flaws, times } = made;
    Ok(Transformed { value, geometry, warnings: planar.judged(flaws)?, times: times.into() })
}

fn stopped(error: OpError) -> CodecError {
    match error {
        OpError::Stopped(stopped) => stopped.into(),
        OpError::OutOfMemory(refused) => refused.into(),
    }
}
