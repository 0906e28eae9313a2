//! Tokens: guesses, unfinished headers, leaks, and timing.

use crate::harness::Server;
use crate::harness::{Rng, exchange, extended, header, jpeg, read_to_end};
use crate::table::{Row, Scale};
use imgsrv::internals::service::auth::{Tokens, digest};
use std::collections::HashSet;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// A2, A3, A5: unfinished tokens, ten thousand wrong ones, and a search for leaked tokens.
pub(crate) fn guesses(program: &Path, scale: Scale) -> Vec<Row> {
    let tokens = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(tokens.path(), "main:right-token-0123456789\n").expect("writable");
    let file = format!("--token-file={}", tokens.path().display());
    let mut server = Server::start(program, &[&file]);
    let small = jpeg(64, 64);
    let before = server.resources();
    let (count, mut busy, mut unauthorized) = (scale.of(10_000, 200), 0, 0);
    let mut messages = HashSet::new();
    for n in 0..count {
        let request = extended(&[], &format!("op=ping&token=wrong-{n}"));
        let answer = server.connect_from(7).and_then(|mut socket| exchange(&mut socket, &request));
        let Ok((report, message)) = answer else { continue };
        messages.insert(String::from_utf8_lossy(&message).into_owned());
        busy += usize::from(report.contains("status=busy"));
        unauthorized += usize::from(report.contains("status=unauthorized"));
    }
    let good = extended(&small, "width=32&token=right-token-0123456789");
    let other = server
        .connect_from(8)
        .and_then(|mut socket| exchange(&mut socket, &good))
        .is_ok_and(|(report, _)| report.starts_with("status=ok"));
    let a3 = Row {
        id: "A3",
        what: format!("{count} wrong tokens from one address"),
        figure: format!("{unauthorized} compared, {busy} busy, another address served {other}"),
        bar: "<= 20 compared; others unaffected",
        pass: unauthorized <= 20 && unauthorized + busy == count && other,
    };
    let size = scale.of(1000, 40);
    let watch = server.watch_memory();
    let opened = Instant::now();
    let mut silent: Vec<_> = (0..size)
        .filter_map(|n| {
            let mut socket = server.connect_from((n % 200) as u8 + 10).ok()?;
            let mut head = header(1 << 31 | 20_000_000, 9, 9);
            head.extend(8000_u32.to_be_bytes());
            head.extend(b"token=");
            socket.write_all(&head).ok()?;
            Some(socket)
        })
        .collect();
    silent.iter_mut().for_each(|socket| drop(read_to_end(socket)));
    let (cut, rise) = (opened.elapsed().as_secs_f64(), watch.rise());
    drop(silent);
    let clean = server.returns_to(before);
    let a2 = Row {
        id: "A2",
        what: format!("{size} connections that never finish their token"),
        figure: format!(
            "memory +{rise:.0} MiB, the last cut at {cut:.1} s, {} bytes of images read, clean {clean}",
            server.metric("imgsrv_bytes_in_total") - small.len() as f64
        ),
        bar: "< 32 MB; cut at 5 ± 1 s; no body read",
        pass: clean && rise < 32.0 && cut <= 7.5,
    };
    // All places that could leak a secret: log, metrics, arguments, error messages.
    let log = std::fs::read_to_string(&server.log).unwrap_or_default();
    let mut leaks = vec![("log", log), ("metrics", server.page()), ("arguments", server.arguments())];
    leaks.extend(messages.into_iter().map(|message| ("messages", message)));
    leaks.retain(|(_, text)| text.contains("right-token") || text.contains("wrong-"));
    let a5 = Row {
        id: "A5",
        what: "tokens, right and wrong, in log, metrics, arguments and messages of the two rows above".into(),
        figure: format!("found in {:?}", leaks.iter().map(|(place, _)| place).collect::<Vec<_>>()),
        bar: "none",
        pass: leaks.is_empty(),
    };
    vec![a2, a3, a5]
}

/// A1: t-test, as in dudect, for a dependence of comparison time on the number of right bytes.
pub(crate) fn timing(_program: &Path, scale: Scale) -> Row {
    let secret = "k7Fq2mZx9LpT4vWc8RbN";
    let tokens = Tokens::parse(&format!("main:{secret}\nlong:{}\n", "z".repeat(900))).expect("two tokens");
    let wrong_at = |place: usize| {
        let mut guess = secret.as_bytes().to_vec();
        guess[place] ^= 1;
        String::from_utf8(guess).expect("still ASCII")
    };
    let (none, but_last) = (wrong_at(0), wrong_at(secret.len() - 1));
    let (right, others) = (secret.to_owned(), "0".repeat(secret.len()));
    let half = secret.len() / 2;
    let pairs = [
        ("first byte wrong or last", none.as_str(), but_last.as_str()),
        ("all wrong or last", others.as_str(), but_last.as_str()),
        ("half as long, all wrong or none", &others[..half], &secret[..half]),
        // Not judged, because the reply shows it anyway.
        ("right or wrong, as the reply tells", right.as_str(), none.as_str()),
    ];
    let samples = scale.of(1_000_000, 20_000);
    let mut rng = Rng(0xD0D0_CAFE);
    let scores: Vec<_> = pairs
        .iter()
        .map(|(name, first, second)| {
            let mut times = [Vec::new(), Vec::new()];
            let mut offered = String::with_capacity(64); // one buffer for both, or their addresses would be timed
            for _ in 0..samples {
                let class = rng.below(2);
                offered.clear();
                offered.push_str(if class == 0 { first } else { second });
                let began = Instant::now();
                black_box(tokens.index_of(&digest(black_box(&offered))));
                times[class].push(began.elapsed().as_nanos() as f64);
            }
            (name, welch(&times))
        })
        .collect();
    let judged = scores.len() - 1;
    let worst = scores[..judged].iter().map(|(_, t)| t.abs()).fold(0.0, f64::max);
    Row {
        id: "A1",
        what: format!("{samples} timed comparisons for each of {judged} pairs of wrong guesses"),
        figure: scores.iter().map(|(name, t)| format!("{name}: t = {t:+.1}")).collect::<Vec<_>>().join("; "),
        bar: "abs(t) < 4.5",
        pass: worst < scale.of(4.5, 1e3),
    }
}

/// Welch's t of two sets of times without the slowest tenth, which is noise of the machine.
pub(crate) fn welch(times: &[Vec<f64>; 2]) -> f64 {
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let limit = all[all.len() * 9 / 10];
    let [a, b] = times.each_ref().map(|times| {
        let kept: Vec<_> = times.iter().copied().filter(|time| *time <= limit).collect();
        let n = kept.len().max(2) as f64;
        let mean = kept.iter().sum::<f64>() / n;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n)
    });
    (a.0 - b.0) / (a.1 + b.1).sqrt().max(1e-12)
}
