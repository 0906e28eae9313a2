//! Load: overload, large pictures among small ones, many at once, a long mixed run.

use crate::confined::{Confined, Cores};
use crate::harness::{Server, exchange, extended, header, jpeg, mib, reset_on_close, shared};
use crate::probe::{Probe, percentile};
use crate::protocol::{Outcome, Protocol};
use crate::table::{Row, Scale};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Counts and times of the replies of a run.
#[derive(Default)]
struct Tally {
    good: AtomicUsize,
    busy: AtomicUsize,
    other: AtomicUsize,
    good_times: Mutex<Vec<Duration>>,
    busy_times: Mutex<Vec<Duration>>,
}

impl Tally {
    fn note(&self, answer: Outcome, took: Duration) {
        let (count, times) = match answer {
            Outcome::Good => (&self.good, Some(&self.good_times)),
            Outcome::Busy(_) => (&self.busy, Some(&self.busy_times)),
            Outcome::Other => (&self.other, None),
        };
        count.fetch_add(1, Ordering::Relaxed);
        if let Some(times) = times {
            times.lock().expect("no panic under the lock").push(took);
        }
    }

    fn total(&self) -> usize {
        [&self.good, &self.busy, &self.other].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// Reaction of a client to `busy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    /// Waits for the time in the reply.
    AsTold,
    AtOnce,
}

/// Runs `clients` connections that each send a request every `pace` or slower.
fn run(
    server: &Server,
    request: &[u8],
    clients: usize,
    pace: Duration,
    time: Duration,
    retry: Retry,
) -> Tally {
    let tally = Tally::default();
    thread::scope(|scope| {
        for n in 0..clients {
            let tally = &tally;
            let work = move || {
                let began = Instant::now();
                thread::sleep(pace.mul_f64(n as f64 / clients as f64));
                let connect = || server.connect_from((n % 200) as u8 + 2).ok();
                let (mut socket, mut is_new) = (connect(), true);
                while began.elapsed() < time {
                    let asked = Instant::now();
                    let Some(open) = &mut socket else { return tally.note(Outcome::Other, asked.elapsed()) };
                    match server.protocol.exchange(open, request) {
                        Ok(answer) => {
                            tally.note(answer, asked.elapsed());
                            is_new = false;
                            let wait = match answer {
                                Outcome::Busy(hint) if retry == Retry::AsTold => hint,
                                _ => Duration::ZERO,
                            };
                            thread::sleep(wait.max(pace.saturating_sub(asked.elapsed())));
                        }
                        // A server may close after any answer, but a new connection gets one.
                        Err(_) if is_new => return tally.note(Outcome::Other, asked.elapsed()),
                        Err(_) => (socket, is_new) = (connect(), true),
                    }
                }
            };
            let _ = thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, work);
        }
    });
    tally
}

/// P13: ten times the peak load. The clients have half of the cores and the server the other half, because attackers do
/// not run on the server's machine.
pub(crate) fn overload(protocol: Protocol, program: &Path, scale: Scale) -> Row {
    let mut cores = Cores::halves();
    let mut server = Server::start_at(protocol, program, &[]);
    cores.others();
    let request = protocol.request(&jpeg(1920, 1080), "width=320&height=240");
    let calm = scale.of(Duration::from_secs(8), Duration::from_secs(2));
    let peak = || run(&server, &request, 2 * cores.count(), Duration::ZERO, calm, Retry::AtOnce);
    let rate_of = |tally: &Tally| tally.good.load(Ordering::Relaxed) as f64 / calm.as_secs_f64();
    let before = peak();
    let rate_before = rate_of(&before);
    let service = percentile(&before.good_times.into_inner().unwrap_or_default(), 0.5);
    let (clients, time) = (200, scale.of(Duration::from_secs(30), Duration::from_secs(3)));
    let pace = Duration::from_secs_f64(clients as f64 / (10.0 * rate_before.max(1.0)));
    let watch = server.watch_memory();
    let (cpu, workers) = (server.cpu(), server.workers_cpu());
    let heavy = run(&server, &request, clients, pace, time, Retry::AtOnce);
    let share = (server.workers_cpu() - workers).as_secs_f64() / (server.cpu() - cpu).as_secs_f64();
    let polite = run(&server, &request, clients, pace, time, Retry::AsTold);
    // Averages two peaks, because the speed of the machine drifts.
    let peak_rate = (rate_before + rate_of(&peak())) / 2.0;
    let (rise, alive) = (watch.rise(), server.is_alive());
    let rate = |count: usize| count as f64 / time.as_secs_f64() / peak_rate;
    let (offered, goodput) = (rate(heavy.total()), rate(heavy.good.load(Ordering::Relaxed)));
    let polite_goodput = rate(polite.good.load(Ordering::Relaxed));
    // Over HTTP each refusal costs a connection, so only clients that wait as told are judged.
    let judged = if protocol == Protocol::Http { polite_goodput } else { goodput };
    let served = percentile(&heavy.good_times.into_inner().unwrap_or_default(), 0.99);
    let busy = heavy.busy_times.into_inner().unwrap_or_default();
    let bound = Duration::from_secs(2) + 2 * service;
    let (busy_p99, broken) = (percentile(&busy, 0.99), heavy.other.load(Ordering::Relaxed));
    Row {
        id: protocol.row("P13", "P13 http"),
        what: format!(
            "{clients} clients, {offered:.1}x the peak of {peak_rate:.0} a second, {} s, {}",
            time.as_secs(),
            cores.described()
        ),
        figure: format!(
            "goodput {:.0} % of peak ({:.0} % of the server's CPU made pictures), {} busy, p99 in {:.1} ms, served p99 {} ms, {broken} broken, memory +{rise:.0} MiB; {:.0} % of peak where the same clients wait as told",
            100.0 * goodput,
            100.0 * share,
            busy.len(),
            busy_p99.as_secs_f64() * 1e3,
            served.as_millis(),
            100.0 * polite_goodput
        ),
        bar: protocol.row(
            ">= 90 %; busy <= 50 ms; served <= 2 s + 2x service; memory within the budget",
            ">= 90 % where clients wait as told; served <= 2 s + 2x service; memory within the budget",
        ),
        pass: alive
            && (protocol == Protocol::Http || broken == 0)
            && judged >= scale.of(0.9, 0.2)
            && served <= bound
            && rise <= 600.0
            && (protocol == Protocol::Http
                || busy_p99 <= scale.of(Duration::from_millis(50), Duration::from_secs(2))),
    }
}

/// P14: one large picture for every twenty small ones.
pub(crate) fn mixed_sizes(program: &Path, scale: Scale) -> Row {
    let server = Server::start(program, &[]);
    let (small, large) = (extended(&jpeg(640, 480), "width=160"), extended(&jpeg(6000, 4000), "width=800"));
    let time = scale.of(Duration::from_secs(15), Duration::from_secs(2));
    let pace = Duration::from_millis(50);
    let alone = run(&server, &small, 1, pace, time, Retry::AtOnce);
    let alone = percentile(&alone.good_times.into_inner().unwrap_or_default(), 0.99);
    let stop = AtomicBool::new(false);
    let (beside, done_large) = thread::scope(|scope| {
        let done_large = scope.spawn(|| {
            let mut done = 0;
            let mut socket = server.connect();
            while !stop.load(Ordering::Relaxed) {
                done += usize::from(
                    exchange(&mut socket, &large).is_ok_and(|(report, _)| report.starts_with("status=ok")),
                );
                thread::sleep(20 * pace);
            }
            done
        });
        let beside = run(&server, &small, 1, pace, time, Retry::AtOnce);
        stop.store(true, Ordering::Relaxed);
        (beside, done_large.join().unwrap_or_default())
    });
    let refused = beside.busy.load(Ordering::Relaxed) + beside.other.load(Ordering::Relaxed);
    let beside = percentile(&beside.good_times.into_inner().unwrap_or_default(), 0.99);
    let ratio = beside.as_secs_f64() / alone.as_secs_f64().max(1e-6);
    Row {
        id: "P14",
        what: format!("{done_large} pictures of 24 megapixels among small ones"),
        figure: format!(
            "small p99 {ratio:.1}x alone ({:.1} ms), {refused} refused",
            beside.as_secs_f64() * 1e3
        ),
        bar: "<= 3x",
        pass: done_large > 0 && refused == 0 && ratio <= scale.of(3.0, f64::INFINITY),
    }
}

/// I18: 32 pictures of 49 megapixels at once, in a control group of 1 GiB where that is permitted.
pub(crate) fn large_at_once(program: &Path, scale: Scale) -> Row {
    let confined = Confined::with_memory(program, 1 << 30);
    let starter = confined.as_ref().map_or_else(|| program.to_owned(), Confined::program);
    let mut server =
        Server::start(&starter, &["--total-memory=512MiB", "--request-timeout=60s", "--queue-timeout=60s"]);
    let side = scale.of(7000, 1500);
    let request = extended(&jpeg(side, side), "width=300");
    let watch = server.watch_memory();
    let answers: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..32)
            .map(|n| {
                let (server, request) = (&server, &request);
                scope.spawn(move || {
                    server.connect_from(n + 2).and_then(|mut socket| exchange(&mut socket, request))
                })
            })
            .collect();
        asking.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect()
    });
    let (rise, alive) = (watch.rise(), server.is_alive());
    let good = answers.iter().filter(|(report, _)| report.starts_with("status=ok")).count();
    let busy = answers.iter().filter(|(report, _)| report.contains("status=busy")).count();
    let killed = confined.as_ref().map_or(0, Confined::killed);
    drop(server);
    let group = if confined.is_some() { "in a control group of 1 GiB" } else { "without a control group" };
    Row {
        id: "I18",
        what: format!("32 clients with {side}x{side} JPEGs at once, 512 MiB for all, {group}"),
        figure: format!(
            "{good} ok, {busy} busy, {} else, memory +{rise:.0} MiB, {killed} kills, alive {alive}",
            32 - good - busy
        ),
        bar: "all ok or busy; <= 700 MB; 0 kills",
        pass: alive && killed == 0 && good + busy == 32 && good > 0 && rise <= 668.0,
    }
}

/// Default length of a soak.
const SOAK: Duration = Duration::from_secs(180);

/// O13: good, bad and reset requests for a few minutes.
pub(crate) fn soak(program: &Path, scale: Scale) -> Row {
    soak_for(program, scale.of(SOAK, Duration::from_secs(4)))
}

/// O13 for a given time.
pub(crate) fn soak_for(program: &Path, time: Duration) -> Row {
    let mut server = Server::start(program, &[]);
    let before = server.resources();
    let good: Vec<_> = [(1600, 1200), (640, 480), (3000, 2000), (200, 100)]
        .map(|(w, h)| extended(&jpeg(w, h), "width=300"))
        .to_vec();
    let bad: Vec<_> = shared("corpus/bad")
        .map(|folder| super::flood::files(&folder))
        .unwrap_or_default()
        .into_iter()
        .step_by(23)
        .filter_map(|file| std::fs::read(file).ok())
        .chain([b"not a picture".to_vec()])
        .map(|file| extended(&file, "width=64"))
        .collect();
    let began = Instant::now();
    let times = Mutex::new(Vec::new());
    let samples = thread::scope(|scope| {
        for n in 0..4_usize {
            let (server, good, bad, times) = (&server, &good, &bad, &times);
            scope.spawn(move || {
                let mut turn = n;
                while began.elapsed() < time {
                    turn += 1;
                    let Ok(mut socket) = server.connect_from(n as u8 + 2) else { continue };
                    match turn % 20 {
                        0 => {
                            let _ = socket.write_all(&header(99_999, 5, 5));
                            reset_on_close(&socket);
                        }
                        1..=5 => drop(exchange(&mut socket, &bad[turn % bad.len()])),
                        _ => {
                            let asked = Instant::now();
                            let _ = exchange(&mut socket, &good[turn % good.len()]);
                            times.lock().expect("no panic").push((asked - began, asked.elapsed()));
                        }
                    }
                }
            });
        }
        let mut samples = Vec::new();
        while began.elapsed() < time {
            thread::sleep(time / 40);
            samples.push((began.elapsed().as_secs_f64(), mib(server.memory())));
        }
        samples
    });
    let steady = time.mul_f64(0.5).min(Duration::from_secs(600)).as_secs_f64();
    let settled: Vec<_> = samples.iter().copied().filter(|(at, _)| *at >= steady).collect();
    let slope = slope(&settled) * 3600.0;
    // Median time of the third quarter of the run and of the last one.
    let times = times.into_inner().expect("no panic");
    let median = |from: f64, to: f64| {
        let within = |at: Duration| at >= time.mul_f64(from) && at < time.mul_f64(to);
        let part: Vec<_> = times.iter().filter(|(at, _)| within(*at)).map(|(_, took)| *took).collect();
        percentile(&part, 0.5).as_secs_f64()
    };
    let drift = 100.0 * (median(0.75, 1.0) / median(0.5, 0.75).max(1e-9) - 1.0);
    let (requests, clean) = (server.metric("imgsrv_requests_total"), server.returns_to(before));
    let last = samples.last().map_or(0.0, |(_, memory)| *memory);
    let minutes = time.as_secs_f64() / 60.0;
    // The allocator alone moves memory by some MiB, so a short run has a wider bar.
    let noise = 1.0_f64.max(60.0 * 16.0 / minutes);
    Row {
        id: "O13",
        what: format!("{requests} requests in {minutes:.1} min: 70 % good, 25 % bad, 5 % reset"),
        figure: format!(
            "memory {last:.0} MiB, {slope:+.1} MiB/h once settled (noise of this length: {noise:.0}), median time {drift:+.1} %, clean {clean}"
        ),
        bar: "flat within the noise, in an hour < 1 MB/h; clean",
        pass: clean && slope < noise,
    }
}

/// Slope by least squares, in units of y for one of x.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len().max(1) as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let over: f64 = points.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    over / points.iter().map(|(x, _)| (x - mx).powi(2)).sum::<f64>().max(1e-9)
}

/// Scrapes the metrics while workers, queue and connections are all exhausted.
pub(crate) fn metrics_under_load(program: &Path, scale: Scale) -> Row {
    let server = Server::start(program, &["--workers=1", "--queue=4", "--max-connections=32"]);
    let request = Arc::new(extended(&jpeg(2000, 1500), "width=900&height=900&ops=median:2"));
    let stop = AtomicBool::new(false);
    let (worst, answered, asked) = thread::scope(|scope| {
        for n in 0..40_u8 {
            let (server, request, stop) = (&server, request.clone(), &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let _ = server.connect_from(n + 2).and_then(|mut socket| exchange(&mut socket, &request));
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        let (mut worst, mut answered, asked) = (Duration::ZERO, 0, scale.of(50, 5));
        for _ in 0..asked {
            let began = Instant::now();
            answered += usize::from(
                server.metric("imgsrv_connections") >= 0.0 && server.metric("process_threads") > 0.0,
            );
            worst = worst.max(began.elapsed() / 2);
            thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
        (worst, answered, asked)
    });
    Row {
        id: "metrics",
        what: "pool, queue and connections exhausted".into(),
        figure: format!("{answered} of {asked} scrapes answered, the slowest in {} ms", worst.as_millis()),
        bar: "all answered",
        pass: answered == asked,
    }
}

/// The probe of the other rows without an attack.
pub(crate) fn baseline(program: &Path, scale: Scale) -> Row {
    let server = Server::start(program, &[]);
    let picture = Arc::new(jpeg(1920, 1080));
    let seen = Probe::alone(&server, &picture, scale.of(Duration::from_secs(20), Duration::from_secs(2)));
    Row {
        id: "probe",
        what: "1920x1080 to 320x240, 5 a second, no attack".into(),
        figure: format!(
            "{} of {} ok, p99 {:.1} ms",
            seen.answered,
            seen.asked,
            seen.p99().as_secs_f64() * 1e3
        ),
        bar: "all ok",
        pass: seen.answered == seen.asked,
    }
}
