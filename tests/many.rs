//! Many machines: fronts and workers of the real program around a cluster of three real NATS servers.
#![cfg(all(feature = "http", feature = "nats"))]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may")]

mod http_support;
mod nats_support;
mod support;

use http_support::tasks::{SLOW, delete, end_of, id_of, status, upload};
use http_support::{Answer, ask, get, post};
use nats_support::{NatsCluster, free_ports, has, set_up};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{Server, jpeg_size, png};

/// The settings that all machines share.
fn shared(cluster: &NatsCluster) -> Vec<String> {
    let servers = cluster.servers();
    ["--nats", &servers, "--nats-lease", "6s", "--task-bytes", "256MiB"].map(str::to_owned).into()
}

fn prepare(cluster: &NatsCluster) -> Vec<String> {
    let settings = shared(cluster);
    set_up(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    settings
}

fn front(settings: &[String], more: &[&str]) -> Server {
    let settings = settings.iter().map(String::as_str);
    let more = more.iter().copied();
    let arguments: Vec<&str> = settings.chain(["--role", "front"]).chain(more).collect();
    Server::start_nats(&arguments)
}

/// A process that runs tasks alone, killed on drop.
struct Worker {
    child: Child,
    metrics: SocketAddr,
}

impl Worker {
    fn start(settings: &[String]) -> Worker {
        let mut child = Command::new(env!("CARGO_BIN_EXE_imgsrv"))
            .args(settings)
            .args([
                "--role",
                "worker",
                "--workers",
                "1",
                "--metrics",
                "127.0.0.1:0",
                "--request-timeout",
                "60s",
                "--quiet",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let metrics = line.trim().rsplit(' ').next().and_then(|word| word.parse().ok());
        Worker { child, metrics: metrics.unwrap_or_else(|| panic!("the worker printed {line:?}")) }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask_at(address: SocketAddr, path: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

#[test]
fn a_task_can_be_followed_fetched_and_deleted_at_another_front() {
    let Some(cluster) = NatsCluster::start() else { return };
    let settings = prepare(&cluster);
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), "shop:shop-secret-token-0123456789\npress:press-secret-token-0123456789\n")
        .unwrap();
    let file = format!("--token-file={}", tokens.path().display());
    let (one, other) = (front(&settings, &[&file]), front(&settings, &[&file]));
    let worker = Worker::start(&settings);
    assert_eq!(ask_at(worker.metrics, "/ready/tasks").0, 200);
    let as_owner = |request: Vec<u8>, owner: &str| {
        let text = format!("\r\nAuthorization: Bearer {owner}-secret-token-0123456789\r\n");
        let at = request.windows(2).position(|two| two == b"\r\n").unwrap();
        [&request[..at], text.as_bytes(), &request[at + 2..]].concat()
    };

    let accepted = ask(&one, &as_owner(post("/upload?width=40", &png(100, 50)), "shop"));
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    let id = id_of(&accepted);
    let events = ask(&other, &as_owner(get(&format!("/status/{id}/events")), "shop"));
    assert!(events.text().contains("event: done"), "{}", events.text());
    let result = ask(&other, &as_owner(get(&format!("/result/{id}")), "shop"));
    assert_eq!((result.status, jpeg_size(&result.body)), (200, (40, 20)));
    for path in [format!("/status/{id}"), format!("/result/{id}")] {
        assert_eq!(ask(&other, &as_owner(get(&path), "press")).status, 404, "another owner");
    }
    assert_eq!(ask(&one, &as_owner(get("/tasks"), "press")).json()["tasks"].as_array().unwrap().len(), 0);

    let slow = id_of(&ask(&one, &as_owner(post(SLOW, &png(900, 900)), "shop")));
    let until = Instant::now() + Duration::from_secs(60);
    while ask(&other, &as_owner(get(&format!("/status/{slow}")), "shop")).json()["status"] != "processing" {
        assert!(Instant::now() < until, "never begun");
    }
    assert_eq!(ask(&other, &as_owner(delete(&format!("/status/{slow}")), "shop")).status, 200);
    // The worker drops it and takes the next.
    let next = id_of(&ask(&one, &as_owner(post("/upload?width=30", &png(100, 50)), "shop")));
    let events = ask(&other, &as_owner(get(&format!("/status/{next}/events")), "shop"));
    assert!(events.text().contains("event: done"), "{}", events.text());
    assert_eq!(ask(&one, &as_owner(get(&format!("/status/{slow}")), "shop")).status, 404);
}

#[test]
fn a_full_store_refuses_and_recovers_and_a_cluster_that_is_away_harms_no_other_request() {
    let Some(mut cluster) = NatsCluster::start() else { return };
    let mut settings = shared(&cluster);
    *settings.last_mut().unwrap() = "3MiB".to_owned();
    set_up(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    let metrics = format!("127.0.0.1:{}", free_ports::<1>()[0]);
    let server = front(&settings, &["--metrics", &metrics]);
    let image = [png(64, 64), vec![0; 900_000]].concat(); // trailing bytes do no harm
    let mut kept = Vec::new();
    let refused = loop {
        let answer = ask(&server, &post("/upload?width=8", &image));
        if answer.status != 202 {
            break answer;
        }
        kept.push(id_of(&answer));
        assert!(kept.len() < 10, "never full");
    };
    assert_eq!((refused.status, refused.json()["status"].as_str()), (507, Some("storage_full")));
    assert_eq!(ask(&server, &delete(&format!("/status/{}", kept[0]))).status, 200);
    upload(&server, "/upload?width=8", &image);

    (0..3).for_each(|n| cluster.kill(n));
    let refused = ask(&server, &post("/upload?width=8", &png(64, 64)));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(!refused.header("retry-after").is_empty());
    let metrics: SocketAddr = metrics.parse().unwrap();
    assert_eq!((ask_at(metrics, "/ready").0, ask_at(metrics, "/ready/tasks").0), (200, 503));
    assert_eq!(ask(&server, &post("/resize?width=8", &png(64, 64))).status, 200);
    assert_eq!(status(&server, &kept[1])["status"], "queued", "what was seen before is still shown");

    (0..3).for_each(|n| cluster.restart(n));
    let until = Instant::now() + Duration::from_secs(60);
    while ask_at(metrics, "/ready/tasks").0 != 200 {
        assert!(Instant::now() < until, "never back");
        std::thread::sleep(Duration::from_millis(50));
    }
    let _worker = Worker::start(&settings);
    assert_eq!(end_of(&server, &kept[1])["status"], "done");
}

/// Image `n` of the fault test, and the option that it is made smaller by.
fn picture(n: usize) -> (Vec<u8>, String) {
    (png(200 + (n % 7) as u32 * 30, 120 + (n % 5) as u32 * 20), format!("/upload?width={}", 20 + n % 90))
}

#[test]
fn nothing_is_lost_or_wrong_while_servers_are_killed_and_stopped() {
    const TASKS: usize = 800;
    let Some(mut cluster) = NatsCluster::start() else { return };
    let settings = prepare(&cluster);
    let fronts = Mutex::new([front(&settings, &[]), front(&settings, &[])]);
    let addresses = Mutex::new(fronts.lock().unwrap().each_ref().map(Server::http));
    let accepted: Mutex<HashMap<String, usize>> = Mutex::default();
    let mut workers = [Worker::start(&settings), Worker::start(&settings), Worker::start(&settings)];

    std::thread::scope(|scope| {
        for half in 0..2 {
            let (accepted, addresses) = (&accepted, &addresses);
            scope.spawn(move || {
                for n in (0..TASKS).filter(|n| n % 2 == half) {
                    let (image, target) = picture(n);
                    // A front that dies may have accepted a task whose id nobody was told: it is sent again.
                    while let Err(()) = submit(addresses.lock().unwrap()[half], &target, &image)
                        .map(|id| assert!(accepted.lock().unwrap().insert(id, n).is_none()))
                    {
                        std::thread::sleep(Duration::from_millis(100));
                    }
                }
            });
        }
        // Faults, at even distances of accepted tasks.
        let after = |n: usize| {
            let until = Instant::now() + Duration::from_secs(120);
            while accepted.lock().unwrap().len() < n {
                assert!(Instant::now() < until, "only {} accepted", accepted.lock().unwrap().len());
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        for (turn, node) in [0, 1, 2, 0].into_iter().enumerate() {
            after(80 + turn * 160);
            cluster.kill(node);
            workers[turn % 3] = Worker::start(&settings_while_away(&settings, &mut cluster, node));
        }
        after(200);
        let new = front(&settings, &[]);
        addresses.lock().unwrap()[1] = new.http();
        fronts.lock().unwrap()[1].signal(9);
        fronts.lock().unwrap()[1] = new;
        // Longer than a lease: its task goes to another, and its late result must not count.
        workers[1].signal("-STOP");
        std::thread::sleep(Duration::from_secs(8));
        workers[1].signal("-CONT");
    });

    let accepted = accepted.into_inner().unwrap();
    assert_eq!(accepted.len(), TASKS);
    let fronts = fronts.into_inner().unwrap();
    let mut locals: HashMap<String, Vec<u8>> = HashMap::new();
    let (mut lost, mut wrong) = (Vec::new(), Vec::new());
    for (id, n) in &accepted {
        let task = end_of(&fronts[0], id);
        let result = ask(&fronts[1], &get(&format!("/result/{id}")));
        if task["status"] != "done" || result.status != 200 {
            lost.push((id, task));
            continue;
        }
        let (image, target) = picture(*n);
        let local = locals
            .entry(format!("{target} {}", n % 35))
            .or_insert_with(|| ask(&fronts[0], &post(&target.replace("upload", "resize"), &image)).body);
        if result.body != *local {
            wrong.push(id);
        }
    }
    println!("{} accepted, {} lost, {} wrong", accepted.len(), lost.len(), wrong.len());
    assert!(lost.is_empty() && wrong.is_empty(), "lost {lost:?}, wrong {wrong:?}");
    for id in accepted.keys() {
        assert_eq!(ask(&fronts[0], &delete(&format!("/status/{id}"))).status, 200);
    }
    // Nothing is left behind.
    let metrics = ask(&fronts[0], &get("/metrics")).text();
    for state in ["queued", "processing", "done", "failed"] {
        let until = Instant::now() + Duration::from_secs(20);
        while !ask(&fronts[0], &get("/metrics"))
            .text()
            .contains(&format!("imgsrv_tasks{{state=\"{state}\"}} 0"))
        {
            assert!(Instant::now() < until, "{metrics}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Brings a node back while a worker that starts in between has to cope without it.
fn settings_while_away(settings: &[String], cluster: &mut NatsCluster, node: usize) -> Vec<String> {
    std::thread::sleep(Duration::from_secs(1));
    cluster.restart(node);
    settings.to_vec()
}

/// Hands in a task. `Err` when it was not accepted, or the front died before it said so.
fn submit(front: SocketAddr, target: &str, image: &[u8]) -> Result<String, ()> {
    let mut socket = TcpStream::connect(front).map_err(drop)?;
    socket.set_read_timeout(Some(Duration::from_secs(30))).map_err(drop)?;
    socket.write_all(&post(target, image)).map_err(drop)?;
    let answer = Answer::try_read(&mut socket).filter(|answer| answer.status == 202).ok_or(())?;
    if answer.body.is_empty() { Err(()) } else { Ok(id_of(&answer)) }
}

/// Ends the clients of a test, also when it fails.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// HAProxy, killed on drop.
struct Balancer(Child);

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_balancer_in_front_loses_no_request_while_servers_are_rolled() {
    if !has("haproxy") {
        return;
    }
    let [tcp, http, metrics_one, metrics_two, tcp_one, tcp_two, http_one, http_two] = free_ports::<8>();
    let config = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/haproxy.cfg")).unwrap();
    // The file as it is delivered, with this test's addresses in place of the two servers and the public ports.
    let mut config =
        config.replace(":65432\n", &format!(":{tcp}\n")).replace(":8080\n", &format!(":{http}\n"));
    for (name, tcp, http, metrics) in
        [("front1", tcp_one, http_one, metrics_one), ("front2", tcp_two, http_two, metrics_two)]
    {
        let of_server = format!(" {name}:");
        let lines = config.lines().map(|line| match line.contains(&of_server) {
            true => line
                .replace(&format!("{name}:65432"), &format!("127.0.0.1:{tcp}"))
                .replace(&format!("{name}:8080"), &format!("127.0.0.1:{http}"))
                .replace("port 9432", &format!("port {metrics}")),
            false => line.to_owned(),
        });
        config = lines.collect::<Vec<_>>().join("\n") + "\n";
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("haproxy.cfg");
    std::fs::write(&path, config).unwrap();
    let start = |tcp: u16, http: u16, metrics: u16| {
        let (bind, http) = (format!("127.0.0.1:{tcp}"), format!("127.0.0.1:{http}"));
        let metrics = format!("127.0.0.1:{metrics}");
        Server::start_with(
            Some(&http),
            &["--bind", &bind, "--metrics", &metrics, "--stop-delay", "3s", "--proxy-from", "127.0.0.1"],
        )
    };
    let mut servers =
        [Some(start(tcp_one, http_one, metrics_one)), Some(start(tcp_two, http_two, metrics_two))];
    let balancer = Command::new("haproxy").arg("-f").arg(&path).stderr(Stdio::null()).spawn().unwrap();
    let _balancer = Balancer(balancer);
    let until = Instant::now() + Duration::from_secs(20);
    let request = || -> Option<Answer> {
        let mut socket = TcpStream::connect(("127.0.0.1", http)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        socket.write_all(&post("/resize?width=20", &png(60, 40))).ok()?;
        Answer::try_read(&mut socket).filter(|answer| answer.status == 200)
    };
    while request().is_none() {
        assert!(Instant::now() < until, "the balancer never serves");
        std::thread::sleep(Duration::from_millis(50));
    }
    let rolling = AtomicBool::new(true);
    let (served, failed) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut served, mut failed) = (0, 0);
                    while rolling.load(Ordering::SeqCst) {
                        if request().is_some() {
                            served += 1
                        } else {
                            failed += 1
                        }
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    (served, failed)
                })
            })
            .collect();
        let end = EndOnDrop(&rolling);
        for _ in 0..2 {
            for (n, ports) in [(0, (tcp_one, http_one, metrics_one)), (1, (tcp_two, http_two, metrics_two))] {
                servers[n].take().unwrap().stop();
                servers[n] = Some(start(ports.0, ports.1, ports.2));
                std::thread::sleep(Duration::from_secs(3)); // the balancer's checks see it again
            }
        }
        drop(end);
        clients.into_iter().map(|client| client.join().unwrap()).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    });
    println!("{served} served, {failed} refused");
    assert!(served > 100 && failed == 0, "{served} served, {failed} refused");
}
