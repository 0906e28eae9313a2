//! The two filters for NEON.
#![expect(unsafe_code, reason = "SIMD leaf: loads and stores through pointers, calls into target features")]

use super::filter::{DOWN_STEP, GROUP, RowGroup};
use super::weights::{TapPair, TapWeights};
use crate::codec::jpeg::simd::Neon;
use std::arch::aarch64::*;

/// See [`super::filter::down`], which checks the lengths.
#[inline]
pub(super) fn down(_: Neon, samples: &[u8], rows: &[usize], pairs: &[TapPair], out: &mut [i16]) {
    // SAFETY: the proof token guarantees the instructions; the only caller, `filter::down`, asserts the
    // preconditions of `down_rows`.
    unsafe { down_rows(samples, rows, pairs, out) }
}

/// # Safety
/// `rows` holds two entries per pair, `out.len()` is a multiple of `DOWN_STEP`, and
/// `rows[i] + out.len() <= samples.len()` for each `i`.
#[target_feature(enable = "neon")]
unsafe fn down_rows(samples: &[u8], rows: &[usize], pairs: &[TapPair], out: &mut [i16]) {
    let (rows, _) = rows.as_chunks::<2>();
    for (step, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let mut sums = [vdupq_n_s32(0); 4];
        for (rows, pair) in rows.iter().zip(pairs) {
            for (&row, tap) in rows.iter().zip(pair.taps()) {
                // SAFETY: the row has `out.len()` samples, of which these are 16 from 16 * step on.
                let bytes = unsafe { vld1q_u8(samples.as_ptr().add(row + step * 16)) };
                let lo = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
                let hi = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
                let tap = tap as i16;
                sums[0] = vmlal_n_s16(sums[0], vget_low_s16(lo), tap);
                sums[1] = vmlal_n_s16(sums[1], vget_high_s16(lo), tap);
                sums[2] = vmlal_n_s16(sums[2], vget_low_s16(hi), tap);
                sums[3] = vmlal_n_s16(sums[3], vget_high_s16(hi), tap);
            }
        }
        let [a, b, c, d] = sums.map(|sum| vqrshrn_n_s32::<8>(sum));
        let (left, right) = out.split_at_mut(8);
        // SAFETY: each half is 8 samples of 2 bytes.
        unsafe {
            vst1q_s16(left.as_mut_ptr(), vcombine_s16(a, b));
            vst1q_s16(right.as_mut_ptr(), vcombine_s16(c, d));
        }
    }
    const { assert!(DOWN_STEP.is_multiple_of(16)) };
}

/// See [`super::filter::across`].
#[inline]
pub(super) fn across(_: Neon, group: &mut RowGroup, weights: &TapWeights, out: &mut [&mut [u8]; GROUP]) {
    let (first, row_len) = (group.first, group.row_len());
    let (samples, columns) = group.parts();
    turn(samples, row_len, columns);
    // SAFETY: the proof token guarantees the instructions.
    unsafe { across_columns(first, columns, weights, out) }
}

/// Transposes eight rows: `columns[p][r]` is samples 2p (low half) and 2p + 1 of row r.
fn turn(samples: &[i16], row_len: usize, columns: &mut [[i32; GROUP]]) {
    for (r, row) in samples.chunks_exact(row_len).enumerate() {
        for (column, pair) in columns.iter_mut().zip(row.as_chunks::<2>().0) {
            column[r] = i32::from(pair[1]) << 16 | i32::from(pair[0] as u16);
        }
    }
}

/// Filters along the columns, one output sample of eight rows at a time.
#[target_feature(enable = "neon")]
fn across_columns(
    first: usize,
    columns: &[[i32; GROUP]],
    weights: &TapWeights,
    out: &mut [&mut [u8]; GROUP],
) {
    let each = weights.pairs_each();
    for (o, (span, taps)) in weights.spans().iter().zip(weights.all_pairs().chunks_exact(each)).enumerate() {
        let start = (span.start as usize - first) / 2;
        let window = &columns[start..start + each];
        let mut sums = [vdupq_n_s32(0); 2];
        for (column, pair) in window.iter().zip(taps) {
            let [a, b] = pair.taps().map(|tap| tap as i16);
            // SAFETY: the column is 8 words; these are its halves.
            let halves = unsafe { [vld1q_s32(column.as_ptr()), vld1q_s32(column.as_ptr().add(4))] };
            for (sum, words) in sums.iter_mut().zip(halves) {
                *sum = vmlal_n_s16(*sum, vmovn_s32(words), a);
                *sum = vmlal_n_s16(*sum, vshrn_n_s32::<16>(words), b);
            }
        }
        let [top, bottom] = sums.map(|sum| vqmovn_s32(vrshrq_n_s32::<20>(sum)));
        let mut bytes = [0_u8; GROUP];
        // SAFETY: 8 bytes are stored into 8.
        unsafe { vst1_u8(bytes.as_mut_ptr(), vqmovun_s16(vcombine_s16(top, bottom))) };
        for (out, byte) in out.iter_mut().zip(bytes) {
            if let Some(sample) = out.get_mut(o) {
                *sample = byte;
            }
        }
    }
}
