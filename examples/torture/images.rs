//! Hostile pictures: decompression bombs, the corpus with one worker and with several, truncated files, panics.

use crate::flood::files;
use crate::harness::{Server, exchange, extended, jpeg, shared};
use crate::table::{Row, Scale};
use imgsrv::codec::{self, Plan, Scratch};
use imgsrv::internals::engine::{self, Engine};
use imgsrv::internals::service::{Service, ServiceSettings, Shutdown};
use imgsrv::internals::{net, tcp};
use imgsrv::limits::Limits;
use imgsrv::spec::Spec;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// I1 to I15: each bomb alone.
pub(crate) fn bombs(program: &Path, scale: Scale) -> Option<Row> {
    let generator = shared("tools/gen_bombs.py")?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut python = Command::new("python3");
    python.arg(generator).arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    if scale == Scale::Quick {
        python.env("SMALL", "1");
    }
    if !python.status().is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "python3 cannot make the bombs");
        eprintln!("skipped: python3 cannot make the bombs");
        return None;
    }
    let mut server = Server::start(program, &["--request-timeout=20s"]);
    let before = server.resources();
    let (mut count, mut hung) = (0, 0);
    let (mut cpu, mut memory) = ((Duration::ZERO, String::new()), (0.0_f64, String::new()));
    for file in files(folder.path()).iter().filter(|file| file.extension().is_some_and(|kind| kind != "tsv"))
    {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let request = extended(&std::fs::read(file).unwrap_or_default(), "width=64&height=64");
        let (watch, spent) = (server.watch_memory(), server.cpu());
        let mut socket = server.connect();
        let _ = socket.set_read_timeout(Some(Duration::from_secs(30)));
        count += 1;
        if exchange(&mut socket, &request).is_err() {
            hung += 1;
            eprintln!("    no answer to {name}");
        }
        let (spent, rise) = (server.cpu().saturating_sub(spent), watch.rise());
        if spent > cpu.0 {
            cpu = (spent, name.clone());
        }
        if rise > memory.0 {
            memory = (rise, name);
        }
    }
    let clean = server.returns_to(before);
    Some(Row {
        id: "I1-I15",
        what: format!("{count} decompression bombs"),
        figure: format!(
            "{hung} without answer; worst {:.2} s CPU ({}), +{:.0} MiB ({}); clean {clean}",
            cpu.0.as_secs_f64(),
            cpu.1,
            memory.0,
            memory.1
        ),
        bar: "<= 2 s CPU, <= 256 MiB each; 0 exits",
        pass: clean
            && hung == 0
            && count > 0
            && cpu.0 <= scale.of(Duration::from_secs(2), Duration::from_secs(20))
            && memory.0 <= 256.0,
    })
}

/// How a file was answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Decoded,
    /// A picture with a warning that the file is truncated or damaged.
    WithWarning,
    Refused,
}

/// Answers to the files of the corpus: a digest of each, and a count by verdict of the other readers.
#[derive(Default)]
struct Pass {
    digests: BTreeMap<String, [u8; 32]>,
    answers: BTreeMap<(String, Answer), usize>,
    /// Files that only this program reads, by format and warning.
    read_alone: BTreeMap<(String, &'static str), usize>,
    unanswered: Vec<String>,
    slowest: (Duration, String),
}

impl Pass {
    /// Classes of the files that only this program reads, the largest first.
    fn classes(&self) -> String {
        let mut classes: Vec<_> = self.read_alone.iter().collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let class = |((format, flaw), count): &(&(String, &str), &usize)| format!("{count} {format} {flaw}");
        classes.iter().map(class).collect::<Vec<_>>().join(", ")
    }

    /// Percentage of the files with a verdict that got one of these answers.
    fn share(&self, verdict: &str, answers: &[Answer]) -> f64 {
        let count = |answer| self.answers.get(&(verdict.to_owned(), answer)).copied().unwrap_or(0) as f64;
        let all: f64 = [Answer::Decoded, Answer::WithWarning, Answer::Refused].map(count).iter().sum();
        100.0 * answers.iter().map(|answer| count(*answer)).sum::<f64>() / all.max(1.0)
    }
}

fn pass(server: &Server, list: &[(String, String)], folder: &Path, clients: usize, options: &str) -> Pass {
    let shares = std::thread::scope(|scope| {
        let work = |n: usize| {
            scope.spawn(move || {
                let mut pass = Pass::default();
                for (file, verdict) in list.iter().skip(n).step_by(clients) {
                    let request = extended(&std::fs::read(folder.join(file)).unwrap_or_default(), options);
                    let began = Instant::now();
                    match exchange(&mut server.connect(), &request) {
                        Ok((report, payload)) => {
                            let ok = report.starts_with("status=ok");
                            let flawed = report.contains("truncated") || report.contains("damaged");
                            let digest = Sha256::new().chain_update([u8::from(ok)]).chain_update(&payload);
                            pass.digests.insert(file.clone(), digest.finalize().into());
                            let answer = match (ok, flawed) {
                                (true, false) => Answer::Decoded,
                                (true, true) => Answer::WithWarning,
                                (false, _) => Answer::Refused,
                            };
                            if verdict == "both_err" && answer != Answer::Refused {
                                let format = report.split("source_format=").nth(1).unwrap_or_default();
                                let format = format.split('&').next().unwrap_or_default().to_owned();
                                let flaw = match ["truncated", "damaged"].map(|word| report.contains(word)) {
                                    [true, true] => "truncated and damaged",
                                    [true, false] => "truncated",
                                    [false, true] => "damaged",
                                    [false, false] => "without a warning",
                                };
                                *pass.read_alone.entry((format, flaw)).or_default() += 1;
                            }
                            *pass.answers.entry((verdict.clone(), answer)).or_default() += 1;
                        }
                        Err(_) => pass.unanswered.push(file.clone()),
                    }
                    if began.elapsed() > pass.slowest.0 {
                        pass.slowest = (began.elapsed(), file.clone());
                    }
                }
                pass
            })
        };
        let threads: Vec<_> = (0..clients).map(work).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    shares.into_iter().fold(Pass::default(), |mut all, part| {
        all.digests.extend(part.digests);
        all.unanswered.extend(part.unanswered);
        part.answers.into_iter().for_each(|(key, n)| *all.answers.entry(key).or_default() += n);
        part.read_alone.into_iter().for_each(|(key, n)| *all.read_alone.entry(key).or_default() += n);
        all.slowest = all.slowest.max(part.slowest);
        all
    })
}

/// I20, I22: the corpus with one worker and with several.
pub(crate) fn corpus(program: &Path, scale: Scale) -> Option<Row> {
    const ENABLED: [&str; 10] = ["bmp", "gif", "ico", "jpeg", "png", "pnm", "qoi", "tga", "tiff", "webp"];
    let folder = shared("corpus")?;
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).ok()?;
    let list: Vec<_> = index
        .lines()
        .skip(1)
        .step_by(scale.of(1, 60))
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (file, _, verdict) = (fields.next()?, fields.next()?, fields.next()?);
            let kind = file.split('/').nth(1)?;
            let verdict =
                if ENABLED.contains(&kind) { verdict.to_owned() } else { format!("other_{verdict}") };
            Some((file.to_owned(), verdict))
        })
        .collect();
    // The limit of sides is a setting and not under test here.
    let mut single = Server::start(program, &["--workers=1", "--max-side=65535"]);
    let one = pass(&single, &list, &folder, 1, "width=48&height=48");
    let mut several = Server::start(program, &["--workers=4", "--max-side=65535"]);
    let many = pass(&several, &list, &folder, 4, "width=48&height=48");
    let strict = pass(&several, &list, &folder, 4, "width=48&height=48&strict=true");
    let alive = single.is_alive() && several.is_alive();
    let equal = one.digests.iter().filter(|(file, digest)| many.digests.get(*file) == Some(*digest)).count();
    let unanswered = one.unanswered.len() + many.unanswered.len() + strict.unanswered.len();
    let panics = single.metric("imgsrv_panics_total") + several.metric("imgsrv_panics_total");
    let read = one.share("both_ok", &[Answer::Decoded, Answer::WithWarning]);
    let refused = one.share("both_err", &[Answer::Refused]);
    let recognised = one.share("both_err", &[Answer::Refused, Answer::WithWarning]);
    let (strict_read, strict_refused) =
        (strict.share("both_ok", &[Answer::Decoded]), strict.share("both_err", &[Answer::Refused]));
    Some(Row {
        id: "I20, I22",
        what: format!(
            "{} odd and bad files, with 1 worker and with 4, and with strict=true; sides to 65,535",
            list.len()
        ),
        figure: format!(
            "{equal} answers equal; by default both_ok {read:.1} % read, both_err {refused:.1} % refused and {recognised:.1} % refused or read with a warning (read: {}); strict: both_ok {strict_read:.1} % read, both_err {strict_refused:.1} % refused; {unanswered} unanswered, {panics} panics; slowest {:.2} s ({})",
            one.classes(),
            one.slowest.0.as_secs_f64(),
            one.slowest.1
        ),
        bar: "all equal; >= 99.5 % read, >= 95 % refused (a warning counts by default); 0 exits",
        pass: alive
            && unanswered == 0
            && panics == 0.0
            && equal == list.len()
            && read >= scale.of(99.5, 90.0)
            && recognised >= scale.of(95.0, 85.0),
    })
}

/// I16: a codec that panics, behind the real TCP listener in this process.
pub(crate) fn panics(_program: &Path, scale: Scale) -> Row {
    const TRIGGER: &[u8] = b"panic now";
    let work = |body: &[u8], plan: &Plan, spec: &Spec, limits: &Limits, scratch: &mut Scratch| {
        if body.ends_with(TRIGGER) {
            resume_unwind(Box::new("on command")); // a panic that prints nothing
        }
        codec::process_planned(body, plan, spec, limits, scratch)
    };
    let engine = Arc::new(
        Engine::with_process(engine::EngineSettings::for_workers(2), Arc::new(work)).expect("workers"),
    );
    let listener = net::Listener::bind("127.0.0.1:0").expect("a port");
    let address = listener.address().to_string();
    let shutdown = Shutdown::default();
    let service = Service::new(engine.clone(), ServiceSettings::default(), shutdown.clone());
    let server = std::thread::spawn(move || {
        tcp::serve(&listener, &service);
        service.drain()
    });
    let picture = jpeg(640, 480);
    let (good, bad) = (extended(&picture, "width=64"), extended(&[&picture, TRIGGER].concat(), "width=64"));
    let mut socket = TcpStream::connect(&address).expect("a connection");
    let mut rate = || {
        let (began, count) = (Instant::now(), 100);
        let ok = (0..count).filter(|_| {
            exchange(&mut socket, &good).is_ok_and(|(report, _)| report.starts_with("status=ok"))
        });
        ok.count() as f64 / began.elapsed().as_secs_f64()
    };
    let before = rate();
    let count = scale.of(1000, 100);
    let mut other = TcpStream::connect(address).expect("a connection");
    let answered = (0..count)
        .filter(|_| exchange(&mut other, &bad).is_ok_and(|(report, _)| report.contains("internal")));
    let answered = answered.count();
    let after = rate();
    let counted = engine.metrics().panics.total();
    shutdown.request();
    let stopped = server.join().is_ok();
    Row {
        id: "I16",
        what: format!("{count} panics in the codec"),
        figure: format!(
            "{answered} answered with internal, {counted} counted, throughput after {:.0} % of before, stopped {stopped}",
            100.0 * after / before
        ),
        bar: "all answered; throughput back <= 1 s",
        pass: answered == count && counted == count as u64 && stopped && after >= scale.of(0.8, 0.1) * before,
    }
}

/// I19: every odd picture truncated at every 37th byte.
pub(crate) fn cuts(_program: &Path, scale: Scale) -> Option<Row> {
    let folder = shared("corpus/odd")?;
    let (mut inputs, mut panics, mut different) = (0, 0, 0);
    let mut slowest = (Duration::ZERO, String::new());
    let mut scratch = Scratch::new();
    for file in files(&folder).iter().step_by(scale.of(1, 60)) {
        let bytes = std::fs::read(file).unwrap_or_default();
        for end in (0..bytes.len().min(1000)).step_by(37) {
            let mut once = || {
                let work =
                    || codec::process(&bytes[..end], &Spec::plain(32, 32), &Limits::default(), &mut scratch);
                catch_unwind(AssertUnwindSafe(work))
                    .map(|outcome| outcome.map(|made| made.bytes).map_err(|e| e.to_string()))
            };
            let began = Instant::now();
            let first = once();
            if began.elapsed() > slowest.0 {
                slowest = (
                    began.elapsed(),
                    format!("{} at {end}", file.file_name().unwrap_or_default().to_string_lossy()),
                );
            }
            inputs += 1;
            panics += usize::from(first.is_err());
            different += usize::from(first.ok() != once().ok());
        }
    }
    Some(Row {
        id: "I19",
        what: format!("{inputs} truncated odd pictures"),
        figure: format!(
            "{panics} panics, {different} different on repetition, the slowest {:.0} ms ({})",
            slowest.0.as_secs_f64() * 1e3,
            slowest.1
        ),
        bar: "0 panics; deterministic; <= 50 ms each",
        pass: inputs > 0
            && panics == 0
            && different == 0
            && slowest.0 <= scale.of(Duration::from_millis(50), Duration::from_secs(5)),
    })
}
