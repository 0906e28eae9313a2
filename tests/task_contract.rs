//! The promises of every task store, held against the folder and against NATS.
#![cfg(feature = "tasks")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may")]

#[cfg(feature = "nats")]
mod nats_support;

use imgsrv::internals::tasks::{
    Claim, DiskStore, Failure, Limits, NewTask, Owner, State, Step, StoreError, TaskId, TaskStatus, TaskStore,
};
use imgsrv::report::{Report, Status};
use imgsrv::spec::Spec;
use std::time::{Duration, Instant};

const LIMITS: Limits = Limits { ttl: Duration::from_secs(24 * 3600), bytes: 64 << 20, tasks_per_owner: 20 };

/// Long enough for an election.
const PATIENCE: Duration = Duration::from_secs(20);

fn submit(store: &dyn TaskStore, owner: &Owner, image: &[u8]) -> TaskId {
    store.submit(NewTask { owner, spec: &Spec { width: 80, ..Spec::default() }, image }).unwrap()
}

fn claim(store: &dyn TaskStore) -> Claim {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(claim) = store.claim(Duration::from_millis(500)).unwrap() {
            return claim;
        }
        assert!(Instant::now() < until, "no task came");
    }
}

/// Waits until a store, which may learn of it from another machine, shows a state.
fn shows(store: &dyn TaskStore, owner: &Owner, id: TaskId, is_it: impl Fn(&State) -> bool) -> TaskStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = store.status(owner, id).unwrap();
        if is_it(&status.state) {
            return status;
        }
        assert!(Instant::now() < until, "still {:?}", status.state);
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_unknown<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::NotFound))
}

/// Every promise, through a store that accepts and one that works. They are the same for a folder.
fn contract(front: &dyn TaskStore, worker: &dyn TaskStore) {
    a_task_is_run_and_its_result_is_kept_byte_for_byte(front, worker);
    a_failure_is_told_with_its_reason(front, worker);
    another_owners_task_is_unknown(front, worker);
    a_cancelled_task_is_gone_and_its_late_result_ignored(front, worker);
    a_released_task_has_not_been_tried(front, worker);
    lists_come_in_pages_in_the_order_of_arrival(front);
    an_owner_with_enough_tasks_is_refused(front);
}

fn a_task_is_run_and_its_result_is_kept_byte_for_byte(front: &dyn TaskStore, worker: &dyn TaskStore) {
    let owner = Owner::new(None);
    // More than one message of a stream.
    let image: Vec<u8> = (0..2_500_000_u32).map(|n| (n * 7 / 3) as u8).collect();
    let id = submit(front, &owner, &image);
    assert_eq!(front.status(&owner, id).unwrap().state, State::Queued { ahead: 0 });
    let claim = claim(worker);
    assert_eq!((claim.lease.id, claim.spec.width, claim.bytes), (id, 80, image.len() as u64));
    assert!(worker.image(&claim.lease).unwrap() == image);
    worker.progress(&claim.lease, Step::Working).unwrap();
    shows(front, &owner, id, |state| matches!(state, State::Processing { .. }));
    assert!(is_unknown(front.result(&owner, id)), "no result yet");
    let result: Vec<u8> = image.iter().rev().copied().take(1_200_000).collect();
    let report = Report { width: Some(80), ..Report::new(Status::Ok) };
    worker.complete(&claim.lease, &report, &result).unwrap();
    let status = shows(front, &owner, id, State::is_final);
    let State::Done { report: kept, bytes, .. } = status.state else { panic!("{:?}", status.state) };
    assert_eq!((kept, bytes, status.source_bytes), (report, result.len() as u64, image.len() as u64));
    assert!(front.result(&owner, id).unwrap() == result);
    assert!(is_unknown(worker.complete(&claim.lease, &Report::new(Status::Ok), b"again")));
    front.cancel(&owner, id).unwrap();
    assert!(is_unknown(front.status(&owner, id)) && is_unknown(front.result(&owner, id)));
}

fn a_failure_is_told_with_its_reason(front: &dyn TaskStore, worker: &dyn TaskStore) {
    let owner = Owner::new(None);
    let id = submit(front, &owner, b"no picture");
    let claim = claim(worker);
    let failure = Failure { status: Status::Unsupported, message: "50% = not a picture".into() };
    worker.fail(&claim.lease, &failure).unwrap();
    let status = shows(front, &owner, id, State::is_final);
    assert!(matches!(&status.state, State::Failed { failure: kept, .. } if *kept == failure), "{status:?}");
    front.cancel(&owner, id).unwrap();
}

fn another_owners_task_is_unknown(front: &dyn TaskStore, worker: &dyn TaskStore) {
    let (one, other) = (Owner::new(Some("shop")), Owner::new(Some("press")));
    let id = submit(front, &one, b"image");
    let claim = claim(worker);
    worker.complete(&claim.lease, &Report::new(Status::Ok), b"result").unwrap();
    shows(front, &one, id, State::is_final);
    for stranger in [&other, &Owner::new(None)] {
        assert!(is_unknown(front.status(stranger, id)) && is_unknown(front.result(stranger, id)));
        assert!(is_unknown(front.cancel(stranger, id)));
        assert!(front.list(stranger, None, 100).unwrap().is_empty());
    }
    assert_eq!(front.list(&one, None, 100).unwrap().len(), 1);
    front.cancel(&one, id).unwrap();
}

fn a_cancelled_task_is_gone_and_its_late_result_ignored(front: &dyn TaskStore, worker: &dyn TaskStore) {
    let owner = Owner::new(None);
    let id = submit(front, &owner, b"image");
    let claim = claim(worker);
    front.cancel(&owner, id).unwrap();
    let until = Instant::now() + PATIENCE;
    while !is_unknown(worker.progress(&claim.lease, Step::Working)) {
        assert!(Instant::now() < until, "the worker never learns of it");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(is_unknown(worker.complete(&claim.lease, &Report::new(Status::Ok), b"late")));
    assert!(is_unknown(front.status(&owner, id)));
    assert!(is_unknown(front.cancel(&owner, id)));
}

fn a_released_task_has_not_been_tried(front: &dyn TaskStore, worker: &dyn TaskStore) {
    let owner = Owner::new(None);
    let id = submit(front, &owner, b"image");
    // More often than a task may be tried.
    for _ in 0..5 {
        let claim = claim(worker);
        assert_eq!(claim.lease.id, id);
        worker.release(&claim.lease);
    }
    shows(front, &owner, id, |state| matches!(state, State::Queued { .. }));
    let claim = claim(worker);
    worker.complete(&claim.lease, &Report::new(Status::Ok), b"result").unwrap();
    shows(front, &owner, id, |state| matches!(state, State::Done { .. }));
    front.cancel(&owner, id).unwrap();
}

fn lists_come_in_pages_in_the_order_of_arrival(front: &dyn TaskStore) {
    let owner = Owner::new(Some("pages"));
    let ids: Vec<_> = (0..5_u8).map(|n| submit(front, &owner, &[n])).collect();
    let page = |after, limit| -> Vec<TaskId> {
        front.list(&owner, after, limit).unwrap().iter().map(|task| task.id).collect()
    };
    assert_eq!(page(None, 2), ids[..2]);
    assert_eq!(page(Some(ids[1]), 2), ids[2..4]);
    assert_eq!(page(Some(ids[3]), 2), ids[4..]);
    assert!(is_unknown(front.list(&owner, Some(TaskId::random().unwrap()), 2)));
    ids.iter().for_each(|id| front.cancel(&owner, *id).unwrap());
}

fn an_owner_with_enough_tasks_is_refused(front: &dyn TaskStore) {
    let owner = Owner::new(Some("many"));
    let ids: Vec<_> = (0..LIMITS.tasks_per_owner).map(|_| submit(front, &owner, b"image")).collect();
    let spec = Spec::default();
    let refused = front.submit(NewTask { owner: &owner, spec: &spec, image: b"one too many" });
    assert!(matches!(refused, Err(StoreError::TooMany { most: 20 })), "{refused:?}");
    front.cancel(&owner, ids[0]).unwrap();
    let more = submit(front, &owner, b"image");
    ids[1..].iter().chain([&more]).for_each(|id| front.cancel(&owner, *id).unwrap());
}

#[test]
fn a_folder_keeps_the_promises() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), LIMITS).unwrap();
    contract(&store, &store);
}

#[cfg(feature = "nats")]
mod on_nats {
    use super::*;
    use imgsrv::internals::tasks::nats::{NatsSettings, NatsStore};
    use nats_support::NatsCluster;

    fn settings(cluster: &NatsCluster, node: &str) -> NatsSettings {
        NatsSettings {
            servers: cluster.servers(),
            creds: None,
            ca: None,
            client_cert: None,
            prefix: "contract".into(),
            replicas: 3,
            shards: 2,
            lease: Duration::from_secs(3),
            task_wait: Duration::from_secs(3600),
            orphan_age: Duration::from_secs(2),
            node: node.into(),
            role: "all",
        }
    }

    fn set_up(settings: &NatsSettings) {
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(error) = NatsStore::set_up(settings, &LIMITS) {
            assert!(Instant::now() < until, "{error}");
        }
    }

    #[test]
    fn two_machines_keep_the_promises() {
        let Some(cluster) = NatsCluster::start() else { return };
        let settings = |node: &str| settings(&cluster, node);
        set_up(&settings("setup"));
        let front = NatsStore::open(settings("front"), LIMITS).unwrap();
        let worker = NatsStore::open(settings("worker"), LIMITS).unwrap();
        contract(&front, &worker);
        contract(&worker, &front);

        a_silent_worker_loses_its_task_and_three_of_them_fail_it(&front, &worker);
        a_result_goes_when_its_time_is_over(&front, &worker, settings("brief"));
        what_a_dead_server_left_is_swept(&cluster, &front);
    }

    fn a_silent_worker_loses_its_task_and_three_of_them_fail_it(front: &NatsStore, worker: &NatsStore) {
        let owner = Owner::new(None);
        let id = submit(front, &owner, b"poison");
        for _ in 0..3 {
            let claim = claim(worker);
            assert_eq!(claim.lease.id, id); // and not a word more of it
        }
        // The fourth delivery fails the task instead of running it.
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(worker.claim(Duration::from_millis(500)).unwrap().is_none());
            if let State::Failed { failure, .. } = front.status(&owner, id).unwrap().state {
                assert!(failure.message.contains("died 3 times"), "{}", failure.message);
                break;
            }
            assert!(Instant::now() < until, "never given up");
        }
        front.cancel(&owner, id).unwrap();
    }

    fn a_result_goes_when_its_time_is_over(front: &NatsStore, worker: &NatsStore, settings: NatsSettings) {
        let owner = Owner::new(None);
        let id = submit(front, &owner, b"image");
        worker.complete(&claim(worker).lease, &Report::new(Status::Ok), b"result").unwrap();
        shows(front, &owner, id, State::is_final);
        let brief = NatsStore::open(settings, Limits { ttl: Duration::from_secs(1), ..LIMITS }).unwrap();
        let until = Instant::now() + 2 * PATIENCE;
        while !is_unknown(front.status(&owner, id)) {
            brief.expire().unwrap(); // it takes over from the setup's name once that was silent
            assert!(Instant::now() < until, "never forgotten");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(is_unknown(front.result(&owner, id)));
    }

    /// An image without an entry, and an entry without a message, as a server leaves them that dies while it accepts.
    fn what_a_dead_server_left_is_swept(cluster: &NatsCluster, front: &NatsStore) {
        let owner = Owner::new(None);
        let waiting = submit(front, &owner, b"waits without a message");
        let orphan = TaskId::random().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let blobs = |context: async_nats::jetstream::Context, id: TaskId| async move {
            let mut found = 0;
            for shard in ["CONTRACT_BLOBS_0", "CONTRACT_BLOBS_1"] {
                let stream = context.get_stream(shard).await.unwrap();
                let mut subjects =
                    stream.info_with_subjects(format!("contract.blob.*.{id}.>")).await.unwrap();
                use futures_util::StreamExt;
                while subjects.next().await.is_some() {
                    found += 1;
                }
            }
            found
        };
        let context = runtime.block_on(async {
            let servers: Vec<async_nats::ServerAddr> =
                cluster.servers().split(',').map(|address| address.parse().unwrap()).collect();
            let context = async_nats::jetstream::new(async_nats::connect(servers).await.unwrap());
            let shard = u128::from_str_radix(&orphan.to_string(), 16).unwrap() % 2;
            let subject = format!("contract.blob.{shard}.{orphan}.s.0");
            context.publish(subject, "left behind".into()).await.unwrap().await.unwrap();
            let queue = context.get_stream("CONTRACT_TASKS").await.unwrap();
            queue.purge().filter(format!("contract.task.{waiting}")).await.unwrap();
            context
        });
        assert_eq!(runtime.block_on(blobs(context.clone(), orphan)), 1);
        let until = Instant::now() + 2 * PATIENCE;
        let mut claimed = None;
        while claimed.is_none() || runtime.block_on(blobs(context.clone(), orphan)) > 0 {
            front.expire().unwrap();
            claimed = claimed.or(front.claim(Duration::from_millis(100)).unwrap());
            assert!(Instant::now() < until, "never swept");
        }
        assert_eq!(claimed.unwrap().lease.id, waiting);
        front.cancel(&owner, waiting).unwrap();
    }

    #[test]
    fn streams_that_are_missing_or_differ_are_refused_by_name() {
        let Some(cluster) = NatsCluster::start() else { return };
        let wanted = settings(&cluster, "one");
        set_up(&NatsSettings { replicas: 1, ..wanted.clone() });
        let told = |settings: NatsSettings| NatsStore::open(settings, LIMITS).unwrap_err().to_string();
        let differs = told(wanted.clone());
        assert!(differs.contains("CONTRACT_TASKS has replicas 1, not 3"), "{differs}");
        let lease = Duration::from_secs(9);
        let differs = told(NatsSettings { replicas: 1, lease, ..wanted.clone() });
        assert!(differs.contains("ack_wait 3s, not 9s (nats_lease)"), "{differs}");
        let missing = told(NatsSettings { prefix: "elsewhere".into(), ..wanted.clone() });
        assert!(missing.contains("no stream ELSEWHERE_TASKS: run 'imgsrv nats-setup'"), "{missing}");
        let address = told(NatsSettings { servers: "nats://127.0.0.1:port".into(), ..wanted });
        assert!(address.contains("is no address"), "{address}");
    }

    /// The users and permissions of deploy/many, over TLS with certificates of both ends.
    #[test]
    fn each_role_has_the_permissions_that_it_needs_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
        std::fs::write(path("ca.pem"), authority.pem()).unwrap();
        for name in ["server", "client"] {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            std::fs::write(path(&format!("{name}.pem")), params.signed_by(&key, &authority).unwrap().pem())
                .unwrap();
            std::fs::write(path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        let permissions = include_str!("../deploy/many/permissions.conf");
        let tls = format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}\n{permissions}",
            path("server.pem"),
            path("server.key"),
            path("ca.pem")
        );
        let [port] = nats_support::free_ports::<1>();
        let Some(_server) = nats_support::NatsServer::start(port, &tls) else { return };
        let settings = |role: &'static str| NatsSettings {
            servers: format!("tls://{role}:{role}-password@localhost:{port}"),
            ca: Some(path("ca.pem")),
            client_cert: Some((path("client.pem"), path("client.key"))),
            creds: None,
            prefix: "imgsrv".into(),
            replicas: 1,
            shards: 1,
            lease: Duration::from_secs(3),
            task_wait: Duration::from_secs(3600),
            orphan_age: Duration::from_secs(3600),
            node: role.into(),
            role,
        };
        set_up(&settings("admin"));
        let front = NatsStore::open(settings("front"), LIMITS).unwrap();
        let worker = NatsStore::open(settings("worker"), LIMITS).unwrap();
        a_task_is_run_and_its_result_is_kept_byte_for_byte(&front, &worker);

        let owner = Owner::new(None);
        let spec = Spec::default();
        let refused = worker.submit(NewTask { owner: &owner, spec: &spec, image: b"image" });
        assert!(refused.is_err(), "a worker hands nothing in");
        let id = submit(&front, &owner, b"image");
        let taken = front.claim(Duration::from_secs(2));
        assert!(!matches!(taken, Ok(Some(_))), "a front takes nothing");
        let stranger = NatsSettings { client_cert: None, ..settings("front") };
        assert!(NatsStore::open(stranger, LIMITS).is_err(), "without its certificate");
        front.cancel(&owner, id).unwrap();
    }
}
