//! `Parallel`: one sequential scan decoded by several workers at once.
//!
//! Huffman codes synchronise themselves: a decoder that starts anywhere soon meets the true boundaries between
//! MCUs, mostly within a few (Klein and Wiseman, "Parallel Huffman decoding with applications to JPEG files",
//! The Computer Journal 46, 2003). So each worker starts at an equal share of the bytes and notes where its first MCUs
//! begin. Afterwards the worker before goes on from the end of its share until it stands where one of these
//! begins: from there on both would decode the same, but for the DC predictions, whose difference is added.
//! What the later worker had decoded before is dropped. The result is the same as that of one worker.

use super::Flaws;
use super::block::{Block, Corner, Scale};
use super::kernels::{self, Kernels, Task};
use super::plane::{Columns, PlaneRows};
use super::restart::Restarts;
use super::sequential::{Lane, Last, Place, SequentialScan, Sink};
use super::sink::{fill, transform};
use super::window::{Reader, WindowBytes};
use crate::codec::jpeg::error::JpegError;
use crate::limits::{Cancel, OutOfMemory};

/// Least share of a worker, in bytes: below, handing out work costs more than it gains.
const MIN_SHARE: usize = 96 * 1024;
/// Most memory for the coefficients of all shares together, in bytes.
const MAX_BYTES: usize = 64 << 20;
/// How many MCU starts a worker notes. Synchronisation later than after 33 has not been seen in photographs.
const NOTED: usize = 128;
/// For how many MCUs room is made at a time.
const ROOM: usize = 256;

/// A scan decoded by several workers.
#[derive(Debug)]
pub(super) struct Parallel<'a> {
    parts: Vec<Part<'a>>,
    /// MCUs in a row and of the picture.
    columns: usize,
    total: usize,
    is_decoded: bool,
}

/// What a scan is made of, apart from its data.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) lanes: Vec<Lane>,
    /// MCUs across and down.
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// How many workers a scan of `bytes` bytes and `blocks` blocks of `scales` is worth, if `most` are at hand.
pub(super) fn workers(bytes: usize, blocks: impl Iterator<Item = (usize, Scale)>, most: usize) -> usize {
    let memory: usize = blocks.map(|(blocks, scale)| blocks * (3 + 2 * scale.stored())).sum();
    if memory > MAX_BYTES { 1 } else { most.min(bytes / MIN_SHARE).max(1) }
}

/// What a worker keeps from one picture to the next.
#[derive(Debug, Default)]
pub(super) struct PartMemory {
    window: Box<WindowBytes>,
    blocks: [Blocks; 4],
}

impl PartMemory {
    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.iter().map(|b| b.dc.capacity() * 2 + b.corners.capacity() * 2 + b.flat.capacity()).sum()
    }
}

/// The blocks of one component in the order of the data.
#[derive(Debug, Default)]
struct Blocks {
    dc: Vec<i16>,
    /// [`Scale::stored`] coefficients of each block, none at 1/8. What stands for DC does not count.
    corners: Vec<i16>,
    flat: Vec<bool>,
}

/// The share of one worker.
#[derive(Debug)]
struct Part<'a> {
    scan: SequentialScan<'a>,
    blocks: &'a mut [Blocks; 4],
    scales: Vec<Scale>,
    /// MCUs decoded.
    mcus: usize,
    /// Where the first ones start.
    starts: Vec<Start>,
    /// MCUs with codes that make no sense.
    damaged: Vec<usize>,
    /// Which of the MCUs is the first that counts, and which one of the picture that is.
    first: usize,
    place: usize,
    /// What to add to the DC coefficients of each lane.
    offsets: [i32; 4],
    outcome: Result<(), JpegError>,
}

/// Where an MCU starts: bits since the start of the share, and the DC predictions.
#[derive(Debug, Clone, Copy)]
struct Start {
    position: usize,
    predictions: [i32; 4],
}

impl<'a> Parallel<'a> {
    /// Cuts the entropy-coded data from offset `data` of `input` into one share for each of `memory`.
    pub(super) fn new(
        input: &'a [u8],
        data: usize,
        layout: &Layout,
        corners: &[Corner],
        memory: &'a mut [PartMemory],
    ) -> Parallel<'a> {
        let share = (input.len() - data) / memory.len().max(1);
        let cuts: Vec<usize> = (0..memory.len()).map(|i| cut(input, data, i * share)).collect();
        let ends = cuts.iter().skip(1).copied().chain([input.len()]);
        let parts = memory.iter_mut().zip(cuts.iter().zip(ends)).map(|(memory, (&start, end))| {
            let PartMemory { window, blocks } = memory;
            for blocks in &mut *blocks {
                blocks.dc.clear();
                blocks.corners.clear();
                blocks.flat.clear();
            }
            let lanes = layout.lanes.clone();
            let in_mcu = lanes.iter().map(|lane| lane.h * lane.v).sum();
            let reader = kernels::run(OpenReader { input, start, end, blocks: in_mcu, window });
            let (restarts, flaws) = (Restarts::new(0), Flaws::default());
            Part {
                scan: SequentialScan { reader, lanes, columns: layout.columns, restarts, flaws },
                blocks,
                scales: corners.iter().map(|corner| corner.scale).collect(),
                mcus: 0,
                starts: Vec::with_capacity(NOTED),
                damaged: Vec::new(),
                first: 0,
                place: 0,
                offsets: [0; 4],
                outcome: Ok(()),
            }
        });
        let (columns, total) = (layout.columns, layout.columns * layout.rows);
        Parallel { parts: parts.collect(), columns, total, is_decoded: false }
    }

    /// Decodes the whole scan, unless that has been done.
    pub(super) fn decode(&mut self, cancel: &Cancel) -> Result<Flaws, JpegError> {
        if !self.is_decoded {
            rayon::scope(|scope| {
                for part in &mut self.parts {
                    scope.spawn(|_| {
                        part.outcome = kernels::run(DecodePart { part, goal: Goal::Mark, cancel })
                    });
                }
            });
            for part in &self.parts {
                part.outcome.clone()?;
            }
            self.join(cancel)?;
            self.is_decoded = true;
        }
        Ok(self.flaws())
    }

    /// Lets each part go on until it meets the next one, and finds the place of each in the picture.
    fn join(&mut self, cancel: &Cancel) -> Result<(), JpegError> {
        let mut joined = 1;
        while let Some([part, next]) = self.parts.get_mut(joined - 1..=joined) {
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

    fn flaws(&self) -> Flaws {
        let mut flaws = Flaws::default();
        for part in &self.parts {
            let counted = |mcu: usize| mcu >= part.first && part.place + mcu - part.first < self.total;
            flaws.damaged |= part.damaged.iter().any(|&mcu| counted(mcu));
        }
        if let Some(last) = self.parts.last() {
            let decoded = last.place + last.mcus - last.first;
            let overdrawn = last.scan.reader.is_overdrawn(&last.scan.reader.bits);
            if decoded < self.total || decoded == self.total && overdrawn {
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

/// An offset about `share` behind `data` at which no stuffed byte is cut.
fn cut(input: &[u8], data: usize, share: usize) -> usize {
    let at = data + share;
    let before = input[..at].iter().rev().take_while(|&&byte| byte == 0xFF).count();
    (at - before).max(data)
}

struct OpenReader<'a> {
    input: &'a [u8],
    start: usize,
    end: usize,
    blocks: usize,
    window: &'a mut WindowBytes,
}

impl<'a> Task for OpenReader<'a> {
    type Output = Reader<'a>;

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) -> Reader<'a> {
        Reader::with_mark(self.input, self.start, self.end, self.blocks, self.window, kernels)
    }
}

/// How far a part is decoded.
enum Goal<'t> {
    /// To the first MCU behind the share.
    Mark,
    /// To an MCU where the next part has one, or to the end.
    Meet(&'t [Start]),
}

struct DecodePart<'t, 'a> {
    part: &'t mut Part<'a>,
    goal: Goal<'t>,
    cancel: &'t Cancel,
}

impl Task for DecodePart<'_, '_> {
    type Output = Result<(), JpegError>;

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) -> Self::Output {
        self.part.decode(kernels, self.goal, self.cancel)
    }
}

impl Part<'_> {
    #[inline(always)]
    fn decode<K: Kernels>(&mut self, kernels: K, goal: Goal<'_>, cancel: &Cancel) -> Result<(), JpegError> {
        let mut block = Block::ZERO;
        loop {
            cancel.check()?;
            self.make_room()?;
            // The copies stay in registers within the loop.
            let mut bits = self.scan.reader.bits;
            for _ in 0..ROOM {
                if self.scan.reader.is_low(&bits) && !self.scan.reader.more(&mut bits, kernels) {
                    self.scan.reader.bits = bits;
                    return Ok(());
                }
                let position = self.scan.reader.bits_done(&bits);
                if self.starts.len() < NOTED && self.starts.len() == self.mcus {
                    self.starts.push(Start { position, predictions: self.predictions() });
                }
                if let Some(mark) = self.scan.reader.bits_to_mark()
                    && position >= mark
                {
                    let is_reached = match goal {
                        Goal::Mark => true,
                        Goal::Meet(starts) => find(starts, position - mark).is_some(),
                    };
                    if is_reached {
                        self.scan.reader.bits = bits;
                        return Ok(());
                    }
                }
                let mut sink = PartSink { blocks: self.blocks, scales: &self.scales };
                self.scan.decode_mcu(&mut bits, kernels, &mut sink, 0, &mut block);
                if std::mem::take(&mut self.scan.flaws.damaged) {
                    self.damaged.push(self.mcus);
                }
                self.mcus += 1;
            }
            self.scan.reader.bits = bits;
        }
    }

    fn make_room(&mut self) -> Result<(), OutOfMemory> {
        for ((blocks, lane), scale) in self.blocks.iter_mut().zip(&self.scan.lanes).zip(&self.scales) {
            let more = ROOM * lane.h * lane.v;
            let refused = |_| OutOfMemory { bytes: (more * scale.stored() * 2) as u64 };
            blocks.dc.try_reserve(more).map_err(refused)?;
            blocks.flat.try_reserve(more).map_err(refused)?;
            blocks.corners.try_reserve(more * scale.stored()).map_err(refused)?;
        }
        Ok(())
    }

    fn predictions(&self) -> [i32; 4] {
        std::array::from_fn(|i| self.scan.lanes.get(i).map_or(0, |lane| lane.prediction))
    }

    /// Which of the next part's starts this part stands at.
    fn meeting(&self, starts: &[Start]) -> Option<usize> {
        let position = self.scan.reader.bits_done(&self.scan.reader.bits);
        find(starts, position.checked_sub(self.scan.reader.bits_to_mark()?)?)
    }
}

fn find(starts: &[Start], position: usize) -> Option<usize> {
    starts.binary_search_by_key(&position, |start| start.position).ok()
}

/// Keeps blocks in the order of the data.
struct PartSink<'t> {
    blocks: &'t mut [Blocks; 4],
    scales: &'t [Scale],
}

impl Sink for PartSink<'_> {
    #[inline(always)]
    fn block<K: Kernels>(&mut self, _kernels: K, place: Place, dc: i16, ac: &mut Block, last: Last) {
        let (Some(blocks), Some(&scale)) = (self.blocks.get_mut(place.lane), self.scales.get(place.lane))
        else {
            return;
        };
        blocks.dc.push(dc);
        blocks.flat.push(last.is_flat());
        match scale.stored() {
            1 => {}
            8 => blocks.corners.extend_from_slice(&ac.0[..8]),
            16 => blocks.corners.extend_from_slice(&ac.0[..16]),
            _ => blocks.corners.extend_from_slice(&ac.0[..64]),
        }
        ac.clear(scale);
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
        let mut block = Block::ZERO;
        for column in 0..parallel.columns {
            let mcu = mcu_row * parallel.columns + column;
            let part = parallel.parts.iter().rev().find(|part| part.place <= mcu);
            let Some(part) = part else { return };
            // Behind the last MCU that there is data for, `at` is behind all blocks, which makes grey.
            let at = part.first + mcu - part.place;
            for (i, ((lane, corner), rows)) in part.scan.lanes.iter().zip(corners).zip(&mut *rows).enumerate()
            {
                let wanted = columns[i];
                let (blocks, offset) = (&part.blocks[i], part.offsets[i] as i16);
                let stored = corner.scale.stored();
                for n in 0..lane.h * lane.v {
                    let (row, column) = (n / lane.h, column * lane.h + n % lane.h);
                    if !wanted.has(column) {
                        continue;
                    }
                    let at = at * lane.h * lane.v + n;
                    let dc = blocks.dc.get(at).map_or(0, |dc| dc.wrapping_add(offset));
                    let is_flat = blocks.flat.get(at).is_none_or(|&flat| flat);
                    if is_flat && corner.scale.k() > 2 {
                        fill(corner, dc, rows, column, row);
                        continue;
                    }
                    match blocks.corners.get(at * stored..(at + 1) * stored) {
                        Some(coefficients) => block.0[..stored].copy_from_slice(coefficients),
                        None => block.clear(corner.scale),
                    }
                    transform(kernels, corner, dc, &block, rows, column, row);
                }
            }
        }
    }
}
