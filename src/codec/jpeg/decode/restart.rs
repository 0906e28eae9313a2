//! `RestartCounter`: counts MCUs between restart markers (T.81 B.2.4.4, E.2.4).

use super::Flaws;
use super::kernels::Kernels;
use super::window::{Restart, ScanReader};

/// Counts MCUs between restart markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RestartCounter {
    /// MCUs between two markers; 0 for no markers.
    interval: u32,
    /// MCUs until the next marker.
    left: u32,
    /// Number of the next marker.
    number: u8,
}

impl RestartCounter {
    pub(super) fn new(interval: u16) -> RestartCounter {
        RestartCounter { interval: interval.into(), left: interval.into(), number: 0 }
    }

    /// Works like [`RestartCounter::new`], behind `passed` markers.
    pub(super) fn behind(interval: u16, passed: usize) -> RestartCounter {
        RestartCounter { number: (passed & 7) as u8, ..RestartCounter::new(interval) }
    }

    /// Returns true if the scan has restart markers.
    #[inline(always)]
    pub(super) fn is_used(&self) -> bool {
        self.interval != 0
    }

    /// Counts one MCU. Returns true if a marker must be passed before it.
    #[inline(always)]
    pub(super) fn is_due(&mut self) -> bool {
        if self.interval == 0 {
            return false;
        }
        let due = self.left == 0;
        self.left = if due { self.interval } else { self.left } - 1;
        due
    }

    /// Passes the marker.
    #[cold]
    #[inline(never)]
    pub(super) fn restart<K: Kernels>(&mut self, reader: &mut ScanReader<'_>, flaws: &mut Flaws, kernels: K) {
        if reader.is_overdrawn(&reader.bits) {
            flaws.data_ended(reader);
        }
        flaws.damaged |= reader.restart(self.number, kernels) == Restart::Resynchronised;
        self.number = (self.number + 1) & 7;
    }
}
