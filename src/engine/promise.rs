//! `Promise` and `Awaited`: one value from a worker to whoever waits for it, a thread or a task.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The worker's end. Dropping it without a value is an answer too.
#[derive(Debug)]
pub(super) struct Promise<T>(Arc<Cell<T>>);

/// The waiting end.
#[derive(Debug)]
pub(super) struct Awaited<T>(Arc<Cell<T>>);

/// The promise was dropped without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

#[derive(Debug)]
struct Cell<T> {
    state: Mutex<State<T>>,
    /// For a thread that waits.
    arrived: Condvar,
}

#[derive(Debug)]
struct State<T> {
    outcome: Option<Result<T, Broken>>,
    /// The task that waits.
    waker: Option<Waker>,
}

pub(super) fn promise<T>() -> (Promise<T>, Awaited<T>) {
    let state = Mutex::new(State { outcome: None, waker: None });
    let cell = Arc::new(Cell { state, arrived: Condvar::new() });
    (Promise(cell.clone()), Awaited(cell))
}

impl<T> Cell<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, outcome: Result<T, Broken>) {
        let mut state = self.lock();
        state.outcome.get_or_insert(outcome);
        let waker = state.waker.take();
        drop(state);
        self.arrived.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Promise<T> {
    /// Hands the value over; whoever waited may have left.
    pub(super) fn keep(self, value: T) {
        self.0.settle(Ok(value));
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.0.settle(Err(Broken));
    }
}

impl<T> Awaited<T> {
    /// Blocks for at most `patience`; `None` when nothing came.
    pub(super) fn wait(&self, patience: Duration) -> Option<Result<T, Broken>> {
        let state = self.0.lock();
        let waited = self.0.arrived.wait_timeout_while(state, patience, |state| state.outcome.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.outcome.take()
    }
}

impl<T> Future for Awaited<T> {
    type Output = Result<T, Broken>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock();
        match state.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn a_thread_gets_the_value_of_another() {
        let (promise, awaited) = promise();
        assert_eq!(awaited.wait(Duration::from_millis(1)), None);
        let worker = std::thread::spawn(move || promise.keep(7));
        assert_eq!(awaited.wait(SOON), Some(Ok(7)));
        worker.join().unwrap();
    }

    #[test]
    fn a_dropped_promise_is_told() {
        let (promise, awaited) = promise::<u8>();
        drop(promise);
        assert_eq!(awaited.wait(SOON), Some(Err(Broken)));
    }

    #[test]
    fn a_task_is_woken_once_the_value_is_there() {
        #[derive(Default)]
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count::default());
        let waker = count.clone().into();
        let mut context = Context::from_waker(&waker);
        let (promise, mut awaited) = promise();
        assert_eq!(Pin::new(&mut awaited).poll(&mut context), Poll::Pending);
        promise.keep(7);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(Pin::new(&mut awaited).poll(&mut context), Poll::Ready(Ok(7)));
    }
}
