//! Tests of the engine under load: with the real codec where a picture is needed, and with a process that blocks or
//! panics on command where a moment is needed.

use crate::engine::*;
use crate::limits::Stopped;
use crate::spec::Op;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};

/// A binary pixmap.
fn ppm(width: usize, height: usize) -> Vec<u8> {
    let pixels = (0..width * height * 3).map(|n| (n % 251) as u8);
    format!("P6 {width} {height} 255\n").into_bytes().into_iter().chain(pixels).collect()
}

/// A file of 24 megapixels.
fn giant() -> Vec<u8> {
    ppm(6000, 4000)
}

fn job(engine: &Engine, body: Vec<u8>) -> Job {
    Job { body, memory: engine.reserve(me()), spec: Spec::plain(8, 8), deadline: None }
}

/// The caller of tests that need only one.
fn me() -> CallerKey {
    CallerKey::of("me")
}

fn submit(engine: &Engine, body: Vec<u8>) -> Result<Ticket, JobError> {
    submit_as(me(), engine, body)
}

fn submit_as(caller: CallerKey, engine: &Engine, body: Vec<u8>) -> Result<Ticket, JobError> {
    engine.submit(engine.probe(job(engine, body))?, caller)
}

/// An engine whose jobs block, each for one word through the gate. `started` tells the length of each that has started.
struct Gated {
    engine: Engine,
    gate: SyncSender<()>,
    started: Receiver<usize>,
}

impl Gated {
    fn new(settings: EngineSettings) -> Gated {
        let (gate, words) = mpsc::sync_channel(64);
        let (start, started) = mpsc::sync_channel(64);
        let words = Mutex::new(words);
        let work = move |body: &[u8], _: &Plan, spec: &Spec, limits: &Limits, scratch: &mut Scratch| {
            let _ = start.send(body.len());
            let _ = words.lock().unwrap().recv();
            let small = if body.len() > 1 << 20 { ppm(4, 4) } else { body.to_vec() };
            codec::process(&small, spec, limits, scratch)
        };
        Gated { engine: Engine::with_process(settings, Arc::new(work)).unwrap(), gate, started }
    }

    fn open_once(&self) {
        self.gate.send(()).unwrap();
    }
}

/// Longest wait, so that a defect is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(20);

fn until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "it never comes true");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn one_worker() -> EngineSettings {
    EngineSettings {
        queue_timeout: PATIENCE,
        request_timeout: 2 * PATIENCE,
        ..EngineSettings::for_workers(1)
    }
}

#[test]
fn a_full_queue_says_busy_at_once_with_a_retry_time() {
    let gated = Gated::new(EngineSettings { queue: 2, ..one_worker() });
    // One job of a known length teaches the engine how long a job takes.
    let first = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    std::thread::sleep(Duration::from_millis(120));
    gated.open_once();
    first.wait(|| true).unwrap();
    until(|| gated.engine.load().workers_busy == 0);
    let _held: Vec<_> = (0..3).map(|_| submit(&gated.engine, ppm(9, 9)).unwrap()).collect();
    let Err(JobError::Busy { cause, retry_after }) = gated.engine.admit(me()) else {
        panic!("there are two places and both are taken")
    };
    assert_eq!(cause, BusyCause::Places);
    // Three jobs of 120 ms or more stand before the next one.
    assert!(retry_after >= Duration::from_millis(3 * 120), "{retry_after:?}");
    let told = || match gated.engine.admit(me()) {
        Err(JobError::Busy { retry_after, .. }) => retry_after,
        other => panic!("{other:?}"),
    };
    let apart: Vec<_> = [told(), told(), told()].windows(2).map(|two| two[1] - two[0]).collect();
    // Each refused caller returns one job later than the last, less the time between the two refusals.
    assert!(apart.iter().all(|apart| *apart >= Duration::from_millis(100)), "{apart:?}");
    let furthest = (0..500).map(|_| told()).max().unwrap();
    assert!(furthest <= PATIENCE, "put off for longer than the queue allows: {furthest:?}");
    (0..3).for_each(|_| gated.open_once());
}

#[test]
fn a_body_in_flight_when_the_queue_fills_up_is_queued() {
    let gated = Gated::new(EngineSettings { queue: 4, ..one_worker() });
    let mut held: Vec<_> = (0..5).map(|_| submit(&gated.engine, ppm(9, 9)).unwrap()).collect();
    assert!(gated.engine.admit(me()).is_err() && !gated.engine.has_room(), "no other body is read");
    held.extend((0..2).map(|_| submit(&gated.engine, ppm(9, 9)).unwrap()));
    assert!(matches!(submit(&gated.engine, ppm(9, 9)), Err(JobError::Busy { cause: BusyCause::Places, .. })));
    held.iter().for_each(|_| gated.open_once());
    held.into_iter().for_each(|ticket| drop(ticket.wait(|| true).unwrap()));
}

#[test]
fn a_job_that_would_wait_longer_than_allowed_is_refused_before_it_waits() {
    let gated =
        Gated::new(EngineSettings { queue: 50, queue_timeout: Duration::from_millis(150), ..one_worker() });
    let first = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    gated.open_once();
    first.wait(|| true).unwrap();
    until(|| gated.engine.load().workers_busy == 0);
    let _running = submit(&gated.engine, ppm(9, 9)).unwrap();
    assert!(matches!(submit(&gated.engine, ppm(9, 9)), Err(JobError::Busy { cause: BusyCause::Places, .. })));
    gated.open_once();
}

#[test]
fn a_job_that_waits_for_too_long_is_told_busy() {
    let gated = Gated::new(EngineSettings { queue_timeout: Duration::from_millis(60), ..one_worker() });
    let running = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    let waiting = submit(&gated.engine, ppm(9, 9)).unwrap();
    assert!(matches!(waiting.wait(|| true), Err(JobError::Busy { cause: BusyCause::Workers, .. })));
    assert_eq!(gated.engine.load().queue_depth, 0, "it holds no place any more");
    gated.open_once();
    assert!(running.wait(|| true).is_ok());
}

#[test]
fn small_pictures_pass_a_queue_of_large_ones() {
    let gated = Gated::new(one_worker());
    let running = submit(&gated.engine, ppm(9, 9)).unwrap();
    assert!(gated.started.recv_timeout(PATIENCE).unwrap() < 1000);
    let giants: Vec<_> = (0..2).map(|_| submit(&gated.engine, giant()).unwrap()).collect();
    let small = submit(&gated.engine, ppm(10, 10)).unwrap();
    (0..4).for_each(|_| gated.open_once());
    let order: Vec<_> = (0..3).map(|_| gated.started.recv_timeout(PATIENCE).unwrap() > 1 << 20).collect();
    assert_eq!(order, [false, true, true], "the small one came last and goes first");
    assert!(running.wait(|| true).is_ok() && small.wait(|| true).is_ok());
    assert!(giants.into_iter().all(|giant| giant.wait(|| true).is_ok()));
}

#[test]
fn a_job_whose_caller_left_the_queue_never_starts() {
    let gated = Gated::new(one_worker());
    let running = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    let gone = submit(&gated.engine, ppm(10, 10)).unwrap();
    assert!(matches!(gone.wait(|| false), Err(JobError::Abandoned)));
    let stays = submit(&gated.engine, ppm(11, 11)).unwrap();
    (0..3).for_each(|_| gated.open_once());
    assert!(running.wait(|| true).is_ok() && stays.wait(|| true).is_ok());
    assert_eq!(gated.started.try_iter().collect::<Vec<_>>(), [ppm(11, 11).len()]);
}

#[test]
fn a_caller_that_leaves_stops_the_worker_and_frees_the_memory() {
    let (stopped, ended) = mpsc::sync_channel(1);
    let (start, started) = mpsc::sync_channel(1);
    let work = move |_: &[u8], _: &Plan, _: &Spec, limits: &Limits, _: &mut Scratch| {
        let began = Instant::now();
        let _ = start.send(());
        while began.elapsed() < PATIENCE {
            if let Err(stop) = limits.cancel.check() {
                let _ = stopped.send(stop);
                return Err(stop.into());
            }
        }
        panic!("never cancelled")
    };
    let engine = Engine::with_process(one_worker(), Arc::new(work)).unwrap();
    let ticket = submit(&engine, ppm(9, 9)).unwrap();
    started.recv_timeout(PATIENCE).unwrap();
    drop(ticket);
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(Stopped::Cancelled));
    until(|| engine.load() == EngineGauges::default());
}

#[test]
fn the_codec_stops_between_rows_when_the_deadline_passes() {
    let settings =
        EngineSettings { request_timeout: Duration::from_millis(30), ..EngineSettings::for_workers(1) };
    let engine = Engine::new(settings).unwrap();
    // A median of this radius over so many pixels takes far longer than that.
    let mut job = job(&engine, ppm(3000, 2000));
    job.spec = Spec { width: 3000, ops: vec![Op::Median(8); 3], ..Spec::default() };
    let outcome = engine.run(job, me(), || true);
    assert!(
        matches!(outcome, Err(JobError::Codec(CodecError::Stopped(Stopped::DeadlinePassed)))),
        "{outcome:?}"
    );
    until(|| engine.load() == EngineGauges::default());
}

#[test]
fn a_thousand_panics_are_a_thousand_answers_and_the_workers_live() {
    let calls = AtomicUsize::new(0);
    let work = move |body: &[u8], plan: &Plan, spec: &Spec, limits: &Limits, scratch: &mut Scratch| {
        if calls.fetch_add(1, Ordering::Relaxed) < 1000 {
            std::panic::resume_unwind(Box::new("a panic that says nothing")); // past the hook that prints
        }
        codec::process_planned(body, plan, spec, limits, scratch)
    };
    let engine = Engine::with_process(EngineSettings::for_workers(2), Arc::new(work)).unwrap();
    let answers = (0..1000).map(|_| engine.run(job(&engine, ppm(9, 9)), me(), || true));
    let panicked = answers.filter(|answer| matches!(answer, Err(JobError::Panicked))).count();
    assert_eq!((panicked, engine.metrics().panics.total()), (1000, 1000));
    assert!(engine.run(job(&engine, ppm(9, 9)), me(), || true).is_ok());
    until(|| engine.load() == EngineGauges::default());
}

#[test]
fn a_worker_frees_the_buffers_of_a_large_picture() {
    // What the scratch held before and after each picture.
    let (note, held) = mpsc::sync_channel(8);
    let process = move |body: &[u8], plan: &Plan, spec: &Spec, limits: &Limits, scratch: &mut Scratch| {
        let before = scratch.bytes();
        let outcome = codec::process_planned(body, plan, spec, limits, scratch);
        let _ = note.send((before, scratch.bytes()));
        outcome
    };
    let engine = Engine::with_process(one_worker(), Arc::new(process)).unwrap();
    engine.run(job(&engine, ppm(5000, 4000)), me(), || true).unwrap();
    engine.run(job(&engine, ppm(9, 9)), me(), || true).unwrap();
    let [(_, giant), (after, _)] = [held.recv().unwrap(), held.recv().unwrap()];
    assert!(giant > 50 << 20, "{giant} is not large");
    assert!(after <= 32 << 20, "{after} bytes are kept");
}

#[test]
fn one_job_always_runs_however_small_the_memory() {
    let engine = Engine::new(EngineSettings { total_memory: 1, ..EngineSettings::for_workers(2) }).unwrap();
    assert!(engine.run(job(&engine, ppm(100, 100)), me(), || true).is_ok());
    assert_eq!(engine.load().memory_reserved, 0);
}

#[test]
fn a_caller_on_every_worker_does_not_keep_another_one_waiting() {
    let settings = EngineSettings { queue: 16, queue_timeout: PATIENCE, ..EngineSettings::for_workers(2) };
    let gated = Gated::new(settings);
    let greedy: Vec<_> =
        (0..6).map(|_| submit_as(CallerKey::of("greedy"), &gated.engine, ppm(9, 9)).unwrap()).collect();
    (0..2).for_each(|_| assert!(gated.started.recv_timeout(PATIENCE).is_ok()));
    let modest = submit_as(CallerKey::of("modest"), &gated.engine, ppm(11, 11)).unwrap();
    assert_eq!(
        gated.started.recv_timeout(PATIENCE).unwrap(),
        ppm(11, 11).len(),
        "while both workers are held"
    );
    (0..7).for_each(|_| gated.open_once());
    assert!(modest.wait(|| true).is_ok());
    assert!(greedy.into_iter().all(|ticket| ticket.wait(|| true).is_ok()));
}

#[test]
fn a_slow_job_of_one_caller_does_not_close_the_queue_to_others() {
    let gated =
        Gated::new(EngineSettings { queue: 50, queue_timeout: Duration::from_millis(150), ..one_worker() });
    let slow = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    gated.open_once();
    slow.wait(|| true).unwrap();
    let _running = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    assert!(gated.engine.admit(me()).is_err());
    gated.engine.admit(CallerKey::of("other")).unwrap();
    gated.open_once();
}

#[test]
fn a_full_queue_takes_a_place_from_the_caller_that_has_most() {
    let gated = Gated::new(EngineSettings { queue: 2, ..one_worker() });
    let running = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    let mut waiting: Vec<_> = (0..3).map(|_| submit(&gated.engine, ppm(9, 9)).unwrap()).collect();
    let other = CallerKey::of("other");
    assert!(gated.engine.admit(me()).is_err() && gated.engine.admit(other).is_ok());
    let others = submit_as(other, &gated.engine, ppm(9, 9)).unwrap();
    let displaced = waiting.pop().unwrap().wait(|| true);
    assert!(matches!(displaced, Err(JobError::Busy { cause: BusyCause::Places, .. })), "{displaced:?}");
    (0..4).for_each(|_| gated.open_once());
    let served = waiting.into_iter().chain([running, others]);
    assert!(served.map(|ticket| ticket.wait(|| true)).all(|outcome| outcome.is_ok()));
}

#[test]
fn a_picture_that_is_not_shared_stays_on_its_worker() {
    let (note, noted) = mpsc::sync_channel(1);
    let process = move |_: &[u8], _: &Plan, _: &Spec, limits: &Limits, _: &mut Scratch| {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = note.send((thread, limits.spare_workers));
        Err(Stopped::Cancelled.into())
    };
    let engine = Engine::with_process(EngineSettings::for_workers(2), Arc::new(process)).unwrap();
    let on = |body: Vec<u8>, is_shareable: bool| {
        let mut probed = engine.probe(job(&engine, body)).unwrap();
        assert!(!probed.plan.is_shareable, "a pixmap is decoded by one worker");
        probed.plan.is_shareable = is_shareable;
        let _ = engine.submit(probed, me()).unwrap().wait(|| true);
        let noted = noted.recv_timeout(PATIENCE).unwrap();
        until(|| engine.load().workers_busy == 0);
        noted
    };
    let (thread, spare) = on(ppm(9, 9), false);
    assert!(thread.starts_with("worker-") && spare == 0, "{thread} {spare}");
    let (thread, spare) = on(ppm(9, 9), true);
    assert!(thread.starts_with("sharer-") && spare == 1, "{thread} {spare}");
}

#[test]
fn a_task_awaits_a_ticket() {
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let gated = Gated::new(one_worker());
    let mut ticket = submit(&gated.engine, ppm(9, 9)).unwrap().into_future();
    gated.started.recv_timeout(PATIENCE).unwrap();
    assert!(ticket.has_started() && ticket.overdue(Instant::now()).is_none());
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    assert!(std::pin::Pin::new(&mut ticket).poll(&mut context).is_pending());
    gated.open_once();
    let began = Instant::now();
    let outcome = loop {
        match std::pin::Pin::new(&mut ticket).poll(&mut context) {
            Poll::Ready(outcome) => break outcome,
            Poll::Pending => std::thread::park_timeout(PATIENCE),
        }
        assert!(began.elapsed() < PATIENCE, "never woken");
    };
    assert!(outcome.is_ok());
}
