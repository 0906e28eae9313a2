//! `FirstBand`: the first scan of an AC band, block by block (T.81 G.1.2.2).

use super::super::bits::BitBuffer;
use super::super::block::bit;
use super::super::store::StoredBlock;
use super::super::tables::{EOB, FirstTable, LONG, Symbol};
use super::super::window::WindowBytes;
use super::{AcBand, run_of_blocks};
use std::sync::Arc;

/// The band of a first scan, its layout in memory, and its Huffman table.
#[derive(Debug)]
pub(in super::super) struct FirstBand<'a> {
    band: AcBand<'a>,
    /// Place of a coefficient in the stored block by zig-zag position; defined for any byte. Unneeded
    /// coefficients go to the place of DC, which is not read there.
    place: [u8; 256],
    table: Arc<FirstTable>,
}

impl<'a> FirstBand<'a> {
    pub(in super::super) fn new(band: AcBand<'a>, table: Arc<FirstTable>) -> FirstBand<'a> {
        let needed = band.idct.mask & band.set;
        let mut place = [0; 256];
        for position in (band.first..=band.last).filter(|&position| needed & bit(position) != 0) {
            place[position] = band.idct.place[position];
        }
        FirstBand { band, place, table }
    }

    /// Decodes the band of a block. Returns the number of empty blocks behind it.
    #[inline(always)]
    pub(super) fn decode_block(
        &self,
        bits: &mut BitBuffer,
        bytes: &WindowBytes,
        mut block: StoredBlock<'_>,
        low: u8,
        damaged: &mut bool,
    ) -> usize {
        // Copy, so that the buffer stays in registers.
        let state = bits;
        let mut bits = *state;
        block.prepare(self.band.idct);
        let last = self.band.last;
        let mut k = self.band.first - 1;
        let mut found = 0;
        let mut empty = 0;
        while k < last {
            // Each round takes up to four symbols, as in a sequential scan.
            loop {
                bits.refill(bytes);
                if self.take_pair(&mut bits, &mut block, &mut found, low, &mut k)
                    || self.take_pair(&mut bits, &mut block, &mut found, low, &mut k)
                {
                    break;
                }
            }
            if k < LONG {
                break;
            }
            k -= LONG;
            bits.refill(bytes);
            let code = self.table.code(bits.buffer, damaged);
            match code.meaning() {
                Symbol::EndOfBand => {
                    empty = run_of_blocks(&mut bits, code) - 1;
                    break;
                }
                Symbol::Zeros => {
                    bits.consume(code.length.into());
                    k += 16;
                }
                Symbol::Value => {
                    let entry = code.ac_entry(bits.buffer);
                    k += entry.advance();
                    self.put(&mut block, k, (entry.value(bits.buffer) as i16) << low);
                    found |= self.band.bit(k);
                    bits.consume(entry.length());
                }
            }
        }
        *damaged |= (last + 1..EOB).contains(&k);
        *block.mask |= found;
        *state = bits;
        empty
    }

    /// Takes one or two symbols. Returns true at the end of the band, or if `k` has reached [`LONG`].
    #[inline(always)]
    fn take_pair(
        &self,
        bits: &mut BitBuffer,
        block: &mut StoredBlock<'_>,
        found: &mut u64,
        low: u8,
        k: &mut usize,
    ) -> bool {
        let entry = self.table.pair(bits.buffer);
        let first = *k + entry.advance();
        let second = first + entry.second_advance();
        // Write the second first: without a second symbol it writes to the place of the first.
        self.put(block, second, entry.second_value() << low);
        self.put(block, first, (entry.value(bits.buffer) as i16) << low);
        if second < self.band.last {
            *found |= bit(first) | bit(second);
            bits.consume(entry.length());
            *k = second;
            return false;
        }
        *found |= self.band.bit(first) | self.band.bit(second);
        if (self.band.last..EOB - 1).contains(&first) {
            // The first symbol fills the band: the second belongs to the next block.
            bits.consume(entry.own_length());
            *k = first;
        } else {
            bits.consume(entry.length());
            *k = second;
        }
        true
    }

    /// Stores a coefficient of the band. Ignores others.
    #[inline(always)]
    fn put(&self, block: &mut StoredBlock<'_>, position: usize, coefficient: i16) {
        if let Some(place) = block.coefficients.get_mut(usize::from(self.place[position & 255])) {
            *place = coefficient;
        }
    }
}
