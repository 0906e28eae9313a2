//! Applies operations to a picture: `cargo run --release --example apply_ops -- blur:2.5,edges:90:180 < in.ppm > out.ppm`.
//!
//! Reads any of PNM, PNG, BMP or GIF from standard input and writes PNM (PAM where there is alpha). A second
//! argument repeats the work that many times. Standard error gets one line: the fastest run in milliseconds and
//! the bytes that admission would reserve. `sift` also prints a line for each key point of the source: x, y, size
//! and angle.

use std::io::{Cursor, Read, Write, stdin, stdout};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use image::codecs::pnm::{PnmEncoder, PnmSubtype, SampleEncoding};
use image::{DynamicImage, ExtendedColorType, ImageEncoder};
use imgsrv::internals::ops;
use imgsrv::internals::pixels::{Channels, Pixels};
use imgsrv::limits::Limits;
use imgsrv::spec::{Op, Options, Spec};

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let list = args.next().context("which operations? For example blur:2.5,edges:90:180")?;
    let repeats: u32 = args.next().map_or(Ok(1), |text| text.parse()).context("repeats are a number")?;
    let ops = Options::parse(format!("ops={list}").as_bytes(), &Spec::default())?.spec.ops;
    let source = read()?;

    let mut fastest = Duration::MAX;
    let mut result = source.clone();
    for _ in 0..repeats.max(1) {
        let start = Instant::now();
        result = apply_all(source.clone(), &ops)?;
        fastest = fastest.min(start.elapsed());
    }
    if ops.contains(&Op::Sift) {
        for point in ops::sift::detect(&source, &Limits::default().cancel)? {
            eprintln!("keypoint {} {} {} {}", point.x, point.y, point.size, point.angle);
        }
    }
    eprintln!("{:.3} ms, {} bytes", fastest.as_secs_f64() * 1e3, memory(&source, &ops));
    write(&result)
}

fn apply_all(source: Pixels, ops: &[Op]) -> Result<Pixels, ops::OpError> {
    ops.iter().try_fold(source, |pixels, op| ops::apply(pixels, op, &Limits::default()))
}

/// The most that any of the operations needs beside the picture it is given.
fn memory(source: &Pixels, ops: &[Op]) -> u64 {
    let mut channels = source.channels();
    let mut peak = 0;
    for op in ops {
        peak = peak.max(ops::memory(op, source.width(), source.height(), channels));
        channels = ops::channels_after(op, channels);
    }
    peak
}

fn read() -> anyhow::Result<Pixels> {
    let mut bytes = Vec::new();
    stdin().read_to_end(&mut bytes)?;
    let picture = image::ImageReader::new(Cursor::new(bytes)).with_guessed_format()?.decode()?;
    let (width, height) = (picture.width(), picture.height());
    let (channels, data) = match picture {
        DynamicImage::ImageLuma8(image) => (Channels::Gray, image.into_raw()),
        DynamicImage::ImageLumaA8(image) => (Channels::GrayAlpha, image.into_raw()),
        DynamicImage::ImageRgb8(image) => (Channels::Rgb, image.into_raw()),
        DynamicImage::ImageRgba8(image) => (Channels::Rgba, image.into_raw()),
        other => bail!("{:?} is not eight bits a sample", other.color()),
    };
    Pixels::new(width, height, channels, data).context("an empty picture")
}

fn write(pixels: &Pixels) -> anyhow::Result<()> {
    let (subtype, colour) = match pixels.channels() {
        Channels::Gray => (PnmSubtype::Graymap(SampleEncoding::Binary), ExtendedColorType::L8),
        Channels::Rgb => (PnmSubtype::Pixmap(SampleEncoding::Binary), ExtendedColorType::Rgb8),
        Channels::GrayAlpha => (PnmSubtype::ArbitraryMap, ExtendedColorType::La8),
        Channels::Rgba => (PnmSubtype::ArbitraryMap, ExtendedColorType::Rgba8),
    };
    let mut out = Vec::new();
    let encoder = PnmEncoder::new(&mut out).with_subtype(subtype);
    encoder.write_image(pixels.data(), pixels.width(), pixels.height(), colour)?;
    Ok(stdout().write_all(&out)?)
}
