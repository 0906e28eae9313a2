//! `Segment`: a contiguous part of the data of a scan, decoded by one worker.

use crate::codec::jpeg::decode::restart::RestartCounter;
use crate::codec::jpeg::marker::{Marker, find_any_marker};

/// A contiguous part of the data of a scan. Offsets are those of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    /// From `start`, anywhere in the data, to the first MCU behind `end`.
    Bytes { start: usize, end: usize },
    /// From `start`, behind a restart marker or the scan header: `count` MCUs from MCU `first` on.
    /// A restart marker ends it unless it is the `last`.
    Mcus { start: usize, first: usize, count: usize, last: bool },
}

impl Segment {
    /// Offset of the first byte.
    pub(super) fn start(self) -> usize {
        match self {
            Segment::Bytes { start, .. } | Segment::Mcus { start, .. } => start,
        }
    }

    /// Offset of the end of its data in `input`.
    pub(super) fn end(self, input: &[u8]) -> usize {
        match self {
            Segment::Bytes { end, .. } => end,
            Segment::Mcus { .. } => input.len(),
        }
    }

    /// Number of the first MCU; 0 where it is not known yet.
    pub(super) fn place(self) -> usize {
        match self {
            Segment::Bytes { .. } => 0,
            Segment::Mcus { first, .. } => first,
        }
    }

    /// Counter of the following restart markers, `interval` MCUs apart.
    pub(super) fn restarts(self, interval: u16) -> RestartCounter {
        RestartCounter::behind(interval, self.place() / usize::from(interval).max(1))
    }
}

/// The data of a scan, to be cut into segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScanData<'a> {
    pub(super) input: &'a [u8],
    /// Offset of the first byte.
    pub(super) start: usize,
    /// MCUs between restart markers; 0 for no markers.
    pub(super) interval: u16,
    /// MCUs of the picture.
    pub(super) mcus: usize,
}

impl ScanData<'_> {
    fn len(&self) -> usize {
        self.input.len() - self.start
    }

    /// Offset of the start of segment `index` of `count`.
    fn cut(&self, index: usize, count: usize) -> usize {
        self.start + self.len() * index / count
    }

    /// Cuts the data into at most `count` segments, at restart markers if there are any. Returns `None` if a
    /// marker up to the last cut is missing or out of order: its MCU number is then unknown without decoding.
    pub(super) fn segments(&self, count: usize) -> Option<Vec<Segment>> {
        if self.interval > 0 {
            return self.at_restarts(count);
        }
        let starts: Vec<usize> = (0..count).map(|i| self.unstuffed(self.cut(i, count))).collect();
        let ends = starts.iter().skip(1).copied().chain([self.input.len()]);
        Some(starts.iter().zip(ends).map(|(&start, end)| Segment::Bytes { start, end }).collect())
    }

    /// Moves offset `at` to the front of a stuffed byte that it would cut.
    fn unstuffed(&self, at: usize) -> usize {
        let before = self.input[..at].iter().rev().take_while(|&&byte| byte == 0xFF).count();
        (at - before).max(self.start)
    }

    fn at_restarts(&self, count: usize) -> Option<Vec<Segment>> {
        let mut cuts = vec![(self.start, 0)];
        let (mut at, mut passed) = (self.start, 0);
        while cuts.len() < count {
            at = find_any_marker(self.input, at)?;
            let number = Marker(*self.input.get(at + 1)?).restart_number()?;
            if usize::from(number) != passed & 7 {
                return None;
            }
            (at, passed) = (at + 2, passed + 1);
            if passed * usize::from(self.interval) >= self.mcus {
                break;
            }
            if at >= self.cut(cuts.len(), count) {
                cuts.push((at, passed * usize::from(self.interval)));
            }
        }
        let ends = cuts.iter().skip(1).map(|&(_, mcu)| mcu).chain([self.mcus]);
        let segment = |(&(start, first), end)| Segment::Mcus {
            start,
            first,
            count: end - first,
            last: end == self.mcus,
        };
        Some(cuts.iter().zip(ends).map(segment).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_between_restarts_know_their_mcus() {
        let mut input = vec![0xFF, 0x00];
        for i in 0..10 {
            input.extend([1, 2, 3, 4, 5, 6, 0xFF, 0xD0 | i & 7]);
        }
        let data = ScanData { input: &input, start: 0, interval: 100, mcus: 1040 };
        let segments = data.segments(3).unwrap();
        assert_eq!(segments.iter().map(|segment| segment.start()).collect::<Vec<_>>(), [0, 34, 58]);
        assert_eq!(segments[1], Segment::Mcus { start: 34, first: 400, count: 300, last: false });
        assert_eq!(segments[2], Segment::Mcus { start: 58, first: 700, count: 340, last: true });
        let short = ScanData { mcus: 350, ..data };
        assert_eq!(short.segments(3).unwrap().len(), 1, "the picture ends before the first cut");
        let cut = ScanData { input: &input[..8], ..data };
        assert_eq!(cut.segments(3), None, "no marker at all");
        input[17] = 0xD3;
        let data = ScanData { input: &input, start: 0, interval: 100, mcus: 1040 };
        assert_eq!(data.segments(3), None, "a marker out of order");
    }

    #[test]
    fn segments_without_restarts_cut_no_stuffed_byte() {
        let mut input = vec![0; 90_000];
        input[29_999..30_001].copy_from_slice(&[0xFF, 0x00]);
        let data = ScanData { input: &input, start: 0, interval: 0, mcus: 1000 };
        let bytes = |start, end| Segment::Bytes { start, end };
        assert_eq!(
            data.segments(3).unwrap(),
            [bytes(0, 29_999), bytes(29_999, 60_000), bytes(60_000, 90_000)]
        );
    }
}
