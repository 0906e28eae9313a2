//! Tasks over HTTP against the real server, with real clients.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(all(feature = "http", feature = "tasks"))]

mod http_support;
mod support;

use http_support::tasks::{SLOW, delete, end_of, id_of, start, status, upload};
use http_support::{ask, connect, get, post, posted};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Server, jpeg_size, make_private, png, send};

#[test]
fn an_upload_is_a_task_whose_result_can_be_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let answer = ask(&server, &post("/upload?scale_factor=0.5&quality=70", &png(100, 60)));
    assert_eq!(answer.status, 202);
    let id = id_of(&answer);
    assert_eq!(answer.header("location"), format!("/status/{id}"));
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");

    let task = end_of(&server, &id);
    for (key, value) in [
        ("status", Value::from("done")),
        ("progress", 100.into()),
        ("width", 50.into()),
        ("height", 30.into()),
        ("source_width", 100.into()),
        ("format", "jpeg".into()),
        ("quality", 70.into()),
        ("result", format!("/result/{id}").into()),
    ] {
        assert_eq!(task[key], value, "{key} in {task}");
    }
    assert!(task["submitted"].as_str() <= task["finished"].as_str(), "{task}");
    assert!(task["decode_us"].is_u64() && task["encode_us"].is_u64(), "{task}");
    let result = ask(&server, &get(&format!("/result/{id}")));
    assert_eq!((result.status, result.header("content-type")), (200, "image/jpeg"));
    assert_eq!(result.header("x-result-width"), "50");
    assert_eq!(jpeg_size(&result.body), (50, 30));
    assert_eq!(task["result_bytes"], result.body.len());

    let listed = ask(&server, &get("/tasks")).json();
    assert_eq!(listed["tasks"], Value::from(vec![task]));
}

#[test]
fn what_can_never_be_done_is_refused_at_once_and_what_fails_later_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let image = png(64, 48);
    for (target, body, code) in [
        ("/upload", &b"no image"[..], 415),
        ("/upload", b"", 400),
        ("/upload?scale_factor=nine", &image, 400),
        ("/upload?scale_factor=0.5&scale=0.5", &image, 400),
        ("/upload?width=9000", &image, 413),
    ] {
        assert_eq!(ask(&server, &post(target, body)).status, code, "{target}");
    }
    assert_eq!(ask(&server, &get("/tasks")).json()["tasks"], Value::from(Vec::<Value>::new()));

    let id = upload(&server, "/upload?strict=true", &image[..image.len() / 2]);
    let task = end_of(&server, &id);
    assert_eq!(
        (task["status"].as_str(), task["error"].as_str()),
        (Some("failed"), Some("damaged")),
        "{task}"
    );
    let result = ask(&server, &get(&format!("/result/{id}")));
    assert_eq!((result.status, result.json()["status"].as_str()), (422, Some("damaged")));
    assert_eq!(result.json()["message"], task["message"]);
}

#[test]
fn foreign_ids_unknown_ids_and_nonsense_are_answered_alike() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, "mine:secret-a\nyours:secret-b\n").unwrap();
    make_private(&tokens);
    let server = start(&folder.path().join("data"), &["--token-file", tokens.to_str().unwrap()]);
    let bearer = |token| format!("Authorization: Bearer {token}\r\nX-Request-Id: same\r\n");
    let answer =
        ask(&server, &posted("/upload", &(bearer("secret-a") + "Connection: close\r\n"), &png(9, 9)));
    let id = id_of(&answer);
    let ask_as = |token, method: &str, target: &str| {
        let headers = bearer(token);
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        let mut answer = ask(&server, request.as_bytes());
        answer.headers.retain(|(name, _)| name != "date");
        answer
    };
    assert_eq!(ask_as("secret-a", "GET", &format!("/status/{id}")).status, 200);
    let unknown = "0123456789abcdef0123456789abcdef";
    for (method, before, after) in [
        ("GET", "/status/", ""),
        ("GET", "/result/", ""),
        ("GET", "/status/", "/events"),
        ("DELETE", "/status/", ""),
    ] {
        let foreign = ask_as("secret-b", method, &format!("{before}{id}{after}"));
        assert_eq!(foreign.status, 404);
        for other in [unknown, "nonsense"] {
            let answer = ask_as("secret-b", method, &format!("{before}{other}{after}"));
            assert_eq!(
                (&answer.body, &answer.headers),
                (&foreign.body, &foreign.headers),
                "{method} {other}"
            );
        }
    }
    assert_eq!(ask_as("secret-b", "GET", "/tasks").json()["tasks"], Value::from(Vec::<Value>::new()));
    assert_eq!(ask(&server, &get(&format!("/status/{id}"))).status, 401);
    assert_eq!(ask_as("secret-a", "DELETE", &format!("/status/{id}")).status, 200);
}

#[test]
fn a_task_can_be_cancelled_while_it_waits_while_it_runs_and_when_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--workers", "1"]);
    let done = upload(&server, "/upload", &png(20, 20));
    end_of(&server, &done);
    let running = upload(&server, SLOW, &png(1500, 1500));
    while status(&server, &running)["status"] == "queued" {}
    let waiting = upload(&server, "/upload", &png(20, 20));
    let task = status(&server, &waiting);
    assert_eq!((task["status"].as_str(), task["position"].as_u64()), (Some("queued"), Some(1)), "{task}");
    assert_eq!(ask(&server, &get(&format!("/result/{waiting}"))).status, 409);
    for id in [&running, &waiting, &done] {
        let answer = ask(&server, &delete(&format!("/status/{id}")));
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("cancelled")));
        let unknown = ask(&server, &get(&format!("/status/{id}")));
        assert_eq!((unknown.status, unknown.json()["status"].as_str()), (404, Some("not_found")));
        assert_eq!(ask(&server, &get(&format!("/result/{id}"))).status, 404);
        assert_eq!(ask(&server, &delete(&format!("/status/{id}"))).status, 404);
    }
    // The worker is free again for the next one.
    let next = upload(&server, "/upload", &png(20, 20));
    assert_eq!(end_of(&server, &next)["status"], "done");
}

#[test]
fn a_result_on_its_way_to_somebody_who_does_not_take_it_counts_as_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let id = upload(&server, "/upload?width=2500&height=2500&format=bmp", &png(50, 50));
    let length = end_of(&server, &id)["result_bytes"].as_u64().unwrap();
    let mut socket = connect(&server);
    send(&mut socket, &get(&format!("/result/{id}")));
    let reserved = |bytes: u64| {
        let line = format!("imgsrv_memory_reserved_bytes {bytes}");
        let until = Instant::now() + Duration::from_secs(30);
        while !ask(&server, &get("/metrics")).text().lines().any(|one| one == line) {
            assert!(Instant::now() < until, "never {line}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    reserved(length);
    drop(socket);
    reserved(0);
}

#[test]
fn results_expire() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--task-ttl", "1ms"]);
    let id = upload(&server, "/upload", &png(20, 20));
    let until = Instant::now() + Duration::from_secs(60);
    while ask(&server, &get(&format!("/status/{id}"))).status != 404 {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(fs::read_dir(folder.path().join("done")).unwrap().count(), 0);
}

#[test]
fn without_a_folder_uploads_are_refused_and_say_what_to_do() {
    let server = Server::start_http(&["--data-dir", "none"]);
    let answer = ask(&server, &post("/upload", &png(9, 9)));
    assert_eq!(answer.status, 501);
    assert!(answer.text().contains("--data-dir"), "{}", answer.text());
}

#[test]
fn a_second_server_refuses_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = start(folder.path(), &[]);
    let output = Command::new(env!("CARGO_BIN_EXE_imgsrv"))
        .args(["--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another process uses it"), "{output:?}");
}

#[test]
fn curl_hears_every_event_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--workers", "1"]);
    let first = upload(&server, SLOW, &png(800, 800));
    let id = upload(&server, SLOW, &png(400, 400));
    let address = format!("http://{}/status/{id}/events", server.http());
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--no-buffer", "--include", &address])
        .output();
    let output = output.expect("curl is installed");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.to_ascii_lowercase().contains("content-type: text/event-stream"), "{text}");
    let names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((names.first(), names.last()), (Some(&"queued"), Some(&"done")), "{text}");
    assert!(names.contains(&"processing"), "{text}");
    let last: Value =
        serde_json::from_str(text.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap())
            .unwrap();
    assert_eq!(last, status(&server, &id));
    assert_eq!(status(&server, &first)["status"], "done");
}

#[test]
fn whoever_listens_to_a_cancelled_task_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--workers", "1"]);
    let _busy = upload(&server, SLOW, &png(1500, 1500));
    let id = upload(&server, "/upload", &png(9, 9));
    let address = format!("http://{}/status/{id}/events", server.http());
    let mut curl = Command::new("curl")
        .args(["--silent", "--no-buffer", &address])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed");
    let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("event: queued"));
    ask(&server, &delete(&format!("/status/{id}")));
    let names: Vec<_> = lines.filter(|line| line.starts_with("event: ")).collect();
    assert_eq!(names.last().map(String::as_str), Some("event: cancelled"));
    assert!(curl.wait().unwrap().success());
}

/// What the original client did, with its own library.
const ORIGINAL_CLIENT: &str = r#"
import sys, time, requests
base, path = sys.argv[1:]
with open(path, "rb") as file:
    response = requests.post(f"{base}/upload", files={"image": file}, data={"scale_factor": 0.5})
assert response.status_code == 202, response.text
task_id = response.json()["task_id"]
while (status := requests.get(f"{base}/status/{task_id}").json())["status"] != "done":
    assert status["status"] in ("queued", "processing"), status
    time.sleep(0.05)
result = requests.get(f"{base}/result/{task_id}")
result.raise_for_status()
sys.stdout.buffer.write(result.content)
"#;

#[test]
fn the_original_client_uploads_polls_and_fetches_with_requests() {
    let is_there = Command::new("python3").args(["-c", "import requests"]).output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        return support::skip("python3 has no requests");
    }
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("data"), &[]);
    let path = folder.path().join("photo.png");
    fs::write(&path, png(300, 200)).unwrap();
    let base = format!("http://{}", server.http());
    let output = Command::new("python3").args(["-c", ORIGINAL_CLIENT, &base]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(jpeg_size(&output.stdout), (150, 100));
}

#[test]
fn a_list_comes_in_pages_that_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let ids: Vec<_> = (0..5).map(|_| upload(&server, "/upload?width=4", &png(8, 8))).collect();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = ask(&server, &get(&format!("/tasks?limit=2{after}"))).json();
        let tasks = page["tasks"].as_array().unwrap();
        assert!(tasks.len() <= 2);
        seen.extend(tasks.iter().map(|task| task["task_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, ids);
    for wrong in ["limit=0", "limit=201", "limit=x", "page=2"] {
        assert_eq!(ask(&server, &get(&format!("/tasks?{wrong}"))).status, 400, "{wrong}");
    }
    assert_eq!(ask(&server, &get("/tasks?after=0123456789abcdef0123456789abcdef")).status, 404);
}
