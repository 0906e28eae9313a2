//! Faults of operation: restarts, missing descriptors, a jumping clock, little memory, wrong settings.

use crate::confined::Confined;
use crate::harness::{Rng, Server, exchange, extended, jpeg, mib, plain, shared};
use crate::table::{Row, Scale};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// O1: two servers restart alternately under load, and one stops with 64 requests in flight.
pub(crate) fn rolling_restart(program: &Path, scale: Scale) -> Row {
    let request = extended(&jpeg(640, 480), "width=160");
    let servers = [Mutex::new(Server::start(program, &[])), Mutex::new(Server::start(program, &[]))];
    let addresses = || servers.each_ref().map(|server| server.lock().expect("no panic").address);
    let places = Mutex::new(addresses());
    let (wanted, done, lost) = (scale.of(10_000, 200), AtomicUsize::new(0), AtomicUsize::new(0));
    let stop = AtomicBool::new(false);
    let mut slowest = Duration::ZERO;
    let mut exits_bad = 0;
    thread::scope(|scope| {
        for n in 0..8 {
            let (places, done, lost, request) = (&places, &done, &lost, &request);
            scope.spawn(move || {
                let mut open: [Option<TcpStream>; 2] = [None, None];
                let mut turn = n;
                while done.load(Ordering::Relaxed) < wanted {
                    turn += 1;
                    // Behaves as behind a balancer: a connection that is refused or closed before any reply is
                    // retried at the other server. A truncated reply is a loss.
                    let reply = (0..6).find_map(|attempt| {
                        let side = (turn + attempt) % 2;
                        let place = places.lock().expect("no panic")[side];
                        let mut socket = open[side]
                            .take()
                            .filter(|socket| socket.peer_addr().is_ok_and(|peer| peer == place))
                            .or_else(|| TcpStream::connect(place).ok())?;
                        let answer = exchange(&mut socket, request).ok()?;
                        open[side] = Some(socket);
                        Some(answer)
                    });
                    match reply {
                        Some((report, _)) if report.starts_with("status=ok") => {}
                        _ => drop(lost.fetch_add(1, Ordering::Relaxed)),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let restarts = scale.of(10, 2);
        for side in (0..restarts).map(|n| n % 2) {
            thread::sleep(Duration::from_millis(400));
            let mut server = servers[side].lock().expect("no panic");
            let began = Instant::now();
            server.signal("TERM");
            exits_bad +=
                usize::from(!server.ended(Duration::from_secs(25)).is_some_and(|status| status.success()));
            slowest = slowest.max(began.elapsed());
            *server = Server::start(program, &[]);
            places.lock().expect("no panic")[side] = server.address;
        }
        stop.store(true, Ordering::Relaxed);
    });
    // 64 in flight.
    let mut server = Server::start(program, &["--queue=100"]);
    let slow = extended(&jpeg(1500, 1000), "width=700&ops=median:2");
    let (answered, status, took) = thread::scope(|scope| {
        let asking: Vec<_> = (0..64)
            .map(|n| {
                let mut socket = server.connect_from(n + 2).expect("a connection");
                let slow = &slow;
                scope.spawn(move || exchange(&mut socket, slow).is_ok())
            })
            .collect();
        let asked = Instant::now();
        while server.metric("imgsrv_requests_in_progress") < 64.0 && asked.elapsed() < Duration::from_secs(1)
        {
            thread::sleep(Duration::from_millis(10));
        }
        let began = Instant::now();
        server.signal("TERM");
        let status = server.ended(Duration::from_secs(25));
        let took = began.elapsed();
        (
            asking.into_iter().map(|thread| thread.join().unwrap_or(false)).filter(|ok| *ok).count(),
            status,
            took,
        )
    });
    let clean_exit = status.is_some_and(|status| status.success());
    let (done, lost) = (done.into_inner(), lost.into_inner());
    Row {
        id: "O1",
        what: format!("{done} requests over restarts of 2 servers; a stop with 64 in flight"),
        figure: format!(
            "{lost} lost, {exits_bad} bad exits, slowest stop {:.1} s; {answered} of 64 answered, exit 0 {clean_exit} after {:.1} s",
            slowest.as_secs_f64(),
            took.as_secs_f64()
        ),
        bar: "0 lost; exit 0 within 20 s",
        pass: lost == 0 && exits_bad == 0 && answered == 64 && clean_exit && took <= Duration::from_secs(20),
    }
}

/// O9: file descriptors exhausted.
pub(crate) fn starved(program: &Path, scale: Scale) -> Row {
    let confined = Confined::with_files(program, 64);
    let mut server = Server::start(&confined.program(), &[]);
    let connections: Vec<_> = (0..200).filter_map(|n| server.connect_from(n as u8 % 200 + 2).ok()).collect();
    thread::sleep(Duration::from_millis(300));
    let (cpu, time) = (server.cpu(), scale.of(Duration::from_secs(4), Duration::from_secs(1)));
    thread::sleep(time);
    let spent = (server.cpu() - cpu).as_secs_f64() / time.as_secs_f64();
    drop(connections);
    let request = extended(&jpeg(64, 64), "width=32");
    let began = Instant::now();
    let served = loop {
        let answer = server.connect_from(1).and_then(|mut socket| exchange(&mut socket, &request));
        if answer.is_ok_and(|(report, _)| report.starts_with("status=ok")) {
            break true;
        }
        if began.elapsed() > Duration::from_secs(5) {
            break false;
        }
    };
    let took = began.elapsed();
    Row {
        id: "O9",
        what: "64 descriptors, 200 connections".into(),
        figure: format!(
            "{:.1} % of a core while starved, served again {served} after {} ms, alive {}",
            100.0 * spent,
            took.as_millis(),
            server.is_alive()
        ),
        bar: "<= 5 %; <= 1 s",
        pass: server.is_alive()
            && served
            && spent <= scale.of(0.05, 0.5)
            && took <= scale.of(Duration::from_secs(1), Duration::from_secs(5)),
    }
}

/// O8: the wall clock jumps by two hours under load.
pub(crate) fn jumping_clock(program: &Path, scale: Scale) -> Option<Row> {
    let confined = Confined::with_jumping_clock(program, Duration::from_millis(700))?;
    let mut server = Server::start(&confined.program(), &["--idle-timeout=3s"]);
    let before = server.resources();
    let request = extended(&jpeg(1280, 960), "width=200");
    let (began, time) = (Instant::now(), scale.of(Duration::from_secs(20), Duration::from_secs(3)));
    let (mut asked, mut good) = (0, 0);
    let mut socket = server.connect();
    while began.elapsed() < time {
        asked += 1;
        match exchange(&mut socket, &request) {
            Ok((report, _)) => good += usize::from(report.starts_with("status=ok")),
            Err(_) => socket = server.connect(),
        }
        thread::sleep(Duration::from_millis(10));
    }
    // Times in the log prove that the clock jumped.
    let log = std::fs::read_to_string(&server.log).unwrap_or_default();
    let hours: std::collections::BTreeSet<_> =
        log.lines().filter_map(|line| line.split("\"time\":\"").nth(1)?.get(..13)).collect();
    drop(socket);
    let clean = server.returns_to(before);
    let timeouts =
        server.rejected("deadline") + server.rejected("header_timeout") + server.rejected("queue_timeout");
    Some(Row {
        id: "O8",
        what: format!("{asked} requests on one connection while the clock jumps by 2 h every 0.7 s"),
        figure: format!(
            "{good} ok, {timeouts} timeouts, {} different hours in the log, clean {clean}",
            hours.len()
        ),
        bar: "0 spurious timeouts",
        pass: clean && asked > 0 && good == asked && timeouts == 0.0 && hours.len() >= 2,
    })
}

/// O10: odd files and large ones in a control group of 256 MiB.
pub(crate) fn small_group(program: &Path, scale: Scale) -> Option<Row> {
    let confined = Confined::with_memory(program, 256 << 20)?;
    let mut server = Server::start(&confined.program(), &["--request-timeout=30s", "--queue-timeout=30s"]);
    let folder = shared("corpus/odd").into_iter().chain(shared("corpus/bad"));
    let mut files: Vec<_> = folder.flat_map(|folder| super::flood::files(&folder)).collect();
    files = files.into_iter().step_by(scale.of(1, 80)).collect();
    let large = extended(&jpeg(scale.of(7000, 3000), scale.of(7000, 3000)), "width=500&kernel=catmullrom");
    let (answered, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for n in 0..8 {
            let (server, files, large, answered, asked) = (&server, &files, &large, &answered, &asked);
            scope.spawn(move || {
                for (i, file) in files.iter().enumerate().skip(n).step_by(8) {
                    let small = extended(&std::fs::read(file).unwrap_or_default(), "width=64");
                    let request = if i % 200 < 8 { large } else { &small };
                    let answer = server
                        .connect_from(n as u8 + 2)
                        .and_then(|mut socket| exchange(&mut socket, request));
                    asked.fetch_add(1, Ordering::Relaxed);
                    answered.fetch_add(usize::from(answer.is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    let (answered, asked) = (answered.into_inner(), asked.into_inner());
    let (alive, resident, killed) = (server.is_alive(), mib(server.memory()), confined.killed());
    drop(server);
    Some(Row {
        id: "O10",
        what: format!("{asked} odd, bad and large pictures from 8 clients in a control group of 256 MiB"),
        figure: format!(
            "{answered} answered, {killed} kills, alive {alive}, resident {resident:.0} MiB at the end"
        ),
        bar: "0 kills; all answered",
        pass: alive && killed == 0 && asked > 0 && answered == asked,
    })
}

/// O16: clients of the first protocol version and of a later one.
pub(crate) fn versions(program: &Path, scale: Scale) -> Row {
    let server = Server::start(program, &[]);
    let picture = jpeg(200, 150);
    let count = scale.of(200, 20);
    let mut rng = Rng(7);
    // Old clients send twelve bytes and the image.
    let mut socket = server.connect();
    let old = (0..count).filter(|_| {
        let (width, height) = (1 + rng.below(300) as u32, 1 + rng.below(300) as u32);
        super::flood::reply(&mut socket, &plain(&picture, width, height)).is_some_and(|jpeg| !jpeg.is_empty())
    });
    let old = old.count();
    // An unknown option is refused by name, and the connection stays usable.
    let newer = (0..count).filter(|_| {
        let refused = exchange(&mut socket, &extended(&picture, "width=20&hologram=true"));
        let next = exchange(&mut socket, &extended(&picture, "width=20"));
        refused.is_ok_and(|(report, message)| {
            report.contains("bad_request") && String::from_utf8_lossy(&message).contains("hologram")
        }) && next.is_ok_and(|(report, _)| report.starts_with("status=ok"))
    });
    let newer = newer.count();
    // A client ignores unknown report fields of a newer server.
    let report = imgsrv::report::Report::decode(b"status=ok&width=20&hologram=yes");
    let reads = report.is_ok_and(|report| report.width == Some(20));
    Row {
        id: "O16",
        what: format!(
            "{count} twelve-byte requests, {count} with an unknown option, a report with an unknown field"
        ),
        figure: format!(
            "{old} answered, {newer} refused by name with the connection usable, report read {reads}"
        ),
        bar: "all",
        pass: old == count && newer == count && reads,
    }
}

/// O14: settings that stop the start.
pub(crate) fn wrong_settings(program: &Path, _scale: Scale) -> Row {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str, mode: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        let _ = Command::new("chmod").arg(mode).arg(&path).status();
        path.display().to_string()
    };
    let (open, empty) = (file("open", "a:b", "644"), file("empty", "", "600"));
    let spaces = file("spaces", "a:b c", "600");
    let unknown = file("unknown.toml", "workers = 1\nqualty = 3\n", "600");
    let broken = file("broken.toml", "workers = = 1\n", "600");
    let value = file("value.toml", "quality = 101\n", "600");
    let preset = file("preset.toml", "[preset.a]\nwidth = 99999\n", "600");
    let pem = file("not.pem", "no certificate\n", "600");
    let cases: [&[&str]; 20] = [
        &["--token-file", &open],
        &["--token-file", &empty],
        &["--token-file", &spaces],
        &["--token-file", "/nowhere/tokens"],
        &["--tls-cert", &pem],
        &["--tls-key", &pem],
        &["--tls-cert", &pem, "--tls-key", &pem],
        &["--tls-cert", "/nowhere/a.pem", "--tls-key", &pem],
        &["--config", &unknown],
        &["--config", &broken],
        &["--config", &value],
        &["--config", &preset],
        &["--config", "/nowhere/a.toml"],
        &["--quality", "0"],
        &["--workers", "many"],
        &["--max-body", "1e9"],
        &["--bind", "nowhere"],
        &["--metrics", "256.1.1.1:1"],
        &["--bind", "0.0.0.0:0", "--require-token"],
        &["--no-such-flag"],
    ];
    let mut refused = 0;
    for case in cases {
        let mut child = Command::new(program);
        if !case.contains(&"--bind") {
            child.args(["--bind=127.0.0.1:0", "--http=none", "-qq"]);
        }
        let child = child.args(case).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = child else { continue };
        let began = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && began.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        match child.wait_with_output() {
            Ok(output) if output.status.code() == Some(2) && !output.stderr.is_empty() => refused += 1,
            outcome => eprintln!("    {case:?}: {outcome:?}"),
        }
    }
    Row {
        id: "O14",
        what: format!("{} wrong settings, token files and certificates", cases.len()),
        figure: format!("{refused} refused with exit code 2 and a message"),
        bar: "all",
        pass: refused == cases.len(),
    }
}
