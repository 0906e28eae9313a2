//! `Scratch`: what a worker keeps from one picture to the next.

use super::tables::TableCache;
use super::window::WindowBytes;

/// What a worker keeps from one picture to the next, so that small pictures cost little and large ones no page
/// faults: lookup tables by content, the input window, coefficient memory.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) tables: TableCache,
    pub(super) window: WindowBytes,
}
