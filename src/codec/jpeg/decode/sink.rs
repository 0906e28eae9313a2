//! Sinks of decoded blocks: the inverse DCT into rows of planes, or the coefficient stores.

use super::block::{CoefficientBlock, ScaledIdctLayout};
use super::kernels::{self, KernelTask, Kernels};
use super::plane::{Columns, PlaneRows};
use super::sequential::{BlockEnd, BlockPlace, SequentialScan, Sink};
use super::store::Store;

/// Transforms blocks and writes their samples to the rows of the planes.
pub(super) struct PlaneSink<'t, 'r> {
    pub(super) idcts: &'t [ScaledIdctLayout],
    /// Wanted columns of each component.
    pub(super) columns: &'t [Columns],
    pub(super) rows: &'t mut [PlaneRows<'r>],
}

impl PlaneSink<'_, '_> {
    /// Decodes the next row of MCUs of `scan`, without the unwanted blocks.
    pub(super) fn stream_row(self, scan: &mut SequentialScan<'_>) {
        struct StreamRow<'t, 'a, 'r, const FLAT: bool>(&'t mut SequentialScan<'a>, PlaneSink<'t, 'r>);

        impl<const FLAT: bool> KernelTask for StreamRow<'_, '_, '_, FLAT> {
            type Output = ();

            #[inline(always)]
            fn run<K: Kernels>(mut self, kernels: K) {
                self.0.decode_row::<FLAT, _, _>(kernels, &mut self.1);
            }
        }

        for (component, columns) in scan.components.iter_mut().zip(self.columns) {
            component.want_ac(!columns.is_empty());
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
    fn block<K: Kernels>(
        &mut self,
        kernels: K,
        place: BlockPlace,
        dc: i16,
        ac: &mut CoefficientBlock,
        last: BlockEnd,
    ) {
        let BlockPlace { component, column, row } = place;
        let (Some(idct), Some(columns), Some(rows)) =
            (self.idcts.get(component), self.columns.get(component), self.rows.get_mut(component))
        else {
            return;
        };
        if !columns.has(column) {
            if !last.is_flat() {
                ac.clear(idct.scale);
            }
            return;
        }
        if idct.scale.fills_flat() && last.is_flat() {
            fill(idct, dc, rows, column, row);
        } else {
            transform(kernels, idct, dc, ac, rows, column, row);
            ac.clear(idct.scale);
        }
    }

    #[inline(always)]
    fn flat<K: Kernels>(&mut self, _kernels: K, place: BlockPlace, dc: i16) {
        let BlockPlace { component, column, row } = place;
        if let (Some(idct), Some(columns), Some(rows)) =
            (self.idcts.get(component), self.columns.get(component), self.rows.get_mut(component))
            && columns.has(column)
        {
            fill(idct, dc, rows, column, row);
        }
    }
}

/// Writes the samples of the block at `column` and `row` of a strip.
#[inline(always)]
pub(super) fn transform<K: Kernels>(
    kernels: K,
    idct: &ScaledIdctLayout,
    dc: i16,
    ac: &CoefficientBlock,
    rows: &mut PlaneRows<'_>,
    column: usize,
    row: usize,
) {
    let stride = rows.stride;
    let (dc, steps) = (idct.dequantised(dc), &idct.steps);
    let Some(out) = strip_from(idct, rows, column, row) else { return };
    match idct.scale.k() {
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
pub(super) fn fill(idct: &ScaledIdctLayout, dc: i16, rows: &mut PlaneRows<'_>, column: usize, row: usize) {
    let sample = kernels::flat_sample(idct.dequantised(dc));
    let stride = rows.stride;
    let Some(out) = strip_from(idct, rows, column, row) else { return };
    for row in out.chunks_mut(stride).take(idct.scale.k()) {
        if let Some(row) = row.first_chunk_mut::<8>() {
            *row = [sample; 8];
        }
    }
}

/// Returns the samples of a strip from the block at `column` and `row` on.
#[inline(always)]
fn strip_from<'r>(
    idct: &ScaledIdctLayout,
    rows: &'r mut PlaneRows<'_>,
    column: usize,
    row: usize,
) -> Option<&'r mut [u8]> {
    let k = idct.scale.k();
    rows.samples.get_mut(row * k * rows.stride + column * k..)
}

/// Stores the blocks of one row of MCUs.
pub(super) struct StoreSink<'t> {
    pub(super) idcts: &'t [ScaledIdctLayout],
    pub(super) stores: &'t mut [Store],
    /// The frame index of each component of the scan, and its blocks of an MCU downwards.
    pub(super) components: &'t [(usize, usize)],
    pub(super) mcu_row: usize,
}

impl Sink for StoreSink<'_> {
    #[inline(always)]
    fn block<K: Kernels>(
        &mut self,
        _kernels: K,
        place: BlockPlace,
        dc: i16,
        ac: &mut CoefficientBlock,
        last: BlockEnd,
    ) {
        let Some(&(component, v)) = self.components.get(place.component) else { return };
        let (Some(store), Some(idct)) = (self.stores.get_mut(component), self.idcts.get(component)) else {
            return;
        };
        let at = (self.mcu_row * v + place.row) * store.columns + place.column;
        store.save(at, dc, (!last.is_flat()).then_some(&*ac));
        ac.clear(idct.scale);
    }
}
