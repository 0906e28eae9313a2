//! Runs the check of every fuzz target over its seeds and over thousands of mutated copies, the same at every run.
//! `fuzz/run.sh` continues from here. Release builds have no harnesses and no debug assertions, hence no such test.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

#[path = "../fuzz/checks.rs"]
mod checks;
#[path = "../fuzz/seeds.rs"]
mod seeds;

/// Mutated copies of each seed.
const COPIES: u64 = 60;

/// A generator of pseudo-random numbers (splitmix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % n.max(1) as u64) as usize
    }
}

/// Flips bits, overwrites with extremes, truncates, repeats or removes bytes.
fn mutated(seed: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + rng.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.below(bytes.len());
        match rng.below(5) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][rng.below(5)],
            2 => bytes.truncate(at),
            3 => {
                let end = (at + rng.below(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => drop(bytes.drain(at..(at + rng.below(16)).min(bytes.len()))),
        }
    }
    bytes
}

#[test]
fn the_checks_hold_for_the_seeds_and_for_mutated_copies_of_them() {
    for (target, name, seed) in seeds::seeds() {
        let (_, check) = checks::CHECKS.iter().find(|(check, _)| *check == target).unwrap();
        check(&seed);
        for copy in 0..COPIES {
            let bytes = mutated(&seed, &mut Rng(copy));
            let outcome = std::panic::catch_unwind(|| check(&bytes));
            assert!(outcome.is_ok(), "{target} fails on copy {copy} of {name}: {bytes:02x?}");
        }
    }
}

#[test]
fn the_samples_of_every_jpeg_seed_are_compared() {
    for (_, name, seed) in seeds::seeds().into_iter().filter(|(target, _, _)| *target == "jpeg_paths") {
        assert!(checks::jpeg_planes::compare(&seed, &checks::small()), "{name}");
    }
}

#[test]
fn every_target_has_a_program_and_a_seed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");
    let script = std::fs::read_to_string(format!("{folder}/run.sh")).unwrap();
    for &(target, _) in checks::CHECKS {
        let program = std::fs::read_to_string(format!("{folder}/fuzz_targets/{target}.rs")).unwrap();
        assert!(program.contains(&format!("::{target}(")), "{target}");
        assert!(script.contains(&format!(" {target}")) || script.contains(&format!("({target}")), "{target}");
        assert!(seeds::seeds().iter().any(|(one, _, _)| *one == target), "{target}");
    }
}

#[test]
#[ignore = "for fuzz/run.sh: writes the corpus of the fuzzer"]
fn the_seeds_are_written_to_the_corpus_folder() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, name, bytes) in seeds::seeds() {
        std::fs::create_dir_all(root.join(target)).unwrap();
        std::fs::write(root.join(target).join(name), bytes).unwrap();
    }
}
