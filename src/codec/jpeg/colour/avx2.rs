//! Colour conversions compiled for AVX2: the same code, vectorised wider by the compiler.
#![expect(unsafe_code, reason = "SIMD leaf: calls into target features")]

use crate::codec::jpeg::simd::Avx2;

/// See [`super::rgb_row`].
pub(super) fn rgb_row(_: Avx2, y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
    #[target_feature(enable = "avx2")]
    fn run(y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
        super::rgb_row_of(y, cb, cr, rgb);
    }
    // SAFETY: the proof token guarantees the instructions.
    unsafe { run(y, cb, cr, rgb) }
}

/// See [`super::luma_row`].
pub(super) fn luma_row(_: Avx2, pixels: &[u8], step: usize, luma: &mut [u8]) {
    #[target_feature(enable = "avx2")]
    fn run(pixels: &[u8], step: usize, luma: &mut [u8]) {
        super::luma_row_of(pixels, step, luma);
    }
    // SAFETY: the proof token guarantees the instructions.
    unsafe { run(pixels, step, luma) }
}
