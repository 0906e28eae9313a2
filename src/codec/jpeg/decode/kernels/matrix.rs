//! The k-point inverse DCT in fixed point: its matrices and its two roundings, shared by all instruction sets.
//!
//! A block scaled to k/8 is the k-point inverse DCT of its k x k corner: T.81 A.3.3 with 8 replaced by k, at the
//! same amplitude (sqrt(k/8) of the orthonormal transform each way).

/// Bits behind the binary point of a matrix entry.
const ENTRY_BITS: u32 = 14;
/// Bits behind the binary point of a sample between the passes.
const BETWEEN_BITS: u32 = 3;
/// Right shift of the column pass.
pub(super) const COLUMN_SHIFT: u32 = ENTRY_BITS - BETWEEN_BITS;
/// Rounding of the column pass.
pub(super) const COLUMN_ROUND: i32 = 1 << (COLUMN_SHIFT - 1);
/// Right shift of the row pass.
pub(super) const ROW_SHIFT: u32 = ENTRY_BITS + BETWEEN_BITS;

/// Summand of the row pass: its rounding, the level shift of 128 (T.81 A.3.1), and the dequantised DC coefficient.
/// DC contributes an eighth of its value to a sample at every k, so it is exact here. Flat blocks, where halves are
/// common, then round up as in other decoders.
#[inline(always)]
pub(super) fn row_bias(dc: i16) -> i32 {
    (128 << ROW_SHIFT) + (1 << (ROW_SHIFT - 1)) + (i32::from(dc) << (ROW_SHIFT - 3))
}

/// `MATRIX[k].0[m][u]` is the weight of coefficient `u` in sample `m`, times 2^14.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Matrix(pub(super) [[i16; 8]; 8]);

/// The matrices by k, 1 to 8.
pub(super) static MATRIX: [Matrix; 9] =
    [matrix(1), matrix(1), matrix(2), matrix(3), matrix(4), matrix(5), matrix(6), matrix(7), matrix(8)];

pub(super) const fn matrix(k: usize) -> Matrix {
    let mut entries = [[0; 8]; 8];
    let mut m = 0;
    while m < k {
        let mut u = 0;
        while u < k {
            // cos((2m + 1) u pi / 2k), folded into the first quadrant so that both halves agree exactly.
            let phase = (2 * m + 1) * u % (4 * k);
            let phase = if phase > 2 * k { 4 * k - phase } else { phase };
            let (sign, phase) = if phase > k { (-1, 2 * k - phase) } else { (1, phase) };
            let norm = if u == 0 { 0.353_553_390_593_273_8 } else { 0.5 };
            let entry = norm * cosine(phase as f64 * core::f64::consts::PI / (2 * k) as f64);
            entries[m][u] = sign * (entry * (1 << ENTRY_BITS) as f64 + 0.5) as i16;
            u += 1;
        }
        m += 1;
    }
    Matrix(entries)
}

/// Cosine by its power series, for 0 to pi/2. Unlike libm, it gives the same bits on all machines.
const fn cosine(x: f64) -> f64 {
    let mut sum = 0.0;
    let mut term = 1.0;
    let mut n = 0;
    while n < 24 {
        sum += term;
        term = -term * x * x / ((n + 1) * (n + 2)) as f64;
        n += 2;
    }
    sum
}

/// Returns the sample of a block with only the dequantised DC coefficient `dc`, at every k.
#[inline(always)]
pub(in super::super) fn flat_sample(dc: i16) -> u8 {
    (row_bias(dc) >> ROW_SHIFT).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrices_are_the_inverse_dct() {
        for (k, matrix) in MATRIX.iter().enumerate().skip(1) {
            for m in 0..k {
                for u in 0..k {
                    let norm = if u == 0 { 0.125_f64.sqrt() } else { 0.5 };
                    let exact =
                        norm * ((2 * m + 1) as f64 * u as f64 * std::f64::consts::PI / (2 * k) as f64).cos();
                    let entry = f64::from(matrix.0[m][u]) / 16384.0;
                    assert!((entry - exact).abs() <= 0.5001 / 16384.0, "k {k} m {m} u {u}");
                    let mirrored = matrix.0[k - 1 - m][u];
                    assert_eq!(mirrored, if u % 2 == 0 { 1 } else { -1 } * matrix.0[m][u]);
                }
            }
        }
    }
}
