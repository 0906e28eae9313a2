//! Sequential scans: the blocks of a baseline or extended picture (T.81 F.2).

use super::Flaws;
use super::bits::Bits;
use super::block::{Block, Corner};
use super::kernels::Kernels;
use super::restart::Restarts;
use super::tables::{AC_BITS, AcTable, DcTable, EOB, LONG, SKIP_BITS, value};
use super::window::{Reader, WindowBytes};
use std::sync::Arc;

/// Takes the blocks of a scan as they are decoded.
pub(super) trait Sink {
    /// Takes the block at `place` and leaves `ac` zero.
    fn block<K: Kernels>(&mut self, kernels: K, place: Place, dc: i16, ac: &mut Block, last: Last);
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

/// How a block ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Last(usize);

impl Last {
    /// Whether the block has nothing but DC.
    #[inline(always)]
    pub(super) fn is_flat(self) -> bool {
        self.0 == EOB
    }
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
    /// Decodes a row of MCUs into `sink`. What there is no data for comes as zero blocks, which is grey.
    #[inline(always)]
    pub(super) fn decode_row<K: Kernels, S: Sink>(&mut self, kernels: K, sink: &mut S) {
        let mut block = Block::ZERO;
        let mut bits = self.reader.bits;
        for column in 0..self.columns {
            if self.restarts.is_due() {
                self.reader.bits = bits;
                self.restart(kernels);
                bits = self.reader.bits;
            }
            if self.reader.is_low(&bits) && !self.reader.more(&mut bits, kernels) {
                self.flaws.data_ended(&self.reader);
                self.missing_mcu(kernels, sink, column, &mut block);
                continue;
            }
            self.decode_mcu(&mut bits, kernels, sink, column, &mut block);
        }
        self.reader.bits = bits;
    }

    /// Passes a restart marker.
    pub(super) fn restart<K: Kernels>(&mut self, kernels: K) {
        self.restarts.restart(&mut self.reader, &mut self.flaws, kernels);
        self.lanes.iter_mut().for_each(|lane| lane.prediction = 0);
    }

    /// Decodes one MCU, for which there must be data in the window. `block` is zero before and afterwards.
    #[inline(always)]
    pub(super) fn decode_mcu<K: Kernels, S: Sink>(
        &mut self,
        bits: &mut Bits,
        kernels: K,
        sink: &mut S,
        column: usize,
        block: &mut Block,
    ) {
        let bytes = self.reader.bytes();
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            for row in 0..lane.v {
                for across in 0..lane.h {
                    let last = decode_block(bits, bytes, lane, block, &mut self.flaws.damaged);
                    let place = Place { lane: i, column: column * lane.h + across, row };
                    sink.block(kernels, place, lane.prediction as i16, block, last);
                }
            }
        }
    }

    #[cold]
    fn missing_mcu<K: Kernels, S: Sink>(
        &mut self,
        kernels: K,
        sink: &mut S,
        column: usize,
        block: &mut Block,
    ) {
        for (i, lane) in self.lanes.iter().enumerate() {
            for row in 0..lane.v {
                for across in 0..lane.h {
                    let place = Place { lane: i, column: column * lane.h + across, row };
                    sink.block(kernels, place, 0, block, Last(EOB));
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

/// Decodes one block (F.2.2.1, F.2.2.2): its DC coefficient becomes the lane's prediction, the others go to `block`.
#[inline(always)]
fn decode_block(
    bits: &mut Bits,
    bytes: &WindowBytes,
    lane: &mut Lane,
    block: &mut Block,
    damaged: &mut bool,
) -> Last {
    let (ac, place, limit) = (&*lane.ac, &lane.place, lane.limit);
    let block = &mut block.0;
    // A copy, so that it stays in registers.
    let state = bits;
    let mut bits = *state;
    bits.refill(bytes);
    let entry = lane.dc.entry(bits.buffer, damaged);
    lane.prediction = lane.prediction.wrapping_add(value(bits.buffer, entry));
    bits.consume(entry);
    let mut k = 0_usize;
    while k < limit {
        // Each round takes up to four symbols. The exit test is one comparison: an end of block and a code
        // that is not in the table advance far past any limit.
        loop {
            bits.refill(bytes);
            if take_pair(&mut bits, ac, place, limit, block, &mut k)
                || take_pair(&mut bits, ac, place, limit, block, &mut k)
            {
                break;
            }
        }
        if k < LONG {
            break;
        }
        bits.refill(bytes);
        let entry = ac.long_entry(bits.buffer, damaged);
        k = k - LONG + (entry >> 24) as usize;
        block[usize::from(place[k & 255])] = value(bits.buffer, entry) as i16;
        bits.consume(entry);
    }
    if k < 63 {
        k = pass_over(&mut bits, bytes, ac, k, damaged);
    }
    *state = bits;
    *damaged |= (64..EOB).contains(&k);
    Last(k)
}

/// Takes one or two AC symbols. True when the block is over, or `k` has reached `limit` or [`LONG`].
#[inline(always)]
fn take_pair(
    bits: &mut Bits,
    ac: &AcTable,
    place: &[u8; 256],
    limit: usize,
    block: &mut [i16; 256],
    k: &mut usize,
) -> bool {
    let pair = ac.pairs[bits.peek::<AC_BITS>()];
    let entry = pair as u32;
    let first = *k + (entry >> 24) as usize;
    let second = first + usize::from((pair >> 32) as u8);
    // The second first: without a second symbol it writes to the first one's place.
    block[usize::from(place[second & 255])] = (pair >> 48) as i16;
    block[usize::from(place[first & 255])] = value(bits.buffer, entry) as i16;
    if second < limit {
        bits.consume(entry);
        *k = second;
        return false;
    }
    if (63..EOB - 1).contains(&first) {
        // The first symbol fills the block: the second belongs to the next.
        bits.consume((pair >> 40) as u32 & 63);
        *k = first;
    } else {
        bits.consume(entry);
        *k = second;
    }
    true
}

/// Reads the rest of a block from position `k` without its values. Returns the position of its end.
#[inline(always)]
fn pass_over(bits: &mut Bits, bytes: &WindowBytes, ac: &AcTable, mut k: usize, damaged: &mut bool) -> usize {
    loop {
        let end = loop {
            bits.refill(bytes);
            let skip = u32::from(ac.skips[bits.peek::<SKIP_BITS>()]);
            let next = k + (skip >> 6) as usize;
            if next >= 63 {
                break (skip, next);
            }
            bits.consume(skip);
            k = next;
            let skip = u32::from(ac.skips[bits.peek::<SKIP_BITS>()]);
            let next = k + (skip >> 6) as usize;
            if next >= 63 {
                break (skip, next);
            }
            bits.consume(skip);
            k = next;
        };
        let (skip, next) = end;
        // Bit 6 of the position tells that the block ends within the entry, or that there is none.
        if next & 64 == 0 {
            bits.consume(skip);
            return next;
        }
        bits.refill(bytes);
        let entry = ac.single_entry(bits.buffer, damaged);
        bits.consume(entry);
        k += (entry >> 24) as usize;
        if k >= 63 {
            return k;
        }
    }
}

#[cfg(test)]
mod tests;
