//! The fast path: a JPEG file to smaller planes, to pixels, or to a smaller JPEG file without a detour over RGB.
//!
//! ```text
//! file -> decode (k/8) -> resample, plane by plane -> turn, pad -> encode -> file
//!                                                 \-> pixels (colour profiles, operations, other formats)
//! ```
//! Decoder, resampler and encoder alternate by rows of MCUs, so that memory grows with the result and not with the
//! source.

mod plan;
mod shrink;
mod turn;

use super::colour;
use super::decode::{self, Flaws, Scale};
use super::encode::{self, Encoder};
use super::error::JpegError;
use super::header::{ColorModel, JpegHeader};
use super::planes::{Plane, Planes, Sampling};
use super::resample::{PlaneResizer, ResampleKernel, WeightCache};
use crate::limits::{Limits, OutOfMemory};
use crate::pixels::{Geometry, Pixels};
use plan::ComponentRoute;
use shrink::{Buffers, Shrink};
use std::time::{Duration, Instant};

pub use plan::{DecodeSpeed, full_axes};

/// Least number of rows of MCUs in a result shared by two workers.
const MIN_SHARED_ROWS: usize = 16;

/// Memory that a worker reuses from picture to picture.
#[derive(Debug, Default)]
pub struct ResizeScratch {
    buffers: Buffers,
    planes: Planes,
    encoder: Encoder,
}

impl ResizeScratch {
    /// Bytes held by the decoder, the resampler and the encoder.
    pub fn bytes(&self) -> usize {
        self.buffers.bytes() + self.planes.bytes() + self.encoder.bytes()
    }

    /// Frees the memory of the decoder if more than `bytes` are held, and all memory if that is not enough.
    pub fn shrink_to(&mut self, bytes: usize) {
        let others = self.planes.bytes() + self.encoder.bytes();
        self.buffers.shrink_to(bytes.saturating_sub(others));
        if self.bytes() > bytes {
            *self = ResizeScratch::default();
        }
    }

    /// Returns the decoder's memory and the encoder, for lossless transcoding.
    pub fn lossless(&mut self) -> (&mut decode::DecodeScratch, &mut Encoder) {
        (self.buffers.decode(), &mut self.encoder)
    }

    /// Returns the resamplers, one a plane, and their weights, for planes that another decoder makes.
    pub fn resizers(&mut self) -> (&mut [PlaneResizer], &mut WeightCache) {
        self.buffers.resizers()
    }

    /// Returns the encoder, for further files of the same planes.
    pub fn encoder(&mut self) -> &mut Encoder {
        &mut self.encoder
    }
}

/// A result, the flaws of its source, and the times of the stages.
#[derive(Debug, Clone)]
pub struct JpegOutput<T> {
    /// The result.
    pub value: T,
    /// Flaws of the decoded data.
    pub flaws: Flaws,
    /// Wall-clock time by stage.
    pub times: JpegTimes,
}

/// Wall-clock time by stage. Where stages alternate by rows, each row is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JpegTimes {
    /// Parsing and decoding.
    pub decode: Duration,
    /// Resampling, turns and colour conversion.
    pub resize: Duration,
    /// Encoding.
    pub encode: Duration,
}

/// A resize of one JPEG file.
#[derive(Debug, Clone, Copy)]
pub struct Resize<'a> {
    /// The file.
    pub input: &'a [u8],
    /// Its header.
    pub header: &'a JpegHeader<'a>,
    /// Orientation, region, size and canvas.
    pub geometry: &'a Geometry,
    /// The resampling kernel.
    pub kernel: ResampleKernel,
    /// Trade-off of the decode scale.
    pub speed: DecodeSpeed,
    /// Colour of the canvas: red, green, blue.
    pub background: [u8; 3],
    /// Limits, cancellation and spare workers.
    pub limits: &'a Limits,
}

impl<'a> Resize<'a> {
    /// Makes a JPEG file of the result. Only RGB and CMYK sources become pixels on the way.
    ///
    /// # Errors
    /// [`JpegError::Damaged`] if no part of the file can be decoded, [`JpegError::OutOfMemory`],
    /// [`JpegError::Stopped`].
    pub fn transcode(
        &self,
        sampling: Sampling,
        options: &encode::EncodeOptions<'_>,
        scratch: &mut ResizeScratch,
    ) -> Result<JpegOutput<Vec<u8>>, JpegError> {
        let straight = self.geometry.orientation.is_identity() && self.geometry.canvas.is_none();
        if straight && self.is_luma_chroma() {
            return self.stream(sampling, options, scratch);
        }
        let made = self.planes(sampling, scratch)?;
        let started = Instant::now();
        let value = scratch.encoder.encode(&made.value, options)?;
        let times = JpegTimes { encode: made.times.encode + started.elapsed(), ..made.times };
        Ok(JpegOutput { value, flaws: made.flaws, times })
    }

    /// Makes the planes of the result, with their margins filled.
    ///
    /// # Errors
    /// As [`Resize::transcode`].
    pub fn planes(
        &self,
        sampling: Sampling,
        scratch: &mut ResizeScratch,
    ) -> Result<JpegOutput<Planes>, JpegError> {
        let sampling = if self.header.color_model() == ColorModel::Grey { Sampling::Gray } else { sampling };
        let inner = sampling_before_canvas(self.geometry, sampling);
        let mut made = if self.is_luma_chroma() {
            self.upright(inner, scratch)?
        } else {
            let mut made = self.pixels(scratch)?;
            let started = Instant::now();
            let value = colour::from_pixels(&made.value, inner)?;
            made.times.resize += started.elapsed();
            JpegOutput { value, flaws: made.flaws, times: made.times }
        };
        let started = Instant::now();
        made.value = on_canvas(made.value, self.geometry, sampling, self.background)?;
        made.times.resize += started.elapsed();
        Ok(made)
    }

    /// Makes the upright result as pixels, grey or RGB, without the canvas.
    ///
    /// # Errors
    /// As [`Resize::transcode`].
    pub fn pixels(&self, scratch: &mut ResizeScratch) -> Result<JpegOutput<Pixels>, JpegError> {
        let model = self.header.color_model();
        if self.is_luma_chroma() {
            let gray = model == ColorModel::Grey;
            let made = self.upright(if gray { Sampling::Gray } else { Sampling::S444 }, scratch)?;
            let started = Instant::now();
            let value = colour::to_pixels(&made.value)?;
            let times = JpegTimes { resize: made.times.resize + started.elapsed(), ..made.times };
            return Ok(JpegOutput { value, flaws: made.flaws, times });
        }
        let JpegOutput { value: stored, flaws, mut times } = self.stored(scratch)?;
        let started = Instant::now();
        let Geometry { orientation, width, height, .. } = *self.geometry;
        let (width, height) = (width as usize, height as usize);
        let (colours, black) = stored.split_at(3);
        let colours = turn::turned(colours, orientation, width, height, Sampling::S444)?;
        let mut pixels = match (model, colours.planes()) {
            (ColorModel::Ycck, _) => colour::to_pixels(&colours)?,
            (_, [a, b, c]) => colour::rgb_to_pixels([a, b, c])?,
            _ => unreachable!("a 4:4:4 picture has three planes"),
        };
        // YCCK decodes to CMY, of which RGB is the complement; CMYK is stored inverted, as RGB.
        if model == ColorModel::Ycck {
            colour::invert(&mut pixels);
        }
        if !black.is_empty() {
            let black = turn::turned(black, orientation, width, height, Sampling::Gray)?;
            colour::apply_black(&mut pixels, &black.planes()[0]);
        }
        times.resize += started.elapsed();
        Ok(JpegOutput { value: pixels, flaws, times })
    }

    fn is_luma_chroma(&self) -> bool {
        matches!(self.header.color_model(), ColorModel::Grey | ColorModel::YCbCr)
    }

    /// Plans the routes of the components needed for `sampling`.
    fn routes(&self, sampling: Sampling) -> Vec<ComponentRoute> {
        let frame = &self.header.frame;
        let components = frame.components().iter().enumerate().take(sampling.planes());
        components
            .map(|(plane, component)| {
                plan::route(frame, component, plane, self.geometry, sampling, self.kernel, self.speed)
            })
            .collect()
    }

    /// Decodes, resamples and encodes by rows of MCUs.
    fn stream(
        &self,
        sampling: Sampling,
        options: &encode::EncodeOptions<'_>,
        scratch: &mut ResizeScratch,
    ) -> Result<JpegOutput<Vec<u8>>, JpegError> {
        let sampling = if self.header.color_model() == ColorModel::Grey { Sampling::Gray } else { sampling };
        let ResizeScratch { buffers, planes, encoder } = scratch;
        let mut times = JpegTimes::default();
        let started = Instant::now();
        planes.reset(self.geometry.width as usize, self.geometry.height as usize, sampling)?;
        let routes = self.routes(sampling);
        let mut shrink = Shrink::new(self, &routes, buffers)?;
        times.decode += started.elapsed();
        encoder.start(planes, options)?;
        let mut encoded = 0;
        let mut encode = |encoder: &mut Encoder, planes: &Planes, done: usize| {
            let rows = encoded..done;
            encoded = done;
            rows.into_iter().try_for_each(|row| encoder.mcu_row(planes, row))
        };
        let rows = encode::mcu_rows(planes);
        let (mut tail, mut below) = (None, None);
        if rows >= MIN_SHARED_ROWS && shrink.can_share() {
            tail = encoder.tail()?;
            let upper = |planes: &Planes, done| encode(encoder, planes, done);
            let lower = tail.as_mut().map(|tail| |planes: &Planes| tail.encode(planes));
            below = shrink.share(planes, &mut times, upper, lower)?;
        } else {
            while shrink.step(planes.planes_mut(), &mut times)? {
                let started = Instant::now();
                encode(encoder, planes, shrink.complete(planes))?;
                times.encode += started.elapsed();
            }
        }
        let started = Instant::now();
        match below {
            Some(below) => encoder.append(tail, below)?,
            None => encode(encoder, planes, rows)?,
        }
        let flaws = shrink.flaws();
        let value = encoder.finish()?;
        times.encode += started.elapsed();
        Ok(JpegOutput { value, flaws, times })
    }

    /// Makes the upright planes of a grey or YCbCr file, without margins.
    fn upright(
        &self,
        sampling: Sampling,
        scratch: &mut ResizeScratch,
    ) -> Result<JpegOutput<Planes>, JpegError> {
        let Geometry { orientation, width, height, .. } = *self.geometry;
        let (width, height) = (width as usize, height as usize);
        if orientation.is_identity() {
            let mut planes = Planes::new(width, height, sampling)?;
            let (flaws, times) = self.fill(planes.planes_mut(), &self.routes(sampling), scratch)?;
            return Ok(JpegOutput { value: planes, flaws, times });
        }
        let routes = self.routes(sampling);
        let mut stored = planes_for(&routes)?;
        let (flaws, mut times) = self.fill(&mut stored, &routes, scratch)?;
        let started = Instant::now();
        let value = turn::turned(&stored, orientation, width, height, sampling)?;
        times.resize += started.elapsed();
        Ok(JpegOutput { value, flaws, times })
    }

    /// Resamples all components to the full size of the result, without the turn.
    fn stored(&self, scratch: &mut ResizeScratch) -> Result<JpegOutput<Vec<Plane>>, JpegError> {
        let frame = &self.header.frame;
        let routes: Vec<ComponentRoute> = frame
            .components()
            .iter()
            .map(|component| {
                plan::route(frame, component, 0, self.geometry, Sampling::S444, self.kernel, self.speed)
            })
            .collect();
        let mut value = planes_for(&routes)?;
        let (flaws, times) = self.fill(&mut value, &routes, scratch)?;
        Ok(JpegOutput { value, flaws, times })
    }

    /// Decodes and resamples into `planes`, one for each route.
    fn fill(
        &self,
        planes: &mut [Plane],
        routes: &[ComponentRoute],
        scratch: &mut ResizeScratch,
    ) -> Result<(Flaws, JpegTimes), JpegError> {
        let mut times = JpegTimes::default();
        let started = Instant::now();
        let mut shrink = Shrink::new(self, routes, &mut scratch.buffers)?;
        times.decode += started.elapsed();
        while shrink.step(planes, &mut times)? {}
        Ok((shrink.flaws(), times))
    }
}

/// Sampling of planes before they are laid on a canvas: the picture may start within a chroma sample of the canvas, so chroma
/// is averaged at the end.
pub fn sampling_before_canvas(geometry: &Geometry, sampling: Sampling) -> Sampling {
    match (geometry.canvas, sampling) {
        (None, _) | (_, Sampling::Gray) => sampling,
        (Some(_), _) => Sampling::S444,
    }
}

/// Turns stored planes upright.
///
/// # Errors
/// [`OutOfMemory`].
pub fn turned(stored: &[Plane], geometry: &Geometry, sampling: Sampling) -> Result<Planes, OutOfMemory> {
    let Geometry { orientation, width, height, .. } = *geometry;
    turn::turned(stored, orientation, width as usize, height as usize, sampling)
}

/// Lays upright planes of [`sampling_before_canvas`] on the canvas, if there is one, and fills their margins.
///
/// # Errors
/// [`OutOfMemory`].
pub fn on_canvas(
    mut planes: Planes,
    geometry: &Geometry,
    sampling: Sampling,
    background: [u8; 3],
) -> Result<Planes, OutOfMemory> {
    if let Some(canvas) = &geometry.canvas {
        let whole = turn::on_canvas(&planes, canvas, colour::ycc(background))?;
        planes = turn::subsampled(whole, sampling)?;
    }
    for plane in planes.planes_mut() {
        plane.extend_edges(0..plane.height());
    }
    Ok(planes)
}

/// Returns the decode scale of luma for a result of `geometry`.
pub fn luma_scale(
    header: &JpegHeader<'_>,
    geometry: &Geometry,
    kernel: ResampleKernel,
    speed: DecodeSpeed,
) -> Scale {
    let frame = &header.frame;
    plan::route(frame, &frame.components()[0], 0, geometry, Sampling::S444, kernel, speed).scale
}

fn planes_for(routes: &[ComponentRoute]) -> Result<Vec<Plane>, OutOfMemory> {
    routes.iter().map(|route| Plane::new(route.x.output, route.y.output)).collect()
}

#[cfg(test)]
mod tests;
