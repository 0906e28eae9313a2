//! Decode and transform: from a source to a picture that only has to be encoded.

use super::attention;
use super::colour::{self, Applied};
use super::decode::{self, Decoded, Tolerance};
use super::encode::Output;
use super::error::CodecError;
use super::geometry::{Geometry, Region, Size};
use super::jpeg::encode::Options;
use super::jpeg::pipeline::Made;
use super::outcome::{StageTimes, Warning, Warnings};
use super::picture::Picture;
use super::place;
use super::plan::{self, Plan, Route};
use super::planar::{self, Planar};
use super::resize::{Light, Premultiplied};
use super::scratch::Scratch;
use super::source::Source;
use crate::limits::Limits;
use crate::ops::{self, OpError};
use crate::pixels::Pixels;
use crate::spec::{Gravity, Icc, Kernel, Spec};
use std::time::Instant;

/// What is to be done to a source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transform<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) plan: &'a Plan,
    pub(super) spec: &'a Spec,
    pub(super) limits: &'a Limits,
}

/// What came of it.
pub(super) struct Transformed<T> {
    pub(super) value: T,
    /// The plan's, in which `gravity=smart` is settled.
    pub(super) geometry: Geometry,
    pub(super) warnings: Warnings,
    pub(super) times: StageTimes,
}

impl<T> Transformed<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T, &Geometry) -> U) -> Transformed<U> {
        let Transformed { value, geometry, warnings, times } = self;
        Transformed { value: change(value, &geometry), geometry, warnings, times }
    }
}

impl<'a> Transform<'a> {
    /// The picture, to be encoded as often as it takes.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub(super) fn picture(&self, scratch: &mut Scratch) -> Result<Transformed<Picture<'a>>, CodecError> {
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
    pub(super) fn streamed(
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
    pub(super) fn recoded(
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
            moved.run(source.input, header, &Options { coding, ..*options }, limits, memory)
        })?;
        let Some(made) = made else { return Ok(None) };
        let planar = Planar { input: source.input, header, spec, limits };
        let mut done = judged(&planar, *geometry, made)?;
        done.warnings.add(Warning::Lossless);
        Ok(Some(done))
    }

    fn planar(&self) -> Option<Planar<'a>> {
        let Transform { source, spec, limits, .. } = *self;
        let header = source.header.as_ref().filter(|_| planar::decodes(spec))?;
        Some(Planar { input: source.input, header, spec, limits })
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
        let Decoded { pixels, warnings } =
            decode::decode(source.input, &plan.source, tolerance, limits, &mut scratch.frames)?;
        let decoded = Instant::now();
        let (pixels, geometry) = self.arranged(pixels, scratch)?;
        let pixels = place::turned(pixels, geometry.orientation)?;
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
            Ok(place::turned(thumbnail, orientation)?)
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
        let thumbnail = thumbnail(base, attention::thumbnail(base))?;
        let window = (geometry.region.width / base.width, geometry.region.height / base.height);
        let (x, y) = attention::focus(&thumbnail, window);
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
            pixels = place::padded(&pixels, canvas, spec.background)?;
        }
        for op in &spec.ops {
            pixels = ops::apply(pixels, op, limits).map_err(stopped)?;
        }
        if !plan.format.has_alpha() {
            pixels = place::flattened(pixels, spec.background)?;
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
fn judged<T>(planar: &Planar<'_>, geometry: Geometry, made: Made<T>) -> Result<Transformed<T>, CodecError> {
    let Made { value, flaws, times } = made;
    Ok(Transformed { value, geometry, warnings: planar.judged(flaws)?, times })
}

fn stopped(error: OpError) -> CodecError {
    match error {
        OpError::Stopped(stopped) => stopped.into(),
        OpError::OutOfMemory(refused) => refused.into(),
    }
}
