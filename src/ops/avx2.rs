//! Kernels compiled for AVX2.
#![expect(unsafe_code, reason = "one call into a function with target features")]

use super::vector::Task;

/// Runs a kernel with AVX2, or gives it back where the processor has none.
#[inline]
pub(super) fn run<T: Task>(task: T) -> Result<(), T> {
    #[target_feature(enable = "avx2")]
    fn with_avx2<T: Task>(task: T) {
        task.run();
    }
    if !is_x86_feature_detected!("avx2") {
        return Err(task);
    }
    // SAFETY: the processor has AVX2.
    unsafe { with_avx2(task) };
    Ok(())
}
