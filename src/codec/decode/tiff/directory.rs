//! `Directory`: the tags of one image, looked up in place (TIFF 6.0 section 2, BigTIFF).

use crate::codec::bytes::Bytes;

/// The tags that are looked at.
pub(super) mod tag {
    pub(in super::super) const WIDTH: u16 = 256;
    pub(in super::super) const HEIGHT: u16 = 257;
    pub(in super::super) const BITS_PER_SAMPLE: u16 = 258;
    pub(in super::super) const COMPRESSION: u16 = 259;
    pub(in super::super) const PHOTOMETRIC: u16 = 262;
    pub(in super::super) const FILL_ORDER: u16 = 266;
    pub(in super::super) const STRIP_OFFSETS: u16 = 273;
    pub(in super::super) const ORIENTATION: u16 = 274;
    pub(in super::super) const SAMPLES_PER_PIXEL: u16 = 277;
    pub(in super::super) const ROWS_PER_STRIP: u16 = 278;
    pub(in super::super) const STRIP_BYTE_COUNTS: u16 = 279;
    pub(in super::super) const PLANAR: u16 = 284;
    pub(in super::super) const T4_OPTIONS: u16 = 292;
    pub(in super::super) const PREDICTOR: u16 = 317;
    pub(in super::super) const COLOR_MAP: u16 = 320;
    pub(in super::super) const TILE_WIDTH: u16 = 322;
    pub(in super::super) const TILE_HEIGHT: u16 = 323;
    pub(in super::super) const TILE_OFFSETS: u16 = 324;
    pub(in super::super) const TILE_BYTE_COUNTS: u16 = 325;
    pub(in super::super) const EXTRA_SAMPLES: u16 = 338;
    pub(in super::super) const SAMPLE_FORMAT: u16 = 339;
    pub(in super::super) const JPEG_TABLES: u16 = 347;
    pub(in super::super) const SUBSAMPLING: u16 = 530;
    pub(in super::super) const XMP: u16 = 700;
    pub(in super::super) const ICC_PROFILE: u16 = 34_675;
}

/// Largest value of one tag, in bytes.
const MAX_VALUE: u64 = 4 << 20;

/// The first directory of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory<'a> {
    input: &'a [u8],
    pub(super) big_endian: bool,
    wide: bool,
    entries: &'a [u8],
    next: u64,
}

impl<'a> Directory<'a> {
    pub(super) fn first(input: &'a [u8]) -> Option<Directory<'a>> {
        let (big_endian, wide) = match input.first_chunk::<4>()? {
            b"II*\0" => (false, false),
            b"MM\0*" => (true, false),
            b"II+\0" => (false, true),
            b"MM\0+" => (true, true),
            _ => return None,
        };
        let mut directory = Directory { input, big_endian, wide, entries: &[], next: 0 };
        let mut bytes = Bytes(input.get(if wide { 8 } else { 4 }..)?);
        let at = directory.offset(&mut bytes)?;
        let mut bytes = Bytes(input.get(usize::try_from(at).ok()?..)?);
        let count = if wide { directory.u64(&mut bytes)? } else { directory.u16(&mut bytes)?.into() };
        let len = usize::try_from(count).ok()?.checked_mul(directory.entry_len())?;
        directory.entries = bytes.take(len)?;
        // A file may end with its directory.
        directory.next = directory.offset(&mut bytes).unwrap_or(0);
        Some(directory)
    }

    /// Whether another directory follows.
    pub(super) fn has_next(&self) -> bool {
        self.next != 0 && (self.next as usize) < self.input.len()
    }

    /// The first value of a tag of whole numbers.
    pub(super) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag)?.next()
    }

    /// The values of a tag of whole numbers.
    pub(super) fn numbers(&self, tag: u16) -> Option<impl Iterator<Item = u64> + use<'a>> {
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

    /// The bytes of a tag, whatever they are.
    pub(super) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.value(tag).map(|(_, value)| value)
    }

    /// Type and bytes of a tag's value, which stands in the entry itself if it fits.
    fn value(&self, tag: u16) -> Option<(u16, &'a [u8])> {
        let entry = self
            .entries
            .chunks_exact(self.entry_len())
            .find(|entry| self.u16(&mut Bytes(entry)) == Some(tag))?;
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

    /// A number as wide as the file's offsets.
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

/// Bytes of one value of a type (TIFF 6.0 section 2; 13, 16 to 18 are later).
fn size_of_kind(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}
