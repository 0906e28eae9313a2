//! `RefinedBand`: refines an AC band, block by block (T.81 G.1.2.3).

use super::super::bits::BitBuffer;
use super::super::block::bit;
use super::super::kernels::{Kernels, RefineStep};
use super::super::store::StoredBlock;
use super::super::tables::{BAND_BITS, RefinementTable, Symbol};
use super::super::window::WindowBytes;
use super::{AcBand, run_of_blocks};
use std::sync::Arc;

/// The band of a refinement, and its Huffman table.
#[derive(Debug)]
pub(in super::super) struct RefinedBand<'a> {
    pub(in super::super) band: AcBand<'a>,
    pub(in super::super) table: Arc<RefinementTable>,
}

impl RefinedBand<'_> {
    /// Refines a block; a `settled` one receives corrections only. Returns the number of settled blocks
    /// behind it.
    ///
    /// Follows figure G.7 without a walk over the coefficients. A run of zeros ends at a spot, found in the
    /// set of coefficients that were zero before. The raw bits of a symbol are the sign of the new
    /// coefficient, then one correction for each older coefficient within the run. They are gathered in the
    /// order of the data, and deposited on their coefficients at the end of the block. In that order each
    /// sign stands where the block has its previous spot.
    #[expect(clippy::too_many_arguments, reason = "the state of the scan, in registers")]
    #[inline(always)]
    pub(super) fn decode_block<K: Kernels>(
        &self,
        kernels: K,
        bits: &mut BitBuffer,
        bytes: &WindowBytes,
        mut block: StoredBlock<'_>,
        low: u8,
        settled: usize,
        damaged: &mut bool,
    ) -> usize {
        // Copy, so that the buffer stays in registers.
        let state = bits;
        let mut bits = *state;
        let mut settled = settled;
        let (first, last) = (self.band.first, self.band.last);
        let known = self.band.set & *block.mask;
        let mut walk = Walk::new(first - 1, self.band.set & !known);
        while settled == 0 && walk.at < last {
            loop {
                bits.refill(bytes);
                let entry = self.table.entries[bits.peek::<BAND_BITS>()];
                if !walk.step(kernels, &mut bits, bytes, entry) || walk.at >= last {
                    break;
                }
                let entry = self.table.entries[bits.peek::<BAND_BITS>()];
                if !walk.step(kernels, &mut bits, bytes, entry) || walk.at >= last {
                    break;
                }
            }
            if walk.at >= last {
                break;
            }
            bits.refill(bytes);
            let code = self.table.code(bits.buffer, damaged);
            let has_room = match code.meaning() {
                Symbol::EndOfBand => {
                    settled = run_of_blocks(&mut bits, code);
                    break;
                }
                Symbol::Zeros => walk.pass_sixteen(kernels, &mut bits, bytes, code.length),
                Symbol::Value => walk.step(kernels, &mut bits, bytes, RefinementTable::entry(code)),
            };
            if !has_room {
                bits.consume(code.length.into());
                *damaged = true;
                break;
            }
        }
        bits.refill(bytes);
        walk.read_raw(&mut bits, bytes, (known << walk.at << 1).count_ones());
        let spots = walk.spots & self.band.set;
        // The last spot has no sign behind it.
        let carriers = walk.spots & (walk.spots - 1);
        let raw = kernels.deposit(walk.raw, known | carriers);
        let positive = kernels.deposit(kernels.extract(raw, carriers), spots);
        let new = spots & !walk.empty;
        let step = RefineStep { set: raw & known | new, negative: new & !positive, low };
        // Large pictures exceed the cache: write only blocks that change.
        if step.set & self.band.idct.mask != 0 {
            block.prepare(self.band.idct);
            kernels.refine(block.coefficients, self.band.idct, step);
        }
        *block.mask |= new;
        *state = bits;
        settled.saturating_sub(1)
    }
}

/// State of the refinement of a block. Position 0 is the highest bit of a set.
#[derive(Debug, Clone, Copy)]
struct Walk {
    /// Coefficients of the band that were zero before.
    zeros: u64,
    /// The next of them, as a bit numbered from the last one.
    next: u64,
    /// The last spot.
    at: usize,
    /// Start of the walk, and all spots.
    spots: u64,
    /// Spots without a new coefficient: ends of sixteen zeros.
    empty: u64,
    /// Signs and corrections in the order of the data.
    raw: u64,
}

/// Most raw bits of a symbol that are read without a refill. Two symbols of short codes then fit one refill.
const FEW: u32 = 17;
const _: () = assert!(2 * (BAND_BITS + FEW) <= 56);

impl Walk {
    fn new(start: usize, zeros: u64) -> Walk {
        let next = (1 << zeros.count_ones()) >> 1;
        Walk { zeros, next, at: start, spots: bit(start), empty: 0, raw: 0 }
    }

    /// Takes the symbol of `entry` and its raw bits. Returns false, and takes nothing, if the block has no
    /// room for its run.
    #[inline(always)]
    fn step<K: Kernels>(
        &mut self,
        kernels: K,
        bits: &mut BitBuffer,
        bytes: &WindowBytes,
        entry: u32,
    ) -> bool {
        let next = self.next >> (entry & 63);
        if next == 0 {
            return false;
        }
        bits.consume(entry >> 8);
        self.go_to(kernels, next, entry, bits, bytes);
        true
    }

    /// Works like [`Walk::step`] for sixteen zeros with a code of `length` bits, which have no sign.
    #[inline(always)]
    fn pass_sixteen<K: Kernels>(
        &mut self,
        kernels: K,
        bits: &mut BitBuffer,
        bytes: &WindowBytes,
        length: u8,
    ) -> bool {
        let next = self.next >> 15;
        if next == 0 {
            return false;
        }
        bits.consume(length.into());
        self.raw <<= 1;
        self.go_to(kernels, next, 16, bits, bytes);
        self.empty |= bit(self.at);
        true
    }

    /// Moves to the spot `next` and reads the bits behind the code. There is one bit for each position
    /// passed, the spot included, less the number in the low six bits of `zeros`.
    #[inline(always)]
    fn go_to<K: Kernels>(
        &mut self,
        kernels: K,
        next: u64,
        zeros: u32,
        bits: &mut BitBuffer,
        bytes: &WindowBytes,
    ) {
        let spot = kernels.deposit(next, self.zeros);
        // Position of the spot less the end of the zeros. This order keeps every other step off the longest
        // dependency chain.
        let count = (spot << ((self.at as u32).wrapping_add(zeros) & 63)).leading_zeros();
        self.next = next >> 1;
        self.at = spot.leading_zeros() as usize;
        self.spots |= spot;
        self.read_raw(bits, bytes, count);
    }

    #[inline(always)]
    fn read_raw(&mut self, bits: &mut BitBuffer, bytes: &WindowBytes, count: u32) {
        if count > FEW {
            (*bits, self.raw) = read_many(*bits, bytes, self.raw, count);
        } else {
            self.raw = self.raw << count | u64::from(bits.take(count));
        }
    }
}

/// Appends `count` bits to `raw` and refills. Passes both by value: a reference would keep them in memory.
#[cold]
#[inline(never)]
fn read_many(mut bits: BitBuffer, bytes: &WindowBytes, mut raw: u64, mut count: u32) -> (BitBuffer, u64) {
    while count > 0 {
        bits.refill(bytes);
        let portion = count.min(32);
        raw = raw << portion | u64::from(bits.take(portion));
        count -= portion;
    }
    bits.refill(bytes);
    (bits, raw)
}
