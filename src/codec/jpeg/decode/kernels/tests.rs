//! Each set of kernels against the scalar set and the definitions.

use super::*;
use crate::codec::jpeg::decode::block::{Scale, bit};
use crate::codec::jpeg::decode::window::Ending;
use crate::codec::jpeg::quant::QuantTable;
use proptest::prelude::*;

#[derive(Clone, Copy)]
struct Idct<'a> {
    dc: i16,
    coefficients: &'a CoefficientBlock,
    steps: &'a CoefficientBlock,
}

impl Idct<'_> {
    /// Returns the K x K samples by the given kernels. Asserts that the rest of the target stays untouched.
    fn samples<K: Kernels>(self, kernels: K, k: usize) -> Vec<u8> {
        const STRIDE: usize = 19;
        let mut out = [0x5A; 8 * STRIDE];
        let Idct { dc, coefficients, steps } = self;
        match k {
            1 => kernels.idct::<1>(dc, coefficients, steps, &mut out, STRIDE),
            2 => kernels.idct::<2>(dc, coefficients, steps, &mut out, STRIDE),
            3 => kernels.idct::<3>(dc, coefficients, steps, &mut out, STRIDE),
            4 => kernels.idct::<4>(dc, coefficients, steps, &mut out, STRIDE),
            5 => kernels.idct::<5>(dc, coefficients, steps, &mut out, STRIDE),
            6 => kernels.idct::<6>(dc, coefficients, steps, &mut out, STRIDE),
            7 => kernels.idct::<7>(dc, coefficients, steps, &mut out, STRIDE),
            _ => kernels.idct::<8>(dc, coefficients, steps, &mut out, STRIDE),
        }
        assert!(out.chunks(STRIDE).skip(k).flatten().all(|&b| b == 0x5A), "wrote below the block");
        out.chunks(STRIDE).take(k).flat_map(|row| &row[..k]).copied().collect()
    }
}

/// Compares the best kernels of this machine with the scalar ones.
struct AgreesWithScalar<'a>(Idct<'a>);

impl KernelTask for AgreesWithScalar<'_> {
    type Output = ();

    fn run<K: Kernels>(self, kernels: K) {
        for k in 1..=8 {
            assert_eq!(self.0.samples(kernels, k), self.0.samples(Scalar, k), "k = {k}");
        }
    }
}

fn block(values: &[i16]) -> CoefficientBlock {
    let mut block = CoefficientBlock::ZERO;
    block.0[..64].copy_from_slice(values);
    block
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_instruction_set_transforms_alike(
        values in prop::collection::vec(any::<i16>(), 64),
        steps in prop::collection::vec(any::<i16>(), 64),
        shift in 0_u32..16,
    ) {
        let values: Vec<i16> = values.iter().map(|v| v >> shift).collect();
        let steps: Vec<i16> = steps.iter().map(|v| v >> shift).collect();
        run(AgreesWithScalar(Idct { dc: values[5], coefficients: &block(&values), steps: &block(&steps) }));
    }

    #[test]
    fn every_instruction_set_deposits_alike(bits in any::<u64>(), mask in any::<u64>()) {
        struct Deposit(u64, u64);
        impl KernelTask for Deposit {
            type Output = u64;
            fn run<K: Kernels>(self, kernels: K) -> u64 {
                kernels.deposit(self.0, self.1)
            }
        }
        prop_assert_eq!(run(Deposit(bits, mask)), Scalar.deposit(bits, mask));
        prop_assert_eq!(Scalar.deposit(!0, mask), mask);
    }

    #[test]
    fn every_instruction_set_extracts_what_it_deposits(bits in any::<u64>(), mask in any::<u64>()) {
        struct Extract(u64, u64);
        impl KernelTask for Extract {
            type Output = u64;
            fn run<K: Kernels>(self, kernels: K) -> u64 {
                kernels.extract(self.0, self.1)
            }
        }
        prop_assert_eq!(run(Extract(bits, mask)), Scalar.extract(bits, mask));
        prop_assert_eq!(Scalar.deposit(Scalar.extract(bits, mask), mask), bits & mask);
    }

    #[test]
    fn every_instruction_set_refines_alike(
        values in prop::collection::vec(any::<i16>(), 64),
        set in any::<u64>(),
        negative in any::<u64>(),
        low in 0_u8..14,
    ) {
        struct Refine<'a>(&'a mut [i16], &'a ScaledIdctLayout, RefineStep);
        impl KernelTask for Refine<'_> {
            type Output = ();
            fn run<K: Kernels>(self, kernels: K) {
                kernels.refine(self.0, self.1, self.2);
            }
        }
        let step = RefineStep { set: set & !bit(0), negative, low };
        for scale in Scale::ALL.into_iter().filter(|scale| scale.k() > 1) {
            let idct = ScaledIdctLayout::new(scale, &QuantTable([1; 64]));
            let (mut stored, mut plain) = (values[..scale.stored()].to_vec(), values[..scale.stored()].to_vec());
            run(Refine(&mut stored, &idct, step));
            Scalar.refine(&mut plain, &idct, step);
            prop_assert_eq!(stored, plain);
        }
    }

    #[test]
    fn every_instruction_set_unstuffs_alike(
        source in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(0xFF), 1 => Just(0)], 0..400),
        room in 0_usize..500,
    ) {
        struct Unstuff<'a>(&'a [u8], usize);
        impl KernelTask for Unstuff<'_> {
            type Output = (Unstuffed, Vec<u8>);
            fn run<K: Kernels>(self, kernels: K) -> Self::Output {
                let mut out = vec![0; self.1];
                let unstuffed = kernels.unstuff(self.0, &mut out);
                out.truncate(unstuffed.written);
                (unstuffed, out)
            }
        }
        let (unstuffed, out) = run(Unstuff(&source, room));
        let (plain, plain_out) = Unstuff(&source, room).run(Scalar);
        if unstuffed.ending != Ending::NotYet && plain.ending != Ending::NotYet {
            prop_assert_eq!(unstuffed, plain);
        }
        let common = out.len().min(plain_out.len());
        prop_assert_eq!(&out[..common], &plain_out[..common]);
    }
}

#[test]
fn the_halves_of_flat_blocks_round_up() {
    for (dc, sample) in [(3, 128), (4, 129), (12, 130), (-4, 128), (-5, 127), (-12, 127), (100, 141)] {
        assert_eq!(flat_sample(dc), sample, "dc {dc}");
    }
}

#[test]
fn a_flat_block_is_what_the_transform_gives() {
    for dc in i16::MIN..=i16::MAX {
        for k in 1..=8 {
            let samples = Idct { dc, coefficients: &CoefficientBlock::ZERO, steps: &CoefficientBlock::ZERO }
                .samples(Scalar, k);
            assert!(samples.iter().all(|&s| s == flat_sample(dc)), "dc {dc} k {k}");
        }
    }
}
