//! What a plan says about memory is true: counted by an allocator, nothing takes more.
#![allow(unsafe_code)] // an allocator cannot be written otherwise

use image::{ImageFormat, RgbaImage};
use imgsrv::codec::{self, Route, Scratch};
use imgsrv::internals::engine::{CallerKey, Engine, EngineSettings, Job};
use imgsrv::limits::{Limits, MIB};
use imgsrv::spec::{Options, Spec};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Cursor;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grown(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: everything is the system's; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        grown(len.saturating_sub(layout.size()));
        LIVE.fetch_sub(layout.size().saturating_sub(len), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, len) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Most bytes held at once during `work`, beyond those held before it.
fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let value = work();
    (PEAK.load(Ordering::Relaxed) - before, value)
}

/// Tables, windows, rows: what does not grow with the picture.
const SLACK: usize = 2 << 20;

const WIDTH: u32 = 1024;
const HEIGHT: u32 = 768;

fn picture() -> RgbaImage {
    RgbaImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let texture = (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729)) >> 4 & 31;
        image::Rgba([(x / 6) as u8 ^ texture as u8, (y / 5) as u8, 90 + texture as u8, 255 - (y / 32) as u8])
    })
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture().write_to(&mut bytes, format).expect("a picture");
    bytes.into_inner()
}

fn spec(options: &str) -> Spec {
    Options::parse(options.as_bytes(), &Spec::default()).expect("good options").spec
}

fn made(source: &[u8], options: &str) -> Vec<u8> {
    codec::process(source, &spec(options), &Limits::default(), &mut Scratch::new()).expect("a picture").bytes
}

const REQUESTS: &[&str] = &[
    "",
    "width=320",
    "width=320&speed=fast&effort=fast",
    "width=900&quality=95",
    "width=1200",
    "width=640&progressive=true",
    "width=400&effort=smallest",
    "width=600&height=600&fit=cover&gravity=smart",
    "width=600&height=600&fit=contain",
    "rotate=90&width=700",
    "rotate=90",
    "rotate=90&quality=85",
    "progressive=true",
    "ops=grayscale",
    "metadata=strip",
    "width=400&ops=blur:3,invert",
    "width=300&ops=denoise:10",
    "width=640&linear=true",
    "linear=true&width=1024&height=700",
    "width=640&format=png",
    "width=640&format=webp&lossless=true",
    "width=640&format=tiff",
    "width=640&format=gif",
    "width=640&max_bytes=30k",
    "width=1000&quality=95&max_bytes=60k&allow_smaller=true",
    "width=300&target=60",
    "width=1300&height=1000&fit=fill&target=60",
    "width=1300&height=1000&fit=fill&target=60&kernel=box&ops=invert",
];

#[test]
fn no_request_takes_more_memory_than_its_plan_says() {
    let _alone = ALONE.lock();
    let png = encoded(ImageFormat::Png);
    let jpeg = made(&png, "quality=90&subsampling=420");
    let sources = [
        ("progressive", made(&jpeg, "progressive=true")),
        ("png", png),
        ("webp", encoded(ImageFormat::WebP)),
        ("gif", made(&jpeg, "format=gif")),
        ("jpeg", jpeg),
    ];
    let limits = Limits::default();
    let mut wrong = Vec::new();
    for (name, source) in &sources {
        for options in REQUESTS {
            let spec = spec(options);
            let plan = codec::plan(source, &spec, &limits).expect("a plan");
            let (peak, result) =
                peak_of(|| codec::process_planned(source, &plan, &spec, &limits, &mut Scratch::new()));
            result.unwrap_or_else(|error| panic!("{name} {options}: {error}"));
            if peak > plan.memory as usize + SLACK {
                wrong.push(format!("{name} {options} ({}): {peak} of {}", plan.route, plan.memory));
            }
            // Nor is a plan so careful that it keeps others waiting. One that passes the file on counts what decoding takes, should
            // the file turn out unsound.
            if matches!(plan.route, Route::Planar | Route::Lossless)
                && plan.memory as usize > 6 * peak + 4 * SLACK
            {
                wrong.push(format!("{name} {options} ({}): only {peak} of {}", plan.route, plan.memory));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_worker_has_let_go_of_a_large_picture_when_its_caller_is_answered() {
    let _alone = ALONE.lock();
    let patient = Duration::from_secs(600); // whatever the build
    let settings = EngineSettings { request_timeout: patient, ..EngineSettings::for_workers(1) };
    let engine = Engine::new(settings).expect("an engine");
    let large = made(&encoded(ImageFormat::Png), "format=bmp&width=3200&height=2800&kernel=nearest");
    for _ in 0..3 {
        let before = LIVE.load(Ordering::Relaxed);
        let mut memory = engine.reserve(CallerKey::default());
        memory.resize(large.len() as u64).expect("room for the body");
        let job = Job { body: large.clone(), memory, spec: Spec::plain(64, 48), deadline: None };
        let done = engine.run(job, CallerKey::default(), || true).expect("a picture");
        let kept = LIVE.load(Ordering::Relaxed).saturating_sub(before);
        assert!((kept as u64) < 20 * MIB, "{kept}");
        drop(done);
    }
}

/// A header of a baseline JPEG of these sides, which is all that a plan reads.
fn jpeg_header(width: u16, height: u16, coding: &str) -> Vec<u8> {
    let mut file = made(&encoded(ImageFormat::Png), coding);
    let frame =
        file.windows(2).position(|two| two == [0xFF, 0xC0] || two == [0xFF, 0xC2]).expect("a frame header");
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}

#[test]
fn large_results_fit_the_memory_of_a_request() {
    let _alone = ALONE.lock();
    let limits = Limits::default();
    let sequential = jpeg_header(4000, 6000, "quality=90&subsampling=420");
    let progressive = jpeg_header(4000, 6000, "quality=90&subsampling=420&progressive=true");
    let pixmap = b"P6 8 8 255\n".iter().copied().chain([7; 8 * 8 * 3]).collect::<Vec<u8>>();
    let mut refused = Vec::new();
    for (name, source, options) in [
        ("sequential", &sequential, "width=3000&linear=true"),
        ("sequential", &sequential, "width=4000&height=6000&passthrough=false&target=80"),
        ("sequential", &sequential, "width=5000&height=5000&fit=fill&target=80"),
        ("sequential", &sequential, "width=4000&height=6000&format=webp"),
        ("progressive", &progressive, "width=4000&height=6000&format=webp"),
        ("progressive", &progressive, "width=3000&linear=true"),
        ("pixmap", &pixmap, "width=5000&height=5000&format=jpeg&target=80"),
        ("pixmap", &pixmap, "width=5000&height=5000&format=jpeg&target=95&ops=sharpen:1"),
    ] {
        match codec::plan(source, &spec(options), &limits) {
            Ok(plan) => println!("{name} {options}: {} MiB", plan.memory / MIB),
            Err(error) => refused.push(format!("{name} {options}: {error}")),
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn two_workers_take_four_photos_of_24_megapixels_for_webp() {
    let _alone = ALONE.lock();
    let settings = EngineSettings::for_workers(2);
    for coding in ["quality=90&subsampling=420", "quality=90&subsampling=420&progressive=true"] {
        let source = jpeg_header(4000, 6000, coding);
        let spec = spec("width=4000&height=6000&format=webp");
        let plan = codec::plan(&source, &spec, &settings.limits).expect("within the memory of a request");
        // Two run; two wait with their bodies, of a size as cameras make them.
        let body = 8 * MIB;
        let needed = 2 * (plan.memory + body) + 2 * body;
        assert!(
            needed <= settings.total_memory,
            "{coding}: {} of {} MiB",
            needed / MIB,
            settings.total_memory / MIB
        );
    }
}
