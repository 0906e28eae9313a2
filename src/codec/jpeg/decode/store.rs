//! `Store`: coefficients of a component, accumulated over several scans.

use super::block::{CoefficientBlock, Scale, ScaledIdctLayout};
use super::plane;
use crate::codec::jpeg::header::{FrameComponent, FrameHeader};
use crate::limits::{OutOfMemory, try_vec};

/// Coefficients of one component: of each block only the corner that its scale needs.
///
/// A block takes 2 bytes for DC, 8 bytes for the set of its non-zero coefficients, and room for its corner.
/// The corner is cleared with its first coefficient. Flat blocks, which most pictures have in plenty, never
/// touch it.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Blocks from one row of blocks to the next, in whole MCUs.
    pub(super) columns: usize,
    /// Coefficients of a corner.
    stored: usize,
    pub(super) dc: Vec<i16>,
    /// Sets of the non-zero coefficients of each block behind DC, see [`super::block::bit`]. They include
    /// coefficients outside of the corner, because refinement scans code zero and non-zero coefficients
    /// differently.
    pub(super) masks: Vec<u64>,
    coefficients: Vec<i16>,
}

/// The AC coefficients of one block.
#[derive(Debug)]
pub(super) struct StoredBlock<'t> {
    /// The corner, at the places of [`ScaledIdctLayout::place`]. Empty at 1/8.
    pub(super) coefficients: &'t mut [i16],
    /// Set of the non-zero coefficients, within the corner and outside.
    pub(super) mask: &'t mut u64,
}

impl StoredBlock<'_> {
    /// Prepares the corner for its first coefficient: clears the values of an earlier picture.
    #[inline(always)]
    pub(super) fn prepare(&mut self, idct: &ScaledIdctLayout) {
        if *self.mask & idct.mask == 0 {
            // Constant length, so that it compiles to a few instructions instead of a call.
            self.coefficients.as_chunks_mut::<8>().0.fill([0; 8]);
        }
    }
}

impl Store {
    /// Makes room for `component` at `scale`, all zero.
    pub(super) fn prepare(
        &mut self,
        frame: &FrameHeader,
        component: &FrameComponent,
        scale: Scale,
    ) -> Result<(), OutOfMemory> {
        self.columns = plane::mcu_columns(frame) * usize::from(component.h);
        self.stored = scale.stored();
        let blocks = self.columns * plane::mcu_rows(frame) * usize::from(component.v);
        reuse(&mut self.dc, blocks)?;
        self.dc.fill(0);
        reuse(&mut self.masks, blocks)?;
        self.masks.fill(0);
        if self.stored > 1 {
            reuse(&mut self.coefficients, blocks * self.stored)?;
        }
        Ok(())
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.dc.capacity() * 2 + self.masks.capacity() * 8 + self.coefficients.capacity() * 2
    }

    /// Returns a block to add AC coefficients to.
    #[inline(always)]
    pub(super) fn block_mut(&mut self, at: usize) -> StoredBlock<'_> {
        let coefficients = match self.stored {
            1 => &mut [],
            stored => &mut self.coefficients[at * stored..][..stored],
        };
        StoredBlock { coefficients, mask: &mut self.masks[at] }
    }

    /// Copies the AC coefficients of a block. Returns false, and copies nothing, if the corner is all zero.
    #[inline(always)]
    pub(super) fn load(&self, at: usize, idct: &ScaledIdctLayout, block: &mut CoefficientBlock) -> bool {
        let has_ac = self.masks[at] & idct.mask != 0;
        if has_ac {
            match self.stored {
                8 => copy::<8>(&self.coefficients, at, block),
                16 => copy::<16>(&self.coefficients, at, block),
                64 => copy::<64>(&self.coefficients, at, block),
                _ => {}
            }
        }
        has_ac
    }

    /// Stores a whole block; `None` for one with only DC.
    #[inline(always)]
    pub(super) fn save(&mut self, at: usize, dc: i16, ac: Option<&CoefficientBlock>) {
        self.dc[at] = dc;
        let block = self.block_mut(at);
        *block.mask = if ac.is_some() { !0 } else { 0 };
        if let Some(ac) = ac {
            block.coefficients.copy_from_slice(&ac.0[..block.coefficients.len()]);
        }
    }
}

#[inline(always)]
fn copy<const N: usize>(coefficients: &[i16], at: usize, block: &mut CoefficientBlock) {
    block.0[..N].copy_from_slice(&coefficients[at * N..][..N]);
}

/// Resizes `values` to `len`, in its own memory if that is large enough. The values are unspecified.
fn reuse<T: Default + Clone>(values: &mut Vec<T>, len: usize) -> Result<(), OutOfMemory> {
    if values.capacity() < len {
        *values = Vec::new();
        *values = try_vec(len)?;
    } else {
        values.resize(len, T::default());
    }
    Ok(())
}
