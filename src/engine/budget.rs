//! `Budget`: memory that all requests share, and `Reservation`, a part of it that returns on drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes that all requests share.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
}

/// The budget has too little left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory budget is spent")]
pub struct BudgetSpent;

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Arc<Budget> {
        Arc::new(Budget { limit, used: AtomicU64::new(0) })
    }

    /// Reserved bytes.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// An empty reservation, to be grown.
    pub fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    fn take(&self, bytes: u64) -> Result<(), BudgetSpent> {
        let taken = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).map(drop).map_err(|_| BudgetSpent)
    }
}

/// A part of a [`Budget`]. It returns on drop, also when a panic unwinds.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Reservation {
    /// Reserved bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Grows or shrinks the reservation to `bytes`.
    ///
    /// # Errors
    /// [`BudgetSpent`] when the budget has too little left; the reservation stays as it was.
    pub fn resize(&mut self, bytes: u64) -> Result<(), BudgetSpent> {
        if bytes > self.bytes {
            self.budget.take(bytes - self.bytes)?;
        } else {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Grows the reservation to at least `bytes`, even past the budget.
    pub(super) fn force(&mut self, bytes: u64) {
        let more = bytes.saturating_sub(self.bytes);
        self.budget.used.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_bytes_return_on_drop() {
        let budget = Budget::new(100);
        let mut a = budget.reserve();
        a.resize(60).unwrap();
        let mut b = budget.reserve();
        assert_eq!(b.resize(41), Err(BudgetSpent));
        b.resize(40).unwrap();
        a.resize(10).unwrap();
        assert_eq!(budget.used(), 50);
        drop((a, b));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn an_absurd_reservation_is_refused() {
        let budget = Budget::new(100);
        let mut a = budget.reserve();
        a.resize(1).unwrap();
        assert_eq!(a.resize(u64::MAX), Err(BudgetSpent));
        assert_eq!(budget.used(), 1);
    }
}
