//! Accepted means kept: tasks over HTTP through real crashes and on a full disk.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(all(feature = "http", feature = "tasks"))]

mod http_support;
mod support;

use http_support::tasks::{SLOW, end_of, id_of, start, status, upload};
use http_support::{Answer, ask, get, post};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;
use support::{Server, SmallDisk, jpeg_size, png};

#[test]
fn queued_and_half_done_tasks_survive_a_kill_and_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    for signal in [9, 15] {
        let server = start(folder.path(), &["--workers", "1"]);
        let ids: Vec<_> = (0..3).map(|_| upload(&server, SLOW, &png(500, 500))).collect();
        while status(&server, &ids[0])["status"] == "queued" {}
        server.signal(signal);
        server.wait(Duration::from_secs(30));
        let server = start(folder.path(), &[]);
        for id in &ids {
            assert_eq!(end_of(&server, id)["status"], "done");
            assert_eq!(jpeg_size(&ask(&server, &get(&format!("/result/{id}"))).body), (500, 500));
        }
    }
}

#[test]
fn a_full_disk_is_told_as_insufficient_storage_and_recovers() {
    let Some(disk) = SmallDisk::mount() else { return };
    let server = start(disk.path(), &[]);
    let first = upload(&server, "/upload", &png(50, 50));
    end_of(&server, &first);
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 16 << 20]).unwrap_err();
    let refused = ask(&server, &post("/upload", &png(400, 400)));
    assert_eq!((refused.status, refused.json()["status"].as_str()), (507, Some("storage_full")));
    assert_eq!(ask(&server, &get(&format!("/result/{first}"))).status, 200);
    assert_eq!(ask(&server, &get("/tasks")).json()["tasks"].as_array().unwrap().len(), 1);
    fs::remove_file(&ballast).unwrap();
    let second = upload(&server, "/upload", &png(400, 400));
    assert_eq!(end_of(&server, &second)["status"], "done");
}

/// Uploads while the server is killed again and again; then everything that was accepted must be there, and
/// come to its end. How many were accepted, lost, and given up.
fn kill_in_a_loop(kills: usize, at_least: usize) -> (usize, usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let images: Vec<_> = (1..9).map(|n| png(40 * n, 30 * n)).collect();
    let server = RwLock::new(Some(start(folder.path(), &[])));
    let accepted = Mutex::new(Vec::new());
    let (enough, tried) = (AtomicBool::new(false), AtomicUsize::new(0));
    let upload_on = || {
        while !enough.load(Ordering::SeqCst) {
            let n = tried.fetch_add(1, Ordering::SeqCst);
            let Some(address) = server.read().unwrap().as_ref().map(Server::http) else { continue };
            let image = &images[n % images.len()];
            let answer = std::net::TcpStream::connect(address).ok().and_then(|mut socket| {
                use std::io::Write;
                socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
                socket.write_all(&post("/upload?scale_factor=0.5", image)).ok()?;
                Answer::try_read(&mut socket).filter(|answer| answer.status == 202)
            });
            match answer {
                Some(answer) if !answer.body.is_empty() => {
                    accepted.lock().unwrap().push((id_of(&answer), n % images.len()));
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    };
    std::thread::scope(|scope| {
        (0..2).for_each(|_| drop(scope.spawn(upload_on)));
        for kill in 0..kills {
            // Wait for this round's share, so that kills fall between uploads everywhere.
            let share = at_least * (kill + 1) / kills;
            while accepted.lock().unwrap().len() < share {
                std::thread::sleep(Duration::from_millis(1));
            }
            let mut killed = server.write().unwrap().take().unwrap();
            killed.signal(9);
            assert!(!killed.is_alive() || !killed.wait(Duration::from_secs(10)).0.success());
            *server.write().unwrap() = Some(start(folder.path(), &[]));
        }
        enough.store(true, Ordering::SeqCst);
    });
    let (server, accepted) = (server.into_inner().unwrap().unwrap(), accepted.into_inner().unwrap());
    let (mut lost, mut given_up) = (0, 0);
    for (id, n) in &accepted {
        if ask(&server, &get(&format!("/status/{id}"))).status == 404 {
            lost += 1;
            continue;
        }
        let task = end_of(&server, id);
        match task["status"].as_str() {
            Some("done") => {
                let result = ask(&server, &get(&format!("/result/{id}")));
                let size = (20 * (*n as u32 + 1), 15 * (*n as u32 + 1));
                assert_eq!(jpeg_size(&result.body), size, "{task}");
            }
            _ => given_up += 1,
        }
    }
    println!("{} accepted, {kills} kills, {lost} lost, {given_up} given up", accepted.len());
    (accepted.len(), lost, given_up)
}

#[test]
fn a_few_kills_lose_no_accepted_task() {
    let (accepted, lost, given_up) = kill_in_a_loop(4, 40);
    assert!(accepted >= 40);
    assert_eq!((lost, given_up), (0, 0));
}

/// `cargo test --release --test task_crashes -- --ignored --nocapture a_hundred_kills`
#[test]
#[ignore = "takes minutes"]
fn a_hundred_kills_lose_none_of_a_thousand_accepted_tasks() {
    let (accepted, lost, given_up) = kill_in_a_loop(100, 1000);
    assert!(accepted >= 1000);
    assert_eq!((lost, given_up), (0, 0));
}
