//! AVIF results (cargo feature `avif`), read back by Pillow where it is installed.
#![cfg(feature = "avif")]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use imgsrv::codec::{CodecError, Encoded, Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use std::io::{Cursor, Write};
use std::process::{Command, Stdio};

fn made(input: &[u8], options: &str) -> Result<Encoded, CodecError> {
    let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
    process(input, &spec, &Limits::default(), &mut Scratch::new())
}

fn png(picture: &DynamicImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Smooth shapes, clear in the left half.
fn half_clear() -> DynamicImage {
    let pixel = |x: u32, y: u32| Rgba([x as u8 * 4, y as u8 * 5, 90, if x < 32 { 0 } else { 255 }]);
    RgbaImage::from_fn(64, 48, pixel).into()
}

/// Width and height as the property `ispe` has them (ISO/IEC 23008-12, 6.5.3).
fn stated_size(avif: &[u8]) -> (u32, u32) {
    let at = avif.windows(4).position(|window| window == b"ispe").unwrap() + 8;
    let number = |at: usize| u32::from_be_bytes(avif[at..at + 4].try_into().unwrap());
    (number(at), number(at + 4))
}

/// RGBA by Pillow; `None`, and a word about it, where there is no Pillow that reads AVIF.
fn opened(avif: &[u8]) -> Option<RgbaImage> {
    const PROGRAM: &str = "import io, sys; from PIL import Image, features
if not features.check('avif'): sys.exit(3)
image = Image.open(io.BytesIO(sys.stdin.buffer.read())); assert image.format == 'AVIF'
sys.stdout.buffer.write(b'%5d%5d' % image.size + image.convert('RGBA').tobytes())";
    let venv = std::env::var("INTEROP_VENV").unwrap_or_else(|_| "target/interop-venv".into());
    for python in [format!("{venv}/bin/python"), "python3".into()] {
        let child = Command::new(&python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else { continue };
        let _ = child.stdin.take().unwrap().write_all(avif);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(3) || said.contains("No module named 'PIL'") {
            continue;
        }
        assert!(output.status.success(), "{said}");
        let number = |at: usize| str::from_utf8(&output.stdout[at..at + 5]).unwrap().trim().parse().unwrap();
        return RgbaImage::from_raw(number(0), number(5), output.stdout[10..].to_vec());
    }
    support::skip("no Pillow that reads AVIF (tests/interop.sh installs one)");
    None
}

fn mean_difference(a: &RgbaImage, b: &RgbaImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

#[test]
fn colours_grey_and_a_single_pixel_come_back() {
    let colours = DynamicImage::from(support::picture(70, 51));
    let gray = DynamicImage::from(colours.to_luma8());
    let pixel = colours.crop_imm(9, 9, 1, 1);
    for (picture, options) in
        [(&colours, "quality=95"), (&colours, "quality=95&effort=fast"), (&gray, "quality=95"), (&pixel, "")]
    {
        let result = made(&png(picture), &format!("format=avif&{options}")).unwrap();
        assert_eq!(result.bytes[4..12], *b"ftypavif");
        assert_eq!(stated_size(&result.bytes), (picture.width(), picture.height()));
        if let Some(back) = opened(&result.bytes) {
            let off = mean_difference(&back, &picture.to_rgba8());
            assert!(off < 4.0, "{options}: off by {off}");
        }
    }
}

#[test]
fn what_is_clear_stays_clear() {
    let picture = half_clear();
    let result = made(&png(&picture), "format=avif&quality=90").unwrap();
    if let Some(back) = opened(&result.bytes) {
        assert!(back.get_pixel(3, 20)[3] < 8 && back.get_pixel(60, 20)[3] > 247);
    }
}

#[test]
fn a_lower_quality_and_a_limit_make_smaller_files() {
    let picture = png(&support::picture(96, 64).into());
    let fine = made(&picture, "format=avif&quality=90").unwrap().bytes.len();
    let coarse = made(&picture, "format=avif&quality=30").unwrap().bytes.len();
    assert!(coarse < fine, "{coarse} and {fine} bytes");
    let limit = (coarse + fine) / 2;
    let fitted = made(&picture, &format!("format=avif&max_bytes={limit}")).unwrap();
    assert!(fitted.bytes.len() <= limit && fitted.tries <= 8, "{} of {limit}", fitted.bytes.len());
}

#[test]
fn the_owner_goes_along() {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x98\x82\x02\0\x08\0\0\0\x1a\0\0\0\0\0\0\0".to_vec();
    exif.extend(b"A. Nony\0");
    let app1 = [&[0xFF, 0xE1][..], &(exif.len() as u16 + 8).to_be_bytes(), b"Exif\0\0", &exif].concat();
    let mut jpeg = made(&png(&half_clear()), "quality=80").unwrap().bytes;
    jpeg.splice(2..2, app1);
    let has_owner = |options: &str| {
        let avif = made(&jpeg, options).unwrap().bytes;
        avif.windows(7).any(|window| window == b"A. Nony")
    };
    assert!(has_owner("format=avif"));
    assert!(!has_owner("format=avif&metadata=strip"));
}

#[test]
fn what_the_encoder_cannot_do_is_refused_by_name() {
    let picture = png(&support::picture(8, 8).into());
    for (options, says) in [
        ("format=avif&lossless=true", "'lossless' is 'true', but format 'avif' has no such mode"),
        ("format=avif&target=70", "'target' is '70', but format 'avif'"),
    ] {
        let error = Options::parse(options.as_bytes(), &Spec::default()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(made(&picture, "format=source").is_ok());
}
