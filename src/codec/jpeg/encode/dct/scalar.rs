//! The forward transform in plain Rust: the reference that the SIMD twins equal bit for bit.

use super::{COS, DctBlock, FIRST_SHIFT, Reciprocals, nonzero};

/// See [`super::forward`], which checks the lengths.
pub(super) fn forward(
    samples: &[u8],
    stride: usize,
    reciprocals: &Reciprocals,
    blocks: &mut [DctBlock],
    masks: &mut [u64],
) {
    for (i, (block, mask)) in blocks.iter_mut().zip(masks).enumerate() {
        let sample = |x: usize, y: usize| i32::from(samples[y * stride + 8 * i + x]) - 128;
        // Result of the first pass: [x][vertical frequency].
        let mut halfway = [[0_i32; 8]; 8];
        for (x, column) in halfway.iter_mut().enumerate() {
            let sums = dct(std::array::from_fn(|y| sample(x, y)));
            *column = sums.map(|sum| (sum + (1 << (FIRST_SHIFT - 1))) >> FIRST_SHIFT);
        }
        for v in 0..8 {
            let sums = dct(halfway.map(|column| column[v]));
            for (u, sum) in sums.into_iter().enumerate() {
                let sum = sum + sum.signum() * reciprocals.away;
                let quantised = (sum as f32 * reciprocals.factors[8 * u + v]).round_ties_even();
                block.0[8 * u + v] = quantised as i16;
            }
        }
        *mask = nonzero(block);
    }
}

/// 8-point DCT with the cosines of [`COS`], not rounded.
fn dct(x: [i32; 8]) -> [i32; 8] {
    let [_, c1, c2, c3, c4, c5, c6, c7] = COS.map(i32::from);
    let s: [i32; 4] = std::array::from_fn(|i| x[i] + x[7 - i]);
    let d: [i32; 4] = std::array::from_fn(|i| x[i] - x[7 - i]);
    let dot = |a: [i32; 4], b: [i32; 4]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    [
        dot(s, [c4, c4, c4, c4]),
        dot(d, [c1, c3, c5, c7]),
        dot(s, [c2, c6, -c6, -c2]),
        dot(d, [c3, -c7, -c1, -c5]),
        dot(s, [c4, -c4, -c4, c4]),
        dot(d, [c5, -c1, c7, c3]),
        dot(s, [c6, -c2, c2, -c6]),
        dot(d, [c7, -c5, c3, -c1]),
    ]
}
