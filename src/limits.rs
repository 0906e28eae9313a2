//! Limits of one request: numbers with units and defaults, errors that name them, the cancel flag, and allocation
//! that can fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// One mebibyte, in bytes.
pub const MIB: u64 = 1 << 20;

/// Largest cost of one request. Each limit is checked before the cost is paid.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest source picture, in pixels (width times height). Default: 50,000,000.
    pub max_pixels: u64,
    /// Longest side of a source picture, in pixels. Default: 16,384.
    pub max_side: u32,
    /// Largest result, in pixels. Default: 25,000,000.
    pub max_out_pixels: u64,
    /// Longest side of a result, in pixels. Default: 8,192.
    pub max_out_side: u32,
    /// Most memory that one request may need, in bytes, estimated from the header. Default: 256 MiB.
    pub request_memory: u64,
    /// Most scans of a JPEG file. Default: 100.
    pub max_scans: u32,
    /// Most frames of an animation. Default: 1,000.
    pub max_frames: u32,
    /// Idle workers that may share the picture. Default: 0.
    pub spare_workers: usize,
    /// Ends the work early. Default: never.
    pub cancel: Cancel,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_pixels: 50_000_000,
            max_side: 16_384,
            max_out_pixels: 25_000_000,
            max_out_side: 8_192,
            request_memory: 256 * MIB,
            max_scans: 100,
            max_frames: 1_000,
            spare_workers: 0,
            cancel: Cancel::never(),
        }
    }
}

/// A flag and a deadline that end work early. Cloning and checking are cheap; long loops check once a row.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    gone: Option<Arc<AtomicBool>>,
    deadline: Option<Instant>,
    /// Checks that are left before it stops, for tests that count checks.
    #[cfg(test)]
    patience: Option<Arc<std::sync::atomic::AtomicI64>>,
}

impl Cancel {
    /// Never stops.
    pub fn never() -> Cancel {
        Cancel::default()
    }

    /// Stops at `deadline`, or when [`Cancel::cancel`] is called on a clone.
    pub fn at(deadline: Instant) -> Cancel {
        Cancel {
            gone: Some(Arc::default()),
            deadline: Some(deadline),
            #[cfg(test)]
            patience: None,
        }
    }

    /// Stops after a number of checks.
    #[cfg(test)]
    pub(crate) fn after(times: i64) -> Cancel {
        Cancel { patience: Some(Arc::new(times.into())), ..Cancel::default() }
    }

    /// Stops every clone. Without effect on [`Cancel::never`].
    pub fn cancel(&self) {
        if let Some(gone) = &self.gone {
            gone.store(true, Ordering::Relaxed);
        }
    }

    /// Returns an error once the work has to stop.
    ///
    /// # Errors
    /// [`Stopped`] with the reason.
    pub fn check(&self) -> Result<(), Stopped> {
        #[cfg(test)]
        if self.patience.as_ref().is_some_and(|left| left.fetch_sub(1, Ordering::Relaxed) <= 0) {
            return Err(Stopped::Cancelled);
        }
        if self.gone.as_ref().is_some_and(|gone| gone.load(Ordering::Relaxed)) {
            return Err(Stopped::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Stopped::DeadlinePassed),
            _ => Ok(()),
        }
    }
}

/// A quantity that the operator limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitKind {
    /// Longest side of the source, in pixels.
    SourceSide,
    /// Width times height of the source.
    SourcePixels,
    /// Scans of a JPEG source.
    Scans,
    /// Scans of a JPEG source times its pixels.
    ScannedPixels,
    /// Frames of an animation.
    Frames,
    /// Width of the result, in pixels.
    ResultWidth,
    /// Height of the result, in pixels.
    ResultHeight,
    /// Width times height of the result.
    ResultPixels,
    /// Bytes of the smallest result, compared with `max_bytes`.
    ResultBytes,
    /// The same where the picture must keep its size.
    ResultBytesAtThisSize,
    /// Memory that the request needs, in bytes.
    Memory,
}

impl LimitKind {
    /// The quantity with its unit, as the subject of a sentence.
    pub fn quantity(self) -> &'static str {
        match self {
            LimitKind::SourceSide => "the longest side of the picture in pixels",
            LimitKind::SourcePixels => "the size of the picture in pixels",
            LimitKind::Scans => "the number of scans of the picture",
            LimitKind::ScannedPixels => "the scans of the picture times its pixels",
            LimitKind::Frames => "the number of frames (frames=first or a range such as 0-99 takes fewer)",
            LimitKind::ResultWidth => "the width of the result in pixels",
            LimitKind::ResultHeight => "the height of the result in pixels",
            LimitKind::ResultPixels => "the size of the result in pixels",
            LimitKind::ResultBytes => "the smallest result in bytes",
            LimitKind::ResultBytesAtThisSize => "the smallest result in bytes without allow_smaller=true",
            LimitKind::Memory => "the memory that this request needs in bytes",
        }
    }
}

/// A quantity exceeds its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is {value}, the limit is {max}", limit.quantity())]
pub struct OverLimit {
    /// The quantity.
    pub limit: LimitKind,
    /// Its value.
    pub value: u64,
    /// The largest value that is allowed.
    pub max: u64,
}

impl OverLimit {
    /// Refuses a `value` above `max`.
    ///
    /// # Errors
    /// [`OverLimit`].
    pub fn check(limit: LimitKind, value: u64, max: u64) -> Result<(), OverLimit> {
        if value > max { Err(OverLimit { limit, value, max }) } else { Ok(()) }
    }
}

/// Why work was stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The caller has left.
    #[error("the request was cancelled")]
    Cancelled,
    /// The time for the request is over.
    #[error("the deadline passed")]
    DeadlinePassed,
}

/// The allocator refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory for {bytes} bytes")]
pub struct OutOfMemory {
    /// The size of the allocation.
    pub bytes: u64,
}

/// A zeroed vector of `len` default values, or an error where `vec![]` would abort the process.
///
/// # Errors
/// [`OutOfMemory`] when the allocator refuses.
pub fn try_vec<T: Default + Clone>(len: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(len)
        .map_err(|_| OutOfMemory { bytes: (len as u64).saturating_mul(size_of::<T>() as u64) })?;
    values.resize(len, T::default());
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_cancelled_clone_stops_the_original() {
        let cancel = Cancel::at(Instant::now() + Duration::from_secs(3600));
        assert_eq!(cancel.check(), Ok(()));
        cancel.clone().cancel();
        assert_eq!(cancel.check(), Err(Stopped::Cancelled));
    }

    #[test]
    fn a_deadline_in_the_past_stops() {
        assert_eq!(Cancel::at(Instant::now()).check(), Err(Stopped::DeadlinePassed));
        assert_eq!(Cancel::never().check(), Ok(()));
    }

    #[test]
    fn an_absurd_allocation_is_an_error_and_not_an_abort() {
        assert!(try_vec::<u8>(usize::MAX / 2).is_err());
    }
}
