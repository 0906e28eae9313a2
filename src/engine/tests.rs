//! What the engine promises under load, with the real codec where a picture is needed, and with work that waits
//! or panics on command where a moment is needed.

use crate::engine::*;
use crate::limits::Stopped;
use crate::spec::Op;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};

/// A binary pixmap, which needs no encoder.
fn ppm(width: usize, height: usize) -> Vec<u8> {
    let pixels = (0..width * height * 3).map(|n| (n % 251) as u8);
    format!("P6 {width} {height} 255\n").into_bytes().into_iter().chain(pixels).collect()
}

/// A file that says it is large; the work of these tests does not look further.
fn giant() -> Vec<u8> {
    ppm(6000, 4000)
}

fn job(engine: &Engine, body: Vec<u8>) -> Job {
    Job { body, memory: engine.open(), spec: Spec::plain(8, 8), deadline: None }
}

fn submit(engine: &Engine, body: Vec<u8>) -> Result<Ticket, JobError> {
    engine.submit(engine.probe(job(engine, body))?)
}

/// An engine whose jobs wait, each for one word through the gate; how many have started, and of which length.
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

/// Where every wait ends, so that a defect is a failure and not a hang.
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
fn a_full_queue_says_busy_at_once_and_when_to_come_again() {
    let gated = Gated::new(EngineSettings { queue: 2, ..one_worker() });
    // One job of a known length teaches the engine how long a job takes.
    let first = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    std::thread::sleep(Duration::from_millis(120));
    gated.open_once();
    first.wait(|| true).unwrap();
    until(|| gated.engine.load().workers_busy == 0);
    let _held: Vec<_> = (0..3).map(|_| submit(&gated.engine, ppm(9, 9)).unwrap()).collect();
    let Err(JobError::Busy { scarce, retry_after }) = gated.engine.admit() else {
        panic!("there are two places and both are taken")
    };
    assert_eq!(scarce, BusyCause::Places);
    // Three jobs of 120 ms or more stand before the next one.
    assert!(retry_after >= Duration::from_millis(3 * 120), "{retry_after:?}");
    let told = || match gated.engine.admit() {
        Err(JobError::Busy { retry_after, .. }) => retry_after,
        other => panic!("{other:?}"),
    };
    let apart: Vec<_> = [told(), told(), told()].windows(2).map(|two| two[1] - two[0]).collect();
    // Whoever is refused next comes again when one more place is free, less the time between the two refusals.
    assert!(apart.iter().all(|apart| *apart >= Duration::from_millis(100)), "{apart:?}");
    let furthest = (0..500).map(|_| told()).max().unwrap();
    assert!(furthest <= PATIENCE, "nobody is put off for longer than the queue allows: {furthest:?}");
    (0..3).for_each(|_| gated.open_once());
}

#[test]
fn a_body_that_was_on_its_way_when_the_queue_filled_up_is_queued() {
    let gated = Gated::new(EngineSettings { queue: 4, ..one_worker() });
    let mut held: Vec<_> = (0..5).map(|_| submit(&gated.engine, ppm(9, 9)).unwrap()).collect();
    assert!(gated.engine.admit().is_err() && !gated.engine.has_room(), "nobody else is asked for a body");
    held.extend((0..2).map(|_| submit(&gated.engine, ppm(9, 9)).unwrap()));
    assert!(matches!(
        submit(&gated.engine, ppm(9, 9)),
        Err(JobError::Busy { scarce: BusyCause::Places, .. })
    ));
    held.iter().for_each(|_| gated.open_once());
    held.into_iter().for_each(|ticket| drop(ticket.wait(|| true).unwrap()));
}

#[test]
fn a_job_that_would_wait_longer_than_allowed_is_turned_away_before_it_waits() {
    let gated =
        Gated::new(EngineSettings { queue: 50, queue_timeout: Duration::from_millis(150), ..one_worker() });
    let first = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    gated.open_once();
    first.wait(|| true).unwrap();
    until(|| gated.engine.load().workers_busy == 0);
    let _running = submit(&gated.engine, ppm(9, 9)).unwrap();
    assert!(matches!(
        submit(&gated.engine, ppm(9, 9)),
        Err(JobError::Busy { scarce: BusyCause::Places, .. })
    ));
    gated.open_once();
}

#[test]
fn a_job_that_waits_for_too_long_is_told_busy() {
    let gated = Gated::new(EngineSettings { queue_timeout: Duration::from_millis(60), ..one_worker() });
    let running = submit(&gated.engine, ppm(9, 9)).unwrap();
    gated.started.recv_timeout(PATIENCE).unwrap();
    let waiting = submit(&gated.engine, ppm(9, 9)).unwrap();
    assert!(matches!(waiting.wait(|| true), Err(JobError::Busy { scarce: BusyCause::Workers, .. })));
    assert_eq!(gated.engine.load().queue_depth, 0, "it holds no place any more");
    gated.open_once();
    assert!(running.wait(|| true).is_ok());
}

#[test]
fn small_pictures_pass_a_queue_of_giants() {
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
fn nobody_works_for_a_caller_who_left_the_queue() {
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
fn a_caller_who_leaves_while_its_picture_is_worked_on_ends_the_work_and_frees_the_memory() {
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
        panic!("nobody said stop")
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
    let outcome = engine.run(job, || true);
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
    let answers = (0..1000).map(|_| engine.run(job(&engine, ppm(9, 9)), || true));
    let panicked = answers.filter(|answer| matches!(answer, Err(JobError::Panicked))).count();
    assert_eq!((panicked, engine.metrics().panics.total()), (1000, 1000));
    assert!(engine.run(job(&engine, ppm(9, 9)), || true).is_ok());
    until(|| engine.load() == EngineGauges::default());
}

#[test]
fn a_worker_lets_go_of_a_giants_buffers() {
    // What the scratch held before and after each picture.
    let (note, held) = mpsc::sync_channel(8);
    let process = move |body: &[u8], plan: &Plan, spec: &Spec, limits: &Limits, scratch: &mut Scratch| {
        let before = scratch.bytes();
        let outcome = codec::process_planned(body, plan, spec, limits, scratch);
        let _ = note.send((before, scratch.bytes()));
        outcome
    };
    let engine = Engine::with_process(EngineSettings::for_workers(1), Arc::new(process)).unwrap();
    engine.run(job(&engine, ppm(5000, 4000)), || true).unwrap();
    engine.run(job(&engine, ppm(9, 9)), || true).unwrap();
    let [(_, giant), (after, _)] = [held.recv().unwrap(), held.recv().unwrap()];
    assert!(giant > 50 << 20, "{giant} is no giant");
    assert!(after <= 32 << 20, "{after} bytes are kept");
}

#[test]
fn one_job_always_runs_however_small_the_memory() {
    let engine = Engine::new(EngineSettings { total_memory: 1, ..EngineSettings::for_workers(2) }).unwrap();
    assert!(engine.run(job(&engine, ppm(100, 100)), || true).is_ok());
    assert_eq!(engine.load().memory_reserved, 0);
}
