//! Artist and copyright, the only metadata that `metadata=copyright` lets out, in an EXIF block of their own.

use crate::codec::metadata::Metadata;
use crate::codec::metadata::directory::{Directory, Draft, kind, tag};
use crate::codec::metadata::{iptc, xmp};
use std::cell::LazyCell;

/// Longest text that is taken over, in bytes; a longer one is left out.
const MAX_TEXT: usize = 30_000;

/// Most names that are taken.
pub(in crate::codec) const MAX_NAMES: usize = 16;

/// Artist and copyright by IPTC or XMP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::codec) struct Ownership {
    pub(in crate::codec) artist: Option<String>,
    pub(in crate::codec) copyright: Option<String>,
}

impl Ownership {
    /// Joins the names; the texts are those of [`shown`].
    pub(in crate::codec) fn new(names: &[String], copyright: Option<String>) -> Ownership {
        Ownership { artist: (!names.is_empty()).then(|| names.join("; ")), copyright }
    }
}

/// Returns a text up to its first zero, without control characters, and without blanks around it; `None` if nothing
/// is left.
pub(in crate::codec) fn shown(text: &str) -> Option<String> {
    let text: String =
        text.chars().take_while(|letter| *letter != '\0').filter(|letter| !letter.is_control()).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Returns a fresh block with the artist and the copyright and nothing else, each from the first of EXIF, IPTC and XMP
/// that has it; `None` if none has.
pub(in crate::codec) fn block(metadata: &Metadata<'_>) -> Option<Vec<u8>> {
    let exif = metadata.exif.as_deref().and_then(Directory::first);
    // Searched only where EXIF is silent.
    let iptc = LazyCell::new(|| metadata.iptc.as_deref().map(iptc::owner).unwrap_or_default());
    let xmp = LazyCell::new(|| metadata.xmp.as_deref().map(xmp::owner).unwrap_or_default());
    let artist: fn(&Ownership) -> Option<&String> = |owner| owner.artist.as_ref();
    let copyright: fn(&Ownership) -> Option<&String> = |owner| owner.copyright.as_ref();
    let mut draft = Draft::default();
    // Copyright may be "photographer NUL editor NUL"; an artist is one text.
    for (tag, texts, said) in [(tag::ARTIST, 1, artist), (tag::COPYRIGHT, 2, copyright)] {
        if let Some((kind, text)) = exif.as_ref().and_then(|main| text(main, tag, texts)) {
            draft.set(tag, kind, [text, &[0]].concat());
        } else if let Some(text) = said(&iptc).or_else(|| said(&xmp)).filter(|text| text.len() < MAX_TEXT) {
            // UTF-8 beyond ASCII, too: so cameras and other programs do it, and few read the type that is for it.
            draft.set(tag, kind::ASCII, [text.as_bytes(), &[0]].concat());
        }
    }
    (!draft.is_empty()).then(|| draft.into_block(exif.is_some_and(|main| main.big_endian)))
}

/// Returns the type of a text in EXIF and the text.
fn text<'a>(main: &Directory<'a>, tag: u16, texts: usize) -> Option<(u16, &'a [u8])> {
    let (kind @ (kind::ASCII | kind::UTF8), text) = main.value(tag)? else { return None };
    let text = printable(text, texts).filter(|text| text.len() < MAX_TEXT)?;
    Some((kind, text))
}

/// Returns the first `texts` of the texts that end with a zero each, without blanks behind; `None` if nothing is left.
fn printable(text: &[u8], texts: usize) -> Option<&[u8]> {
    let mut ends = (0..text.len()).filter(|at| text[*at] == 0);
    let text = ends.nth(texts - 1).map_or(text, |end| &text[..end]);
    let end = text.iter().rposition(|byte| !matches!(byte, 0 | b' '))?;
    Some(&text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    /// Little-endian, with an artist, a copyright and a place.
    fn camera(artist: &[u8], copyright: &[u8]) -> Vec<u8> {
        let mut draft = Draft::default();
        draft.set(tag::ARTIST, kind::ASCII, artist);
        draft.set(tag::COPYRIGHT, kind::ASCII, copyright);
        let mut place = Draft::default();
        place.set(1, kind::ASCII, &b"48.8584 N\0"[..]);
        draft.set_below(tag::GPS_IFD, place);
        draft.into_block(false)
    }

    fn of(exif: Option<&[u8]>, iptc: Option<&[u8]>, xmp: Option<&[u8]>) -> Option<Vec<u8>> {
        let [exif, iptc, xmp] = [exif, iptc, xmp].map(|block| block.map(Cow::Borrowed));
        block(&Metadata { exif, iptc, xmp, ..Metadata::default() })
    }

    fn texts(block: &[u8]) -> [Option<&[u8]>; 2] {
        let main = Directory::first(block).unwrap();
        assert!(main.tags().all(|found| [tag::ARTIST, tag::COPYRIGHT].contains(&found)));
        [tag::ARTIST, tag::COPYRIGHT].map(|tag| main.bytes(tag))
    }

    const IPTC: &[u8] = b"8BIM\x04\x04\0\0\0\0\0\x0d\x1c\x02\x50\0\x03Ida\x1c\x02\x74\0\0";
    const XMP: &[u8] =
        b"<dc:creator><rdf:li>Xan</rdf:li></dc:creator><dc:rights><rdf:li>(c) X</rdf:li></dc:rights>";

    #[test]
    fn exif_comes_first_then_iptc_then_xmp_text_by_text() {
        let both = camera(b"Ada\0", b"(c) A\0");
        let kept = of(Some(&both), Some(IPTC), Some(XMP)).unwrap();
        assert_eq!(texts(&kept), [Some(&b"Ada\0"[..]), Some(b"(c) A\0")]);
        assert!(!kept.windows(4).any(|window| window == b"48.8"));
        let blank = camera(b"Ada\0", b" \0");
        let kept = of(Some(&blank), Some(IPTC), Some(XMP)).unwrap();
        assert_eq!(texts(&kept), [Some(&b"Ada\0"[..]), Some(b"(c) X\0")]);
        let kept = of(None, Some(IPTC), Some(XMP)).unwrap();
        assert_eq!(texts(&kept), [Some(&b"Ida\0"[..]), Some(b"(c) X\0")]);
        let kept = of(None, Some(IPTC), None).unwrap();
        assert_eq!(texts(&kept), [Some(&b"Ida\0"[..]), None]);
        assert_eq!(of(None, Some(b"8BIM"), Some(b"<x/>")), None);
        assert_eq!(of(Some(b"II*\0\x08\0\0\0\0\0"), None, None), None);
    }

    #[test]
    fn what_was_kept_once_is_kept_the_same_again() {
        let kept = of(Some(&camera(b"Ada\0", b"me\0you\0")), None, None).unwrap();
        assert_eq!(texts(&kept), [Some(&b"Ada\0"[..]), Some(b"me\0you\0")]);
        assert_eq!(of(Some(&kept), None, None), Some(kept));
    }

    #[test]
    fn texts_end_where_they_say_even_if_their_count_goes_on() {
        assert_eq!(printable(b"me\0 48.8584 N", 1), Some(&b"me"[..]));
        assert_eq!(printable(b"me\0you\0 48.8584 N", 2), Some(&b"me\0you"[..]));
        assert_eq!(printable(b"me\0 \0secret", 2), Some(&b"me"[..]));
        assert_eq!(printable(b" \0", 1), None);
        assert_eq!(printable(b"", 1), None);
        assert_eq!(shown(" m\te\0 48.8584 N").as_deref(), Some("me"));
        let name = [&b"\x1c\x02\x50\x07\xd0"[..], &[b'x'; 2000]].concat();
        let block = [&b"8BIM\x04\x04\0\0\0\0\x7d\x50"[..], &name.repeat(16)].concat();
        assert_eq!(of(None, Some(&block), None), None, "longer than anybody's name");
    }

    #[test]
    fn damaged_blocks_do_no_harm() {
        let block = camera(b"Ada\0", b"(c) A\0");
        for cut in 0..block.len() {
            of(Some(&block[..cut]), None, None);
        }
    }
}
