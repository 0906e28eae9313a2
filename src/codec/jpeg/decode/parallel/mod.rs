//! `Parallel`: one sequential scan decoded by several workers at once.
//!
//! Huffman codes synchronise themselves: a decoder that starts anywhere soon meets the true boundaries between
//! MCUs, mostly within a few (Klein and Wiseman, "Parallel Huffman decoding with applications to JPEG files",
//! The Computer Journal 46, 2003). The bytes are cut into one segment per worker, and each worker records the
//! start positions of its first MCUs. Then the segment before is decoded past its end until it reaches one of
//! these positions. From there on both decode the same, except for the DC predictions, whose difference is
//! added. The MCUs before that position are dropped. With restart markers, segments begin behind one, and
//! nothing is dropped. The result equals that of one worker.
//!
//! ```text
//! segment: where to cut -> segment_decoder: coefficients in memory -> here: joined, transformed row by row
//!                       -> front: samples at once, from the first row on
//! ```

mod front;
mod segment;
mod segment_decoder;

use super::Flaws;
use super::block::{CoefficientBlock, Scale, ScaledIdctLayout};
use super::kernels::{self, KernelTask, Kernels};
use super::plane::{Columns, PlaneRows};
use super::sequential::ScanComponent;
use super::sink::{fill, transform};
use crate::codec::jpeg::error::JpegError;
use crate::limits::Cancel;
pub(super) use front::Front;
use rayon::prelude::*;
use segment::ScanData;
pub(super) use segment_decoder::SegmentMemory;
use segment_decoder::{DecodeSegment, Goal, SegmentDecoder};
use std::ops::Range;

/// Least data per worker, in bytes: below, distributing work costs more than it gains.
const MIN_EACH: usize = 96 * 1024;
/// Most memory for the coefficients of all segments together, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// A scan decoded by several workers.
#[derive(Debug)]
pub(super) struct Parallel<'a> {
    data: ScanData<'a>,
    decoders: Vec<SegmentDecoder<'a>>,
    /// MCUs in a row.
    columns: usize,
    progress: ScanProgress,
}

/// Progress of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanProgress {
    Nothing,
    /// All segments are decoded, each by itself.
    Segments,
    /// The segments are joined.
    Joined,
}

/// The lower segments of a picture, for other workers than that of its [`Upper`](super::Upper) rows.
#[derive(Debug)]
pub struct Lower<'t, 'a> {
    decoders: &'t mut [SegmentDecoder<'a>],
    cancel: &'t Cancel,
}

impl Lower<'_, '_> {
    /// Decodes the coefficients, one segment per worker. The join reports errors.
    pub fn decode(self) {
        let Lower { decoders, cancel } = self;
        decoders.par_iter_mut().for_each(|decoder| {
            decoder.open();
            decoder.outcome = kernels::run(DecodeSegment { decoder, goal: Goal::Segment, cancel });
        });
    }
}

/// Layout of a scan, apart from its data.
#[derive(Debug)]
pub(super) struct ScanLayout {
    pub(super) components: Vec<ScanComponent>,
    /// MCUs across and down.
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// MCUs between restart markers; 0 for no markers.
    pub(super) restart_interval: u16,
}

/// Number of workers for a scan of `bytes` bytes, at most `most`. `blocks` are the numbers of blocks and their
/// scales.
pub(super) fn workers(bytes: usize, blocks: impl Iterator<Item = (usize, Scale)>, most: usize) -> usize {
    let memory: usize = blocks.map(|(blocks, scale)| blocks * (1 + 2 * scale.stored())).sum();
    if memory > MAX_BYTES { 1 } else { most.min(bytes / MIN_EACH).max(1) }
}

impl<'a> Parallel<'a> {
    /// Cuts the entropy-coded data from offset `data` of `input` into at most one segment for each of `memory`.
    /// Returns `None` if it cannot be cut.
    pub(super) fn new(
        input: &'a [u8],
        data: usize,
        layout: &ScanLayout,
        idcts: &[ScaledIdctLayout],
        memory: &'a mut [SegmentMemory],
    ) -> Option<Parallel<'a>> {
        let (columns, interval) = (layout.columns, layout.restart_interval);
        let data = ScanData { input, start: data, interval, mcus: columns * layout.rows };
        let segments = data.segments(memory.len())?;
        let decoders = memory.iter_mut().zip(segments);
        let decoders = decoders
            .map(|(memory, segment)| SegmentDecoder::new(input, segment, layout, idcts, memory))
            .collect();
        Some(Parallel { data, decoders, columns, progress: ScanProgress::Nothing })
    }

    /// Splits the work into the front, whose rows stream, and the rest. Returns `None` once work has begun.
    /// Complete both before [`Parallel::decode`].
    pub(super) fn split<'t>(&'t mut self, cancel: &'t Cancel) -> Option<(Front<'t, 'a>, Lower<'t, 'a>)> {
        if self.progress != ScanProgress::Nothing {
            return None;
        }
        let average = (self.data.input.len() - self.data.start) * self.columns / self.data.mcus.max(1);
        let (front, decoders) = self.decoders.split_first_mut()?;
        self.progress = ScanProgress::Segments;
        Some((Front::new(front, self.columns, average), Lower { decoders, cancel }))
    }

    /// Decodes the segments that are not decoded yet, and joins them.
    pub(super) fn decode(&mut self, cancel: &Cancel) -> Result<Flaws, JpegError> {
        if self.progress == ScanProgress::Nothing {
            Lower { decoders: &mut self.decoders, cancel }.decode();
            self.progress = ScanProgress::Segments;
        }
        if self.progress == ScanProgress::Segments {
            for decoder in &self.decoders {
                decoder.outcome.clone()?;
            }
            self.join(cancel)?;
            self.progress = ScanProgress::Joined;
        }
        Ok(self.flaws())
    }

    /// Continues each segment until it meets the next one, and finds the place of each in the picture.
    fn join(&mut self, cancel: &Cancel) -> Result<(), JpegError> {
        let mut joined = 1;
        while let Some([decoder, next]) = self.decoders.get_mut(joined - 1..=joined) {
            if next.is_placed() {
                joined += 1;
                continue;
            }
            kernels::run(DecodeSegment { decoder, goal: Goal::Meet(&next.starts), cancel })?;
            let Some(met) = decoder.meeting(&next.starts) else { break };
            next.first = met;
            next.place = decoder.place + decoder.mcus - decoder.first;
            for (i, component) in decoder.scan.components.iter().enumerate() {
                let true_prediction = component.prediction.wrapping_add(decoder.offsets[i]);
                next.offsets[i] = true_prediction.wrapping_sub(next.starts[met].predictions[i]);
            }
            joined += 1;
        }
        // A segment that does not meet the next one has decoded all the rest.
        self.decoders.truncate(joined);
        Ok(())
    }

    /// Returns the decoder of MCU `mcu`, and the number of its MCUs from there on.
    fn decoder_at(&self, mcu: usize) -> Option<(&SegmentDecoder<'a>, usize)> {
        let behind = self.decoders.partition_point(|decoder| decoder.place <= mcu);
        let count = self.decoders.get(behind).map_or(usize::MAX, |next| next.place - mcu);
        Some((self.decoders.get(behind.checked_sub(1)?)?, count))
    }

    fn flaws(&self) -> Flaws {
        let mut flaws = Flaws::default();
        for decoder in &self.decoders {
            flaws.add(decoder.scan.flaws);
            flaws.add(decoder.streamed);
            let counts =
                |mcu: usize| mcu >= decoder.first && decoder.place + mcu - decoder.first < self.data.mcus;
            flaws.damaged |= decoder.damaged.iter().any(|&mcu| counts(mcu));
        }
        if let Some(last) = self.decoders.last() {
            let decoded = last.place + last.mcus - last.first;
            let overdrawn = last.scan.reader.is_overdrawn(&last.scan.reader.bits);
            if decoded < self.data.mcus || decoded == self.data.mcus && overdrawn {
                flaws.data_ended(&last.scan.reader);
            }
        }
        flaws
    }

    /// Writes the samples of a row of MCUs.
    pub(super) fn transform_row(
        &self,
        mcu_row: usize,
        idcts: &[ScaledIdctLayout],
        columns: &[Columns],
        rows: &mut [PlaneRows<'_>],
    ) {
        kernels::run(TransformJoinedRow { parallel: self, mcu_row, idcts, columns, rows });
    }
}

struct TransformJoinedRow<'t, 'a, 'r> {
    parallel: &'t Parallel<'a>,
    mcu_row: usize,
    idcts: &'t [ScaledIdctLayout],
    columns: &'t [Columns],
    rows: &'t mut [PlaneRows<'r>],
}

impl KernelTask for TransformJoinedRow<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) {
        let TransformJoinedRow { parallel, mcu_row, idcts, columns, rows } = self;
        let first = mcu_row * parallel.columns;
        let mut across = 0..0;
        while across.end < parallel.columns {
            let Some((decoder, count)) = parallel.decoder_at(first + across.end) else { return };
            across = across.end..parallel.columns.min(across.end.saturating_add(count));
            for (i, ((idct, wanted), rows)) in idcts.iter().zip(columns).zip(&mut *rows).enumerate() {
                transform_blocks(kernels, decoder, i, first, across.clone(), (idct, *wanted), rows);
            }
        }
    }
}

/// Writes the samples of component `component` in MCUs of one segment: those at `across` of the row whose first
/// MCU is number `first`.
#[inline(always)]
fn transform_blocks<K: Kernels>(
    kernels: K,
    decoder: &SegmentDecoder<'_>,
    component: usize,
    first: usize,
    across: Range<usize>,
    (idct, wanted): (&ScaledIdctLayout, Columns),
    rows: &mut PlaneRows<'_>,
) {
    let ScanComponent { h, v, .. } = decoder.scan.components[component];
    let (blocks, offset) = (&decoder.blocks[component], decoder.offsets[component] as i16);
    let mut block = CoefficientBlock::ZERO;
    // Behind the last MCU with data, the number is out of range, which gives grey.
    let mut at = (decoder.first + first + across.start - decoder.place) * h * v;
    for mcu in across {
        for row in 0..v {
            for column in mcu * h..(mcu + 1) * h {
                let (number, is_wanted) = (at, wanted.has(column));
                at += 1;
                if !is_wanted {
                    continue;
                }
                let dc = blocks.dc(number, idct.scale).map_or(0, |dc| dc.wrapping_add(offset));
                if blocks.is_flat(number, idct.scale) {
                    fill(idct, dc, rows, column, row);
                } else {
                    blocks.load(number, idct.scale, &mut block);
                    transform(kernels, idct, dc, &block, rows, column, row);
                }
            }
        }
    }
}
