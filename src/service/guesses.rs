//! `WrongTokens`: counts wrong tokens by network, so that tokens cannot be guessed.

use crate::service::caller::network;
use lru::LruCache;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens that a network may offer within [`WINDOW`].
const MOST: u32 = 10;

/// Time after which a network may guess again.
const WINDOW: Duration = Duration::from_secs(60);

/// Most networks remembered. Past it the one that guessed least recently is evicted.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(16 << 10).expect("not zero");

/// Counts of wrong tokens.
#[derive(Debug)]
pub(super) struct WrongTokens(Mutex<LruCache<IpAddr, Tally>>);

#[derive(Debug, Clone, Copy)]
struct Tally {
    wrong: u32,
    since: Instant,
}

/// A network has offered too many wrong tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong tokens from this address, try again in {} s", retry_after.as_secs().max(1))]
pub struct TooManyGuesses {
    /// Time until the next guess is compared.
    pub retry_after: Duration,
}

impl Default for WrongTokens {
    fn default() -> Self {
        WrongTokens(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl WrongTokens {
    /// Counts a wrong token from `peer`.
    ///
    /// # Errors
    /// [`TooManyGuesses`] past ten wrong ones within a minute; the token need not be compared then.
    pub(super) fn check(&self, peer: IpAddr, now: Instant) -> Result<(), TooManyGuesses> {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tally) = tallies.peek(&network(peer)).filter(|tally| tally.wrong >= MOST) else {
            return Ok(());
        };
        let retry_after = WINDOW.saturating_sub(now.saturating_duration_since(tally.since));
        if retry_after.is_zero() { Ok(()) } else { Err(TooManyGuesses { retry_after }) }
    }

    /// Notes a wrong token.
    pub(super) fn note(&self, peer: IpAddr, now: Instant) {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.get_or_insert_mut(network(peer), || Tally { wrong: 0, since: now });
        if now.saturating_duration_since(tally.since) >= WINDOW {
            *tally = Tally { wrong: 0, since: now };
        }
        tally.wrong += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn ten_wrong_tokens_silence_an_address_for_a_minute_and_no_other() {
        let guesses = WrongTokens::default();
        let start = Instant::now();
        for _ in 0..MOST {
            assert_eq!(guesses.check(HERE, start), Ok(()));
            guesses.note(HERE, start);
        }
        assert!(guesses.check(HERE, start + Duration::from_secs(59)).is_err());
        assert_eq!(guesses.check(Ipv4Addr::new(10, 0, 0, 1).into(), start), Ok(()));
        assert_eq!(guesses.check(HERE, start + WINDOW), Ok(()));
        guesses.note(HERE, start + WINDOW);
        assert_eq!(guesses.check(HERE, start + WINDOW), Ok(()));
    }

    #[test]
    fn a_flood_of_addresses_evicts_the_least_recent_and_never_the_one_that_guesses() {
        let guesses = WrongTokens::default();
        let now = Instant::now();
        (0..MOST).for_each(|_| guesses.note(HERE, now));
        let half = CAPACITY.get() as u32 / 2;
        for n in 0..8 * half {
            guesses.note(Ipv4Addr::from_bits(0x0a00_0000 + n).into(), now);
            if n % half == 0 {
                guesses.note(HERE, now);
            }
        }
        assert!(guesses.check(HERE, now).is_err(), "a flood from elsewhere does not reset the count");
        assert_eq!(guesses.0.lock().unwrap().len(), CAPACITY.get());
        assert!(guesses.0.lock().unwrap().peek(&Ipv4Addr::from_bits(0x0a00_0000).into()).is_none());
    }
}
