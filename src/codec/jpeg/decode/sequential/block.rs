//! The coefficients of one block of a sequential scan (T.81 F.2.2.1, F.2.2.2).

use super::super::bits::Bits;
use super::super::block::Block;
use super::super::tables::{AcTable, EOB, Entry, LONG};
use super::super::window::WindowBytes;
use super::Lane;

/// How a block ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Last(usize);

impl Last {
    /// The end of a block with nothing but DC.
    pub(super) const FLAT: Last = Last(EOB);

    /// At position `k`, to which runs have no business to go unless it is 63 or behind [`EOB`].
    #[inline(always)]
    fn at(k: usize, damaged: &mut bool) -> Last {
        if (64..EOB).contains(&k) {
            *damaged = true;
        }
        Last(k)
    }

    /// Whether the block has nothing but DC.
    #[inline(always)]
    pub(in super::super) fn is_flat(self) -> bool {
        self == Last::FLAT
    }
}

/// Decodes the DC coefficient of a block (F.2.2.1), which becomes the lane's prediction.
#[inline(always)]
pub(super) fn decode_dc(bits: &mut Bits, bytes: &WindowBytes, lane: &mut Lane, damaged: &mut bool) {
    bits.refill(bytes);
    let entry = lane.dc.entry(bits.buffer, damaged);
    lane.prediction = lane.prediction.wrapping_add(entry.value(bits.buffer));
    bits.consume(entry.length());
}

/// Decodes the other coefficients (F.2.2.2), of which `first` are the first one or two, to `block`.
#[inline(always)]
pub(super) fn decode_ac(
    bits: &mut Bits,
    bytes: &WindowBytes,
    lane: &Lane,
    first: Entry,
    block: &mut Block,
    damaged: &mut bool,
) -> Last {
    let (ac, place, limit) = (&*lane.ac, &lane.place, lane.limit);
    let block = &mut block.0;
    // A copy, so that it stays in registers.
    let state = bits;
    let mut bits = *state;
    let mut entry = first;
    let mut k = 0_usize;
    while k < limit {
        // Each round takes up to four symbols. What comes next is looked up as early as can be. The exit test is one
        // comparison: an end of block and a code that is not in the table advance far past any limit.
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
    Last::at(k, damaged)
}

/// Passes over the other coefficients.
#[inline(always)]
pub(super) fn skip_ac(bits: &mut Bits, bytes: &WindowBytes, lane: &Lane, damaged: &mut bool) {
    let k = pass_over(bits, bytes, &lane.ac, 0, damaged);
    Last::at(k, damaged);
}

/// Takes the one or two AC symbols of `entry`. True when the block is over, or `k` has reached `limit` or [`LONG`].
#[inline(always)]
fn take_pair(
    bits: &mut Bits,
    entry: Entry,
    place: &[u8; 256],
    limit: usize,
    block: &mut [i16; 256],
    k: &mut usize,
) -> bool {
    let first = *k + entry.advance();
    let second = first + entry.second_advance();
    // The second first: without a second symbol it writes to the first one's place.
    block[usize::from(place[second & 255])] = entry.second_value();
    block[usize::from(place[first & 255])] = entry.value(bits.buffer) as i16;
    if second < limit {
        bits.consume(entry.length());
        *k = second;
        return false;
    }
    if (63..EOB - 1).contains(&first) {
        // The first symbol fills the block: the second belongs to the next.
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
fn pass_over(bits: &mut Bits, bytes: &WindowBytes, ac: &AcTable, mut k: usize, damaged: &mut bool) -> usize {
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
        // Bit 6 of the position tells that the block ends within the entry, or that there is none.
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
