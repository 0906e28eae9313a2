//! EXIF, as much of it as matters: the orientation, whether it locates, and what of it goes into another file.
//!
//! A block is a TIFF file without a picture. Values are looked up in place and copied within a budget, so that a
//! hostile block costs nothing.

use crate::codec::metadata::directory::{Directory, Draft, tag};
use crate::codec::transform::geometry::{Orientation, Size};
use std::ops::Range;

/// Most bytes that are copied: what fits into one segment of a JPEG.
const MAX_COPIED: usize = 60_000;

/// The tags of a TIFF file that describe its picture and not its storage.
const DESCRIPTIVE: [u16; 7] =
    [tag::DESCRIPTION, tag::MAKE, tag::MODEL, tag::SOFTWARE, tag::DATE_TIME, tag::ARTIST, tag::COPYRIGHT];

/// Returns the turn that brings the pixels beside this EXIF block (a TIFF header and what follows) upright. Anything
/// unreadable is upright. The type of the number and how many there are do not matter, as for other readers.
pub(in crate::codec) fn orientation(exif: &[u8]) -> Orientation {
    let value = Directory::first(exif).and_then(|main| main.number(tag::ORIENTATION));
    let value = value.and_then(|value| u16::try_from(value).ok());
    value.and_then(Orientation::from_exif).unwrap_or_default()
}

/// Returns true if the block says where the picture was taken.
pub(in crate::codec) fn locates(exif: &[u8]) -> bool {
    Directory::first(exif).is_some_and(|main| main.tags().any(|found| found == tag::GPS_IFD))
}

/// Returns the block as it is true of a result of this size: upright, with its dimensions, and without the thumbnail
/// unless that still `shows` the picture.
pub(in crate::codec) fn of_result(exif: &[u8], size: Size, thumbnail: Thumbnail) -> Vec<u8> {
    let Some(main) = Directory::first(exif) else { return exif.to_vec() };
    let mut block = exif.to_vec();
    let mut set = |directory: &Directory<'_>, tag, value: u32| {
        if let Some((at, len)) = directory.number_place(tag)
            && let Some(place) = block.get_mut(at..at + len)
        {
            let wide = if main.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            place.copy_from_slice(if main.big_endian { &wide[4 - len..] } else { &wide[..len] });
        }
    };
    set(&main, tag::ORIENTATION, 1);
    set(&main, tag::WIDTH, size.width);
    set(&main, tag::HEIGHT, size.height);
    if let Some(camera) = main.below(tag::EXIF_IFD) {
        set(&camera, tag::PIXELS_ACROSS, size.width);
        set(&camera, tag::PIXELS_DOWN, size.height);
    }
    if thumbnail == Thumbnail::Outdated {
        drop_thumbnail(&main, &mut block);
    }
    block
}

/// A small picture in the second directory, beside one that was perhaps changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Thumbnail {
    /// It still shows the picture.
    Current,
    /// It shows what the picture was before it was cropped, turned or resized.
    Outdated,
}

/// Overwrites the second directory and its picture, and cuts them off where they stand last.
fn drop_thumbnail(main: &Directory<'_>, block: &mut Vec<u8>) {
    let Some(second) = main.following() else { return };
    let number = |tag| second.number(tag).and_then(|value| usize::try_from(value).ok());
    let part =
        |at: Option<usize>, len: Option<usize>| at.zip(len).map(|(at, len)| at..at.saturating_add(len));
    let strips = second.numbers(tag::STRIP_OFFSETS).into_iter().flatten();
    let lengths = second.numbers(tag::STRIP_BYTE_COUNTS).into_iter().flatten();
    let strips = strips
        .zip(lengths)
        .take(64)
        .filter_map(|(at, len)| part(usize::try_from(at).ok(), usize::try_from(len).ok()));
    let picture = part(number(tag::THUMBNAIL_OFFSET), number(tag::THUMBNAIL_LENGTH));
    let mut parts: Vec<Range<usize>> = strips.chain(picture).collect();
    parts.push(second.entries_place());
    parts.push(main.next_place()..main.next_place() + 4);
    let kept = main.next_place() + 4;
    for part in &parts {
        let end = part.end.min(block.len());
        // A picture that claims to lie on the first directory is left there.
        if part.start >= main.next_place() && part.start < end {
            block[part.start..end].fill(0);
        }
    }
    if let Some(last) = parts.iter().find(|part| part.end >= block.len() && part.start >= kept) {
        block.truncate(last.start);
    }
}

/// Returns a fresh block with the description of a TIFF file, the place and the camera's notes included; `None` if
/// there is none.
pub(in crate::codec) fn of_tiff(file: &[u8]) -> Option<Vec<u8>> {
    let main = Directory::first(file)?;
    let draft = described(&main);
    (!draft.is_empty()).then(|| draft.into_block(main.big_endian))
}

/// Returns the description in `main`, in its own byte order.
pub(in crate::codec) fn described<'a>(main: &Directory<'a>) -> Draft<'a> {
    let mut budget = MAX_COPIED;
    let mut draft = Draft::default();
    DESCRIPTIVE.into_iter().for_each(|tag| draft.copy(tag, main, &mut budget));
    if let Some(exif) = main.below(tag::EXIF_IFD) {
        draft.set_below(tag::EXIF_IFD, copied(&exif, &mut budget));
    }
    if let Some(place) = main.below(tag::GPS_IFD) {
        draft.set_below(tag::GPS_IFD, copied(&place, &mut budget));
    }
    draft
}

/// Copies a directory without its pointers and without the dimensions of the JPEG that it stood in.
fn copied<'a>(directory: &Directory<'a>, budget: &mut usize) -> Draft<'a> {
    const LEFT_OUT: [u16; 3] = [tag::PIXELS_ACROSS, tag::PIXELS_DOWN, tag::INTEROP_IFD];
    let mut draft = Draft::default();
    let values = directory.tags().filter(|tag| !LEFT_OUT.contains(tag));
    values.take(256).for_each(|tag| draft.copy(tag, directory, budget));
    draft
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::metadata::directory::kind;

    /// Little-endian IFD0 with an orientation, a GPS pointer and a copyright.
    fn camera_block() -> Vec<u8> {
        let mut block = b"II*\0\x08\0\0\0\x03\0".to_vec();
        block.extend([0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
        block.extend([0x98, 0x82, 2, 0, 8, 0, 0, 0, 50, 0, 0, 0]);
        block.extend([0x25, 0x88, 4, 0, 1, 0, 0, 0, 58, 0, 0, 0]);
        block.extend([0; 4]);
        assert_eq!(block.len(), 50);
        block.extend(b"A. Nony\0GPSGPS");
        block
    }

    #[test]
    fn the_orientation_is_read_and_reset() {
        let block = camera_block();
        assert_eq!(orientation(&block), Orientation::from_exif(6).unwrap());
        let upright = of_result(&block, SIZE, Thumbnail::Current);
        assert_eq!(orientation(&upright), Orientation::default());
        assert_eq!(upright.len(), block.len());
    }

    const SIZE: Size = Size { width: 300, height: 20 };

    #[test]
    fn an_orientation_of_any_type_and_count_counts_and_is_reset() {
        let six = Orientation::from_exif(6).unwrap();
        for big_endian in [false, true] {
            let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            let long = if big_endian { 6u32.to_be_bytes() } else { 6u32.to_le_bytes() };
            for (kind, value) in [
                (kind::SHORT, short(6).to_vec()),
                (kind::SHORT, [short(6), short(1)].concat()),
                (kind::SHORT, [short(6), short(1), short(1)].concat()),
                (kind::LONG, long.to_vec()),
                (kind::LONG, [long, long].concat()),
                (kind::BYTE, vec![6]),
                (kind::BYTE, vec![6, 1, 1, 1, 1, 1]),
            ] {
                let mut draft = Draft::default();
                draft.set(tag::ORIENTATION, kind, value.clone());
                let block = draft.into_block(big_endian);
                assert_eq!(orientation(&block), six, "{kind} {value:?}");
                let upright = of_result(&block, SIZE, Thumbnail::Current);
                assert_eq!(orientation(&upright), Orientation::default(), "{kind} {value:?}");
            }
        }
    }

    /// A first directory that points to a camera's one, then a thumbnail of two kinds.
    fn with_thumbnail(last: bool) -> Vec<u8> {
        let long = |value: u32| value.to_be_bytes().to_vec();
        let mut camera = Draft::default();
        camera.set(tag::PIXELS_ACROSS, kind::SHORT, 4000u16.to_be_bytes().to_vec());
        camera.set(tag::PIXELS_DOWN, kind::LONG, long(3000));
        let mut main = Draft::default();
        main.set_below(tag::EXIF_IFD, camera);
        main.set(tag::COPYRIGHT, kind::ASCII, &b"an owner\0"[..]);
        let mut block = main.into_block(true);
        let mut thumbnail = Draft::default();
        let at = block.len() as u32;
        block.extend(b"strip");
        let picture = block.len() as u32;
        block.extend(b"thumbnail");
        thumbnail.set(tag::STRIP_OFFSETS, kind::LONG, long(at));
        thumbnail.set(tag::STRIP_BYTE_COUNTS, kind::LONG, long(5));
        thumbnail.set(tag::THUMBNAIL_OFFSET, kind::LONG, long(picture));
        thumbnail.set(tag::THUMBNAIL_LENGTH, kind::LONG, long(9));
        let next = Directory::first(&block).unwrap().next_place();
        let directory = thumbnail.write(&mut block, true);
        block[next..next + 4].copy_from_slice(&directory.to_be_bytes());
        if !last {
            block.extend(b"behind");
        }
        block
    }

    #[test]
    fn an_outdated_thumbnail_leaves_no_trace_and_dimensions_are_those_of_the_result() {
        let has = |block: &[u8], text: &[u8]| block.windows(text.len()).any(|window| window == text);
        for last in [false, true] {
            let block = with_thumbnail(last);
            let current = of_result(&block, SIZE, Thumbnail::Current);
            assert!(has(&current, b"thumbnail") && Directory::first(&current).unwrap().has_next());
            let outdated = of_result(&block, SIZE, Thumbnail::Outdated);
            assert!(
                !has(&outdated, b"thumbnail") && !has(&outdated, b"strip") && has(&outdated, b"an owner")
            );
            assert_eq!(has(&outdated, b"behind"), !last);
            let main = Directory::first(&outdated).unwrap();
            assert!(!main.has_next());
            let camera = main.below(tag::EXIF_IFD).unwrap();
            assert_eq!(camera.number(tag::PIXELS_ACROSS), Some(300));
            assert_eq!(camera.number(tag::PIXELS_DOWN), Some(20));
        }
    }

    #[test]
    fn a_place_is_told() {
        assert!(locates(&camera_block()) && !locates(b"II*\0\x08\0\0\0\0\0"));
    }

    #[test]
    fn a_tiff_file_says_the_same_in_a_block_of_its_own() {
        let block = of_tiff(&camera_block()).unwrap();
        assert_eq!(Directory::first(&block).unwrap().bytes(tag::COPYRIGHT), Some(&b"A. Nony\0"[..]));
        assert_eq!(orientation(&block), Orientation::default());
    }

    #[test]
    fn damaged_blocks_are_upright() {
        let block = camera_block();
        let both = with_thumbnail(true);
        for cut in 0..both.len() {
            of_result(&both[..cut], SIZE, Thumbnail::Outdated);
        }
        for cut in 0..block.len() {
            orientation(&block[..cut]);
            of_result(&block[..cut], SIZE, Thumbnail::Outdated);
            of_tiff(&block[..cut]);
        }
        for value in [0u8, 9, 255] {
            let mut wrong = block.clone();
            wrong[18] = value;
            assert_eq!(orientation(&wrong), Orientation::default());
        }
        assert_eq!(orientation(b"II*\0\xFF\xFF\xFF\xFF"), Orientation::default());
    }
}
