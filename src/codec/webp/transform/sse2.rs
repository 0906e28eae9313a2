//! The inverse DCT in SSE2, which every x86-64 processor has. Same samples as the scalar twin.

use super::{COSINE, SINE};
use crate::codec::webp::tokens::Block;
use std::arch::x86_64::*;

/// Four coefficients from `from` on.
#[inline]
#[target_feature(enable = "sse2")]
fn load_coefficients(block: &Block, from: usize) -> __m128i {
    let bits = (0..4).fold(0, |bits, i| bits | u64::from(block[from + i] as u16) << (16 * i));
    _mm_cvtsi64_si128(bits as i64)
}

/// Four samples, widened.
#[inline]
#[target_feature(enable = "sse2")]
fn load_samples(plane: &[u8], at: usize) -> __m128i {
    let bytes = plane[at..].first_chunk().copied().unwrap_or_default();
    _mm_unpacklo_epi8(_mm_cvtsi32_si128(i32::from_le_bytes(bytes)), _mm_setzero_si128())
}

/// Adds two rows of differences to two rows of samples.
#[inline]
#[target_feature(enable = "sse2")]
fn add_rows(plane: &mut [u8], at: usize, stride: usize, differences: __m128i) {
    let samples = _mm_unpacklo_epi64(load_samples(plane, at), load_samples(plane, at + stride));
    let sums = _mm_packus_epi16(_mm_add_epi16(samples, differences), differences);
    let bytes = _mm_cvtsi128_si64(sums).to_le_bytes();
    plane[at..][..4].copy_from_slice(&bytes[..4]);
    plane[at + stride..][..4].copy_from_slice(&bytes[4..]);
}

#[inline]
#[target_feature(enable = "sse2")]
fn pass([i0, i1, i2, i3]: [__m128i; 4]) -> [__m128i; 4] {
    let (cosine, sine) = (_mm_set1_epi16(COSINE), _mm_set1_epi16(SINE));
    let (a, b) = (_mm_add_epi16(i0, i2), _mm_sub_epi16(i0, i2));
    let c = _mm_sub_epi16(_mm_mulhi_epi16(i1, sine), _mm_mulhi_epi16(i3, cosine));
    let c = _mm_add_epi16(_mm_sub_epi16(i1, i3), c);
    let d = _mm_add_epi16(_mm_mulhi_epi16(i1, cosine), _mm_mulhi_epi16(i3, sine));
    let d = _mm_add_epi16(_mm_add_epi16(i1, i3), d);
    [_mm_add_epi16(a, d), _mm_add_epi16(b, c), _mm_sub_epi16(b, c), _mm_sub_epi16(a, d)]
}

#[inline]
#[target_feature(enable = "sse2")]
fn transposed([a, b, c, d]: [__m128i; 4]) -> [__m128i; 4] {
    let (ab, cd) = (_mm_unpacklo_epi16(a, b), _mm_unpacklo_epi16(c, d));
    let (low, high) = (_mm_unpacklo_epi32(ab, cd), _mm_unpackhi_epi32(ab, cd));
    [low, _mm_unpackhi_epi64(low, low), high, _mm_unpackhi_epi64(high, high)]
}

#[inline]
#[target_feature(enable = "sse2")]
fn add_block(block: &Block, plane: &mut [u8], at: usize, stride: usize) {
    let rows = [0, 4, 8, 12].map(|from| load_coefficients(block, from));
    let [first, b, c, d] = transposed(pass(rows));
    let first = _mm_add_epi16(first, _mm_set1_epi16(4));
    let [a, b, c, d] = transposed(pass([first, b, c, d]));
    add_rows(plane, at, stride, _mm_srai_epi16::<3>(_mm_unpacklo_epi64(a, b)));
    add_rows(plane, at + 2 * stride, stride, _mm_srai_epi16::<3>(_mm_unpacklo_epi64(c, d)));
}

#[inline]
#[target_feature(enable = "sse2")]
fn add_even(value: i16, plane: &mut [u8], at: usize, stride: usize) {
    let differences = _mm_set1_epi16(value);
    add_rows(plane, at, stride, differences);
    add_rows(plane, at + 2 * stride, stride, differences);
}

/// Adds the inverse DCT of `block` to the 4x4 samples at `at`.
#[inline(always)]
#[expect(unsafe_code, reason = "SSE2")]
pub(in crate::codec::webp) fn add(block: &Block, plane: &mut [u8], at: usize, stride: usize) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { add_block(block, plane, at, stride) }
}

/// Adds the inverse DCT of a block that has a DC coefficient alone.
#[inline(always)]
#[expect(unsafe_code, reason = "SSE2")]
pub(in crate::codec::webp) fn add_dc(dc: i16, plane: &mut [u8], at: usize, stride: usize) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { add_even(dc.wrapping_add(4) >> 3, plane, at, stride) }
}
