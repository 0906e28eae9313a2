//! `Shrink`: decodes a file and resamples its components, a row of MCUs at a time.

use super::Resize;
use super::plan::Route;
use crate::codec::StageTimes;
use crate::codec::jpeg::decode::{self, Decoder, Flaws, PlaneRows, Scale, Whole};
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::planes::{Plane, Planes};
use crate::codec::jpeg::resample::{PlaneResizer, WeightCache};
use crate::limits::OutOfMemory;
use std::ops::Range;
use std::time::Instant;

/// What decoding and resampling keep from one picture to the next.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    decode: decode::Scratch,
    resizers: [PlaneResizer; 4],
    weights: WeightCache,
}

impl Buffers {
    /// The decoder's memory.
    pub(super) fn decode(&mut self) -> &mut decode::Scratch {
        &mut self.decode
    }

    /// Bytes held by the decoder and the resampler.
    pub(super) fn bytes(&self) -> usize {
        self.decode.bytes()
            + self.resizers.iter().map(PlaneResizer::bytes).sum::<usize>()
            + self.weights.bytes()
    }

    /// Gives the decoder's coefficient memory back if more than `bytes` are held.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        if self.bytes() > bytes {
            self.decode.shrink_to(0);
        }
    }
}

/// Decodes and resamples. Each [`Shrink::step`] takes one row of MCUs from the file and appends the rows that
/// it makes possible to the planes.
#[derive(Debug)]
pub(super) struct Shrink<'a> {
    decoder: Decoder<'a>,
    resizers: &'a mut [PlaneResizer],
    /// Components that nobody wants.
    unwanted: usize,
    /// Rows made so far, by plane.
    made: [usize; 4],
}

impl<'a> Shrink<'a> {
    /// Prepares the way of the first components of the file, a route each; the others are left out.
    ///
    /// # Errors
    /// See [`Decoder::new`]; also [`JpegError::OutOfMemory`].
    pub(super) fn new(
        resize: &Resize<'a>,
        routes: &[Route],
        buffers: &'a mut Buffers,
    ) -> Result<Shrink<'a>, JpegError> {
        let Resize { input, header, kernel, limits, .. } = *resize;
        let mut scales: Vec<Scale> = routes.iter().map(|route| route.scale).collect();
        scales.resize(header.frame.components().len(), Scale::ALL[0]);
        let mut decoder = Decoder::new(input, header, &scales, limits, &mut buffers.decode)?;
        let layouts = decoder.layouts().to_vec();
        let resizers = &mut buffers.resizers[..routes.len()];
        for ((resizer, route), layout) in resizers.iter_mut().zip(routes).zip(&layouts) {
            let (width, rows) = (layout.min_stride, layout.strip_rows);
            resizer.start(kernel, &route.x, &route.y, width, rows, &mut buffers.weights)?;
        }
        for index in 0..layouts.len() {
            let (columns, rows) = resizers.get(index).map_or((0..0, 0..0), PlaneResizer::reads);
            decoder.want_only(index, columns, rows);
        }
        Ok(Shrink { decoder, resizers, unwanted: layouts.len() - routes.len(), made: [0; 4] })
    }

    /// Takes the next row of MCUs; false when all rows of all planes have been made.
    ///
    /// # Errors
    /// [`JpegError::Stopped`] when the result is no longer wanted.
    pub(super) fn step(&mut self, planes: &mut [Plane], times: &mut StageTimes) -> Result<bool, JpegError> {
        let started = Instant::now();
        if !self.decoder.next_mcu_row(&mut strips(self.resizers, self.unwanted))? {
            return Ok(false);
        }
        let decoded = Instant::now();
        for ((resizer, plane), made) in self.resizers.iter_mut().zip(planes).zip(&mut self.made) {
            advance(resizer, plane, made);
        }
        times.decode += decoded - started;
        times.resize += decoded.elapsed();
        Ok(!self.resizers.iter().all(PlaneResizer::is_done))
    }

    /// Makes all rows with the help of another worker, if the picture is decoded as a whole: this one makes the upper
    /// part and calls `finish` with it, how many of its rows of MCUs are final, while the other makes the lower
    /// part. False, and nothing done, for a picture that streams.
    ///
    /// # Errors
    /// As [`Shrink::step`], and those of `finish`.
    pub(super) fn share(
        &mut self,
        planes: &mut Planes,
        times: &mut StageTimes,
        finish: impl FnOnce(&Planes, usize) -> Result<(), OutOfMemory> + Send,
    ) -> Result<bool, JpegError> {
        let started = Instant::now();
        let (_, v) = planes.sampling().factors();
        let mcus = planes.height().div_ceil(8 * v);
        let Some(whole) = self.decoder.whole()? else { return Ok(false) };
        times.decode += started.elapsed();
        let started = Instant::now();
        // Whoever has the upper part encodes it, too.
        let upper_mcus = mcus / 5 * 2; // an even number, so that the margins fit
        let mut lower = Planes::new(planes.width(), planes.height() - upper_mcus * 8 * v, planes.sampling())?;
        let heights = [8 * v, 8, 8].map(|height| upper_mcus * height);
        let upper_parts = heights.map(|height| 0..height);
        let ends = planes.planes().iter().map(Plane::height);
        let lower_parts: Vec<_> = heights.into_iter().zip(ends).map(|(height, end)| height..end).collect();
        let mut lower_resizers = self.resizers.to_vec();
        let (resizers, unwanted) = (&mut *self.resizers, self.unwanted);
        let (upper_done, lower_done) = rayon::join(
            || {
                make_part(whole, resizers, unwanted, &upper_parts, planes.planes_mut())?;
                finish(planes, upper_mcus).map_err(JpegError::from)
            },
            || make_part(whole, &mut lower_resizers, unwanted, &lower_parts, lower.planes_mut()),
        );
        upper_done.and(lower_done)?;
        for ((plane, lower), height) in planes.planes_mut().iter_mut().zip(lower.planes()).zip(heights) {
            let from = height * plane.stride();
            let rest = &mut plane.samples_mut()[from..];
            rest.copy_from_slice(&lower.samples()[..rest.len()]);
        }
        times.resize += started.elapsed();
        Ok(true)
    }

    /// Rows of MCUs that are complete beyond the first `before`, when each takes `heights` rows of the planes.
    pub(super) fn complete(&self, before: usize, planes: &[Plane], heights: &[usize]) -> Range<usize> {
        let rows = planes.iter().zip(heights).zip(self.made).map(|((plane, &height), made)| {
            if made == plane.height() { made.div_ceil(height) } else { made / height }
        });
        before..rows.min().unwrap_or(before).max(before)
    }

    /// What is wrong with the data used so far.
    pub(super) fn flaws(&self) -> Flaws {
        self.decoder.flaws()
    }
}

/// Where the next row of MCUs goes: to the resizers, and nowhere what nobody wants.
fn strips(resizers: &mut [PlaneResizer], unwanted: usize) -> Vec<PlaneRows<'_>> {
    let kept = resizers.iter_mut().map(|resizer| {
        let (samples, stride) = resizer.strip();
        PlaneRows { samples, stride }
    });
    kept.chain((0..unwanted).map(|_| PlaneRows { samples: &mut [], stride: 0 })).collect()
}

/// Takes the strip of `resizer` as filled and appends the rows that it makes possible to the `made` ones of `plane`.
fn advance(resizer: &mut PlaneResizer, plane: &mut Plane, made: &mut usize) {
    resizer.push();
    let (before, stride) = (*made, plane.stride());
    while !resizer.is_done() {
        match resizer.take(&mut plane.samples_mut()[*made * stride..], stride) {
            0 => break,
            rows => *made += rows,
        }
    }
    plane.extend_edges(before..*made);
}

/// Makes output rows `parts` of each plane, the first rows of `planes`, of a picture whose coefficients are there.
fn make_part(
    whole: Whole<'_, '_>,
    resizers: &mut [PlaneResizer],
    unwanted: usize,
    parts: &[Range<usize>],
    planes: &mut [Plane],
) -> Result<(), JpegError> {
    let first = resizers.iter().zip(parts).map(|(resizer, part)| resizer.strip_of(part.start)).min();
    let first = first.unwrap_or(0);
    for (resizer, part) in resizers.iter_mut().zip(parts) {
        resizer.restrict(part.clone(), first);
    }
    let mut made = [0; 4];
    for row in first.. {
        if resizers.iter().all(PlaneResizer::is_done)
            || !whole.mcu_row(row, &mut strips(resizers, unwanted))?
        {
            break;
        }
        for ((resizer, plane), made) in resizers.iter_mut().zip(&mut *planes).zip(&mut made) {
            advance(resizer, plane, made);
        }
    }
    Ok(())
}
