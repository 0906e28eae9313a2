//! The kernels for AArch64 with NEON.
#![expect(unsafe_code, reason = "calls into functions with target features, and vector loads and stores")]

use super::super::block::{CoefficientBlock, ScaledIdctLayout};
use super::super::window::{Ending, Unstuffed};
use super::matrix::{COLUMN_ROUND, COLUMN_SHIFT, MATRIX, ROW_SHIFT, flat_sample, row_bias};
use super::{KernelTask, Kernels, RefineStep, scalar};
use crate::codec::jpeg::simd::Neon;
use std::arch::aarch64::*;

impl Kernels for Neon {
    #[inline(always)]
    fn idct<const K: usize>(
        self,
        dc: i16,
        coefficients: &CoefficientBlock,
        steps: &CoefficientBlock,
        out: &mut [u8],
        stride: usize,
    ) {
        match K {
            1 => out[0] = flat_sample(dc),
            2 => scalar::idct2(dc, coefficients, steps, out, stride),
            // SAFETY: `self` proves NEON.
            _ => unsafe { idct::<K>(dc, coefficients, steps, out, stride) },
        }
    }

    #[inline(always)]
    fn deposit(self, bits: u64, mask: u64) -> u64 {
        scalar::Scalar.deposit(bits, mask)
    }

    #[inline(always)]
    fn extract(self, bits: u64, mask: u64) -> u64 {
        scalar::Scalar.extract(bits, mask)
    }

    #[inline(always)]
    fn refine(self, stored: &mut [i16], idct: &ScaledIdctLayout, step: RefineStep) {
        // SAFETY: `self` proves NEON.
        unsafe { refine(stored, idct, step) }
    }

    #[inline(always)]
    fn unstuff(self, source: &[u8], out: &mut [u8]) -> Unstuffed {
        // SAFETY: `self` proves NEON.
        unsafe { unstuff(source, out) }
    }

    #[inline(always)]
    fn run<T: KernelTask>(self, task: T) -> T::Output {
        task.run(self)
    }
}

/// Refines eight coefficients at a time, changed or not.
#[target_feature(enable = "neon")]
#[inline]
fn refine(stored: &mut [i16], idct: &ScaledIdctLayout, step: RefineStep) {
    let [set, negative] = [step.set, step.negative].map(|set| vreinterpretq_u8_u64(vdupq_n_u64(set)));
    let low = vdupq_n_s16(step.low.into());
    let lookup = idct.lookup.bytes.as_chunks::<8>().0.iter().zip(idct.lookup.bits.as_chunks::<8>().0);
    for (part, (bytes, bits)) in stored.as_chunks_mut::<8>().0.iter_mut().zip(lookup) {
        // SAFETY: both are 8 bytes long.
        let (bytes, bits) = unsafe { (vld1_u8(bytes.as_ptr()), vld1_u8(bits.as_ptr())) };
        let is_in = |set| vmovl_s8(vreinterpret_s8_u8(vtst_u8(vqtbl1_u8(set, bytes), bits)));
        // SAFETY: the part is 16 bytes long.
        let old = unsafe { vld1q_s16(part.as_ptr()) };
        let sign = vorrq_s16(vshrq_n_s16::<15>(old), is_in(negative));
        let change = vshlq_s16(vorrq_s16(sign, vdupq_n_s16(1)), low);
        let new = vaddq_s16(old, vandq_s16(change, is_in(set)));
        // SAFETY: the part is 16 bytes long.
        unsafe { vst1q_s16(part.as_mut_ptr(), new) };
    }
}

/// The matrices by k, transposed: the weights of one coefficient in all samples.
static TRANSPOSED: [[[i16; 8]; 8]; 9] = [
    transposed(1),
    transposed(1),
    transposed(2),
    transposed(3),
    transposed(4),
    transposed(5),
    transposed(6),
    transposed(7),
    transposed(8),
];

const fn transposed(k: usize) -> [[i16; 8]; 8] {
    let matrix = super::matrix::matrix(k).0;
    let mut turned = [[0; 8]; 8];
    let mut i = 0;
    while i < 64 {
        turned[i % 8][i / 8] = matrix[i / 8][i % 8];
        i += 1;
    }
    turned
}

#[target_feature(enable = "neon")]
#[inline]
fn idct<const K: usize>(
    dc: i16,
    coefficients: &CoefficientBlock,
    steps: &CoefficientBlock,
    out: &mut [u8],
    stride: usize,
) {
    assert!(K >= 3 && K <= 8);
    let step = if K <= 4 { 4 } else { 8 };
    let needed = stride.checked_mul(K - 1).and_then(|last| last.checked_add(8));
    assert!(needed.is_some_and(|needed| needed <= out.len()));
    // For K up to 4, the upper half of a register belongs to the next row; its columns are computed and
    // dropped.
    let row = |r: usize| {
        // SAFETY: 8 values from `r * step`, at most 56, lie within the 256 of a block.
        let (row, steps) = unsafe {
            (vld1q_s16(coefficients.0.as_ptr().add(r * step)), vld1q_s16(steps.0.as_ptr().add(r * step)))
        };
        vmulq_s16(row, steps)
    };
    let mut between = [[0_i16; 8]; K];
    for m in 0..K {
        let (mut low, mut high) = (vdupq_n_s32(COLUMN_ROUND), vdupq_n_s32(COLUMN_ROUND));
        for u in 0..K {
            let weight = MATRIX[K].0[m][u];
            low = vmlal_n_s16(low, vget_low_s16(row(u)), weight);
            high = vmlal_high_n_s16(high, row(u), weight);
        }
        let low = vqmovn_s32(vshrq_n_s32::<{ COLUMN_SHIFT as i32 }>(low));
        let both = vqmovn_high_s32(low, vshrq_n_s32::<{ COLUMN_SHIFT as i32 }>(high));
        // SAFETY: the row is an array of 8 values.
        unsafe { vst1q_s16(between[m].as_mut_ptr(), both) };
    }
    for (r, row) in between.iter().enumerate() {
        let (mut low, mut high) = (vdupq_n_s32(row_bias(dc)), vdupq_n_s32(row_bias(dc)));
        for u in 0..K {
            // SAFETY: a row of weights is an array of 8 values.
            let weights = unsafe { vld1q_s16(TRANSPOSED[K][u].as_ptr()) };
            low = vmlal_n_s16(low, vget_low_s16(weights), row[u]);
            high = vmlal_high_n_s16(high, weights, row[u]);
        }
        let low = vqmovn_s32(vshrq_n_s32::<{ ROW_SHIFT as i32 }>(low));
        let both = vqmovn_high_s32(low, vshrq_n_s32::<{ ROW_SHIFT as i32 }>(high));
        // SAFETY: 8 bytes at each of K rows lie within `out`, as asserted above.
        unsafe { vst1_u8(out.as_mut_ptr().add(r * stride), vqmovun_s16(both)) };
    }
}

/// Copies 16 bytes at a time up to the next `0xFF`. The scalar kernel handles the last bytes and markers.
#[target_feature(enable = "neon")]
fn unstuff(source: &[u8], out: &mut [u8]) -> Unstuffed {
    const STEP: usize = 16;
    let all_ones = vdupq_n_u8(0xFF);
    let room = out.len().saturating_sub(64);
    let (mut read, mut written) = (0, 0);
    while written < room
        && let Some(chunk) = source.get(read..read + STEP + 1)
        && let Some(target) = out.get_mut(written..written + STEP)
    {
        // SAFETY: both slices are at least 16 bytes long.
        let equal = unsafe {
            let bytes = vld1q_u8(chunk.as_ptr());
            vst1q_u8(target.as_mut_ptr(), bytes);
            vceqq_u8(bytes, all_ones)
        };
        // Four bits for each byte.
        let found = vget_lane_u64::<0>(vreinterpret_u64_u8(vshrn_n_u16::<4>(vreinterpretq_u16_u8(equal))));
        // Branch, so that the next load does not wait for this one.
        if found == 0 {
            read += STEP;
            written += STEP;
            continue;
        }
        let clean = (found.trailing_zeros() / 4) as usize;
        read += clean;
        written += clean;
        match chunk[clean + 1] {
            0x00 => {
                read += 2;
                written += 1;
            }
            0xFF => read += 1,
            _ => return Unstuffed { read, written, ending: Ending::Marker },
        }
    }
    let rest = scalar::unstuff(&source[read..], &mut out[written..]);
    Unstuffed { read: read + rest.read, written: written + rest.written, ending: rest.ending }
}
