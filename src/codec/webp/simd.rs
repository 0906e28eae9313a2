//! Runs a task compiled for the best instruction set of the processor.

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "calls code compiled for instructions that were detected")]
pub(super) fn run<T>(task: impl FnOnce() -> T) -> T {
    /// `task` must be inlined to be compiled for these sets.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    fn with_avx2<T>(task: impl FnOnce() -> T) -> T {
        task()
    }
    let has_all = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt");
    if has_all {
        // SAFETY: the processor has all features that the function is compiled for.
        unsafe { with_avx2(task) }
    } else {
        task()
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn run<T>(task: impl FnOnce() -> T) -> T {
    task()
}
