//! `Events`: who wants to know when a task has moved on.

use crate::tasks::TaskId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Listener = Box<dyn Fn() + Send>;

/// The listeners of each task.
#[derive(Default)]
pub(super) struct Events(Mutex<Listeners>);

#[derive(Default)]
struct Listeners {
    of_task: HashMap<TaskId, Vec<(u64, Listener)>>,
    next: u64,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("tasks", &self.lock().of_task.len()).finish()
    }
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, Listeners> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(self: &Arc<Self>, task: TaskId, listener: Listener) -> Subscription {
        let mut listeners = self.lock();
        let number = listeners.next;
        listeners.next += 1;
        listeners.of_task.entry(task).or_default().push((number, listener));
        Subscription { events: self.clone(), task, number }
    }

    /// Tells those who listen to a task that it has moved on.
    pub(super) fn publish(&self, task: TaskId) {
        if let Some(listeners) = self.lock().of_task.get(&task) {
            listeners.iter().for_each(|(_, listener)| listener());
        }
    }
}

/// Ends the listening when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    events: Arc<Events>,
    task: TaskId,
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut listeners = self.events.lock();
        if let Some(of_task) = listeners.of_task.get_mut(&self.task) {
            of_task.retain(|(number, _)| *number != self.number);
            if of_task.is_empty() {
                listeners.of_task.remove(&self.task);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn those_who_listen_are_told_and_those_who_left_are_not() {
        let events = Arc::<Events>::default();
        let (one, other) = (TaskId::random().unwrap(), TaskId::random().unwrap());
        let heard = Arc::new(AtomicU32::new(0));
        let listener = |heard: &Arc<AtomicU32>| {
            let heard = heard.clone();
            Box::new(move || {
                heard.fetch_add(1, Ordering::SeqCst);
            })
        };
        let (first, second) =
            (events.subscribe(one, listener(&heard)), events.subscribe(one, listener(&heard)));
        events.publish(one);
        events.publish(other);
        assert_eq!(heard.load(Ordering::SeqCst), 2);
        drop(first);
        events.publish(one);
        assert_eq!(heard.load(Ordering::SeqCst), 3);
        drop(second);
        assert!(events.lock().of_task.is_empty());
    }
}
