//! Files that are cut off, damaged, or ask for too much.

use super::*;
use crate::limits::{LimitKind, OverLimit};

#[test]
fn a_truncated_scan_is_decoded_as_far_as_it_goes() {
    let picture = TestPicture::new(160, 160, &YCC_420, 9, 11);
    let file = picture.write();
    let (layouts, whole, _) = full(&file);
    let (_, half, flaws) = full(&file[..file.len() / 2]);
    assert_eq!(flaws, Flaws { truncated: true, damaged: false });
    let width = layouts[0].width;
    assert_eq!(half[0][..width * 32], whole[0][..width * 32], "the upper part is there");
    assert!(half[0][width * 150..].iter().all(|&sample| sample == 128), "the lower part is grey");
    let file = picture.make_progressive().write();
    let (_, early, flaws) = full(&file[..file.len() - 300]);
    assert!(flaws.truncated);
    let error: u32 = early[0].iter().zip(&whole[0]).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    assert!(error < 8 * whole[0].len() as u32, "the coarse scans are there");
}

#[test]
fn a_damaged_restart_interval_spoils_only_itself() {
    let mut picture = TestPicture::new(320, 160, &YCC_420, 9, 12);
    picture.restart_interval = 20;
    let file = picture.write();
    let (layouts, whole, _) = full(&file);
    let markers: Vec<_> =
        (0..file.len() - 1).filter(|&i| file[i] == 0xFF && (0xD0..=0xD7).contains(&file[i + 1])).collect();
    let mut broken = file.clone();
    broken[markers[2] + 40..markers[3] - 4].fill(0x55);
    let (_, planes, _) = full(&broken);
    let rows = |row: usize| row * 16 * layouts[0].width..(row + 1) * 16 * layouts[0].width;
    assert_eq!(planes[0][rows(2)], whole[0][rows(2)]);
    assert_ne!(planes[0][rows(3)], whole[0][rows(3)]);
    assert_eq!(planes[0][rows(4)], whole[0][rows(4)]);
    let mut missing = file.clone();
    missing.drain(markers[2]..markers[3]);
    let (_, planes, flaws) = full(&missing);
    assert!(flaws.damaged || flaws.truncated);
    assert_eq!(planes[0][rows(4)], whole[0][rows(4)], "the rest is in its place");
}

#[test]
fn too_many_scans_are_refused_while_markers_are_walked() {
    let mut picture = TestPicture::new(64, 64, &[(1, 1)], 1, 3).make_progressive();
    let more = picture.scans.last().unwrap().clone();
    picture.scans.extend(std::iter::repeat_n(more, 96));
    let file = picture.write();
    let result = decode(&file, &[Scale::FULL], &mut DecodeScratch::default());
    assert_eq!(
        result.unwrap_err(),
        JpegError::TooLarge(OverLimit { limit: LimitKind::Scans, value: 101, max: 100 })
    );
}

#[test]
fn a_cancelled_picture_stops() {
    let file = TestPicture::new(64, 64, &[(1, 1)], 1, 3).make_progressive().write();
    let limits = Limits { cancel: crate::limits::Cancel::at(std::time::Instant::now()), ..Limits::default() };
    let header = JpegHeader::parse(&file, &limits).unwrap();
    let mut scratch = DecodeScratch::default();
    let mut decoder = Decoder::new(&file, &header, &[Scale::FULL], &limits, &mut scratch).unwrap();
    let mut strip = vec![0; 100 * 100];
    let stopped = decoder.next_mcu_row(&mut [PlaneRows { samples: &mut strip, stride: 100 }]);
    assert!(matches!(stopped, Err(JpegError::Stopped(_))));
}

/// Damages files at random. Asserts that the decoder does not panic, and decodes the same bytes to the same
/// samples.
fn survive_mutations(count: u64) {
    let ycc = TestPicture::new(70, 50, &YCC_420, 8, 21);
    let mut restarts = ycc.clone();
    restarts.restart_interval = 2;
    let mut lone = ycc.clone();
    lone.scans = (0..3).map(|c| scan(&[c], 0, 63, 0, 0)).collect();
    lone.codes = Codes::Skewed;
    let files = [ycc.clone().make_progressive(), restarts.clone().make_progressive(), ycc, restarts, lone];
    let files = files.map(|picture| picture.write());
    let mut random = Random(4711);
    let mut reused = DecodeScratch::default();
    for round in 0..count {
        let mut file = files[random.below(5) as usize].clone();
        for _ in 0..=random.below(6) {
            let at = random.below(file.len().max(1) as u64) as usize;
            match random.below(4) {
                _ if file.is_empty() => {}
                0 => file[at] = random.next() as u8,
                1 => file[at] ^= 1 << random.below(8),
                2 => file.truncate(at.max(4)),
                _ => {
                    let end = (at + random.below(20) as usize).min(file.len());
                    file.drain(at..end);
                }
            }
        }
        let scales = vec![Scale::ALL[random.below(8) as usize]; components(&file)];
        let first = decode(&file, &scales, &mut reused);
        if round % 8 == 0 {
            assert!(first == decode(&file, &scales, &mut DecodeScratch::default()), "round {round}");
        }
    }
}

#[test]
fn two_thousand_mutations_do_no_harm() {
    survive_mutations(2_000);
}

#[test]
#[ignore = "takes seconds, and finds no more than the short one most of the time"]
fn a_hundred_thousand_mutations_do_no_harm() {
    survive_mutations(100_000);
}
