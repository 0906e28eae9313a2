//! `Schedule`: the order in which waiting jobs start, and how long one would wait. No locks; time is an argument.
//!
//! Callers share the workers by start-time fair queueing (Goyal, Vin and Cheng, 1996): a job is tagged with the work
//! that its caller has asked for so far, and the lowest tag starts. Jobs of much work have a lane of their own, and one
//! worker is kept free of them while small jobs arrive. A caller who occupies every worker does not keep another one
//! waiting for long: that one starts on an extra worker.

use crate::engine::job::CallerKey;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Work, in the unit of [`Plan::cost`](crate::codec::Plan::cost), from which a job counts as large.
const LARGE: u64 = 20_000_000;

/// Time after a small job in which one worker is kept free of large ones.
const KEEP_CLEAR: Duration = Duration::from_secs(1);

/// Wait of a job, while another caller occupies every worker, before it starts on the extra worker.
const PATIENCE: Duration = Duration::from_millis(100);

/// Callers that are remembered before those without a job are forgotten.
const MANY_CALLERS: usize = 4096;

/// Small jobs in a row, while a large one waits, before the turn of the large one.
const SMALL_TURNS: u32 = 8;

/// A job in the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JobId(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Small,
    Large,
}

#[derive(Debug)]
struct Waiting<T> {
    id: JobId,
    caller: CallerKey,
    lane: Lane,
    cost: u64,
    /// Work of the same caller before this job, on the scale of [`Schedule::virtual_time`].
    tag: u64,
    since: Instant,
    job: T,
}

#[derive(Debug)]
struct Running {
    id: JobId,
    caller: CallerKey,
    lane: Lane,
    cost: u64,
}

/// A job that starts, and how many workers stay idle.
#[derive(Debug)]
pub(super) struct Start<T> {
    pub(super) id: JobId,
    pub(super) job: T,
    pub(super) idle_workers: usize,
}

/// Jobs that wait for one of a number of workers, and those that run.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    workers: usize,
    /// In order of arrival.
    waiting: Vec<Waiting<T>>,
    running: Vec<Running>,
    /// For each caller, the tag that its next job gets, unless [`Schedule::virtual_time`] has passed it.
    next_tags: HashMap<CallerKey, u64>,
    /// The highest tag that has started.
    virtual_time: u64,
    /// Small jobs started in a row while a large one waited.
    turns: u32,
    last_small: Option<Instant>,
    mean: Option<MeanJob>,
    next_id: u64,
}

/// Moving average over the jobs that have ended.
#[derive(Debug, Clone, Copy)]
struct MeanJob {
    seconds: f64,
    cost: f64,
}

impl<T> Schedule<T> {
    pub(super) fn new(workers: usize) -> Schedule<T> {
        Schedule {
            workers,
            waiting: Vec::new(),
            running: Vec::new(),
            next_tags: HashMap::new(),
            virtual_time: 0,
            turns: 0,
            last_small: None,
            mean: None,
            next_id: 0,
        }
    }

    /// Returns true if no job waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Number of jobs for which no worker is idle.
    pub(super) fn queued(&self) -> usize {
        self.waiting.len().saturating_sub(self.workers.saturating_sub(self.running.len()))
    }

    /// Number of jobs that run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Returns true if a worker is idle.
    fn has_idle_worker(&self) -> bool {
        self.running.len() < self.workers
    }

    /// Adds a job.
    pub(super) fn push(&mut self, caller: CallerKey, cost: u64, job: T, now: Instant) -> JobId {
        let cost = cost.max(1);
        let lane = if cost < LARGE { Lane::Small } else { Lane::Large };
        if lane == Lane::Small {
            self.last_small = Some(now);
        }
        let next_tag = self.next_tags.entry(caller).or_default();
        let tag = self.virtual_time.max(*next_tag);
        *next_tag = tag.saturating_add(cost);
        let id = JobId(self.next_id);
        self.next_id += 1;
        self.waiting.push(Waiting { id, caller, lane, cost, tag, since: now, job });
        id
    }

    /// Removes a job that waits; `None` if it has started or ended.
    pub(super) fn remove(&mut self, id: JobId) -> Option<T> {
        let index = self.waiting.iter().position(|waiting| waiting.id == id)?;
        let removed = self.waiting.remove(index);
        // The work that is not done counts for nothing.
        let later = self.waiting[index..].iter_mut().filter(|later| later.caller == removed.caller);
        later.for_each(|later| later.tag = later.tag.saturating_sub(removed.cost));
        if let Some(next_tag) = self.next_tags.get_mut(&removed.caller) {
            *next_tag = next_tag.saturating_sub(removed.cost);
        }
        Some(removed.job)
    }

    /// Returns true if the job waits.
    pub(super) fn contains(&self, id: JobId) -> bool {
        self.waiting.iter().any(|waiting| waiting.id == id)
    }

    /// Removes the last job of the caller who has most jobs waiting, if `caller` has fewer even with one more.
    pub(super) fn displace_for(&mut self, caller: CallerKey) -> Option<T> {
        let longest = self.longest_other_than(caller)?;
        let last = self.waiting.iter().rfind(|waiting| waiting.caller == longest)?.id;
        self.remove(last)
    }

    /// Returns true if [`Schedule::displace_for`] would remove a job.
    pub(super) fn can_displace_for(&self, caller: CallerKey) -> bool {
        self.longest_other_than(caller).is_some()
    }

    fn longest_other_than(&self, caller: CallerKey) -> Option<CallerKey> {
        let mut counts: HashMap<CallerKey, usize> = HashMap::new();
        for waiting in &self.waiting {
            *counts.entry(waiting.caller).or_default() += 1;
        }
        let own = counts.remove(&caller).unwrap_or(0);
        // The key decides among equals, so that the answer does not depend on the order of the map.
        let longest = counts.into_iter().max_by_key(|&(caller, count)| (count, caller))?;
        (longest.1 > own + 1).then_some(longest.0)
    }

    /// Starts the next job, if one may start now and `fits` says so. `fits` is told whether no other job runs.
    pub(super) fn start(
        &mut self,
        now: Instant,
        fits: impl FnOnce(&mut T, bool) -> bool,
    ) -> Option<Start<T>> {
        let index = self.next(now)?;
        if !fits(&mut self.waiting[index].job, self.running.is_empty()) {
            return None;
        }
        let Waiting { id, caller, lane, cost, tag, job, .. } = self.waiting.remove(index);
        self.turns = match lane {
            Lane::Small if self.waits(Lane::Large) => self.turns + 1,
            Lane::Small | Lane::Large => 0,
        };
        self.virtual_time = self.virtual_time.max(tag);
        self.running.push(Running { id, caller, lane, cost });
        self.forget_idle_callers();
        let idle = self.workers.saturating_sub(self.running.len());
        let idle_workers = if self.waiting.is_empty() { idle } else { 0 };
        Some(Start { id, job, idle_workers })
    }

    /// Returns true if a job would start now, memory allowing.
    pub(super) fn may_start(&self, now: Instant) -> bool {
        self.next(now).is_some()
    }

    /// Index of the job that is next.
    fn next(&self, now: Instant) -> Option<usize> {
        if self.has_idle_worker() {
            let lane = self.next_lane(now)?;
            return self.lowest_tag(|waiting| waiting.lane == lane);
        }
        let sole = self.caller_on_every_worker()?;
        self.lowest_tag(|waiting| waiting.caller != sole && now.duration_since(waiting.since) >= PATIENCE)
    }

    fn lowest_tag(&self, is_eligible: impl Fn(&Waiting<T>) -> bool) -> Option<usize> {
        let eligible = self.waiting.iter().enumerate().filter(|(_, waiting)| is_eligible(waiting));
        eligible.min_by_key(|(_, waiting)| waiting.tag).map(|(index, _)| index)
    }

    fn next_lane(&self, now: Instant) -> Option<Lane> {
        let small_traffic = self.last_small.is_some_and(|at| now.duration_since(at) < KEEP_CLEAR);
        let room = if small_traffic { (self.workers - 1).max(1) } else { self.workers };
        let large_running = self.running.iter().filter(|running| running.lane == Lane::Large).count();
        let large = self.waits(Lane::Large) && large_running < room;
        match (self.waits(Lane::Small), large) {
            (true, true) if self.turns >= SMALL_TURNS => Some(Lane::Large),
            (true, _) => Some(Lane::Small),
            (false, true) => Some(Lane::Large),
            (false, false) => None,
        }
    }

    fn waits(&self, lane: Lane) -> bool {
        self.waiting.iter().any(|waiting| waiting.lane == lane)
    }

    /// Returns true if a job waits that may start later without any other event.
    pub(super) fn is_held_back(&self) -> bool {
        let is_others = |sole| self.waiting.iter().any(|waiting| waiting.caller != sole);
        (self.has_idle_worker() && !self.waiting.is_empty())
            || self.caller_on_every_worker().is_some_and(is_others)
    }

    /// The caller who occupies every worker, while the extra worker is free.
    fn caller_on_every_worker(&self) -> Option<CallerKey> {
        let (first, others) = self.running.split_first()?;
        let is_sole = others.iter().all(|running| running.caller == first.caller);
        (is_sole && self.running.len() == self.workers).then_some(first.caller)
    }

    /// Forgets callers without a job once there are many.
    fn forget_idle_callers(&mut self) {
        if self.next_tags.len() > MANY_CALLERS {
            let waiting = self.waiting.iter().map(|waiting| waiting.caller);
            let active: HashSet<_> =
                waiting.chain(self.running.iter().map(|running| running.caller)).collect();
            self.next_tags.retain(|caller, _| active.contains(caller));
        }
    }

    /// Notes that a job has ended after `time` on a worker.
    pub(super) fn finish(&mut self, id: JobId, time: Duration) {
        let Some(index) = self.running.iter().position(|running| running.id == id) else { return };
        let Running { cost, .. } = self.running.swap_remove(index);
        let (seconds, cost) = (time.as_secs_f64(), cost as f64);
        self.mean = Some(match self.mean {
            None => MeanJob { seconds, cost },
            Some(mean) => MeanJob {
                seconds: (mean.seconds * 7.0 + seconds) / 8.0,
                cost: (mean.cost * 7.0 + cost) / 8.0,
            },
        });
    }

    /// Estimates the wait of a job that `caller` queues now. A `cost` that is not known is that of an average job.
    pub(super) fn wait(&self, caller: CallerKey, cost: Option<u64>) -> Duration {
        let Some(mean) = self.mean else { return Duration::ZERO };
        if self.has_idle_worker() && self.waiting.is_empty() {
            return Duration::ZERO;
        }
        let mut waiting: HashMap<CallerKey, u64> = HashMap::new();
        for job in &self.waiting {
            let sum = waiting.entry(job.caller).or_default();
            *sum = sum.saturating_add(job.cost);
        }
        let own = waiting.remove(&caller).unwrap_or(0);
        let until_its_turn = own.saturating_add(cost.unwrap_or(mean.cost as u64));
        // Of another caller's work, as much comes first as this caller has asked for.
        let others =
            waiting.values().fold(0_u64, |sum, work| sum.saturating_add((*work).min(until_its_turn)));
        let ahead = own.saturating_add(others) as f64 + self.running_work_ahead(caller);
        seconds(mean.seconds / mean.cost * ahead / self.workers as f64)
    }

    /// Work of an average running job, if all workers are occupied and none is free for `caller`.
    fn running_work_ahead(&self, caller: CallerKey) -> f64 {
        let has_extra_worker = self.caller_on_every_worker().is_some_and(|sole| sole != caller);
        if self.has_idle_worker() || has_extra_worker {
            return 0.0;
        }
        self.running.iter().map(|running| running.cost as f64).sum::<f64>() / self.running.len() as f64
    }

    /// Average time between two starts while all workers are occupied.
    pub(super) fn interval(&self) -> Duration {
        seconds(self.mean.map_or(0.0, |mean| mean.seconds) / self.workers as f64)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> CallerKey {
        CallerKey::of(name)
    }

    fn start(schedule: &mut Schedule<u32>) -> Option<u32> {
        started(schedule).map(|(_, job)| job)
    }

    fn started(schedule: &mut Schedule<u32>) -> Option<(JobId, u32)> {
        started_at(schedule, Instant::now())
    }

    fn started_at(schedule: &mut Schedule<u32>, now: Instant) -> Option<(JobId, u32)> {
        schedule.start(now, |_, _| true).map(|start| (start.id, start.job))
    }

    /// Runs every job to its end, one after the other.
    fn order(schedule: &mut Schedule<u32>) -> Vec<u32> {
        let next = || {
            let (id, job) = started(schedule)?;
            schedule.finish(id, Duration::from_millis(10));
            Some(job)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn large_jobs_leave_one_worker_to_small_ones() {
        let mut schedule = Schedule::new(2);
        let (one, now) = (caller("one"), Instant::now());
        schedule.push(one, 1, 1, now);
        (2..5).for_each(|large| {
            schedule.push(one, LARGE, large, now);
        });
        let (small, job) = started(&mut schedule).unwrap();
        assert_eq!(job, 1);
        let (large, job) = started(&mut schedule).unwrap();
        assert_eq!(job, 2);
        schedule.finish(small, Duration::ZERO);
        assert_eq!(start(&mut schedule), None, "one worker is kept free");
        schedule.finish(large, Duration::ZERO);
        assert_eq!(start(&mut schedule), Some(3));
    }

    #[test]
    fn large_jobs_alone_use_every_worker() {
        let mut schedule = Schedule::new(2);
        (1..4).for_each(|large| {
            schedule.push(caller("one"), LARGE, large, Instant::now());
        });
        assert_eq!(
            [start(&mut schedule), start(&mut schedule), start(&mut schedule)],
            [Some(1), Some(2), None]
        );
    }

    #[test]
    fn a_large_job_gets_its_turn_under_a_stream_of_small_ones() {
        let mut schedule = Schedule::new(1);
        let (one, now) = (caller("one"), Instant::now());
        schedule.push(one, LARGE, 99, now);
        (0..20).for_each(|small| {
            schedule.push(one, 1, small, now);
        });
        assert_eq!(order(&mut schedule)[..10], [0, 1, 2, 3, 4, 5, 6, 7, 99, 8]);
    }

    #[test]
    fn callers_take_turns_by_the_work_that_they_ask_for() {
        let mut schedule = Schedule::new(1);
        let (greedy, modest, now) = (caller("greedy"), caller("modest"), Instant::now());
        (0..6).for_each(|job| {
            schedule.push(greedy, 1000, job, now);
        });
        assert_eq!(start(&mut schedule), Some(0));
        (10..16).for_each(|job| {
            schedule.push(modest, 500, job, now);
        });
        schedule.finish(JobId(0), Duration::from_millis(10));
        assert_eq!(order(&mut schedule), [10, 11, 1, 12, 13, 2, 14, 15, 3, 4, 5]);
    }

    #[test]
    fn a_job_that_is_given_up_costs_its_caller_nothing() {
        let mut schedule = Schedule::new(1);
        let (one, other, now) = (caller("one"), caller("other"), Instant::now());
        schedule.push(other, 100, 0, now);
        let given_up = schedule.push(one, 10_000, 1, now);
        schedule.push(one, 100, 2, now);
        schedule.push(other, 100, 3, now);
        assert_eq!(schedule.remove(given_up), Some(1));
        assert_eq!(schedule.remove(given_up), None);
        assert_eq!(order(&mut schedule), [0, 2, 3]);
    }

    #[test]
    fn a_caller_on_every_worker_does_not_keep_another_one_waiting() {
        let mut schedule = Schedule::new(2);
        let (greedy, modest, third, now) =
            (caller("greedy"), caller("modest"), caller("third"), Instant::now());
        (0..4).for_each(|job| {
            schedule.push(greedy, LARGE, job, now);
        });
        let first = started(&mut schedule).unwrap().0;
        assert_eq!([start(&mut schedule), start(&mut schedule)], [Some(1), None]);
        schedule.push(modest, 10, 10, now);
        schedule.push(modest, 10, 11, now);
        schedule.push(third, 10, 12, now);
        assert!(started_at(&mut schedule, now + PATIENCE / 2).is_none() && schedule.is_held_back());
        let later = now + PATIENCE;
        let extra = started_at(&mut schedule, later).unwrap();
        assert_eq!(extra.1, 10);
        assert!(started_at(&mut schedule, later).is_none(), "there is one extra worker");
        schedule.finish(extra.0, Duration::ZERO);
        assert_eq!(started_at(&mut schedule, later).unwrap().1, 12, "the others take turns on it");
        schedule.finish(first, Duration::ZERO);
        assert!(started_at(&mut schedule, later).is_none(), "two jobs run on two workers");
    }

    #[test]
    fn the_longest_queue_gives_way_to_a_shorter_one() {
        let mut schedule = Schedule::new(1);
        let (greedy, modest, now) = (caller("greedy"), caller("modest"), Instant::now());
        (0..3).for_each(|job| {
            schedule.push(greedy, 10, job, now);
        });
        assert_eq!(schedule.displace_for(greedy), None);
        assert_eq!(schedule.displace_for(modest), Some(2));
        schedule.push(modest, 10, 10, now);
        assert!(!schedule.can_displace_for(modest), "one more would make it the longest");
        assert_eq!(schedule.displace_for(caller("third")), Some(1));
    }

    #[test]
    fn the_wait_follows_the_work_ahead_of_the_caller() {
        let mut schedule = Schedule::new(1);
        let (greedy, modest, now) = (caller("greedy"), caller("modest"), Instant::now());
        schedule.push(greedy, 1000, 0, now);
        let (id, _) = started(&mut schedule).unwrap();
        schedule.finish(id, Duration::from_secs(1));
        assert_eq!(schedule.wait(greedy, None), Duration::ZERO);
        (1..5).for_each(|job| {
            schedule.push(greedy, 2000, job, now);
        });
        started(&mut schedule).unwrap();
        let seconds = |caller, cost| schedule.wait(caller, cost).as_secs_f64().round();
        assert_eq!(seconds(greedy, Some(10)), 8.0, "one runs and three wait");
        assert_eq!(seconds(modest, Some(1000)), 1.0, "fair turns, and an extra worker");
        assert_eq!(seconds(modest, Some(9000)), 6.0);
    }

    #[test]
    fn callers_are_forgotten_when_there_are_many() {
        let mut schedule = Schedule::new(1);
        for n in 0..10_000_u32 {
            schedule.push(CallerKey::of(&n), 10, n, Instant::now());
            let (id, _) = started(&mut schedule).unwrap();
            schedule.finish(id, Duration::ZERO);
        }
        assert!(schedule.next_tags.len() <= MANY_CALLERS + 1, "{}", schedule.next_tags.len());
    }
}
