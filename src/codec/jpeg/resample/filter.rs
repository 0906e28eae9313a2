//! The two filters of a separable resize, and the dispatch to an instruction set.
//!
//! The column filter runs first: [`down`] mixes u8 rows into one row of i16 with 6 fractional bits.
//! [`across`] turns eight such rows, a [`RowGroup`], into eight rows of u8. With eight rows at a time, the
//! row filter works like the column filter: it transposes the group, and never sums within a register.

use super::scalar;
use super::weights::{TapPair, TapWeights};
use crate::limits::{OutOfMemory, try_vec};

#[cfg(target_arch = "x86_64")]
use super::avx2;
#[cfg(target_arch = "aarch64")]
use super::neon;
#[cfg(target_arch = "x86_64")]
use crate::codec::jpeg::simd::Avx2;
#[cfg(target_arch = "aarch64")]
use crate::codec::jpeg::simd::Neon;

/// Rows in a [`RowGroup`].
pub(super) const GROUP: usize = 8;

/// Samples made by [`down`] at a time.
pub(super) const DOWN_STEP: usize = 32;

/// Up to eight rows between the two filters.
#[derive(Debug, Default)]
pub(super) struct RowGroup {
    samples: Vec<i16>,
    /// Pairs of neighbouring samples of all eight rows, for the kernels that transpose the group.
    columns: Vec<[i32; GROUP]>,
    row_len: usize,
    /// Number of the first input sample of each row; even.
    pub(super) first: usize,
    /// Number of filled rows.
    pub(super) filled: usize,
}

impl RowGroup {
    /// Makes room for rows of all input samples that `weights` read.
    pub(super) fn reset(&mut self, weights: &TapWeights) -> Result<(), OutOfMemory> {
        self.first = weights.reads_from() & !1;
        self.filled = 0;
        self.row_len = (weights.reads_to() - self.first).next_multiple_of(DOWN_STEP);
        grow(&mut self.samples, self.row_len * GROUP)?;
        grow(&mut self.columns, self.row_len / 2 + weights.pairs_each())
    }

    /// Samples in a row, a multiple of [`DOWN_STEP`].
    pub(super) fn row_len(&self) -> usize {
        self.row_len
    }

    /// The next row to fill.
    pub(super) fn next_row(&mut self) -> &mut [i16] {
        &mut self.samples[self.filled * self.row_len..][..self.row_len]
    }

    /// All eight rows, filled or not.
    pub(super) fn rows(&self) -> std::slice::ChunksExact<'_, i16> {
        self.samples[..self.row_len * GROUP].chunks_exact(self.row_len)
    }

    /// Returns the rows, and room for the same samples transposed.
    pub(super) fn parts(&mut self) -> (&[i16], &mut [[i32; GROUP]]) {
        (&self.samples[..self.row_len * GROUP], &mut self.columns)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.samples.capacity() * size_of::<i16>() + self.columns.capacity() * size_of::<[i32; GROUP]>()
    }
}

/// Grows `values` to at least `len`, without keeping its contents.
fn grow<T: Default + Clone>(values: &mut Vec<T>, len: usize) -> Result<(), OutOfMemory> {
    if values.len() < len {
        *values = Vec::new();
        *values = try_vec(len)?;
    }
    Ok(())
}

/// Mixes rows of `samples`, two per pair of taps, into one row: the sum of tap times sample, rounded to 6
/// fractional bits. Row `i` starts at `samples[rows[i]]`. The length of `out` is a multiple of [`DOWN_STEP`].
///
/// # Panics
/// If a row ends outside of `samples`, or the lengths do not fit each other.
pub(super) fn down(samples: &[u8], rows: &[usize], pairs: &[TapPair], out: &mut [i16]) {
    assert!(rows.len() == 2 * pairs.len() && out.len().is_multiple_of(DOWN_STEP));
    assert!(rows.iter().all(|&row| row <= samples.len() && samples.len() - row >= out.len()));
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Avx2::detect() {
        return avx2::down(avx2, samples, rows, pairs, out);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(neon) = Neon::detect() {
        return neon::down(neon, samples, rows, pairs, out);
    }
    scalar::down(samples, rows, pairs, out);
}

/// Filters the eight rows of `group` with `weights` into the rows of `out`: the sum of tap times sample,
/// rounded and clamped to 0..=255. Rows of `out` hold at least all output samples; an empty row is skipped.
///
/// # Panics
/// If a row of `out` is neither long enough nor empty.
pub(super) fn across(group: &mut RowGroup, weights: &TapWeights, out: &mut [&mut [u8]; GROUP]) {
    assert!(out.iter().all(|row| row.is_empty() || row.len() >= weights.outputs()));
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Avx2::detect() {
        return avx2::across(avx2, group, weights, out);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(neon) = Neon::detect() {
        return neon::across(neon, group, weights, out);
    }
    scalar::across(group, weights, out);
}

#[cfg(test)]
mod tests {
    use super::super::weights::{Axis, Pairing, Samples};
    use super::*;
    use crate::codec::jpeg::resample::ResampleKernel;
    use proptest::prelude::*;

    fn noise(len: usize, seed: u64) -> impl Iterator<Item = u64> {
        let mut state = seed | 1;
        (0..len).map(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        })
    }

    proptest! {
        #[test]
        fn the_dispatched_column_filter_equals_the_scalar_one(
            seed: u64, taps in 1_usize..9, width in 1_usize..5,
        ) {
            let samples: Vec<u8> = noise(4000, seed).map(|n| n as u8).collect();
            let axis = Axis { available: 2 * taps, origin: 0.0, extent: 2.0 * taps as f64, output: 3, samples: Samples::Points };
            let weights = TapWeights::new(ResampleKernel::Lanczos3, &axis, Pairing::Free);
            let rows: Vec<usize> =
                noise(2 * weights.pairs_each(), seed ^ 5).map(|n| n as usize % 3800).collect();
            let (mut fast, mut plain) = (vec![0; width * DOWN_STEP], vec![0; width * DOWN_STEP]);
            for o in 0..3 {
                down(&samples, &rows, weights.pairs(o), &mut fast);
                scalar::down(&samples, &rows, weights.pairs(o), &mut plain);
                prop_assert_eq!(&fast, &plain);
            }
        }

        #[test]
        fn the_dispatched_row_filter_equals_the_scalar_one(
            seed: u64, available in 1_usize..300, output in 1_usize..300, kernel in 0..3,
        ) {
            let kernel = [ResampleKernel::Lanczos3, ResampleKernel::Bilinear, ResampleKernel::Nearest][kernel as usize];
            let axis = Axis { available, origin: 0.0, extent: available as f64 - 0.25, output, samples: Samples::Points };
            let weights = TapWeights::new(kernel, &axis, Pairing::Even);
            let mut group = RowGroup::default();
            group.reset(&weights).unwrap();
            for (sample, n) in group.samples.iter_mut().zip(noise(1 << 20, seed)) {
                *sample = n as i16;
            }
            let run = |group: &mut RowGroup, fast: bool| {
                let mut rows = vec![vec![0_u8; output]; GROUP];
                rows[5].clear();
                let mut rows_mut = rows.iter_mut().map(Vec::as_mut_slice);
                let mut out: [&mut [u8]; GROUP] = std::array::from_fn(|_| rows_mut.next().unwrap());
                if fast { across(group, &weights, &mut out) } else { scalar::across(group, &weights, &mut out) }
                rows
            };
            prop_assert_eq!(run(&mut group, true), run(&mut group, false));
        }
    }
}
