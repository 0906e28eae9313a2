//! `Budget`: memory that all requests share, and `Reservation`, a part of it that returns on drop.

use crate::engine::job::CallerKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A number of bytes that all requests share, and the part of it that each caller holds.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    used: u64,
    /// Callers that hold something.
    held: HashMap<CallerKey, u64>,
}

/// The budget has too little left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory budget is spent")]
pub struct BudgetSpent;

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Arc<Budget> {
        Arc::new(Budget { limit, ledger: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserved bytes.
    pub fn used(&self) -> u64 {
        self.lock().used
    }

    /// Bytes that nobody holds.
    pub fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used())
    }

    /// Bytes that `caller` holds.
    pub fn held(&self, caller: CallerKey) -> u64 {
        self.lock().held.get(&caller).copied().unwrap_or_default()
    }

    /// Callers that hold something, the one with most first.
    pub fn holders(&self) -> Vec<(CallerKey, u64)> {
        let mut holders: Vec<_> = self.lock().held.iter().map(|(caller, bytes)| (*caller, *bytes)).collect();
        holders.sort_unstable_by_key(|(caller, bytes)| (u64::MAX - bytes, *caller));
        holders
    }

    /// The fair share of `caller`: an equal one, and its part of what callers that need less than theirs leave. A caller
    /// needs what it holds or claims.
    pub fn fair_share(&self, caller: CallerKey, claims: impl IntoIterator<Item = (CallerKey, u64)>) -> u64 {
        let mut needs = self.lock().held.clone();
        for (claimant, bytes) in claims {
            let needed = needs.entry(claimant).or_default();
            *needed = bytes.max(*needed);
        }
        needs.remove(&caller);
        let mut needs: Vec<u64> = needs.into_values().collect();
        needs.sort_unstable();
        let (mut left, mut sharers) = (self.limit, 1 + needs.len() as u64);
        for needed in needs {
            if needed >= left / sharers {
                break;
            }
            left -= needed;
            sharers -= 1;
        }
        left / sharers
    }

    /// An empty reservation of `caller`, to be grown.
    pub fn reserve(self: &Arc<Self>, caller: CallerKey) -> Reservation {
        Reservation { budget: self.clone(), caller, bytes: 0 }
    }
}

impl Ledger {
    fn add(&mut self, caller: CallerKey, bytes: u64) {
        if bytes > 0 {
            self.used += bytes;
            *self.held.entry(caller).or_default() += bytes;
        }
    }

    fn give_back(&mut self, caller: CallerKey, bytes: u64) {
        self.used -= bytes;
        if let Some(held) = self.held.get_mut(&caller) {
            *held -= bytes;
            if *held == 0 {
                self.held.remove(&caller);
            }
        }
    }
}

/// A part of a [`Budget`]. It returns on drop, also when a panic unwinds.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    caller: CallerKey,
    bytes: u64,
}

impl Reservation {
    /// Reserved bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The caller that holds it.
    pub fn caller(&self) -> CallerKey {
        self.caller
    }

    /// Grows or shrinks the reservation to `bytes`.
    ///
    /// # Errors
    /// [`BudgetSpent`] when the budget has too little left; the reservation stays as it was.
    pub fn resize(&mut self, bytes: u64) -> Result<(), BudgetSpent> {
        let mut ledger = self.budget.lock();
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            ledger.used.checked_add(more).filter(|used| *used <= self.budget.limit).ok_or(BudgetSpent)?;
            ledger.add(self.caller, more);
        } else {
            ledger.give_back(self.caller, self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Grows the reservation to at least `bytes`, even past the budget.
    pub(super) fn force(&mut self, bytes: u64) {
        let more = bytes.saturating_sub(self.bytes);
        self.budget.lock().add(self.caller, more);
        self.bytes += more;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.lock().give_back(self.caller, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static ANN: LazyLock<CallerKey> = LazyLock::new(|| CallerKey::of("ann"));

    #[test]
    fn reserved_bytes_return_on_drop() {
        let budget = Budget::new(100);
        let mut a = budget.reserve(*ANN);
        a.resize(60).unwrap();
        let mut b = budget.reserve(*ANN);
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
        let mut a = budget.reserve(*ANN);
        a.resize(1).unwrap();
        assert_eq!(a.resize(u64::MAX), Err(BudgetSpent));
        assert_eq!(budget.used(), 1);
    }

    #[test]
    fn callers_that_hold_little_leave_their_share_to_the_others() {
        let budget = Budget::new(100);
        let hold = |name: &str, bytes| {
            let mut memory = budget.reserve(CallerKey::of(name));
            memory.resize(bytes).unwrap();
            memory
        };
        let large = hold("large", 70);
        let small: Vec<_> = (0..10).map(|n| hold(&n.to_string(), 1)).collect();
        assert_eq!(budget.fair_share(CallerKey::of("new"), []), 45, "half of what ten small ones leave");
        assert_eq!(budget.fair_share(CallerKey::of("large"), []), 90);
        let claim = (CallerKey::of("new"), 30);
        assert_eq!(budget.fair_share(CallerKey::of("large"), [claim]), 60);
        assert_eq!(budget.holders()[0], (CallerKey::of("large"), 70));
        drop((large, small));
        assert_eq!((budget.fair_share(CallerKey::of("new"), []), budget.holders().len()), (100, 0));
    }
}
