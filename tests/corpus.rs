//! Thousands of odd and hostile files, each with the verdict of Pillow and sharp: what both read must be
//! read, what both refuse must be refused or read with a warning (they have no lenient mode), and nothing may panic. Skipped, saying so, where the corpus
//! (`TEST_SHARED`, else `../shared`) is missing.
//!
//! `cargo test --test corpus -- --nocapture` lists the rest.

mod support;

use imgsrv::codec::{self, CodecError, Scratch, Warning};
use imgsrv::limits::Limits;
use imgsrv::spec::Spec;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Folders whose format this program reads.
const ENABLED: [&str; 10] = ["bmp", "gif", "ico", "jpeg", "png", "pnm", "qoi", "tga", "tiff", "webp"];

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("TEST_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let found = folder.join("corpus/INDEX.tsv").is_file();
    if !found {
        support::skip(&format!("no corpus in {}", folder.display()));
    }
    found.then_some(folder)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    BothOk,
    BothErr,
    Split,
}

enum Outcome {
    Decoded(Vec<u8>),
    /// With the warning that it is truncated or damaged.
    Saved(Vec<u8>),
    Refused(CodecError),
    Panicked,
}

fn attempt(input: &[u8], scratch: &mut Scratch) -> Outcome {
    match catch_unwind(AssertUnwindSafe(|| {
        // The limits of an operator are not the matter here.
        let limits = Limits { max_side: 65_535, ..Limits::default() };
        codec::process(input, &Spec::plain(64, 64), &limits, scratch)
    })) {
        Ok(Ok(encoded))
            if [Warning::Truncated, Warning::Damaged].map(|flaw| encoded.warnings.contains(flaw))
                != [false; 2] =>
        {
            Outcome::Saved(encoded.bytes)
        }
        Ok(Ok(encoded)) => Outcome::Decoded(encoded.bytes),
        Ok(Err(error)) => Outcome::Refused(error),
        Err(_) => Outcome::Panicked,
    }
}

#[derive(Default)]
struct Tally {
    files: usize,
    as_expected: usize,
}

fn run() {
    let Some(shared) = shared() else { return };
    let corpus = shared.join("corpus");
    let index = std::fs::read_to_string(corpus.join("INDEX.tsv")).expect("the index is readable");
    let mut scratch = Scratch::new();
    let mut tallies: BTreeMap<Verdict, Tally> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, String::new());
    let mut panicked = Vec::new();
    let started = Instant::now();
    for line in index.lines().skip(1) {
        let mut fields = line.split('\t');
        let (Some(file), Some(_), Some(verdict)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let verdict = match verdict {
            "both_ok" => Verdict::BothOk,
            "both_err" => Verdict::BothErr,
            _ => Verdict::Split,
        };
        let input = std::fs::read(corpus.join(file)).expect("the listed file is there");
        let began = Instant::now();
        let outcome = attempt(&input, &mut scratch);
        let took = began.elapsed();
        if took > slowest.0 {
            slowest = (took, file.to_owned());
        }
        let enabled = file.split('/').nth(1).is_some_and(|folder| ENABLED.contains(&folder));
        let tally = tallies.entry(verdict).or_default();
        match (&outcome, verdict) {
            (Outcome::Panicked, _) => panicked.push(file.to_owned()),
            (Outcome::Refused(error), Verdict::BothOk) if enabled => {
                tally.files += 1;
                println!("{file}: refused, though both read it: {error}");
            }
            (Outcome::Decoded(_), Verdict::BothErr) => {
                tally.files += 1;
                println!("{file}: read, though both refuse it");
            }
            (Outcome::Refused(_), Verdict::BothOk) => {}
            _ => {
                tally.files += 1;
                tally.as_expected += 1;
            }
        }
        if file.starts_with("bad/") && !matches!(outcome, Outcome::Panicked) {
            let again = attempt(&input, &mut scratch);
            let same = match (&outcome, &again) {
                (Outcome::Decoded(first), Outcome::Decoded(second))
                | (Outcome::Saved(first), Outcome::Saved(second)) => first == second,
                (Outcome::Refused(first), Outcome::Refused(second)) => {
                    first.to_string() == second.to_string()
                }
                _ => false,
            };
            assert!(same, "{file} came out differently the second time");
        }
    }
    println!("{:?} for all, {:?} for {}", started.elapsed(), slowest.0, slowest.1);
    let share = |verdict| tallies.get(&verdict).map_or((0, 0), |tally| (tally.as_expected, tally.files));
    let (read, readable) = share(Verdict::BothOk);
    let (refused, broken) = share(Verdict::BothErr);
    println!("{read} of {readable} readable files are read, {refused} of {broken} broken ones refused");
    assert!(panicked.is_empty(), "these made the codec panic: {panicked:?}");
    assert!(read * 1000 >= readable * 995, "{read} of {readable}");
    assert!(refused * 100 >= broken * 95, "{refused} of {broken}");
}

#[test]
fn the_corpus_fares_as_with_pillow_and_sharp() {
    run();
}
