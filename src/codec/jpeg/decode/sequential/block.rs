//! The coefficients of one block of a sequential scan (T.81 F.2.2.1, F.2.2.2).

use super::super::bits::BitBuffer;
use super::super::block::CoefficientBlock;
use super::super::tables::{AcTable, EOB, LONG, TableEntry};
use super::super::window::WindowBytes;
use super::ScanComponent;

/// End of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct BlockEnd(usize);

impl BlockEnd {
    /// End of a block with only DC.
    pub(super) const FLAT: BlockEnd = BlockEnd(EOB);

    /// Makes an end at position `k`. A run may only reach 63, or a value behind [`EOB`]; others are damage.
    #[inline(always)]
    fn at(k: usize, damaged: &mut bool) -> BlockEnd {
        if (64..EOB).contains(&k) {
            *damaged = true;
        }
        BlockEnd(k)
    }

    /// Returns true if the block has only DC.
    #[inline(always)]
    pub(in super::super) fn is_flat(self) -> bool {
        self == BlockEnd::FLAT
    }
}

/// Decodes the DC coefficient of a block (F.2.2.1). It becomes the prediction of the component.
#[inline(always)]
pub(super) fn decode_dc(
    bits: &mut BitBuffer,
    bytes: &WindowBytes,
    component: &mut ScanComponent,
    damaged: &mut bool,
) {
    bits.refill(bytes);
    let entry = component.dc.entry(bits.buffer, damaged);
    component.prediction = component.prediction.wrapping_add(entry.value(bits.buffer));
    bits.consume(entry.length());
}

/// Decodes the AC coefficients (F.2.2.2) to `block`. `first` holds the first one or two.
#[inline(always)]
pub(super) fn decode_ac(
    bits: &mut BitBuffer,
    bytes: &WindowBytes,
    component: &ScanComponent,
    first: TableEntry,
    block: &mut CoefficientBlock,
    damaged: &mut bool,
) -> BlockEnd {
    let (ac, place, limit) = (&*component.ac, &component.place, component.limit);
    let block = &mut block.0;
    // Copy, so that the buffer stays in registers.
    let state = bits;
    let mut bits = *state;
    let mut entry = first;
    let mut k = 0_usize;
    while k < limit {
        // Each round takes up to four symbols and looks up the next as early as possible. The exit test is
        // one comparison: an end of block, and a code not in the table, advance far past any limit.
        loop {
            if take_pair(&mut bits, entry, place, limit, block, &mut k) {
                break;
            }
            bits.refill(bytes);
            entry = ac.pair(bits.buffer);
            if take_pair(&mut bits, entry, place, limit, block, &mut k) {
                break;
            }
            entry = ac.pair(bits.buffer);
        }
        if k < LONG {
            break;
        }
        bits.refill(bytes);
        let long = ac.long_entry(bits.buffer, damaged);
        k = k - LONG + long.advance();
        block[usize::from(place[k & 255])] = long.value(bits.buffer) as i16;
        bits.consume(long.length());
        entry = ac.pair(bits.buffer);
    }
    if k < 63 {
        k = pass_over(&mut bits, bytes, ac, k, damaged);
    }
    *state = bits;
    BlockEnd::at(k, damaged)
}

/// Skips the AC coefficients.
#[inline(always)]
pub(super) fn skip_ac(
    bits: &mut BitBuffer,
    bytes: &WindowBytes,
    component: &ScanComponent,
    damaged: &mut bool,
) {
    let k = pass_over(bits, bytes, &component.ac, 0, damaged);
    BlockEnd::at(k, damaged);
}

/// Takes the one or two AC symbols of `entry`. Returns true at the end of the block, or if `k` has reached
/// `limit` or [`LONG`].
#[inline(always)]
fn take_pair(
    bits: &mut BitBuffer,
    entry: TableEntry,
    place: &[u8; 256],
    limit: usize,
    block: &mut [i16; 256],
    k: &mut usize,
) -> bool {
    let first = *k + entry.advance();
    let second = first + entry.second_advance();
    // Write the second first: without a second symbol it writes to the place of the first.
    block[usize::from(place[second & 255])] = entry.second_value();
    block[usize::from(place[first & 255])] = entry.value(bits.buffer) as i16;
    if second < limit {
        bits.consume(entry.length());
        *k = second;
        return false;
    }
    if (63..EOB - 1).contains(&first) {
        // The first symbol fills the block: the second belongs to the next block.
        bits.consume(entry.own_length());
        *k = first;
    } else {
        bits.consume(entry.length());
        *k = second;
    }
    true
}

/// Reads the rest of a block from position `k` without its values. Returns the position of its end.
#[inline(always)]
fn pass_over(
    bits: &mut BitBuffer,
    bytes: &WindowBytes,
    ac: &AcTable,
    mut k: usize,
    damaged: &mut bool,
) -> usize {
    loop {
        let end = loop {
            bits.refill(bytes);
            let skip = ac.skip(bits.buffer);
            let next = k + (skip >> 6) as usize;
            if next >= 63 {
                break (skip, next);
            }
            bits.consume(skip);
            k = next;
            let skip = ac.skip(bits.buffer);
            let next = k + (skip >> 6) as usize;
            if next >= 63 {
                break (skip, next);
            }
            bits.consume(skip);
            k = next;
        };
        let (skip, next) = end;
        // Bit 6 of the position marks a block that ends within the entry, or a missing entry.
        if next & 64 == 0 {
            bits.consume(skip);
            return next;
        }
        bits.refill(bytes);
        let entry = ac.single_entry(bits.buffer, damaged);
        bits.consume(entry.own_length());
        k += entry.advance();
        if k >= 63 {
            return k;
        }
    }
}

#[cfg(test)]
mod tests;
