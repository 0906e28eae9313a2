//! The forward transform for AVX2, one block at a time: eight 32-bit sums per multiply-add.
#![expect(unsafe_code, reason = "SIMD leaf: loads and stores through pointers, calls into target features")]

use super::{COS, DctBlock, FIRST_SHIFT, Reciprocals, SCAN};
use crate::codec::jpeg::simd::Avx2;
use std::arch::x86_64::*;

/// See [`super::forward`], which checks the lengths.
#[inline]
pub(super) fn forward(
    _: Avx2,
    samples: &[u8],
    stride: usize,
    reciprocals: &Reciprocals,
    blocks: &mut [DctBlock],
    masks: &mut [u64],
) {
    // SAFETY: the proof token guarantees the instructions.
    unsafe { forward_blocks(samples, stride, reciprocals, blocks, masks) }
}

#[target_feature(enable = "avx2")]
fn forward_blocks(
    samples: &[u8],
    stride: usize,
    reciprocals: &Reciprocals,
    blocks: &mut [DctBlock],
    masks: &mut [u64],
) {
    let count = 8 * blocks.len();
    let rows: [&[[u8; 8]]; 8] = std::array::from_fn(|y| samples[y * stride..][..count].as_chunks().0);
    for (i, (block, mask)) in blocks.iter_mut().zip(masks).enumerate() {
        let mut samples = [_mm_setzero_si128(); 8];
        for (row, samples) in rows.iter().zip(&mut samples) {
            *samples = load_row(&row[i]);
        }
        let halfway = columns(samples);
        *mask = quantise(sums(turn(halfway)), reciprocals, block);
    }
}

/// Packs two taps into one word, the first in the low half.
const fn pair(first: i16, second: i16) -> i32 {
    (second as i32) << 16 | first as u16 as i32
}

/// Cosines for the inputs (0, 1) and (2, 3) of each output, by output. Even outputs use sums of mirrored
/// inputs, odd ones differences.
const TAPS: [[i32; 2]; 8] = {
    let [_, c1, c2, c3, c4, c5, c6, c7] = COS;
    [
        [pair(c4, c4), pair(c4, c4)],
        [pair(c1, c3), pair(c5, c7)],
        [pair(c2, c6), pair(-c6, -c2)],
        [pair(c3, -c7), pair(-c1, -c5)],
        [pair(c4, -c4), pair(-c4, c4)],
        [pair(c5, -c1), pair(c7, c3)],
        [pair(c6, -c2), pair(c2, -c6)],
        [pair(c7, -c5), pair(c3, -c1)],
    ]
};

/// The same for the inputs (0, 1) and (3, 2) of [`sums`], with the differences of the second pair negated.
const TURNED_TAPS: [[i32; 2]; 8] = {
    let [_, c1, c2, c3, c4, c5, c6, c7] = COS;
    [
        [pair(c4, c4), pair(c4, c4)],
        [pair(c1, c3), pair(-c7, -c5)],
        [pair(c2, c6), pair(-c2, -c6)],
        [pair(c3, -c7), pair(c5, c1)],
        [pair(c4, -c4), pair(c4, -c4)],
        [pair(c5, -c1), pair(-c3, -c7)],
        [pair(c6, -c2), pair(-c6, c2)],
        [pair(c7, -c5), pair(c1, -c3)],
    ]
};

/// First pass, down the columns. Word `i` holds rows 2i and 2i + 1 of the result, by 128-bit lane: columns
/// 0..4 of both, then columns 4..8 of both.
#[target_feature(enable = "avx2")]
#[inline]
fn columns(x: [__m128i; 8]) -> [__m256i; 4] {
    let zip = |a, b| _mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b));
    let sum = |i: usize| _mm_add_epi16(x[i], x[7 - i]);
    let difference = |i: usize| _mm_sub_epi16(x[i], x[7 - i]);
    let (s01, s23) = (zip(sum(0), sum(1)), zip(sum(2), sum(3)));
    let (d01, d23) = (zip(difference(0), difference(1)), zip(difference(2), difference(3)));
    // Samples come without the level shift (T.81 A.3.1), which affects output 0 only: 8 x 128 x c4.
    let half = 1 << (FIRST_SHIFT - 1);
    let round = |k: usize| _mm256_set1_epi32(if k == 0 { half - 1024 * i32::from(COS[4]) } else { half });
    let output = |k: usize, a, b| {
        let sum = dot(a, b, TAPS[k]);
        _mm256_srai_epi32(_mm256_add_epi32(sum, round(k)), FIRST_SHIFT as i32)
    };
    let rows = |k: usize| _mm256_packs_epi32(output(k, s01, s23), output(k + 1, d01, d23));
    [rows(0), rows(2), rows(4), rows(6)]
}

/// Multiplies two pairs of inputs by their taps.
#[target_feature(enable = "avx2")]
#[inline]
fn dot(a: __m256i, b: __m256i, taps: [i32; 2]) -> __m256i {
    _mm256_add_epi32(
        _mm256_madd_epi16(a, _mm256_set1_epi32(taps[0])),
        _mm256_madd_epi16(b, _mm256_set1_epi32(taps[1])),
    )
}

/// Transposes the result of [`columns`]: word `c` holds columns c and c + 4, one per lane.
#[target_feature(enable = "avx2")]
#[inline]
fn turn(p: [__m256i; 4]) -> [__m256i; 4] {
    let quad = |p: __m256i, q: __m256i| {
        let (even, odd) = (_mm256_unpacklo_epi16(p, q), _mm256_unpackhi_epi16(p, q));
        (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd))
    };
    let ((top01, top23), (bottom01, bottom23)) = (quad(p[0], p[1]), quad(p[2], p[3]));
    [
        _mm256_unpacklo_epi64(top01, bottom01),
        _mm256_unpackhi_epi64(top01, bottom01),
        _mm256_unpacklo_epi64(top23, bottom23),
        _mm256_unpackhi_epi64(top23, bottom23),
    ]
}

/// Second pass, along the rows: sums of each horizontal frequency, by vertical frequency.
#[target_feature(enable = "avx2")]
#[inline]
fn sums(q: [__m256i; 4]) -> [__m256i; 8] {
    let swap = |v| _mm256_permute2x128_si256(v, v, 0x01);
    let (r3, r2) = (swap(q[3]), swap(q[2]));
    // By lane: sums (0, 3) and (1, 2); differences (0, -3) and (1, -2).
    let (s03, s12) = (_mm256_add_epi16(q[0], r3), _mm256_add_epi16(q[1], r2));
    let (d03, d12) = (_mm256_sub_epi16(q[0], r3), _mm256_sub_epi16(q[1], r2));
    let zip = |a, b| {
        let (lo, hi) = (_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b));
        [_mm256_permute2x128_si256(lo, hi, 0x20), _mm256_permute2x128_si256(lo, hi, 0x31)]
    };
    let ([s0, s1], [d0, d1]) = (zip(s03, s12), zip(d03, d12));
    let even = |k: usize| dot(s0, s1, TURNED_TAPS[k]);
    let odd = |k: usize| dot(d0, d1, TURNED_TAPS[k]);
    [even(0), odd(1), even(2), odd(3), even(4), odd(5), even(6), odd(7)]
}

/// Quantises and stores a block. Returns the mask of its non-zero coefficients.
#[target_feature(enable = "avx2")]
#[inline]
fn quantise(sums: [__m256i; 8], reciprocals: &Reciprocals, block: &mut DctBlock) -> u64 {
    let (factors, _) = reciprocals.factors.as_chunks::<8>();
    let (rows, _) = block.0.as_chunks_mut::<16>();
    let away = _mm256_set1_epi32(reciprocals.away);
    let quantised = |k: usize| {
        let sums = _mm256_add_epi32(sums[k], _mm256_sign_epi32(away, sums[k]));
        _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), load_f32(&factors[k])))
    };
    let word = |k: usize| _mm256_permute4x64_epi64(_mm256_packs_epi32(quantised(k), quantised(k + 1)), 0xD8);
    let words = [word(0), word(2), word(4), word(6)];
    for (row, word) in rows.iter_mut().zip(words) {
        store_i16(row, word);
    }
    // Saturation keeps a non-zero coefficient from becoming zero.
    zigzag_mask(_mm256_packs_epi16(words[0], words[1]), _mm256_packs_epi16(words[2], words[3]))
}

/// Shuffle of one lane into the 32 zig-zag places from `from` on: the byte to take for each place; 0x80 takes
/// none.
const fn shuffle(from: usize, lane: usize) -> [u8; 32] {
    // `_mm256_packs_epi16` of rows (0, 1) and (2, 3) leaves rows 0 and 2 in one lane, 1 and 3 in the other.
    let mut order = [0x80; 32];
    let mut i = 0;
    while i < 32 {
        let (row, column) = (SCAN[from + i] as usize / 8, SCAN[from + i] % 8);
        if row / 4 * 2 + row % 2 == lane {
            order[i] = (row % 4 / 2) as u8 * 8 + column;
        }
        i += 1;
    }
    order
}

const SHUFFLES: [[[u8; 32]; 4]; 2] = [
    [shuffle(0, 0), shuffle(0, 1), shuffle(0, 2), shuffle(0, 3)],
    [shuffle(32, 0), shuffle(32, 1), shuffle(32, 2), shuffle(32, 3)],
];

/// Brings the bytes of a block into zig-zag order. Returns the mask of those that are not zero.
#[target_feature(enable = "avx2")]
#[inline]
fn zigzag_mask(top: __m256i, bottom: __m256i) -> u64 {
    let lanes = [
        _mm256_permute2x128_si256(top, top, 0x00),
        _mm256_permute2x128_si256(top, top, 0x11),
        _mm256_permute2x128_si256(bottom, bottom, 0x00),
        _mm256_permute2x128_si256(bottom, bottom, 0x11),
    ];
    let half = |shuffles: &[[u8; 32]; 4]| {
        let part = |i: usize| _mm256_shuffle_epi8(lanes[i], load_u8(&shuffles[i]));
        let bytes = _mm256_or_si256(_mm256_or_si256(part(0), part(1)), _mm256_or_si256(part(2), part(3)));
        !_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_setzero_si256())) as u32
    };
    u64::from(half(&SHUFFLES[0])) | u64::from(half(&SHUFFLES[1])) << 32
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_row(samples: &[u8; 8]) -> __m128i {
    // SAFETY: 8 bytes are read from 8.
    _mm_cvtepu8_epi16(unsafe { _mm_loadl_epi64(samples.as_ptr().cast()) })
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_u8(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes are read from 32.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_f32(factors: &[f32; 8]) -> __m256 {
    // SAFETY: 8 factors of 4 bytes are 32 bytes.
    unsafe { _mm256_loadu_ps(factors.as_ptr()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store_i16(row: &mut [i16; 16], word: __m256i) {
    // SAFETY: 16 coefficients of 2 bytes are 32 bytes.
    unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), word) }
}
