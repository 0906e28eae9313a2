//! `Share`: what of a scan's data one worker decodes.

use crate::codec::jpeg::decode::restart::Restarts;
use crate::codec::jpeg::marker::{Marker, find_any_marker};

/// What one worker decodes of a scan. Offsets are those of the file.
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
    /// Blocks of an MCU.
    pub(super) blocks: usize,
}

/// What making samples of a block, and of these the result, takes, in bits that could be decoded meanwhile: 32 for W2, 45 for
/// W3 (docs/benchmarks.md).
const BITS: usize = 38;

/// Which first share, in hundredths of the others, keeps all workers busy for as long when all decode coefficients.
pub(super) const EVEN: usize = 100;

impl Data<'_> {
    /// The same when the first worker makes samples, too, see [`Front`](super::front::Front).
    pub(super) fn front(&self) -> usize {
        let bits = self.len() * 8 / (self.blocks * self.mcus).max(1);
        (100 * bits / (bits + BITS)).max(1)
    }

    fn len(&self) -> usize {
        self.input.len() - self.start
    }

    /// Where share `index` of `shares` begins, if the first one has `front` hundredths of the others.
    fn cut(&self, index: usize, shares: usize, front: usize) -> usize {
        let Some(others) = index.checked_sub(1) else { return self.start };
        let (before, all) = (front + 100 * others, front + 100 * (shares - 1));
        self.start + (self.len() as u64 * before as u64 / all as u64) as usize
    }

    /// Cuts the data into at most `shares` shares, at restart markers where there are such. `None` if one of these, up to
    /// the last cut, is missing or out of order: then which MCU a marker stands for is only known to who decodes from the
    /// start.
    pub(super) fn shares(&self, shares: usize, front: usize) -> Option<Vec<Share>> {
        if self.interval > 0 {
            return self.at_restarts(shares, front);
        }
        let starts: Vec<usize> = (0..shares).map(|i| self.unstuffed(self.cut(i, shares, front))).collect();
        let ends = starts.iter().skip(1).copied().chain([self.input.len()]);
        Some(starts.iter().zip(ends).map(|(&start, end)| Share::Bytes { start, end }).collect())
    }

    /// An offset about `at` at which no stuffed byte is cut.
    fn unstuffed(&self, at: usize) -> usize {
        let before = self.input[..at].iter().rev().take_while(|&&byte| byte == 0xFF).count();
        (at - before).max(self.start)
    }

    fn at_restarts(&self, shares: usize, front: usize) -> Option<Vec<Share>> {
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
            if at >= self.cut(cuts.len(), shares, front) {
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
        let data = Data { input: &input, start: 0, interval: 100, mcus: 1040, blocks: 6 };
        let starts =
            |front| -> Vec<_> { data.shares(3, front).unwrap().iter().map(|share| share.start()).collect() };
        assert_eq!((starts(EVEN), starts(50)), (vec![0, 34, 58], vec![0, 18, 50]));
        let shares = data.shares(3, EVEN).unwrap();
        assert_eq!(shares[1], Share::Mcus { start: 34, first: 400, count: 300, last: false });
        assert_eq!(shares[2], Share::Mcus { start: 58, first: 700, count: 340, last: true });
        let short = Data { mcus: 350, ..data };
        assert_eq!(short.shares(3, EVEN).unwrap().len(), 1, "the picture ends before the first cut");
        let cut = Data { input: &input[..8], ..data };
        assert_eq!(cut.shares(3, EVEN), None, "no marker at all");
        input[17] = 0xD3;
        let data = Data { input: &input, start: 0, interval: 100, mcus: 1040, blocks: 6 };
        assert_eq!(data.shares(3, EVEN), None, "a marker out of order");
    }

    #[test]
    fn who_makes_samples_too_has_the_smaller_share_the_less_data_a_block_has() {
        let input = vec![0; 100_000];
        let data = Data { input: &input, start: 400, interval: 0, mcus: 1000, blocks: 6 };
        let sparse = Data { blocks: 60, ..data };
        let first = |data: Data<'_>| match data.shares(2, data.front()).unwrap()[0] {
            Share::Bytes { start: 400, end } => end,
            other => panic!("{other:?}"),
        };
        let even = match data.shares(2, EVEN).unwrap()[1] {
            Share::Bytes { start, end: 100_000 } => start,
            other => panic!("{other:?}"),
        };
        assert_eq!(even, 50_200);
        assert!(first(sparse) < first(data) && first(data) < even, "{} {}", first(sparse), first(data));
    }
}
