//! `Scratch`: what a worker keeps from one picture to the next.

use super::parallel::PartMemory;
use super::store::Store;
use super::tables::TableCache;
use super::window::WindowBytes;

/// What a worker keeps from one picture to the next, so that small pictures cost little and large ones no page
/// faults: lookup tables by content, the input window, coefficient memory.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) tables: TableCache,
    pub(super) window: Box<WindowBytes>,
    pub(super) stores: [Store; 4],
    pub(super) parts: Vec<PartMemory>,
}

impl Scratch {
    /// Bytes held for coefficients. Everything else is small and does not grow with the picture.
    pub fn bytes(&self) -> usize {
        let stored: usize = self.stores.iter().map(Store::bytes).sum();
        let shared: usize = self.parts.iter().map(PartMemory::bytes).sum();
        stored + shared
    }

    /// Gives the coefficient memory back if it is more than `max_bytes`. The tables stay.
    pub fn shrink_to(&mut self, max_bytes: usize) {
        if self.bytes() > max_bytes {
            self.stores = Default::default();
            self.parts = Vec::new();
        }
    }
}
