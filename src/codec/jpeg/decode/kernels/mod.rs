//! `Kernels`: the operations that depend on the instruction set, and the dispatch to the best set.
//!
//! A hot loop is a [`KernelTask`], generic over the kernels and inlined. [`run`] calls it inside a function compiled for
//! the best set of this machine, so that the loop itself uses that set, too. All sets give the same bytes.

mod matrix;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;

use super::block::{CoefficientBlock, ScaledIdctLayout};
use super::window::Unstuffed;

#[cfg(target_arch = "x86_64")]
use crate::codec::jpeg::simd::Avx2;
#[cfg(target_arch = "aarch64")]
use crate::codec::jpeg::simd::Neon;
pub(super) use scalar::Scalar;

/// Operations that depend on the instruction set. A value of an implementing type proves that the machine has it.
pub(super) trait Kernels: Copy + Send + Sync {
    /// Dequantises the K x K corner, transforms it (K-point inverse DCTs, T.81 A.3.3), level-shifts and clamps it to
    /// 8 bits, and writes it to `out`, rows `stride` apart.
    ///
    /// `dc` is the dequantised DC coefficient; `steps` must be zero at its place. For K of 3 and above, a row of 4
    /// or 8 samples is written; those behind the K-th are unspecified.
    ///
    /// # Panics
    /// If `out` is shorter than (K - 1) * stride + 8.
    fn idct<const K: usize>(
        self,
        dc: i16,
        coefficients: &CoefficientBlock,
        steps: &CoefficientBlock,
        out: &mut [u8],
        stride: usize,
    );

    /// Spreads the low bits of `bits` over the set positions of `mask`, lowest first (PDEP).
    fn deposit(self, bits: u64, mask: u64) -> u64;

    /// Gathers the bits of `bits` at the set positions of `mask`, lowest first (PEXT).
    fn extract(self, bits: u64, mask: u64) -> u64;

    /// Refines the coefficients in `stored`, those of a block that `idct` needs.
    fn refine(self, stored: &mut [i16], idct: &ScaledIdctLayout, step: RefineStep);

    /// Copies entropy-coded data without stuffed and fill bytes. Stops at a marker, the end of `source`, or less than
    /// 64 bytes of room in `out`.
    fn unstuff(self, source: &[u8], out: &mut [u8]) -> Unstuffed;

    /// Runs a task in a function compiled for this instruction set.
    fn run<T: KernelTask>(self, task: T) -> T::Output;
}

/// Change of a block by a refinement.
#[derive(Debug, Clone, Copy)]
pub(super) struct RefineStep {
    /// Coefficients that move by `1 << low`, away from zero.
    pub(super) set: u64,
    /// Those of them that were zero and become negative.
    pub(super) negative: u64,
    pub(super) low: u8,
}

/// Work compiled once for each instruction set. Mark `run` as `#[inline(always)]`.
pub(super) trait KernelTask {
    type Output;

    fn run<K: Kernels>(self, kernels: K) -> Self::Output;
}

/// Runs `task` with the best kernels of this machine.
pub(super) fn run<T: KernelTask>(task: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Avx2::detect() {
        return avx2.run(task);
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(neon) = Neon::detect() {
        return neon.run(task);
    }
    Scalar.run(task)
}

pub(super) use matrix::flat_sample;

#[cfg(test)]
mod tests;
