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
    /// Gives the coefficient memory back if it is more than `max_bytes`.
    pub fn shrink(&mut self, max_bytes: usize) {
        let stored: usize = self.stores.iter().map(Store::bytes).sum();
        let shared: usize = self.parts.iter().map(PartMemory::bytes).sum();
        if stored + shared > max_bytes {
            self.stores = Default::default();
            self.parts = Vec::new();
        }
    }
}
