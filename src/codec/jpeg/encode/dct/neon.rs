//! The forward transform for NEON, one block at a time.
#![expect(unsafe_code, reason = "SIMD leaf: loads and stores through pointers, calls into target features")]

use super::{COS, DctBlock, FIRST_SHIFT, Reciprocals, nonzero};
use crate::codec::jpeg::simd::Neon;
use std::arch::aarch64::*;

/// See [`super::forward`], which checks the lengths.
#[inline]
pub(super) fn forward(
    _: Neon,
    samples: &[u8],
    stride: usize,
    reciprocals: &Reciprocals,
    blocks: &mut [DctBlock],
    masks: &mut [u64],
) {
    // SAFETY: the proof token guarantees the instructions.
    unsafe { forward_blocks(samples, stride, reciprocals, blocks, masks) }
}

#[target_feature(enable = "neon")]
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
        let halfway = dct(rows.map(|row| load_row(&row[i])))
            .map(|[lo, hi]| vcombine_s16(first_round(lo), first_round(hi)));
        quantise(dct(turn(halfway)), reciprocals, block);
        *mask = nonzero(block);
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn first_round(sums: int32x4_t) -> int16x4_t {
    vqrshrn_n_s32::<{ FIRST_SHIFT as i32 }>(sums)
}

/// 8-point DCT of eight columns at once, not rounded.
#[target_feature(enable = "neon")]
#[inline]
fn dct(x: [int16x8_t; 8]) -> [[int32x4_t; 2]; 8] {
    let [_, c1, c2, c3, c4, c5, c6, c7] = COS;
    let s: [int16x8_t; 4] = std::array::from_fn(|i| vaddq_s16(x[i], x[7 - i]));
    let d: [int16x8_t; 4] = std::array::from_fn(|i| vsubq_s16(x[i], x[7 - i]));
    let dot = |inputs: &[int16x8_t; 4], taps: [i16; 4]| {
        let mut sums = [vdupq_n_s32(0); 2];
        for (input, tap) in inputs.iter().zip(taps) {
            sums[0] = vmlal_n_s16(sums[0], vget_low_s16(*input), tap);
            sums[1] = vmlal_n_s16(sums[1], vget_high_s16(*input), tap);
        }
        sums
    };
    [
        dot(&s, [c4, c4, c4, c4]),
        dot(&d, [c1, c3, c5, c7]),
        dot(&s, [c2, c6, -c6, -c2]),
        dot(&d, [c3, -c7, -c1, -c5]),
        dot(&s, [c4, -c4, -c4, c4]),
        dot(&d, [c5, -c1, c7, c3]),
        dot(&s, [c6, -c2, c2, -c6]),
        dot(&d, [c7, -c5, c3, -c1]),
    ]
}

/// Transposes eight rows of eight.
#[target_feature(enable = "neon")]
#[inline]
fn turn(x: [int16x8_t; 8]) -> [int16x8_t; 8] {
    let wide = |v| vreinterpretq_s32_s16(v);
    let widest = |v| vreinterpretq_s64_s32(v);
    let narrow = |v| vreinterpretq_s16_s64(v);
    let a: [int16x8_t; 8] = std::array::from_fn(|i| {
        let (p, q) = (x[i / 2 * 2], x[i / 2 * 2 + 1]);
        if i % 2 == 0 { vtrn1q_s16(p, q) } else { vtrn2q_s16(p, q) }
    });
    let b: [int32x4_t; 8] = std::array::from_fn(|i| {
        let (p, q) = (wide(a[i / 4 * 4 + i % 2]), wide(a[i / 4 * 4 + i % 2 + 2]));
        if i % 4 < 2 { vtrn1q_s32(p, q) } else { vtrn2q_s32(p, q) }
    });
    std::array::from_fn(|i| {
        let (p, q) = (widest(b[i % 4]), widest(b[i % 4 + 4]));
        narrow(if i < 4 { vtrn1q_s64(p, q) } else { vtrn2q_s64(p, q) })
    })
}

/// Quantises and stores a block.
#[target_feature(enable = "neon")]
#[inline]
fn quantise(sums: [[int32x4_t; 2]; 8], reciprocals: &Reciprocals, block: &mut DctBlock) {
    let (factors, _) = reciprocals.factors.as_chunks::<8>();
    let away = vdupq_n_s32(reciprocals.away);
    let (rows, _) = block.0.as_chunks_mut::<8>();
    for ((row, sums), factors) in rows.iter_mut().zip(sums).zip(factors) {
        // SAFETY: these are the halves of 8 factors.
        let halves = unsafe { [vld1q_f32(factors.as_ptr()), vld1q_f32(factors.as_ptr().add(4))] };
        let [lo, hi]: [int16x4_t; 2] = std::array::from_fn(|i| {
            // All ones for a negative sum, so that this is a subtraction. The offset of a zero is rounded
            // away.
            let negative = vshrq_n_s32::<31>(sums[i]);
            let sum = vaddq_s32(sums[i], vsubq_s32(veorq_s32(away, negative), negative));
            vqmovn_s32(vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sum), halves[i])))
        });
        // SAFETY: 8 coefficients are stored into 8.
        unsafe { vst1q_s16(row.as_mut_ptr(), vcombine_s16(lo, hi)) };
    }
}

/// Eight samples after the level shift of T.81 A.3.1.
#[target_feature(enable = "neon")]
#[inline]
fn load_row(samples: &[u8; 8]) -> int16x8_t {
    // SAFETY: 8 bytes are read from 8.
    let row = unsafe { vld1_u8(samples.as_ptr()) };
    vreinterpretq_s16_u16(vsubl_u8(row, vdup_n_u8(128)))
}
