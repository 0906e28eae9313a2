//! `Shrink`: decodes a file and resamples its components, a row of MCUs at a time.

use super::Resize;
use super::plan::Route;
use crate::codec::StageTimes;
use crate::codec::jpeg::decode::{self, Decoder, Flaws, PlaneRows, Scale};
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::planes::Plane;
use crate::codec::jpeg::resample::{PlaneResizer, WeightCache};
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
        let kept = self.resizers.iter_mut().map(|resizer| {
            let (samples, stride) = resizer.strip();
            PlaneRows { samples, stride }
        });
        let nowhere = (0..self.unwanted).map(|_| PlaneRows { samples: &mut [], stride: 0 });
        let mut rows: Vec<PlaneRows<'_>> = kept.chain(nowhere).collect();
        if !self.decoder.next_mcu_row(&mut rows)? {
            return Ok(false);
        }
        let decoded = Instant::now();
        for (index, (resizer, plane)) in self.resizers.iter_mut().zip(planes).enumerate() {
            resizer.push();
            let before = self.made[index];
            let made = &mut self.made[index];
            let stride = plane.stride();
            while *made < plane.height() {
                match resizer.take(&mut plane.samples_mut()[*made * stride..], stride) {
                    0 => break,
                    rows => *made += rows,
                }
            }
            plane.extend_edges(before..*made);
        }
        times.decode += decoded - started;
        times.resize += decoded.elapsed();
        Ok(!self.resizers.iter().all(PlaneResizer::is_done))
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
