//! The store's promises, on a disk that keeps them and on one that does its worst.

use crate::spec::Spec;
use crate::tasks::State;
use crate::tasks::disk_store::simulation::{Dice, Simulation};
use crate::tasks::disk_store::*;
use std::collections::{HashMap, HashSet};

const NOW: Duration = Duration::ZERO;

fn everybody() -> Owner {
    Owner::new(None)
}

fn open(disk: &Simulation, limits: Limits) -> DiskStore {
    DiskStore::open_on(Box::new(disk.clone()), Path::new("/data"), limits).unwrap()
}

fn store() -> DiskStore {
    open(&Simulation::new(1), Limits::default())
}

fn submit(store: &DiskStore, owner: &Owner, image: &[u8]) -> Result<TaskId, StoreError> {
    store.submit(NewTask { owner, spec: &Spec { width: 80, ..Spec::default() }, image })
}

fn claim(store: &DiskStore) -> Claim {
    store.claim(NOW).unwrap().expect("a task waits")
}

fn state(store: &DiskStore, id: TaskId) -> State {
    store.status(&everybody(), id).unwrap().state
}

fn ok() -> Report {
    Report::new(Status::Ok)
}

#[test]
fn tasks_run_in_the_order_in_which_they_came() {
    let store = store();
    let ids: Vec<_> = (0..3).map(|n| submit(&store, &everybody(), &[n]).unwrap()).collect();
    for (ahead, id) in ids.iter().enumerate() {
        assert_eq!(state(&store, *id), State::Queued { ahead });
    }
    for (n, id) in ids.iter().enumerate() {
        let claim = claim(&store);
        assert_eq!((claim.lease.id, claim.spec.width, claim.bytes), (*id, 80, 1));
        assert_eq!(store.image(&claim.lease).unwrap(), [n as u8]);
    }
    assert!(store.claim(NOW).unwrap().is_none());
}

#[test]
fn tasks_of_two_folders_that_were_put_together_all_run_whatever_their_numbers() {
    let disk = Simulation::new(1);
    let id = submit(&open(&disk, Limits::default()), &everybody(), b"image").unwrap();
    let queue = Path::new("/data").join(QUEUE);
    let file = disk.read(&queue.join(format!("{id}.0"))).unwrap();
    let (mut head, _) = record::decode(&file, file.len() as u64).unwrap();
    for number in [head.number, u64::MAX] {
        head.number = number;
        let another = queue.join(format!("{}.0", TaskId::random().unwrap()));
        disk.create(&another, &[&record::encode(&head, b"image"), b"image"]).unwrap();
    }
    let store = open(&disk, Limits::default());
    submit(&store, &everybody(), b"image").unwrap();
    for _ in 0..4 {
        claim(&store);
    }
}

#[test]
fn a_result_is_there_until_its_time_is_over() {
    let store = store();
    let id = submit(&store, &everybody(), b"image").unwrap();
    assert!(matches!(store.result(&everybody(), id), Err(StoreError::NotFound)));
    store.complete(&claim(&store).lease, &ok(), b"result").unwrap();
    assert_eq!(store.result(&everybody(), id).unwrap(), b"result");
    let ttl = store.limits.ttl;
    assert_eq!(store.expire_at(Instant::now() + ttl - Duration::from_secs(60)).unwrap(), 0);
    assert_eq!(store.expire_at(Instant::now() + ttl).unwrap(), 1);
    assert!(matches!(store.status(&everybody(), id), Err(StoreError::NotFound)));
    assert_eq!(store.counts(), Counts::default());
}

#[test]
fn another_owners_task_is_as_unknown_as_one_that_never_was() {
    let store = store();
    let (mine, other) = (Owner::new(Some("me")), Owner::new(Some("you")));
    let id = submit(&store, &mine, b"image").unwrap();
    for (owner, id) in [(&other, id), (&everybody(), id), (&mine, TaskId::random().unwrap())] {
        assert!(matches!(store.status(owner, id), Err(StoreError::NotFound)));
        assert!(matches!(store.result(owner, id), Err(StoreError::NotFound)));
        assert!(matches!(store.cancel(owner, id), Err(StoreError::NotFound)));
    }
    assert_eq!(store.list(&mine, None, 1000).unwrap().len(), 1);
    assert!(store.list(&other, None, 1000).unwrap().is_empty());
    assert!(matches!(store.list(&other, Some(id), 1000), Err(StoreError::NotFound)));
}

#[test]
fn pages_follow_each_other_in_the_order_of_arrival() {
    let store = store();
    let ids: Vec<_> = (0..7).map(|_| submit(&store, &everybody(), b"image").unwrap()).collect();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(&everybody(), after, 3).unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for task in page {
            assert!(matches!(task.state, State::Queued { ahead } if ahead == seen.len()), "{task:?}");
            seen.push(task.id);
        }
    }
    assert_eq!(seen, ids);
}

#[test]
fn a_cancelled_task_is_gone_and_its_late_result_ignored() {
    let disk = Simulation::new(1);
    let store = open(&disk, Limits::default());
    let [queued, running, done] = [1, 2, 3].map(|n| submit(&store, &everybody(), &[n]).unwrap());
    let leases: HashMap<_, _> = (0..3).map(|_| claim(&store).lease).map(|lease| (lease.id, lease)).collect();
    store.release(&leases[&queued]);
    store.complete(&leases[&done], &ok(), b"result").unwrap();
    for id in [queued, running, done] {
        store.cancel(&everybody(), id).unwrap();
        assert!(matches!(store.status(&everybody(), id), Err(StoreError::NotFound)));
    }
    assert!(store.progress(&leases[&running], Step::Working).is_err());
    assert!(matches!(store.complete(&leases[&running], &ok(), b"late"), Err(StoreError::NotFound)));
    assert_eq!(store.counts(), Counts::default());
    drop(store);
    disk.lose_power();
    assert_eq!(open(&disk, Limits::default()).counts(), Counts::default());
}

#[test]
fn a_task_over_which_the_process_dies_three_times_has_failed_and_holds_up_nobody() {
    let disk = Simulation::new(1);
    let poison = submit(&open(&disk, Limits::default()), &everybody(), b"poison").unwrap();
    for _ in 0..MAX_ATTEMPTS {
        let store = open(&disk, Limits::default());
        assert_eq!(claim(&store).lease.id, poison); // and dies with it
    }
    let store = open(&disk, Limits::default());
    let good = submit(&store, &everybody(), b"good").unwrap();
    assert_eq!(claim(&store).lease.id, good);
    assert!(store.claim(NOW).unwrap().is_none());
    let State::Failed { failure, .. } = state(&store, poison) else { panic!("{:?}", state(&store, poison)) };
    assert_eq!(failure.status, Status::Internal);
}

#[test]
fn a_task_that_was_begun_before_comes_after_those_that_were_not() {
    let disk = Simulation::new(1);
    let store = open(&disk, Limits::default());
    let ids: Vec<_> = (0..3).map(|n| submit(&store, &everybody(), &[n]).unwrap()).collect();
    assert_eq!(claim(&store).lease.id, ids[0]);
    drop(store);
    let store = open(&disk, Limits::default());
    let order: Vec<_> = (0..3).map(|_| claim(&store).lease.id).collect();
    assert_eq!(order, [ids[1], ids[2], ids[0]]);
}

#[test]
fn a_silent_runner_loses_its_task_to_another() {
    let store = store();
    submit(&store, &everybody(), b"image").unwrap();
    let silent = claim(&store).lease;
    store.expire_at(Instant::now() + LEASE / 2).unwrap();
    assert!(store.claim(NOW).unwrap().is_none());
    store.expire_at(Instant::now() + LEASE).unwrap();
    let next = claim(&store).lease;
    assert!(matches!(store.complete(&silent, &ok(), b"late"), Err(StoreError::NotFound)));
    store.complete(&next, &ok(), b"result").unwrap();
    assert_eq!(store.result(&everybody(), next.id).unwrap(), b"result");
}

#[test]
fn a_released_task_has_not_been_tried() {
    let store = store();
    let id = submit(&store, &everybody(), b"image").unwrap();
    for _ in 0..2 * MAX_ATTEMPTS {
        store.release(&claim(&store).lease);
    }
    assert_eq!(state(&store, id), State::Queued { ahead: 0 });
}

#[test]
fn too_many_tasks_and_too_many_bytes_are_refused_until_there_is_room() {
    let limits = Limits { bytes: 10, tasks_per_owner: 2, ..Limits::default() };
    let store = open(&Simulation::new(1), limits);
    let first = submit(&store, &everybody(), &[0; 6]).unwrap();
    assert!(matches!(submit(&store, &everybody(), &[0; 5]), Err(StoreError::Full)));
    submit(&store, &everybody(), &[0; 4]).unwrap();
    assert!(matches!(submit(&store, &everybody(), b""), Err(StoreError::TooMany { most: 2 })));
    submit(&store, &Owner::new(Some("another")), b"").unwrap();
    // A result that is larger than its source waits for room as well.
    let lease = claim(&store).lease;
    assert!(matches!(store.complete(&lease, &ok(), &[0; 7]), Err(StoreError::Full)));
    store.complete(&lease, &ok(), &[0; 5]).unwrap();
    store.cancel(&everybody(), first).unwrap();
    submit(&store, &everybody(), &[0; 6]).unwrap();
}

#[test]
fn after_a_restart_everything_stands_as_before() {
    let disk = Simulation::new(1);
    let limits = Limits::default();
    let store = open(&disk, limits);
    let ids: Vec<_> = (0..4).map(|n| submit(&store, &everybody(), &[n]).unwrap()).collect();
    store.complete(&claim(&store).lease, &ok(), b"result").unwrap();
    let failure = Failure { status: Status::Damaged, message: "broken".into() };
    store.fail(&claim(&store).lease, &failure).unwrap();
    claim(&store); // and dies with it
    let before = store.list(&everybody(), None, 1000).unwrap();
    drop(store);
    disk.lose_power();

    let store = open(&disk, limits);
    let after = store.list(&everybody(), None, 1000).unwrap();
    let rounded = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.id, before.source_bytes), (after.id, after.source_bytes));
        assert_eq!(rounded(before.submitted), rounded(after.submitted));
    }
    assert!(matches!(after[0].state, State::Done { bytes: 6, .. }), "{after:?}");
    assert!(matches!(&after[1].state, State::Failed { failure: kept, .. } if *kept == failure), "{after:?}");
    assert!(after[2..].iter().all(|task| matches!(task.state, State::Queued { .. })), "{after:?}");
    assert_eq!(store.result(&everybody(), ids[0]).unwrap(), b"result");
    let mut again = [claim(&store).lease.id, claim(&store).lease.id];
    again.sort();
    let mut left = [ids[2], ids[3]];
    left.sort();
    assert_eq!(again, left);
}

/// What was acknowledged, and what it must come to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Promise {
    Kept,
    Done,
    Gone,
    /// Whoever wanted it gone was told that the disk failed.
    Unknown,
}

#[test]
fn a_thousand_losses_of_power_on_a_failing_disk_lose_nothing_that_was_acknowledged() {
    let disk = Simulation::new(7);
    let mut dice = Dice(99);
    let mut promises: HashMap<TaskId, (u64, Promise)> = HashMap::new();
    let limits = Limits { tasks_per_owner: usize::MAX, ..Limits::default() };
    let image = |n: u64| n.to_be_bytes().repeat(5 + n as usize % 7);
    let result = |image: &[u8]| [b"result of ", image].concat();
    let (mut acknowledged, mut refused) = (0_u64, 0);
    let mut given_up = HashSet::new();
    for cycle in 0..1000 {
        disk.fail_one_in(None);
        let store = open(&disk, limits);
        assert_eq!(store.counts().quarantined, 0, "cycle {cycle}");
        for (id, (n, promise)) in &promises {
            match (promise, store.status(&everybody(), *id).map(|status| status.state)) {
                (Promise::Gone, Err(StoreError::NotFound)) => {}
                (Promise::Unknown, _) => {}
                (Promise::Kept | Promise::Done, Ok(State::Done { .. })) => {
                    assert_eq!(store.result(&everybody(), *id).unwrap(), result(&image(*n)), "cycle {cycle}");
                }
                (Promise::Kept, Ok(State::Queued { .. })) => {}
                // The process has died three times while it had this one.
                (Promise::Kept, Ok(State::Failed { failure, .. })) => {
                    assert_eq!(failure.status, Status::Internal);
                    given_up.insert(*id);
                }
                (promise, state) => panic!("cycle {cycle}: {id} is {state:?}, promised {promise:?}"),
            }
        }
        promises.retain(|_, (_, promise)| !matches!(promise, Promise::Gone | Promise::Unknown));
        disk.fail_one_in(Some(12));
        for _ in 0..dice.roll(6) {
            match submit(&store, &everybody(), &image(acknowledged)) {
                Ok(id) => {
                    promises.insert(id, (acknowledged, Promise::Kept));
                    acknowledged += 1;
                }
                Err(_) => refused += 1,
            }
        }
        for _ in 0..dice.roll(6) {
            let Ok(Some(claim)) = store.claim(NOW) else { continue };
            let Ok(image) = store.image(&claim.lease) else { continue };
            match dice.roll(8) {
                0 => store.release(&claim.lease), // the others die with the process
                1 => store.progress(&claim.lease, Step::Working).unwrap(),
                _ if store.complete(&claim.lease, &ok(), &result(&image)).is_ok() => {
                    promises.entry(claim.lease.id).and_modify(|(_, promise)| *promise = Promise::Done);
                }
                _ => store.release(&claim.lease),
            }
        }
        for (id, (_, promise)) in &mut promises {
            if dice.roll(8) == 0 {
                let outcome = store.cancel(&everybody(), *id);
                *promise = if outcome.is_ok() { Promise::Gone } else { Promise::Unknown };
            }
        }
        drop(store);
        disk.lose_power();
    }
    println!("{acknowledged} acknowledged, {refused} refused, {} given up", given_up.len());
    assert!(acknowledged > 1000 && refused > 100 && given_up.len() < 100);
}

#[test]
fn a_bit_flipped_anywhere_costs_at_most_one_task_and_is_reported() {
    let disk = Simulation::new(1);
    let store = open(&disk, Limits::default());
    let image = |n: u8| vec![n; 600];
    let ids: Vec<_> = (0..6).map(|n| submit(&store, &everybody(), &image(n)).unwrap()).collect();
    for _ in 0..2 {
        let lease = claim(&store).lease;
        let image = store.image(&lease).unwrap();
        store.complete(&lease, &ok(), &image).unwrap();
    }
    let files = disk.files();
    let mut flips = 0;
    for (path, contents) in &files {
        for at in 0..contents.len() {
            for bit in [at % 8, (at + 3) % 8, (at + 5) % 8] {
                let mut flipped = contents.clone();
                flipped[at] ^= 1 << bit;
                let disk = Simulation::new(1);
                files.iter().for_each(|(path, contents)| disk.put(path, contents.clone()));
                disk.put(path, flipped.clone());
                let store = open(&disk, Limits::default());
                while let Some(claim) = store.claim(NOW).unwrap() {
                    if let Ok(image) = store.image(&claim.lease) {
                        store.complete(&claim.lease, &ok(), &image).unwrap();
                    }
                }
                let fine = |(n, id): &(usize, &TaskId)| {
                    store.result(&everybody(), **id).is_ok_and(|result| result == image(*n as u8))
                };
                let whole = ids.iter().enumerate().filter(fine).count();
                assert_eq!(whole, ids.len() - 1, "{} at {at}, bit {bit}", path.display());
                assert_eq!(store.counts().quarantined, 1, "{} at {at}, bit {bit}", path.display());
                let aside: Vec<_> = disk
                    .files()
                    .into_iter()
                    .filter(|(path, _)| path.starts_with("/data/quarantine"))
                    .collect();
                assert!(aside.len() == 1 && aside[0].1 == flipped, "{} at {at}", path.display());
                flips += 1;
            }
        }
    }
    println!("{flips} flips");
    assert!(flips > 10_000);
}

#[test]
fn one_folder_serves_one_process_and_strange_files_in_it_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), Limits::default()).unwrap();
    assert!(matches!(DiskStore::open(folder.path(), Limits::default()), Err(OpenError::InUse)));
    let id = submit(&store, &everybody(), b"image").unwrap();
    drop(store);
    fs::write(folder.path().join("queue/README"), "mine").unwrap();
    fs::write(folder.path().join("queue/00000000000000000000000000000001.new"), "half").unwrap();
    let store = DiskStore::open(folder.path(), Limits::default()).unwrap();
    assert_eq!(claim(&store).lease.id, id);
    assert!(store.claim(NOW).unwrap().is_none());
    let left: Vec<_> = LocalDisk.list(&folder.path().join("queue")).unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a/b");
    let store = DiskStore::open(&data, Limits::default()).unwrap();
    let id = submit(&store, &everybody(), b"image").unwrap();
    for path in [data.clone(), data.join("queue"), store.folder.queued(id, 0)] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
}
