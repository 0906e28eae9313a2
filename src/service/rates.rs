//! `RateLimits`: requests a second and megapixels a minute of one caller.

use crate::service::caller::Caller;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use std::num::NonZeroU32;
use std::time::Duration;

/// Pixels are counted in thousands.
const PIXELS_A_CELL: u64 = 1000;

/// Callers remembered before the quiet ones are forgotten.
const MANY_CALLERS: usize = 16 << 10;

/// A caller has used up its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limit of {limit} {unit} is reached, try again in {} ms", retry_after.as_millis())]
pub struct OverRate {
    /// The limit.
    pub limit: u32,
    /// The unit of the limit, with its period.
    pub unit: &'static str,
    /// Time after which trying again helps.
    pub retry_after: Duration,
}

/// The limits of one server, kept for each caller by itself.
#[derive(Debug, Default)]
pub struct RateLimits {
    requests: Option<Limit>,
    megapixels: Option<Limit>,
}

#[derive(Debug)]
struct Limit {
    limit: u32,
    unit: &'static str,
    burst: NonZeroU32,
    limiter: DefaultKeyedRateLimiter<Caller>,
}

impl RateLimits {
    /// Limits in requests a second and megapixels of work a minute; `None` is no limit. A whole second's or minute's
    /// share may be used at once.
    pub fn new(requests: Option<u32>, megapixels: Option<u32>) -> RateLimits {
        let a_second = |limit: NonZeroU32| (limit, Quota::per_second(limit));
        let a_minute = |limit: NonZeroU32| {
            let cells = limit.saturating_mul(NonZeroU32::new(1000).unwrap_or(NonZeroU32::MIN));
            (cells, Quota::per_minute(cells))
        };
        RateLimits {
            requests: Limit::new(requests, "requests a second", a_second),
            megapixels: Limit::new(megapixels, "megapixels a minute", a_minute),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`OverRate`].
    pub fn request(&self, caller: &Caller) -> Result<(), OverRate> {
        self.requests.as_ref().map_or(Ok(()), |limit| limit.take(caller, 1))
    }

    /// Counts the pixels of a source picture. A picture larger than a minute's share needs, and takes, all of it.
    ///
    /// # Errors
    /// [`OverRate`].
    pub fn pixels(&self, caller: &Caller, pixels: u64) -> Result<(), OverRate> {
        let cells = u32::try_from(pixels.div_ceil(PIXELS_A_CELL)).unwrap_or(u32::MAX);
        self.megapixels.as_ref().map_or(Ok(()), |limit| limit.take(caller, cells))
    }
}

impl Limit {
    fn new(
        limit: Option<u32>,
        unit: &'static str,
        quota: impl Fn(NonZeroU32) -> (NonZeroU32, Quota),
    ) -> Option<Limit> {
        let limit = NonZeroU32::new(limit?)?;
        let (burst, quota) = quota(limit);
        Some(Limit { limit: limit.get(), unit, burst, limiter: DefaultKeyedRateLimiter::keyed(quota) })
    }

    fn take(&self, caller: &Caller, cells: u32) -> Result<(), OverRate> {
        if self.limiter.len() > MANY_CALLERS {
            self.limiter.retain_recent();
        }
        let cells = NonZeroU32::new(cells.min(self.burst.get())).unwrap_or(NonZeroU32::MIN);
        match self.limiter.check_key_n(caller, cells) {
            Ok(Ok(())) | Err(_) => Ok(()), // never more than the burst, so it always fits
            Ok(Err(early)) => {
                let retry_after = early.wait_time_from(DefaultClock::default().now());
                Err(OverRate { limit: self.limit, unit: self.unit, retry_after })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Caller = Caller::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[test]
    fn without_limits_everything_passes() {
        let limits = RateLimits::default();
        assert!((0..1000).all(|_| limits.request(&HERE).is_ok() && limits.pixels(&HERE, u64::MAX).is_ok()));
    }

    #[test]
    fn a_caller_over_its_rate_gets_a_retry_hint_and_others_are_not_touched() {
        let limits = RateLimits::new(Some(2), None);
        assert!(limits.request(&HERE).is_ok() && limits.request(&HERE).is_ok());
        let over = limits.request(&HERE).unwrap_err();
        assert!(
            over.retry_after > Duration::ZERO && over.retry_after <= Duration::from_millis(500),
            "{over:?}"
        );
        assert!(limits.request(&Caller::Token("other".into())).is_ok());
    }

    #[test]
    fn pixels_are_a_minutes_share() {
        let limits = RateLimits::new(None, Some(10));
        assert!(limits.pixels(&HERE, 9_000_000).is_ok());
        let over = limits.pixels(&HERE, 2_000_000).unwrap_err();
        assert!(
            over.retry_after > Duration::from_secs(1) && over.retry_after <= Duration::from_secs(6),
            "{over:?}"
        );
        assert!(limits.pixels(&HERE, 900_000).is_ok());
    }

    #[test]
    fn a_picture_larger_than_a_minutes_share_passes_when_nothing_else_was_requested() {
        let limits = RateLimits::new(None, Some(10));
        assert!(limits.pixels(&HERE, 50_000_000).is_ok());
        assert!(limits.pixels(&HERE, 1).is_err());
    }
}
