//! One file of the store: a head that says whose task it is and how it stands, and an image. Both carry a
//! checksum, so that a damaged file is known as such and harms no other.
//!
//! ```text
//! offset  bytes  field
//!      0      8  "imgtask" and the version, one byte
//!      8      4  length of the head, n
//!     12      8  length of the image, m
//!     20      4  CRC-32 of the image
//!     24      4  CRC-32 of everything before this field and of the head
//!     28      n  head: form-encoded pairs
//!   28+n      m  image
//! ```
//! Integers are big-endian.

use crate::spec::{decode_pairs, encode_pairs};
use crate::tasks::head::Head;

const MAGIC: &[u8; 8] = b"imgtask\x01";
const FIXED: usize = 28;

/// Most bytes of a head: its options have at most 8,192 before they are escaped.
pub(super) const MAX_HEAD: u64 = 64 << 10;

/// Why a file is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("it is no file but a folder, a link, a pipe or a device")]
    NoFile,
    #[error("it is cut short or too long")]
    Length,
    #[error("it was written by another version, or is no task")]
    Foreign,
    #[error("its head does not match its checksum")]
    Head,
    #[error("its image does not match its checksum")]
    Image,
}

/// The bytes that go before an image.
pub(super) fn encode(head: &Head, image: &[u8]) -> Vec<u8> {
    seal(encode_pairs(head.pairs()).as_bytes(), image)
}

/// The same of a head that is text already.
pub(super) fn seal(text: &[u8], image: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FIXED + text.len());
    bytes.extend(MAGIC);
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend((image.len() as u64).to_be_bytes());
    bytes.extend(crc32fast::hash(image).to_be_bytes());
    let crc = crc(&bytes, text);
    bytes.extend(crc.to_be_bytes());
    bytes.extend(text);
    bytes
}

/// The head of a file of `len` bytes that begins with `bytes`, and the length of its image.
///
/// # Errors
/// [`Damage`]; [`Damage::Length`] also when `bytes` do not hold the whole head.
pub(super) fn decode(bytes: &[u8], len: u64) -> Result<(Head, u64), Damage> {
    let (fixed, rest) = bytes.split_first_chunk::<FIXED>().ok_or(Damage::Length)?;
    if !fixed.starts_with(MAGIC) {
        return Err(Damage::Foreign);
    }
    let head_len = be_u32(&fixed[8..12]);
    let image_len = u64::from(be_u32(&fixed[12..16])) << 32 | u64::from(be_u32(&fixed[16..20]));
    let text = rest.get(..head_len as usize).ok_or(Damage::Length)?;
    if crc(&fixed[..24], text) != be_u32(&fixed[24..]) {
        return Err(Damage::Head);
    }
    if (FIXED as u64 + u64::from(head_len)).checked_add(image_len) != Some(len) {
        return Err(Damage::Length);
    }
    let head = decode_pairs(text).ok().and_then(|pairs| Head::from_pairs(&pairs));
    Ok((head.ok_or(Damage::Foreign)?, image_len))
}

/// The image of a whole file.
///
/// # Errors
/// [`Damage`].
pub(super) fn image(mut file: Vec<u8>) -> Result<Vec<u8>, Damage> {
    let (_, image_len) = decode(&file, file.len() as u64)?;
    let expected = be_u32(&file[20..24]);
    file.drain(..file.len() - image_len as usize);
    if crc32fast::hash(&file) == expected { Ok(file) } else { Err(Damage::Image) }
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

fn crc(fixed: &[u8], text: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(fixed);
    hasher.update(text);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::spec::Spec;
    use crate::status::Status;
    use crate::tasks::head::Content;
    use crate::tasks::{Failure, Owner};
    use std::time::{Duration, SystemTime};

    fn heads() -> [Head; 3] {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let head = |content| Head {
            owner: Owner::new(Some("web&shop")),
            number: 7,
            submitted: now,
            source_bytes: 5,
            content,
        };
        let spec = Spec { width: 80, ..Spec::default() };
        let report = Report { width: Some(80), ..Report::new(Status::Ok) };
        let failure = Failure { status: Status::Damaged, message: "50% = broken".into() };
        [
            head(Content::Task(Box::new(spec))),
            head(Content::Done { finished: now, report: Box::new(report) }),
            head(Content::Failed { finished: now, failure }),
        ]
    }

    #[test]
    fn what_was_written_reads_back() {
        for head in heads() {
            let file = [encode(&head, b"image"), b"image".to_vec()].concat();
            assert_eq!(decode(&file, file.len() as u64), Ok((head, 5)));
            assert_eq!(image(file), Ok(b"image".to_vec()));
        }
    }

    #[test]
    fn a_file_cut_anywhere_and_a_bit_flipped_anywhere_are_known() {
        for head in heads() {
            let file = [encode(&head, b"image"), b"image".to_vec()].concat();
            for cut in 0..file.len() {
                assert!(image(file[..cut].to_vec()).is_err(), "cut at {cut}");
            }
            for bit in 0..8 * file.len() {
                let mut file = file.clone();
                file[bit / 8] ^= 1 << (bit % 8);
                assert!(image(file).is_err(), "bit {bit}");
            }
        }
    }
}
