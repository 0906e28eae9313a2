//! Progressive scans: DC scans and AC bands, first scans and refinements (T.81 G.1.2). Owns the walk over the
//! blocks of AC scans.

mod dc;
mod first;
mod refinement;

pub(super) use dc::DcComponent;
pub(super) use first::FirstBand;
pub(super) use refinement::RefinedBand;

use super::Flaws;
use super::bits::BitBuffer;
use super::block::{ScaledIdctLayout, bit};
use super::kernels::Kernels;
use super::restart::RestartCounter;
use super::store::Store;
use super::tables::Code;
use super::window::ScanReader;
use crate::limits::{Cancel, Stopped};

/// A progressive scan in the course of decoding.
#[derive(Debug)]
pub(super) struct ProgressiveScan<'a> {
    pub(super) reader: ScanReader<'a>,
    pub(super) restarts: RestartCounter,
    pub(super) flaws: Flaws,
    /// Number of low bits still missing afterwards (Al).
    pub(super) low: u8,
}

impl ProgressiveScan<'_> {
    /// Decodes the first scan of an AC band (G.1.2.2) of `rows` x `columns` blocks.
    #[inline(always)]
    pub(super) fn decode_ac<K: Kernels>(
        &mut self,
        kernels: K,
        band: &FirstBand<'_>,
        (columns, rows): (usize, usize),
        store: &mut Store,
        cancel: &Cancel,
    ) -> Result<(), Stopped> {
        let mut bits = self.reader.bits;
        // Pending blocks with an empty band (EOBRUN).
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
                let block = store.block_mut(row * store.columns + column);
                let (bytes, damaged) = (self.reader.bytes(), &mut self.flaws.damaged);
                empty = band.decode_block(&mut bits, bytes, block, self.low, damaged);
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
        refined: &RefinedBand<'_>,
        (columns, rows): (usize, usize),
        store: &mut Store,
        cancel: &Cancel,
    ) -> Result<(), Stopped> {
        let mut bits = self.reader.bits;
        // Pending blocks with corrections only, and no new coefficient in this band.
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
                if settled > 0 && store.masks[at] & refined.band.set == 0 {
                    settled -= 1;
                    continue;
                }
                if self.reader.is_low(&bits) && !self.reader.more(&mut bits, kernels) {
                    self.flaws.data_ended(&self.reader);
                    continue;
                }
                let block = store.block_mut(at);
                let (bytes, damaged) = (self.reader.bytes(), &mut self.flaws.damaged);
                settled = refined.decode_block(kernels, &mut bits, bytes, block, self.low, settled, damaged);
            }
        }
        self.finish(bits);
        Ok(())
    }

    /// Ends the scan at the position behind the last block.
    fn finish(&mut self, bits: BitBuffer) {
        self.reader.bits = bits;
        if self.reader.is_overdrawn(&bits) {
            self.flaws.data_ended(&self.reader);
        }
    }
}

/// The coefficients of an AC scan.
#[derive(Debug)]
pub(super) struct AcBand<'a> {
    /// First position, at least 1 (Ss).
    pub(super) first: usize,
    /// Last position, at most 63 (Se).
    pub(super) last: usize,
    /// Set of its zig-zag positions, see [`bit`].
    pub(super) set: u64,
    pub(super) idct: &'a ScaledIdctLayout,
}

impl AcBand<'_> {
    /// Works like [`bit`], but returns an empty set for a position behind the band.
    #[inline(always)]
    fn bit(&self, position: usize) -> u64 {
        if position <= self.last { bit(position) } else { 0 }
    }
}

/// Reads the run of an end-of-band code EOBn: 2^n plus the n bits behind the code (figure G.3).
#[inline(always)]
fn run_of_blocks(bits: &mut BitBuffer, code: Code) -> usize {
    let size = u32::from(code.run());
    bits.consume(code.length.into());
    (1 << size) + bits.take(size) as usize
}

#[cfg(test)]
mod tests;
