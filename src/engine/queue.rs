//! The bounded queue before the workers: two lanes, so that small pictures do not starve behind giants.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Source pixels from which a picture counts as a giant.
const GIANT_PIXELS: u64 = 20_000_000;

/// How long after a small picture one worker is kept free of giants.
const KEEP_CLEAR: Duration = Duration::from_secs(1);

/// Small pictures in a row, while a giant waits, before the giant's turn.
const SMALL_TURNS: u32 = 8;

/// Which queue a picture waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Small,
    Giant,
}

impl Lane {
    pub(super) fn of(pixels: u64) -> Lane {
        if pixels < GIANT_PIXELS { Lane::Small } else { Lane::Giant }
    }
}

/// Jobs that wait for a worker, in order of arrival within their lane.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    small: VecDeque<T>,
    giant: VecDeque<T>,
    giants_running: usize,
    turns: u32,
    last_small: Option<Instant>,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        Lanes {
            small: VecDeque::new(),
            giant: VecDeque::new(),
            giants_running: 0,
            turns: 0,
            last_small: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.small.len() + self.giant.len()
    }

    pub(super) fn push(&mut self, lane: Lane, job: T, now: Instant) {
        match lane {
            Lane::Small => {
                self.last_small = Some(now);
                self.small.push_back(job);
            }
            Lane::Giant => self.giant.push_back(job),
        }
    }

    /// Takes out the jobs that `is_dead`, so that they hold no place in the queue.
    pub(super) fn remove(&mut self, is_dead: impl Fn(&T) -> bool) {
        self.small.retain(|job| !is_dead(job));
        self.giant.retain(|job| !is_dead(job));
    }

    /// The lane whose turn it is, if it has a job that may start on one of `workers`.
    pub(super) fn next_lane(&self, workers: usize, now: Instant) -> Option<Lane> {
        let small_traffic = self.last_small.is_some_and(|at| now.duration_since(at) < KEEP_CLEAR);
        let room = if small_traffic { (workers - 1).max(1) } else { workers };
        let giant = !self.giant.is_empty() && self.giants_running < room;
        match (!self.small.is_empty(), giant) {
            (true, true) if self.turns >= SMALL_TURNS => Some(Lane::Giant),
            (true, _) => Some(Lane::Small),
            (false, true) => Some(Lane::Giant),
            (false, false) => None,
        }
    }

    /// The job at the head of a lane.
    pub(super) fn peek(&self, lane: Lane) -> Option<&T> {
        match lane {
            Lane::Small => self.small.front(),
            Lane::Giant => self.giant.front(),
        }
    }

    /// Takes the job at the head of a lane off to run.
    pub(super) fn start(&mut self, lane: Lane) -> Option<T> {
        match lane {
            Lane::Small => {
                self.turns = if self.giant.is_empty() { 0 } else { self.turns + 1 };
                self.small.pop_front()
            }
            Lane::Giant => {
                self.turns = 0;
                self.giants_running += 1;
                self.giant.pop_front()
            }
        }
    }

    /// Notes that a job of that lane has ended.
    pub(super) fn ended(&mut self, lane: Lane) {
        if lane == Lane::Giant {
            self.giants_running -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_one(lanes: &mut Lanes<u32>, workers: usize) -> Option<u32> {
        let lane = lanes.next_lane(workers, Instant::now())?;
        lanes.start(lane)
    }

    #[test]
    fn giants_leave_one_worker_to_small_pictures() {
        let mut lanes = Lanes::new();
        let now = Instant::now();
        lanes.push(Lane::Small, 1, now);
        (2..5).for_each(|giant| lanes.push(Lane::Giant, giant, now));
        assert_eq!(run_one(&mut lanes, 2), Some(1));
        assert_eq!(run_one(&mut lanes, 2), Some(2));
        assert_eq!(run_one(&mut lanes, 2), None);
        lanes.ended(Lane::Giant);
        assert_eq!(run_one(&mut lanes, 2), Some(3));
    }

    #[test]
    fn giants_alone_use_every_worker() {
        let mut lanes = Lanes::new();
        (1..4).for_each(|giant| lanes.push(Lane::Giant, giant, Instant::now()));
        assert_eq!(run_one(&mut lanes, 2), Some(1));
        assert_eq!(run_one(&mut lanes, 2), Some(2));
        assert_eq!(run_one(&mut lanes, 2), None);
    }

    #[test]
    fn a_giant_gets_its_turn_under_a_stream_of_small_pictures() {
        let mut lanes = Lanes::new();
        let now = Instant::now();
        lanes.push(Lane::Giant, 99, now);
        (0..20).for_each(|small| lanes.push(Lane::Small, small, now));
        let order: Vec<_> = (0..10).filter_map(|_| run_one(&mut lanes, 2)).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7, 99, 8]);
    }
}
