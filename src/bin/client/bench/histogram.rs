//! `LatencyHistogram`: how often each latency occurred, with a relative error below one in a hundred.

use std::time::Duration;

/// Steps in which each power of two is divided.
const STEPS: u64 = 128;

/// Counts of durations in buckets whose width grows with the duration, as in HdrHistogram.
#[derive(Debug, Clone, Default)]
pub(crate) struct LatencyHistogram {
    /// By bucket; grown as needed.
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

impl LatencyHistogram {
    /// Counts one duration, to the microsecond.
    pub(crate) fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(micros);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
        self.sum += u128::from(micros);
        self.max = self.max.max(micros);
    }

    /// Adds all that another one has counted.
    pub(crate) fn add(&mut self, other: &LatencyHistogram) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The longest, exactly.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_micros(self.max)
    }

    pub(crate) fn mean(&self) -> Duration {
        let mean = self.sum.checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_micros(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The duration that `percent` of all do not exceed; zero when nothing was counted.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let rank = ((percent / 100.0 * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(highest_in(bucket).min(self.max));
            }
        }
        Duration::ZERO
    }
}

/// Exact below two times [`STEPS`], then by the leading eight bits.
fn bucket(micros: u64) -> usize {
    let shift = u64::from(micros.checked_ilog2().unwrap_or(0)).saturating_sub(STEPS.ilog2().into());
    (shift * STEPS + (micros >> shift)) as usize
}

/// The largest number that [`bucket`] puts there.
fn highest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    let leading = u128::from(bucket - shift * STEPS) + 1;
    u64::try_from((leading << shift) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_lies_in_its_bucket_and_buckets_are_narrow() {
        for micros in (0..100_000).chain((1..40).map(|bit| (1u64 << bit) + 1)) {
            let highest = highest_in(bucket(micros));
            assert!(highest >= micros && highest - micros <= micros / 100, "{micros} up to {highest}");
        }
        for micros in 1..100_000 {
            let (before, here) = (bucket(micros - 1), bucket(micros));
            assert!(here == before || here == before + 1, "a bucket is left out at {micros}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut histogram = LatencyHistogram::default();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros * 100));
        }
        for (percent, want) in
            [(50.0, 50_000), (90.0, 90_000), (99.0, 99_000), (99.9, 99_900), (100.0, 100_000)]
        {
            let found = histogram.percentile(percent).as_micros() as f64;
            assert!((found / f64::from(want) - 1.0).abs() < 0.01, "p{percent} is {found}");
        }
        assert_eq!(histogram.mean(), Duration::from_micros(50_050));
        let mut twice = histogram.clone();
        twice.add(&histogram);
        assert_eq!((twice.count(), twice.percentile(50.0)), (2000, histogram.percentile(50.0)));
        assert_eq!(LatencyHistogram::default().percentile(99.0), Duration::ZERO);
    }
}
