//! The kernels for x86-64 with AVX2 and BMI2.
#![expect(
    unsafe_code,
    reason = "calls into functions with target features, and vector stores to rows of samples"
)]

use super::super::block::{CoefficientBlock, ScaledIdctLayout};
use super::super::window::{Ending, Unstuffed};
use super::matrix::{COLUMN_ROUND, COLUMN_SHIFT, ROW_SHIFT, flat_sample, row_bias};
use super::{KernelTask, Kernels, RefineStep, scalar};
use crate::codec::jpeg::simd::Avx2;
use std::arch::x86_64::*;

impl Kernels for Avx2 {
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
            // SAFETY: `self` proves the features.
            3 | 4 => unsafe { idct4::<K>(dc, coefficients, steps, out, stride) },
            // SAFETY: `self` proves the features.
            _ => unsafe { idct8::<K>(dc, coefficients, steps, out, stride) },
        }
    }

    #[inline(always)]
    fn deposit(self, bits: u64, mask: u64) -> u64 {
        // SAFETY: `self` proves BMI2.
        unsafe { _pdep_u64(bits, mask) }
    }

    #[inline(always)]
    fn extract(self, bits: u64, mask: u64) -> u64 {
        // SAFETY: `self` proves BMI2.
        unsafe { _pext_u64(bits, mask) }
    }

    #[inline(always)]
    fn refine(self, stored: &mut [i16], idct: &ScaledIdctLayout, step: RefineStep) {
        if let Ok(stored) = <&mut [i16; 64]>::try_from(&mut *stored) {
            // SAFETY: `self` proves the features.
            unsafe { refine(stored, idct, step) }
        } else if let Ok(stored) = <&mut [i16; 16]>::try_from(&mut *stored) {
            // SAFETY: `self` proves the features.
            unsafe { refine(stored, idct, step) }
        } else {
            scalar::refine(stored, idct, step);
        }
    }

    #[inline(always)]
    fn unstuff(self, source: &[u8], out: &mut [u8]) -> Unstuffed {
        // SAFETY: `self` proves the features.
        unsafe { unstuff(source, out) }
    }

    #[inline(always)]
    fn run<T: KernelTask>(self, task: T) -> T::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,movbe")]
        fn with_features<T: KernelTask>(kernels: Avx2, task: T) -> T::Output {
            task.run(kernels)
        }
        // SAFETY: `self` proves the features.
        unsafe { with_features(self, task) }
    }
}

/// A row of weights for `_mm256_madd_epi16`: pairs of neighbouring coefficients, one pair for each sample.
#[repr(align(32))]
struct WeightPairs([i16; 16]);

/// Weights of a matrix in the order of the instructions.
struct IdctWeights {
    /// By sample of the first half and pair of coefficients: the even ones (0, 2) and (4, 6).
    even: [[i32; 2]; 4],
    /// The odd ones (1, 3) and (5, 7).
    odd: [[i32; 2]; 4],
    /// By pair of coefficients (0, 1) and (2, 3): four samples, twice.
    half_rows: [WeightPairs; 2],
}

static WEIGHTS: [IdctWeights; 9] = [
    weights(1),
    weights(1),
    weights(2),
    weights(3),
    weights(4),
    weights(5),
    weights(6),
    weights(7),
    weights(8),
];

const fn weights(k: usize) -> IdctWeights {
    const fn pair(low: i16, high: i16) -> i32 {
        (low as u16 as u32 | (high as u16 as u32) << 16) as i32
    }
    let matrix = &super::matrix::matrix(k).0;
    let mut even = [[0; 2]; 4];
    let mut odd = [[0; 2]; 4];
    let mut half_rows = [const { WeightPairs([0; 16]) }; 2];
    let mut m = 0;
    while m < 4 {
        even[m] = [pair(matrix[m][0], matrix[m][2]), pair(matrix[m][4], matrix[m][6])];
        odd[m] = [pair(matrix[m][1], matrix[m][3]), pair(matrix[m][5], matrix[m][7])];
        m += 1;
    }
    let mut sample = 0;
    while sample < 8 {
        let mut p = 0;
        while p < 2 {
            half_rows[p].0[2 * sample] = matrix[sample & 3][2 * p];
            half_rows[p].0[2 * sample + 1] = matrix[sample & 3][2 * p + 1];
            p += 1;
        }
        sample += 1;
    }
    IdctWeights { even, odd, half_rows }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_pairs(pairs: &WeightPairs) -> __m256i {
    // SAFETY: the array is 32 bytes long and aligned to 32.
    unsafe { _mm256_load_si256(pairs.0.as_ptr().cast()) }
}

/// Row `ROW` of eight coefficients, dequantised.
#[target_feature(enable = "avx2")]
#[inline]
fn load_row<const ROW: usize>(coefficients: &CoefficientBlock, steps: &CoefficientBlock) -> __m128i {
    const { assert!(ROW < 8) };
    // SAFETY: the row lies within the block, which is aligned to 64.
    let (row, steps) = unsafe {
        (
            _mm_load_si128(coefficients.0.as_ptr().add(8 * ROW).cast()),
            _mm_load_si128(steps.0.as_ptr().add(8 * ROW).cast()),
        )
    };
    _mm_mullo_epi16(row, steps)
}

/// Checks that 8 bytes at each of K rows lie within `out`, for the vector stores.
#[inline(always)]
fn rows<const K: usize>(out: &mut [u8], stride: usize) -> *mut u8 {
    let needed = stride.checked_mul(K - 1).and_then(|last| last.checked_add(8));
    assert!(needed.is_some_and(|needed| needed <= out.len()));
    out.as_mut_ptr()
}

/// Inverse DCT for K of 3 or 4: four rows of four coefficients in one register.
#[target_feature(enable = "avx2")]
#[inline]
fn idct4<const K: usize>(
    dc: i16,
    coefficients: &CoefficientBlock,
    steps: &CoefficientBlock,
    out: &mut [u8],
    stride: usize,
) {
    assert!(K == 3 || K == 4);
    let weights = &WEIGHTS[K];
    // SAFETY: the first 16 values of a block, which is aligned to 64.
    let x = unsafe {
        _mm256_mullo_epi16(
            _mm256_load_si256(coefficients.0.as_ptr().cast()),
            _mm256_load_si256(steps.0.as_ptr().cast()),
        )
    };
    let (rows01, rows23) = (_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    let even_rows = _mm_unpacklo_epi16(rows01, rows23);
    let odd_rows = _mm_unpackhi_epi16(rows01, rows23);
    let round = _mm_set1_epi32(COLUMN_ROUND);
    let even = |m: usize| _mm_add_epi32(_mm_madd_epi16(even_rows, _mm_set1_epi32(weights.even[m][0])), round);
    let odd = |m: usize| _mm_madd_epi16(odd_rows, _mm_set1_epi32(weights.odd[m][0]));
    let shifted = |v| _mm_srai_epi32(v, COLUMN_SHIFT as i32);
    let (e0, e1, o0, o1) = (even(0), even(1), odd(0), odd(1));
    let (t01, t23) = if K == 4 {
        (
            _mm_packs_epi32(shifted(_mm_add_epi32(e0, o0)), shifted(_mm_add_epi32(e1, o1))),
            _mm_packs_epi32(shifted(_mm_sub_epi32(e1, o1)), shifted(_mm_sub_epi32(e0, o0))),
        )
    } else {
        (
            _mm_packs_epi32(shifted(_mm_add_epi32(e0, o0)), shifted(e1)),
            _mm_packs_epi32(shifted(_mm_sub_epi32(e0, o0)), _mm_setzero_si128()),
        )
    };
    let between = _mm256_inserti128_si256(_mm256_castsi128_si256(t01), t23, 1);
    let (w0, w1) = (load_pairs(&weights.half_rows[0]), load_pairs(&weights.half_rows[1]));
    let round = _mm256_set1_epi32(row_bias(dc));
    let sum = |low, high| {
        _mm256_add_epi32(_mm256_add_epi32(_mm256_madd_epi16(low, w0), _mm256_madd_epi16(high, w1)), round)
    };
    let rows02 = sum(_mm256_shuffle_epi32(between, 0x00), _mm256_shuffle_epi32(between, 0x55));
    let rows13 = sum(_mm256_shuffle_epi32(between, 0xAA), _mm256_shuffle_epi32(between, 0xFF));
    let shifted = |v| _mm256_srai_epi32(v, ROW_SHIFT as i32);
    let words = _mm256_packs_epi32(shifted(rows02), shifted(rows13));
    let bytes = _mm256_packus_epi16(words, words);
    let low = _mm_cvtsi128_si64(_mm256_castsi256_si128(bytes)) as u64;
    let high = _mm_cvtsi128_si64(_mm256_extracti128_si256(bytes, 1)) as u64;
    let row = rows::<K>(out, stride);
    // SAFETY: `rows` has checked that 8 bytes at each of K rows lie within `out`.
    unsafe {
        row.cast::<u32>().write_unaligned((low as u32).to_le());
        row.add(stride).cast::<u32>().write_unaligned(((low >> 32) as u32).to_le());
        row.add(2 * stride).cast::<u32>().write_unaligned((high as u32).to_le());
        if K == 4 {
            row.add(3 * stride).cast::<u32>().write_unaligned(((high >> 32) as u32).to_le());
        }
    }
}

/// Inverse DCT for K of 5 to 8: rows of eight coefficients. Both passes use the symmetry of the matrix: a sample
/// and its mirror are the sum and the difference of the even and the odd part.
#[target_feature(enable = "avx2")]
#[inline]
fn idct8<const K: usize>(
    dc: i16,
    coefficients: &CoefficientBlock,
    steps: &CoefficientBlock,
    out: &mut [u8],
    stride: usize,
) {
    assert!(K >= 5 && K <= 8);
    let none = _mm_setzero_si128();
    let interleaved = |a, b| {
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(a, b)), _mm_unpackhi_epi16(a, b), 1)
    };
    let row6 = if K > 6 { load_row::<6>(coefficients, steps) } else { none };
    let row5 = if K > 5 { load_row::<5>(coefficients, steps) } else { none };
    let row7 = if K > 7 { load_row::<7>(coefficients, steps) } else { none };
    let columns = Pass {
        even02: interleaved(load_row::<0>(coefficients, steps), load_row::<2>(coefficients, steps)),
        even46: interleaved(load_row::<4>(coefficients, steps), row6),
        odd13: interleaved(load_row::<1>(coefficients, steps), load_row::<3>(coefficients, steps)),
        odd57: interleaved(row5, row7),
    };
    // In each half of the register, by row: columns 0, 2, 1, 3 (and 4, 6, 5, 7) of the upper row and its mirror.
    let order =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
    let mut packed = [_mm256_setzero_si256(); 4];
    for (m, packed) in packed.iter_mut().enumerate().take(K.div_ceil(2)) {
        let (upper, lower) =
            columns.opposites::<K, { COLUMN_SHIFT as i32 }>(m, _mm256_set1_epi32(COLUMN_ROUND));
        *packed = _mm256_shuffle_epi8(_mm256_packs_epi32(upper, lower), order);
    }
    let rows01 = _mm256_unpacklo_epi32(packed[0], packed[1]);
    let rows23 = _mm256_unpacklo_epi32(packed[2], packed[3]);
    let opposite01 = _mm256_unpackhi_epi32(packed[0], packed[1]);
    let opposite23 = _mm256_unpackhi_epi32(packed[2], packed[3]);
    let (even, opposite_even) =
        (_mm256_unpacklo_epi64(rows01, rows23), _mm256_unpacklo_epi64(opposite01, opposite23));
    let (odd, opposite_odd) =
        (_mm256_unpackhi_epi64(rows01, rows23), _mm256_unpackhi_epi64(opposite01, opposite23));
    // Rows 0, 1, 2, 3 and their mirrors.
    let turned = Pass {
        even02: _mm256_permute2x128_si256(even, opposite_even, 0x20),
        even46: _mm256_permute2x128_si256(even, opposite_even, 0x31),
        odd13: _mm256_permute2x128_si256(odd, opposite_odd, 0x20),
        odd57: _mm256_permute2x128_si256(odd, opposite_odd, 0x31),
    };
    let mut samples = [_mm256_setzero_si256(); 8];
    for m in 0..K.div_ceil(2) {
        let (left, right) = turned.opposites::<K, { ROW_SHIFT as i32 }>(m, _mm256_set1_epi32(row_bias(dc)));
        samples[K - 1 - m] = right;
        samples[m] = left;
    }
    // Four samples of four rows and their mirrors.
    let turn =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    let four = |s: [__m256i; 4]| {
        let words = _mm256_packus_epi16(_mm256_packs_epi32(s[0], s[1]), _mm256_packs_epi32(s[2], s[3]));
        _mm256_shuffle_epi8(words, turn)
    };
    let [s0, s1, s2, s3, s4, s5, s6, s7] = samples;
    let (left, right) = (four([s0, s1, s2, s3]), four([s4, s5, s6, s7]));
    let at = rows::<K>(out, stride);
    for (pair, first) in [(_mm256_unpacklo_epi32(left, right), 0), (_mm256_unpackhi_epi32(left, right), 2)] {
        let (upper, lower) = (_mm256_castsi256_si128(pair), _mm256_extracti128_si256(pair, 1));
        // SAFETY: `rows` has checked that 8 bytes at each of K rows lie within `out`.
        unsafe {
            if first < K.div_ceil(2) {
                _mm_storel_epi64(at.add(first * stride).cast(), upper);
            }
            if first < K / 2 {
                _mm_storel_epi64(at.add((K - 1 - first) * stride).cast(), lower);
            }
            if first + 1 < K.div_ceil(2) {
                _mm_storeh_pd(at.add((first + 1) * stride).cast(), _mm_castsi128_pd(upper));
            }
            if first + 1 < K / 2 {
                _mm_storeh_pd(at.add((K - 2 - first) * stride).cast(), _mm_castsi128_pd(lower));
            }
        }
    }
}

/// One pass of the transform: pairs of coefficients, in 32 bits, of eight rows or columns.
#[derive(Clone, Copy)]
struct Pass {
    even02: __m256i,
    even46: __m256i,
    odd13: __m256i,
    odd57: __m256i,
}

impl Pass {
    /// Returns sample `m` and its mirror.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn opposites<const K: usize, const SHIFT: i32>(self, m: usize, round: __m256i) -> (__m256i, __m256i) {
        let weights = &WEIGHTS[K];
        let weighted = |pairs, weights| _mm256_madd_epi16(pairs, _mm256_set1_epi32(weights));
        let even = _mm256_add_epi32(weighted(self.even02, weights.even[m][0]), round);
        let even = _mm256_add_epi32(even, weighted(self.even46, weights.even[m][1]));
        let mut odd = weighted(self.odd13, weights.odd[m][0]);
        if K > 5 {
            odd = _mm256_add_epi32(odd, weighted(self.odd57, weights.odd[m][1]));
        }
        let shifted = |sum| _mm256_srai_epi32::<SHIFT>(sum);
        (shifted(_mm256_add_epi32(even, odd)), shifted(_mm256_sub_epi32(even, odd)))
    }
}

/// Refines sixteen coefficients at a time, changed or not: a branch would be mispredicted.
#[target_feature(enable = "avx2")]
#[inline]
fn refine<const N: usize>(stored: &mut [i16; N], idct: &ScaledIdctLayout, step: RefineStep) {
    const { assert!(N <= 64) };
    let (set, negative) = (_mm_set1_epi64x(step.set as i64), _mm_set1_epi64x(step.negative as i64));
    let low = _mm_cvtsi32_si128(step.low.into());
    for (i, part) in stored.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        // SAFETY: both arrays are 64 bytes long and aligned to 64.
        let (bytes, bits) = unsafe {
            let [bytes, bits] = [idct.lookup.bytes.as_ptr(), idct.lookup.bits.as_ptr()];
            (_mm_load_si128(bytes.add(16 * i).cast()), _mm_load_si128(bits.add(16 * i).cast()))
        };
        let is_in = |set| {
            let found = _mm_and_si128(_mm_shuffle_epi8(set, bytes), bits);
            _mm256_cvtepi8_epi16(_mm_cmpeq_epi8(found, bits))
        };
        let at = part.as_mut_ptr().cast();
        // SAFETY: the part is 32 bytes long.
        let old = unsafe { _mm256_loadu_si256(at) };
        let sign = _mm256_or_si256(_mm256_srai_epi16(old, 15), is_in(negative));
        let change = _mm256_sll_epi16(_mm256_or_si256(sign, _mm256_set1_epi16(1)), low);
        let new = _mm256_add_epi16(old, _mm256_and_si256(change, is_in(set)));
        // SAFETY: the part is 32 bytes long.
        unsafe { _mm256_storeu_si256(at, new) };
    }
}

/// Copies 32 bytes at a time up to the next `0xFF`. The scalar kernel handles the last bytes and markers.
#[target_feature(enable = "avx2,bmi1")]
fn unstuff(source: &[u8], out: &mut [u8]) -> Unstuffed {
    const STEP: usize = 32;
    let all_ones = _mm256_set1_epi8(-1);
    let room = out.len().saturating_sub(64);
    let (mut read, mut written) = (0, 0);
    while written < room
        && let Some(chunk) = source.get(read..read + STEP + 1)
        && let Some(target) = out.get_mut(written..written + STEP)
    {
        // SAFETY: both slices are at least 32 bytes long.
        let found = unsafe {
            let bytes = _mm256_loadu_si256(chunk.as_ptr().cast());
            _mm256_storeu_si256(target.as_mut_ptr().cast(), bytes);
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, all_ones)) as u32
        };
        // Branch, so that the next load does not wait for this one.
        if found == 0 {
            read += STEP;
            written += STEP;
            continue;
        }
        let clean = found.trailing_zeros() as usize;
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
