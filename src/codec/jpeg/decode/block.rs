//! `CoefficientBlock`: the coefficients of one block while it is decoded, and the subset that a scale needs.

use crate::codec::jpeg::quant::QuantTable;
use crate::codec::jpeg::zigzag::NATURAL;

/// The numerator `k` of a scale k/8, 1 to 8: each 8x8 block becomes k x k samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale(u8);

impl Scale {
    /// Every scale, smallest first.
    pub const ALL: [Scale; 8] =
        [Scale(1), Scale(2), Scale(3), Scale(4), Scale(5), Scale(6), Scale(7), Scale(8)];
    /// 8/8.
    pub const FULL: Scale = Scale(8);

    /// `k`/8; `None` unless `k` is 1 to 8.
    pub const fn new(k: u8) -> Option<Scale> {
        if matches!(k, 1..=8) { Some(Scale(k)) } else { None }
    }

    /// The numerator.
    pub const fn k(self) -> usize {
        self.0 as usize
    }

    /// Distance between two rows of coefficients in a [`CoefficientBlock`].
    const fn row_step(self) -> usize {
        if self.0 <= 4 { 4 } else { 8 }
    }

    /// Returns true if a block with only DC is filled instead of transformed. Small transforms cost no more
    /// than the branch.
    pub(super) const fn fills_flat(self) -> bool {
        self.0 > 4
    }

    /// Number of coefficients of a stored block, with the unused ones that make a row whole.
    pub(super) const fn stored(self) -> usize {
        match self.0 {
            1 => 1,
            2 => 8,
            3 | 4 => 16,
            _ => 64,
        }
    }
}

/// Place for coefficients that the scale does not need.
const DUMP: u8 = 64;

/// The k x k low-frequency corner of a block. Rows are 4 apart for k up to 4, and 8 apart above. A dump place
/// behind it takes the unneeded coefficients. Its 256 values make each byte a valid index.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct CoefficientBlock(pub(super) [i16; 256]);

impl CoefficientBlock {
    pub(super) const ZERO: CoefficientBlock = CoefficientBlock([0; 256]);

    /// Sets the corner to zero.
    #[inline(always)]
    pub(super) fn clear(&mut self, scale: Scale) {
        match scale.0 {
            1..=4 => self.0[..16].fill(0),
            _ => self.0[..64].fill(0),
        }
    }
}

/// Returns zig-zag position `z` as a bit of a set: the first positions are the highest bits.
pub(super) const fn bit(z: usize) -> u64 {
    1 << (63 - (z & 63))
}

/// Lookup of each place of a [`CoefficientBlock`] in a set of zig-zag positions: a byte of the set, lowest
/// first, and a bit in it.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct CoefficientMask {
    pub(super) bytes: [u8; 64],
    pub(super) bits: [u8; 64],
}

impl CoefficientMask {
    /// No coefficient at any place: vector shuffles read a byte of 0x80 as zero.
    const NONE: CoefficientMask = CoefficientMask { bytes: [0x80; 64], bits: [0xFF; 64] };
}

/// Selection and dequantisation of one component's coefficients at its scale.
#[derive(Debug, Clone)]
pub(super) struct ScaledIdctLayout {
    pub(super) scale: Scale,
    /// Place in a [`CoefficientBlock`] by zig-zag position; defined for any byte.
    pub(super) place: [u8; 256],
    /// Set of the needed zig-zag positions behind DC, see [`bit`].
    pub(super) mask: u64,
    /// Last needed zig-zag position.
    pub(super) last: usize,
    /// Quantisation steps in the order of a [`CoefficientBlock`], modulo 2^16. 0 for DC, which is dequantised
    /// on its own.
    pub(super) steps: CoefficientBlock,
    /// Lookup of each place in a set of zig-zag positions.
    pub(super) lookup: CoefficientMask,
    /// Quantisation step of DC, modulo 2^16.
    dc_step: i16,
}

impl ScaledIdctLayout {
    pub(super) fn new(scale: Scale, quant: &QuantTable) -> ScaledIdctLayout {
        let mut idct = ScaledIdctLayout {
            scale,
            place: [DUMP; 256],
            mask: 0,
            last: 0,
            steps: CoefficientBlock::ZERO,
            lookup: CoefficientMask::NONE,
            dc_step: 0,
        };
        for (z, &natural) in NATURAL.iter().enumerate() {
            let (row, column) = (usize::from(natural) / 8, usize::from(natural) % 8);
            if row < scale.k() && column < scale.k() {
                let place = row * scale.row_step() + column;
                idct.place[z] = place as u8;
                idct.steps.0[place] = quant.0[usize::from(natural)] as i16;
                idct.lookup.bytes[place] = 7 - z as u8 / 8;
                idct.lookup.bits[place] = 1 << (7 - z % 8);
                idct.mask |= if z > 0 { bit(z) } else { 0 };
                idct.last = z;
            }
        }
        idct.dc_step = std::mem::take(&mut idct.steps.0[0]);
        idct
    }

    /// Multiplies a DC coefficient by its step.
    #[inline(always)]
    pub(super) fn dequantised(&self, dc: i16) -> i16 {
        dc.wrapping_mul(self.dc_step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_hold_k_by_k_coefficients() {
        let quant = QuantTable(std::array::from_fn(|i| i as u16 + 1));
        for scale in Scale::ALL {
            let idct = ScaledIdctLayout::new(scale, &quant);
            assert_eq!(idct.mask.count_ones() as usize, scale.k() * scale.k() - 1);
            assert_eq!((idct.dequantised(3), idct.steps.0[0]), (3, 0));
            assert_eq!(idct.last, 63 - (idct.mask | bit(0)).trailing_zeros() as usize);
            assert!(idct.place[64..].iter().all(|&place| place == DUMP));
        }
        assert_eq!(ScaledIdctLayout::new(Scale::ALL[3], &quant).last, 24);
        assert_eq!(ScaledIdctLayout::new(Scale::ALL[2], &quant).last, 12);
        assert!(Scale::new(0).is_none() && Scale::new(9).is_none());
    }
}
