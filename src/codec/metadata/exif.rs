//! EXIF, as much of it as matters: the orientation, whether it locates, and what of it goes into another file.
//!
//! A block is a TIFF file without a picture. Values are looked up in place and copied within a budget, so that a
//! hostile block costs nothing.

use crate::codec::metadata::directory::{Directory, Draft, kind, tag};
use crate::codec::transform::geometry::Orientation;

/// Most bytes that are copied: what fits into one segment of a JPEG.
const MAX_COPIED: usize = 60_000;

/// What a TIFF file says about its picture that is not how to read it.
const DESCRIPTIVE: [u16; 7] =
    [tag::DESCRIPTION, tag::MAKE, tag::MODEL, tag::SOFTWARE, tag::DATE_TIME, tag::ARTIST, tag::COPYRIGHT];

/// How the pixels beside this EXIF block (a TIFF header and what follows) must be turned to stand upright.
/// Anything unreadable is upright.
pub(in crate::codec) fn orientation(exif: &[u8]) -> Orientation {
    let value = Directory::first(exif).and_then(|main| short(&main, tag::ORIENTATION));
    value.and_then(Orientation::from_exif).unwrap_or_default()
}

/// Whether the block says where the picture was taken.
pub(in crate::codec) fn locates(exif: &[u8]) -> bool {
    Directory::first(exif).is_some_and(|main| main.tags().any(|found| found == tag::GPS_IFD))
}

/// The same block with an orientation of 1, because the pixels have been turned.
pub(in crate::codec) fn made_upright(exif: &[u8]) -> Vec<u8> {
    let mut upright = exif.to_vec();
    if let Some(main) = Directory::first(exif).filter(|main| short(main, tag::ORIENTATION).is_some())
        && let Some(at) = main.place(tag::ORIENTATION)
        && let Some(value) = upright.get_mut(at..at + 2)
    {
        value.copy_from_slice(&if main.big_endian { 1u16.to_be_bytes() } else { 1u16.to_le_bytes() });
    }
    upright
}

/// A fresh block with what a TIFF file says about its picture, the place and the camera's notes included;
/// `None` if it says nothing.
pub(in crate::codec) fn of_tiff(file: &[u8]) -> Option<Vec<u8>> {
    let main = Directory::first(file)?;
    let draft = described(&main);
    (!draft.is_empty()).then(|| draft.into_block(main.big_endian))
}

/// What `main` says about its picture, in its own byte order.
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

/// All of a directory but what it points to and what tells of the JPEG that it stood in.
fn copied<'a>(directory: &Directory<'a>, budget: &mut usize) -> Draft<'a> {
    const LEFT_OUT: [u16; 3] = [tag::PIXELS_ACROSS, tag::PIXELS_DOWN, tag::INTEROP_IFD];
    let mut draft = Draft::default();
    let values = directory.tags().filter(|tag| !LEFT_OUT.contains(tag));
    values.take(256).for_each(|tag| draft.copy(tag, directory, budget));
    draft
}

fn short(directory: &Directory<'_>, tag: u16) -> Option<u16> {
    let (kind, value) = directory.value(tag)?;
    let value = value.try_into().ok().filter(|_| kind == kind::SHORT)?;
    Some(if directory.big_endian { u16::from_be_bytes(value) } else { u16::from_le_bytes(value) })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let upright = made_upright(&block);
        assert_eq!(orientation(&upright), Orientation::default());
        assert_eq!(upright.len(), block.len());
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
        for cut in 0..block.len() {
            orientation(&block[..cut]);
            made_upright(&block[..cut]);
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
