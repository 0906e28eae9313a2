//! `BodyBudget`: limits, deadlines and memory of one request body, without I/O. The clock is an argument.

use crate::engine::{CallerKey, Reservation};
use crate::net::TimeoutKind;
use crate::service::error::RequestError;
use crate::service::memory::{ArrivingMemory, MemoryShares};
use crate::service::settings::ServiceSettings;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Slowest transfer that is in time, beside a fixed allowance, in bytes per second.
const MIN_THROUGHPUT: f64 = 256.0 * 1024.0;

/// First allocation for a body, in bytes.
const FIRST_CHUNK: u64 = 16 << 10;

/// Factor by which a full buffer grows. Untouched memory costs nothing, and each step may copy what has arrived.
const GROWTH: u64 = 64;

/// Time for a transfer of `bytes`: a fixed allowance and one second for each 256 KiB. Bodies and replies share it.
pub fn transfer_time(allowance: Duration, bytes: u64) -> Duration {
    allowance + Duration::from_secs_f64(bytes as f64 / MIN_THROUGHPUT)
}

/// A body that has arrived whole.
#[derive(Debug)]
pub struct ReceivedBody {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The memory that it holds.
    pub memory: Reservation,
}

/// Length of a body, as far as its header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLength {
    /// The length that the peer has announced, in bytes.
    pub announced: Option<u64>,
    /// Bytes allowed beyond the largest image, such as for the fields of a form.
    pub overhead: u64,
}

impl BodyLength {
    /// An image of `len` bytes.
    pub fn exactly(len: u64) -> BodyLength {
        BodyLength { announced: Some(len), overhead: 0 }
    }
}

/// The budget of one body: bytes, time and memory.
///
/// A protocol reads until [`BodyBudget::deadline`], passes the number of bytes to [`BodyBudget::accept`], and calls
/// [`BodyBudget::finish`] at the end.
#[derive(Debug)]
pub struct BodyBudget {
    max: u64,
    allowance: Duration,
    stall: Duration,
    announced: Option<u64>,
    started: Instant,
    last_read: Instant,
    arrived: u64,
    memory: ArrivingMemory,
    shares: Arc<MemoryShares>,
}

impl BodyBudget {
    /// A budget for a body of this length. [`crate::service::Service::admit`] makes one.
    pub(super) fn new(
        shares: &Arc<MemoryShares>,
        settings: &ServiceSettings,
        caller: CallerKey,
        BodyLength { announced, overhead }: BodyLength,
        now: Instant,
    ) -> Result<BodyBudget, RequestError> {
        let max = u64::from(settings.max_body) + overhead;
        match announced {
            Some(0) => return Err(RequestError::Empty),
            Some(len) => check_len(len, max)?,
            None => {}
        }
        Ok(BodyBudget {
            max,
            allowance: settings.body_timeout,
            stall: settings.stall_timeout,
            announced,
            started: now,
            last_read: now,
            arrived: 0,
            memory: shares.arriving(caller, now),
            shares: shares.clone(),
        })
    }

    /// Calls `wake` when the body has to give way to other callers while its reader may wait for bytes.
    pub fn on_cut(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.memory.on_cut(wake);
    }

    /// Tells whether the body has had to give way. Its reader asks when it was woken.
    ///
    /// # Errors
    /// [`RequestError::GaveWay`].
    pub fn check(&self) -> Result<(), RequestError> {
        self.memory.check()
    }

    /// Bytes that have arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The moment at which the body is late, and for which reason. An announced length has its time at once; a body
    /// of unknown length earns it as its bytes arrive.
    pub fn deadline(&self) -> (Instant, TimeoutKind) {
        let (total, stall) = (self.started + self.total_time(), self.last_read + self.stall);
        if total <= stall { (total, TimeoutKind::Body) } else { (stall, TimeoutKind::Stall) }
    }

    /// The error for a body that has not arrived by its deadline.
    pub fn timed_out(&self) -> RequestError {
        match self.deadline().1 {
            TimeoutKind::Stall => RequestError::Timeout { kind: TimeoutKind::Stall, after: self.stall },
            kind => RequestError::Timeout { kind, after: self.total_time() },
        }
    }

    fn total_time(&self) -> Duration {
        transfer_time(self.allowance, self.announced.unwrap_or(self.arrived))
    }

    /// Accepts `len` bytes that have arrived, and reserves memory for them.
    ///
    /// # Errors
    /// [`RequestError::Timeout`], [`RequestError::BodyTooLarge`], and those of [`ArrivingMemory::grow`].
    pub fn accept(&mut self, len: usize, now: Instant) -> Result<(), RequestError> {
        if now > self.deadline().0 {
            return Err(self.timed_out());
        }
        self.arrived += len as u64;
        self.last_read = now;
        check_len(self.arrived, self.max)?;
        // In steps of a quarter, and never more than a quarter beyond what has arrived.
        let step = (self.arrived / 4).min(self.announced.unwrap_or(u64::MAX).saturating_sub(self.arrived));
        self.memory.grow(len as u64, self.arrived, self.arrived + step, now)
    }

    /// Makes room in `body` for at least `least` bytes more, and returns the most that may be read into it.
    ///
    /// # Errors
    /// [`RequestError::Io`] when the system has no memory.
    pub fn make_room(&self, body: &mut Vec<u8>, least: usize) -> Result<usize, RequestError> {
        let wanted = (body.len() + least) as u64;
        let announced = self.announced.unwrap_or(u64::MAX);
        if wanted > body.capacity() as u64 {
            // A length that was announced bounds the steps; without one the buffer doubles.
            let growth = if self.announced.is_some() { GROWTH } else { 2 };
            let capacity = (growth * body.len() as u64).max(FIRST_CHUNK).min(announced).max(wanted);
            let more = usize::try_from(capacity).unwrap_or(usize::MAX) - body.len();
            body.try_reserve_exact(more).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        }
        let end = (body.capacity() as u64).min(announced);
        Ok(usize::try_from(end).unwrap_or(usize::MAX).saturating_sub(body.len()))
    }

    /// Accepts a part that has arrived and appends it to `body`.
    ///
    /// # Errors
    /// As [`BodyBudget::accept`] and [`BodyBudget::make_room`].
    pub fn push(&mut self, body: &mut Vec<u8>, part: &[u8], now: Instant) -> Result<(), RequestError> {
        self.accept(part.len(), now)?;
        self.make_room(body, part.len())?;
        body.extend_from_slice(part);
        Ok(())
    }

    /// Returns true if every announced byte has arrived.
    pub fn is_complete(&self) -> bool {
        self.announced.is_some_and(|len| self.arrived >= len)
    }

    /// Ends the body: its memory goes with the image into the engine.
    ///
    /// # Errors
    /// [`RequestError::Truncated`] when bytes are missing; [`RequestError::Empty`] for a body of none;
    /// [`RequestError::GaveWay`].
    pub fn finish(self, bytes: Vec<u8>) -> Result<ReceivedBody, RequestError> {
        self.check()?;
        if let Some(want) = self.announced.filter(|want| self.arrived < *want) {
            return Err(RequestError::Truncated { part: "image", got: self.arrived, want });
        }
        if bytes.is_empty() {
            return Err(RequestError::Empty);
        }
        self.shares.engine().metrics().bytes_in.add(self.arrived);
        let memory = self.memory.finish(bytes.len() as u64, self.last_read)?;
        Ok(ReceivedBody { bytes, memory })
    }
}

fn check_len(len: u64, max: u64) -> Result<(), RequestError> {
    if len > max { Err(RequestError::BodyTooLarge { max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, EngineSettings};

    const SECOND: Duration = Duration::from_secs(1);

    fn shares(total_memory: u64) -> Arc<MemoryShares> {
        let settings = EngineSettings { total_memory, ..EngineSettings::for_workers(1) };
        MemoryShares::new(Arc::new(Engine::new(settings).unwrap()), 256 << 10)
    }

    fn reserved(shares: &MemoryShares) -> u64 {
        shares.engine().load().memory_reserved
    }

    fn budget(shares: &Arc<MemoryShares>, announced: Option<u64>, now: Instant) -> BodyBudget {
        let length = BodyLength { announced, overhead: 0 };
        BodyBudget::new(shares, &ServiceSettings::default(), CallerKey::default(), length, now).unwrap()
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_a_byte_is_read() {
        let (shares, settings) = (shares(1 << 20), ServiceSettings::default());
        let refused = BodyBudget::new(
            &shares,
            &settings,
            CallerKey::default(),
            BodyLength::exactly(1 << 40),
            Instant::now(),
        );
        assert!(matches!(refused, Err(RequestError::BodyTooLarge { max }) if max == 32 << 20));
    }

    #[test]
    fn a_body_without_a_length_is_refused_when_it_grows_too_large() {
        let (shares, now) = (shares(256 << 20), Instant::now());
        let mut body = budget(&shares, None, now);
        body.accept(32 << 20, now).unwrap();
        assert!(matches!(body.accept(1, now), Err(RequestError::BodyTooLarge { .. })));
    }

    #[test]
    fn an_announced_body_has_ten_seconds_and_one_for_each_256_kib() {
        let now = Instant::now();
        let mut body = budget(&shares(64 << 20), Some(1 << 20), now);
        assert_eq!(body.deadline(), (now + 5 * SECOND, TimeoutKind::Stall));
        for second in (4..=12).step_by(4) {
            body.accept(1, now + second * SECOND).unwrap();
        }
        assert_eq!(body.deadline(), (now + 14 * SECOND, TimeoutKind::Body));
        let late = body.accept(1, now + 15 * SECOND);
        assert!(
            matches!(late, Err(RequestError::Timeout { kind: TimeoutKind::Body, after }) if after == 14 * SECOND)
        );
    }

    #[test]
    fn a_body_of_unknown_length_earns_its_time() {
        let now = Instant::now();
        let mut body = budget(&shares(64 << 20), None, now);
        body.accept(1 << 20, now + 4 * SECOND).unwrap();
        body.accept(1 << 20, now + 8 * SECOND).unwrap();
        body.accept(0, now + 13 * SECOND).unwrap();
        assert_eq!(body.deadline(), (now + 18 * SECOND, TimeoutKind::Body));
    }

    #[test]
    fn a_pause_longer_than_the_stall_time_is_late() {
        let now = Instant::now();
        let mut body = budget(&shares(64 << 20), Some(1 << 20), now);
        assert!(body.accept(1, now + 5 * SECOND).is_ok());
        let late = body.accept(1, now + 11 * SECOND);
        assert!(matches!(late, Err(RequestError::Timeout { kind: TimeoutKind::Stall, .. })));
    }

    #[test]
    fn memory_follows_what_arrived_and_never_the_promise() {
        let (shares, now) = (shares(64 << 20), Instant::now());
        let mut body = budget(&shares, Some(32 << 20), now);
        assert_eq!(reserved(&shares), 0);
        for _ in 0..1000 {
            body.accept(4096, now).unwrap();
            let (arrived, reserved) = (body.arrived(), reserved(&shares));
            assert!((arrived..=arrived + arrived / 4).contains(&reserved), "{reserved} for {arrived}");
        }
        drop(body);
        assert_eq!(reserved(&shares), 0);
    }

    #[test]
    fn a_body_that_the_budget_cannot_hold_is_busy() {
        let (shares, now) = (shares(1 << 20), Instant::now());
        let mut body = budget(&shares, Some(2 << 20), now);
        body.accept(1 << 19, now).unwrap();
        let error = body.accept(1 << 20, now).unwrap_err();
        assert_eq!(error.status(), crate::status::Status::Busy);
        assert!(error.retry_after().is_some());
    }

    #[test]
    fn the_buffer_grows_in_few_steps_up_to_the_announced_length() {
        let now = Instant::now();
        let budget = budget(&shares(64 << 20), Some(5 << 20), now);
        let (mut body, mut steps) = (Vec::new(), 0);
        while body.len() < 5 << 20 {
            let room = budget.make_room(&mut body, 1).unwrap();
            body.resize(body.len() + room, 0);
            steps += 1;
        }
        assert_eq!((body.len(), steps), (5 << 20, 3));
    }

    #[test]
    fn missing_bytes_and_no_bytes_are_two_answers() {
        let (shares, now) = (shares(64 << 20), Instant::now());
        let mut cut = budget(&shares, Some(100), now);
        cut.accept(48, now).unwrap();
        let error = cut.finish(vec![0; 48]).unwrap_err();
        assert_eq!(error.to_string(), "the peer closed the connection after 48 of 100 bytes of the image");
        assert!(matches!(budget(&shares, None, now).finish(Vec::new()), Err(RequestError::Empty)));
    }
}
