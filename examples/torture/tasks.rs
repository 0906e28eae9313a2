//! Tasks under faults: killed servers, stopped servers, guessed ids.

use crate::flood::files;
use crate::harness::{Rng, Server, jpeg};
use crate::protocol::{Outcome, Protocol, read_http};
use crate::table::{Row, Scale};
use crate::tokens::welch;
use std::io::{self, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Starts a server that keeps its tasks in `folder`.
fn start(program: &Path, folder: &Path, more: &[&str]) -> Server {
    let folder = format!("--data-dir={}", folder.display());
    Server::start_at(Protocol::Http, program, &[&[folder.as_str()], more].concat())
}

/// Uploads a picture on a connection of its own and returns the id of its task.
fn upload(server: &Server, headers: &str, picture: &[u8]) -> io::Result<String> {
    let mut socket = server.connect_from(3)?;
    let head = format!(
        "POST /upload?width=40 HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n",
        picture.len()
    );
    socket.write_all(head.as_bytes())?;
    socket.write_all(picture)?;
    let (status, body) = read_http(&mut socket)?;
    let body = String::from_utf8_lossy(&body);
    let id = body.split("\"task_id\":\"").nth(1).and_then(|rest| rest.get(..32));
    id.filter(|_| status == 202).map(str::to_owned).ok_or_else(|| io::Error::other(body.into_owned()))
}

fn get(socket: &mut TcpStream, path: &str, headers: &str) -> io::Result<(u16, Vec<u8>)> {
    socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes())?;
    read_http(socket)
}

/// Counts of accepted tasks by how they ended.
#[derive(Default)]
struct Ends {
    done: usize,
    /// Failed after three starts without an end, as documented for a picture that ends the process.
    given_up: usize,
    /// Unknown, failed otherwise, or not ended within a minute.
    lost: usize,
    /// Results that differ from the first one.
    wrong: usize,
}

fn ends(server: &Server, ids: &[String]) -> Ends {
    let mut ends = Ends::default();
    let mut socket = server.connect();
    let (began, mut expected) = (Instant::now(), None);
    for id in ids {
        let state = loop {
            let answer = get(&mut socket, &format!("/status/{id}"), "");
            let text =
                answer.map(|(_, body)| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default();
            let is_open =
                ["queued", "processing"].iter().any(|word| text.contains(&format!("\"status\":\"{word}\"")));
            if !is_open || began.elapsed() > Duration::from_secs(60) {
                break text;
            }
            thread::sleep(Duration::from_millis(20));
        };
        if state.contains("\"status\":\"done\"") {
            ends.done += 1;
            let result = get(&mut socket, &format!("/result/{id}"), "").ok();
            let expected = expected.get_or_insert_with(|| result.clone());
            ends.wrong += usize::from(result.is_none() || result != *expected);
        } else if state.contains("\"status\":\"failed\"") && state.contains("internal") {
            ends.given_up += 1;
        } else {
            ends.lost += 1;
        }
    }
    ends
}

/// O2: the server is killed under tasks and requests, and restarted on the same folder.
pub(crate) fn kills(program: &Path, scale: Scale) -> Row {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let picture = jpeg(640, 480);
    let request = Protocol::Http.request(&picture, "width=160");
    let (count, mut slowest) = (scale.of(200, 3), Duration::ZERO);
    let accepted = Mutex::new(Vec::new());
    let accept = |server: &Server| {
        let id = upload(server, "", &picture).ok();
        id.map(|id| accepted.lock().expect("no panic").push(id)).is_some()
    };
    let (mut served, mut rng) = (0, Rng(2));
    for _ in 0..count {
        let began = Instant::now();
        let mut server = start(program, folder.path(), &[]);
        served += usize::from(accept(&server));
        slowest = slowest.max(began.elapsed());
        let until = Duration::from_millis(rng.below(60) as u64);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| while accept(&server) {});
            }
            scope.spawn(|| {
                let mut socket = server.connect_from(5)?;
                while server.protocol.exchange(&mut socket, &request).is_ok() {}
                io::Result::Ok(())
            });
            thread::sleep(until);
            server.signal("KILL");
        });
        let _ = server.ended(Duration::from_secs(5));
    }
    let server = start(program, folder.path(), &[]);
    let accepted = accepted.into_inner().expect("no panic");
    let ends = ends(&server, &accepted);
    let left = files(folder.path());
    let orphans = left.iter().filter(|file| file.extension().is_some_and(|kind| kind == "new")).count();
    Row {
        id: "O2",
        what: format!("{count} kills under uploads of tasks and requests"),
        figure: format!(
            "{served} restarts served, the slowest after {} ms; {} tasks accepted, {} lost, {} wrong, {} given up after three deaths, {orphans} unfinished files left",
            slowest.as_millis(),
            accepted.len(),
            ends.lost,
            ends.wrong,
            ends.given_up
        ),
        bar: "all served, <= 1 s; 0 lost; 0 files left",
        pass: served == count
            && ends.lost + ends.wrong + orphans == 0
            && ends.done > 0
            && slowest <= scale.of(Duration::from_secs(1), Duration::from_secs(10)),
    }
}

/// O5: the process is stopped under tasks and requests, for less and for more than a task's lease, and continued.
pub(crate) fn stops(program: &Path, scale: Scale) -> Row {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = start(program, folder.path(), &["--queue=64"]);
    let picture = jpeg(1280, 960);
    let request = Protocol::Http.request(&picture, "width=320");
    let accepted = Mutex::new(Vec::new());
    let (stop, good, timely, odd) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let silences = [scale.of(10, 1), scale.of(31, 2)].map(Duration::from_secs);
    let mut slowest = Duration::ZERO;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    if let Ok(id) = upload(&server, "", &picture) {
                        accepted.lock().expect("no panic").push(id);
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            });
            scope.spawn(|| {
                let mut socket = server.connect();
                while !stop.load(Ordering::Relaxed) {
                    let answer = server.protocol.exchange(&mut socket, &request);
                    match &answer {
                        Ok(Outcome::Good) => &good,
                        Ok(_) => &timely, // `timeout` or `busy`
                        Err(_) => &odd,
                    }
                    .fetch_add(1, Ordering::Relaxed);
                    if answer.is_err() {
                        socket = server.connect();
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            });
        }
        for silence in silences {
            thread::sleep(Duration::from_secs(1));
            server.signal("STOP");
            thread::sleep(silence);
            server.signal("CONT");
            let (began, before) = (Instant::now(), good.load(Ordering::Relaxed));
            while good.load(Ordering::Relaxed) == before && began.elapsed() < Duration::from_secs(20) {
                thread::sleep(Duration::from_millis(5));
            }
            slowest = slowest.max(began.elapsed());
        }
        thread::sleep(Duration::from_secs(1));
        stop.store(true, Ordering::Relaxed);
    });
    let accepted = accepted.into_inner().expect("no panic");
    let ends = ends(&server, &accepted);
    let (good, timely, odd) = (good.into_inner(), timely.into_inner(), odd.into_inner());
    let alive = server.is_alive();
    Row {
        id: "O5",
        what: format!(
            "stopped for {} s and {} s under tasks and requests (a lease is 30 s)",
            silences[0].as_secs(),
            silences[1].as_secs()
        ),
        figure: format!(
            "{} tasks accepted, {} lost, {} wrong, {} given up; {good} requests good, {timely} answered with timeout or busy, {odd} unanswered; serving {} ms after continuing, alive {alive}",
            accepted.len(),
            ends.lost,
            ends.wrong,
            ends.given_up,
            slowest.as_millis()
        ),
        bar: "0 lost, 0 wrong; all answered; serving <= 5 s after",
        pass: alive
            && ends.done > 0
            && ends.lost + ends.wrong + ends.given_up + odd == 0
            && good > 0
            && slowest <= Duration::from_secs(5),
    }
}

/// A16: guessed ids of tasks; an id of another token must not differ from an unknown one.
pub(crate) fn guesses(program: &Path, scale: Scale) -> Row {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tokens = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(tokens.path(), "a:owner-0123456789\nb:other-0123456789\n").expect("writable");
    let server = start(program, folder.path(), &[&format!("--token-file={}", tokens.path().display())]);
    let picture = jpeg(64, 48);
    let ids: Vec<_> = (0..scale.of(200, 10))
        .filter_map(|_| upload(&server, "Authorization: Bearer owner-0123456789\r\n", &picture).ok())
        .collect();
    let guesser = "Authorization: Bearer other-0123456789\r\nX-Request-Id: guess\r\n";
    let mut socket = server.connect();
    let mut rng = Rng(0xA16);
    let random_id =
        |rng: &mut Rng| -> String { (0..4).map(|_| format!("{:08x}", rng.below(1 << 32))).collect() };
    thread::sleep(scale.of(Duration::from_secs(2), Duration::from_millis(500))); // until all are done
    let (count, patience) = (scale.of(100_000, 2000), Duration::from_secs(90));
    let asked = Instant::now();
    let (mut hits, mut answers, mut times) = (0, std::collections::HashSet::new(), [Vec::new(), Vec::new()]);
    for _ in (0..count).take_while(|_| asked.elapsed() < patience) {
        let class = rng.below(2);
        let (unknown, foreign) = (random_id(&mut rng), &ids[rng.below(ids.len())]);
        let path = format!("/status/{}", if class == 0 { &unknown } else { foreign });
        let began = Instant::now();
        let Ok((status, body)) = get(&mut socket, &path, guesser) else {
            hits += 1; // a missing answer counts as a different one
            socket = server.connect();
            continue;
        };
        times[class].push(began.elapsed().as_nanos() as f64);
        hits += usize::from(status != 404);
        answers.insert(body);
    }
    let (t, made) = (welch(&times), times[0].len() + times[1].len());
    Row {
        id: "A16",
        what: format!("{made} guessed ids of tasks: half unknown, half of {} of another token", ids.len()),
        figure: format!(
            "{hits} other than 404, {} different answers, foreign or unknown: t = {t:+.1}",
            answers.len()
        ),
        bar: "0; one answer; abs(t) < 4.5",
        pass: hits == 0
            && made == count
            && answers.len() == 1
            && !ids.is_empty()
            && t.abs() < scale.of(4.5, 1e3),
    }
}
