//! `Shrink`: decodes a file and resamples its components, a row of MCUs at a time.

use super::plan::ComponentRoute;
use super::{JpegTimes, Resize};
use crate::codec::jpeg::decode::{self, DecodedPicture, Decoder, Flaws, PlaneRows, Scale};
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::planes::{Plane, Planes, Sampling};
use crate::codec::jpeg::resample::{PlaneResizer, WeightCache};
use crate::limits::OutOfMemory;
use std::ops::Range;
use std::time::Instant;

/// Memory of the decoder and the resampler, reused from picture to picture.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    decode: decode::DecodeScratch,
    resizers: [PlaneResizer; 4],
    weights: WeightCache,
    /// Memory for the lower part of pictures made by two workers.
    below: Option<Box<Below>>,
}

/// Memory of a second worker for the lower part of a picture.
#[derive(Debug, Default)]
struct Below {
    resizers: [PlaneResizer; 4],
    planes: Planes,
}

impl Below {
    fn bytes(&self) -> usize {
        self.resizers.iter().map(PlaneResizer::bytes).sum::<usize>() + self.planes.bytes()
    }
}

impl Buffers {
    /// Returns the resamplers and their weights.
    pub(super) fn resizers(&mut self) -> (&mut [PlaneResizer], &mut WeightCache) {
        (&mut self.resizers, &mut self.weights)
    }

    /// The decoder's memory.
    pub(super) fn decode(&mut self) -> &mut decode::DecodeScratch {
        &mut self.decode
    }

    /// Bytes held by the decoder and the resampler.
    pub(super) fn bytes(&self) -> usize {
        self.decode.bytes()
            + self.resizers.iter().map(PlaneResizer::bytes).sum::<usize>()
            + self.weights.bytes()
            + self.below.as_ref().map_or(0, |below| below.bytes())
    }

    /// Frees the memory for coefficients and for a second worker if more than `bytes` are held.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        if self.bytes() > bytes {
            self.decode.shrink_to(0);
            self.below = None;
        }
    }
}

/// Decodes and resamples. Each [`Shrink::step`] decodes one row of MCUs of the file, and appends the completed rows
/// to the planes.
#[derive(Debug)]
pub(super) struct Shrink<'a> {
    decoder: Decoder<'a>,
    resizers: &'a mut [PlaneResizer],
    /// Memory of a second worker, if one may help.
    below: Option<&'a mut Below>,
    /// Number of unwanted components.
    unwanted: usize,
    /// Rows made so far, by plane.
    made: [usize; 4],
}

impl<'a> Shrink<'a> {
    /// Prepares the first components of the file, with a route each. The other components are unwanted.
    ///
    /// # Errors
    /// See [`Decoder::new`]; also [`JpegError::OutOfMemory`].
    pub(super) fn new(
        resize: &Resize<'a>,
        routes: &[ComponentRoute],
        buffers: &'a mut Buffers,
    ) -> Result<Shrink<'a>, JpegError> {
        let Resize { input, header, kernel, limits, .. } = *resize;
        let mut scales: Vec<Scale> = routes.iter().map(|route| route.scale).collect();
        scales.resize(header.frame.components().len(), Scale::ALL[0]);
        let mut decoder = Decoder::new(input, header, &scales, limits, &mut buffers.decode)?;
        let layouts = decoder.layouts().to_vec();
        let mut start = |resizers: &mut [PlaneResizer]| {
            resizers.iter_mut().zip(routes).zip(&layouts).try_for_each(|((resizer, route), layout)| {
                let (width, rows) = (layout.min_stride, layout.strip_rows);
                resizer.start(kernel, &route.x, &route.y, width, rows, &mut buffers.weights)
            })
        };
        let resizers = &mut buffers.resizers[..routes.len()];
        start(resizers)?;
        let mut below = None;
        if limits.spare_workers > 0 && !decoder.streams() {
            let memory = &mut **buffers.below.get_or_insert_default();
            start(&mut memory.resizers)?;
            below = Some(memory);
        }
        for index in 0..layouts.len() {
            let (columns, rows) = resizers.get(index).map_or((0..0, 0..0), PlaneResizer::reads);
            decoder.want_only(index, columns, rows);
        }
        Ok(Shrink { decoder, resizers, below, unwanted: layouts.len() - routes.len(), made: [0; 4] })
    }

    /// Decodes the next row of MCUs. Returns false once all rows of all planes are made.
    ///
    /// # Errors
    /// [`JpegError::Stopped`] if the work was cancelled.
    pub(super) fn step(&mut self, planes: &mut [Plane], times: &mut JpegTimes) -> Result<bool, JpegError> {
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

    /// Returns true if a second worker can help.
    pub(super) fn can_share(&self) -> bool {
        self.below.is_some()
    }

    /// Makes all rows together with other workers. Calls `upper` repeatedly with the planes and the number of final
    /// rows of MCUs. A second worker calls `lower` once, with the planes of the rows below. Returns these lower planes,
    /// unless `planes` has all rows.
    ///
    /// # Errors
    /// As [`Shrink::step`], and those of `upper` and `lower`.
    ///
    /// # Panics
    /// If [`Shrink::can_share`] is false.
    pub(super) fn share<U, L>(
        &mut self,
        planes: &mut Planes,
        times: &mut JpegTimes,
        mut upper: U,
        lower: Option<L>,
    ) -> Result<Option<&Planes>, JpegError>
    where
        U: FnMut(&Planes, usize) -> Result<(), OutOfMemory> + Send,
        L: FnOnce(&Planes) -> Result<(), OutOfMemory> + Send,
    {
        let started = Instant::now();
        let heights = mcu_heights(planes.sampling());
        let mcus = planes.height().div_ceil(heights[0]);
        self.make_front(planes, &mut upper)?;
        let row = self.decoder.given();
        let (Some(whole), Some(below)) = (self.decoder.whole()?, &mut self.below) else {
            unreachable!("a picture that streams is not shared");
        };
        times.decode += started.elapsed();
        let started = Instant::now();
        let done = complete(&self.made, planes.planes(), &heights);
        // Half of the rest for each worker. The lower half starts behind all rows begun.
        let begun = self.made.iter().zip(heights).map(|(made, height)| made.div_ceil(height)).max();
        let middle = (done + (mcus - done).div_ceil(2)).max(begun.unwrap_or(0) + 1);
        let ends: Vec<_> = planes.planes().iter().map(Plane::height).collect();
        let (resizers, unwanted, made) = (&mut *self.resizers, self.unwanted, &mut self.made);
        if middle >= mcus {
            let rest = Rest { from: row, ends: &ends };
            make_rest(whole, resizers, unwanted, rest, planes.planes_mut(), made)?;
            upper(planes, mcus)?;
            return Ok(None);
        }
        let tops = heights.map(|height| middle * height);
        let rest = Rest { from: row, ends: &tops };
        let Below { resizers: lower_resizers, planes: lower_planes } = &mut **below;
        lower_planes.reset(planes.width(), planes.height() - tops[0], planes.sampling())?;
        let (upper_done, lower_done) = rayon::join(
            || {
                make_rest(whole, resizers, unwanted, rest, planes.planes_mut(), made)?;
                upper(planes, middle).map_err(JpegError::from)
            },
            || {
                let parts: Vec<_> = tops.iter().zip(&ends).map(|(&top, &end)| top..end).collect();
                let lower_resizers = &mut lower_resizers[..ends.len()];
                make_part(whole, lower_resizers, unwanted, &parts, lower_planes.planes_mut())?;
                lower.map_or(Ok(()), |lower| lower(lower_planes)).map_err(JpegError::from)
            },
        );
        upper_done.and(lower_done)?;
        times.resize += started.elapsed();
        Ok(Some(lower_planes))
    }

    /// Makes the streaming rows, if any, while other workers decode the rest.
    fn make_front(
        &mut self,
        planes: &mut Planes,
        upper: &mut (impl FnMut(&Planes, usize) -> Result<(), OutOfMemory> + Send),
    ) -> Result<(), JpegError> {
        let Some((mut rows, rest)) = self.decoder.split() else { return Ok(()) };
        let heights = mcu_heights(planes.sampling());
        let (resizers, unwanted, made) = (&mut *self.resizers, self.unwanted, &mut self.made);
        let (front, ()) = rayon::join(
            || {
                while rows.next_mcu_row(&mut strips(resizers, unwanted))? {
                    for ((resizer, plane), made) in
                        resizers.iter_mut().zip(planes.planes_mut()).zip(&mut *made)
                    {
                        advance(resizer, plane, made);
                    }
                    upper(planes, complete(made, planes.planes(), &heights))?;
                }
                Ok(())
            },
            || rest.decode(),
        );
        front
    }

    /// Number of final rows of MCUs of the planes.
    pub(super) fn complete(&self, planes: &Planes) -> usize {
        complete(&self.made, planes.planes(), &mcu_heights(planes.sampling()))
    }

    /// Flaws of the data decoded so far.
    pub(super) fn flaws(&self) -> Flaws {
        self.decoder.flaws()
    }
}

/// Destinations of the next row of MCUs: the strips of the resizers, and empty ones for unwanted components.
fn strips(resizers: &mut [PlaneResizer], unwanted: usize) -> Vec<PlaneRows<'_>> {
    let kept = resizers.iter_mut().map(|resizer| {
        let (samples, stride) = resizer.strip();
        PlaneRows { samples, stride }
    });
    kept.chain((0..unwanted).map(|_| PlaneRows { samples: &mut [], stride: 0 })).collect()
}

/// Passes the filled strip to `resizer`, and appends the completed rows to the `made` rows of `plane`.
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

/// Height of a row of MCUs in each plane.
fn mcu_heights(sampling: Sampling) -> [usize; 3] {
    let (_, v) = sampling.factors();
    [8 * v, 8, 8]
}

/// Number of complete rows of MCUs after `made` rows of each plane.
fn complete(made: &[usize], planes: &[Plane], heights: &[usize]) -> usize {
    let rows = planes.iter().zip(heights).zip(made).map(|((plane, &height), &made)| {
        if made == plane.height() { made.div_ceil(height) } else { made / height }
    });
    rows.min().unwrap_or(0)
}

/// Makes output rows `parts` of each plane from coefficients. They become the first rows of `planes`.
fn make_part(
    whole: DecodedPicture<'_, '_>,
    resizers: &mut [PlaneResizer],
    unwanted: usize,
    parts: &[Range<usize>],
    planes: &mut [Plane],
) -> Result<(), JpegError> {
    let first = resizers.iter().zip(parts).map(|(resizer, part)| resizer.strip_of(part.start)).min();
    let from = first.unwrap_or(0);
    for (resizer, part) in resizers.iter_mut().zip(parts) {
        resizer.restrict(part.clone(), from);
    }
    let ends: Vec<_> = parts.iter().map(|part| part.end).collect();
    make_rest(whole, resizers, unwanted, Rest { from, ends: &ends }, planes, &mut [0; 4])
}

/// Remaining work: from row `from` of the source MCUs on, to row `ends` of each plane.
struct Rest<'t> {
    from: usize,
    ends: &'t [usize],
}

/// Makes the rest of each plane from coefficients, behind its `made` rows.
fn make_rest(
    whole: DecodedPicture<'_, '_>,
    resizers: &mut [PlaneResizer],
    unwanted: usize,
    rest: Rest<'_>,
    planes: &mut [Plane],
    made: &mut [usize],
) -> Result<(), JpegError> {
    for (resizer, &end) in resizers.iter_mut().zip(rest.ends) {
        resizer.stop_at(end);
    }
    for row in rest.from.. {
        if resizers.iter().all(PlaneResizer::is_done)
            || !whole.mcu_row(row, &mut strips(resizers, unwanted))?
        {
            break;
        }
        for ((resizer, plane), made) in resizers.iter_mut().zip(&mut *planes).zip(&mut *made) {
            advance(resizer, plane, made);
        }
    }
    Ok(())
}
