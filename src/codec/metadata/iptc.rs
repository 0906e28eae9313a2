//! IPTC in Photoshop's image resources, of which who made a picture and who owns it are read (Adobe Photoshop File
//! Formats, "Image Resource Blocks"; IPTC-NAA Information Interchange Model 4.2).

use crate::codec::bytes::Bytes;
use crate::codec::metadata::ownership::{MAX_NAMES, Ownership, shown};

/// The resource that holds IPTC.
const IPTC_NAA: u16 = 0x0404;
/// Datasets of the application record: by-line, of which there may be several, and copyright notice.
const BY_LINE: (u8, u8) = (2, 80);
const COPYRIGHT: (u8, u8) = (2, 116);
/// Longest value that is looked at, in bytes. The model has 32 and 128.
const MAX_VALUE: usize = 2000;

/// The by-lines and the copyright notice in `resources`; of damaged ones, what stands in front of the damage.
pub(in crate::codec) fn owner(resources: &[u8]) -> Ownership {
    let mut names = Vec::new();
    let mut copyright = None;
    for block in blocks(resources).filter(|(id, _)| *id == IPTC_NAA).map(|(_, block)| block) {
        for (dataset, value) in datasets(block).filter(|(_, value)| value.len() <= MAX_VALUE) {
            match dataset {
                BY_LINE if names.len() < MAX_NAMES => names.extend(text(value)),
                COPYRIGHT if copyright.is_none() => copyright = text(value),
                _ => {}
            }
        }
    }
    Ownership::new(&names, copyright)
}

/// Number and content of each resource.
fn blocks(resources: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = Bytes(resources);
    std::iter::from_fn(move || {
        if &rest.array()? != b"8BIM" {
            return None;
        }
        let id = rest.be16()?;
        // A name with its length in front, padded to an even number.
        let name = usize::from(rest.u8()?);
        rest.skip(name + (name + 1) % 2)?;
        let len = usize::try_from(rest.be32()?).ok()?;
        let block = rest.take(len)?;
        rest.skip(len % 2).unwrap_or_default();
        Some((id, block))
    })
}

/// Record and dataset numbers and value of each dataset. One of extended length ends them.
fn datasets(block: &[u8]) -> impl Iterator<Item = ((u8, u8), &[u8])> {
    let mut rest = Bytes(block);
    std::iter::from_fn(move || {
        let [0x1C, record, dataset] = rest.array()? else { return None };
        let len = rest.be16().filter(|len| *len < 0x8000)?;
        Some(((record, dataset), rest.take(len.into())?))
    })
}

/// UTF-8, or else Latin-1, which is what files that do not say hold.
fn text(value: &[u8]) -> Option<String> {
    match str::from_utf8(value) {
        Ok(text) => shown(text),
        Err(_) => shown(&value.iter().copied().map(char::from).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dataset(record: u8, number: u8, value: &[u8]) -> Vec<u8> {
        [&[0x1C, record, number][..], &(value.len() as u16).to_be_bytes(), value].concat()
    }

    fn resource(id: u16, name: &[u8], content: &[u8]) -> Vec<u8> {
        let mut block = [b"8BIM", &id.to_be_bytes()[..], &[name.len() as u8], name].concat();
        block.resize(block.len().next_multiple_of(2), 0);
        block.extend((content.len() as u32).to_be_bytes());
        block.extend(content);
        block.resize(block.len().next_multiple_of(2), 0);
        block
    }

    fn press_photo() -> Vec<u8> {
        let iptc = [
            dataset(1, 90, b"\x1b%G"),
            dataset(2, 80, b"Ada"),
            dataset(2, 90, b"SECRET-city"),
            dataset(2, 80, "Zo\u{eb}".as_bytes()),
            dataset(2, 116, b" (c) \xA9 Agency "),
        ];
        [resource(0x03ED, b"odd", b"resolution"), resource(IPTC_NAA, b"", &iptc.concat())].concat()
    }

    #[test]
    fn by_lines_and_the_notice_are_read_and_nothing_else() {
        let owner = owner(&press_photo());
        assert_eq!(owner.artist.as_deref(), Some("Ada; Zo\u{eb}"));
        assert_eq!(owner.copyright.as_deref(), Some("(c) \u{a9} Agency"));
    }

    #[test]
    fn values_that_are_empty_too_long_or_of_extended_length_are_left_out() {
        let of = |iptc: &[u8]| owner(&resource(IPTC_NAA, b"", iptc));
        assert_eq!(of(&dataset(2, 116, b" \0 ")), Ownership::default());
        assert_eq!(of(&dataset(2, 116, &[b'x'; MAX_VALUE + 1])), Ownership::default());
        assert_eq!(of(b"\x1c\x02\x74\x80\x04\0\0\0\x02me"), Ownership::default());
        let many = dataset(2, 80, b"A").repeat(1000);
        assert_eq!(of(&many).artist.unwrap().matches('A').count(), MAX_NAMES);
    }

    #[test]
    fn a_cut_block_gives_what_stands_before_the_cut() {
        let whole = press_photo();
        for cut in 0..whole.len() {
            owner(&whole[..cut]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(junk in prop::collection::vec(any::<u8>(), 0..200)) {
            owner(&junk);
            owner(&[b"8BIM\x04\x04\0\0\0\0\0\xC8", &junk[..]].concat());
        }
    }
}
