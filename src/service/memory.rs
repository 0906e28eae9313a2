//! `MemoryShares`: who gives way when memory runs out, and `ArrivingMemory`, which grows with the bytes of one body. The
//! clock is an argument.
//!
//! One caller alone may use everything. When another one's bytes do not fit although it is within its fair share, the
//! caller that holds most loses its slow bodies. For a while, nobody then grows beyond a fair share.

use crate::engine::{BudgetSpent, CallerKey, Engine, Reservation};
use crate::service::error::RequestError;
use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time over which the speed of a body counts, and for which fair shares hold once memory has run out, in seconds.
const WINDOW: u64 = 5;

/// Time that a body has to show its speed.
const GRACE: Duration = Duration::from_secs(1);

/// The memory of an engine, as its callers share it.
#[derive(Debug)]
pub struct MemoryShares {
    engine: Arc<Engine>,
    slow: u64,
    state: Mutex<SharesState>,
}

#[derive(Debug, Default)]
struct SharesState {
    next_id: u64,
    arriving: HashMap<u64, Arc<Mutex<ArrivingBody>>>,
    claims: HashMap<CallerKey, Claim>,
}

/// What a caller needed when memory had run out. It is left to the caller for a while.
#[derive(Debug)]
struct Claim {
    bytes: u64,
    until: Instant,
}

impl MemoryShares {
    /// The memory of `engine`, of which a body slower than `slow` bytes a second gives way.
    pub fn new(engine: Arc<Engine>, slow: u64) -> Arc<MemoryShares> {
        Arc::new(MemoryShares { engine, slow, state: Mutex::default() })
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    fn lock(&self) -> MutexGuard<'_, SharesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for a body of `caller` that begins to arrive.
    pub fn arriving(self: &Arc<Self>, caller: CallerKey, now: Instant) -> ArrivingMemory {
        let body = Arc::new(Mutex::new(ArrivingBody {
            memory: self.engine.reserve(caller),
            throughput: Throughput::new(now),
            wake: Wake(None),
            is_paused: false,
            has_given_way: false,
        }));
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.arriving.insert(id, body.clone());
        ArrivingMemory { shares: self.clone(), id, body }
    }

    /// Makes a reservation `bytes` large. Others give way to a caller within its fair share.
    ///
    /// # Errors
    /// `Busy` when memory is spent, or is contended and the caller beyond its share.
    pub fn resize(&self, memory: &mut Reservation, bytes: u64, now: Instant) -> Result<(), RequestError> {
        self.resize_within(memory, bytes..=bytes, now)
    }

    /// As [`MemoryShares::resize`], to the upper bound where there is room for it.
    fn resize_within(
        &self,
        memory: &mut Reservation,
        bytes: RangeInclusive<u64>,
        now: Instant,
    ) -> Result<(), RequestError> {
        let (least, wanted) = bytes.into_inner();
        if least > memory.bytes() && !self.may_grow(memory, least, now) {
            return Err(self.engine.busy().into());
        }
        let resized = memory.resize(wanted).or_else(|BudgetSpent| memory.resize(least));
        resized.map_err(|BudgetSpent| self.engine.busy().into())
    }

    /// Returns false if the caller would grow beyond its share while another claims memory. Others give way here.
    fn may_grow(&self, memory: &Reservation, bytes: u64, now: Instant) -> bool {
        let (budget, caller, more) = (self.engine.budget(), memory.caller(), bytes - memory.bytes());
        let mut state = self.lock();
        if !state.claims.is_empty() {
            state.claims.retain(|_, claim| now < claim.until);
        }
        let is_free = budget.free() >= more;
        if is_free && state.claims.keys().all(|claimant| *claimant == caller) {
            return true;
        }
        let wanted = budget.held(caller).saturating_add(more);
        let claims = state.claims.iter().map(|(claimant, claim)| (*claimant, claim.bytes));
        if wanted > budget.fair_share(caller, claims) {
            return false;
        }
        if !is_free {
            let until = now + Duration::from_secs(WINDOW);
            state.claims.insert(caller, Claim { bytes: wanted, until });
            drop(state);
            self.cut_slow_bodies(caller, more, now);
        }
        true
    }

    /// Cuts slow bodies of the callers that hold most, until `needed` bytes are free for `caller`.
    fn cut_slow_bodies(&self, caller: CallerKey, needed: u64, now: Instant) {
        let budget = self.engine.budget();
        let arriving: Vec<_> = self.lock().arriving.values().cloned().collect();
        let wanted = budget.held(caller) + needed;
        for (holder, mut held) in budget.holders() {
            let mut slow: Vec<_> =
                arriving.iter().filter_map(|body| rank(body, holder, self.slow, now)).collect();
            slow.sort_unstable_by_key(|(speed, _)| *speed);
            for (_, body) in slow {
                if budget.free() >= needed || holder == caller || held <= wanted {
                    break;
                }
                held = held.saturating_sub(body.lock().unwrap_or_else(PoisonError::into_inner).give_way());
            }
        }
    }
}

/// The speed of a body of `holder` that is slow and holds memory. One that is locked grows at this moment.
fn rank(
    body: &Arc<Mutex<ArrivingBody>>,
    holder: CallerKey,
    slow: u64,
    now: Instant,
) -> Option<(u64, &Arc<Mutex<ArrivingBody>>)> {
    let mut state = body.try_lock().ok()?;
    let is_candidate = state.memory.caller() == holder && state.memory.bytes() > 0 && !state.is_paused;
    (is_candidate && state.throughput.is_behind(slow, now)).then(|| (state.throughput.speed(now), body))
}

/// A body that arrives, as the others see it.
#[derive(Debug)]
struct ArrivingBody {
    memory: Reservation,
    throughput: Throughput,
    wake: Wake,
    /// The server does not read at present: the peer is not to blame.
    is_paused: bool,
    has_given_way: bool,
}

impl ArrivingBody {
    /// Frees the memory, and wakes the reader, which frees the bytes. Returns what was freed.
    fn give_way(&mut self) -> u64 {
        let freed = self.memory.bytes();
        self.has_given_way = true;
        let _ = self.memory.resize(0); // never more than before
        if let Some(wake) = &self.wake.0 {
            wake();
        }
        freed
    }
}

/// Wakes the reader of a body.
struct Wake(Option<Box<dyn Fn() + Send + Sync>>);

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake(..)")
    }
}

/// Memory of one body. It grows as bytes arrive, and may have to give way to other callers.
#[derive(Debug)]
pub struct ArrivingMemory {
    shares: Arc<MemoryShares>,
    id: u64,
    body: Arc<Mutex<ArrivingBody>>,
}

impl ArrivingMemory {
    fn lock(&self) -> MutexGuard<'_, ArrivingBody> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `wake` when the body has to give way: its reader may wait for bytes.
    pub fn on_cut(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.lock().wake = Wake(Some(Box::new(wake)));
    }

    /// Tells whether the body has had to give way.
    ///
    /// # Errors
    /// [`RequestError::GaveWay`].
    pub fn check(&self) -> Result<(), RequestError> {
        if self.lock().has_given_way { Err(RequestError::GaveWay { slow: self.shares.slow }) } else { Ok(()) }
    }

    /// Reserved bytes.
    pub fn bytes(&self) -> u64 {
        self.lock().memory.bytes()
    }

    /// Counts `len` bytes that have arrived, and makes the reservation at least `least` bytes large. If it has to grow, then
    /// to `wanted` where there is room.
    ///
    /// # Errors
    /// [`RequestError::GaveWay`]; `Busy` as [`MemoryShares::resize`].
    pub fn grow(&self, len: u64, least: u64, wanted: u64, now: Instant) -> Result<(), RequestError> {
        self.check()?;
        let mut body = self.lock();
        body.throughput.add(len, now);
        if least <= body.memory.bytes() {
            return Ok(());
        }
        self.shares.resize_within(&mut body.memory, least..=wanted, now)
    }

    /// Frees the memory of a body that is not kept.
    pub fn release(&self) {
        let _ = self.lock().memory.resize(0); // never more than before
    }

    /// Notes that the server does not read the body for a while.
    pub fn pause(&self) {
        self.lock().is_paused = true;
    }

    /// Notes that the server reads the body again. Its speed counts from now on.
    pub fn resume(&self, now: Instant) {
        let mut body = self.lock();
        body.is_paused = false;
        body.throughput = Throughput::new(now);
    }

    /// Ends the body: its memory, cut to `bytes`, no longer gives way.
    ///
    /// # Errors
    /// As [`ArrivingMemory::grow`].
    pub fn finish(self, bytes: u64, now: Instant) -> Result<Reservation, RequestError> {
        self.check()?;
        let mut body = self.lock();
        self.shares.resize(&mut body.memory, bytes, now)?;
        let empty = self.shares.engine.reserve(body.memory.caller());
        Ok(std::mem::replace(&mut body.memory, empty))
    }
}

impl Drop for ArrivingMemory {
    fn drop(&mut self) {
        self.shares.lock().arriving.remove(&self.id);
    }
}

/// Bytes of the last seconds.
#[derive(Debug)]
struct Throughput {
    began: Instant,
    /// Bytes of each of the last seconds, by the second modulo their number.
    seconds: [u64; WINDOW as usize],
    /// The second of the latest entry, since `began`.
    latest: u64,
    last: Instant,
}

impl Throughput {
    fn new(now: Instant) -> Throughput {
        Throughput { began: now, seconds: [0; WINDOW as usize], latest: 0, last: now }
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// Forgets seconds that are no longer among the last.
    fn advance(&mut self, now: Instant) {
        let second = self.age(now).as_secs();
        for passed in (self.latest + 1..=second).take(WINDOW as usize) {
            self.seconds[(passed % WINDOW) as usize] = 0;
        }
        if second > self.latest + WINDOW {
            self.seconds = [0; WINDOW as usize];
        }
        self.latest = self.latest.max(second);
    }

    fn add(&mut self, bytes: u64, now: Instant) {
        self.advance(now);
        self.seconds[(self.latest % WINDOW) as usize] += bytes;
        if bytes > 0 {
            self.last = now;
        }
    }

    /// Bytes a second over the last [`WINDOW`], or since the beginning.
    fn speed(&mut self, now: Instant) -> u64 {
        self.advance(now);
        let millis = self.age(now).as_millis().clamp(1000, 1000 * u128::from(WINDOW));
        self.seconds.iter().sum::<u64>() * 1000 / millis as u64
    }

    /// Returns true if the body is slower than `slow` bytes a second, or has stood still for [`GRACE`].
    fn is_behind(&mut self, slow: u64, now: Instant) -> bool {
        let stands_still = now.saturating_duration_since(self.last) >= GRACE;
        stands_still || (self.age(now) >= GRACE && self.speed(now) < slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineSettings, JobError};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const MIB: u64 = 1 << 20;
    const SLOW: u64 = 256 << 10;

    fn shares(total_memory: u64) -> Arc<MemoryShares> {
        let settings = EngineSettings { total_memory, ..EngineSettings::for_workers(1) };
        MemoryShares::new(Arc::new(Engine::new(settings).unwrap()), SLOW)
    }

    fn key(name: &str) -> CallerKey {
        CallerKey::of(name)
    }

    /// A body of which `bytes` have arrived.
    fn body(
        shares: &Arc<MemoryShares>,
        caller: &str,
        bytes: u64,
        now: Instant,
    ) -> Result<ArrivingMemory, RequestError> {
        let memory = shares.arriving(key(caller), now);
        memory.grow(bytes, bytes, bytes, now).map(|()| memory)
    }

    fn is_busy(result: Result<impl Sized, RequestError>) -> bool {
        matches!(result, Err(RequestError::Job(JobError::Busy { .. })))
    }

    fn later(now: Instant, seconds: u64) -> Instant {
        now + Duration::from_secs(seconds)
    }

    #[test]
    fn one_caller_alone_may_use_everything_and_nobody_gives_way_to_itself() {
        let (shares, now) = (shares(64 * MIB), Instant::now());
        let bodies: Vec<_> = (0..4).map(|_| body(&shares, "one", 16 * MIB, now).unwrap()).collect();
        assert!(is_busy(body(&shares, "one", 1, later(now, 60))));
        assert!(bodies.iter().all(|body| body.check().is_ok()));
    }

    #[test]
    fn the_slowest_bodies_of_the_largest_holder_give_way_first() {
        let (shares, now) = (shares(64 * MIB), Instant::now());
        let [slowest, slow, fast] = [16, 16, 28].map(|mib| body(&shares, "most", mib * MIB, now).unwrap());
        let other = body(&shares, "little", 4 * MIB, now).unwrap();
        let then = later(now, 8);
        slowest.grow(1, 1, 1, then).unwrap();
        slow.grow(100 << 10, 1, 1, then).unwrap();
        fast.grow(3 * MIB, 1, 1, then).unwrap();
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        slowest.on_cut(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let _new = body(&shares, "new", 8 * MIB, then).unwrap();
        assert!(matches!(slowest.check(), Err(RequestError::GaveWay { slow: SLOW })));
        assert!(matches!(slowest.grow(1, 1, 1, then), Err(RequestError::GaveWay { .. })));
        assert_eq!((slowest.bytes(), woken.load(Ordering::Relaxed)), (0, 1));
        assert!(slow.check().is_ok() && fast.check().is_ok() && other.check().is_ok(), "one was enough");
        assert!(matches!(slowest.finish(1, then), Err(RequestError::GaveWay { .. })));
    }

    #[test]
    fn a_body_that_keeps_up_is_not_cut_but_grows_no_further_while_others_wait() {
        let (shares, now) = (shares(64 * MIB), Instant::now());
        let fast = body(&shares, "most", 60 * MIB, now).unwrap();
        let then = later(now, 4);
        fast.grow(4 * MIB, 60 * MIB, 60 * MIB, then).unwrap();
        assert!(is_busy(body(&shares, "new", 8 * MIB, then)), "it is told to come again");
        assert!(fast.check().is_ok());
        assert!(is_busy(fast.grow(MIB, 61 * MIB, 61 * MIB, then)), "beyond a fair share");
        let _new = body(&shares, "new", 3 * MIB, then).unwrap();
        fast.grow(MIB, 61 * MIB, 61 * MIB, later(then, WINDOW)).unwrap();
    }

    #[test]
    fn a_caller_beyond_its_own_share_displaces_nobody() {
        let (shares, now) = (shares(64 * MIB), Instant::now());
        let [a, b] = ["a", "b"].map(|caller| body(&shares, caller, 32 * MIB, now).unwrap());
        assert!(is_busy(body(&shares, "a", 1, later(now, 60))));
        assert!(a.check().is_ok() && b.check().is_ok());
    }

    #[test]
    fn many_small_callers_do_not_shrink_the_share_of_a_large_one() {
        let (shares, now) = (shares(64 * MIB), Instant::now());
        let _small: Vec<_> = (0..100).map(|n| body(&shares, &n.to_string(), 1, now).unwrap()).collect();
        let most = body(&shares, "most", 60 * MIB, now).unwrap();
        let _new = body(&shares, "new", 20 * MIB, later(now, 2)).unwrap();
        assert!(most.check().is_err());
    }

    #[test]
    fn a_body_that_the_server_does_not_read_is_not_slow() {
        let (shares, now) = (shares(64 * MIB), Instant::now());
        let held = body(&shares, "most", 60 * MIB, now).unwrap();
        held.pause();
        assert!(is_busy(body(&shares, "new", 8 * MIB, later(now, 60))));
        held.resume(later(now, 60));
        assert!(is_busy(body(&shares, "new", 8 * MIB, later(now, 60))));
        let _new = body(&shares, "new", 8 * MIB, later(now, 62)).unwrap();
        assert!(held.check().is_err());
    }

    #[test]
    fn speed_counts_over_five_seconds() {
        let now = Instant::now();
        let mut throughput = Throughput::new(now);
        throughput.add(5 * SLOW, now);
        assert!(!throughput.is_behind(SLOW, now), "it has a second to show");
        for second in 1..=4 {
            throughput.add(1, later(now, second));
            assert!(!throughput.is_behind(SLOW, later(now, second)), "{second}");
        }
        throughput.add(1, later(now, 5));
        assert!(throughput.is_behind(SLOW, later(now, 5)));
        throughput.add(6 * SLOW, later(now, 100));
        assert_eq!(throughput.speed(later(now, 100)), 6 * SLOW / 5);
        assert!(throughput.is_behind(SLOW, later(now, 101)), "it stands still");
    }

    #[test]
    fn memory_of_a_finished_body_stays_and_that_of_a_dropped_one_returns() {
        let (shares, now) = (shares(64 * MIB), Instant::now());
        let memory = body(&shares, "one", 2 * MIB, now).unwrap().finish(MIB, now).unwrap();
        assert_eq!((memory.bytes(), shares.engine.load().memory_reserved), (MIB, MIB));
        drop((memory, body(&shares, "one", 2 * MIB, now).unwrap()));
        assert_eq!(shares.engine.load().memory_reserved, 0);
        assert!(shares.lock().arriving.is_empty());
    }
}
