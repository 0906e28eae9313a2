//! `Queue`: items that are left, including those that a worker gave back.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Work for several threads. A worker finishes the item that it takes or gives it back. The queue ends when it is
/// empty and no item is in work.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<QueueState<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState<T> {
    items: VecDeque<T>,
    in_hand: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(items: impl Iterator<Item = T>) -> Queue<T> {
        let state = QueueState { items: items.collect(), in_hand: 0, closed: false };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The next item; waits while there may be one. `None` at the end.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(item) = state.items.pop_front() {
                state.in_hand += 1;
                return Some(item);
            }
            if state.in_hand == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// An item is finished.
    pub(crate) fn done(&self) {
        self.lock().in_hand -= 1;
        self.changed.notify_all();
    }

    /// An item could not be finished; it is next.
    pub(crate) fn give_back(&self, item: T) {
        let mut state = self.lock();
        state.in_hand -= 1;
        state.items.push_front(item);
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing more is handed out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The remaining items.
    pub(crate) fn into_items(self) -> impl Iterator<Item = T> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).items.into_iter()
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn an_item_that_is_given_back_reaches_a_worker_that_found_the_queue_empty() {
        let queue = Queue::new(0..1);
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            let item = queue.take().unwrap();
            scope.spawn(|| send.send(queue.take()).unwrap());
            queue.give_back(item);
            assert_eq!(receive.recv().unwrap(), Some(0));
            queue.done();
        });
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn a_closed_queue_keeps_what_is_left() {
        let queue = Queue::new(0..3);
        queue.take();
        queue.close();
        assert_eq!(queue.take(), None);
        assert_eq!(queue.into_items().collect::<Vec<_>>(), [1, 2]);
    }
}
