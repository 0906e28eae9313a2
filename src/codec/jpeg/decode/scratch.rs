//! `Scratch`: what a worker keeps from one picture to the next.

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
}

impl Scratch {
    /// Gives the coefficient memory back if it is more than `max_bytes`.
    pub fn shrink(&mut self, max_bytes: usize) {
        if self.stores.iter().map(Store::bytes).sum::<usize>() > max_bytes {
            self.stores = Default::default();
        }
    }
}
