//! DC scans of progressive pictures (T.81 G.1.2.1).

use super::super::bits::BitBuffer;
use super::super::kernels::Kernels;
use super::super::store::Store;
use super::super::tables::DcTable;
use super::super::window::WindowBytes;
use super::ProgressiveScan;
use crate::limits::{Cancel, Stopped};
use std::sync::Arc;

/// State of one component of a DC scan.
#[derive(Debug)]
pub(in super::super) struct DcComponent {
    /// Its index in the frame.
    pub(in super::super) index: usize,
    /// Blocks of an MCU, across and down.
    pub(in super::super) h: usize,
    pub(in super::super) v: usize,
    /// Huffman table. None in a refinement, whose bits have no codes.
    pub(in super::super) table: Option<Arc<DcTable>>,
}

/// One block of the current MCU.
struct DcBlock<'a> {
    /// Number of its component in the scan, and index in the frame.
    number: usize,
    index: usize,
    table: Option<&'a DcTable>,
    /// Its number in the store.
    at: usize,
    /// Distance to the same block of the next MCU.
    step: usize,
}

impl DcBlock<'_> {
    #[inline(always)]
    fn dc<'s>(&self, stores: &'s mut [Store]) -> Option<&'s mut i16> {
        stores.get_mut(self.index)?.dc.get_mut(self.at)
    }
}

impl ProgressiveScan<'_> {
    /// Decodes a DC scan of `rows` x `columns` MCUs.
    #[inline(always)]
    pub(in super::super) fn decode_dc<K: Kernels>(
        &mut self,
        kernels: K,
        components: &[DcComponent],
        (columns, rows): (usize, usize),
        stores: &mut [Store],
        cancel: &Cancel,
    ) -> Result<(), Stopped> {
        let is_first = components.iter().all(|component| component.table.is_some());
        let mut predictions = [0_i32; 4];
        let mut bits = self.reader.bits;
        let mut blocks = Vec::with_capacity(10);
        for mcu_row in 0..rows {
            cancel.check()?;
            blocks.clear();
            for (number, component) in components.iter().enumerate() {
                let DcComponent { index, h, v, ref table } = *component;
                let start = |row| (mcu_row * v + row) * stores[index].columns;
                let all = (0..v).flat_map(|row| (start(row)..).take(h));
                let table = table.as_deref();
                blocks.extend(all.map(|at| DcBlock { number, index, table, at, step: h }));
            }
            for _ in 0..columns {
                if self.restarts.is_due() {
                    self.reader.bits = bits;
                    self.restarts.restart(&mut self.reader, &mut self.flaws, kernels);
                    bits = self.reader.bits;
                    predictions = [0; 4];
                }
                if self.reader.is_low(&bits) && !self.reader.more(&mut bits, kernels) {
                    self.flaws.data_ended(&self.reader);
                } else if is_first {
                    let damaged = &mut self.flaws.damaged;
                    let bytes = self.reader.bytes();
                    bits = first_mcu(bits, bytes, &blocks, stores, self.low, &mut predictions, damaged);
                } else {
                    bits.refill(self.reader.bytes());
                    for block in &blocks {
                        if let Some(dc) = block.dc(stores) {
                            *dc |= (bits.take(1) << self.low) as i16;
                        }
                    }
                }
                blocks.iter_mut().for_each(|block| block.at += block.step);
            }
        }
        self.finish(bits);
        Ok(())
    }
}

/// Decodes the differences of an MCU and adds them to the predictions. The bit buffer is passed by value, so
/// that it stays in registers.
#[inline(always)]
fn first_mcu(
    mut bits: BitBuffer,
    bytes: &WindowBytes,
    blocks: &[DcBlock<'_>],
    stores: &mut [Store],
    low: u8,
    predictions: &mut [i32; 4],
    damaged: &mut bool,
) -> BitBuffer {
    for block in blocks {
        let (Some(prediction), Some(table)) = (predictions.get_mut(block.number), block.table) else {
            continue;
        };
        bits.refill(bytes);
        let entry = table.entry(bits.buffer, damaged);
        *prediction = prediction.wrapping_add(entry.value(bits.buffer));
        bits.consume(entry.length());
        if let Some(dc) = block.dc(stores) {
            *dc = (*prediction << low) as i16;
        }
    }
    bits
}
