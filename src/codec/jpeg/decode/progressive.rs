//! Progressive scans: DC and AC bands, each first coarse and then refined bit by bit (T.81 G.1.2).

use super::Flaws;
use super::bits::Bits;
use super::block::{Corner, bit};
use super::kernels::Kernels;
use super::restart::Restarts;
use super::store::Store;
use super::tables::{BandTable, DcTable, EOB, value};
use super::window::{Reader, WindowBytes};
use crate::limits::{Cancel, Stopped};
use std::sync::Arc;

/// A progressive scan while it is decoded.
#[derive(Debug)]
pub(super) struct ProgressiveScan<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) restarts: Restarts,
    pub(super) flaws: Flaws,
    /// The low bits that are still missing afterwards (Al).
    pub(super) low: u8,
}

/// What DC scans need of one of their components.
#[derive(Debug)]
pub(super) struct DcLane {
    /// Index of the component.
    pub(super) component: usize,
    /// Blocks of an MCU, across and down.
    pub(super) h: usize,
    pub(super) v: usize,
    /// The table; none in a refinement, whose bits have no codes.
    pub(super) table: Option<Arc<DcTable>>,
}

impl ProgressiveScan<'_> {
    /// Decodes a DC scan of `rows` x `columns` MCUs (G.1.2.1).
    #[inline(always)]
    pub(super) fn decode_dc<K: Kernels>(
        &mut self,
        kernels: K,
        lanes: &[DcLane],
        (columns, rows): (usize, usize),
        stores: &mut [Store],
        cancel: &Cancel,
    ) -> Result<(), Stopped> {
        let mut predictions = [0_i32; 4];
        let mut bits = self.reader.bits;
        for mcu_row in 0..rows {
            cancel.check()?;
            for mcu_column in 0..columns {
                if self.restarts.is_due() {
                    self.reader.bits = bits;
                    self.restarts.restart(&mut self.reader, &mut self.flaws, kernels);
                    bits = self.reader.bits;
                    predictions = [0; 4];
                }
                if self.reader.is_low(&bits) && !self.reader.more(&mut bits, kernels) {
                    self.flaws.data_ended(&self.reader);
                    continue;
                }
                let bytes = self.reader.bytes();
                // A copy, so that it stays in registers.
                let mut state = bits;
                for (lane, prediction) in lanes.iter().zip(&mut predictions) {
                    let Some(store) = stores.get_mut(lane.component) else { continue };
                    for row in 0..lane.v {
                        let start = (mcu_row * lane.v + row) * store.columns + mcu_column * lane.h;
                        for dc in &mut store.dc[start..start + lane.h] {
                            state.refill(bytes);
                            match &lane.table {
                                Some(table) => {
                                    let entry = table.entry(state.buffer, &mut self.flaws.damaged);
                                    *prediction = prediction.wrapping_add(value(state.buffer, entry));
                                    state.consume(entry);
                                    *dc = (*prediction << self.low) as i16;
                                }
                                None => *dc |= (state.take(1) << self.low) as i16,
                            }
                        }
                    }
                }
                bits = state;
            }
        }
        self.finish(bits);
        Ok(())
    }

    /// Decodes the first scan of an AC band (G.1.2.2) of `rows` x `columns` blocks.
    #[inline(always)]
    pub(super) fn decode_ac<K: Kernels>(
        &mut self,
        kernels: K,
        band: &Band<'_>,
        (columns, rows): (usize, usize),
        store: &mut Store,
        cancel: &Cancel,
    ) -> Result<(), Stopped> {
        let mut bits = self.reader.bits;
        // Blocks to come that have nothing in this band (EOBRUN).
        let mut empty = 0_usize;
        for row in 0..rows {
            cancel.check()?;
            let mut column = 0;
            while column < columns {
                if self.restarts.is_used() {
                    if self.restarts.is_due() {
                        self.reader.bits = bits;
                        self.restarts.restart(&mut self.reader, &mut self.flaws, kernels);
                        bits = self.reader.bits;
                        empty = 0;
                    }
                    if empty > 0 {
                        empty -= 1;
                        column += 1;
                        continue;
                    }
                } else if empty > 0 {
                    let passed = empty.min(columns - column);
                    empty -= passed;
                    column += passed;
                    continue;
                }
                if self.reader.is_low(&bits) && !self.reader.more(&mut bits, kernels) {
                    self.flaws.data_ended(&self.reader);
                    column += 1;
                    continue;
                }
                let (corner, mask) = store.block_mut(row * store.columns + column);
                empty = band.decode_block(
                    &mut bits,
                    self.reader.bytes(),
                    corner,
                    mask,
                    self.low,
                    &mut self.flaws.damaged,
                );
                column += 1;
            }
        }
        self.finish(bits);
        Ok(())
    }

    /// Decodes a refinement of an AC band (G.1.2.3) of `rows` x `columns` blocks.
    #[inline(always)]
    pub(super) fn refine_ac<K: Kernels>(
        &mut self,
        kernels: K,
        band: &Band<'_>,
        (columns, rows): (usize, usize),
        store: &mut Store,
        cancel: &Cancel,
    ) -> Result<(), Stopped> {
        let mut bits = self.reader.bits;
        // Blocks to come that have nothing new in this band, only corrections.
        let mut settled = 0_usize;
        for row in 0..rows {
            cancel.check()?;
            for column in 0..columns {
                if self.restarts.is_due() {
                    self.reader.bits = bits;
                    self.restarts.restart(&mut self.reader, &mut self.flaws, kernels);
                    bits = self.reader.bits;
                    settled = 0;
                }
                let at = row * store.columns + column;
                if settled > 0 && store.masks[at] & band.set == 0 {
                    settled -= 1;
                    continue;
                }
                if self.reader.is_low(&bits) && !self.reader.more(&mut bits, kernels) {
                    self.flaws.data_ended(&self.reader);
                    continue;
                }
                let (corner, mask) = store.block_mut(at);
                let mut block =
                    Refinement { kernels, bytes: self.reader.bytes(), band, corner, mask, low: self.low };
                settled = block.decode(&mut bits, settled, &mut self.flaws.damaged);
            }
        }
        self.finish(bits);
        Ok(())
    }

    fn finish(&mut self, bits: Bits) {
        self.reader.bits = bits;
        if self.reader.is_overdrawn(&bits) {
            self.flaws.data_ended(&self.reader);
        }
    }
}

/// The coefficients that an AC scan carries, and how they are coded.
#[derive(Debug)]
pub(super) struct Band<'a> {
    /// First position, at least 1 (Ss).
    pub(super) first: usize,
    /// Last position, at most 63 (Se).
    pub(super) last: usize,
    /// All of them, as [`bit`] counts.
    pub(super) set: u64,
    pub(super) corner: &'a Corner,
    pub(super) table: Arc<BandTable>,
}

impl Band<'_> {
    /// Decodes the band of a block. Returns how many blocks behind it are empty.
    #[inline(always)]
    fn decode_block(
        &self,
        bits: &mut Bits,
        bytes: &WindowBytes,
        corner: &mut [i16],
        mask: &mut u64,
        low: u8,
        damaged: &mut bool,
    ) -> usize {
        // Copies, so that they stay in registers.
        let state = bits;
        let mut bits = *state;
        let mut position = self.first;
        let mut found = *mask;
        let mut empty = 0;
        while position <= self.last {
            bits.refill(bytes);
            let entry = self.table.entry(bits.buffer, damaged);
            let advance = (entry >> 24) as usize;
            if advance == EOB {
                empty = run_of_blocks(bits.buffer, entry) - 1;
                bits.consume(entry);
                break;
            }
            position += advance;
            let coefficient = value(bits.buffer, entry);
            bits.consume(entry);
            if position > self.last + 1 {
                *damaged = true;
                break;
            }
            if coefficient != 0 {
                self.add(position - 1, (coefficient << low) as i16, corner, &mut found);
            }
        }
        *mask = found;
        *state = bits;
        empty
    }

    /// Makes a coefficient non-zero. The first of the corner clears it before.
    #[inline(always)]
    fn add(&self, position: usize, coefficient: i16, corner: &mut [i16], mask: &mut u64) {
        let bit = bit(position);
        if self.corner.mask & bit != 0 {
            if *mask & self.corner.mask == 0 {
                corner.fill(0);
            }
            if let Some(place) = corner.get_mut(usize::from(self.corner.place[position & 63])) {
                *place = coefficient;
            }
        }
        *mask |= bit;
    }
}

/// The run of an end-of-band code EOBn: 2^n and the n bits behind the code (figure G.3).
#[inline(always)]
fn run_of_blocks(buffer: u64, entry: u32) -> usize {
    let bits = 63 - (entry >> 16 & 63);
    (1 << bits) + (buffer << (entry >> 8 & 63) >> 1 >> (63 - bits)) as usize
}

/// One block of a refinement.
struct Refinement<'a, K> {
    kernels: K,
    bytes: &'a WindowBytes,
    band: &'a Band<'a>,
    corner: &'a mut [i16],
    mask: &'a mut u64,
    low: u8,
}

impl<K: Kernels> Refinement<'_, K> {
    /// Refines the block, of which only corrections come if it is `settled`. Returns the number of blocks
    /// behind it that are settled.
    ///
    /// Figure G.7 without a walk over the coefficients: the end of a run of zeros is found in the set of those that
    /// were zero before, and the correction bits, one for each that was not, are gathered in the order of the data
    /// and meet their coefficients at the end. Position 0 is the highest bit of a set.
    #[inline(always)]
    fn decode(&mut self, bits: &mut Bits, settled: usize, damaged: &mut bool) -> usize {
        // A copy, so that it stays in registers.
        let state = bits;
        let mut bits = *state;
        let mut settled = settled;
        let mut found = *self.mask;
        let known = self.band.set & found;
        let zeros = self.band.set & !known;
        let mut ahead = self.band.set;
        let mut zeros_ahead = zeros.count_ones() as usize;
        let mut corrections = 0;
        while settled == 0 && ahead != 0 {
            bits.refill(self.bytes);
            let entry = self.band.table.entry(bits.buffer, damaged);
            let advance = (entry >> 24) as usize;
            if advance == EOB {
                settled = run_of_blocks(bits.buffer, entry);
                bits.consume(entry);
                break;
            }
            let has_value = entry >> 16 & 63 != 63;
            let sign = (bits.buffer << (entry >> 8 & 63) >> 62 & 2) as i16 - 1;
            bits.consume(entry);
            let Some(behind) = zeros_ahead.checked_sub(advance) else {
                *damaged = true;
                break;
            };
            zeros_ahead = behind;
            let spot = self.kernels.deposit(1 << behind, zeros);
            let passed = ahead & known & !(spot - 1);
            ahead &= spot - 1;
            corrections = self.read_corrections(&mut bits, corrections, passed.count_ones());
            if has_value {
                let position = spot.leading_zeros() as usize;
                self.band.add(position, sign << self.low, self.corner, &mut found);
            }
        }
        bits.refill(self.bytes);
        corrections = self.read_corrections(&mut bits, corrections, (ahead & known).count_ones());
        self.grow(self.kernels.deposit(corrections, known));
        *self.mask = found;
        *state = bits;
        settled.saturating_sub(1)
    }

    /// Appends `count` correction bits to those read `before`. At least 32 must be there.
    #[inline(always)]
    fn read_corrections(&self, bits: &mut Bits, before: u64, count: u32) -> u64 {
        if count <= 32 {
            return before << count | u64::from(bits.take(count));
        }
        let before = before << (count - 32) | u64::from(bits.take(count - 32));
        bits.refill(self.bytes);
        before << 32 | u64::from(bits.take(32))
    }

    /// Lets the coefficients of `set` that are in the corner grow by one step. Once for a block: how many there are is
    /// not to be predicted.
    #[inline(always)]
    fn grow(&mut self, set: u64) {
        let of_corner = &self.band.corner;
        let mut left = set & of_corner.mask;
        while left != 0 {
            let position = left.leading_zeros() as usize;
            left &= !bit(position);
            if let Some(place) = self.corner.get_mut(usize::from(of_corner.place[position & 63])) {
                *place = place.wrapping_add((*place >> 15 | 1) << self.low);
            }
        }
    }
}
