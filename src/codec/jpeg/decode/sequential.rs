//! Sequential scans: the blocks of a baseline or extended picture (T.81 F.2).

mod block;

pub(super) use block::Last;

use super::Flaws;
use super::bits::Bits;
use super::block::{Block, Corner};
use super::kernels::Kernels;
use super::restart::Restarts;
use super::tables::{AcTable, DcTable};
use super::window::Reader;
use block::{decode_ac, decode_dc, skip_ac};
use std::sync::Arc;

/// Receives the blocks of a scan as they are decoded.
pub(super) trait Sink {
    /// Receives the block at `place` and leaves `ac` zero. Ignores a block of no component of the scan.
    fn block<K: Kernels>(&mut self, kernels: K, place: Place, dc: i16, ac: &mut Block, last: Last);

    /// Receives a block at `place` with only DC, or of which only DC is wanted.
    #[inline(always)]
    fn flat<K: Kernels>(&mut self, kernels: K, place: Place, dc: i16) {
        self.block(kernels, place, dc, &mut { Block::ZERO }, Last::FLAT);
    }
}

/// Place of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Number of the component in its scan.
    pub(super) lane: usize,
    /// Column of blocks.
    pub(super) column: usize,
    /// Row of blocks within the row of MCUs.
    pub(super) row: usize,
}

impl Place {
    /// A place outside of the scan, which a sink ignores.
    const NOWHERE: Place = Place { lane: usize::MAX, column: 0, row: 0 };
}

/// Average number of bits per block of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Density {
    /// Few bits.
    Sparse,
    /// Many bits, so that skipping unwanted symbols pays more.
    Dense,
}

/// One component of a scan. Its prediction changes with each block. The alignment keeps the predictions of
/// two workers out of one cache line, and out of a pair of lines fetched together.
#[derive(Debug, Clone)]
#[repr(align(128))]
pub(super) struct Lane {
    pub(super) dc: Arc<DcTable>,
    pub(super) ac: Arc<AcTable>,
    /// Place of a coefficient in a [`CoefficientBlock`], by zig-zag position.
    place: [u8; 256],
    /// First zig-zag position without needed coefficients; symbols from there on are skipped.
    limit: usize,
    /// The same for a wanted component.
    wanted_limit: usize,
    /// Blocks of an MCU, across and down.
    pub(super) h: usize,
    pub(super) v: usize,
    /// DC coefficient of the previous block (PRED, F.1.1.5.1).
    pub(super) prediction: i32,
}

impl Lane {
    pub(super) fn new(
        dc: Arc<DcTable>,
        ac: Arc<AcTable>,
        corner: &Corner,
        h: usize,
        v: usize,
        density: Density,
    ) -> Lane {
        // Skipping is a second loop and costs one branch miss a block: it pays for small corners only.
        let passes_over = corner.scale.k() <= if density == Density::Dense { 3 } else { 2 };
        let limit = if passes_over { corner.last } else { 63 };
        Lane { dc, ac, place: corner.place, limit, wanted_limit: limit, h, v, prediction: 0 }
    }

    /// Sets whether AC coefficients of the following blocks are wanted.
    pub(super) fn want_ac(&mut self, wanted: bool) {
        self.limit = if wanted { self.wanted_limit } else { 0 };
    }
}

/// A sequential scan in the course of decoding.
#[derive(Debug)]
pub(super) struct SequentialScan<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) lanes: Vec<Lane>,
    /// MCUs in a row.
    pub(super) columns: usize,
    pub(super) restarts: Restarts,
    pub(super) flaws: Flaws,
}

impl SequentialScan<'_> {
    /// Returns true if only DC is wanted of every block. Such a row suits [`SequentialScan::decode_row`] with
    /// `FLAT`.
    pub(super) fn is_flat(&self) -> bool {
        self.lanes.iter().all(|lane| lane.limit == 0)
    }

    /// Decodes a row of MCUs into `sink`; only the DC coefficients if `FLAT`. Missing data becomes zero
    /// blocks, which are grey.
    #[inline(always)]
    pub(super) fn decode_row<const FLAT: bool, K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) {
        let mut pending = Pending::default();
        let mut bits = self.reader.bits;
        for column in 0..self.columns {
            if self.restarts.is_due() {
                self.reader.bits = bits;
                self.restart(kernels);
                bits = self.reader.bits;
            }
            if self.reader.is_low(&bits) && !self.reader.more(&mut bits, kernels) {
                self.flaws.data_ended(&self.reader);
                pending.flush(kernels, sink);
                self.missing_mcu(kernels, sink, column);
            } else if FLAT {
                self.decode_flat_mcu(&mut bits, kernels, sink, column);
            } else {
                self.decode_mcu(&mut bits, kernels, sink, column, &mut pending);
            }
        }
        pending.flush(kernels, sink);
        self.reader.bits = bits;
    }

    /// Passes a restart marker.
    pub(super) fn restart<K: Kernels>(&mut self, kernels: K) {
        self.restarts.restart(&mut self.reader, &mut self.flaws, kernels);
        self.lanes.iter_mut().for_each(|lane| lane.prediction = 0);
    }

    /// Decodes one MCU, which must lie in the window. Its last block stays in `pending`.
    #[inline(always)]
    pub(super) fn decode_mcu<K: Kernels, S: Sink>(
        &mut self,
        bits: &mut Bits,
        kernels: K,
        sink: &mut S,
        column: usize,
        pending: &mut Pending,
    ) {
        let bytes = self.reader.bytes();
        let damaged = &mut self.flaws.damaged;
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            for row in 0..lane.v {
                for across in 0..lane.h {
                    decode_dc(bits, bytes, lane, damaged);
                    // At least 25 bits are left, the most that a pair can have.
                    let first = lane.ac.pair(bits.buffer);
                    let block = pending.hand_over(kernels, sink);
                    let last = decode_ac(bits, bytes, lane, first, block, damaged);
                    let place = Place { lane: i, column: column * lane.h + across, row };
                    pending.take(place, lane.prediction as i16, last);
                }
            }
        }
    }

    /// Works like [`SequentialScan::decode_mcu`], where only DC is wanted.
    #[inline(always)]
    fn decode_flat_mcu<K: Kernels, S: Sink>(
        &mut self,
        bits: &mut Bits,
        kernels: K,
        sink: &mut S,
        column: usize,
    ) {
        let bytes = self.reader.bytes();
        let damaged = &mut self.flaws.damaged;
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            for row in 0..lane.v {
                for across in 0..lane.h {
                    decode_dc(bits, bytes, lane, damaged);
                    skip_ac(bits, bytes, lane, damaged);
                    let place = Place { lane: i, column: column * lane.h + across, row };
                    sink.flat(kernels, place, lane.prediction as i16);
                }
            }
        }
    }

    #[cold]
    fn missing_mcu<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S, column: usize) {
        for (i, lane) in self.lanes.iter().enumerate() {
            for row in 0..lane.v {
                for across in 0..lane.h {
                    let place = Place { lane: i, column: column * lane.h + across, row };
                    sink.flat(kernels, place, 0);
                }
            }
        }
    }

    /// Ends the scan behind the last row. Records a flaw if the last MCU used more bits than there were.
    pub(super) fn finish(&mut self) {
        if self.reader.is_overdrawn(&self.reader.bits) {
            self.flaws.data_ended(&self.reader);
        }
    }
}

/// The block decoded last. It goes to the sink during the first lookups of the next block: those lookups wait
/// for each other, and the transform does not.
#[derive(Debug)]
pub(super) struct Pending {
    /// Two blocks by turns: one is pending, the other is zero and receives the next block.
    blocks: [Block; 2],
    /// True if the second one is pending.
    turn: bool,
    place: Place,
    dc: i16,
    last: Last,
}

impl Default for Pending {
    fn default() -> Pending {
        Pending { blocks: [Block::ZERO; 2], turn: false, place: Place::NOWHERE, dc: 0, last: Last::FLAT }
    }
}

impl Pending {
    /// Passes the block to `sink`. Returns a zero block for the next.
    #[inline(always)]
    fn hand_over<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) -> &mut Block {
        let [a, b] = &mut self.blocks;
        let (old, new) = if self.turn { (b, a) } else { (a, b) };
        sink.block(kernels, self.place, self.dc, old, self.last);
        new
    }

    /// Stores the block that was decoded into the result of [`PendingBlock::hand_over`].
    #[inline(always)]
    fn take(&mut self, place: Place, dc: i16, last: Last) {
        self.turn = !self.turn;
        (self.place, self.dc, self.last) = (place, dc, last);
    }

    /// Passes the last block to `sink`.
    #[cold]
    #[inline(never)]
    pub(super) fn flush<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) {
        self.hand_over(kernels, sink);
        self.take(Place::NOWHERE, 0, Last::FLAT);
    }
}
