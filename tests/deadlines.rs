//! Every stage of every codec and operation stops soon after it is cancelled: formats x efforts, operations, searches,
//! resampling and decoders, each cancelled by another thread at several moments.

use imgsrv::codec::{self, CodecError, Scratch};
use imgsrv::limits::{Cancel, Limits, Stopped};
use imgsrv::spec::{Options, Spec};
use std::time::{Duration, Instant};

const FORMATS: [&str; 8] = ["jpeg", "png", "webp", "webp&lossless=true", "gif", "bmp", "tiff", "qoi"];

const EFFORTS: [&str; 3] = ["fast", "balanced", "smallest"];

const OPERATIONS: &str = "grayscale,invert,brightness:40,contrast:30,saturation:50,hue:90,gamma:2.2,sepia,threshold:120,\
                          blur:0.8,blur:40,sharpen:1.5,median:1,median:50,denoise:100,edges:90:180,corners,sift,erode:2,\
                          dilate:50,equalize,pixelate:7";

/// A binary pixmap with texture.
fn pixmap(width: usize, height: usize) -> Vec<u8> {
    let sample = |i: usize| {
        let (x, y) = (i / 3 % width, i / 3 / width);
        ((x * y / 97) as u8 / 2).wrapping_add((i.wrapping_mul(2_654_435_761) >> 27) as u8 & 15)
    };
    let header = format!("P6 {width} {height} 255\n").into_bytes();
    header.into_iter().chain((0..width * height * 3).map(sample)).collect()
}

fn spec(options: &str) -> Spec {
    Options::parse(options.as_bytes(), &Spec::default()).expect("these options are good").spec
}

/// Requests that start from a pixmap: each is dominated by one stage.
fn requests(width: usize, height: usize) -> Vec<String> {
    let mut requests = Vec::new();
    for format in FORMATS {
        requests.extend(EFFORTS.map(|effort| format!("passthrough=false&format={format}&effort={effort}")));
    }
    requests.extend(OPERATIONS.split(',').map(|op| format!("format=bmp&ops={op}")));
    requests.push("format=jpeg&progressive=true".into());
    requests.push("format=png&progressive=true".into());
    for search in ["target=80", "max_bytes=100k", "max_bytes=20k&allow_smaller=true"] {
        requests.push(format!("format=jpeg&{search}"));
        requests.push(format!("format=webp&{search}"));
    }
    for (width, height) in [(width / 2, height / 2), (width + width / 8, height - height / 8)] {
        for kernel in ["lanczos3", "box", "nearest", "lanczos3&linear=true"] {
            requests.push(format!("format=bmp&width={width}&height={height}&fit=fill&kernel={kernel}"));
        }
    }
    requests
}

/// A cancelled request and the time that it went on for.
struct Overrun {
    request: String,
    time: Duration,
}

/// Processes `source` and cancels after `delay`; `None` if the request ended before, or is refused.
fn overrun(source: &[u8], request: &str, delay: Duration) -> Option<Overrun> {
    let cancel = Cancel::at(Instant::now() + Duration::from_secs(3600));
    let limits = Limits { cancel: cancel.clone(), ..Limits::default() };
    let spec = spec(request);
    codec::plan(source, &spec, &limits).ok()?;
    std::thread::scope(|scope| {
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let canceller = scope.spawn(move || {
            let _ = end.recv_timeout(delay);
            cancel.cancel();
            Instant::now()
        });
        let outcome = codec::process(source, &spec, &limits, &mut Scratch::new());
        let returned = Instant::now();
        drop(ended);
        let cancelled = canceller.join().expect("the canceller");
        match outcome {
            Err(CodecError::Stopped(Stopped::Cancelled)) => {}
            Ok(_) => {}
            Err(error) => panic!("{request}: {error}"),
        }
        // A request that ended by itself is judged as well: it may have ended long after it was cancelled.
        let time = returned.checked_duration_since(cancelled)?;
        Some(Overrun { request: format!("{request} after {} ms", delay.as_millis()), time })
    })
}

/// Cancels every request at each of the delays; gives the overruns, the longest first.
fn overruns(width: usize, height: usize, delays: &[u64]) -> Vec<Overrun> {
    let source = pixmap(width, height);
    let mut all = Vec::new();
    for request in requests(width, height) {
        all.extend(delays.iter().filter_map(|ms| overrun(&source, &request, Duration::from_millis(*ms))));
    }
    for format in FORMATS.into_iter().chain(["jpeg&progressive=true", "png&progressive=true"]) {
        let made = codec::process(
            &source,
            &spec(&format!("format={format}&effort=fast")),
            &Limits::default(),
            &mut Scratch::new(),
        );
        let Ok(made) = made else { continue };
        for request in ["width=16&format=bmp", "rotate=90&format=bmp", "width=900&format=jpeg"] {
            let delays =
                delays.iter().filter_map(|ms| overrun(&made.bytes, request, Duration::from_millis(*ms)));
            all.extend(
                delays.map(|one| Overrun { request: format!("from {format}: {}", one.request), ..one }),
            );
        }
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.time));
    all
}

#[test]
fn cancelled_work_stops_within_a_second() {
    // Half a second for the slowest step of a debug build on a busy machine, and as much again.
    let all = overruns(1600, 1200, &[10, 60]);
    assert!(all.len() > 60, "only {} requests were still running", all.len());
    let late: Vec<_> = all.iter().filter(|one| one.time > Duration::from_secs(1)).collect();
    let told: Vec<_> = late.iter().map(|one| format!("{}: {:?}", one.request, one.time)).collect();
    assert!(told.is_empty(), "{told:#?}");
}

/// The figures of docs/reliability.md: `cargo test --release --test deadlines -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes: 25 megapixels through everything"]
fn cancelled_work_of_25_megapixels_stops_within_100_ms() {
    let all = overruns(5000, 5000, &[100, 700]);
    for one in all.iter().take(40) {
        println!("{:>7.1} ms  {}", one.time.as_secs_f64() * 1e3, one.request);
    }
    println!("{} requests were cancelled", all.len());
    let late = all.iter().filter(|one| one.time > Duration::from_millis(100)).count();
    assert_eq!(late, 0, "requests that went on for more than 100 ms");
}
