//! Where decoded blocks go: through the inverse DCT to the rows of planes, or to the coefficient stores.

use super::block::{Block, Corner};
use super::kernels::{self, Kernels};
use super::plane::PlaneRows;
use super::sequential::Sink;
use super::store::Store;
use super::tables::EOB;

/// Transforms blocks and writes their samples to the rows of the planes.
pub(super) struct PlaneSink<'t, 'r> {
    pub(super) corners: &'t [Corner],
    pub(super) rows: &'t mut [PlaneRows<'r>],
}

impl Sink for PlaneSink<'_, '_> {
    #[inline(always)]
    fn block<K: Kernels>(
        &mut self,
        kernels: K,
        lane: usize,
        column: usize,
        row: usize,
        block: &mut Block,
        last: usize,
    ) {
        let (Some(corner), Some(rows)) = (self.corners.get(lane), self.rows.get_mut(lane)) else { return };
        transform(kernels, corner, block, last == EOB, rows, column, row);
        if last == EOB {
            block.0[0] = 0;
        } else {
            block.clear(corner.scale);
        }
    }
}

/// Writes the samples of the block at `column` and `row` of a strip. `is_flat` tells that it has only DC.
#[inline(always)]
pub(super) fn transform<K: Kernels>(
    kernels: K,
    corner: &Corner,
    block: &Block,
    is_flat: bool,
    rows: &mut PlaneRows<'_>,
    column: usize,
    row: usize,
) {
    let k = corner.scale.k();
    let stride = rows.stride;
    let steps = &corner.steps;
    let Some(out) = rows.samples.get_mut(row * k * stride + column * k..) else { return };
    if k > 4 && is_flat {
        return fill(kernels::flat_sample(block.0[0], steps.0[0]), k, out, stride);
    }
    match k {
        1 => kernels.idct::<1>(block, steps, out, stride),
        2 => kernels.idct::<2>(block, steps, out, stride),
        3 => kernels.idct::<3>(block, steps, out, stride),
        4 => kernels.idct::<4>(block, steps, out, stride),
        5 => kernels.idct::<5>(block, steps, out, stride),
        6 => kernels.idct::<6>(block, steps, out, stride),
        7 => kernels.idct::<7>(block, steps, out, stride),
        _ => kernels.idct::<8>(block, steps, out, stride),
    }
}

/// Writes a block of one value: `k` rows of eight samples, those behind the `k`-th without meaning.
#[inline(always)]
fn fill(sample: u8, k: usize, out: &mut [u8], stride: usize) {
    for row in out.chunks_mut(stride).take(k) {
        if let Some(row) = row.first_chunk_mut::<8>() {
            *row = [sample; 8];
        }
    }
}

/// Keeps the blocks of one row of MCUs.
pub(super) struct StoreSink<'t> {
    pub(super) corners: &'t [Corner],
    pub(super) stores: &'t mut [Store],
    /// The component of each lane, and its blocks of an MCU downwards.
    pub(super) lanes: &'t [(usize, usize)],
    pub(super) mcu_row: usize,
}

impl Sink for StoreSink<'_> {
    #[inline(always)]
    fn block<K: Kernels>(
        &mut self,
        _kernels: K,
        lane: usize,
        column: usize,
        row: usize,
        block: &mut Block,
        last: usize,
    ) {
        let Some(&(component, v)) = self.lanes.get(lane) else { return };
        let (Some(store), Some(corner)) = (self.stores.get_mut(component), self.corners.get(component))
        else {
            return;
        };
        let at = (self.mcu_row * v + row) * store.columns + column;
        store.save(at, block, last != EOB);
        block.clear(corner.scale);
    }
}
