//! `Budget`: memory that all requests share, taken by reservations that give it back when dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes that many requests draw from.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
}

/// The budget has not enough left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory budget is spent")]
pub struct BudgetSpent;

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Arc<Budget> {
        Arc::new(Budget { limit, used: AtomicU64::new(0) })
    }

    /// Bytes that are reserved now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// A reservation of nothing, to be grown.
    pub fn open(self: &Arc<Self>) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    fn take(&self, bytes: u64) -> Result<(), BudgetSpent> {
        let taken = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).map(drop).map_err(|_| BudgetSpent)
    }
}

/// A share of a [`Budget`], given back on drop, also when a panic unwinds.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Reservation {
    /// How much is reserved.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the reservation `bytes` large, whether that is more or less than before.
    ///
    /// # Errors
    /// [`BudgetSpent`] when the budget has not so much left; the reservation stays as it was.
    pub fn resize(&mut self, bytes: u64) -> Result<(), BudgetSpent> {
        if bytes > self.bytes {
            self.budget.take(bytes - self.bytes)?;
        } else {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Makes the reservation at least `bytes` large even past the budget: for the one request that
    /// runs alone, so that a budget full of waiting bodies cannot bring everything to a halt.
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
    fn what_is_reserved_comes_back_on_drop() {
        let budget = Budget::new(100);
        let mut a = budget.open();
        a.resize(60).unwrap();
        let mut b = budget.open();
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
        let mut a = budget.open();
        a.resize(1).unwrap();
        assert_eq!(a.resize(u64::MAX), Err(BudgetSpent));
        assert_eq!(budget.used(), 1);
    }
}
