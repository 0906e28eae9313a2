//! EXIF, as much of it as matters: the orientation, who owns the picture, and how to write both back.
//!
//! Only IFD0 is read, at most 256 entries within the first 64 KiB, and no pointer is followed but those
//! of the two short texts, so that a hostile block costs nothing (TIFF 6.0 section 2, EXIF 2.32 section 4.6).

use super::bytes::Bytes;
use super::geometry::Orientation;

const ORIENTATION: u16 = 0x0112;
const ARTIST: u16 = 0x013B;
const COPYRIGHT: u16 = 0x8298;
const GPS_IFD: u16 = 0x8825;
const MAX_ENTRIES: usize = 256;
const MAX_BYTES: usize = 64 << 10;
const SHORT: u16 = 3;
const ASCII: u16 = 2;

/// How the pixels beside this EXIF block (a TIFF header and what follows) must be turned to stand upright.
/// Anything unreadable is upright.
pub(super) fn orientation(exif: &[u8]) -> Orientation {
    orientation_entry(exif).and_then(|entry| Orientation::from_exif(entry.short()?)).unwrap_or_default()
}

/// Whether the block says where the picture was taken.
pub(super) fn locates(exif: &[u8]) -> bool {
    entries(exif).any(|entry| entry.tag == GPS_IFD)
}

/// The same block with an orientation of 1, because the pixels have been turned.
pub(super) fn made_upright(exif: &[u8]) -> Vec<u8> {
    let mut upright = exif.to_vec();
    if let Some(entry) = orientation_entry(exif)
        && let Some(value) = upright.get_mut(entry.value_at..entry.value_at + 2)
    {
        value.copy_from_slice(&if entry.big_endian { 1u16.to_be_bytes() } else { 1u16.to_le_bytes() });
    }
    upright
}

/// A fresh block with the copyright and the artist of `exif` and nothing else; `None` if it names neither.
pub(super) fn ownership(exif: &[u8]) -> Option<Vec<u8>> {
    let texts: Vec<(u16, Vec<u8>)> = entries(exif)
        .filter(|entry| matches!(entry.tag, ARTIST | COPYRIGHT) && entry.kind == ASCII)
        .filter_map(|entry| Some((entry.tag, printable(entry.text(exif)?)?)))
        .collect();
    let find = |tag| texts.iter().find(|(found, _)| *found == tag).map(|(tag, text)| (*tag, text.as_slice()));
    let kept: Vec<(u16, &[u8])> = [find(ARTIST), find(COPYRIGHT)].into_iter().flatten().collect();
    (!kept.is_empty()).then(|| write(&kept))
}

/// A big-endian TIFF header and one IFD of texts, each with its closing zero. Tags must ascend.
fn write(texts: &[(u16, &[u8])]) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08".to_vec();
    let mut heap = Vec::new();
    let heap_at = block.len() + 2 + 12 * texts.len() + 4;
    block.extend((texts.len() as u16).to_be_bytes());
    for (tag, text) in texts {
        let count = text.len() as u32 + 1;
        block.extend(tag.to_be_bytes());
        block.extend(ASCII.to_be_bytes());
        block.extend(count.to_be_bytes());
        if count <= 4 {
            let mut inline = [0; 4];
            inline[..text.len()].copy_from_slice(text);
            block.extend(inline);
        } else {
            block.extend(((heap_at + heap.len()) as u32).to_be_bytes());
            heap.extend_from_slice(text);
            heap.push(0);
        }
    }
    block.extend([0; 4]); // no next IFD
    block.extend(heap);
    block
}

/// The text without its closing zeros and blanks, or `None` if nothing is left. Copyright may be
/// "photographer NUL editor", so inner zeros stay.
fn printable(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| !matches!(byte, 0 | b' '))?;
    Some(text[..=end].to_vec())
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    value: [u8; 4],
    /// Where in the block the value stands.
    value_at: usize,
    big_endian: bool,
}

impl Entry {
    fn short(self) -> Option<u16> {
        let [a, b, ..] = self.value;
        let value = if self.big_endian { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
        (self.kind == SHORT && self.count == 1).then_some(value)
    }

    fn text<'a>(&'a self, exif: &'a [u8]) -> Option<&'a [u8]> {
        let len = self.count as usize;
        if len <= 4 {
            return self.value.get(..len);
        }
        let at =
            if self.big_endian { u32::from_be_bytes(self.value) } else { u32::from_le_bytes(self.value) };
        exif.get(..exif.len().min(MAX_BYTES))?.get(at as usize..)?.get(..len)
    }
}

fn orientation_entry(exif: &[u8]) -> Option<Entry> {
    entries(exif).find(|entry| entry.tag == ORIENTATION && entry.kind == SHORT)
}

/// The entries of IFD0.
fn entries(exif: &[u8]) -> impl Iterator<Item = Entry> {
    let exif = &exif[..exif.len().min(MAX_BYTES)];
    let (big_endian, ifd_at) = header(exif).unwrap_or((true, exif.len()));
    let mut bytes = Bytes(exif.get(ifd_at..).unwrap_or_default());
    let short = move |bytes: &mut Bytes| if big_endian { bytes.be16() } else { bytes.le16() };
    let count = short(&mut bytes).map_or(0, usize::from).min(MAX_ENTRIES);
    (0..count).map_while(move |i| {
        Some(Entry {
            tag: short(&mut bytes)?,
            kind: short(&mut bytes)?,
            count: if big_endian { bytes.be32()? } else { bytes.le32()? },
            value: bytes.array()?,
            value_at: ifd_at + 2 + 12 * i + 8,
            big_endian,
        })
    })
}

fn header(exif: &[u8]) -> Option<(bool, usize)> {
    let mut bytes = Bytes(exif);
    let big_endian = match &bytes.array::<4>()? {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let at = if big_endian { bytes.be32()? } else { bytes.le32()? };
    Some((big_endian, at as usize))
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
    fn ownership_keeps_the_copyright_and_nothing_that_locates() {
        let kept = ownership(&camera_block()).unwrap();
        assert!(kept.windows(7).any(|window| window == b"A. Nony"));
        assert!(locates(&camera_block()) && !locates(&kept));
        assert!(!kept.windows(3).any(|window| window == b"GPS"));
        assert_eq!(entries(&kept).count(), 1);
        assert_eq!(ownership(b"II*\0\x08\0\0\0\0\0"), None);
    }

    #[test]
    fn damaged_blocks_are_upright() {
        let block = camera_block();
        for cut in 0..block.len() {
            orientation(&block[..cut]);
            ownership(&block[..cut]);
            made_upright(&block[..cut]);
        }
        for value in [0u8, 9, 255] {
            let mut wrong = block.clone();
            wrong[18] = value;
            assert_eq!(orientation(&wrong), Orientation::default());
        }
        assert_eq!(orientation(b"II*\0\xFF\xFF\xFF\xFF"), Orientation::default());
    }
}
