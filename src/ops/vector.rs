//! Runs loops that the compiler turns into vector instructions on the widest vectors of this processor.

/// A kernel. [`run`](Task::run) and what it calls must be `#[inline(always)]`: only so is it compiled once more for
/// each instruction set. Integer kernels, and float kernels without reductions, give the same bits on all.
pub(super) trait Task {
    fn run(self);
}

/// Runs a kernel with AVX2 where the processor has it, else with what every processor has.
#[inline]
pub(super) fn widest(task: impl Task) {
    #[cfg(target_arch = "x86_64")]
    let Err(task) = super::avx2::run(task) else { return };
    task.run();
}
