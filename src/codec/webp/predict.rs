//! Intra prediction from unfiltered samples (RFC 6386 section 12).
//!
//! A plane has a row above and a column to the left of each block, which hold 127 and 129 at the edges of the picture.

use super::modes::{BlockMode, SubblockMode};

/// Which neighbours of a block lie in the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neighbours {
    pub(super) above: bool,
    pub(super) left: bool,
}

/// Predicts the `N` x `N` block at `at` of `plane`, whose rows are `stride` apart.
#[inline(always)]
pub(super) fn block<const N: usize>(
    plane: &mut [u8],
    at: usize,
    stride: usize,
    mode: BlockMode,
    neighbours: Neighbours,
) {
    let above: [u8; N] = *plane[at - stride..].first_chunk().unwrap_or(&[0; N]);
    match mode {
        BlockMode::Dc => {
            let mut sum = 0;
            if neighbours.above {
                sum += above.iter().map(|sample| u32::from(*sample)).sum::<u32>();
            }
            if neighbours.left {
                sum += (0..N).map(|y| u32::from(plane[at + y * stride - 1])).sum::<u32>();
            }
            let count = N as u32 * (u32::from(neighbours.above) + u32::from(neighbours.left));
            // N is a power of two, so that the division is a shift.
            let mean = if count == 0 { 128 } else { (sum + count / 2) >> count.trailing_zeros() };
            (0..N).for_each(|y| plane[at + y * stride..][..N].fill(mean as u8));
        }
        BlockMode::Vertical => (0..N).for_each(|y| plane[at + y * stride..][..N].copy_from_slice(&above)),
        BlockMode::Horizontal => {
            for y in 0..N {
                let left = plane[at + y * stride - 1];
                plane[at + y * stride..][..N].fill(left);
            }
        }
        BlockMode::TrueMotion => {
            let corner = i16::from(plane[at - stride - 1]);
            let slope = above.map(|sample| i16::from(sample) - corner);
            for y in 0..N {
                let left = i16::from(plane[at + y * stride - 1]);
                let row = &mut plane[at + y * stride..][..N];
                for (sample, slope) in row.iter_mut().zip(slope) {
                    *sample = (slope + left).clamp(0, 255) as u8;
                }
            }
        }
    }
}

/// Predicts the 4x4 block at `at`; `above_right` are the four samples behind those above it.
#[inline(always)]
pub(super) fn subblock(plane: &mut [u8], at: usize, stride: usize, mode: SubblockMode, above_right: [u8; 4]) {
    // The edge, from the lowest sample on the left by the corner (index 4) to the last above right.
    let mut edge = [0; 13];
    for y in 0..4 {
        edge[3 - y] = plane[at + y * stride - 1];
    }
    edge[4..9].copy_from_slice(&plane[at - stride - 1..][..5]);
    edge[9..].copy_from_slice(&above_right);
    let e = &edge;
    let mean2 = |i: usize| ((u16::from(e[i]) + u16::from(e[i + 1]) + 1) >> 1) as u8;
    let weighted = |a: u8, b: u8, c: u8| ((u16::from(a) + 2 * u16::from(b) + u16::from(c) + 2) >> 2) as u8;
    let mean3 = |i: usize| weighted(e[i], e[i + 1], e[i + 2]);
    let rows: [[u8; 4]; 4] = match mode {
        SubblockMode::Dc => {
            let sum: u16 = e[..4].iter().chain(&e[5..9]).map(|sample| u16::from(*sample)).sum();
            [[((sum + 4) >> 3) as u8; 4]; 4]
        }
        SubblockMode::TrueMotion => std::array::from_fn(|y| {
            let left = i16::from(e[3 - y]) - i16::from(e[4]);
            std::array::from_fn(|x| (i16::from(e[5 + x]) + left).clamp(0, 255) as u8)
        }),
        SubblockMode::Vertical => [std::array::from_fn(|x| mean3(4 + x)); 4],
        SubblockMode::Horizontal => {
            [[mean3(2); 4], [mean3(1); 4], [mean3(0); 4], [weighted(e[1], e[0], e[0]); 4]]
        }
        SubblockMode::DownLeft => {
            let line: [u8; 7] =
                std::array::from_fn(|i| if i < 6 { mean3(5 + i) } else { weighted(e[11], e[12], e[12]) });
            std::array::from_fn(|y| std::array::from_fn(|x| line[x + y]))
        }
        SubblockMode::DownRight => {
            let line: [u8; 7] = std::array::from_fn(mean3);
            std::array::from_fn(|y| std::array::from_fn(|x| line[3 + x - y]))
        }
        SubblockMode::VerticalRight => {
            let (even, odd): ([u8; 4], [u8; 4]) =
                (std::array::from_fn(|x| mean2(4 + x)), std::array::from_fn(|x| mean3(3 + x)));
            let (low, lower) = (mean3(2), mean3(1));
            [even, odd, [low, even[0], even[1], even[2]], [lower, odd[0], odd[1], odd[2]]]
        }
        SubblockMode::VerticalLeft => {
            let (even, odd): ([u8; 4], [u8; 4]) =
                (std::array::from_fn(|x| mean2(5 + x)), std::array::from_fn(|x| mean3(5 + x)));
            [even, odd, [even[1], even[2], even[3], mean3(9)], [odd[1], odd[2], odd[3], mean3(10)]]
        }
        SubblockMode::HorizontalDown => {
            let m: [u8; 4] = std::array::from_fn(mean2);
            let n: [u8; 6] = std::array::from_fn(mean3);
            [
                [m[3], n[3], n[4], n[5]],
                [m[2], n[2], m[3], n[3]],
                [m[1], n[1], m[2], n[2]],
                [m[0], n[0], m[1], n[1]],
            ]
        }
        SubblockMode::HorizontalUp => {
            let last = e[0];
            let end = weighted(e[1], last, last);
            [
                [mean2(2), mean3(1), mean2(1), mean3(0)],
                [mean2(1), mean3(0), mean2(0), end],
                [mean2(0), end, last, last],
                [last; 4],
            ]
        }
    };
    for (y, row) in rows.iter().enumerate() {
        plane[at + y * stride..][..4].copy_from_slice(row);
    }
}
