//! Hostile pictures: the bombs, and the corpus with one worker and with many.

use crate::flood::files;
use crate::harness::{Server, ask, extended, shared};
use crate::table::{Row, Scale};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// I1 to I15: each bomb by itself.
pub(crate) fn bombs(program: &Path, scale: Scale) -> Option<Row> {
    let generator = shared("tools/gen_bombs.py")?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut python = Command::new("python3");
    python.arg(generator).arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    if scale == Scale::Quick {
        python.env("SMALL", "1");
    }
    if !python.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: python3 cannot make the bombs");
        return None;
    }
    let mut server = Server::start(program, &["--request-timeout=20s"]);
    let before = server.held();
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
        if ask(&mut socket, &request).is_err() {
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
    let clean = server.comes_clean(before);
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

/// What became of the files of the corpus: a hash of each answer, and the verdicts.
#[derive(Default)]
struct Pass {
    answers: BTreeMap<String, u64>,
    decoded: BTreeMap<(String, bool), usize>,
    unanswered: Vec<String>,
    slowest: (Duration, String),
}

fn pass(server: &Server, list: &[(String, String)], folder: &Path, clients: usize) -> Pass {
    let shares = std::thread::scope(|scope| {
        let work = |n: usize| {
            scope.spawn(move || {
                let mut pass = Pass::default();
                for (file, verdict) in list.iter().skip(n).step_by(clients) {
                    let request =
                        extended(&std::fs::read(folder.join(file)).unwrap_or_default(), "width=48&height=48");
                    let began = Instant::now();
                    match ask(&mut server.connect(), &request) {
                        Ok((report, payload)) => {
                            // A picture with a warning is what could be saved of a damaged file.
                            let ok = report.starts_with("status=ok");
                            let saved = report.contains("truncated") || report.contains("damaged");
                            let mut hasher = DefaultHasher::new();
                            (ok, payload).hash(&mut hasher);
                            pass.answers.insert(file.clone(), hasher.finish());
                            let ok = ok && !(verdict == "both_err" && saved);
                            *pass.decoded.entry((verdict.clone(), ok)).or_default() += 1;
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
        all.answers.extend(part.answers);
        all.unanswered.extend(part.unanswered);
        part.decoded.into_iter().for_each(|(key, n)| *all.decoded.entry(key).or_default() += n);
        all.slowest = all.slowest.max(part.slowest);
        all
    })
}

/// I20, I22: the corpus with one worker and with all of them.
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
    let mut single = Server::start(program, &["--workers=1"]);
    let one = pass(&single, &list, &folder, 1);
    let mut several = Server::start(program, &["--workers=4"]);
    let many = pass(&several, &list, &folder, 4);
    let alive = single.is_alive() && several.is_alive();
    let equal = one.answers.iter().filter(|(file, hash)| many.answers.get(*file) == Some(*hash)).count();
    let share = |verdict: &str, wanted: bool| {
        let n = |ok| one.decoded.get(&(verdict.to_owned(), ok)).copied().unwrap_or(0) as f64;
        100.0 * n(wanted) / (n(true) + n(false)).max(1.0)
    };
    let (decoded, refused) = (share("both_ok", true), share("both_err", false));
    let unanswered = one.unanswered.len() + many.unanswered.len();
    let panics = single.metric("imgsrv_panics_total") + several.metric("imgsrv_panics_total");
    Some(Row {
        id: "I20, I22",
        what: format!("{} odd and bad files, with 1 worker and with 4", list.len()),
        figure: format!(
            "{equal} answers equal; both_ok {decoded:.1} % decoded, both_err {refused:.1} % refused or saved with a warning; {unanswered} unanswered, {panics} panics; slowest {:.2} s ({})",
            one.slowest.0.as_secs_f64(),
            one.slowest.1
        ),
        bar: "all equal; >= 99.5 %, >= 95 %; 0 exits",
        pass: alive
            && unanswered == 0
            && equal == list.len()
            && decoded >= scale.of(99.5, 90.0)
            && refused >= scale.of(95.0, 85.0),
    })
}
