//! `Backoff`: how often to try again, and how long to wait before each try.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Longest pause between two tries.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A number of retries whose pauses double, with jitter so that many clients do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Tries after the first.
    pub retries: u32,
    /// Pause before the first of them.
    pub delay: Duration,
}

impl Backoff {
    /// No second try.
    pub fn none() -> Backoff {
        Backoff { retries: 0, delay: Duration::ZERO }
    }

    /// The pauses: each half fixed, half random, doubling up to 30 s.
    pub fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let Backoff { retries, delay } = *self;
        (0..retries).map(move |n| {
            let pause = delay.saturating_mul(1 << n.min(16)).min(LONGEST_PAUSE);
            // A fresh RandomState is the standard library's only source of randomness.
            let random = RandomState::new().hash_one(n) as f64 / u64::MAX as f64;
            pause / 2 + (pause / 2).mul_f64(random)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_keep_within_half_to_whole() {
        let backoff = Backoff { retries: 8, delay: Duration::from_secs(1) };
        let pauses: Vec<_> = backoff.pauses().collect();
        assert_eq!(pauses.len(), 8);
        for (n, pause) in pauses.into_iter().enumerate() {
            let whole = Duration::from_secs(1 << n).min(LONGEST_PAUSE);
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
        }
    }

    #[test]
    fn no_retries_means_no_pauses() {
        assert_eq!(Backoff::none().pauses().count(), 0);
    }
}
