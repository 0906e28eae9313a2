//! `Directory`: the tags of a TIFF file or an EXIF block, looked up in place; `Draft`: tags to be written
//! (TIFF 6.0 section 2, BigTIFF, EXIF 2.32 section 4.6).

use crate::codec::bytes::Bytes;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The tags that are read or written.
pub(in crate::codec) mod tag {
    pub(in crate::codec) const WIDTH: u16 = 256;
    pub(in crate::codec) const HEIGHT: u16 = 257;
    pub(in crate::codec) const BITS_PER_SAMPLE: u16 = 258;
    pub(in crate::codec) const COMPRESSION: u16 = 259;
    pub(in crate::codec) const PHOTOMETRIC: u16 = 262;
    pub(in crate::codec) const FILL_ORDER: u16 = 266;
    pub(in crate::codec) const DESCRIPTION: u16 = 270;
    pub(in crate::codec) const MAKE: u16 = 271;
    pub(in crate::codec) const MODEL: u16 = 272;
    pub(in crate::codec) const STRIP_OFFSETS: u16 = 273;
    pub(in crate::codec) const ORIENTATION: u16 = 274;
    pub(in crate::codec) const SAMPLES_PER_PIXEL: u16 = 277;
    pub(in crate::codec) const ROWS_PER_STRIP: u16 = 278;
    pub(in crate::codec) const STRIP_BYTE_COUNTS: u16 = 279;
    pub(in crate::codec) const PLANAR: u16 = 284;
    pub(in crate::codec) const T4_OPTIONS: u16 = 292;
    pub(in crate::codec) const SOFTWARE: u16 = 305;
    pub(in crate::codec) const DATE_TIME: u16 = 306;
    pub(in crate::codec) const ARTIST: u16 = 315;
    pub(in crate::codec) const PREDICTOR: u16 = 317;
    pub(in crate::codec) const COLOR_MAP: u16 = 320;
    pub(in crate::codec) const TILE_WIDTH: u16 = 322;
    pub(in crate::codec) const TILE_HEIGHT: u16 = 323;
    pub(in crate::codec) const TILE_OFFSETS: u16 = 324;
    pub(in crate::codec) const TILE_BYTE_COUNTS: u16 = 325;
    pub(in crate::codec) const EXTRA_SAMPLES: u16 = 338;
    pub(in crate::codec) const SAMPLE_FORMAT: u16 = 339;
    pub(in crate::codec) const JPEG_TABLES: u16 = 347;
    /// A thumbnail in the second directory of an EXIF block.
    pub(in crate::codec) const THUMBNAIL_OFFSET: u16 = 513;
    pub(in crate::codec) const THUMBNAIL_LENGTH: u16 = 514;
    pub(in crate::codec) const SUBSAMPLING: u16 = 530;
    pub(in crate::codec) const XMP: u16 = 700;
    pub(in crate::codec) const COPYRIGHT: u16 = 33_432;
    pub(in crate::codec) const PHOTOSHOP: u16 = 34_377;
    pub(in crate::codec) const EXIF_IFD: u16 = 34_665;
    pub(in crate::codec) const ICC_PROFILE: u16 = 34_675;
    pub(in crate::codec) const GPS_IFD: u16 = 34_853;
    /// The size of a JPEG's picture, and the rules that it keeps: EXIF has neither for a TIFF file.
    pub(in crate::codec) const PIXELS_ACROSS: u16 = 40_962;
    pub(in crate::codec) const PIXELS_DOWN: u16 = 40_963;
    pub(in crate::codec) const INTEROP_IFD: u16 = 40_965;
}

/// The types of values that are written.
pub(in crate::codec) mod kind {
    pub(in crate::codec) const BYTE: u16 = 1;
    pub(in crate::codec) const ASCII: u16 = 2;
    pub(in crate::codec) const SHORT: u16 = 3;
    pub(in crate::codec) const LONG: u16 = 4;
    pub(in crate::codec) const UNDEFINED: u16 = 7;
    pub(in crate::codec) const UTF8: u16 = 129;
}

/// Largest value of one tag, in bytes.
const MAX_VALUE: u64 = 4 << 20;

/// A directory of a file.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Directory<'a> {
    input: &'a [u8],
    pub(in crate::codec) big_endian: bool,
    wide: bool,
    entries: &'a [u8],
    /// Offset of the entries in the input.
    entries_at: usize,
    next: u64,
}

impl<'a> Directory<'a> {
    pub(in crate::codec) fn first(input: &'a [u8]) -> Option<Directory<'a>> {
        let (big_endian, wide) = match input.first_chunk::<4>()? {
            b"II*\0" => (false, false),
            b"MM\0*" => (true, false),
            b"II+\0" => (false, true),
            b"MM\0+" => (true, true),
            _ => return None,
        };
        let nowhere = Directory { input, big_endian, wide, entries: &[], entries_at: 0, next: 0 };
        let at = nowhere.offset(&mut Bytes(input.get(if wide { 8 } else { 4 }..)?))?;
        nowhere.at(at)
    }

    /// Returns the directory that a tag points to.
    pub(in crate::codec) fn below(&self, tag: u16) -> Option<Directory<'a>> {
        self.at(self.number(tag)?)
    }

    fn at(&self, offset: u64) -> Option<Directory<'a>> {
        let offset = usize::try_from(offset).ok()?;
        let mut bytes = Bytes(self.input.get(offset..)?);
        let count = if self.wide { self.u64(&mut bytes)? } else { self.u16(&mut bytes)?.into() };
        let len = usize::try_from(count).ok()?.checked_mul(self.entry_len())?;
        // A directory that is cut short counts up to its last whole entry.
        let entries = bytes.take(len.min(bytes.0.len()))?;
        let entries_at = offset + if self.wide { 8 } else { 2 };
        // A file may end with its directory.
        let next = self.offset(&mut bytes).unwrap_or(0);
        Some(Directory { entries, entries_at, next, ..*self })
    }

    /// Returns true if another directory follows.
    pub(in crate::codec) fn has_next(&self) -> bool {
        self.next != 0 && (self.next as usize) < self.input.len()
    }

    /// Returns the first value of a tag of whole numbers.
    pub(in crate::codec) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag)?.next()
    }

    /// Returns the values of a tag of whole numbers.
    pub(in crate::codec) fn numbers(&self, tag: u16) -> Option<impl Iterator<Item = u64> + use<'a>> {
        let (kind, value) = self.value(tag)?;
        let step = size_of_kind(kind)?;
        let directory = *self;
        Some(value.chunks_exact(step).map_while(move |item| {
            let mut bytes = Bytes(item);
            match kind {
                3 => directory.u16(&mut bytes).map(u64::from),
                4 | 13 => directory.u32(&mut bytes).map(u64::from),
                16 | 18 => directory.u64(&mut bytes),
                _ => bytes.u8().map(u64::from),
            }
        }))
    }

    /// Returns the bytes of a tag of any type.
    pub(in crate::codec) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.value(tag).map(|(_, value)| value)
    }

    /// Returns the type and the bytes of a tag.
    pub(in crate::codec) fn value(&self, tag: u16) -> Option<(u16, &'a [u8])> {
        self.value_in(self.entries().find(|entry| self.tag_of(entry) == Some(tag))?)
    }

    /// Returns where the values of a tag of whole numbers begin in the file, and the bytes of each.
    pub(in crate::codec) fn number_place(&self, tag: u16) -> Option<(usize, usize)> {
        let (kind, value) = self.value(tag)?;
        let size = size_of_kind(kind).filter(|size| *size <= 4 && value.len() >= *size)?;
        // The value is a slice of the input.
        Some((value.as_ptr() as usize - self.input.as_ptr() as usize, size))
    }

    /// Returns where the offset of the directory that follows stands in the file.
    pub(in crate::codec) fn next_place(&self) -> usize {
        self.entries_at + self.entries.len()
    }

    /// Returns where the entries stand in the file.
    pub(in crate::codec) fn entries_place(&self) -> std::ops::Range<usize> {
        self.entries_at..self.entries_at + self.entries.len()
    }

    /// Returns the directory that follows this one.
    pub(in crate::codec) fn following(&self) -> Option<Directory<'a>> {
        if self.has_next() { self.at(self.next) } else { None }
    }

    /// Returns the tags in the order of the file.
    pub(in crate::codec) fn tags(&self) -> impl Iterator<Item = u16> + use<'a> {
        let directory = *self;
        self.entries().filter_map(move |entry| directory.tag_of(entry))
    }

    fn entries(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.entries.chunks_exact(self.entry_len())
    }

    fn tag_of(&self, entry: &[u8]) -> Option<u16> {
        self.u16(&mut Bytes(entry))
    }

    /// Returns the type and the bytes of an entry, which hold the value if it fits.
    fn value_in(&self, entry: &'a [u8]) -> Option<(u16, &'a [u8])> {
        let mut bytes = Bytes(entry);
        bytes.skip(2)?;
        let kind = self.u16(&mut bytes)?;
        let count = self.offset(&mut bytes)?;
        let len = count.checked_mul(size_of_kind(kind)? as u64).filter(|len| *len <= MAX_VALUE)? as usize;
        let value = if len <= bytes.0.len() {
            bytes.take(len)?
        } else {
            self.input.get(usize::try_from(self.offset(&mut bytes)?).ok()?..)?.get(..len)?
        };
        Some((kind, value))
    }

    fn entry_len(&self) -> usize {
        if self.wide { 20 } else { 12 }
    }

    /// Reads a number as wide as the offsets of the file.
    fn offset(&self, bytes: &mut Bytes<'_>) -> Option<u64> {
        if self.wide { self.u64(bytes) } else { self.u32(bytes).map(u64::from) }
    }

    fn u16(&self, bytes: &mut Bytes<'_>) -> Option<u16> {
        if self.big_endian { bytes.be16() } else { bytes.le16() }
    }

    fn u32(&self, bytes: &mut Bytes<'_>) -> Option<u32> {
        if self.big_endian { bytes.be32() } else { bytes.le32() }
    }

    fn u64(&self, bytes: &mut Bytes<'_>) -> Option<u64> {
        let wide = bytes.array()?;
        Some(if self.big_endian { u64::from_be_bytes(wide) } else { u64::from_le_bytes(wide) })
    }
}

/// Bytes of one value of a type (TIFF 6.0 section 2; 13, 16 to 18 and 129 are later).
fn size_of_kind(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 | 129 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}

/// A directory to be written: tags in ascending order, each once.
#[derive(Debug, Default)]
pub(in crate::codec) struct Draft<'a> {
    fields: BTreeMap<u16, TagValue<'a>>,
}

#[derive(Debug)]
enum TagValue<'a> {
    /// Type and bytes, in the order of the file.
    Value(u16, Cow<'a, [u8]>),
    Below(Draft<'a>),
}

impl<'a> Draft<'a> {
    /// Sets the value of a tag, whose bytes are in the order in which the draft will be written.
    pub(in crate::codec) fn set(&mut self, tag: u16, kind: u16, value: impl Into<Cow<'a, [u8]>>) {
        self.fields.insert(tag, TagValue::Value(kind, value.into()));
    }

    /// Lets a tag point to another directory.
    pub(in crate::codec) fn set_below(&mut self, tag: u16, draft: Draft<'a>) {
        self.fields.insert(tag, TagValue::Below(draft));
    }

    pub(in crate::codec) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Copies the value of a tag, unless it is longer than `budget`, of which it takes its share.
    pub(in crate::codec) fn copy(&mut self, tag: u16, source: &Directory<'a>, budget: &mut usize) {
        if let Some((kind, value)) = source.value(tag).filter(|(_, value)| value.len() + 12 <= *budget) {
            *budget -= value.len() + 12;
            self.set(tag, kind, value);
        }
    }

    /// Appends the directory to `file`, which begins with a TIFF header, and tells where it stands.
    pub(in crate::codec) fn write(&self, file: &mut Vec<u8>, big_endian: bool) -> u32 {
        fn even(file: &mut Vec<u8>) -> usize {
            file.resize(file.len().next_multiple_of(2), 0);
            file.len()
        }
        let u16 = |n: u16| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        let u32 = |n: u32| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        let at = even(file);
        let mut entries = u16(self.fields.len() as u16).to_vec();
        file.resize(at + 2 + 12 * self.fields.len() + 4, 0); // the last four: no directory follows
        for (tag, field) in &self.fields {
            let (kind, count, value) = match field {
                TagValue::Below(draft) => (kind::LONG, 1, u32(draft.write(file, big_endian))),
                TagValue::Value(kind, value) => {
                    let count = value.len() / size_of_kind(*kind).unwrap_or(1);
                    let mut inline = [0; 4];
                    if let Some(fits) = inline.get_mut(..value.len()) {
                        fits.copy_from_slice(value);
                    } else {
                        inline = u32(even(file) as u32);
                        file.extend_from_slice(value);
                    }
                    (*kind, count as u32, inline)
                }
            };
            entries.extend([u16(*tag), u16(kind)].as_flattened());
            entries.extend([u32(count), value].as_flattened());
        }
        file[at..at + entries.len()].copy_from_slice(&entries);
        at as u32
    }

    /// Returns the directory as a file of its own.
    pub(in crate::codec) fn into_block(self, big_endian: bool) -> Vec<u8> {
        let mut block = if big_endian { b"MM\0*\0\0\0\x08" } else { b"II*\0\x08\0\0\0" }.to_vec();
        self.write(&mut block, big_endian);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drafted_is_read_back_in_either_order() {
        for big_endian in [false, true] {
            let mut below = Draft::default();
            below.set(tag::SOFTWARE, kind::ASCII, &b"deep\0"[..]);
            let mut draft = Draft::default();
            draft.set_below(tag::EXIF_IFD, below);
            draft.set(tag::COPYRIGHT, kind::ASCII, &b"an owner\0"[..]);
            draft.set(tag::ARTIST, kind::ASCII, &b"me\0"[..]);
            let block = draft.into_block(big_endian);
            let directory = Directory::first(&block).unwrap();
            assert_eq!(directory.big_endian, big_endian);
            assert_eq!(directory.tags().collect::<Vec<_>>(), [tag::ARTIST, tag::COPYRIGHT, tag::EXIF_IFD]);
            assert_eq!(directory.value(tag::ARTIST), Some((kind::ASCII, &b"me\0"[..])));
            assert_eq!(directory.bytes(tag::COPYRIGHT), Some(&b"an owner\0"[..]));
            assert_eq!(directory.below(tag::EXIF_IFD).unwrap().bytes(tag::SOFTWARE), Some(&b"deep\0"[..]));
            assert!(!directory.has_next());
        }
    }

    #[test]
    fn a_value_over_the_budget_is_not_copied() {
        let mut draft = Draft::default();
        draft.set(tag::ARTIST, kind::ASCII, &b"a long name\0"[..]);
        let block = draft.into_block(true);
        let source = Directory::first(&block).unwrap();
        let mut copy = Draft::default();
        copy.copy(tag::ARTIST, &source, &mut 23);
        assert!(copy.is_empty());
        let mut budget = 24;
        copy.copy(tag::ARTIST, &source, &mut budget);
        assert!(!copy.is_empty() && budget == 0);
    }
}
