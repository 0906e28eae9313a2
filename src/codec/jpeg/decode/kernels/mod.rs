//! `Kernels`: the few operations that depend on the instruction set, and the choice of the set.
//!
//! A hot loop is a [`Task`], generic over the kernels and inlined; [`run`] calls it inside a function compiled
//! for the best set that this machine has, so that the loop itself profits, too. All sets give the same bytes.

mod matrix;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;

use super::block::{Block, Corner};
use super::window::Unstuffed;

#[cfg(target_arch = "x86_64")]
use crate::codec::jpeg::simd::Avx2;
#[cfg(target_arch = "aarch64")]
use crate::codec::jpeg::simd::Neon;
pub(super) use scalar::Scalar;

/// Operations that depend on the instruction set. An implementing value proves that the machine has it.
pub(super) trait Kernels: Copy + Send + Sync {
    /// Dequantises the K x K corner, transforms it (a K-point inverse DCT both ways, T.81 A.3.3), shifts and
    /// clamps it to 8 bits and writes it to `out`, rows `stride` apart.
    ///
    /// The DC coefficient comes dequantised as `dc`; `steps` is to be zero at its place. For K of 3 and above up to
    /// 4 or 8 samples a row are written, those behind the K-th without meaning.
    ///
    /// # Panics
    /// If `out` is shorter than (K - 1) * stride + 8.
    fn idct<const K: usize>(
        self,
        dc: i16,
        coefficients: &Block,
        steps: &Block,
        out: &mut [u8],
        stride: usize,
    );

    /// Spreads the low bits of `bits` over the set positions of `mask`, lowest first (PDEP).
    fn deposit(self, bits: u64, mask: u64) -> u64;

    /// Gathers the bits of `bits` at the set positions of `mask`, lowest first (PEXT).
    fn extract(self, bits: u64, mask: u64) -> u64;

    /// Takes a step at the coefficients of `stored`, those of a block that `corner` needs.
    fn refine(self, stored: &mut [i16], corner: &Corner, step: Step);

    /// Copies entropy-coded data without stuffed and fill bytes, until a marker, the end of `source`, or fewer
    /// than 64 bytes of room in `out`.
    fn unstuff(self, source: &[u8], out: &mut [u8]) -> Unstuffed;

    /// Runs a task in a function compiled for this instruction set.
    fn run<T: Task>(self, task: T) -> T::Output;
}

/// What a refinement changes in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The coefficients that move by `1 << low`, away from zero.
    pub(super) set: u64,
    /// Those of them that were zero and become negative.
    pub(super) negative: u64,
    pub(super) low: u8,
}

/// Work that is compiled once for each instruction set. `run` is to be `#[inline(always)]`.
pub(super) trait Task {
    type Output;

    fn run<K: Kernels>(self, kernels: K) -> Self::Output;
}

/// Runs `task` with the best kernels that this machine has.
pub(super) fn run<T: Task>(task: T) -> T::Output {
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
