//! `Stop`: asks a running server to finish, and tells every door of it.

use crate::net::reachable;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Call = Box<dyn FnOnce() + Send>;

/// Asks a running server to finish. Clones ask the same one.
#[derive(Clone)]
pub struct Stop {
    shared: Arc<Shared>,
}

struct Shared {
    asked: AtomicBool,
    wake: SocketAddr,
    calls: Mutex<Vec<Call>>,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("asked", &self.is_asked()).finish_non_exhaustive()
    }
}

impl Stop {
    /// A signal for the server that will run on `listener`.
    ///
    /// # Errors
    /// When the listener has no local address.
    pub fn new(listener: &TcpListener) -> io::Result<Stop> {
        let wake = reachable(listener.local_addr()?);
        Ok(Stop { shared: Arc::new(Shared { asked: AtomicBool::new(false), wake, calls: Mutex::default() }) })
    }

    /// Stops accepting; requests in flight are finished.
    pub fn trigger(&self) {
        self.shared.asked.store(true, Ordering::SeqCst);
        self.run_calls();
        // The accept call sleeps until somebody comes.
        drop(TcpStream::connect_timeout(&self.shared.wake, Duration::from_secs(1)));
    }

    /// Whether the server was asked to stop.
    pub fn is_asked(&self) -> bool {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Calls once when the server is asked to stop, at once if it has been.
    pub fn when_asked(&self, call: impl FnOnce() + Send + 'static) {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(call));
        if self.is_asked() {
            self.run_calls();
        }
    }

    fn run_calls(&self) {
        let calls = std::mem::take(&mut *self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner));
        calls.into_iter().for_each(|call| call());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn everybody_who_asked_is_called_once_before_and_after() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stop = Stop::new(&listener).unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = |by| {
            let calls = calls.clone();
            stop.when_asked(move || {
                calls.fetch_add(by, Ordering::Relaxed);
            });
        };
        count(1);
        assert_eq!((stop.is_asked(), calls.load(Ordering::Relaxed)), (false, 0));
        stop.trigger();
        count(10);
        stop.trigger();
        assert_eq!((stop.is_asked(), calls.load(Ordering::Relaxed)), (true, 11));
    }
}
