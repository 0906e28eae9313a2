//! Faults of operation: stops, kills, missing descriptors, wrong settings.

use crate::harness::{Server, ask, extended, jpeg};
use crate::table::{Row, Scale};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// O1: two servers take turns to restart under load; and one stops with 64 in flight.
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
                    // A client behind a balancer: a refused connection or one closed before any reply is
                    // tried at the other server; a reply cut short is a loss.
                    let tried = (0..6).find_map(|attempt| {
                        let side = (turn + attempt) % 2;
                        let place = places.lock().expect("no panic")[side];
                        let mut socket = open[side]
                            .take()
                            .filter(|socket| socket.peer_addr().is_ok_and(|peer| peer == place))
                            .or_else(|| TcpStream::connect(place).ok())?;
                        let answer = ask(&mut socket, request).ok()?;
                        open[side] = Some(socket);
                        Some(answer)
                    });
                    match tried {
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
                scope.spawn(move || ask(&mut socket, slow).is_ok())
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
            asking
                .into_iter()
                .filter(|_| true)
                .map(|thread| thread.join().unwrap_or(false))
                .filter(|ok| *ok)
                .count(),
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

/// O2: killed under load, and started again.
pub(crate) fn kills(program: &Path, scale: Scale) -> Row {
    let request = extended(&jpeg(640, 480), "width=160");
    let count = scale.of(100, 3);
    let mut slowest = Duration::ZERO;
    let mut served = 0;
    for _ in 0..count {
        let began = Instant::now();
        let mut server = Server::start(program, &[]);
        served += usize::from(ask(&mut server.connect(), &request).is_ok());
        slowest = slowest.max(began.elapsed());
        let mut socket = server.connect();
        let _ = std::io::Write::write_all(&mut socket, &request);
        server.signal("KILL");
        let _ = server.ended(Duration::from_secs(5));
    }
    Row {
        id: "O2",
        what: format!("{count} kills with a request in flight"),
        figure: format!(
            "{served} restarts served, the slowest after {} ms; no files are kept",
            slowest.as_millis()
        ),
        bar: "all, <= 1 s",
        pass: served == count && slowest <= scale.of(Duration::from_secs(1), Duration::from_secs(10)),
    }
}

/// O9: no descriptors left.
pub(crate) fn starved(program: &Path, scale: Scale) -> Row {
    // The shell's limit holds for the server that it becomes.
    let wrapper = tempfile::tempdir().expect("a temporary folder");
    let script = wrapper.path().join("imgsrv-64");
    std::fs::write(&script, format!("#!/bin/sh\nulimit -n 64\nexec '{}' \"$@\"\n", program.display()))
        .expect("writable");
    let _ = Command::new("chmod").arg("+x").arg(&script).status();
    let mut server = Server::start(&script, &[]);
    let crowd: Vec<_> = (0..200).filter_map(|n| server.connect_from(n as u8 % 200 + 2).ok()).collect();
    thread::sleep(Duration::from_millis(300));
    let (cpu, time) = (server.cpu(), scale.of(Duration::from_secs(4), Duration::from_secs(1)));
    thread::sleep(time);
    let spent = (server.cpu() - cpu).as_secs_f64() / time.as_secs_f64();
    drop(crowd);
    let request = extended(&jpeg(64, 64), "width=32");
    let began = Instant::now();
    let served = loop {
        let answer = server.connect_from(1).and_then(|mut socket| ask(&mut socket, &request));
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

/// O14: settings that must stop the start.
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
