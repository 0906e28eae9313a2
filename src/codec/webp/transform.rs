//! Inverse transforms: the 4x4 DCT and the Walsh-Hadamard transform of luma DC (RFC 6386 section 14).

#[cfg(target_arch = "x86_64")]
mod sse2;

use super::tokens::Block;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use scalar::{add, add_dc};
#[cfg(target_arch = "x86_64")]
pub(super) use sse2::{add, add_dc};

/// sqrt(2) * cos(pi / 8) - 1 and sqrt(2) * sin(pi / 8) - 1, in 16 bits behind the point.
const COSINE: i16 = 20_091;
const SINE: i16 = (35_468 - 65_536) as i16;

/// Spreads the transformed luma DC coefficients over the 16 blocks of a macroblock.
pub(super) fn inverse_walsh_hadamard(dc: &Block, blocks: &mut [Block]) {
    let mut columns = [0_i32; 16];
    for i in 0..4 {
        let [x0, x1, x2, x3] = [0, 4, 8, 12].map(|row| i32::from(dc[row + i]));
        let (a, b, c, d) = (x0 + x3, x1 + x2, x1 - x2, x0 - x3);
        [columns[i], columns[4 + i], columns[8 + i], columns[12 + i]] = [a + b, c + d, a - b, d - c];
    }
    for (row, blocks) in columns.as_chunks::<4>().0.iter().zip(blocks.as_chunks_mut::<4>().0) {
        let [x0, x1, x2, x3] = *row;
        let (a, b, c, d) = (x0 + x3, x1 + x2, x1 - x2, x0 - x3);
        for (block, value) in blocks.iter_mut().zip([a + b, c + d, a - b, d - c]) {
            block[0] = ((value + 3) >> 3) as i16;
        }
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod scalar {
    use super::{COSINE, SINE};
    use crate::codec::webp::tokens::Block;

    /// The upper half of a product, as SIMD multiplies.
    fn high(a: i16, b: i16) -> i16 {
        ((i32::from(a) * i32::from(b)) >> 16) as i16
    }

    /// A one-dimensional transform. It wraps as SIMD does, which only damaged data can show.
    fn pass([i0, i1, i2, i3]: [i16; 4]) -> [i16; 4] {
        let (a, b) = (i0.wrapping_add(i2), i0.wrapping_sub(i2));
        let c = i1.wrapping_sub(i3).wrapping_add(high(i1, SINE).wrapping_sub(high(i3, COSINE)));
        let d = i1.wrapping_add(i3).wrapping_add(high(i1, COSINE).wrapping_add(high(i3, SINE)));
        [a.wrapping_add(d), b.wrapping_add(c), b.wrapping_sub(c), a.wrapping_sub(d)]
    }

    /// Adds the inverse DCT of `block` to the 4x4 samples at `at`.
    #[inline(always)]
    pub(in crate::codec::webp) fn add(block: &Block, plane: &mut [u8], at: usize, stride: usize) {
        let mut columns = [[0; 4]; 4];
        for (x, column) in columns.iter_mut().enumerate() {
            *column = pass([block[x], block[4 + x], block[8 + x], block[12 + x]]);
        }
        for y in 0..4 {
            let first = columns[0][y].wrapping_add(4);
            let row = pass([first, columns[1][y], columns[2][y], columns[3][y]]);
            for (sample, value) in plane[at + y * stride..][..4].iter_mut().zip(row) {
                *sample = i16::from(*sample).wrapping_add(value >> 3).clamp(0, 255) as u8;
            }
        }
    }

    /// Adds the inverse DCT of a block that has a DC coefficient alone.
    #[inline(always)]
    pub(in crate::codec::webp) fn add_dc(dc: i16, plane: &mut [u8], at: usize, stride: usize) {
        let value = dc.wrapping_add(4) >> 3;
        for y in 0..4 {
            for sample in &mut plane[at + y * stride..][..4] {
                *sample = i16::from(*sample).wrapping_add(value).clamp(0, 255) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn simd_and_scalar_transforms_are_equal(
            block in prop::array::uniform16(-2048_i16..2048), samples in prop::collection::vec(any::<u8>(), 64),
        ) {
            let (mut fast, mut plain) = (samples.clone(), samples.clone());
            add(&block, &mut fast, 3, 16);
            scalar::add(&block, &mut plain, 3, 16);
            prop_assert_eq!(&fast, &plain);
            add_dc(block[0], &mut fast, 3, 16);
            scalar::add_dc(block[0], &mut plain, 3, 16);
            prop_assert_eq!(fast, plain);
        }

        #[test]
        fn a_block_of_dc_alone_needs_no_transform(dc in -2048_i16..2048, samples in prop::collection::vec(any::<u8>(), 64)) {
            let (mut whole, mut short) = (samples.clone(), samples);
            let mut block = [0; 16];
            block[0] = dc;
            add(&block, &mut whole, 0, 16);
            add_dc(dc, &mut short, 0, 16);
            prop_assert_eq!(whole, short);
        }
    }

    #[test]
    fn a_single_luma_dc_is_spread_evenly() {
        let mut dc = [0; 16];
        dc[0] = 83;
        let mut blocks = [[0; 16]; 16];
        inverse_walsh_hadamard(&dc, &mut blocks);
        assert!(blocks.iter().all(|block| block[0] == (83 + 3) >> 3));
    }
}
