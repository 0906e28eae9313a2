//! `soundness`: walks the entropy-coded data of a file to its end, without an inverse DCT.

use super::block::{Scale, ScaledIdctLayout};
use super::script::Script;
use super::stored::Stored;
use super::{DecodeScratch, Decoder, Flaws, PlaneRows};
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::JpegHeader;
use crate::codec::jpeg::marker::{Marker, find_marker};
use crate::limits::Limits;

/// Verdict on a file after a walk to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soundness {
    /// Valid, in a form that all readers support.
    Sound,
    /// Valid, in a form that many readers refuse: a height given by DNL, Huffman tables left out, a second SOI, no
    /// EOI.
    Unusual,
    /// Truncated or damaged.
    Unsound(Flaws),
}

/// Walks `input`, whose header is `header`, to its end. Finds the same flaws as a full decode.
///
/// # Errors
/// As [`Decoder::new`] and [`Decoder::next_mcu_row`].
pub fn soundness(
    input: &[u8],
    header: &JpegHeader<'_>,
    limits: &Limits,
    scratch: &mut DecodeScratch,
) -> Result<Soundness, JpegError> {
    let script = Script::read(input, header, limits)?;
    let ends = match script.scans.first() {
        Some(scan) if script.streams(header) => ends_with_eoi(input, scan.data),
        // The script has reached an EOI, or it is truncated.
        _ => true,
    };
    let flaws = if script.streams(header) {
        walk_stream(input, header, limits, scratch)?
    } else {
        // Only the sets of non-zero coefficients are stored, which refinement scans depend on.
        let quant = script.quant_tables(&header.frame)?;
        let idcts: Vec<_> = quant.iter().map(|quant| ScaledIdctLayout::new(Scale::ALL[0], quant)).collect();
        let mut stored = Stored::new(input, &header.frame, &idcts, scratch)?;
        stored.decode_scans(&script, &idcts, &limits.cancel)?
    };
    Ok(match flaws {
        Flaws { truncated: false, damaged: false }
            if ends && !header.is_unusual && !script.implied_tables =>
        {
            Soundness::Sound
        }
        Flaws { truncated: false, damaged: false } => Soundness::Unusual,
        flaws => Soundness::Unsound(flaws),
    })
}

/// Decodes a sequential scan with all its samples unwanted.
fn walk_stream(
    input: &[u8],
    header: &JpegHeader<'_>,
    limits: &Limits,
    scratch: &mut DecodeScratch,
) -> Result<Flaws, JpegError> {
    let alone = Limits { spare_workers: 0, ..limits.clone() };
    let count = header.frame.components().len();
    let mut decoder = Decoder::new(input, header, &vec![Scale::ALL[0]; count], &alone, scratch)?;
    (0..count).for_each(|index| decoder.want_only(index, 0..0, 0..0));
    let mut nowhere: Vec<_> = (0..count).map(|_| PlaneRows { samples: &mut [], stride: 0 }).collect();
    while decoder.next_mcu_row(&mut nowhere)? {}
    Ok(decoder.flaws())
}

/// Returns true if EOI follows the entropy-coded data from offset `data` on.
fn ends_with_eoi(input: &[u8], data: usize) -> bool {
    let marker = find_marker(input, data).and_then(|at| input.get(at + 1));
    marker.is_some_and(|&code| Marker(code) == Marker::EOI)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Random, TestPicture, scan};
    use super::super::tests::full;
    use super::*;

    const YCC_420: [(usize, usize); 3] = [(2, 2), (1, 1), (1, 1)];

    fn verdict(file: &[u8]) -> Soundness {
        let limits = Limits::default();
        let header = JpegHeader::parse(file, &limits).unwrap();
        soundness(file, &header, &limits, &mut DecodeScratch::default()).unwrap()
    }

    fn files() -> [Vec<u8>; 4] {
        let picture = TestPicture::new(90, 70, &YCC_420, 8, 31);
        let restarts = TestPicture { restart_interval: 4, ..picture.clone() };
        let mut apart = picture.clone();
        apart.scans = (0..3).map(|c| scan(&[c], 0, 63, 0, 0)).collect();
        [picture.write(), restarts.write(), apart.write(), picture.make_progressive().write()]
    }

    #[test]
    fn whole_files_are_sound_and_truncated_ones_are_not() {
        for file in files() {
            assert_eq!(verdict(&file), Soundness::Sound);
            for len in [file.len() - 40, file.len() * 2 / 3] {
                let verdict = verdict(&file[..len]);
                assert!(matches!(verdict, Soundness::Unsound(Flaws { truncated: true, .. })), "{verdict:?}");
            }
        }
    }

    #[test]
    fn a_walk_finds_the_flaws_of_a_decode() {
        let mut random = Random(2718);
        let mut unsound = 0;
        for round in 0..1200 {
            let mut file = files()[round % 4].clone();
            let at = 650 + random.below(file.len() as u64 - 650) as usize;
            match random.below(3) {
                0 => file[at] ^= 1 << random.below(8),
                1 => file[at..].iter_mut().take(9).for_each(|byte| *byte = random.next() as u8),
                _ => drop(file.drain(at..(at + 5).min(file.len()))),
            }
            if JpegHeader::parse(&file, &Limits::default()).is_err() {
                continue;
            }
            let (_, _, flaws) = full(&file);
            match verdict(&file) {
                Soundness::Unsound(found) => {
                    assert_eq!(found, flaws, "round {round}");
                    unsound += 1;
                }
                Soundness::Sound | Soundness::Unusual => assert_eq!(flaws, Flaws::default(), "round {round}"),
            }
        }
        assert!(unsound > 300, "{unsound}");
    }

    #[test]
    fn markup_in_the_scan_is_no_picture() {
        let [file, ..] = files();
        let at = file.len() * 3 / 4;
        let html = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>";
        let broken = [&file[..at], html, b"\xFF\xD9"].concat();
        assert!(matches!(verdict(&broken), Soundness::Unsound(_)));
    }

    #[test]
    fn files_that_many_readers_refuse_are_unusual() {
        let picture = TestPicture::new(90, 70, &YCC_420, 8, 31);
        let late = TestPicture { late_height: true, ..picture.clone() }.write();
        assert_eq!(verdict(&late), Soundness::Unusual, "height by DNL");
        let file = picture.write();
        let twice = [&file[..2], &file[..]].concat();
        assert_eq!(verdict(&twice), Soundness::Unusual, "two SOI");
        assert_eq!(verdict(&file[..file.len() - 2]), Soundness::Unusual, "no EOI");
        let trailing = [&file[..], b"more"].concat();
        assert_eq!(verdict(&trailing), Soundness::Sound, "data behind EOI");
    }

    #[test]
    fn a_file_without_huffman_tables_is_unusual() {
        use crate::codec::jpeg::encode::{Coding, EncodeOptions, Encoder};
        use crate::codec::jpeg::planes::{Planes, Sampling};
        let mut planes = Planes::new(40, 24, Sampling::S420).unwrap();
        for plane in planes.planes_mut() {
            plane.samples_mut().iter_mut().enumerate().for_each(|(i, sample)| *sample = (i * 7 % 256) as u8);
        }
        let options = EncodeOptions { coding: Coding::Fixed, ..EncodeOptions::default() };
        let file = Encoder::default().encode(&planes, &options).unwrap();
        assert_eq!(verdict(&file), Soundness::Sound);
        let at = file.windows(2).position(|pair| pair == [0xFF, 0xC4]).unwrap();
        let len = usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        let bare = [&file[..at], &file[at + 2 + len..]].concat();
        assert_eq!(verdict(&bare), Soundness::Unusual);
    }

    #[test]
    fn a_cancelled_walk_stops() {
        for file in files() {
            let limits = Limits { cancel: crate::limits::Cancel::after(1), ..Limits::default() };
            let header = JpegHeader::parse(&file, &limits).unwrap();
            let stopped = soundness(&file, &header, &limits, &mut DecodeScratch::default());
            assert!(matches!(stopped, Err(JpegError::Stopped(_))));
        }
    }
}
