//! The parts of the JPEG fast path: resample, encode, and the whole of it. Times are to be compared within
//! one run only. Besides pictures made here it takes the photos in `$TEST_SHARED/photos` (or `../shared`).

use divan::{Bencher, black_box};
use imgsrv::internals::codec::jpeg::encode::{Coding, EncodeOptions, Encoder, JpegQuality};
use imgsrv::internals::codec::jpeg::header::JpegHeader;
use imgsrv::internals::codec::jpeg::pipeline::{DecodeSpeed, Resize, ResizeScratch};
use imgsrv::internals::codec::jpeg::planes::{Planes, Sampling};
use imgsrv::internals::codec::jpeg::resample::{Axis, PlaneResizer, ResampleKernel, Samples, WeightCache};
use imgsrv::internals::pixels::{Geometry, Orientation, Region};
use imgsrv::limits::Limits;
use std::path::Path;

fn main() {
    divan::main();
}

/// Shapes with texture: about as many coefficients as a photo has.
fn picture(width: usize, height: usize, sampling: Sampling) -> Planes {
    let mut planes = Planes::new(width, height, sampling).expect("memory for a picture");
    let mut state = 1_u32;
    for (index, plane) in planes.planes_mut().iter_mut().enumerate() {
        let stride = plane.stride();
        for (i, sample) in plane.samples_mut().iter_mut().enumerate() {
            let (x, y) = ((i % stride) as f64, (i / stride) as f64);
            let shape = (x * 0.02 + index as f64).sin() * (y * 0.03).cos() * 60.0;
            let texture = (x * 0.9).sin() * (y * 0.7 + x * 0.2).cos() * 14.0;
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (128.0 + shape + texture + f64::from(state >> 29)) as u8;
        }
        plane.extend_edges(0..plane.height());
    }
    planes
}

const SIZES: [(usize, usize); 3] = [(320, 480), (800, 600), (2016, 1512)];

#[divan::bench(args = SIZES)]
fn encode_fixed(bencher: Bencher<'_, '_>, size: (usize, usize)) {
    encode(bencher, size, Coding::Fixed);
}

#[divan::bench(args = SIZES)]
fn encode_optimised(bencher: Bencher<'_, '_>, size: (usize, usize)) {
    encode(bencher, size, Coding::Optimised);
}

#[divan::bench(args = SIZES)]
fn encode_progressive(bencher: Bencher<'_, '_>, size: (usize, usize)) {
    encode(bencher, size, Coding::Progressive);
}

#[divan::bench(args = [SIZES[0], SIZES[1]], sample_count = 10)]
fn encode_smallest(bencher: Bencher<'_, '_>, size: (usize, usize)) {
    encode(bencher, size, Coding::Smallest);
}

fn encode(bencher: Bencher<'_, '_>, (width, height): (usize, usize), coding: Coding) {
    let planes = picture(width, height, Sampling::S420);
    let options = EncodeOptions { coding, ..EncodeOptions::default() };
    let mut encoder = Encoder::default();
    bencher.bench_local(|| encoder.encode(black_box(&planes), &options));
}

/// From, to, and the ratio of both sides.
const RATIOS: [(usize, usize); 4] = [(720, 480), (1500, 800), (1512, 800), (3024, 2016)];

#[divan::bench(args = RATIOS)]
fn resample(bencher: Bencher<'_, '_>, (from, to): (usize, usize)) {
    let mut weights = WeightCache::default();
    resample_with(bencher, from, to, &mut |resizer, axis| {
        resizer.start(ResampleKernel::Lanczos3, axis, axis, axis.available, 16, &mut weights)
    });
}

/// The first picture of a size, whose weights are not known yet.
#[divan::bench(args = RATIOS)]
fn resample_first(bencher: Bencher<'_, '_>, (from, to): (usize, usize)) {
    resample_with(bencher, from, to, &mut |resizer, axis| {
        resizer.start(ResampleKernel::Lanczos3, axis, axis, axis.available, 16, &mut WeightCache::default())
    });
}

type Start<'a> = &'a mut dyn FnMut(&mut PlaneResizer, &Axis) -> Result<(), imgsrv::limits::OutOfMemory>;

fn resample_with(bencher: Bencher<'_, '_>, from: usize, to: usize, start: Start<'_>) {
    let source = picture(from, 16, Sampling::Gray);
    let source = source.planes()[0].samples();
    let axis =
        Axis { available: from, origin: 0.0, extent: from as f64, output: to, samples: Samples::Points };
    let mut resizer = PlaneResizer::default();
    let mut out = vec![0; to * 8];
    bencher.bench_local(|| {
        start(&mut resizer, &axis).expect("memory for a ring");
        while !resizer.is_done() {
            let (strip, stride) = resizer.strip();
            for (to, from) in strip.chunks_mut(stride).zip(source.chunks(from.next_multiple_of(16))) {
                to[..from.len()].copy_from_slice(from);
            }
            resizer.push();
            while !resizer.is_done() && resizer.take(&mut out, to) > 0 {}
        }
    });
}

/// Name of the photo, width, height and quality of the result: the workloads of the comparison with peers.
const PHOTOS: [(&str, u32, u32, u8); 7] = [
    ("seed_3000x2000.jpg", 800, 600, 85),
    ("phone_4032x3024.jpg", 800, 600, 85),
    ("sharp_2725x2225.jpg", 720, 588, 80),
    ("phone_4032x3024.jpg", 200, 150, 80),
    ("progressive_4000x6000.jpg", 1024, 1536, 85),
    ("phone_4032x3024.jpg", 2016, 1512, 85),
    ("small_progressive_640x960.jpg", 320, 480, 85),
];

#[divan::bench(args = PHOTOS, sample_count = 20)]
fn photo(bencher: Bencher<'_, '_>, (name, width, height, quality): (&str, u32, u32, u8)) {
    if let Some(input) = photo_file(name) {
        transcode(bencher, &input, width, height, quality);
    }
}

/// The same by two workers, which share each photo that is large enough.
#[divan::bench(args = PHOTOS, sample_count = 20)]
fn photo_by_two(bencher: Bencher<'_, '_>, (name, width, height, quality): (&str, u32, u32, u8)) {
    let Some(input) = photo_file(name) else { return };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads");
    let limits = Limits { spare_workers: 1, ..Limits::default() };
    let mut scratch = ResizeScratch::default();
    bencher.bench_local(|| {
        pool.install(|| transcoded(black_box(&input), (width, height), quality, &limits, &mut scratch))
    });
}

fn photo_file(name: &str) -> Option<Vec<u8>> {
    let shared =
        std::env::var("TEST_SHARED").unwrap_or_else(|_| format!("{}/../shared", env!("CARGO_MANIFEST_DIR")));
    let Ok(input) = std::fs::read(Path::new(&shared).join("photos").join(name)) else {
        println!("no {name} in {shared}/photos: skipped");
        return None;
    };
    Some(input)
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn made(bencher: Bencher<'_, '_>, (width, height): (usize, usize)) {
    let planes = picture(3000, 2000, Sampling::S420);
    let input = Encoder::default().encode(&planes, &EncodeOptions::default()).expect("a file");
    transcode(bencher, &input, width as u32, height as u32, 85);
}

fn transcode(bencher: Bencher<'_, '_>, input: &[u8], width: u32, height: u32, quality: u8) {
    let (limits, mut scratch) = (Limits::default(), ResizeScratch::default());
    bencher.bench_local(|| transcoded(black_box(input), (width, height), quality, &limits, &mut scratch));
}

fn transcoded(
    input: &[u8],
    (width, height): (u32, u32),
    quality: u8,
    limits: &Limits,
    scratch: &mut ResizeScratch,
) -> Vec<u8> {
    let quality = JpegQuality::new(quality).expect("a quality");
    let options = EncodeOptions { quality, ..EncodeOptions::default() };
    let header = JpegHeader::parse(input, limits).expect("a header");
    let (across, down) = (header.frame.width.into(), header.frame.height.into());
    let geometry = Geometry {
        orientation: Orientation::default(),
        region: Region { x: 0.0, y: 0.0, width: across, height: down },
        width,
        height,
        canvas: None,
    };
    let resize = Resize {
        input,
        header: &header,
        geometry: &geometry,
        kernel: ResampleKernel::Lanczos3,
        speed: DecodeSpeed::Normal,
        background: [255; 3],
        limits,
    };
    resize.transcode(Sampling::S420, &options, scratch).expect("a file").value
}
