//! Slow peers: silence, a byte a second, replies that are never read, idle connections, half-closes.

use crate::harness::{Server, extended, header, jpeg, mib, reset_on_close};
use crate::probe::Probe;
use crate::protocol::Protocol;
use crate::table::{Row, Scale};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Waits until the server closes the connections. Returns their times in seconds, and the number still open.
pub(crate) fn closing_times(connections: Vec<TcpStream>, patience: Duration) -> (Vec<f64>, usize) {
    let opened = Instant::now();
    let mut open = connections;
    open.iter().for_each(|socket| socket.set_nonblocking(true).expect("a socket option"));
    let mut cut = Vec::new();
    while !open.is_empty() && opened.elapsed() < patience {
        open.retain_mut(|socket| {
            let gone = is_cut(socket);
            if gone {
                cut.push(opened.elapsed().as_secs_f64());
            }
            !gone
        });
        thread::sleep(Duration::from_millis(50));
    }
    (cut, open.len())
}

pub(crate) fn connect_many(server: &Server, size: usize, greet: &[u8]) -> Vec<TcpStream> {
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

/// P1: truncated headers of every length, ended by close, reset or silence.
pub(crate) fn short_headers(program: &Path, scale: Scale) -> Row {
    let mut server = Server::start(program, &[]);
    let (before, watch) = (server.resources(), server.watch_memory());
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
        silent.extend(connect_many(&server, each, &header(9, 8, 7)[..len]));
        if silent.len() + each > 2000 || len == 11 {
            connections += silent.len();
            let (times, stuck) = closing_times(std::mem::take(&mut silent), Duration::from_secs(9));
            let (first, last) = range(&times);
            slowest = (slowest.0.min(first), slowest.1.max(last));
            left += stuck;
        }
    }
    let rise = watch.rise();
    let clean = server.returns_to(before);
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

/// A client that sends a byte a second.
struct SlowSender {
    socket: TcpStream,
    opened: Instant,
    last_byte: Instant,
}

/// A constant number of slow senders, half of them in the header and half in the body. Each has its own phase: a thousand
/// in step would be a burst a second, and the row would measure that.
struct SlowSenders {
    beginnings: [Vec<u8>; 2],
    places: Vec<Option<SlowSender>>,
    /// Longest life of a connection, in the header and in the body.
    longest: [Duration; 2],
    turn: usize,
}

impl SlowSenders {
    /// Steps until each place has had its turn.
    const TURNS: usize = 10;
    const PAUSE: Duration = Duration::from_millis(10);

    fn new(protocol: Protocol, size: usize) -> SlowSenders {
        let places = (0..size).map(|_| None).collect();
        SlowSenders { beginnings: protocol.beginnings(), places, longest: [Duration::ZERO; 2], turn: 0 }
    }

    /// Serves a tenth of the places: sends due bytes, notes closed connections, and opens at most `most` new ones.
    fn step(&mut self, server: &Server, most: usize) {
        let mut left = most;
        for (i, place) in self.places.iter_mut().enumerate().skip(self.turn).step_by(Self::TURNS) {
            let stage = i / Self::TURNS % 2;
            if let Some(sender) = place {
                if sender.last_byte.elapsed() >= Duration::from_secs(1) {
                    sender.last_byte = Instant::now();
                    let _ = sender.socket.write(&[1]);
                }
                if is_cut(&mut sender.socket) {
                    self.longest[stage] = self.longest[stage].max(sender.opened.elapsed());
                    *place = None;
                }
            }
            if place.is_none() && left > 0 {
                left -= 1;
                let socket = server.connect_from((i % 200) as u8 + 2).and_then(|mut socket| {
                    socket.write_all(&self.beginnings[stage])?;
                    socket.set_nonblocking(true)?;
                    Ok(socket)
                });
                let (opened, last_byte) = (Instant::now(), Instant::now());
                *place = socket.ok().map(|socket| SlowSender { socket, opened, last_byte });
            }
        }
        self.turn = (self.turn + 1) % Self::TURNS;
        thread::sleep(Self::PAUSE);
    }

    fn count(&self) -> usize {
        self.places.iter().flatten().count()
    }
}

/// Returns true if the server has closed a non-blocking connection.
fn is_cut(socket: &mut TcpStream) -> bool {
    loop {
        match socket.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// P4: a byte a second, in the header and in the body. Closed connections are replaced, so that the probe runs beside the full
/// number for as long as it ran alone.
pub(crate) fn senders(protocol: Protocol, program: &Path, scale: Scale) -> Row {
    let mut server = Server::start_at(protocol, program, &[]);
    let picture = Arc::new(jpeg(1920, 1080));
    let (size, time) = (scale.of(1000, 40), scale.of(Duration::from_secs(60), Duration::from_secs(3)));
    let alone = Probe::alone(&server, &picture, time);
    let (before, watch) = (server.resources(), server.watch_memory());
    let mut senders = SlowSenders::new(protocol, size);
    let (began, mut most) = (Instant::now(), 0);
    while most < size && began.elapsed() < time {
        senders.step(&server, 4); // 400 a second, because a connection flood is another row
        most = most.max(senders.count());
    }
    let (probe, began) = (Probe::start(&server, picture), Instant::now());
    while began.elapsed() < time {
        senders.step(&server, 4);
    }
    let seen = probe.finish();
    let stopped = Instant::now();
    while senders.count() > 0 && stopped.elapsed() < Duration::from_secs(16) {
        senders.step(&server, 0);
    }
    let (rise, left) = (watch.rise(), senders.count());
    let [head, body] = senders.longest.map(|longest| longest.as_secs_f64());
    let ratio = seen.p99().as_secs_f64() / alone.p99().as_secs_f64();
    let median = seen.median().as_secs_f64() / alone.median().as_secs_f64();
    let clean = server.returns_to(before);
    Row {
        id: protocol.row("P4", "P4 http"),
        what: format!(
            "{most} slow senders at a time, 1 byte a second, half of them in the header, {} s",
            time.as_secs()
        ),
        figure: format!(
            "memory +{rise:.0} MiB, probe {:.1} % of {} ok, median {median:.2}x, p99 {ratio:.2}x, cut at {head:.1} and {body:.1} s at the latest, clean {clean}",
            100.0 * seen.share_ok(),
            seen.asked
        ),
        bar: "< 64 MB; p99 <= 1.10x; cut by the deadline + 2 s (7 and 12.4 s)",
        pass: clean
            && left == 0
            && most == size
            && head <= 7.0
            && body <= 12.4
            && rise < 64.0
            && seen.share_ok() == 1.0
            && ratio <= scale.of(1.10, f64::INFINITY),
    }
}

/// P7: requests whose replies are never read.
pub(crate) fn non_readers(protocol: Protocol, program: &Path, scale: Scale) -> Row {
    let patience = ["--queue=1000", "--queue-timeout=30s", "--request-timeout=30s"];
    let mut server = Server::start_at(protocol, program, &patience);
    let picture = Arc::new(jpeg(1920, 1080));
    let alone = Probe::alone(&server, &picture, scale.of(Duration::from_secs(10), Duration::from_secs(2)));
    let before = server.resources();
    let size = scale.of(500, 5);
    let request = protocol.request(&jpeg(64, 64), "width=320&height=320&format=bmp");
    let reply = 320 * 320 * 3;
    let connections: Vec<_> =
        (0..size).filter_map(|i| server.connect_with_small_buffer((i % 200) as u8 + 2).ok()).collect();
    let watch = server.watch_memory();
    let asked = Instant::now();
    connections.iter().for_each(|mut socket| drop(socket.write_all(&request)));
    // Waits for the work on their requests, which is not what the probe should measure.
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
    drop(connections);
    let ratio = seen.p99().as_secs_f64() / alone.p99().as_secs_f64();
    let clean = server.returns_to(before);
    Row {
        id: protocol.row("P7", "P7 http"),
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
            && ratio <= scale.of(1.25, f64::INFINITY),
    }
}

/// P10: a new client when all connections are taken by idle ones.
pub(crate) fn idle_connections(program: &Path, scale: Scale) -> Row {
    let most = scale.of(2048, 50);
    let server = Server::start(program, &[&format!("--max-connections={most}")]);
    let small = jpeg(64, 64);
    let request = extended(&small, "width=32");
    let mut holders = connect_many(&server, most, &[]);
    let mut active: Vec<_> = holders.drain(..10).collect();
    thread::sleep(Duration::from_millis(300));
    for socket in &mut active {
        let _ = crate::harness::exchange(socket, &request); // makes these the most recently used
    }
    let began = Instant::now();
    let served =
        server.connect_from(1).and_then(|mut socket| crate::harness::exchange(&mut socket, &request)).is_ok();
    let took = began.elapsed();
    let kept = active.iter_mut().filter_map(|socket| crate::harness::exchange(socket, &request).ok()).count();
    Row {
        id: "P10",
        what: format!("{most} idle connections, and a new client"),
        figure: format!(
            "served {served} in {} ms, {} active connections evicted",
            took.as_millis(),
            10 - kept
        ),
        bar: "served <= 200 ms; 0 active evicted",
        pass: served && took <= scale.of(Duration::from_millis(200), Duration::from_secs(5)) && kept == 10,
    }
}

/// P5: half-close after the request and within the image.
pub(crate) fn half_closes(program: &Path, scale: Scale) -> Row {
    let mut server = Server::start(program, &[]);
    let before = server.resources();
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
    let clean = server.returns_to(before);
    Row {
        id: "P5",
        what: format!("{each} half-closes after the request, {each} within the image"),
        figure: format!(
            "{replies} replies, {truncated} refused as truncated, the slowest in {} ms, clean {clean}",
            slowest.as_millis()
        ),
        bar: "all answered; <= 100 ms; clean",
        pass: clean
            && replies == each
            && truncated == each
            && slowest <= scale.of(Duration::from_millis(100), Duration::from_secs(2)),
    }
}
