//! Forward DCT and quantisation of 8x8 blocks (T.81 A.3.3, A.3.4).
//!
//! Two passes of a 1-D DCT with 14-bit cosines, columns first. Coefficients come out in column-major order (8
//! x horizontal frequency + vertical frequency), which saves a transposition; [`SCAN`] reads them in zig-zag
//! order. Quantisation multiplies by a reciprocal in f32 and rounds to nearest even. These are single IEEE
//! operations, so that all instruction sets give the same bits. Before that, coefficients move away from zero
//! by as much as in the encoder of the IJG, so that a quality gives the same picture and size as there.

mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;

use crate::codec::jpeg::quant::QuantTable;
#[cfg(target_arch = "x86_64")]
use crate::codec::jpeg::simd::Avx2;
#[cfg(target_arch = "aarch64")]
use crate::codec::jpeg::simd::Neon;
use crate::codec::jpeg::zigzag::NATURAL;

/// Quantised coefficients of a block, in column-major order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(32))]
pub(crate) struct DctBlock(pub(crate) [i16; 64]);

impl Default for DctBlock {
    fn default() -> Self {
        DctBlock([0; 64])
    }
}

/// `SCAN[z]` is the place in a [`DctBlock`] of the `z`-th coefficient in zig-zag order.
pub(crate) const SCAN: [u8; 64] = {
    let mut scan = [0; 64];
    let mut z = 0;
    while z < 64 {
        scan[z] = NATURAL[z] % 8 * 8 + NATURAL[z] / 8;
        z += 1;
    }
    scan
};

/// Half the cosine of k pi / 16, with 14 fractional bits. `COS[0]` is the factor of the DC term, half the
/// root of 1/2.
const COS: [i16; 8] = [5793, 8035, 7568, 6811, 5793, 4551, 3135, 1598];

/// Fractional bits kept by the first pass.
const FIRST_PASS_BITS: u32 = 5;
/// Bits shifted out by the first pass.
const FIRST_SHIFT: u32 = 14 - FIRST_PASS_BITS;
/// Fractional bits of a coefficient before quantisation.
const COEFFICIENT_BITS: u32 = 14 + FIRST_PASS_BITS;

/// Offset of a coefficient away from zero, for a step of 1. The IJG's encoder rounds to eighths, then to
/// steps with ties away from zero. Half an eighth has the same effect.
const AWAY: i32 = 1 << (COEFFICIENT_BITS - 4);

/// Factors that turn DCT sums into quantised coefficients.
#[derive(Debug, Clone)]
#[repr(align(32))]
pub(crate) struct Reciprocals {
    factors: [f32; 64],
    /// Offset added to the magnitude of a sum before.
    away: i32,
}

impl Reciprocals {
    /// Makes the reciprocals of the steps of `table`.
    pub(crate) fn new(table: &QuantTable) -> Reciprocals {
        let unit = (1_u32 << COEFFICIENT_BITS) as f32;
        let factors = std::array::from_fn(|i| 1.0 / (f32::from(table.0[i % 8 * 8 + i / 8]) * unit));
        Reciprocals { factors, away: AWAY }
    }

    /// Makes factors for unquantised coefficients times 16, as the trellis needs them.
    pub(crate) fn sixteenths() -> Reciprocals {
        Reciprocals { factors: [16.0 / (1_u32 << COEFFICIENT_BITS) as f32; 64], away: 0 }
    }
}

/// Transforms and quantises the neighbouring 8x8 blocks at the start of `samples`, one for each of `blocks`.
/// Rows are `stride` apart. Bit `z` of a mask is set if the `z`-th coefficient in zig-zag order is not zero.
///
/// # Panics
/// If `samples` ends before the last block does, or the numbers of masks and blocks differ.
pub(crate) fn forward(
    samples: &[u8],
    stride: usize,
    reciprocals: &Reciprocals,
    blocks: &mut [DctBlock],
    masks: &mut [u64],
) {
    assert!(blocks.len() == masks.len() && 8 * blocks.len() <= stride);
    assert!(samples.len() >= 7 * stride + 8 * blocks.len());
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Avx2::detect() {
        return avx2::forward(avx2, samples, stride, reciprocals, blocks, masks);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(neon) = Neon::detect() {
        return neon::forward(neon, samples, stride, reciprocals, blocks, masks);
    }
    scalar::forward(samples, stride, reciprocals, blocks, masks);
}

/// Computes the mask that [`forward`] gives with a block.
pub(crate) fn nonzero(block: &DctBlock) -> u64 {
    SCAN.iter().rev().fold(0, |mask, &place| mask << 1 | u64::from(block.0[usize::from(place & 63)] != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> impl Strategy<Value = QuantTable> {
        prop::array::uniform32(1_u16..256).prop_map(|steps| QuantTable(std::array::from_fn(|i| steps[i / 2])))
    }

    proptest! {
        #[test]
        fn the_dispatched_transform_equals_the_scalar_one(
            samples in prop::collection::vec(any::<u8>(), 8 * 32),
            table in table(),
        ) {
            let reciprocals = Reciprocals::new(&table);
            let mut fast = ([DctBlock::default(); 4], [0; 4]);
            let mut plain = fast;
            forward(&samples, 32, &reciprocals, &mut fast.0, &mut fast.1);
            scalar::forward(&samples, 32, &reciprocals, &mut plain.0, &mut plain.1);
            prop_assert_eq!(fast, plain);
            prop_assert_eq!(fast.0.map(|block| nonzero(&block)), fast.1);
        }

        #[test]
        fn coefficients_are_those_of_the_definition(samples in prop::collection::vec(any::<u8>(), 64)) {
            let mut block = [DctBlock::default()];
            forward(&samples, 8, &Reciprocals::sixteenths(), &mut block, &mut [0]);
            for u in 0..8 {
                for v in 0..8 {
                    let basis = |k: usize, x: usize| {
                        let scale = if k == 0 { 0.5_f64.sqrt() } else { 1.0 };
                        scale / 2.0 * ((2 * x + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos()
                    };
                    let exact: f64 = (0..64)
                        .map(|i| (f64::from(samples[i]) - 128.0) * basis(v, i / 8) * basis(u, i % 8))
                        .sum();
                    let got = f64::from(block[0].0[8 * u + v]) / 16.0;
                    prop_assert!((got - exact).abs() < 0.25, "({u}, {v}): {got} for {exact}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn quantisation_rounds_as_the_encoder_of_the_ijg_does(
            samples in prop::collection::vec(any::<u8>(), 64),
            table in table(),
        ) {
            let (mut fine, mut block) = ([DctBlock::default()], [DctBlock::default()]);
            // Sixteenths are not exact: near an edge, accept either side.
            forward(&samples, 8, &Reciprocals::sixteenths(), &mut fine, &mut [0]);
            forward(&samples, 8, &Reciprocals::new(&table), &mut block, &mut [0]);
            for i in 0..64 {
                let step = i32::from(table.0[i % 8 * 8 + i / 8]);
                let sixteenths = i32::from(fine[0].0[i]);
                let likely = [-1, 1].map(|off| {
                    let eighths = (f64::from(sixteenths + off) / 2.0).round() as i32;
                    (eighths.abs() + 4 * step) / (8 * step) * eighths.signum()
                });
                let got = i32::from(block[0].0[i]);
                prop_assert!(likely.contains(&got), "{sixteenths} sixteenths in steps of {step}: {got}");
            }
        }
    }

    #[test]
    fn exact_ties_go_away_from_zero() {
        let mut block = [DctBlock::default()];
        for (sample, dc) in [(129_u8, 1), (127, -1), (131, 2), (125, -2), (128, 0)] {
            // DC is 8 times the difference to 128: half, one and a half steps of 16.
            forward(&[sample; 64], 8, &Reciprocals::new(&QuantTable([16; 64])), &mut block, &mut [0]);
            assert_eq!(block[0].0[0], dc, "{sample}");
        }
    }

    #[test]
    fn extreme_blocks_are_exact_in_every_twin() {
        for samples in
            [[0_u8; 64], [255; 64], std::array::from_fn(|i| if (i + i / 8) % 2 == 0 { 0 } else { 255 })]
        {
            let reciprocals = Reciprocals::new(&QuantTable([1; 64]));
            let (mut fast, mut plain) = ([DctBlock::default()], [DctBlock::default()]);
            forward(&samples, 8, &reciprocals, &mut fast, &mut [0]);
            scalar::forward(&samples, 8, &reciprocals, &mut plain, &mut [0]);
            assert_eq!(fast, plain);
            assert!(fast[0].0.iter().all(|&coefficient| (-1024..=1024).contains(&coefficient)));
        }
    }
}
