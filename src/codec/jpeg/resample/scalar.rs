//! The two filters in plain Rust: the reference that the SIMD twins equal bit for bit.

use super::filter::{GROUP, RowGroup};
use super::weights::{TapPair, TapWeights, WEIGHT_BITS};

/// Fractional bits of the samples between the two filters.
const BETWEEN_BITS: u32 = 6;

/// See [`super::filter::down`].
pub(super) fn down(samples: &[u8], rows: &[usize], pairs: &[TapPair], out: &mut [i16]) {
    const SHIFT: u32 = WEIGHT_BITS - BETWEEN_BITS;
    for (x, sample) in out.iter_mut().enumerate() {
        let sum: i32 = rows
            .chunks_exact(2)
            .zip(pairs)
            .map(|(rows, pair)| {
                let [a, b] = pair.taps();
                a * i32::from(samples[rows[0] + x]) + b * i32::from(samples[rows[1] + x])
            })
            .sum();
        *sample = ((sum + (1 << (SHIFT - 1))) >> SHIFT).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    }
}

/// See [`super::filter::across`].
pub(super) fn across(group: &RowGroup, weights: &TapWeights, out: &mut [&mut [u8]; GROUP]) {
    const SHIFT: u32 = WEIGHT_BITS + BETWEEN_BITS;
    for (row, out) in group.rows().zip(out) {
        for (o, sample) in out.iter_mut().take(weights.outputs()).enumerate() {
            let start = weights.span(o).start as usize - group.first;
            let window = row.get(start..).unwrap_or_default();
            let sum: i32 = window
                .chunks(2)
                .zip(weights.pairs(o))
                .map(|(pair, taps)| {
                    let [a, b] = taps.taps();
                    a * i32::from(pair[0]) + pair.get(1).map_or(0, |&second| b * i32::from(second))
                })
                .sum();
            *sample = ((sum + (1 << (SHIFT - 1))) >> SHIFT).clamp(0, 255) as u8;
        }
    }
}
