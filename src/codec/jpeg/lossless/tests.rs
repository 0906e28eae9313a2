//! Lossless turns, crops and grey, by their coefficients.

use super::*;
use crate::codec::jpeg::decode::Flaws;
use crate::codec::jpeg::decode::testing::{Codes, TestPicture};
use crate::codec::jpeg::encode::{Coding, EncodeOptions};

const EXIF_ORIENTATIONS: std::ops::RangeInclusive<u16> = 1..=8;

fn header(file: &[u8]) -> JpegHeader<'_> {
    JpegHeader::parse(file, &Limits::default()).unwrap()
}

fn rearrangement(file: &[u8], exif: u16, crop: Option<[f64; 4]>, keep: Keep) -> Option<Rearrangement> {
    let header = header(file);
    let stored = Size { width: header.frame.width.into(), height: header.frame.height.into() };
    let orientation = Orientation::from_exif(exif).unwrap();
    let upright = orientation.turned(stored);
    let whole = [0.0, 0.0, upright.width.into(), upright.height.into()];
    let [x, y, width, height] = crop.unwrap_or(whole);
    let geometry = Geometry {
        orientation,
        region: Region { x, y, width, height },
        width: width as u32,
        height: height as u32,
        canvas: None,
    };
    Rearrangement::of(&header, &geometry, keep)
}

fn run(file: &[u8], rearrangement: &Rearrangement, coding: Coding) -> Vec<u8> {
    let (mut memory, mut encoder) = Default::default();
    let options = EncodeOptions { coding, ..EncodeOptions::default() };
    let done =
        rearrangement.run(file, &header(file), &options, &Limits::default(), (&mut memory, &mut encoder));
    let done = done.unwrap().unwrap();
    assert_eq!(done.flaws, Flaws::default());
    done.value
}

/// Returns the blocks that show the picture, by component, each coefficient times its step; columns first.
fn shown(file: &[u8]) -> Vec<(usize, Vec<[i32; 64]>)> {
    let mut memory = decode::DecodeScratch::default();
    let coefficients =
        decode::DecodedCoefficients::decode(file, &header(file), &Limits::default(), &mut memory).unwrap();
    let frame = *coefficients.frame();
    let blocks = frame.components().iter().enumerate().map(|(index, component)| {
        let side = |pixels: u16, factor: u8, most: u8| {
            (usize::from(pixels) * usize::from(factor)).div_ceil(usize::from(most)).div_ceil(8)
        };
        let columns = side(frame.width, component.h, frame.h_max());
        let rows = side(frame.height, component.v, frame.v_max());
        let steps = &coefficients.quant_tables()[index];
        let block = |i: usize| {
            let block = coefficients.block(index, i % columns, i / columns);
            std::array::from_fn(|i| i32::from(block[i]) * i32::from(steps.0[i]))
        };
        (columns, (0..columns * rows).map(block).collect())
    });
    blocks.collect()
}

/// Computes the expected turn by definition: block and frequency of each coefficient of the result.
fn expected(source: &[(usize, Vec<[i32; 64]>)], exif: u16) -> Vec<(usize, Vec<[i32; 64]>)> {
    let turn = Orientation::from_exif(exif).unwrap();
    let component = |(columns, blocks): &(usize, Vec<[i32; 64]>)| {
        let (w, h) = (*columns, blocks.len() / columns);
        let (width, height) = if turn.transpose { (h, w) } else { (w, h) };
        let mut result = vec![[0; 64]; blocks.len()];
        for (at, block) in blocks.iter().enumerate() {
            let (mut x, mut y) = (at % w, at / w);
            if turn.transpose {
                (x, y) = (y, x);
            }
            x = if turn.mirror_x { width - 1 - x } else { x };
            y = if turn.mirror_y { height - 1 - y } else { y };
            for (i, &value) in block.iter().enumerate() {
                let (u, v) = if turn.transpose { (i / 8, i % 8) } else { (i % 8, i / 8) };
                let odd = u32::from(turn.mirror_x && u % 2 == 1) + u32::from(turn.mirror_y && v % 2 == 1);
                result[y * width + x][v * 8 + u] = if odd % 2 == 1 { -value } else { value };
            }
        }
        (width, result)
    };
    source.iter().map(component).collect()
}

#[test]
fn every_turn_of_whole_mcus_moves_coefficients_and_changes_none() {
    for sampling in [
        &[(1, 1)][..],
        &[(1, 1); 3],
        &[(2, 1), (1, 1), (1, 1)],
        &[(2, 2), (1, 1), (1, 1)],
        &[(1, 2), (1, 1), (1, 1)],
    ] {
        let sequential = TestPicture::new(64, 32, sampling, 6, 9);
        let restarts = TestPicture { restart_interval: 3, codes: Codes::Skewed, ..sequential.clone() };
        let progressive = sequential.clone().make_progressive();
        for picture in [sequential, restarts, progressive] {
            let file = picture.write();
            let source = shown(&file);
            for exif in EXIF_ORIENTATIONS {
                let turn = rearrangement(&file, exif, None, Keep::All).expect("whole MCUs");
                for coding in [Coding::Fixed, Coding::Optimised, Coding::Progressive, Coding::Smallest] {
                    let result = shown(&run(&file, &turn, coding));
                    assert!(result == expected(&source, exif), "{sampling:?} {exif} {coding:?}");
                }
            }
        }
    }
}

#[test]
fn there_and_back_is_the_same_picture() {
    let file = TestPicture::new(48, 80, &[(2, 1), (1, 1), (1, 1)], 8, 4).write();
    for (there, back) in [(2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)] {
        let turned = run(&file, &rearrangement(&file, there, None, Keep::All).unwrap(), Coding::Optimised);
        let again =
            run(&turned, &rearrangement(&turned, back, None, Keep::All).unwrap(), Coding::Progressive);
        assert!(shown(&again) == shown(&file), "{there}");
    }
}

#[test]
fn cut_mcus_may_stay_at_the_end_but_not_come_to_the_front() {
    let file = TestPicture::new(61, 45, &[(2, 2), (1, 1), (1, 1)], 5, 7).write();
    let perfect: Vec<u16> =
        EXIF_ORIENTATIONS.filter(|&exif| rearrangement(&file, exif, None, Keep::All).is_some()).collect();
    assert_eq!(perfect, [1, 5]);
    let wide = TestPicture::new(64, 45, &[(2, 2), (1, 1), (1, 1)], 5, 7).write();
    let perfect: Vec<u16> =
        EXIF_ORIENTATIONS.filter(|&exif| rearrangement(&wide, exif, None, Keep::All).is_some()).collect();
    // Columns are whole: they may be mirrored, and rows become columns at the end.
    assert_eq!(perfect, [1, 2, 5, 8]);
    for exif in [1, 5] {
        let turn = rearrangement(&file, exif, None, Keep::All).unwrap();
        assert!(shown(&run(&file, &turn, Coding::Optimised)) == expected(&shown(&file), exif));
    }
}

#[test]
fn a_crop_that_begins_with_an_mcu_keeps_its_blocks() {
    let file = TestPicture::new(100, 70, &[(2, 2), (1, 1), (1, 1)], 5, 3).write();
    assert!(rearrangement(&file, 1, Some([8.0, 16.0, 32.0, 32.0]), Keep::All).is_none());
    assert!(rearrangement(&file, 2, Some([17.0, 0.0, 32.0, 32.0]), Keep::All).is_none());
    let cut = rearrangement(&file, 1, Some([16.0, 32.0, 37.0, 30.0]), Keep::All).unwrap();
    let (source, result) = (shown(&file), shown(&run(&file, &cut, Coding::Optimised)));
    for (index, (columns, blocks)) in result.iter().enumerate() {
        let (left, top) = if index == 0 { (2, 4) } else { (1, 2) };
        for (at, block) in blocks.iter().enumerate() {
            let (x, y) = (left + at % columns, top + at / columns);
            assert!(*block == source[index].1[y * source[index].0 + x], "{index} {x} {y}");
        }
    }
    assert_eq!((result[0].0, result[1].0), (5, 3));
}

#[test]
fn grey_is_luma_alone() {
    let file = TestPicture::new(61, 45, &[(2, 2), (1, 1), (1, 1)], 5, 7).write();
    let gray = rearrangement(&file, 1, None, Keep::Luma).unwrap();
    assert!(shown(&run(&file, &gray, Coding::Optimised)) == shown(&file)[..1]);
    // MCUs of a grey result are single blocks, so a crop may begin with any.
    assert!(rearrangement(&file, 1, Some([8.0, 24.0, 20.0, 20.0]), Keep::Luma).is_some());
    let coarse = TestPicture::new(32, 32, &[(1, 1), (2, 2), (1, 1)], 5, 7).write();
    assert!(rearrangement(&coarse, 1, None, Keep::Luma).is_none());
    assert!(rearrangement(&coarse, 1, None, Keep::All).is_some());
}

#[test]
fn damaged_files_are_recoded_or_refused_without_panic() {
    let whole = TestPicture::new(64, 48, &[(2, 2), (1, 1), (1, 1)], 6, 11).make_progressive().write();
    let mut random = crate::codec::jpeg::decode::testing::Random(77);
    for _ in 0..200 {
        let mut file = whole.clone();
        for _ in 0..3 {
            let at = random.below(file.len() as u64) as usize;
            file[at] = random.next() as u8;
        }
        file.truncate(whole.len() - random.below(100) as usize);
        let Ok(header) = JpegHeader::parse(&file, &Limits::default()) else { continue };
        let geometry = Geometry {
            orientation: Orientation::QUARTER_TURN,
            region: Region {
                x: 0.0,
                y: 0.0,
                width: header.frame.height.into(),
                height: header.frame.width.into(),
            },
            width: header.frame.height.into(),
            height: header.frame.width.into(),
            canvas: None,
        };
        let Some(turn) = Rearrangement::of(&header, &geometry, Keep::All) else { continue };
        let (mut memory, mut encoder) = Default::default();
        let _ = turn.run(
            &file,
            &header,
            &EncodeOptions::default(),
            &Limits::default(),
            (&mut memory, &mut encoder),
        );
    }
}
