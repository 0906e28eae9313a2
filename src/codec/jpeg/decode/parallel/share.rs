//! `Share`: what of a scan's data is decoded at a stretch.

use crate::codec::jpeg::decode::restart::Restarts;
use crate::codec::jpeg::marker::{Marker, find_any_marker};

/// A stretch of a scan. Offsets are those of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// From `start`, which is anywhere in the data, to the first MCU behind `end`.
    Bytes { start: usize, end: usize },
    /// From `start`, behind a restart marker or the header of the scan, `count` MCUs from MCU `first` on.
    /// Unless it is the `last`, a restart marker ends it.
    Mcus { start: usize, first: usize, count: usize, last: bool },
}

impl Share {
    /// Offset of the first byte.
    pub(super) fn start(self) -> usize {
        match self {
            Share::Bytes { start, .. } | Share::Mcus { start, .. } => start,
        }
    }

    /// Offset of the end of the data that counts as this share's.
    pub(super) fn end(self, input: &[u8]) -> usize {
        match self {
            Share::Bytes { end, .. } => end,
            Share::Mcus { .. } => input.len(),
        }
    }

    /// Number of the first MCU, as far as it is known.
    pub(super) fn place(self) -> usize {
        match self {
            Share::Bytes { .. } => 0,
            Share::Mcus { first, .. } => first,
        }
    }

    /// This one with the `next`.
    pub(super) fn with(self, next: Share) -> Share {
        match (self, next) {
            (Share::Bytes { start, .. }, Share::Bytes { end, .. }) => Share::Bytes { start, end },
            (Share::Mcus { start, first, count, .. }, Share::Mcus { count: more, last, .. }) => {
                Share::Mcus { start, first, count: count + more, last }
            }
            _ => self,
        }
    }

    /// The restart markers that are to come, `interval` MCUs apart.
    pub(super) fn restarts(self, interval: u16) -> Restarts {
        Restarts::behind(interval, self.place() / usize::from(interval).max(1))
    }
}

/// The data of a scan, to be cut into shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data<'a> {
    pub(super) input: &'a [u8],
    /// Offset of the first byte.
    pub(super) start: usize,
    /// MCUs between restart markers; 0 for no markers.
    pub(super) interval: u16,
    /// MCUs of the picture.
    pub(super) mcus: usize,
    pub(super) workers: usize,
}

impl Data<'_> {
    fn len(&self) -> usize {
        self.input.len() - self.start
    }

    /// Where share `index` of `shares` begins. Two workers meet somewhere about the middle; whoever is there first waits for the
    /// other one to be done with its share, so that shares are half as large there and twice as large at both ends.
    fn cut(&self, index: usize, shares: usize) -> usize {
        let even = index as f64 / shares as f64;
        let off = 2.0 * even - 1.0;
        let at = if self.workers == 2 { 0.5 + (off + off.powi(3)) / 4.0 } else { even };
        self.start + (self.len() as f64 * at) as usize
    }

    /// Cuts the data into at most `shares` shares, at restart markers where there are such. `None` if one of these, up to
    /// the last cut, is missing or out of order: then which MCU a marker stands for is only known to who decodes from the
    /// start.
    pub(super) fn shares(&self, shares: usize) -> Option<Vec<Share>> {
        if self.interval > 0 {
            return self.at_restarts(shares);
        }
        let starts: Vec<usize> = (0..shares).map(|i| self.unstuffed(self.cut(i, shares))).collect();
        let ends = starts.iter().skip(1).copied().chain([self.input.len()]);
        Some(starts.iter().zip(ends).map(|(&start, end)| Share::Bytes { start, end }).collect())
    }

    /// An offset about `at` at which no stuffed byte is cut.
    fn unstuffed(&self, at: usize) -> usize {
        let before = self.input[..at].iter().rev().take_while(|&&byte| byte == 0xFF).count();
        (at - before).max(self.start)
    }

    fn at_restarts(&self, shares: usize) -> Option<Vec<Share>> {
        let mut cuts = vec![(self.start, 0)];
        let (mut at, mut passed) = (self.start, 0);
        while cuts.len() < shares {
            at = find_any_marker(self.input, at)?;
            let number = Marker(*self.input.get(at + 1)?).restart_number()?;
            if usize::from(number) != passed & 7 {
                return None;
            }
            (at, passed) = (at + 2, passed + 1);
            if passed * usize::from(self.interval) >= self.mcus {
                break;
            }
            if at >= self.cut(cuts.len(), shares) {
                cuts.push((at, passed * usize::from(self.interval)));
            }
        }
        let ends = cuts.iter().skip(1).map(|&(_, mcu)| mcu).chain([self.mcus]);
        let share =
            |(&(start, first), end)| Share::Mcus { start, first, count: end - first, last: end == self.mcus };
        Some(cuts.iter().zip(ends).map(share).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_between_restarts_know_their_mcus() {
        let mut input = vec![0xFF, 0x00];
        for i in 0..10 {
            input.extend([1, 2, 3, 4, 5, 6, 0xFF, 0xD0 | i & 7]);
        }
        let data = Data { input: &input, start: 0, interval: 100, mcus: 1040, workers: 3 };
        let shares = data.shares(3).unwrap();
        assert_eq!(shares.iter().map(|share| share.start()).collect::<Vec<_>>(), [0, 34, 58]);
        assert_eq!(shares[1], Share::Mcus { start: 34, first: 400, count: 300, last: false });
        assert_eq!(shares[2], Share::Mcus { start: 58, first: 700, count: 340, last: true });
        assert_eq!(shares[1].with(shares[2]), Share::Mcus { start: 34, first: 400, count: 640, last: true });
        let short = Data { mcus: 350, ..data };
        assert_eq!(short.shares(3).unwrap().len(), 1, "the picture ends before the first cut");
        let cut = Data { input: &input[..8], ..data };
        assert_eq!(cut.shares(3), None, "no marker at all");
        input[17] = 0xD3;
        let data = Data { input: &input, start: 0, interval: 100, mcus: 1040, workers: 3 };
        assert_eq!(data.shares(3), None, "a marker out of order");
    }

    #[test]
    fn shares_without_restarts_cut_no_stuffed_byte_and_are_smaller_where_two_workers_meet() {
        let mut input = vec![0; 90_000];
        input[29_999..30_001].copy_from_slice(&[0xFF, 0x00]);
        let data = Data { input: &input, start: 0, interval: 0, mcus: 1000, workers: 3 };
        let shares = data.shares(3).unwrap();
        let bytes = |start, end| Share::Bytes { start, end };
        assert_eq!(shares, [bytes(0, 29_999), bytes(29_999, 60_000), bytes(60_000, 90_000)]);
        assert_eq!(shares[0].with(shares[1]), bytes(0, 60_000));
        let shares = Data { workers: 2, ..data }.shares(8).unwrap();
        let sizes: Vec<_> = shares.iter().map(|share| share.end(&input) - share.start()).collect();
        assert_eq!(sizes, [18_632, 12_305, 8_086, 5_977, 5_976, 8_086, 12_305, 18_633]);
    }
}
