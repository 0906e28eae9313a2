//! The two filters for AVX2.
#![expect(unsafe_code, reason = "SIMD leaf: loads and stores through pointers, calls into target features")]

use super::filter::{DOWN_STEP, GROUP, RowGroup};
use super::weights::{TapPair, TapWeights};
use crate::codec::jpeg::simd::Avx2;
use std::arch::x86_64::*;

/// See [`super::filter::down`], which checks the lengths.
#[inline]
pub(super) fn down(_: Avx2, samples: &[u8], rows: &[usize], pairs: &[TapPair], out: &mut [i16]) {
    // SAFETY: the proof token guarantees the instructions; the only caller, `filter::down`, asserts the
    // preconditions of `down_rows`.
    unsafe { down_rows(samples, rows, pairs, out) }
}

/// # Safety
/// `rows` holds two entries per pair, `out.len()` is a multiple of `DOWN_STEP`, and
/// `rows[i] + out.len() <= samples.len()` for each `i`.
#[target_feature(enable = "avx2")]
unsafe fn down_rows(samples: &[u8], rows: &[usize], pairs: &[TapPair], out: &mut [i16]) {
    let zero = _mm256_setzero_si256();
    let (rows, _) = rows.as_chunks::<2>();
    for (step, out) in out.as_chunks_mut::<DOWN_STEP>().0.iter_mut().enumerate() {
        let mut sums = [_mm256_set1_epi32(1 << 7); 4];
        for (&[first, second], pair) in rows.iter().zip(pairs) {
            let taps = _mm256_set1_epi32(pair.word());
            // SAFETY: both rows have `out.len()` samples, of which these are 32 from 32 * step on.
            let (a, b) = unsafe {
                let base = samples.as_ptr().add(step * DOWN_STEP);
                (_mm256_loadu_si256(base.add(first).cast()), _mm256_loadu_si256(base.add(second).cast()))
            };
            let (lo, hi) = (_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b));
            let mixed = [
                _mm256_unpacklo_epi8(lo, zero),
                _mm256_unpackhi_epi8(lo, zero),
                _mm256_unpacklo_epi8(hi, zero),
                _mm256_unpackhi_epi8(hi, zero),
            ];
            for (sum, mixed) in sums.iter_mut().zip(mixed) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(mixed, taps));
            }
        }
        // Unpacking works within 128-bit lanes: sums[0] holds samples 0..4 and 16..20, and so on.
        let [s0, s1, s2, s3] = sums.map(|sum| _mm256_srai_epi32(sum, 8));
        let (p0, p1) = (_mm256_packs_epi32(s0, s1), _mm256_packs_epi32(s2, s3));
        let (left, right) = out.split_at_mut(DOWN_STEP / 2);
        // SAFETY: each half is 16 samples of 2 bytes.
        unsafe {
            _mm256_storeu_si256(left.as_mut_ptr().cast(), _mm256_permute2x128_si256(p0, p1, 0x20));
            _mm256_storeu_si256(right.as_mut_ptr().cast(), _mm256_permute2x128_si256(p0, p1, 0x31));
        }
    }
}

/// See [`super::filter::across`].
#[inline]
pub(super) fn across(_: Avx2, group: &mut RowGroup, weights: &TapWeights, out: &mut [&mut [u8]; GROUP]) {
    let (first, row_len) = (group.first, group.row_len());
    let (samples, columns) = group.parts();
    // SAFETY: the proof token guarantees the instructions.
    unsafe {
        turn(samples, row_len, columns);
        across_columns(first, columns, weights, out);
    }
}

/// Transposes eight rows: `columns[p][r]` is samples 2p and 2p + 1 of row r.
#[target_feature(enable = "avx2")]
fn turn(samples: &[i16], row_len: usize, columns: &mut [[i32; GROUP]]) {
    let mut rows = samples.chunks_exact(row_len).map(|row| row.as_chunks::<16>().0);
    let rows: [&[[i16; 16]]; GROUP] = std::array::from_fn(|_| rows.next().unwrap_or_default());
    let blocks = row_len / 16;
    let rows = rows.map(|row| &row[..blocks]);
    for (x, block) in columns.as_chunks_mut::<8>().0.iter_mut().take(blocks).enumerate() {
        // Not `rows.map`: its closure is not compiled for AVX2, so the loads would become calls.
        let row = |i: usize| load_i16(&rows[i][x]);
        let r = [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)];
        let pair = |a: usize| (_mm256_unpacklo_epi32(r[a], r[a + 1]), _mm256_unpackhi_epi32(r[a], r[a + 1]));
        let ((a0, a1), (b0, b1), (c0, c1), (d0, d1)) = (pair(0), pair(2), pair(4), pair(6));
        let top = [
            _mm256_unpacklo_epi64(a0, b0),
            _mm256_unpackhi_epi64(a0, b0),
            _mm256_unpacklo_epi64(a1, b1),
            _mm256_unpackhi_epi64(a1, b1),
        ];
        let bottom = [
            _mm256_unpacklo_epi64(c0, d0),
            _mm256_unpackhi_epi64(c0, d0),
            _mm256_unpacklo_epi64(c1, d1),
            _mm256_unpackhi_epi64(c1, d1),
        ];
        let (left, right) = block.split_at_mut(4);
        for i in 0..4 {
            store_i32(&mut left[i], _mm256_permute2x128_si256(top[i], bottom[i], 0x20));
            store_i32(&mut right[i], _mm256_permute2x128_si256(top[i], bottom[i], 0x31));
        }
    }
}

/// Filters along the columns, eight output samples of eight rows at a time.
#[target_feature(enable = "avx2")]
fn across_columns(
    first: usize,
    columns: &[[i32; GROUP]],
    weights: &TapWeights,
    out: &mut [&mut [u8]; GROUP],
) {
    let each = weights.pairs_each();
    let taps = weights.all_pairs().chunks(8 * each);
    for (o, (spans, taps)) in (0..).step_by(8).zip(weights.spans().chunks(8).zip(taps)) {
        let mut sums = [_mm256_setzero_si256(); 8];
        for ((sum, span), taps) in sums.iter_mut().zip(spans).zip(taps.chunks_exact(each)) {
            let start = (span.start as usize - first) / 2;
            let window = &columns[start..start + each];
            let mut total = _mm256_set1_epi32(1 << 19);
            for (column, pair) in window.iter().zip(taps) {
                let taps = _mm256_set1_epi32(pair.word());
                total = _mm256_add_epi32(total, _mm256_madd_epi16(load_i32(column), taps));
            }
            *sum = _mm256_srai_epi32(total, 20);
        }
        for (out, samples) in out.iter_mut().zip(rows_of(sums)) {
            if let Some(out) = out.get_mut(o..) {
                let n = out.len().min(spans.len());
                if n == 8 {
                    out[..8].copy_from_slice(&samples.to_le_bytes());
                } else {
                    out[..n].copy_from_slice(&samples.to_le_bytes()[..n]);
                }
            }
        }
    }
}

/// Clamps eight columns of eight rows to bytes and transposes them back: one word of eight samples per row.
#[target_feature(enable = "avx2")]
#[inline]
fn rows_of(columns: [__m256i; 8]) -> [u64; GROUP] {
    let four = |c: &[__m256i]| {
        let bytes = _mm256_packus_epi16(_mm256_packs_epi32(c[0], c[1]), _mm256_packs_epi32(c[2], c[3]));
        // Reorders four columns of four rows in each lane to four rows of four columns.
        let order = _mm256_setr_epi8(
            0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3,
            7, 11, 15,
        );
        _mm256_shuffle_epi8(bytes, order)
    };
    let (left, right) = (four(&columns[..4]), four(&columns[4..]));
    let (even, odd) = (_mm256_unpacklo_epi32(left, right), _mm256_unpackhi_epi32(left, right));
    let (top0, top1) = (_mm256_castsi256_si128(even), _mm256_castsi256_si128(odd));
    let (bottom0, bottom1) = (_mm256_extracti128_si256(even, 1), _mm256_extracti128_si256(odd, 1));
    let low = |v: __m128i| _mm_cvtsi128_si64(v) as u64;
    let high = |v: __m128i| _mm_extract_epi64(v, 1) as u64;
    [low(top0), high(top0), low(top1), high(top1), low(bottom0), high(bottom0), low(bottom1), high(bottom1)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_i16(samples: &[i16; 16]) -> __m256i {
    // SAFETY: 16 samples of 2 bytes are 32 bytes.
    unsafe { _mm256_loadu_si256(samples.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_i32(column: &[i32; 8]) -> __m256i {
    // SAFETY: 8 words of 4 bytes are 32 bytes.
    unsafe { _mm256_loadu_si256(column.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store_i32(column: &mut [i32; 8], value: __m256i) {
    // SAFETY: 8 words of 4 bytes are 32 bytes.
    unsafe { _mm256_storeu_si256(column.as_mut_ptr().cast(), value) }
}
