//! Peers that hold on: silence, drips, replies that nobody reads.

use crate::door::Door;
use crate::harness::{Server, extended, header, jpeg, mib, reset_on_close};
use crate::probe::Probe;
use crate::table::{Row, Scale};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Connections that are watched until the server cuts them: when, in seconds since they were opened.
pub(crate) fn cuts(
    crowd: Vec<TcpStream>,
    mut drip: impl FnMut(&mut TcpStream),
    patience: Duration,
) -> (Vec<f64>, usize) {
    let opened = Instant::now();
    let mut open: Vec<_> = crowd;
    open.iter().for_each(|socket| socket.set_nonblocking(true).expect("a socket option"));
    let (mut cut, mut dripped) = (Vec::new(), opened);
    while !open.is_empty() && opened.elapsed() < patience {
        let due = dripped.elapsed() >= Duration::from_secs(1);
        open.retain_mut(|socket| {
            if due {
                drip(socket);
            }
            let mut part = [0; 64];
            let gone = loop {
                match socket.read(&mut part) {
                    Ok(0) => break true,
                    Ok(_) => {}
                    Err(error) => break error.kind() != std::io::ErrorKind::WouldBlock,
                }
            };
            if gone {
                cut.push(opened.elapsed().as_secs_f64());
            }
            !gone
        });
        if due {
            dripped = Instant::now();
        }
        thread::sleep(Duration::from_millis(50));
    }
    let left = open.len();
    (cut, left)
}

pub(crate) fn crowd(server: &Server, size: usize, greet: &[u8]) -> Vec<TcpStream> {
    let join = |i: usize| {
        let mut socket = server.connect_from((i % 200) as u8 + 2).ok()?;
        socket.write_all(greet).ok()?;
        Some(socket)
    };
    (0..size).filter_map(join).collect()
}

pub(crate) fn range(times: &[f64]) -> (f64, f64) {
    (times.iter().copied().fold(f64::MAX, f64::min), times.iter().copied().fold(0.0, f64::max))
}

/// P1: every length of a cut header, with every ending.
pub(crate) fn short_headers(program: &Path, scale: Scale) -> Row {
    let mut server = Server::start(program, &[]);
    let (before, watch) = (server.held(), server.watch_memory());
    let each = scale.of(1000, 20);
    let mut connections = 0;
    for len in 0..12 {
        for n in 0..2 * each {
            let Ok(mut socket) = server.connect_from((n % 200) as u8 + 2) else { continue };
            connections += 1;
            let _ = socket.write_all(&header(9, 8, 7)[..len]);
            if n % 2 == 0 {
                reset_on_close(&socket);
            }
        }
    }
    let mut silent: Vec<_> = Vec::new();
    let mut slowest = (f64::MAX, 0.0_f64);
    let mut left = 0;
    for len in 0..12 {
        silent.extend(crowd(&server, each, &header(9, 8, 7)[..len]));
        if silent.len() + each > 2000 || len == 11 {
            connections += silent.len();
            let (times, stuck) = cuts(std::mem::take(&mut silent), |_| {}, Duration::from_secs(9));
            let (first, last) = range(&times);
            slowest = (slowest.0.min(first), slowest.1.max(last));
            left += stuck;
        }
    }
    let rise = watch.rise();
    let clean = server.comes_clean(before);
    Row {
        id: "P1",
        what: format!("{connections} headers cut short: end, reset, silence"),
        figure: format!(
            "silence cut at {:.1} to {:.1} s, clean {clean}, memory +{rise:.0} MiB with {} held at once",
            slowest.0,
            slowest.1,
            2000.min(12 * each)
        ),
        bar: "clean; cut at 5 ± 1 s",
        pass: clean && left == 0 && slowest.0 >= 3.0 && slowest.1 <= 6.5,
    }
}

/// P4: a byte a second, in the header and in the body.
pub(crate) fn drippers(door: Door, program: &Path, scale: Scale) -> Row {
    let mut server = Server::start_at(door, program, &[]);
    let picture = Arc::new(jpeg(1920, 1080));
    let alone = Probe::alone(&server, &picture, scale.of(Duration::from_secs(20), Duration::from_secs(3)));
    let (before, watch) = (server.held(), server.watch_memory());
    let size = scale.of(1000, 40);
    let probe = Probe::start(&server, picture);
    let [head, body] = door.beginnings();
    let mut dripping = crowd(&server, size / 2, &head);
    dripping.extend(crowd(&server, size / 2, &body));
    let drip = |socket: &mut TcpStream| drop(socket.write(&[1]));
    let (times, left) = cuts(dripping, drip, Duration::from_secs(16));
    let (rise, seen) = (watch.rise(), probe.finish());
    let last = range(&times).1;
    let ratio = seen.p99().as_secs_f64() / alone.p99().as_secs_f64();
    let clean = server.comes_clean(before);
    Row {
        id: door.row("P4", "P4 http"),
        what: format!("{size} drippers, 1 byte a second, half of them in the header"),
        figure: format!(
            "memory +{rise:.0} MiB, probe {:.1} % ok, p99 {ratio:.2}x, last cut at {last:.1} s, clean {clean}",
            100.0 * seen.share_ok()
        ),
        bar: "< 64 MB; p99 <= 1.10x; cut by the deadline + 2 s (12.4 s)",
        pass: clean
            && left == 0
            && last <= 12.6
            && rise < 64.0
            && seen.share_ok() == 1.0
            && ratio <= scale.of(1.10, 5.0),
    }
}

/// P7: requests whose replies are never read.
pub(crate) fn non_readers(door: Door, program: &Path, scale: Scale) -> Row {
    let patience = ["--queue=1000", "--queue-timeout=30s", "--request-timeout=30s"];
    let mut server = Server::start_at(door, program, &patience);
    let picture = Arc::new(jpeg(1920, 1080));
    let alone = Probe::alone(&server, &picture, scale.of(Duration::from_secs(10), Duration::from_secs(2)));
    let before = server.held();
    let size = scale.of(500, 5);
    let request = door.request(&jpeg(64, 64), "width=320&height=320&format=bmp");
    let reply = 320 * 320 * 3;
    let deaf: Vec<_> = (0..size).filter_map(|i| server.connect_deaf((i % 200) as u8 + 2).ok()).collect();
    let watch = server.watch_memory();
    let asked = Instant::now();
    deaf.iter().for_each(|mut socket| drop(socket.write_all(&request)));
    // The probe is to feel those who do not read, and not the work on what they asked for.
    let working = || server.metric("imgsrv_workers_busy") + server.metric("imgsrv_queue_depth") > 0.0;
    thread::sleep(Duration::from_millis(300));
    while working() && asked.elapsed() < Duration::from_secs(8) {
        thread::sleep(Duration::from_millis(50));
    }
    let settled = asked.elapsed().as_secs_f64();
    let probe = Probe::start(&server, picture);
    let (mut first, mut cut) = (None, 0.0);
    while cut < size as f64 && asked.elapsed() < Duration::from_secs(25) {
        thread::sleep(Duration::from_millis(50));
        cut = server.rejected("write_timeout");
        if cut > 0.0 {
            first.get_or_insert(asked.elapsed().as_secs_f64());
        }
    }
    let (first, last) = (first.unwrap_or_default(), asked.elapsed().as_secs_f64());
    let (seen, rise) = (probe.finish(), watch.rise());
    drop(deaf);
    let ratio = seen.p99().as_secs_f64() / alone.p99().as_secs_f64();
    let clean = server.comes_clean(before);
    Row {
        id: door.row("P7", "P7 http"),
        what: format!("{size} peers that never read a reply of {} KB", reply / 1000),
        figure: format!(
            "{cut} cut, {first:.1} to {last:.1} s after asking ({settled:.1} s of it work), probe {:.1} % ok, p99 {ratio:.2}x, memory +{rise:.0} MiB, clean {clean}",
            100.0 * seen.share_ok()
        ),
        bar: "cut at 10 ± 1 s; probe p99 <= 1.25x; memory <= the replies and 64 KB a peer",
        pass: clean
            && cut == size as f64
            && first >= scale.of(9.0, 5.0)
            && last - settled <= scale.of(11.0, 20.0)
            && rise <= scale.of(mib(size as u64 * (reply + (64 << 10))), 200.0)
            && seen.share_ok() == 1.0
            && ratio <= scale.of(1.25, 5.0),
    }
}

/// P10: a house full of idle guests, and one more.
pub(crate) fn idle_holders(program: &Path, scale: Scale) -> Row {
    let most = scale.of(2048, 50);
    let server = Server::start(program, &[&format!("--max-connections={most}")]);
    let small = jpeg(64, 64);
    let request = extended(&small, "width=32");
    let mut holders = crowd(&server, most, &[]);
    let mut active: Vec<_> = holders.drain(..10).collect();
    thread::sleep(Duration::from_millis(300));
    for socket in &mut active {
        let _ = crate::harness::ask(socket, &request); // now the most recently busy of all
    }
    let began = Instant::now();
    let served =
        server.connect_from(1).and_then(|mut socket| crate::harness::ask(&mut socket, &request)).is_ok();
    let took = began.elapsed();
    let kept = active.iter_mut().filter_map(|socket| crate::harness::ask(socket, &request).ok()).count();
    Row {
        id: "P10",
        what: format!("{most} idle connections, and a new client"),
        figure: format!(
            "served {served} in {} ms, {} active connections evicted",
            took.as_millis(),
            10 - kept
        ),
        bar: "served <= 200 ms; 0 active evicted",
        pass: served && took <= Duration::from_millis(200) && kept == 10,
    }
}

/// P5: half a close, after the request and within the image.
pub(crate) fn half_closes(program: &Path, scale: Scale) -> Row {
    let mut server = Server::start(program, &[]);
    let before = server.held();
    let small = jpeg(64, 64);
    let each = scale.of(1000, 30);
    let (mut replies, mut truncated, mut slowest) = (0, 0, Duration::ZERO);
    for n in 0..each {
        let mut socket = server.connect_from((n % 200) as u8 + 2).expect("a connection");
        let _ = socket.write_all(&extended(&small, "width=32"));
        let _ = socket.shutdown(Shutdown::Write);
        replies += usize::from(
            crate::harness::read_extended(&mut socket)
                .is_ok_and(|(report, _)| report.starts_with("status=ok")),
        );
        let mut socket = server.connect_from((n % 200) as u8 + 2).expect("a connection");
        let request = extended(&small, "width=32");
        let _ = socket.write_all(&request[..request.len() - 9]);
        let began = Instant::now();
        let _ = socket.shutdown(Shutdown::Write);
        truncated += usize::from(
            crate::harness::read_extended(&mut socket)
                .is_ok_and(|(report, _)| report.contains("bad_request")),
        );
        slowest = slowest.max(began.elapsed());
    }
    let clean = server.comes_clean(before);
    Row {
        id: "P5",
        what: format!("{each} half-closes after the request, {each} within the image"),
        figure: format!(
            "{replies} replies, {truncated} told of the cut, the slowest in {} ms, clean {clean}",
            slowest.as_millis()
        ),
        bar: "all replied; told <= 100 ms; clean",
        pass: clean
            && replies == each
            && truncated == each
            && slowest <= scale.of(Duration::from_millis(100), Duration::from_secs(2)),
    }
}
