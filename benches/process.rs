//! Cost of one picture, by stage and in all, on one thread: `cargo bench --bench process`.
//!
//! A stage is isolated by making the others cheap: a decoder by a thumbnail as result, an encoder by an
//! uncompressed source of the size of the result. The generated picture is dense for its size; `PHOTOS` names
//! a folder of JPEGs to measure as well.

use divan::{Bencher, counter::BytesCount};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use imgsrv::codec::{self, Scratch};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::LazyLock;

fn main() {
    divan::main();
}

const SOURCE: (u32, u32) = (2400, 1600);
const RESULT: (u32, u32) = (800, 600);

/// Waves of many lengths, and some noise.
fn scene((width, height): (u32, u32)) -> DynamicImage {
    let mut seed = 1_u32;
    RgbImage::from_fn(width, height, |x, y| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (x, y) = (x as f32, y as f32);
        let wave = (x * y / 40_000.0).sin() * 60.0 + (x / 23.0).cos() * 40.0 + (y / 11.0).sin() * 20.0;
        let level = 128.0 + wave + (seed >> 28) as f32;
        Rgb([level as u8, (255.0 - level) as u8, (level * 0.7) as u8])
    })
    .into()
}

fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("the image crate writes this format");
    bytes.into_inner()
}

/// The picture that is decoded and resized, without compression.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| file(&scene(SOURCE), ImageFormat::Bmp));

/// The picture that is only encoded.
static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| file(&scene(RESULT), ImageFormat::Bmp));

fn run(bencher: Bencher, source: &[u8], options: &str) {
    let spec = Options::parse(options.as_bytes(), &Spec::default()).expect("these options are good").spec;
    let (limits, mut scratch) = (Limits::default(), Scratch::new());
    bencher.counter(BytesCount::new(source.len())).bench_local(|| {
        codec::process(divan::black_box(source), &spec, &limits, &mut scratch).expect("the picture is good")
    });
}

#[divan::bench(args = ["jpeg", "jpeg&progressive=true", "png", "bmp"])]
fn decode(bencher: Bencher, format: &str) {
    let source = match format {
        "bmp" => LARGE.clone(),
        "png" => file(&scene(SOURCE), ImageFormat::Png),
        jpeg => converted(&LARGE, &format!("format={jpeg}")),
    };
    run(bencher, &source, "width=16&height=16&kernel=nearest&speed=fast");
}

#[divan::bench(args = ["lanczos3", "catmullrom", "bilinear", "box", "nearest", "lanczos3&linear=true"])]
fn resize(bencher: Bencher, kernel: &str) {
    let (width, height) = RESULT;
    run(bencher, &LARGE, &format!("width={width}&height={height}&effort=fast&kernel={kernel}"));
}

#[divan::bench(args = [
    "jpeg&effort=fast", "jpeg", "jpeg&quality=95", "jpeg&progressive=true", "png&effort=fast", "png",
])]
fn encode(bencher: Bencher, format: &str) {
    run(bencher, &SMALL, &format!("format={format}"));
}

#[divan::bench(args = ["jpeg", "jpeg&progressive=true", "png"])]
fn whole(bencher: Bencher, format: &str) {
    let (width, height) = RESULT;
    run(bencher, &converted(&LARGE, &format!("format={format}")), &format!("width={width}&height={height}"));
}

#[divan::bench(args = photos())]
fn photo(bencher: Bencher, name: &str) {
    let folder = std::env::var_os("PHOTOS").map(PathBuf::from).unwrap_or_default();
    let source = std::fs::read(folder.join(name)).expect("the photo was there a moment ago");
    run(bencher, &source, "width=800&height=600");
}

fn converted(source: &[u8], options: &str) -> Vec<u8> {
    let spec = Options::parse(options.as_bytes(), &Spec::default()).expect("these options are good").spec;
    codec::process(source, &spec, &Limits::default(), &mut Scratch::new()).expect("the picture is good").bytes
}

/// Names of the photos in `PHOTOS`, in order; none when it is not set.
fn photos() -> Vec<String> {
    let folder = std::env::var_os("PHOTOS").and_then(|folder| std::fs::read_dir(folder).ok());
    let mut names: Vec<_> = folder
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".jpg"))
        .collect();
    names.sort();
    names
}
