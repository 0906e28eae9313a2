//! The fast path against the definition of its result.

use super::*;
use crate::codec::jpeg::decode::testing::TestPicture;
use crate::codec::jpeg::encode::{Coding, EncodeOptions, JpegQuality};
use crate::pixels::{Canvas, Channels, Orientation, Region, Size};

/// Makes a smooth scene with four different corners.
fn scene(width: usize, height: usize) -> Pixels {
    let data = (0..width * height)
        .flat_map(|i| {
            let (x, y) = ((i % width) as f64 / width as f64, (i / width) as f64 / height as f64);
            [
                x * 200.0 + 30.0 * (y * 9.0).sin() + 30.0,
                y * 200.0 + 25.0 * (x * 7.0).cos() + 25.0,
                127.0 + 90.0 * ((x - y) * 5.0).sin(),
            ]
        })
        .map(|value| value as u8)
        .collect();
    Pixels::new(width as u32, height as u32, Channels::Rgb, data).unwrap()
}

fn file(width: usize, height: usize, sampling: Sampling) -> Vec<u8> {
    let planes = colour::from_pixels(&scene(width, height), sampling).unwrap();
    let options = EncodeOptions { quality: JpegQuality::new(98).unwrap(), ..EncodeOptions::default() };
    Encoder::default().encode(&planes, &options).unwrap()
}

/// Geometry of a test: the size of the result, its source region, and its canvas.
#[derive(Debug, Clone, Copy)]
struct Target {
    size: Size,
    crop: Option<Region>,
    canvas: Option<Canvas>,
}

const BACKGROUND: [u8; 3] = [250, 20, 30];

fn plain(width: u32, height: u32) -> Target {
    Target { size: Size { width, height }, crop: None, canvas: None }
}

fn cropped(width: u32, height: u32, crop: [f64; 4]) -> Target {
    let [x, y, w, h] = crop;
    Target { crop: Some(Region { x, y, width: w, height: h }), ..plain(width, height) }
}

fn with<T>(
    input: &[u8],
    exif: u16,
    target: Target,
    run: impl FnOnce(&Resize<'_>, &mut ResizeScratch) -> T,
) -> T {
    let limits = Limits::default();
    let header = JpegHeader::parse(input, &limits).unwrap();
    let stored = Size { width: header.frame.width.into(), height: header.frame.height.into() };
    let orientation = Orientation::from_exif(exif).unwrap();
    let upright = orientation.turned(stored);
    let whole = Region { x: 0.0, y: 0.0, width: upright.width.into(), height: upright.height.into() };
    let Target { size: Size { width, height }, crop, canvas } = target;
    let geometry = Geometry { orientation, region: crop.unwrap_or(whole), width, height, canvas };
    let resize = Resize {
        input,
        header: &header,
        geometry: &geometry,
        kernel: ResampleKernel::Lanczos3,
        speed: DecodeSpeed::Normal,
        background: BACKGROUND,
        limits: &limits,
    };
    run(&resize, &mut ResizeScratch::default())
}

fn pixels(input: &[u8], exif: u16, target: Target) -> Pixels {
    with(input, exif, target, |resize, scratch| resize.pixels(scratch).unwrap().value)
}

/// Decodes a file at its own size.
fn decoded(input: &[u8]) -> Pixels {
    let header = JpegHeader::parse(input, &Limits::default()).unwrap();
    pixels(input, 1, plain(header.frame.width.into(), header.frame.height.into()))
}

fn worst(a: &Pixels, b: &Pixels) -> u8 {
    assert_eq!((a.width(), a.height(), a.channels()), (b.width(), b.height(), b.channels()));
    a.data().iter().zip(b.data()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// Returns the picture of planes as a viewer shows it.
fn shown(planes: &Planes) -> Pixels {
    let options = EncodeOptions { quality: JpegQuality::new(100).unwrap(), ..EncodeOptions::default() };
    decoded(&Encoder::default().encode(planes, &options).unwrap())
}

#[test]
fn the_streamed_file_is_that_of_the_planes() {
    for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
        for (width, height) in [(61, 47), (200, 3), (16, 16)] {
            let input = file(240, 180, Sampling::S420);
            for coding in [Coding::Fixed, Coding::Optimised, Coding::Progressive, Coding::Smallest] {
                let options = EncodeOptions { coding, ..EncodeOptions::default() };
                with(&input, 1, plain(width, height), |resize, scratch| {
                    let streamed = resize.transcode(sampling, &options, scratch).unwrap();
                    let planes = resize.planes(sampling, scratch).unwrap().value;
                    assert_eq!(planes.sampling(), sampling);
                    let encoded = scratch.encoder().encode(&planes, &options).unwrap();
                    assert!(streamed.value == encoded, "{sampling:?} {width}x{height} {coding:?}");
                });
            }
        }
    }
}

#[test]
fn two_workers_make_the_same_file_as_one() {
    let source = colour::from_pixels(&scene(640, 700), Sampling::S420).unwrap();
    let progressive = EncodeOptions { coding: Coding::Progressive, ..EncodeOptions::default() };
    let input = Encoder::default().encode(&source, &progressive).unwrap();
    let shared = Limits { spare_workers: 1, ..Limits::default() };
    for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
        for (width, height) in [(320, 350), (301, 457), (640, 700), (99, 333)] {
            for target in [plain(width, height), cropped(width, height, [40.0, 60.0, 500.0, 600.0])] {
                let (alone, together) = with(&input, 1, target, |resize, scratch| {
                    let run = |resize: &Resize<'_>, scratch: &mut ResizeScratch| {
                        resize.transcode(sampling, &EncodeOptions::default(), scratch).unwrap().value
                    };
                    (run(resize, scratch), run(&Resize { limits: &shared, ..*resize }, scratch))
                });
                assert!(alone == together, "{sampling:?} {width}x{height}");
            }
        }
    }
}

/// Makes files for several workers, whole and damaged.
fn large_files() -> impl Iterator<Item = Vec<u8>> {
    [(vec![(2, 2), (1, 1), (1, 1)], 0), (vec![(1, 1)], 0), (vec![(2, 1), (1, 1), (1, 1)], 7)]
        .into_iter()
        .flat_map(|(sampling, restart_interval)| {
            let mut picture = TestPicture::new(1100, 1300, &sampling, 25, 3);
            picture.restart_interval = restart_interval;
            let whole = picture.write();
            assert!(whole.len() > 300_000, "large enough to be shared");
            let mut flawed =
                [0.1, 0.4, 0.5, 0.8].map(|at| (whole.clone(), (whole.len() as f64 * at) as usize));
            flawed.iter_mut().for_each(|(file, at)| file[*at] ^= 0x10);
            let [.., (mut cut, _)] = flawed.clone();
            cut.truncate(250_000);
            flawed.into_iter().map(|(file, _)| file).chain([cut, whole])
        })
}

#[test]
fn a_large_file_becomes_the_same_file_by_any_number_of_workers() {
    let mut scratch = ResizeScratch::default();
    for (n, input) in large_files().enumerate() {
        let crop = [300.0, 500.0, 700.0, 650.0];
        let targets = [plain(500, 600), plain(60, 900), cropped(321, 299, crop)];
        for (m, target) in targets.into_iter().enumerate() {
            let coding =
                [Coding::Optimised, Coding::Optimised, Coding::Fixed, Coding::Progressive][(n + m) % 4];
            let options = EncodeOptions {
                coding,
                restart_interval: if n % 5 == 4 { 3 } else { 0 },
                ..EncodeOptions::default()
            };
            let sampling = [Sampling::S420, Sampling::S444, Sampling::S422, Sampling::Gray][n % 4];
            with(&input, 1, target, |resize, fresh| {
                let alone = resize.transcode(sampling, &options, fresh).unwrap();
                for spare_workers in [1, 3] {
                    let limits = Limits { spare_workers, ..Limits::default() };
                    let resize = Resize { limits: &limits, ..*resize };
                    let together = resize.transcode(sampling, &options, &mut scratch).unwrap();
                    assert_eq!(together.flaws, alone.flaws, "file {n} size {m} workers {spare_workers}");
                    assert!(together.value == alone.value, "file {n} size {m} workers {spare_workers}");
                }
            });
        }
    }
}

#[test]
fn every_size_shows_the_scene() {
    for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
        let input = file(320, 240, sampling);
        let scene = scene(320, 240);
        for (width, height) in [(320, 240), (111, 77), (30, 200), (400, 300), (5, 3), (1, 1)] {
            let got = pixels(&input, 1, plain(width, height));
            // The scene is smooth, so a resize equals sampling at the size of the result.
            let data = (0..width * height)
                .flat_map(|i| {
                    let x = (f64::from(i % width) + 0.5) / f64::from(width) * 320.0;
                    let y = (f64::from(i / width) + 0.5) / f64::from(height) * 240.0;
                    let at = y as usize * 960 + x as usize * 3;
                    <[u8; 3]>::try_from(&scene.data()[at..at + 3]).unwrap()
                })
                .collect();
            if width.min(height) < 30 || sampling == Sampling::Gray {
                assert_eq!((got.width(), got.height()), (width, height));
                continue;
            }
            let expected = Pixels::new(width, height, Channels::Rgb, data).unwrap();
            let off = worst(&got, &expected);
            assert!(off <= 14, "{sampling:?} {width}x{height}: off by {off}");
        }
    }
}

#[test]
fn all_eight_orientations_are_turned_upright() {
    for (sampling, width, height) in
        [(Sampling::S420, 61, 47), (Sampling::S422, 48, 33), (Sampling::S444, 30, 50)]
    {
        let input = file(320, 240, Sampling::S420);
        let straight = pixels(&input, 1, plain(width, height));
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let (w, h) = if orientation.transpose { (height, width) } else { (width, height) };
            let turned = pixels(&input, exif, plain(w, h));
            // Turning the straight result gives the same picture.
            let planes = colour::from_pixels(&straight, Sampling::S444).unwrap();
            let planes =
                turn::turned(planes.planes(), orientation, w as usize, h as usize, Sampling::S444).unwrap();
            assert!(worst(&turned, &colour::to_pixels(&planes).unwrap()) <= 3, "EXIF {exif}");
            // So do the subsampled planes.
            let planes = with(&input, exif, plain(w, h), |resize, scratch| {
                resize.planes(sampling, scratch).unwrap().value
            });
            let off = worst(&shown(&planes), &turned);
            assert!(off <= 16, "EXIF {exif}, {sampling:?}: off by {off}");
        }
    }
}

#[test]
fn a_crop_is_the_part_of_the_whole() {
    let input = file(320, 240, Sampling::S420);
    let whole = pixels(&input, 1, plain(160, 120));
    let part = pixels(&input, 1, cropped(60, 40, [100.0, 60.0, 120.0, 80.0]));
    let data = (30..70).flat_map(|y| whole.data()[(y * 160 + 50) * 3..][..60 * 3].to_vec()).collect();
    let expected = Pixels::new(60, 40, Channels::Rgb, data).unwrap();
    assert!(worst(&part, &expected) <= 3);
}

#[test]
fn a_contained_picture_stands_on_its_background() {
    let input = file(300, 100, Sampling::S420);
    let canvas = Some(Canvas { width: 91, height: 91, x: 0, y: 30 });
    let target = Target { canvas, ..plain(91, 30) };
    let planes =
        with(&input, 1, target, |resize, scratch| resize.planes(Sampling::S420, scratch).unwrap().value);
    assert_eq!((planes.width(), planes.height(), planes.sampling()), (91, 91, Sampling::S420));
    let shown = shown(&planes);
    let pixel = |x: usize, y: usize| <[u8; 3]>::try_from(&shown.data()[(y * 91 + x) * 3..][..3]).unwrap();
    for (x, y) in [(0, 0), (90, 90), (45, 10)] {
        let off = pixel(x, y).iter().zip(BACKGROUND).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        assert!(off <= 4, "{:?}", pixel(x, y));
    }
    assert!(pixel(45, 45)[0] < 200);
}

#[test]
fn a_grey_result_needs_no_chroma() {
    let input = file(320, 240, Sampling::S420);
    let planes = with(&input, 1, plain(80, 60), |resize, scratch| {
        resize.planes(Sampling::Gray, scratch).unwrap().value
    });
    let colourful = with(&input, 1, plain(80, 60), |resize, scratch| {
        resize.planes(Sampling::S420, scratch).unwrap().value
    });
    assert_eq!(planes.sampling(), Sampling::Gray);
    assert!(planes.planes()[0].rows().eq(colourful.planes()[0].rows()));
}

#[test]
fn an_rgb_file_keeps_its_colours() {
    let scene = scene(64, 64);
    let mut planes = Planes::new(64, 64, Sampling::S444).unwrap();
    for (c, plane) in planes.planes_mut().iter_mut().enumerate() {
        let stride = plane.stride();
        for (row, from) in plane.samples_mut().chunks_mut(stride).zip(scene.rows()) {
            row.iter_mut().zip(from.iter().skip(c).step_by(3)).for_each(|(to, from)| *to = *from);
        }
    }
    let options = EncodeOptions { quality: JpegQuality::new(100).unwrap(), ..EncodeOptions::default() };
    let jfif = Encoder::default().encode(&planes, &options).unwrap();
    let mut input = vec![0xFF, 0xD8, 0xFF, 0xEE, 0, 14];
    input.extend(b"Adobe\0\x64\0\0\0\0\0");
    input.extend(&jfif[20..]);
    assert!(worst(&decoded(&input), &scene) <= 4);
    let made = with(&input, 1, plain(64, 64), |resize, scratch| {
        resize.transcode(Sampling::S444, &options, scratch).unwrap()
    });
    assert!(worst(&decoded(&made.value), &scene) <= 6);
}

#[test]
fn a_truncated_file_is_used_as_far_as_it_goes() {
    let input = file(320, 240, Sampling::S420);
    let made = with(&input[..input.len() / 2], 1, plain(80, 60), |resize, scratch| {
        resize.transcode(Sampling::S420, &EncodeOptions::default(), scratch).unwrap()
    });
    assert!(made.flaws.truncated);
    assert_eq!(decoded(&made.value).width(), 80);
}

#[test]
fn a_scratch_is_as_good_as_new_for_the_next_picture() {
    let (first, second) = (file(320, 240, Sampling::S444), file(97, 130, Sampling::S420));
    let options = EncodeOptions::default();
    let run = |input: &[u8], scratch: &mut ResizeScratch| {
        with(input, 1, plain(50, 40), |resize, _| {
            resize.transcode(Sampling::S420, &options, scratch).unwrap().value
        })
    };
    let fresh = run(&second, &mut ResizeScratch::default());
    let mut used = ResizeScratch::default();
    run(&first, &mut used);
    assert_eq!(run(&second, &mut used), fresh);
    assert!(used.bytes() > 0);
    used.shrink_to(0);
    assert_eq!(run(&second, &mut used), fresh);
}
