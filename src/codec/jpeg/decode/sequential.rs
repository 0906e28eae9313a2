//! Sequential scans: the blocks of a baseline or extended picture (T.81 F.2).

mod block;

pub(super) use block::BlockEnd;

use super::Flaws;
use super::bits::BitBuffer;
use super::block::{CoefficientBlock, ScaledIdctLayout};
use super::kernels::Kernels;
use super::restart::RestartCounter;
use super::tables::{AcTable, DcTable};
use super::window::ScanReader;
use block::{decode_ac, decode_dc, skip_ac};
use std::sync::Arc;

/// Receives the blocks of a scan as they are decoded.
pub(super) trait Sink {
    /// Receives the block at `place` and leaves `ac` zero. Ignores a block of no component of the scan.
    fn block<K: Kernels>(
        &mut self,
        kernels: K,
        place: BlockPlace,
        dc: i16,
        ac: &mut CoefficientBlock,
        last: BlockEnd,
    );

    /// Receives a block at `place` with only DC, or of which only DC is wanted.
    #[inline(always)]
    fn flat<K: Kernels>(&mut self, kernels: K, place: BlockPlace, dc: i16) {
        self.block(kernels, place, dc, &mut { CoefficientBlock::ZERO }, BlockEnd::FLAT);
    }
}

/// Place of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockPlace {
    /// Number of the component in its scan.
    pub(super) component: usize,
    /// Column of blocks.
    pub(super) column: usize,
    /// Row of blocks within the row of MCUs.
    pub(super) row: usize,
}

impl BlockPlace {
    /// A place outside of the scan, which a sink ignores.
    const NOWHERE: BlockPlace = BlockPlace { component: usize::MAX, column: 0, row: 0 };
}

/// Average number of bits per block of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SymbolDensity {
    /// Few bits.
    Sparse,
    /// Many bits, so that skipping unwanted symbols pays more.
    Dense,
}

/// One component of a scan. Its prediction changes with each block. The alignment keeps the predictions of
/// two workers out of one cache line, and out of a pair of lines fetched together.
#[derive(Debug, Clone)]
#[repr(align(128))]
pub(super) struct ScanComponent {
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

impl ScanComponent {
    pub(super) fn new(
        dc: Arc<DcTable>,
        ac: Arc<AcTable>,
        idct: &ScaledIdctLayout,
        h: usize,
        v: usize,
        density: SymbolDensity,
    ) -> ScanComponent {
        // Skipping is a second loop and costs one branch miss a block: it pays for small corners only.
        let passes_over = idct.scale.k() <= if density == SymbolDensity::Dense { 3 } else { 2 };
        let limit = if passes_over { idct.last } else { 63 };
        ScanComponent { dc, ac, place: idct.place, limit, wanted_limit: limit, h, v, prediction: 0 }
    }

    /// Sets whether AC coefficients of the following blocks are wanted.
    pub(super) fn want_ac(&mut self, wanted: bool) {
        self.limit = if wanted { self.wanted_limit } else { 0 };
    }
}

/// A sequential scan in the course of decoding.
#[derive(Debug)]
pub(super) struct SequentialScan<'a> {
    pub(super) reader: ScanReader<'a>,
    pub(super) components: Vec<ScanComponent>,
    /// MCUs in a row.
    pub(super) columns: usize,
    pub(super) restarts: RestartCounter,
    pub(super) flaws: Flaws,
}

impl SequentialScan<'_> {
    /// Returns true if only DC is wanted of every block. Such a row suits [`SequentialScan::decode_row`] with
    /// `FLAT`.
    pub(super) fn is_flat(&self) -> bool {
        self.components.iter().all(|component| component.limit == 0)
    }

    /// Decodes a row of MCUs into `sink`; only the DC coefficients if `FLAT`. Missing data becomes zero
    /// blocks, which are grey.
    #[inline(always)]
    pub(super) fn decode_row<const FLAT: bool, K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) {
        let mut pending = PendingBlock::default();
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
        self.components.iter_mut().for_each(|component| component.prediction = 0);
    }

    /// Decodes one MCU, which must lie in the window. Its last block stays in `pending`.
    #[inline(always)]
    pub(super) fn decode_mcu<K: Kernels, S: Sink>(
        &mut self,
        bits: &mut BitBuffer,
        kernels: K,
        sink: &mut S,
        column: usize,
        pending: &mut PendingBlock,
    ) {
        let bytes = self.reader.bytes();
        let damaged = &mut self.flaws.damaged;
        for (i, component) in self.components.iter_mut().enumerate() {
            for row in 0..component.v {
                for across in 0..component.h {
                    decode_dc(bits, bytes, component, damaged);
                    // At least 25 bits are left, the most that a pair can have.
                    let first = component.ac.pair(bits.buffer);
                    let block = pending.hand_over(kernels, sink);
                    let last = decode_ac(bits, bytes, component, first, block, damaged);
                    let place = BlockPlace { component: i, column: column * component.h + across, row };
                    pending.take(place, component.prediction as i16, last);
                }
            }
        }
    }

    /// Works like [`SequentialScan::decode_mcu`], where only DC is wanted.
    #[inline(always)]
    fn decode_flat_mcu<K: Kernels, S: Sink>(
        &mut self,
        bits: &mut BitBuffer,
        kernels: K,
        sink: &mut S,
        column: usize,
    ) {
        let bytes = self.reader.bytes();
        let damaged = &mut self.flaws.damaged;
        for (i, component) in self.components.iter_mut().enumerate() {
            for row in 0..component.v {
                for across in 0..component.h {
                    decode_dc(bits, bytes, component, damaged);
                    skip_ac(bits, bytes, component, damaged);
                    let place = BlockPlace { component: i, column: column * component.h + across, row };
                    sink.flat(kernels, place, component.prediction as i16);
                }
            }
        }
    }

    #[cold]
    fn missing_mcu<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S, column: usize) {
        for (i, component) in self.components.iter().enumerate() {
            for row in 0..component.v {
                for across in 0..component.h {
                    let place = BlockPlace { component: i, column: column * component.h + across, row };
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
pub(super) struct PendingBlock {
    /// Two blocks by turns: one is pending, the other is zero and receives the next block.
    blocks: [CoefficientBlock; 2],
    /// True if the second one is pending.
    turn: bool,
    place: BlockPlace,
    dc: i16,
    last: BlockEnd,
}

impl Default for PendingBlock {
    fn default() -> PendingBlock {
        PendingBlock {
            blocks: [CoefficientBlock::ZERO; 2],
            turn: false,
            place: BlockPlace::NOWHERE,
            dc: 0,
            last: BlockEnd::FLAT,
        }
    }
}

impl PendingBlock {
    /// Passes the block to `sink`. Returns a zero block for the next.
    #[inline(always)]
    fn hand_over<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) -> &mut CoefficientBlock {
        let [a, b] = &mut self.blocks;
        let (old, new) = if self.turn { (b, a) } else { (a, b) };
        sink.block(kernels, self.place, self.dc, old, self.last);
        new
    }

    /// Stores the block that was decoded into the result of [`PendingBlock::hand_over`].
    #[inline(always)]
    fn take(&mut self, place: BlockPlace, dc: i16, last: BlockEnd) {
        self.turn = !self.turn;
        (self.place, self.dc, self.last) = (place, dc, last);
    }

    /// Passes the last block to `sink`.
    #[cold]
    #[inline(never)]
    pub(super) fn flush<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) {
        self.hand_over(kernels, sink);
        self.take(BlockPlace::NOWHERE, 0, BlockEnd::FLAT);
    }
}
