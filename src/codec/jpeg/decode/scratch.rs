//! `DecodeScratch`: memory that a worker reuses from picture to picture.

use super::parallel::SegmentMemory;
use super::store::Store;
use super::tables::TableCache;
use super::window::WindowBytes;

/// Memory that a worker reuses from picture to picture: lookup tables by content, the input window, and
/// coefficients. Reuse makes small pictures cheap, and spares large ones page faults.
#[derive(Debug, Default)]
pub struct DecodeScratch {
    pub(super) tables: TableCache,
    pub(super) window: Box<WindowBytes>,
    pub(super) stores: [Store; 4],
    pub(super) segments: Vec<SegmentMemory>,
}

impl DecodeScratch {
    /// Bytes held for coefficients. All else is small and does not grow with the picture.
    pub fn bytes(&self) -> usize {
        let stored: usize = self.stores.iter().map(Store::bytes).sum();
        let shared: usize = self.segments.iter().map(SegmentMemory::bytes).sum();
        stored + shared
    }

    /// Frees the coefficient memory if it exceeds `max_bytes`. Keeps the tables.
    pub fn shrink_to(&mut self, max_bytes: usize) {
        if self.bytes() > max_bytes {
            self.stores = Default::default();
            self.segments = Vec::new();
        }
    }
}
