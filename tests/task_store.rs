//! The store of tasks on a real file system that fills up, and the runners on a real engine.
#![cfg(feature = "tasks")]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use imgsrv::internals::engine::{Engine, EngineSettings};
use imgsrv::internals::tasks::{
    DiskStore, Limits, NewTask, Owner, Runners, State, StoreError, TaskId, TaskStore, Tasks,
};
use imgsrv::report::Report;
use imgsrv::report::Status;
use imgsrv::spec::{Op, Spec};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::*;

const NOW: Duration = Duration::ZERO;

fn everybody() -> Owner {
    Owner::new(None)
}

fn submit(store: &dyn TaskStore, image: &[u8]) -> Result<TaskId, StoreError> {
    store.submit(NewTask { owner: &everybody(), spec: &Spec::default(), image })
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_and_recovers_by_itself() {
    let Some(disk) = SmallDisk::mount() else { return };
    let limits = Limits { tasks_per_owner: usize::MAX, ..Limits::default() };
    let mut store = DiskStore::open(disk.path(), limits).unwrap();
    let image = |n: u64| n.to_be_bytes().repeat(2000 + 37 * (n as usize % 50));
    let mut kept = HashMap::new();
    let (mut submits, mut refused, mut filled) = (0, 0, 0);
    while submits < 10_000 {
        // Until the disk is full, and a while longer.
        let mut in_a_row = 0;
        while in_a_row < 40 {
            let n = submits;
            submits += 1;
            match submit(&store, &image(n)) {
                Ok(id) => {
                    kept.insert(id, n);
                    in_a_row = 0;
                }
                Err(StoreError::Full) => in_a_row += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        filled += 1;
        refused += in_a_row;
        if filled % 5 == 0 {
            drop(store); // which must also start on a full disk
            store = DiskStore::open(disk.path(), limits).unwrap();
        }
        // Reads go on, and what is there is just what was accepted.
        let listed = store.list(&everybody(), None, 1000).unwrap();
        assert_eq!(listed.len(), kept.len());
        assert!(listed.iter().all(|task| kept.contains_key(&task.id)));
        assert_eq!(store.counts().quarantined, 0);
        // A result finds no room either, and its task waits.
        let claim = store.claim(NOW).unwrap().unwrap();
        let large = store.complete(&claim.lease, &Report::new(Status::Ok), &vec![7; 4 << 20]);
        assert!(matches!(large, Err(StoreError::Full)), "{large:?}");
        store.release(&claim.lease);
        // Everything that was accepted is whole. Taking it makes room.
        for _ in 0..kept.len() {
            let claim = store.claim(NOW).unwrap().unwrap();
            let n = kept.remove(&claim.lease.id).unwrap();
            assert_eq!(store.image(&claim.lease).unwrap(), image(n));
            store.cancel(&everybody(), claim.lease.id).unwrap();
        }
        assert!(store.claim(NOW).unwrap().is_none());
    }
    println!("{submits} submits, disk filled {filled} times, {refused} refused");
    assert!(filled > 10);
}

/// Waits for the end of a task.
/// Folders, pipes and links named like tasks are set aside, and the start neither stops nor hangs.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_set_aside_and_the_start_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), Limits::default()).unwrap();
    let kept = submit(&store, b"kept").unwrap();
    drop(store);
    let id = |n: u128| format!("{n:032x}");
    let (queue, done) = (folder.path().join("queue"), folder.path().join("done"));
    std::fs::create_dir(queue.join(format!("{}.0", id(1)))).unwrap();
    std::fs::create_dir(queue.join(format!("{kept}.1"))).unwrap(); // the twin of a task that is there
    std::fs::create_dir(queue.join(format!("{}.new", id(2)))).unwrap();
    std::fs::create_dir(queue.join("notes")).unwrap(); // somebody else's
    std::os::unix::fs::symlink("/dev/zero", done.join(id(3))).unwrap();
    let pipe = done.join(id(4));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let store = DiskStore::open(folder.path(), Limits::default()).unwrap();
    assert_eq!(store.counts().quarantined, 5);
    assert_eq!(store.list(&everybody(), None, 10).unwrap()[0].id, kept);
    assert_eq!(std::fs::read_dir(folder.path().join("quarantine")).unwrap().count(), 5);
    assert!(queue.join("notes").exists() && !pipe.exists());
    drop(store);
    std::fs::remove_file(folder.path().join("lock")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("lock")).status().unwrap().success());
    let refused = DiskStore::open(folder.path(), Limits::default()).unwrap_err();
    assert!(refused.to_string().ends_with("lock is not a file: remove it"), "{refused}");
}

fn end_of(tasks: &Tasks, id: TaskId) -> State {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let state = tasks.status(&everybody(), id).unwrap().state;
        if state.is_final() {
            return state;
        }
        assert!(Instant::now() < until, "still {state}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn engine() -> Arc<Engine> {
    let patient =
        EngineSettings { request_timeout: Duration::from_secs(100), ..EngineSettings::for_workers(2) };
    Arc::new(Engine::new(patient).unwrap())
}

fn tasks(folder: &Path, engine: &Engine) -> Arc<Tasks> {
    let store = DiskStore::open(folder, Limits::default()).unwrap();
    Tasks::new(Box::new(store), engine.metrics().clone())
}

fn task<'a>(owner: &'a Owner, spec: &'a Spec, image: &'a [u8]) -> NewTask<'a> {
    NewTask { owner, spec, image }
}

#[test]
fn tasks_are_run_and_told_of_and_bad_ones_fail_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    let tasks = tasks(folder.path(), &engine);
    let (owner, spec) = (everybody(), Spec { width: 40, ..Spec::default() });
    let good = tasks.submit(task(&owner, &spec, &png(100, 50))).unwrap();
    let bad = tasks.submit(task(&owner, &spec, b"no image at all")).unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    let listening = tasks.subscribe(good, move || told.send(()).unwrap_or_default());
    let runners = Runners::start(&tasks, &engine, 2).unwrap();

    let State::Done { report, bytes, .. } = end_of(&tasks, good) else { panic!("not done") };
    assert_eq!((report.width, report.height), (Some(40), Some(20)));
    let result = tasks.result(&owner, good).unwrap();
    assert_eq!((jpeg_size(&result), result.len() as u64), ((40, 20), bytes));
    let State::Failed { failure, .. } = end_of(&tasks, bad) else { panic!("not failed") };
    assert_eq!(failure.status, Status::Unsupported);
    drop(runners);
    drop(listening);
    assert!(heard.iter().count() >= 3, "taken, stored, ended");

    let text = engine.metrics().render(engine.load());
    for line in [
        "imgsrv_tasks_accepted_total 2",
        "imgsrv_tasks_finished_total{status=\"ok\"} 1",
        "imgsrv_tasks_finished_total{status=\"unsupported\"} 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
    }
}

#[test]
fn a_task_in_hand_goes_back_to_the_queue_when_the_runners_stop() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    let tasks = tasks(folder.path(), &engine);
    let (owner, image) = (everybody(), png(700, 700));
    let spec = Spec { ops: vec![Op::Median(10)], ..Spec::default() };
    let ids: Vec<_> = (0..4).map(|_| tasks.submit(task(&owner, &spec, &image)).unwrap()).collect();
    let is_processing =
        |id: &TaskId| matches!(tasks.status(&owner, *id).unwrap().state, State::Processing { .. });
    for _ in 0..5 {
        let runners = Runners::start(&tasks, &engine, 2).unwrap();
        while !ids.iter().any(is_processing)
            && !ids.iter().all(|id| tasks.status(&owner, *id).unwrap().state.is_final())
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        drop(runners);
        assert!(!ids.iter().any(is_processing));
    }
    let _runners = Runners::start(&tasks, &engine, 2).unwrap();
    for id in ids {
        assert!(matches!(end_of(&tasks, id), State::Done { .. }));
    }
}
