//! The fast path: a JPEG file to smaller planes, to pixels, or to a smaller JPEG file that never was RGB.
//!
//! ```text
//! file -> decode (k/8) -> resample, plane by plane -> turn, pad -> encode -> file
//!                                                 \-> pixels (colour profiles, operations, other formats)
//! ```
//! Decoder, resampler and encoder take turns by rows of MCUs, so memory grows with the result and not with
//! the source.

mod plan;
mod shrink;
mod turn;

use super::colour::{self, Ink};
use super::decode::{self, Flaws, Scale};
use super::encode::{self, Encoder};
use super::error::JpegError;
use super::header::{ColorModel, Header};
use super::planes::{Plane, Planes, Sampling};
use super::resample::PlaneResizer;
use crate::codec::transform::geometry::{Geometry, Size};
use crate::codec::{CodecError, StageTimes};
use crate::limits::{Limits, OutOfMemory};
use crate::pixels::Pixels;
use crate::spec::{Colour, Kernel, Speed};
use plan::Route;
use shrink::{Buffers, Shrink};
use std::time::Instant;

/// Least rows of MCUs of a result whose making two workers share.
const MIN_SHARED_ROWS: usize = 16;

/// What a worker keeps from one picture to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    buffers: Buffers,
    planes: Planes,
    encoder: Encoder,
}

impl Scratch {
    /// Bytes held by the decoder, the resampler and the encoder.
    pub fn bytes(&self) -> usize {
        self.buffers.bytes() + self.planes.bytes() + self.encoder.bytes()
    }

    /// Lets go of the decoder's memory if more than `bytes` are held, and of everything if that is not enough.
    pub fn shrink_to(&mut self, bytes: usize) {
        let others = self.planes.bytes() + self.encoder.bytes();
        self.buffers.shrink_to(bytes.saturating_sub(others));
        if self.bytes() > bytes {
            *self = Scratch::default();
        }
    }

    /// The memory for coefficients, and the encoder, for what needs no samples.
    pub(in crate::codec) fn lossless(&mut self) -> (&mut decode::Scratch, &mut Encoder) {
        (self.buffers.decode(), &mut self.encoder)
    }

    /// The encoder, for further files of planes that were made before.
    pub fn encoder(&mut self) -> &mut Encoder {
        &mut self.encoder
    }
}

/// A result, what was wrong with the source, and where the time went.
#[derive(Debug, Clone)]
pub struct Made<T> {
    /// The result.
    pub value: T,
    /// What is wrong with the data that was decoded for it.
    pub flaws: Flaws,
    /// Where the time went.
    pub times: StageTimes,
}

/// Changes the colours of pixels: a profile to sRGB, say. Their size and channels stay.
pub type Recolour<'a> = &'a mut dyn FnMut(&mut Pixels);

/// One JPEG file and how it is to be resized.
#[derive(Debug, Clone, Copy)]
pub struct Resize<'a> {
    /// The file.
    pub input: &'a [u8],
    /// Its header.
    pub header: &'a Header<'a>,
    /// Turn, region and size.
    pub geometry: &'a Geometry,
    /// The resampling kernel.
    pub kernel: Kernel,
    /// How much the decoder may scale.
    pub speed: Speed,
    /// The colour beside a contained picture. Its alpha does not count.
    pub background: Colour,
    /// What it may cost.
    pub limits: &'a Limits,
}

impl<'a> Resize<'a> {
    /// A JPEG file of the result.
    ///
    /// A `recolour` makes the way lead over pixels; without one, and unless the file itself is RGB or CMYK, it
    /// does not.
    ///
    /// # Errors
    /// [`CodecError::Damaged`] when nothing of the file can be decoded, [`CodecError::OutOfMemory`],
    /// [`CodecError::Stopped`].
    pub fn transcode(
        &self,
        sampling: Sampling,
        options: &encode::Options<'_>,
        recolour: Option<Recolour<'_>>,
        scratch: &mut Scratch,
    ) -> Result<Made<Vec<u8>>, CodecError> {
        let straight = self.geometry.orientation.is_identity() && self.geometry.canvas.is_none();
        if straight && recolour.is_none() && self.is_luma_chroma() {
            return Ok(self.stream(sampling, options, scratch)?);
        }
        let made = self.planes(sampling, recolour, scratch)?;
        let started = Instant::now();
        let value = scratch.encoder.encode(&made.value, options)?;
        let times = StageTimes { encode: made.times.encode + started.elapsed(), ..made.times };
        Ok(Made { value, flaws: made.flaws, times })
    }

    /// The planes of the result, with their margins, to be encoded as often as needed.
    ///
    /// # Errors
    /// As [`Resize::transcode`].
    pub fn planes(
        &self,
        sampling: Sampling,
        recolour: Option<Recolour<'_>>,
        scratch: &mut Scratch,
    ) -> Result<Made<Planes>, CodecError> {
        let sampling = if self.header.color_model() == ColorModel::Grey { Sampling::Gray } else { sampling };
        // On a canvas the picture may start within a chroma sample, so that is averaged at the end.
        let inner = match (self.geometry.canvas, sampling) {
            (None, _) | (_, Sampling::Gray) => sampling,
            (Some(_), _) => Sampling::S444,
        };
        let mut made = if recolour.is_none() && self.is_luma_chroma() {
            self.upright(inner, scratch)?
        } else {
            let mut made = self.pixels(scratch)?;
            let started = Instant::now();
            if let Some(recolour) = recolour {
                recolour(&mut made.value);
            }
            let value = colour::from_pixels(&made.value, inner)?;
            made.times.resize += started.elapsed();
            Made { value, flaws: made.flaws, times: made.times }
        };
        let started = Instant::now();
        if let Some(canvas) = &self.geometry.canvas {
            let Colour { r, g, b, .. } = self.background;
            let whole = turn::on_canvas(&made.value, canvas, colour::ycc([r, g, b]))?;
            made.value = turn::subsampled(whole, sampling)?;
        }
        for plane in made.value.planes_mut() {
            plane.extend_edges(0..plane.height());
        }
        made.times.resize += started.elapsed();
        Ok(made)
    }

    /// The upright result as pixels, grey or RGB, without the canvas.
    ///
    /// # Errors
    /// As [`Resize::transcode`].
    pub fn pixels(&self, scratch: &mut Scratch) -> Result<Made<Pixels>, CodecError> {
        let model = self.header.color_model();
        if self.is_luma_chroma() {
            let gray = model == ColorModel::Grey;
            let made = self.upright(if gray { Sampling::Gray } else { Sampling::S444 }, scratch)?;
            let started = Instant::now();
            let value = colour::to_pixels(&made.value)?;
            let times = StageTimes { resize: made.times.resize + started.elapsed(), ..made.times };
            return Ok(Made { value, flaws: made.flaws, times });
        }
        let Made { value: stored, flaws, mut times } = self.stored(scratch)?;
        let started = Instant::now();
        let Size { width, height } = Size { width: self.geometry.width, height: self.geometry.height };
        let upright = |planes: &[Plane]| {
            turn::turned(planes, self.geometry.orientation, width as usize, height as usize, Sampling::S444)
        };
        let (colours, black) = stored.split_at(3);
        let colours = upright(colours)?;
        let mut pixels = match (model, colours.planes()) {
            (ColorModel::Ycck, _) => colour::to_pixels(&colours)?,
            (_, [a, b, c]) => colour::rgb_to_pixels([a, b, c])?,
            _ => return Err(CodecError::Internal("three colour planes expected".into())),
        };
        let inks = if self.header.metadata.adobe.is_some() { Ink::None } else { Ink::Full };
        if model == ColorModel::Ycck || (model == ColorModel::Cmyk && inks == Ink::Full) {
            colour::invert(&mut pixels);
        }
        if !black.is_empty() {
            let black = turn::turned(
                black,
                self.geometry.orientation,
                width as usize,
                height as usize,
                Sampling::Gray,
            )?;
            colour::apply_black(&mut pixels, &black.planes()[0], inks);
        }
        times.resize += started.elapsed();
        Ok(Made { value: pixels, flaws, times })
    }

    /// Bytes that the resampler and the encoder need for this, and the result.
    pub fn estimate(&self, sampling: Sampling, coding: encode::Coding) -> u64 {
        let rings: u64 = self
            .routes(sampling)
            .iter()
            .zip(self.header.frame.components())
            .map(|(route, component)| {
                let rows = usize::from(component.v) * route.scale.k();
                PlaneResizer::estimate(self.kernel, &route.x, &route.y, route.x.available + 64, rows)
            })
            .sum();
        let Size { width, height } = self.geometry.output();
        rings + encode::estimate(width as usize, height as usize, sampling, coding)
    }

    fn is_luma_chroma(&self) -> bool {
        matches!(self.header.color_model(), ColorModel::Grey | ColorModel::YCbCr)
    }

    /// The routes of the components that a result with `sampling` needs.
    fn routes(&self, sampling: Sampling) -> Vec<Route> {
        let frame = &self.header.frame;
        let components = frame.components().iter().enumerate().take(sampling.planes());
        components
            .map(|(plane, component)| {
                plan::route(frame, component, plane, self.geometry, sampling, self.kernel, self.speed)
            })
            .collect()
    }

    /// Decodes, resamples and encodes in turns.
    fn stream(
        &self,
        sampling: Sampling,
        options: &encode::Options<'_>,
        scratch: &mut Scratch,
    ) -> Result<Made<Vec<u8>>, JpegError> {
        let sampling = if self.header.color_model() == ColorModel::Grey { Sampling::Gray } else { sampling };
        let Scratch { buffers, planes, encoder } = scratch;
        let mut times = StageTimes::default();
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
        Ok(Made { value, flaws, times })
    }

    /// The resampled planes of a grey or YCbCr file, upright, without margins.
    fn upright(&self, sampling: Sampling, scratch: &mut Scratch) -> Result<Made<Planes>, JpegError> {
        let Geometry { orientation, width, height, .. } = *self.geometry;
        let (width, height) = (width as usize, height as usize);
        if orientation.is_identity() {
            let mut planes = Planes::new(width, height, sampling)?;
            let (flaws, times) = self.fill(planes.planes_mut(), &self.routes(sampling), scratch)?;
            return Ok(Made { value: planes, flaws, times });
        }
        let routes = self.routes(sampling);
        let mut stored = planes_for(&routes)?;
        let (flaws, mut times) = self.fill(&mut stored, &routes, scratch)?;
        let started = Instant::now();
        let value = turn::turned(&stored, orientation, width, height, sampling)?;
        times.resize += started.elapsed();
        Ok(Made { value, flaws, times })
    }

    /// All components resampled to the full size of the result, not turned.
    fn stored(&self, scratch: &mut Scratch) -> Result<Made<Vec<Plane>>, JpegError> {
        let frame = &self.header.frame;
        let routes: Vec<Route> = frame
            .components()
            .iter()
            .map(|component| {
                plan::route(frame, component, 0, self.geometry, Sampling::S444, self.kernel, self.speed)
            })
            .collect();
        let mut value = planes_for(&routes)?;
        let (flaws, times) = self.fill(&mut value, &routes, scratch)?;
        Ok(Made { value, flaws, times })
    }

    /// Decodes and resamples into `planes`, one for each route.
    fn fill(
        &self,
        planes: &mut [Plane],
        routes: &[Route],
        scratch: &mut Scratch,
    ) -> Result<(Flaws, StageTimes), JpegError> {
        let mut times = StageTimes::default();
        let started = Instant::now();
        let mut shrink = Shrink::new(self, routes, &mut scratch.buffers)?;
        times.decode += started.elapsed();
        while shrink.step(planes, &mut times)? {}
        Ok((shrink.flaws(), times))
    }
}

/// The scale at which luma is decoded for a result of `geometry`.
pub fn luma_scale(header: &Header<'_>, geometry: &Geometry, kernel: Kernel, speed: Speed) -> Scale {
    let frame = &header.frame;
    plan::route(frame, &frame.components()[0], 0, geometry, Sampling::S444, kernel, speed).scale
}

fn planes_for(routes: &[Route]) -> Result<Vec<Plane>, OutOfMemory> {
    routes.iter().map(|route| Plane::new(route.x.output, route.y.output)).collect()
}

#[cfg(test)]
mod tests;
