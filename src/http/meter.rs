//! `Meter`: which stage a connection is in, and until when. The socket, the requests and the watchdog of a
//! connection share one.

use crate::reject_reason::RejectReason;
use crate::service::connections::ConnectionGuard;
use crate::service::settings::ServiceSettings;
use futures_util::task::AtomicWaker;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// Slowest transfer that is still in time, beside the fixed allowance, in bytes per second.
pub(super) const RATE: f64 = 256.0 * 1024.0;

/// Further away than any deadline.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The clock of one connection.
#[derive(Debug)]
pub(super) struct Meter {
    header: Duration,
    idle: Duration,
    write: Duration,
    state: Mutex<State>,
    watchdog: AtomicWaker,
    seat: ConnectionGuard,
}

#[derive(Debug)]
struct State {
    /// Requests whose reply is not yet handed over.
    in_hand: usize,
    /// Bodies that nobody wants, of requests that may have been answered.
    unwanted: usize,
    requests: u64,
    /// Whether a request has come whose reply is not yet taken.
    owes_reply: bool,
    /// Since when nothing is in hand.
    idle_since: Instant,
    /// When the first byte of the next head came. HTTP/2 has frames between requests, so it has none.
    head_since: Option<Instant>,
    is_http2: bool,
    /// Since when the peer has not taken a byte that it should.
    blocked_since: Option<Instant>,
    /// When all replies must have been taken.
    taken_by: Option<Instant>,
}

impl State {
    /// Whether requests are worked on, or a body comes: they have deadlines of their own.
    fn is_occupied(&self) -> bool {
        self.in_hand > 0 || self.unwanted > 0
    }
}

/// Why a connection's time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overrun {
    /// Nobody's fault.
    Idle,
    Header,
    Write,
}

impl Overrun {
    /// What it is called; idling too long has no name.
    pub(super) fn reason(self) -> Option<RejectReason> {
        match self {
            Overrun::Idle => None,
            Overrun::Header => Some(RejectReason::HeaderTimeout),
            Overrun::Write => Some(RejectReason::WriteTimeout),
        }
    }
}

impl Meter {
    /// For a connection that was just opened: its first head is due.
    pub(super) fn new(settings: &ServiceSettings, seat: ConnectionGuard) -> Arc<Meter> {
        let now = Instant::now();
        seat.idle();
        let state = State {
            in_hand: 0,
            unwanted: 0,
            requests: 0,
            owes_reply: false,
            idle_since: now,
            head_since: Some(now),
            is_http2: false,
            blocked_since: None,
            taken_by: None,
        };
        Arc::new(Meter {
            header: settings.header_timeout,
            idle: settings.idle_timeout,
            write: settings.write_timeout,
            state: Mutex::new(state),
            watchdog: AtomicWaker::new(),
            seat,
        })
    }

    /// Counts a request for as long as the guard lives.
    pub(super) fn begin(self: &Arc<Self>, is_http2: bool) -> InHand {
        let mut state = self.lock();
        state.in_hand += 1;
        state.requests += 1;
        state.owes_reply = true;
        state.head_since = None;
        state.is_http2 = is_http2;
        self.seat.busy();
        InHand { number: state.requests, meter: self.clone() }
    }

    /// Lets a body that nobody wants come for as long as the guard lives.
    pub(super) fn pass_over(self: &Arc<Self>) -> Unwanted {
        self.lock().unwanted += 1;
        Unwanted(self.clone())
    }

    /// Notes bytes that came.
    pub(super) fn has_read(&self) {
        let mut state = self.lock();
        if !state.is_occupied() && !state.is_http2 {
            state.head_since.get_or_insert_with(Instant::now);
        }
    }

    /// Notes that the peer took something, or did not.
    pub(super) fn has_written(&self, blocked: bool) {
        let mut state = self.lock();
        match blocked {
            true => drop(state.blocked_since.get_or_insert_with(Instant::now)),
            false => state.blocked_since = None,
        }
    }

    /// Notes that everything so far was taken.
    pub(super) fn has_flushed(&self) {
        let mut state = self.lock();
        state.blocked_since = None;
        if state.in_hand == 0 {
            state.taken_by = None;
            state.owes_reply = false;
        }
    }

    /// The number of the request that is on its way, where all before it have had their reply: whatever is
    /// written now, nobody asked for.
    pub(super) fn unasked(&self) -> Option<u64> {
        let state = self.lock();
        (!state.owes_reply).then_some(state.requests + 1)
    }

    /// Allows time for a reply of this length; one without a length has all the time it needs.
    pub(super) fn allow_reply(&self, bytes: Option<u64>) {
        let mut state = self.lock();
        let time = bytes.map_or(NEVER, |bytes| self.write + Duration::from_secs_f64(bytes as f64 / RATE));
        let now = Instant::now();
        state.taken_by = Some(state.taken_by.map_or(now, |by| by.max(now)) + time);
    }

    /// When this connection's time is up as things stand, and for what.
    pub(super) fn deadline(&self) -> (Instant, Overrun) {
        let state = self.lock();
        match (state.blocked_since, state.head_since) {
            (Some(since), _) => {
                let stalled = since + self.write;
                (state.taken_by.map_or(stalled, |by| by.min(stalled)), Overrun::Write)
            }
            (None, _) if state.is_occupied() => (Instant::now() + NEVER, Overrun::Idle),
            (None, Some(since)) => (since + self.header, Overrun::Header),
            (None, None) => (state.idle_since + self.idle, Overrun::Idle),
        }
    }

    /// Wakes this task when the deadline has moved without a read or write.
    pub(super) fn watch(&self, waker: &Waker) {
        self.watchdog.register(waker);
    }

    fn end(&self, end: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        end(&mut state);
        if state.in_hand == 0 {
            state.idle_since = Instant::now();
            self.seat.idle();
            drop(state);
            self.watchdog.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose reply is not yet handed over.
#[derive(Debug)]
pub(super) struct InHand {
    /// How many there have been on this connection, this one included.
    pub(super) number: u64,
    meter: Arc<Meter>,
}

impl InHand {
    /// The clock of the connection.
    pub(super) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    /// Allows time for the reply.
    pub(super) fn allow_reply(&self, bytes: Option<u64>) {
        self.meter.allow_reply(bytes);
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.meter.end(|state| state.in_hand -= 1);
    }
}

/// A body that nobody wants, of which more may come.
#[derive(Debug)]
pub(super) struct Unwanted(Arc<Meter>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.end(|state| state.unwanted -= 1);
    }
}
