//! The kernels in plain Rust: the reference for all other instruction sets.

use super::super::block::{CoefficientBlock, ScaledIdctLayout, bit};
use super::super::window::{Ending, Unstuffed};
use super::matrix::{COLUMN_ROUND, COLUMN_SHIFT, MATRIX, ROW_SHIFT, flat_sample, row_bias};
use super::{KernelTask, Kernels, RefineStep};

/// Plain Rust, for every machine.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Scalar;

impl Kernels for Scalar {
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
            2 => idct2(dc, coefficients, steps, out, stride),
            _ => idct::<K>(dc, coefficients, steps, out, stride),
        }
    }

    #[inline(always)]
    fn deposit(self, bits: u64, mask: u64) -> u64 {
        let (mut bits, mut mask, mut spread) = (bits, mask, 0);
        while mask != 0 && bits != 0 {
            let lowest = mask & mask.wrapping_neg();
            spread |= if bits & 1 != 0 { lowest } else { 0 };
            mask ^= lowest;
            bits >>= 1;
        }
        spread
    }

    #[inline(always)]
    fn extract(self, bits: u64, mask: u64) -> u64 {
        let (mut mask, mut gathered, mut place) = (mask, 0, 1_u64);
        while mask != 0 {
            let lowest = mask & mask.wrapping_neg();
            gathered |= if bits & lowest != 0 { place } else { 0 };
            mask ^= lowest;
            place <<= 1;
        }
        gathered
    }

    #[inline(always)]
    fn refine(self, stored: &mut [i16], idct: &ScaledIdctLayout, step: RefineStep) {
        refine(stored, idct, step);
    }

    fn unstuff(self, source: &[u8], out: &mut [u8]) -> Unstuffed {
        unstuff(source, out)
    }

    #[inline(always)]
    fn run<T: KernelTask>(self, task: T) -> T::Output {
        task.run(self)
    }
}

#[inline(always)]
fn dequantised(coefficients: &CoefficientBlock, steps: &CoefficientBlock, at: usize) -> i16 {
    coefficients.0[at].wrapping_mul(steps.0[at])
}

fn clamped(sample: i32) -> u8 {
    sample.clamp(0, 255) as u8
}

/// Two-point inverse DCT. All its weights are 1/8 in the end, so integer arithmetic is exact.
#[inline(always)]
pub(super) fn idct2(
    dc: i16,
    coefficients: &CoefficientBlock,
    steps: &CoefficientBlock,
    out: &mut [u8],
    stride: usize,
) {
    let at = |place| i32::from(dequantised(coefficients, steps, place));
    let dc = i32::from(dc) + 4 + (128 << 3);
    let (right, down, both) = (at(1), at(4), at(5));
    let (left, right) = (dc + right, dc - right);
    let (down_left, down_right) = (down + both, down - both);
    out[0] = clamped((left + down_left) >> 3);
    out[1] = clamped((right + down_right) >> 3);
    out[stride] = clamped((left - down_left) >> 3);
    out[stride + 1] = clamped((right - down_right) >> 3);
}

fn idct<const K: usize>(
    dc: i16,
    coefficients: &CoefficientBlock,
    steps: &CoefficientBlock,
    out: &mut [u8],
    stride: usize,
) {
    let step = if K <= 4 { 4 } else { 8 };
    let matrix = &MATRIX[K].0;
    let saturated = |v: i32| v.clamp(i16::MIN.into(), i16::MAX.into());
    let mut between = [[0_i32; K]; K];
    for column in 0..K {
        for (m, row) in between.iter_mut().enumerate() {
            let sum = (0..K).fold(COLUMN_ROUND, |sum, u| {
                let coefficient = i32::from(dequantised(coefficients, steps, u * step + column));
                sum.wrapping_add(coefficient * i32::from(matrix[m][u]))
            });
            row[column] = saturated(sum >> COLUMN_SHIFT);
        }
    }
    for (r, row) in between.iter().enumerate() {
        let out = &mut out[r * stride..][..K];
        for (m, sample) in out.iter_mut().enumerate() {
            let sum = (0..K).fold(row_bias(dc), |sum, u| sum.wrapping_add(row[u] * i32::from(matrix[m][u])));
            *sample = clamped(sum >> ROW_SHIFT);
        }
    }
}

/// See [`Kernels::refine`].
#[inline(always)]
pub(super) fn refine(stored: &mut [i16], idct: &ScaledIdctLayout, step: RefineStep) {
    let mut left = step.set & idct.mask;
    while left != 0 {
        let position = left.leading_zeros() as usize;
        left &= !bit(position);
        let negative = -i16::from(step.negative & bit(position) != 0);
        if let Some(place) = stored.get_mut(usize::from(idct.place[position & 63])) {
            *place = place.wrapping_add((*place >> 15 | negative | 1) << step.low);
        }
    }
}

/// See [`Kernels::unstuff`].
pub(super) fn unstuff(source: &[u8], out: &mut [u8]) -> Unstuffed {
    let (mut read, mut written) = (0, 0);
    let stopped = |read, written, ending| Unstuffed { read, written, ending };
    let room = out.len().saturating_sub(64);
    loop {
        if written >= room {
            return stopped(read, written, Ending::NotYet);
        }
        let run = &source[read..source.len().min(read + room - written)];
        let clean = run.iter().position(|&byte| byte == 0xFF).unwrap_or(run.len());
        out[written..written + clean].copy_from_slice(&run[..clean]);
        read += clean;
        written += clean;
        if clean == run.len() {
            if read == source.len() {
                return stopped(read, written, Ending::Input);
            }
            continue;
        }
        match source.get(read + 1) {
            Some(0x00) => {
                out[written] = 0xFF;
                read += 2;
                written += 1;
            }
            Some(0xFF) => read += 1,
            Some(_) => return stopped(read, written, Ending::Marker),
            None => return stopped(source.len(), written, Ending::Input),
        }
    }
}
