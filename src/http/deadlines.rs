//! `ConnectionDeadlines`: until when one connection may wait for a head, for its next request, or for its peer to take
//! a reply. Knows no sockets and no clock: the caller says what time it is.

use crate::net::TimeoutKind;
use crate::service::connections::ConnectionGuard;
use crate::service::{ServiceSettings, transfer_time};
use futures_util::task::AtomicWaker;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// Deadline of a connection that is busy: its requests have deadlines of their own.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Deadlines of one connection, shared by its socket, its requests and the task that closes it.
#[derive(Debug)]
pub(super) struct ConnectionDeadlines {
    header: Duration,
    idle: Duration,
    write: Duration,
    progress: Mutex<Progress>,
    changed: AtomicWaker,
    guard: ConnectionGuard,
}

#[derive(Debug)]
struct Progress {
    /// Guards of requests in flight and of bodies being drained.
    busy: usize,
    requests: u64,
    idle_since: Instant,
    /// First byte of a head that is not complete. HTTP/2 sends frames between requests, so it has none.
    head_since: Option<Instant>,
    is_http2: bool,
    is_upgraded: bool,
    /// By request: when the peer must have taken the bytes of the reply that it was given.
    replies: BTreeMap<u64, Instant>,
}

impl ConnectionDeadlines {
    /// For a connection that was just opened: its first head is due.
    pub(super) fn new(settings: &ServiceSettings, guard: ConnectionGuard, now: Instant) -> Arc<Self> {
        guard.idle();
        let progress = Progress {
            busy: 0,
            requests: 0,
            idle_since: now,
            head_since: Some(now),
            is_http2: false,
            is_upgraded: false,
            replies: BTreeMap::new(),
        };
        Arc::new(ConnectionDeadlines {
            header: settings.header_timeout,
            idle: settings.idle_timeout,
            write: settings.write_timeout,
            progress: Mutex::new(progress),
            changed: AtomicWaker::new(),
            guard,
        })
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, is_http2: bool) -> RequestGuard {
        let busy = self.busy();
        let mut progress = self.lock();
        progress.requests += 1;
        progress.head_since = None;
        progress.is_http2 = is_http2;
        RequestGuard { number: progress.requests, busy }
    }

    /// Keeps the connection from being idle until the guard is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> BusyGuard {
        self.lock().busy += 1;
        self.guard.busy();
        BusyGuard(self.clone())
    }

    /// Notes that the bytes are no longer those of HTTP: their reader has deadlines of its own.
    pub(super) fn upgrade(&self) {
        self.lock().is_upgraded = true;
    }

    /// Returns true if requests are in flight whose peer may have closed its sending side.
    pub(super) fn is_in_flight(&self) -> bool {
        let progress = self.lock();
        progress.busy > 0 && !progress.is_upgraded
    }

    /// Notes that bytes have arrived.
    pub(super) fn note_read(&self, now: Instant) {
        let mut progress = self.lock();
        if progress.busy == 0 && !progress.is_http2 {
            progress.head_since.get_or_insert(now);
        }
    }

    /// The earliest deadline as things stand.
    pub(super) fn earliest(&self, now: Instant) -> (Instant, TimeoutKind) {
        let progress = self.lock();
        match (progress.replies.values().min(), progress.head_since) {
            (Some(deadline), _) => (*deadline, TimeoutKind::Write),
            (None, _) if progress.busy > 0 => (now + NEVER, TimeoutKind::Idle),
            (None, Some(since)) => (since + self.header, TimeoutKind::Header),
            (None, None) => (progress.idle_since + self.idle, TimeoutKind::Idle),
        }
    }

    /// Wakes this task when a deadline has moved without a read or write.
    pub(super) fn watch(&self, waker: &Waker) {
        self.changed.register(waker);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks a connection as busy: it is neither idle nor evicted.
#[derive(Debug)]
pub(super) struct BusyGuard(Arc<ConnectionDeadlines>);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        let mut progress = self.0.lock();
        progress.busy -= 1;
        if progress.busy == 0 {
            progress.idle_since = Instant::now();
            self.0.guard.idle();
        }
        drop(progress);
        self.0.changed.wake();
    }
}

/// One request, from its head to the last byte of its reply.
#[derive(Debug)]
pub(super) struct RequestGuard {
    /// Position among the requests of the connection, from 1.
    pub(super) number: u64,
    busy: BusyGuard,
}

impl RequestGuard {
    /// The deadlines of the request's connection.
    pub(super) fn deadlines(&self) -> &Arc<ConnectionDeadlines> {
        &self.busy.0
    }

    /// Gives the peer time to take `bytes` of the reply, and to make room for more.
    pub(super) fn await_peer(&self, bytes: usize, now: Instant) {
        let deadlines = self.deadlines();
        let time = transfer_time(deadlines.write, bytes as u64);
        deadlines.lock().replies.insert(self.number, now + time);
        deadlines.changed.wake();
    }

    /// The peer has taken all that there is; more will come.
    pub(super) fn await_body(&self) {
        self.deadlines().lock().replies.remove(&self.number);
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.await_body();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::connections::{ConnectionHandle, ConnectionRegistry};
    use std::net::{Ipv4Addr, Shutdown};

    #[derive(Debug)]
    struct Unclosed;

    impl ConnectionHandle for Unclosed {
        fn shut(&self, _: Shutdown) {}
    }

    fn opened(now: Instant) -> Arc<ConnectionDeadlines> {
        let guard = ConnectionRegistry::new(1, 1)
            .register(Some(Ipv4Addr::LOCALHOST.into()), Arc::new(Unclosed))
            .unwrap();
        ConnectionDeadlines::new(&ServiceSettings::default(), guard, now)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_head_is_due_at_once_and_later_ones_after_their_first_byte() {
        let start = Instant::now();
        let deadlines = opened(start);
        deadlines.note_read(start + SECOND);
        assert_eq!(deadlines.earliest(start), (start + 5 * SECOND, TimeoutKind::Header));
        drop(deadlines.begin(false));
        let (deadline, timeout) = deadlines.earliest(start);
        assert!(deadline >= start + 75 * SECOND && timeout == TimeoutKind::Idle);
        let later = start + 60 * SECOND;
        deadlines.note_read(later);
        deadlines.note_read(later + SECOND);
        assert_eq!(deadlines.earliest(later), (later + 5 * SECOND, TimeoutKind::Header));
    }

    #[test]
    fn a_connection_of_http2_has_no_head_to_wait_for() {
        let start = Instant::now();
        let deadlines = opened(start);
        drop(deadlines.begin(true));
        deadlines.note_read(start);
        assert_eq!(deadlines.earliest(start).1, TimeoutKind::Idle);
    }

    #[test]
    fn a_reply_that_is_not_taken_has_a_deadline_and_one_that_is_not_ready_has_none() {
        let start = Instant::now();
        let deadlines = opened(start);
        let (one, other) = (deadlines.begin(true), deadlines.begin(true));
        assert!(deadlines.earliest(start).0 > start + 1000 * SECOND, "work has its own deadline");
        one.await_peer(0, start + SECOND);
        other.await_peer(512 << 10, start);
        assert_eq!(deadlines.earliest(start), (start + 11 * SECOND, TimeoutKind::Write));
        one.await_body();
        assert_eq!(deadlines.earliest(start), (start + 12 * SECOND, TimeoutKind::Write));
        drop(other);
        assert!(deadlines.earliest(start).0 > start + 1000 * SECOND);
        assert!(deadlines.is_in_flight());
        drop(one);
        assert!(!deadlines.is_in_flight());
    }
}
