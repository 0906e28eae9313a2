//! Decode and transform: from a source to a picture that is ready to be encoded.

pub(in crate::codec) mod colour; // profiles to sRGB.
pub(crate) mod geometry; // from the asked size to where each pixel comes from.
pub(in crate::codec) mod key_frame; // VP8 key frames to planes.
pub(in crate::codec) mod linear; // sRGB to linear light.
pub(in crate::codec) mod orient_pad; // turns, padding, background.
pub(in crate::codec) mod planar; // the fast path of JPEG and lossy WebP sources.
pub(in crate::codec) mod resize; // interleaved pixels.
pub(in crate::codec) mod smart_crop; // the part of a picture with the most detail.

use crate::codec::encoded::{EncodeResult, StageTimes, Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::codec::format::{self, Decoded, Tolerance};
use crate::codec::jpeg::encode::EncodeOptions;
use crate::codec::picture::Picture;
use crate::codec::plan::{self, Plan, Route};
use crate::codec::quality_search::EncodedPicture;
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

/// One request for a source.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Transform<'a> {
    pub(in crate::codec) source: &'a Source<'a>,
    pub(in crate::codec) plan: &'a Plan,
    pub(in crate::codec) spec: &'a Spec,
    pub(in crate::codec) limits: &'a Limits,
}

impl<'a> Transform<'a> {
    /// Makes the picture, to be encoded as often as a search needs.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub(in crate::codec) fn picture(
        &self,
        scratch: &mut Scratch,
    ) -> Result<EncodeResult<Picture<'a>>, CodecError> {
        match self.planar() {
            Some(planar) if self.plan.route == Route::Planar => {
                let geometry = self.settled(&planar, scratch)?;
                let sampling = planar.sampling(self.spec.quality());
                let made = planar.planes(&geometry, sampling, &mut scratch.planar)?;
                Ok(planar.judged(made)?.map(|planes| Picture::of_planes(planar, geometry, planes)))
            }
            Some(planar) => {
                let geometry = self.settled(&planar, scratch)?;
                let made = planar.pixels(&geometry, &mut scratch.planar)?;
                self.finished(planar.judged(made)?, geometry)
            }
            None => {
                let (decoded, geometry) = self.decoded(scratch)?;
                self.finished(decoded, geometry)
            }
        }
    }

    /// Makes the JPEG file of a planar plan at the asked quality, encoded row by row as it is decoded.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub(in crate::codec) fn streamed(
        &self,
        output: &Output<'_>,
        scratch: &mut Scratch,
    ) -> Result<EncodeResult<EncodedPicture>, CodecError> {
        let planar = self.planar().ok_or_else(|| CodecError::Internal("a planar plan of no JPEG".into()))?;
        let geometry = self.settled(&planar, scratch)?;
        let made = planar.transcode(&geometry, output, &mut scratch.planar)?;
        let quality = Some(self.spec.quality());
        Ok(planar.judged(made)?.map(|bytes| EncodedPicture::of(bytes, geometry, quality)))
    }

    /// Makes the JPEG file of a lossless plan from the coefficients of the source. `None` if they do not allow it.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub(in crate::codec) fn recoded(
        &self,
        output: &Output<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<EncodeResult<EncodedPicture>>, CodecError> {
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
        let mut done = planar.judged(made)?;
        done.warnings.add(Warning::Lossless);
        Ok(Some(done.map(|bytes| EncodedPicture::of(bytes, *geometry, None))))
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

    /// Decodes any format in full, resizes and turns it.
    fn decoded(&self, scratch: &mut Scratch) -> Result<(EncodeResult<Pixels>, Geometry), CodecError> {
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
        Ok((EncodeResult { value: pixels, warnings, times }, geometry))
    }

    /// Resamples the stored pixels to the size of the plan, not yet turned. Gives the settled geometry, too.
    fn arranged(&self, pixels: Pixels, scratch: &mut Scratch) -> Result<(Pixels, Geometry), CodecError> {
        let Transform { plan: Plan { source: probe, geometry, .. }, spec, limits, .. } = *self;
        if geometry.keeps_all(probe.stored) {
            return Ok((pixels, *geometry));
        }
        let orientation = geometry.orientation;
        let stored = |region| orientation.stored_region(region, orientation.turned(probe.stored));
        let light = if spec.linear { Light::Linear } else { Light::Encoded };
        let source = Premultiplied::new(pixels, light)?;
        let geometry = self.focused(|region, size| {
            let size = orientation.turned(size);
            let thumbnail =
                source.resize(stored(region), size, Kernel::Box, &limits.cancel, &mut scratch.resizer)?;
            Ok(orient_pad::turned(thumbnail, orientation)?)
        })?;
        let size = orientation.turned(Size { width: geometry.width, height: geometry.height });
        let resized = source.resize(
            stored(geometry.region),
            size,
            spec.kernel,
            &limits.cancel,
            &mut scratch.resizer,
        )?;
        scratch.frames.give(source.into_data());
        Ok((resized, geometry))
    }

    /// Settles `gravity=smart` by a thumbnail of an upright region.
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

    fn finished(
        &self,
        done: EncodeResult<Pixels>,
        geometry: Geometry,
    ) -> Result<EncodeResult<Picture<'a>>, CodecError> {
        let done = self.coloured(done, &geometry)?;
        Ok(done.map(|pixels| Picture::of_pixels(pixels, geometry)))
    }

    /// Makes a frame of an animation from the stored pixels of its canvas. `geometry` is settled by the first frame.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub(in crate::codec) fn frame(
        &self,
        pixels: Pixels,
        scratch: &mut Scratch,
    ) -> Result<EncodeResult<(Pixels, Geometry)>, CodecError> {
        let started = Instant::now();
        let (pixels, geometry) = self.arranged(pixels, scratch)?;
        let value = orient_pad::turned(pixels, geometry.orientation)?;
        let times = StageTimes { resize: started.elapsed(), ..StageTimes::default() };
        let done = self.coloured(EncodeResult { value, warnings: Warnings::default(), times }, &geometry)?;
        Ok(done.map(|pixels| (pixels, geometry)))
    }

    /// Converts colours, adds the canvas, applies operations, and flattens for formats without alpha. These steps come last
    /// because the result mostly has fewer pixels than the source.
    fn coloured(
        &self,
        mut done: EncodeResult<Pixels>,
        geometry: &Geometry,
    ) -> Result<EncodeResult<Pixels>, CodecError> {
        let Transform { source, plan, spec, limits } = *self;
        let started = Instant::now();
        let mut pixels = done.value;
        if spec.icc == Icc::Srgb
            && let Some(profile) = plan::profile_to_apply(source, spec)
            && colour::to_srgb(&mut pixels, profile) == Applied::Unusable
        {
            done.warnings.add(Warning::ProfileDropped);
        }
        if let Some(canvas) = geometry.canvas {
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
        Ok(EncodeResult { value: pixels, warnings: done.warnings, times: done.times })
    }
}

fn stopped(error: OpError) -> CodecError {
    match error {
        OpError::Stopped(stopped) => stopped.into(),
        OpError::OutOfMemory(refused) => refused.into(),
    }
}
