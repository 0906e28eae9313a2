//! The decoder against the written coefficients, against other decoders, and on damaged files.

use super::testing::{Codes, Random, TestPicture, natural, scan, steps};
use super::*;
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::JpegHeader;
use crate::limits::Limits;

mod damage;

const YCC_420: [(usize, usize); 3] = [(2, 2), (1, 1), (1, 1)];

/// Layouts, samples of each plane (`width` x `height`), flaws.
pub(super) type DecodedPlanes = (Vec<PlaneLayout>, Vec<Vec<u8>>, Flaws);

fn decode(file: &[u8], scales: &[Scale], scratch: &mut DecodeScratch) -> Result<DecodedPlanes, JpegError> {
    decode_with(file, scales, scratch, &Limits::default())
}

fn decode_with(
    file: &[u8],
    scales: &[Scale],
    scratch: &mut DecodeScratch,
    limits: &Limits,
) -> Result<DecodedPlanes, JpegError> {
    decode_part(file, scales, scratch, limits, Split::No, |_| {})
}

/// Use of [`Decoder::split`]: the number of upper rows decoded before the rest begins, or no split.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    After(usize),
    No,
}

fn decode_part(
    file: &[u8],
    scales: &[Scale],
    scratch: &mut DecodeScratch,
    limits: &Limits,
    split: Split,
    choose: impl FnOnce(&mut Decoder<'_>),
) -> Result<DecodedPlanes, JpegError> {
    let header = JpegHeader::parse(file, limits)?;
    let mut decoder = Decoder::new(file, &header, scales, limits, scratch)?;
    choose(&mut decoder);
    let layouts = decoder.layouts().to_vec();
    let mut strips: Vec<Vec<u8>> = layouts.iter().map(|l| vec![0xAA; l.strip_len(l.min_stride)]).collect();
    let mut planes = vec![Vec::new(); layouts.len()];
    let mut take = |next: &mut dyn FnMut(&mut [PlaneRows<'_>]) -> Result<bool, JpegError>| {
        loop {
            let mut rows: Vec<_> = strips
                .iter_mut()
                .zip(&layouts)
                .map(|(strip, layout)| PlaneRows { samples: strip, stride: layout.min_stride })
                .collect();
            if !next(&mut rows)? {
                return Ok::<_, JpegError>(());
            }
            for ((plane, strip), layout) in planes.iter_mut().zip(&strips).zip(&layouts) {
                strip.chunks(layout.min_stride).for_each(|row| plane.extend(&row[..layout.width]));
            }
        }
    };
    if let Split::After(rows) = split
        && let Some((mut upper, lower)) = decoder.split()
    {
        let mut first = 0..rows;
        let mut is_over = false;
        take(&mut |rows| {
            if first.next().is_none() {
                return Ok(false);
            }
            let more = upper.next_mcu_row(rows)?;
            is_over = !more;
            Ok(more)
        })?;
        lower.decode();
        if !is_over {
            take(&mut |rows| upper.next_mcu_row(rows))?;
        }
    }
    take(&mut |rows| decoder.next_mcu_row(rows))?;
    for (plane, layout) in planes.iter_mut().zip(&layouts) {
        plane.truncate(layout.width * layout.height);
    }
    Ok((layouts, planes, decoder.flaws()))
}

fn components(file: &[u8]) -> usize {
    JpegHeader::parse(file, &Limits::default()).map_or(1, |header| header.frame.components().len())
}

pub(super) fn full(file: &[u8]) -> DecodedPlanes {
    decode(file, &vec![Scale::FULL; components(file)], &mut DecodeScratch::default()).unwrap()
}

/// Computes the inverse DCT of the k x k corner by its definition (T.81 A.3.3), in floating point.
fn exact_samples(block: &[i16; 64], k: usize) -> Vec<f64> {
    let natural = natural(block);
    let quant = natural_steps();
    let basis = |m: usize, u: usize| {
        let norm = if u == 0 { 0.125_f64.sqrt() } else { 0.5 };
        norm * ((2 * m + 1) as f64 * u as f64 * std::f64::consts::PI / (2 * k) as f64).cos()
    };
    let sample = |x: usize, y: usize| {
        let terms = (0..k * k).map(|i| {
            let (u, v) = (i % k, i / k);
            f64::from(natural[8 * v + u]) * f64::from(quant[8 * v + u]) * basis(x, u) * basis(y, v)
        });
        (terms.sum::<f64>() + 128.0).clamp(0.0, 255.0)
    };
    (0..k * k).map(|i| sample(i % k, i / k)).collect()
}

fn natural_steps() -> [i16; 64] {
    natural(&steps().map(i16::from))
}

/// Checks each coefficient, and the samples at `scales`, against the written ones.
fn check(picture: &TestPicture, scales: &[Scale]) {
    let file = picture.write();
    let limits = Limits::default();
    let header = JpegHeader::parse(&file, &limits).unwrap();
    let mut scratch = DecodeScratch::default();
    let coefficients = DecodedCoefficients::decode(&file, &header, &limits, &mut scratch).unwrap();
    assert_eq!(coefficients.flaws(), Flaws::default());
    let shown = |component: usize| {
        let component = &header.frame.components()[component];
        plane::lone_blocks(&header.frame, component)
    };
    for (component, blocks) in picture.blocks.iter().enumerate() {
        let (columns, rows) = shown(component);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let block = coefficients.block(component, column, row);
            let written = natural(&blocks[row * picture.padded(component).0 + column]);
            assert_eq!(block, written, "component {component} column {column} row {row}");
        }
    }
    for &scale in scales {
        let (layouts, planes, flaws) =
            decode(&file, &vec![scale; picture.sampling.len()], &mut scratch).unwrap();
        assert_eq!(flaws, Flaws::default());
        let k = scale.k();
        for (component, (layout, plane)) in layouts.iter().zip(&planes).enumerate() {
            let (columns, rows) = shown(component);
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let block = &picture.blocks[component][row * picture.padded(component).0 + column];
                for (i, exact) in exact_samples(block, k).into_iter().enumerate() {
                    let (x, y) = (column * k + i % k, row * k + i / k);
                    if x < layout.width && y < layout.height {
                        let sample = f64::from(plane[y * layout.width + x]);
                        assert!(
                            (sample - exact).abs() <= 1.0,
                            "k {k} component {component} ({x}, {y}): {sample} {exact}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn every_sampling_and_restart_interval_gives_what_went_in() {
    let samplings: [&[(usize, usize)]; 12] = [
        &[(1, 1)],
        &[(1, 1), (1, 1), (1, 1)],
        &[(2, 1), (1, 1), (1, 1)],
        &[(1, 2), (1, 1), (1, 1)],
        &YCC_420,
        &[(4, 1), (1, 1), (1, 1)],
        &[(1, 4), (1, 1), (1, 1)],
        &[(4, 2), (1, 1), (1, 1)],
        &[(3, 1), (1, 1), (2, 1)],
        &[(3, 2), (1, 1), (1, 2)],
        &[(1, 1), (2, 2), (1, 2)],
        &[(2, 2), (1, 1), (1, 1), (2, 2)],
    ];
    for (i, sampling) in samplings.into_iter().enumerate() {
        for restart_interval in [0, 1, 5] {
            let scale = Scale::ALL[(i + restart_interval) % 8];
            let mut picture = TestPicture::new(61, 43, sampling, 9, i as u64 + 1);
            picture.restart_interval = restart_interval;
            picture.codes = if i % 2 == 0 { Codes::Flat } else { Codes::Skewed };
            check(&picture, &[scale]);
            check(&picture.clone().make_progressive(), &[scale]);
            picture.scans = (0..sampling.len()).map(|c| scan(&[c], 0, 63, 0, 0)).collect();
            check(&picture, &[scale]);
        }
    }
}

#[test]
fn every_scale_and_density_gives_what_went_in() {
    for (detail, codes) in [(0, Codes::Flat), (2, Codes::Skewed), (12, Codes::Flat), (45, Codes::Skewed)] {
        let mut picture = TestPicture::new(83, 37, &YCC_420, detail, detail + 3);
        picture.codes = codes;
        check(&picture, &Scale::ALL);
        check(&picture.make_progressive(), &Scale::ALL);
    }
}

#[test]
fn odd_sizes_down_to_one_pixel_are_decoded() {
    for (width, height) in [(1, 1), (8, 8), (9, 7), (16, 17), (33, 1), (1, 50)] {
        let picture = TestPicture::new(width, height, &YCC_420, 5, 77);
        check(&picture, &[Scale::FULL, Scale::ALL[2]]);
        check(&picture.make_progressive(), &[Scale::FULL, Scale::ALL[2]]);
    }
}

#[test]
fn unusual_scripts_are_decoded() {
    let base = TestPicture::new(90, 50, &YCC_420, 8, 5);
    let mut mixed = base.clone();
    mixed.scans = vec![scan(&[2, 0], 0, 63, 0, 0), scan(&[1], 0, 63, 0, 0)];
    check(&mixed, &[Scale::FULL, Scale::ALL[0]]);
    let mut spectral = base.clone().make_progressive();
    spectral.scans = vec![scan(&[0], 0, 0, 0, 0), scan(&[1, 2], 0, 0, 0, 0)];
    for component in 0..3 {
        spectral.scans.extend([(1, 1), (2, 14), (15, 63)].map(|(a, b)| scan(&[component], a, b, 0, 0)));
    }
    check(&spectral, &Scale::ALL);
    let mut late = base;
    late.late_height = true;
    check(&late, &[Scale::FULL]);
}

#[test]
fn long_runs_of_empty_blocks_are_jumped() {
    let mut picture = TestPicture::new(1600, 900, &[(1, 1)], 0, 9).make_progressive();
    picture.blocks[0].iter_mut().step_by(9000).for_each(|block| (block[3], block[40]) = (7, -5));
    check(&picture, &[Scale::ALL[1], Scale::ALL[3]]);
}

#[test]
fn restart_intervals_can_be_decoded_from_one_scratch_after_another() {
    let mut scratch = DecodeScratch::default();
    let pictures = [
        TestPicture::new(200, 90, &YCC_420, 20, 1).make_progressive(),
        TestPicture::new(90, 200, &YCC_420, 3, 2).make_progressive(),
        TestPicture::new(64, 64, &[(1, 1)], 9, 3),
    ];
    for picture in pictures.iter().chain(&pictures) {
        let file = picture.write();
        let scales = vec![Scale::ALL[3]; picture.sampling.len()];
        let fresh = decode(&file, &scales, &mut DecodeScratch::default()).unwrap();
        assert!(decode(&file, &scales, &mut scratch).unwrap() == fresh);
    }
    let held = scratch.bytes();
    assert!(held > 10_000);
    scratch.shrink_to(held);
    assert_eq!(scratch.bytes(), held);
    scratch.shrink_to(held - 1);
    assert_eq!(scratch.bytes(), 0);
}

/// Decodes the first component of a file by zune-jpeg: grey, or the luma of YCbCr.
fn luma_by_zune(file: &[u8], components: usize) -> Vec<u8> {
    use zune_jpeg::zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
    let space = if components == 1 { ColorSpace::Luma } else { ColorSpace::YCbCr };
    let options = DecoderOptions::default().jpeg_set_out_colorspace(space);
    let samples = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(file), options).decode().unwrap();
    samples.into_iter().step_by(components).collect()
}

#[test]
fn other_decoders_agree_to_one_level() {
    let samplings: [&[(usize, usize)]; 5] = [
        &[(1, 1)],
        &[(1, 1), (1, 1), (1, 1)],
        &[(2, 1), (1, 1), (1, 1)],
        &[(1, 2), (1, 1), (1, 1)],
        &YCC_420,
    ];
    for (sampling, (width, height)) in
        samplings.into_iter().zip([(123, 77), (61, 43), (90, 35), (33, 64), (47, 61)])
    {
        for (restart_interval, progressive) in [(0, false), (3, false), (0, true), (3, true)] {
            let mut picture = TestPicture::new(width, height, sampling, 10, 40 + sampling.len() as u64);
            picture.restart_interval = restart_interval;
            let write =
                |picture: TestPicture| if progressive { picture.make_progressive() } else { picture }.write();
            let (layouts, planes, _) = full(&write(picture.clone()));
            for (component, (layout, plane)) in layouts.iter().zip(&planes).enumerate() {
                // Other decoders enlarge chroma, so write each component as a grey picture of its own, too.
                let mut lone = picture.clone();
                (lone.width, lone.height) = (layout.width, layout.height);
                lone.sampling = vec![(1, 1)];
                let columns = picture.padded(component).0;
                let (shown, rows) = lone.padded(0);
                lone.blocks = vec![
                    picture.blocks[component]
                        .chunks(columns)
                        .take(rows)
                        .flat_map(|row| &row[..shown])
                        .copied()
                        .collect(),
                ];
                lone.scans = vec![scan(&[0], 0, 63, 0, 0)];
                let lone = write(lone);
                let mut others =
                    vec![luma_by_zune(&lone, 1), jpeg_decoder::Decoder::new(&lone[..]).decode().unwrap()];
                if component == 0 {
                    others.push(luma_by_zune(&write(picture.clone()), sampling.len()));
                }
                for other in others {
                    assert_eq!(other.len(), plane.len());
                    let worst = other.iter().zip(plane).map(|(a, b)| a.abs_diff(*b)).max();
                    assert!(
                        worst <= Some(1),
                        "{sampling:?} {restart_interval} {progressive} {component}: {worst:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn several_workers_decode_the_same_as_one() {
    let mut random = Random(99);
    let mut scratch = DecodeScratch::default();
    let samplings = [&[(1, 1)][..], &YCC_420, &[(2, 1), (1, 1), (1, 1)]];
    for (i, (sampling, restart_interval)) in
        samplings.into_iter().flat_map(|s| [(s, 0), (s, 1), (s, 53)]).enumerate()
    {
        let mut picture = TestPicture::new(1100, 1300, sampling, 25, i as u64);
        picture.restart_interval = restart_interval;
        picture.codes = if i % 2 == 1 { Codes::Skewed } else { Codes::Flat };
        let whole = picture.write();
        assert!(whole.len() > 300_000, "large enough to be shared");
        for round in 0..10 {
            let mut file = whole.clone();
            for _ in 0..round / 2 {
                let at = 1000 + random.below(file.len() as u64 - 1000) as usize;
                match random.below(3) {
                    0 => file.truncate(at.max(200_000)),
                    1 => drop(file.drain(at..(at + 9).min(whole.len() - 9))),
                    _ => file[at] ^= 0x10,
                }
            }
            let scales = vec![Scale::ALL[(i + round) % 8]; sampling.len()];
            let alone = decode(&file, &scales, &mut DecodeScratch::default()).unwrap();
            for spare_workers in [1, 2, 7] {
                let limits = Limits { spare_workers, ..Limits::default() };
                for split in [Split::No, Split::After(0), Split::After(60), Split::After(usize::MAX)] {
                    let shared = decode_part(&file, &scales, &mut scratch, &limits, split, |_| {}).unwrap();
                    assert!(shared == alone, "sampling {i} round {round} workers {spare_workers}");
                }
            }
        }
    }
}

#[test]
fn unwanted_samples_are_left_out_and_the_wanted_ones_are_as_ever() {
    const UNWRITTEN: u8 = 0xAA;
    let picture = TestPicture::new(640, 480, &YCC_420, 30, 6);
    let mut restarts = picture.clone();
    restarts.restart_interval = 7;
    let progressive = picture.clone().make_progressive();
    for (picture, spare_workers, split) in [
        (picture.clone(), 0, Split::No),
        (restarts.clone(), 0, Split::No),
        (progressive, 0, Split::No),
        (picture.clone(), 1, Split::No),
        (picture, 1, Split::After(0)),
        (restarts, 1, Split::After(0)),
    ] {
        let file = picture.write();
        let limits = Limits { spare_workers, ..Limits::default() };
        for scale in [Scale::ALL[1], Scale::ALL[3], Scale::FULL] {
            let (layouts, whole, _) = decode(&file, &[scale; 3], &mut DecodeScratch::default()).unwrap();
            let (width, height) = (layouts[0].width, layouts[0].height);
            let (columns, rows) = (width / 3..width / 2, height / 4..height / 3);
            let (_, part, flaws) =
                decode_part(&file, &[scale; 3], &mut DecodeScratch::default(), &limits, split, |decoder| {
                    decoder.want_only(0, columns.clone(), rows.clone());
                    decoder.want_only(2, 0..0, 0..0);
                })
                .unwrap();
            assert_eq!(flaws, Flaws::default());
            for y in rows {
                let span = y * width + columns.start..y * width + columns.end;
                assert_eq!(part[0][span.clone()], whole[0][span], "row {y}");
            }
            assert!(part[0][..width * (height / 8)].iter().all(|&sample| sample == UNWRITTEN));
            assert_eq!(part[1], whole[1]);
            assert!(part[2].iter().all(|&sample| sample == UNWRITTEN));
        }
    }
}
