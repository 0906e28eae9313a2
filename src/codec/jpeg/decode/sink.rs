//! Sinks of decoded blocks: the inverse DCT into rows of planes, or the coefficient stores.

use super::block::{Block, Corner};
use super::kernels::{self, Kernels, Task};
use super::plane::{Columns, PlaneRows};
use super::sequential::{Last, Place, SequentialScan, Sink};
use super::store::Store;

/// Transforms blocks and writes their samples to the rows of the planes.
pub(super) struct PlaneSink<'t, 'r> {
    pub(super) corners: &'t [Corner],
    /// Wanted columns of each component.
    pub(super) columns: &'t [Columns],
    pub(super) rows: &'t mut [PlaneRows<'r>],
}

impl PlaneSink<'_, '_> {
    /// Decodes the next row of MCUs of `scan`, without the unwanted blocks.
    pub(super) fn stream_row(self, scan: &mut SequentialScan<'_>) {
        struct StreamRow<'t, 'a, 'r, const FLAT: bool>(&'t mut SequentialScan<'a>, PlaneSink<'t, 'r>);

        impl<const FLAT: bool> Task for StreamRow<'_, '_, '_, FLAT> {
            type Output = ();

            #[inline(always)]
            fn run<K: Kernels>(mut self, kernels: K) {
                self.0.decode_row::<FLAT, _, _>(kernels, &mut self.1);
            }
        }

        for (lane, columns) in scan.lanes.iter_mut().zip(self.columns) {
            lane.want_ac(!columns.is_empty());
        }
        if scan.is_flat() {
            kernels::run(StreamRow::<true>(scan, self));
        } else {
            kernels::run(StreamRow::<false>(scan, self));
        }
    }
}

impl Sink for PlaneSink<'_, '_> {
    #[inline(always)]
    fn block<K: Kernels>(&mut self, kernels: K, place: Place, dc: i16, ac: &mut Block, last: Last) {
        let Place { lane, column, row } = place;
        let (Some(corner), Some(columns), Some(rows)) =
            (self.corners.get(lane), self.columns.get(lane), self.rows.get_mut(lane))
        else {
            return;
        };
        if !columns.has(column) {
            if !last.is_flat() {
                ac.clear(corner.scale);
            }
            return;
        }
        if corner.scale.fills_flat() && last.is_flat() {
            fill(corner, dc, rows, column, row);
        } else {
            transform(kernels, corner, dc, ac, rows, column, row);
            ac.clear(corner.scale);
        }
    }

    #[inline(always)]
    fn flat<K: Kernels>(&mut self, _kernels: K, place: Place, dc: i16) {
        let Place { lane, column, row } = place;
        if let (Some(corner), Some(columns), Some(rows)) =
            (self.corners.get(lane), self.columns.get(lane), self.rows.get_mut(lane))
            && columns.has(column)
        {
            fill(corner, dc, rows, column, row);
        }
    }
}

/// Writes the samples of the block at `column` and `row` of a strip.
#[inline(always)]
pub(super) fn transform<K: Kernels>(
    kernels: K,
    corner: &Corner,
    dc: i16,
    ac: &Block,
    rows: &mut PlaneRows<'_>,
    column: usize,
    row: usize,
) {
    let stride = rows.stride;
    let (dc, steps) = (corner.dequantised(dc), &corner.steps);
    let Some(out) = strip_from(corner, rows, column, row) else { return };
    match corner.scale.k() {
        1 => kernels.idct::<1>(dc, ac, steps, out, stride),
        2 => kernels.idct::<2>(dc, ac, steps, out, stride),
        3 => kernels.idct::<3>(dc, ac, steps, out, stride),
        4 => kernels.idct::<4>(dc, ac, steps, out, stride),
        5 => kernels.idct::<5>(dc, ac, steps, out, stride),
        6 => kernels.idct::<6>(dc, ac, steps, out, stride),
        7 => kernels.idct::<7>(dc, ac, steps, out, stride),
        _ => kernels.idct::<8>(dc, ac, steps, out, stride),
    }
}

/// Does the work of [`transform`] for a block with only DC. Writes eight samples a row; those behind the
/// block are overwritten later.
#[inline(always)]
pub(super) fn fill(corner: &Corner, dc: i16, rows: &mut PlaneRows<'_>, column: usize, row: usize) {
    let sample = kernels::flat_sample(corner.dequantised(dc));
    let stride = rows.stride;
    let Some(out) = strip_from(corner, rows, column, row) else { return };
    for row in out.chunks_mut(stride).take(corner.scale.k()) {
        if let Some(row) = row.first_chunk_mut::<8>() {
            *row = [sample; 8];
        }
    }
}

/// Returns the samples of a strip from the block at `column` and `row` on.
#[inline(always)]
fn strip_from<'r>(
    corner: &Corner,
    rows: &'r mut PlaneRows<'_>,
    column: usize,
    row: usize,
) -> Option<&'r mut [u8]> {
    let k = corner.scale.k();
    rows.samples.get_mut(row * k * rows.stride + column * k..)
}

/// Stores the blocks of one row of MCUs.
pub(super) struct StoreSink<'t> {
    pub(super) corners: &'t [Corner],
    pub(super) stores: &'t mut [Store],
    /// The frame index of each component of the scan, and its blocks of an MCU downwards.
    pub(super) lanes: &'t [(usize, usize)],
    pub(super) mcu_row: usize,
}

impl Sink for StoreSink<'_> {
    #[inline(always)]
    fn block<K: Kernels>(&mut self, _kernels: K, place: Place, dc: i16, ac: &mut Block, last: Last) {
        let Some(&(component, v)) = self.lanes.get(place.lane) else { return };
        let (Some(store), Some(corner)) = (self.stores.get_mut(component), self.corners.get(component))
        else {
            return;
        };
        let at = (self.mcu_row * v + place.row) * store.columns + place.column;
        store.save(at, dc, (!last.is_flat()).then_some(&*ac));
        ac.clear(corner.scale);
    }
}
