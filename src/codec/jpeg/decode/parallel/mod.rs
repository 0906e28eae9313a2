//! `Parallel`: one sequential scan decoded by several workers at once.
//!
//! Huffman codes synchronise themselves: a decoder that starts anywhere soon meets the true boundaries between
//! MCUs, mostly within a few (Klein and Wiseman, "Parallel Huffman decoding with applications to JPEG files",
//! The Computer Journal 46, 2003). So the bytes are cut into shares, and who decodes one notes where its first MCUs
//! begin. Afterwards the share before is decoded on from its end until it stands where one of these
//! begins: from there on both would decode the same, but for the DC predictions, whose difference is added.
//! What the later one had before is dropped. Where there are restart markers, shares begin behind one, and
//! nothing is dropped. The result is the same as that of one worker.
//!
//! There are more shares than workers, since no two cores are equally fast for long: the front goes from one to the
//! next, the other workers take the last one that waits, and they meet somewhere in the middle.
//!
//! ```text
//! share: where to cut -> part: a share is decoded -> here: joined, transformed row by row
//!                     -> front: samples are made at once, from the first row on
//! ```

mod front;
mod pace;
mod part;
mod share;

use super::Flaws;
use super::block::{Block, Corner, Scale};
use super::kernels::{self, Kernels, Task};
use super::plane::{Columns, PlaneRows};
use super::sequential::Lane;
use super::sink::{fill, transform};
use crate::codec::jpeg::error::JpegError;
use crate::limits::Cancel;
pub(super) use front::Front;
use pace::Pace;
pub(super) use part::PartMemory;
use part::{DecodePart, Goal, Part};
use share::Data;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Least data for each worker, in bytes: below, handing out work costs more than it gains.
const MIN_EACH: usize = 96 * 1024;
/// Most shares, unless there are more workers.
const MOST_SHARES: usize = 16;
/// Least average share, in bytes: the window of the share before must not reach beyond the end of one that is half as large.
const MIN_SHARE: usize = 72 * 1024;
/// Most memory for the coefficients of all shares together, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// A scan decoded by several workers.
#[derive(Debug)]
pub(super) struct Parallel<'a> {
    data: Data<'a>,
    parts: Vec<Part<'a>>,
    workers: usize,
    /// MCUs in a row.
    columns: usize,
    progress: Progress,
}

/// How far a scan is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Nothing,
    /// The shares, each by itself.
    Shares,
    Whole,
}

/// The parts that nobody decodes yet, in the order of the data.
#[derive(Debug)]
struct Waiting<'t, 'a>(Mutex<VecDeque<&'t mut Part<'a>>>);

impl<'t, 'a> Waiting<'t, 'a> {
    fn new(parts: &'t mut [Part<'a>]) -> Waiting<'t, 'a> {
        Waiting(Mutex::new(parts.iter_mut().collect()))
    }

    /// Lets `part`, behind which the first of these lies, take that over if it can.
    fn absorb_first(&self, part: &mut Part<'a>) -> bool {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_absorbed = parts.front_mut().is_some_and(|next| part.absorb(next));
        if is_absorbed {
            parts.pop_front();
        }
        is_absorbed
    }

    fn take_last(&self) -> Option<&'t mut Part<'a>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_back()
    }

    /// Decodes the coefficients of one part after another, until none waits.
    fn decode(&self, cancel: &Cancel) {
        while let Some(part) = self.take_last() {
            let started = Instant::now();
            part.open();
            part.outcome = kernels::run(DecodePart { part, goal: Goal::Share, cancel });
            part.pace.count(part.bytes(), part.mcus * part.in_mcu, started);
        }
    }
}

/// What other workers decode of a picture while one makes samples of its [`Upper`](super::Upper) rows.
#[derive(Debug)]
pub struct Lower<'t, 'a> {
    waiting: Arc<Waiting<'t, 'a>>,
    workers: usize,
    cancel: &'t Cancel,
}

impl Lower<'_, '_> {
    /// Decodes coefficients from the end of the picture on, by all workers but one. What goes wrong is told when the parts
    /// are joined.
    pub fn decode(self) {
        let Lower { waiting, workers, cancel } = self;
        rayon::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(|_| waiting.decode(cancel));
            }
            waiting.decode(cancel);
        });
    }
}

/// What a scan is made of, apart from its data.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) lanes: Vec<Lane>,
    /// MCUs across and down.
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// MCUs between restart markers; 0 for no markers.
    pub(super) restart_interval: u16,
}

/// How many workers a scan of `bytes` bytes and `blocks` blocks of `scales` is worth, if `most` are at hand.
pub(super) fn workers(bytes: usize, blocks: impl Iterator<Item = (usize, Scale)>, most: usize) -> usize {
    let memory: usize = blocks.map(|(blocks, scale)| blocks * (1 + 2 * scale.stored())).sum();
    if memory > MAX_BYTES { 1 } else { most.min(bytes / MIN_EACH).max(1) }
}

/// How many shares `bytes` bytes are cut into for so many workers.
pub(super) fn shares(bytes: usize, workers: usize) -> usize {
    (bytes / MIN_SHARE).min(MOST_SHARES).max(workers)
}

impl<'a> Parallel<'a> {
    /// Cuts the entropy-coded data from offset `data` of `input` into at most one share for each of `memory`, to be decoded by
    /// so many workers. `None` if it cannot be cut.
    pub(super) fn new(
        input: &'a [u8],
        data: usize,
        layout: &Layout,
        corners: &[Corner],
        memory: &'a mut [PartMemory],
        workers: usize,
    ) -> Option<Parallel<'a>> {
        let (columns, interval) = (layout.columns, layout.restart_interval);
        let mcus = columns * layout.rows;
        let data = Data { input, start: data, interval, mcus, workers };
        let shares = data.shares(memory.len())?;
        let parts = memory.iter_mut().zip(shares);
        let parts = parts.map(|(memory, share)| Part::new(input, share, layout, corners, memory)).collect();
        Some(Parallel { data, parts, workers, columns, progress: Progress::Nothing })
    }

    /// Splits the work, unless it has begun: the rows of the front can be had while the rest is decoded. Both must be done
    /// before [`Parallel::decode`] goes on.
    pub(super) fn split<'t>(&'t mut self, cancel: &'t Cancel) -> Option<(Front<'t, 'a>, Lower<'t, 'a>)> {
        if self.progress != Progress::Nothing {
            return None;
        }
        let average = (self.data.input.len() - self.data.start) * self.columns / self.data.mcus.max(1);
        let (front, others) = self.parts.split_first_mut()?;
        let waiting = Arc::new(Waiting::new(others));
        self.progress = Progress::Shares;
        let front = Front::new(front, Arc::clone(&waiting), self.columns, average);
        Some((front, Lower { waiting, workers: self.workers - 1, cancel }))
    }

    /// Decodes what has not been decoded of the scan.
    pub(super) fn decode(&mut self, cancel: &Cancel) -> Result<Flaws, JpegError> {
        if self.progress == Progress::Nothing {
            let waiting = Arc::new(Waiting::new(&mut self.parts));
            Lower { waiting, workers: self.workers, cancel }.decode();
            self.progress = Progress::Shares;
        }
        if self.progress == Progress::Shares {
            self.parts.retain(|part| !part.is_absorbed);
            for part in &self.parts {
                part.outcome.clone()?;
            }
            self.join(cancel)?;
            self.progress = Progress::Whole;
        }
        Ok(self.flaws())
    }

    /// Lets each part go on until it meets the next one, and finds the place of each in the picture.
    fn join(&mut self, cancel: &Cancel) -> Result<(), JpegError> {
        let mut joined = 1;
        while let Some([part, next]) = self.parts.get_mut(joined - 1..=joined) {
            if next.is_placed() {
                joined += 1;
                continue;
            }
            kernels::run(DecodePart { part, goal: Goal::Meet(&next.starts), cancel })?;
            let Some(met) = part.meeting(&next.starts) else { break };
            next.first = met;
            next.place = part.place + part.mcus - part.first;
            for (i, lane) in part.scan.lanes.iter().enumerate() {
                let true_prediction = lane.prediction.wrapping_add(part.offsets[i]);
                next.offsets[i] = true_prediction.wrapping_sub(next.starts[met].predictions[i]);
            }
            joined += 1;
        }
        // A part that does not meet the next one has decoded all the rest.
        self.parts.truncate(joined);
        Ok(())
    }

    /// The part that MCU `mcu` is in, and for how many MCUs from there on.
    fn part_at(&self, mcu: usize) -> Option<(&Part<'a>, usize)> {
        let behind = self.parts.partition_point(|part| part.place <= mcu);
        let count = self.parts.get(behind).map_or(usize::MAX, |next| next.place - mcu);
        Some((self.parts.get(behind.checked_sub(1)?)?, count))
    }

    /// How much of some work the worker of the front does while another one does the rest, from 0 to 1.
    pub(super) fn lead(&self) -> f64 {
        let Some((front, others)) = self.parts.split_first() else { return 0.5 };
        front.pace.share_beside(others.iter().map(|part| part.pace).fold(Pace::default(), Pace::with))
    }

    fn flaws(&self) -> Flaws {
        let mut flaws = Flaws::default();
        for part in &self.parts {
            flaws.add(part.scan.flaws);
            flaws.add(part.streamed);
            let counted = |mcu: usize| mcu >= part.first && part.place + mcu - part.first < self.data.mcus;
            flaws.damaged |= part.damaged.iter().any(|&mcu| counted(mcu));
        }
        if let Some(last) = self.parts.last() {
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
        corners: &[Corner],
        columns: &[Columns],
        rows: &mut [PlaneRows<'_>],
    ) {
        kernels::run(TransformRow { parallel: self, mcu_row, corners, columns, rows });
    }
}

struct TransformRow<'t, 'a, 'r> {
    parallel: &'t Parallel<'a>,
    mcu_row: usize,
    corners: &'t [Corner],
    columns: &'t [Columns],
    rows: &'t mut [PlaneRows<'r>],
}

impl Task for TransformRow<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) {
        let TransformRow { parallel, mcu_row, corners, columns, rows } = self;
        let first = mcu_row * parallel.columns;
        let mut across = 0..0;
        while across.end < parallel.columns {
            let Some((part, count)) = parallel.part_at(first + across.end) else { return };
            across = across.end..parallel.columns.min(across.end.saturating_add(count));
            for (i, ((corner, wanted), rows)) in corners.iter().zip(columns).zip(&mut *rows).enumerate() {
                transform_blocks(kernels, part, i, first, across.clone(), (corner, *wanted), rows);
            }
        }
    }
}

/// Writes the samples that component `component` has in MCUs of `part`, those at `across` of the row whose first MCU is number
/// `first`.
#[inline(always)]
fn transform_blocks<K: Kernels>(
    kernels: K,
    part: &Part<'_>,
    component: usize,
    first: usize,
    across: Range<usize>,
    (corner, wanted): (&Corner, Columns),
    rows: &mut PlaneRows<'_>,
) {
    let Lane { h, v, .. } = part.scan.lanes[component];
    let (blocks, offset) = (&part.blocks[component], part.offsets[component] as i16);
    let mut block = Block::ZERO;
    // Behind the last MCU that there is data for, it is behind all blocks, which makes grey.
    let mut at = (part.first + first + across.start - part.place) * h * v;
    for mcu in across {
        for row in 0..v {
            for column in mcu * h..(mcu + 1) * h {
                let (number, is_wanted) = (at, wanted.has(column));
                at += 1;
                if !is_wanted {
                    continue;
                }
                let dc = blocks.dc(number, corner.scale).map_or(0, |dc| dc.wrapping_add(offset));
                if blocks.is_flat(number, corner.scale) {
                    fill(corner, dc, rows, column, row);
                } else {
                    blocks.load(number, corner.scale, &mut block);
                    transform(kernels, corner, dc, &block, rows, column, row);
                }
            }
        }
    }
}
