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

/// Takes the blocks of a scan as they are decoded.
pub(super) trait Sink {
    /// Takes the block at `place` and leaves `ac` zero. What belongs to no lane of the scan it ignores.
    fn block<K: Kernels>(&mut self, kernels: K, place: Place, dc: i16, ac: &mut Block, last: Last);

    /// Takes a block at `place` that has nothing but DC, or of which nothing else is wanted.
    #[inline(always)]
    fn flat<K: Kernels>(&mut self, kernels: K, place: Place, dc: i16) {
        self.block(kernels, place, dc, &mut { Block::ZERO }, Last::FLAT);
    }
}

/// Where a block belongs.
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
    /// A place of no scan, where a sink puts nothing.
    const NOWHERE: Place = Place { lane: usize::MAX, column: 0, row: 0 };
}

/// How many bits a block of a scan takes on average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Density {
    /// Few.
    Sparse,
    /// Many, so that passing over unwanted symbols is worth more.
    Dense,
}

/// One component of a scan. Its prediction changes with every block, so that no two workers may have theirs in one
/// line of the cache, nor in the pair of lines that is fetched at once.
#[derive(Debug, Clone)]
#[repr(align(128))]
pub(super) struct Lane {
    pub(super) dc: Arc<DcTable>,
    pub(super) ac: Arc<AcTable>,
    /// Where coefficients go in a [`Block`], by zig-zag position.
    place: [u8; 256],
    /// Zig-zag position from which on nothing is needed, and symbols are only passed over.
    limit: usize,
    /// The same where the component is wanted.
    wanted_limit: usize,
    /// Blocks of an MCU, across and down.
    pub(super) h: usize,
    pub(super) v: usize,
    /// The DC coefficient before (PRED, F.1.1.5.1).
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
        // Passing over symbols is a second loop and costs a branch miss a block: worth it for small corners.
        let passes_over = corner.scale.k() <= if density == Density::Dense { 3 } else { 2 };
        let limit = if passes_over { corner.last } else { 63 };
        Lane { dc, ac, place: corner.place, limit, wanted_limit: limit, h, v, prediction: 0 }
    }

    /// Says whether anything but DC is wanted of the blocks to come.
    pub(super) fn want_ac(&mut self, wanted: bool) {
        self.limit = if wanted { self.wanted_limit } else { 0 };
    }
}

/// A sequential scan while it is decoded.
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
    /// Whether nothing but DC is wanted of any block, so that the row is one for [`SequentialScan::decode_row`] with `FLAT`.
    pub(super) fn is_flat(&self) -> bool {
        self.lanes.iter().all(|lane| lane.limit == 0)
    }

    /// Decodes a row of MCUs into `sink`, only their DC coefficients if `FLAT`. What there is no data for comes as zero
    /// blocks, which is grey.
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

    /// Decodes one MCU, for which there must be data in the window. Its last block stays in `pending`.
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

    /// As [`SequentialScan::decode_mcu`], where nothing but DC is wanted.
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

    /// To be called behind the last row: the last MCU may have used more bits than there were.
    pub(super) fn finish(&mut self) {
        if self.reader.is_overdrawn(&self.reader.bits) {
            self.flaws.data_ended(&self.reader);
        }
    }
}

/// The block that was decoded last. It goes to the sink when the first symbols of the next one are being looked up: those
/// lookups wait for each other, and the transform waits for nothing.
#[derive(Debug)]
pub(super) struct Pending {
    /// Of these by turns one is pending and the other zero, to be decoded to.
    blocks: [Block; 2],
    /// Whether the second one is pending.
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
    /// Gives the block to `sink`. Returns a zero one for the next.
    #[inline(always)]
    fn hand_over<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) -> &mut Block {
        let [a, b] = &mut self.blocks;
        let (old, new) = if self.turn { (b, a) } else { (a, b) };
        sink.block(kernels, self.place, self.dc, old, self.last);
        new
    }

    /// Takes the block that was decoded to what [`Pending::hand_over`] returned.
    #[inline(always)]
    fn take(&mut self, place: Place, dc: i16, last: Last) {
        self.turn = !self.turn;
        (self.place, self.dc, self.last) = (place, dc, last);
    }

    /// To be called behind the last MCU.
    #[cold]
    #[inline(never)]
    pub(super) fn flush<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) {
        self.hand_over(kernels, sink);
        self.take(Place::NOWHERE, 0, Last::FLAT);
    }
}
