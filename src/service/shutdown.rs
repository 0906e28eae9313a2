//! `Shutdown`: the one signal that ends a server, for threads that wait, tasks that poll, and loops that look.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

type Callback = Box<dyn FnOnce() + Send>;

/// A signal that is given once. Clones share it.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Signal>);

#[derive(Default)]
struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Default)]
struct SignalState {
    announced: bool,
    requested: bool,
    callbacks: Vec<Callback>,
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("requested", &self.is_requested()).finish_non_exhaustive()
    }
}

impl Shutdown {
    /// Announces the shutdown: readiness fails, so that a balancer sends new callers elsewhere, and all goes on until
    /// [`Shutdown::request`].
    pub fn announce(&self) {
        self.lock().announced = true;
    }

    /// Returns true if the shutdown was announced or requested.
    pub fn is_announced(&self) -> bool {
        let state = self.lock();
        state.announced || state.requested
    }

    /// Requests the shutdown: wakes all that wait and runs the callbacks. A second request does nothing.
    pub fn request(&self) {
        let callbacks = {
            let mut state = self.lock();
            state.requested = true;
            std::mem::take(&mut state.callbacks)
        };
        self.0.changed.notify_all();
        callbacks.into_iter().for_each(|callback| callback());
    }

    /// Returns true if the shutdown was requested.
    pub fn is_requested(&self) -> bool {
        self.lock().requested
    }

    /// Blocks until the shutdown is requested.
    pub fn wait(&self) {
        let waited = self.0.changed.wait_while(self.lock(), |state| !state.requested);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Blocks for `time`, or until the shutdown is requested. Returns true if it is.
    pub fn wait_timeout(&self, time: Duration) -> bool {
        let waited = self.0.changed.wait_timeout_while(self.lock(), time, |state| !state.requested);
        waited.unwrap_or_else(PoisonError::into_inner).0.requested
    }

    /// Runs `callback` once at the request, or at once if there was one. It must not block.
    pub fn on_request(&self, callback: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.requested {
            drop(state);
            callback();
        } else {
            state.callbacks.push(Box::new(callback));
        }
    }

    fn lock(&self) -> MutexGuard<'_, SignalState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_callback_runs_once_before_and_after() {
        let shutdown = Shutdown::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = |by| {
            let calls = calls.clone();
            shutdown.on_request(move || {
                calls.fetch_add(by, Ordering::Relaxed);
            });
        };
        count(1);
        assert_eq!((shutdown.is_requested(), calls.load(Ordering::Relaxed)), (false, 0));
        shutdown.request();
        count(10);
        shutdown.request();
        assert_eq!((shutdown.is_requested(), calls.load(Ordering::Relaxed)), (true, 11));
    }

    #[test]
    fn a_thread_that_waits_is_woken() {
        let shutdown = Shutdown::default();
        assert!(!shutdown.wait_timeout(Duration::from_millis(1)));
        let waiting = shutdown.clone();
        let thread = std::thread::spawn(move || waiting.wait());
        shutdown.request();
        thread.join().unwrap();
        assert!(shutdown.wait_timeout(Duration::from_secs(60)));
    }
}
