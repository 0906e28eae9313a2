//! The fast path against the definition of its result.

use super::*;
use crate::codec::jpeg::decode::testing::TestPicture;
use crate::codec::jpeg::encode::{Coding, Options};
use crate::codec::transform::geometry::Orientation;
use crate::pixels::Channels;
use crate::spec::{CropBox, Fit, Quality, Spec};

/// A smooth scene whose corners differ, as 4:4:4 planes.
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
    let options = Options { quality: Quality::new(98).unwrap(), ..Options::default() };
    Encoder::default().encode(&planes, &options).unwrap()
}

fn with<T>(input: &[u8], exif: u16, spec: &Spec, run: impl FnOnce(&Resize<'_>, &mut Scratch) -> T) -> T {
    let limits = Limits::default();
    let header = Header::parse(input, &limits).unwrap();
    let stored = Size { width: header.frame.width.into(), height: header.frame.height.into() };
    let orientation = Orientation::from_exif(exif).unwrap();
    let geometry = Geometry::plan(stored, orientation, spec, &limits).unwrap();
    let resize = Resize {
        input,
        header: &header,
        geometry: &geometry,
        kernel: spec.kernel,
        speed: spec.speed,
        background: spec.background,
        limits: &limits,
    };
    run(&resize, &mut Scratch::default())
}

fn pixels(input: &[u8], exif: u16, spec: &Spec) -> Pixels {
    with(input, exif, spec, |resize, scratch| resize.pixels(scratch).unwrap().value)
}

fn worst(a: &Pixels, b: &Pixels) -> u8 {
    assert_eq!((a.width(), a.height(), a.channels()), (b.width(), b.height(), b.channels()));
    a.data().iter().zip(b.data()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// The picture of planes as a viewer would show it.
fn shown(planes: &Planes) -> Pixels {
    let options = Options { quality: Quality::new(100).unwrap(), ..Options::default() };
    pixels(&Encoder::default().encode(planes, &options).unwrap(), 1, &Spec::default())
}

#[test]
fn the_streamed_file_is_that_of_the_planes() {
    for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
        for (width, height) in [(61, 47), (200, 3), (16, 16)] {
            let input = file(240, 180, Sampling::S420);
            for coding in [Coding::Fixed, Coding::Optimised, Coding::Progressive, Coding::Smallest] {
                let options = Options { coding, ..Options::default() };
                with(&input, 1, &Spec::plain(width, height), |resize, scratch| {
                    let streamed = resize.transcode(sampling, &options, None, scratch).unwrap();
                    let planes = resize.planes(sampling, None, scratch).unwrap().value;
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
    let progressive = Options { coding: Coding::Progressive, ..Options::default() };
    let input = Encoder::default().encode(&source, &progressive).unwrap();
    let shared = Limits { spare_workers: 1, ..Limits::default() };
    for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
        for (width, height) in [(320, 350), (301, 457), (640, 700), (99, 333)] {
            let crop = Some(CropBox { x: 40, y: 60, width: 500, height: 600 });
            for spec in [Spec::plain(width, height), Spec { crop, ..Spec::plain(width, height) }] {
                let (alone, together) = with(&input, 1, &spec, |resize, scratch| {
                    let run = |resize: &Resize<'_>, scratch: &mut Scratch| {
                        resize.transcode(sampling, &Options::default(), None, scratch).unwrap().value
                    };
                    (run(resize, scratch), run(&Resize { limits: &shared, ..*resize }, scratch))
                });
                assert!(alone == together, "{sampling:?} {width}x{height}");
            }
        }
    }
}

/// Files that several workers decode, whole and damaged.
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
    let mut scratch = Scratch::default();
    for (n, input) in large_files().enumerate() {
        let crop = Some(CropBox { x: 300, y: 500, width: 700, height: 650 });
        let specs = [Spec::plain(500, 600), Spec::plain(60, 900), Spec { crop, ..Spec::plain(321, 299) }];
        for (m, spec) in specs.iter().enumerate() {
            let coding =
                [Coding::Optimised, Coding::Optimised, Coding::Fixed, Coding::Progressive][(n + m) % 4];
            let options =
                Options { coding, restart_interval: if n % 5 == 4 { 3 } else { 0 }, ..Options::default() };
            let sampling = [Sampling::S420, Sampling::S444, Sampling::S422, Sampling::Gray][n % 4];
            with(&input, 1, spec, |resize, fresh| {
                let alone = resize.transcode(sampling, &options, None, fresh).unwrap();
                for spare_workers in [1, 3] {
                    let limits = Limits { spare_workers, ..Limits::default() };
                    let resize = Resize { limits: &limits, ..*resize };
                    let together = resize.transcode(sampling, &options, None, &mut scratch).unwrap();
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
            let got = pixels(&input, 1, &Spec::plain(width, height));
            // The scene is smooth: sampling it at the size of the result is what a resize comes to.
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
        let straight = pixels(&input, 1, &Spec::plain(width, height));
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let (w, h) = if orientation.transpose { (height, width) } else { (width, height) };
            let spec = Spec::plain(w, h);
            let turned = pixels(&input, exif, &spec);
            // Whoever turns the straight result gets the same picture.
            let planes = colour::from_pixels(&straight, Sampling::S444).unwrap();
            let planes =
                turn::turned(planes.planes(), orientation, w as usize, h as usize, Sampling::S444).unwrap();
            assert!(worst(&turned, &colour::to_pixels(&planes).unwrap()) <= 3, "EXIF {exif}");
            // And so does whoever looks at the subsampled planes.
            let planes = with(&input, exif, &spec, |resize, scratch| {
                resize.planes(sampling, None, scratch).unwrap().value
            });
            let off = worst(&shown(&planes), &turned);
            assert!(off <= 16, "EXIF {exif}, {sampling:?}: off by {off}");
        }
    }
}

#[test]
fn a_crop_is_the_part_of_the_whole() {
    let input = file(320, 240, Sampling::S420);
    let whole = pixels(&input, 1, &Spec::plain(160, 120));
    let crop = CropBox { x: 100, y: 60, width: 120, height: 80 };
    let part = pixels(&input, 1, &Spec { crop: Some(crop), ..Spec::plain(60, 40) });
    let data = (30..70).flat_map(|y| whole.data()[(y * 160 + 50) * 3..][..60 * 3].to_vec()).collect();
    let expected = Pixels::new(60, 40, Channels::Rgb, data).unwrap();
    assert!(worst(&part, &expected) <= 3);
}

#[test]
fn a_contained_picture_stands_on_its_background() {
    let input = file(300, 100, Sampling::S420);
    let background = Colour { r: 250, g: 20, b: 30, a: 255 };
    let spec = Spec { fit: Fit::Contain, background, ..Spec::plain(91, 91) };
    let planes =
        with(&input, 1, &spec, |resize, scratch| resize.planes(Sampling::S420, None, scratch).unwrap().value);
    assert_eq!((planes.width(), planes.height(), planes.sampling()), (91, 91, Sampling::S420));
    let shown = shown(&planes);
    let pixel = |x: usize, y: usize| <[u8; 3]>::try_from(&shown.data()[(y * 91 + x) * 3..][..3]).unwrap();
    for (x, y) in [(0, 0), (90, 90), (45, 10)] {
        let off = pixel(x, y).iter().zip([250, 20, 30]).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        assert!(off <= 4, "{:?}", pixel(x, y));
    }
    assert!(pixel(45, 45)[0] < 200);
}

#[test]
fn a_grey_result_needs_no_chroma() {
    let input = file(320, 240, Sampling::S420);
    let planes = with(&input, 1, &Spec::plain(80, 60), |resize, scratch| {
        resize.planes(Sampling::Gray, None, scratch).unwrap().value
    });
    let colourful = with(&input, 1, &Spec::plain(80, 60), |resize, scratch| {
        resize.planes(Sampling::S420, None, scratch).unwrap().value
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
    let options = Options { quality: Quality::new(100).unwrap(), ..Options::default() };
    let jfif = Encoder::default().encode(&planes, &options).unwrap();
    let mut input = vec![0xFF, 0xD8, 0xFF, 0xEE, 0, 14];
    input.extend(b"Adobe\0\x64\0\0\0\0\0");
    input.extend(&jfif[20..]);
    assert!(worst(&pixels(&input, 1, &Spec::default()), &scene) <= 4);
    let made = with(&input, 1, &Spec::plain(64, 64), |resize, scratch| {
        resize.transcode(Sampling::S444, &options, None, scratch).unwrap()
    });
    assert!(worst(&pixels(&made.value, 1, &Spec::default()), &scene) <= 6);
}

#[test]
fn recolouring_is_seen_in_the_file() {
    let input = file(64, 64, Sampling::S420);
    let options = Options { quality: Quality::new(100).unwrap(), ..Options::default() };
    let negative = with(&input, 1, &Spec::plain(32, 32), |resize, scratch| {
        resize.transcode(Sampling::S444, &options, Some(&mut colour::invert), scratch).unwrap()
    });
    let mut expected = pixels(&input, 1, &Spec::plain(32, 32));
    colour::invert(&mut expected);
    assert!(worst(&pixels(&negative.value, 1, &Spec::default()), &expected) <= 5);
}

#[test]
fn a_truncated_file_is_used_as_far_as_it_goes() {
    let input = file(320, 240, Sampling::S420);
    let made = with(&input[..input.len() / 2], 1, &Spec::plain(80, 60), |resize, scratch| {
        resize.transcode(Sampling::S420, &Options::default(), None, scratch).unwrap()
    });
    assert!(made.flaws.truncated);
    assert_eq!(pixels(&made.value, 1, &Spec::default()).width(), 80);
}

#[test]
fn a_scratch_is_as_good_as_new_for_the_next_picture() {
    let (first, second) = (file(320, 240, Sampling::S444), file(97, 130, Sampling::S420));
    let options = Options::default();
    let run = |input: &[u8], scratch: &mut Scratch| {
        with(input, 1, &Spec::plain(50, 40), |resize, _| {
            resize.transcode(Sampling::S420, &options, None, scratch).unwrap().value
        })
    };
    let fresh = run(&second, &mut Scratch::default());
    let mut used = Scratch::default();
    run(&first, &mut used);
    assert_eq!(run(&second, &mut used), fresh);
    assert!(used.bytes() > 0);
    used.shrink_to(0);
    assert_eq!(run(&second, &mut used), fresh);
}
