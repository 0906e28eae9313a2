//! `Share`: what of a scan's data one worker decodes.

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
}

/// The first share in hundredths of the others: its worker has more to do, see [`Front`](super::front::Front).
const FRONT: usize = 83;

/// How many of `bytes` bytes come before share `index` of `shares`.
fn before(index: usize, shares: usize, bytes: usize) -> usize {
    let Some(others) = index.checked_sub(1) else { return 0 };
    (bytes as u64 * (FRONT + 100 * others) as u64 / (FRONT + 100 * (shares - 1)) as u64) as usize
}

/// Cuts the data from offset `data` of `input` on into shares that keep their workers busy for as long.
pub(super) fn of_bytes(input: &[u8], data: usize, shares: usize) -> Vec<Share> {
    let bytes = input.len() - data;
    let starts: Vec<usize> = (0..shares).map(|i| unstuffed(input, data, before(i, shares, bytes))).collect();
    let ends = starts.iter().skip(1).copied().chain([input.len()]);
    starts.iter().zip(ends).map(|(&start, end)| Share::Bytes { start, end }).collect()
}

/// An offset about `behind` behind `data` at which no stuffed byte is cut.
fn unstuffed(input: &[u8], data: usize, behind: usize) -> usize {
    let at = data + behind;
    let before = input[..at].iter().rev().take_while(|&&byte| byte == 0xFF).count();
    (at - before).max(data)
}

/// As [`of_bytes`], but at restart markers, and perhaps into fewer shares. Together they hold `total`
/// MCUs. `None` if a marker up to the last cut is missing or out of order: then which MCU a marker stands for is only
/// known to who decodes from the start.
pub(super) fn at_restarts(
    input: &[u8],
    data: usize,
    interval: usize,
    total: usize,
    shares: usize,
) -> Option<Vec<Share>> {
    let bytes = input.len() - data;
    let mut cuts = vec![(data, 0)];
    let (mut at, mut passed) = (data, 0);
    while cuts.len() < shares {
        at = find_any_marker(input, at)?;
        let number = Marker(*input.get(at + 1)?).restart_number()?;
        if usize::from(number) != passed & 7 {
            return None;
        }
        (at, passed) = (at + 2, passed + 1);
        if passed * interval >= total {
            break;
        }
        if at >= data + before(cuts.len(), shares, bytes) {
            cuts.push((at, passed * interval));
        }
    }
    let ends = cuts.iter().skip(1).map(|&(_, mcu)| mcu).chain([total]);
    let share = |(&(start, first), end)| Share::Mcus { start, first, count: end - first, last: end == total };
    Some(cuts.iter().zip(ends).map(share).collect())
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
        let shares = at_restarts(&input, 0, 100, 1040, 3).unwrap();
        let starts: Vec<_> = shares.iter().map(|share| share.start()).collect();
        assert_eq!(starts, [0, 26, 58]);
        assert_eq!(shares[1], Share::Mcus { start: 26, first: 300, count: 400, last: false });
        assert_eq!(shares[2], Share::Mcus { start: 58, first: 700, count: 340, last: true });
        assert_eq!(
            at_restarts(&input, 0, 100, 350, 3).unwrap().len(),
            1,
            "the picture ends before the first cut"
        );
        input[17] = 0xD3;
        assert_eq!(at_restarts(&input, 0, 100, 1040, 3), None, "a marker out of order");
        assert_eq!(at_restarts(&input[..8], 0, 100, 1040, 3), None, "no marker at all");
    }
}
