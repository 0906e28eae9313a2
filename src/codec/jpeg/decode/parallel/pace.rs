//! `Pace`: how fast a worker is, as far as it has come.

use std::time::{Duration, Instant};

/// What a block takes beside its bits, in bytes: measured, on photographs of 60 to 110 bytes an MCU.
const BLOCK: usize = 6;

/// How much data has been decoded in what time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// Bytes, and [`BLOCK`] for each block.
    work: usize,
    time: Duration,
}

impl Pace {
    /// Counts `blocks` blocks of `bytes` bytes that were decoded since `started`.
    pub(super) fn count(&mut self, bytes: usize, blocks: usize, started: Instant) {
        *self = self.with(Pace { work: bytes + BLOCK * blocks, time: started.elapsed() });
    }

    /// Both together: the mean of two workers.
    pub(super) fn with(self, other: Pace) -> Pace {
        Pace { work: self.work + other.work, time: self.time + other.time }
    }

    /// How much of some work this worker does while `other` does the rest, from 0.25 to 0.75: half of it where too little is
    /// known.
    pub(super) fn share_beside(self, other: Pace) -> f64 {
        let share = 1.0 / (1.0 + other.rate() / self.rate());
        if share.is_nan() { 0.5 } else { share.clamp(0.25, 0.75) }
    }

    /// Work in a second.
    fn rate(self) -> f64 {
        self.work as f64 / self.time.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faster_worker_gets_more_of_the_work() {
        let pace = |work, ms| Pace { work, time: Duration::from_millis(ms) };
        assert_eq!(pace(100, 10).share_beside(pace(50, 5)), 0.5);
        assert_eq!(pace(200, 10).share_beside(pace(100, 10)), 2.0 / 3.0);
        assert_eq!(pace(100, 10).share_beside(pace(900, 10)), 0.25);
        assert_eq!(pace(100, 10).share_beside(Pace::default()), 0.5);
        assert_eq!(Pace::default().share_beside(pace(100, 10)), 0.5);
        assert_eq!(pace(100, 10).with(pace(300, 10)).rate(), 20_000.0);
    }
}
