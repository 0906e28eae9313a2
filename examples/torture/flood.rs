//! Floods and malformed input: connection floods, resets, pipelines, false sizes, other protocols, log floods.

use crate::harness::{
    Rng, Server, exchange, extended, header, jpeg, log_size, mib, plain, read_extended, read_to_end,
    reset_on_close, shared,
};
use crate::probe::Probe;
use crate::protocol::Protocol;
use crate::table::{Row, Scale};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// P2: sizes that are false or impossible.
pub(crate) fn false_sizes(program: &Path, scale: Scale) -> Row {
    let mut server = Server::start(program, &[]);
    let (before, watch) = (server.resources(), server.watch_memory());
    let size = scale.of(1000, 50);
    let promising: Vec<_> = (0..size)
        .filter_map(|i| {
            let mut socket = server.connect_from((i % 200) as u8 + 2).ok()?;
            socket.write_all(&[header(32 << 20, 9, 9), vec![0xFF]].concat()).ok()?;
            Some(socket)
        })
        .collect();
    thread::sleep(Duration::from_secs(1));
    let rise = watch.rise();
    // Measured while all of those are open: closing them ends a thousand threads, which is not the cost of one
    // such size.
    let mut times = Vec::new();
    let mut extra = 0;
    for size in [u32::MAX, u32::MAX >> 1, (32 << 20) + 1, 0] {
        for _ in 0..scale.of(100, 5) {
            let mut socket = server.connect();
            let began = Instant::now();
            let _ = socket.write_all(&header(size, 9, 9));
            let mut first = [0];
            let _ = socket.read_exact(&mut first);
            times.push(began.elapsed());
            let _ = socket.write_all(&header(size, 9, 9).repeat(9));
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let rest = read_to_end(&mut socket).0.len();
            extra += usize::from(size >> 31 == 0 && rest != 3);
        }
    }
    drop(promising);
    let (worst, clean) = (times.iter().max().copied().unwrap_or_default(), server.returns_to(before));
    Row {
        id: "P2",
        what: format!("{size} promise 32 MiB and send a byte; sizes of 0, max + 1, 2^31 - 1, 2^32 - 1"),
        figure: format!(
            "memory +{rise:.0} MiB; all answered within {:.1} ms, {extra} further replies, clean {clean}",
            worst.as_secs_f64() * 1e3
        ),
        bar: "< 32 MB; <= 10 ms; 0 further replies",
        pass: clean
            && rise < 32.0
            && extra == 0
            && worst <= scale.of(Duration::from_millis(10), Duration::from_secs(2)),
    }
}

/// P3: impossible sides.
pub(crate) fn impossible_sides(program: &Path, scale: Scale) -> Row {
    let server = Server::start(program, &[]);
    let small = jpeg(64, 64);
    let each = scale.of(100, 3);
    let mut times = Vec::new();
    let mut refused = 0;
    let sides =
        [(u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX), (65_536, 65_536), (1, 65_535), (16_385, 16)];
    for (width, height) in sides {
        for form in [0, 1 << 31] {
            for _ in 0..each {
                let mut socket = server.connect();
                let began = Instant::now();
                let mut head = header(small.len() as u32 | form, width, height);
                head.extend(vec![0; if form == 0 { 0 } else { 4 }]);
                let _ = socket.write_all(&head);
                let mut first = [0; 4];
                let answered = socket.read_exact(&mut first).is_ok();
                times.push(began.elapsed());
                refused += usize::from(answered && (first == [0; 4] || first[0] & 0x80 != 0));
            }
        }
    }
    let (cpu, watch) = (server.cpu(), server.watch_memory());
    let grown = exchange(&mut server.connect(), &extended(&jpeg(1, 1), "width=5000&height=5000"));
    let (cost, rise) = ((server.cpu() - cpu).as_secs_f64(), watch.rise());
    let worst = times.iter().max().copied().unwrap_or_default();
    let grown = grown.is_ok_and(|(report, _)| report.starts_with("status=ok"));
    Row {
        id: "P3",
        what: format!("{} headers with impossible sides; 1x1 to 25 megapixels", times.len()),
        figure: format!(
            "{refused} refused, all within {:.1} ms; enlarged {grown} in {cost:.2} s CPU, memory +{rise:.0} MiB",
            worst.as_secs_f64() * 1e3
        ),
        bar: "all refused <= 10 ms; <= 2 s CPU, <= 256 MiB",
        pass: refused == times.len()
            && grown
            && cost <= scale.of(2.0, 20.0)
            && rise <= 256.0
            && worst <= scale.of(Duration::from_millis(10), Duration::from_secs(1)),
    }
}

/// P6: resets at any offset, and jobs whose client has left.
pub(crate) fn resets(program: &Path, scale: Scale) -> Row {
    let mut server = Server::start(
        program,
        &["--workers=1", "--queue=500", "--queue-timeout=20s", "--request-timeout=30s"],
    );
    let before = server.resources();
    let small = extended(&jpeg(320, 200), "width=64");
    let mut rng = Rng(0x9E37_79B9_7F4A_7C15);
    let count = scale.of(10_000, 300);
    for n in 0..count {
        let Ok(mut socket) = server.connect_from((n % 200) as u8 + 2) else { continue };
        let at = rng.below(small.len() + 2000);
        let _ = socket.write_all(&small[..at.min(small.len())]);
        if at > small.len() {
            let _ = socket.read(&mut vec![0; at - small.len()]);
        }
        reset_on_close(&socket);
    }
    let clean = server.returns_to(before);
    // A large picture occupies the worker while clients connect, queue and reset.
    let large = extended(&jpeg(6000, 4000), "width=2000&height=2000&ops=median:3");
    let mut holder = server.connect();
    let _ = holder.write_all(&large);
    thread::sleep(Duration::from_millis(300));
    let queued = scale.of(200, 40);
    let mut waiting: Vec<_> = (0..queued).filter_map(|n| server.connect_from(n as u8 + 2).ok()).collect();
    waiting.iter_mut().for_each(|socket| drop(socket.write_all(&small)));
    let asked = Instant::now();
    while server.metric("imgsrv_queue_depth") < queued as f64 && asked.elapsed() < Duration::from_secs(2) {
        thread::sleep(Duration::from_millis(10));
    }
    let (depth, decoded) = (
        server.metric("imgsrv_queue_depth"),
        server.metric("imgsrv_stage_duration_seconds_count{stage=\"decode\"}"),
    );
    waiting.iter().for_each(reset_on_close);
    drop(waiting);
    let _ = read_extended(&mut holder);
    drop(holder);
    let clean = clean && server.returns_to(before);
    let worked = server.metric("imgsrv_stage_duration_seconds_count{stage=\"decode\"}") - decoded - 1.0;
    let skipped = 100.0 * (1.0 - worked.max(0.0) / depth.max(1.0));
    Row {
        id: "P6",
        what: format!("{count} resets at random offsets; {depth} while queued"),
        figure: format!("clean {clean}; {skipped:.0} % of the queued never decoded"),
        bar: "clean; >= 95 %",
        pass: clean && depth > 0.0 && skipped >= 95.0,
    }
}

/// P8: a hundred requests in one write, and headers of zeros.
pub(crate) fn pipelines(program: &Path, scale: Scale) -> Row {
    let server = Server::start(program, &[]);
    let pictures: Vec<_> = (0..100).map(|n| jpeg(40 + n, 30)).collect();
    let alone: Vec<_> =
        pictures.iter().map(|picture| reply(&mut server.connect(), &plain(picture, 20, 20))).collect();
    let mut socket = server.connect();
    let mut writer = socket.try_clone().expect("a second handle");
    let all: Vec<u8> = pictures.iter().flat_map(|picture| plain(picture, 20, 20)).collect();
    let sender = thread::spawn(move || writer.write_all(&all));
    let equal = alone.iter().filter(|alone| reply(&mut socket, &[]) == **alone).count();
    let _ = sender.join();
    let mut socket = server.connect();
    let mut writer = socket.try_clone().expect("a second handle");
    let headers = scale.of(1_000_000, 10_000);
    let sender = thread::spawn(move || drop(writer.write_all(&vec![0; 12 * headers])));
    let answers = read_to_end(&mut socket).0.len() / 4;
    let _ = sender.join();
    Row {
        id: "P8",
        what: format!("100 requests in one write; {headers} headers of zeros"),
        figure: format!("{equal} replies as if alone; {answers} refusal, then the end"),
        bar: "100 equal; 1 refusal",
        pass: equal == 100 && answers == 1,
    }
}

/// Sends a plain request and reads its reply.
pub(crate) fn reply(socket: &mut TcpStream, request: &[u8]) -> Option<Vec<u8>> {
    socket.write_all(request).ok()?;
    let mut len = [0; 4];
    socket.read_exact(&mut len).ok()?;
    let mut bytes = vec![0; u32::from_be_bytes(len) as usize];
    socket.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// P9: two thousand connections a second from one address beside a client of another address.
pub(crate) fn flood(protocol: Protocol, program: &Path, scale: Scale) -> Row {
    let mut server = Server::start_at(protocol, program, &["--per-ip=256"]);
    let before = server.resources();
    let picture = Arc::new(jpeg(640, 480));
    let _ = Probe::alone(&server, &picture, Duration::from_secs(1));
    let probe = Probe::start(&server, picture);
    let (count, rate) = (scale.of(20_000, 1000), 2000.0);
    let (began, cpu) = (Instant::now(), server.cpu());
    let mut held = VecDeque::new();
    let mut made = 0;
    for n in 0..count {
        if let Ok(socket) = server.connect_from(9) {
            made += 1;
            held.push_back(socket);
        }
        if held.len() > 700 {
            held.pop_front();
        }
        let due = Duration::from_secs_f64(f64::from(n) / rate);
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
    let took = began.elapsed();
    let cpu = (server.cpu() - cpu).as_secs_f64() / took.as_secs_f64();
    let seen = probe.finish();
    drop(held);
    let clean = server.returns_to(before);
    Row {
        id: protocol.row("P9", "P9 http"),
        what: format!("{made} connections in {:.0} s from one address", took.as_secs_f64()),
        figure: format!(
            "other address {:.1} % ok, server {:.0} % of a core, {} rejected, clean {clean}",
            100.0 * seen.share_ok(),
            100.0 * cpu,
            server.rejected("per_address")
        ),
        bar: "other address >= 99 % ok; <= 20 % of a core; clean",
        pass: clean && seen.share_ok() >= 0.99 && cpu <= scale.of(0.20, 2.0),
    }
}

/// P11: requests sent one byte a segment.
pub(crate) fn one_byte_segments(program: &Path, scale: Scale) -> Row {
    let server = Server::start(program, &[]);
    let picture = jpeg(160, 120);
    let request = plain(&picture, 80, 60);
    let whole = reply(&mut server.connect(), &request);
    let count = scale.of(100, 3);
    let equal = (0..count).filter(|_| {
        let mut socket = server.connect();
        request.iter().all(|byte| socket.write_all(&[*byte]).is_ok()) && reply(&mut socket, &[]) == whole
    });
    let equal = equal.count();
    Row {
        id: "P11",
        what: format!("{count} requests of {} bytes, a segment a byte", request.len()),
        figure: format!("{equal} replies byte-identical"),
        bar: "all",
        pass: equal == count && whole.is_some(),
    }
}

/// P12: other protocols and noise on this port.
pub(crate) fn foreign_protocols(program: &Path, scale: Scale) -> Row {
    let mut server = Server::start(program, &["--header-timeout=300ms", "--stall-timeout=300ms"]);
    let before = server.resources();
    let mut noise: Vec<Vec<u8>> = [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"POST /upload HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x5a",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00\x00\x00\x2f\xff\x53\x4d\x42",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    let mut rng = Rng(42);
    for _ in 0..scale.of(2000, 100) {
        let len = rng.below(300);
        noise.push((0..len).map(|_| rng.below(256) as u8).collect());
    }
    let files = shared("corpus/bad").map(|folder| files(&folder)).unwrap_or_default();
    noise.extend(files.iter().step_by(scale.of(1, 40)).filter_map(|file| std::fs::read(file).ok()));
    for bytes in &noise {
        let mut socket = server.connect();
        let _ = socket.write_all(bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = read_to_end(&mut socket);
    }
    let (clean, hinted) = (server.returns_to(before), server.rejected("foreign_protocol"));
    Row {
        id: "P12",
        what: format!(
            "{} raw streams: HTTP, TLS, SSH, HTTP/2, SMB, noise, image files without a header",
            noise.len()
        ),
        figure: format!("clean {clean}, {hinted} recognised as another protocol"),
        bar: "clean, 0 panics",
        pass: clean && hinted >= 5.0,
    }
}

/// Lists all files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// O12: a flood of refusals in the log, with control characters in their text.
pub(crate) fn log_flood(program: &Path, scale: Scale) -> Row {
    let server = Server::start(program, &[]);
    let count = scale.of(100_000, 2000);
    let request = extended(&[1], "id=%1b%5b2Jx&quality=%0aINJECTED");
    let mut sent = 0;
    let mut socket = server.connect();
    for _ in 0..count {
        if exchange(&mut socket, &request).is_ok() {
            sent += 1;
        }
    }
    let (counted, size) = (server.rejected("bad_request"), mib(log_size(&server)));
    let log = std::fs::read_to_string(&server.log).unwrap_or_default();
    let forged = log.lines().any(|line| line.starts_with("INJECTED")) || log.contains('\u{1b}');
    Row {
        id: "O12",
        what: format!("{sent} bad requests with line ends and escapes in their options"),
        figure: format!("counted {counted}, log {size:.2} MiB, forged lines {forged}"),
        bar: "counter exact; log <= 1 MB; none forged",
        pass: counted == f64::from(sent) && sent == count && size <= 1.0 && !forged,
    }
}
