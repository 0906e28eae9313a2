//! `Companions`: further pictures in the file of a JPEG, of which only the first picture is read.
//!
//! Cameras append previews and second views (MPO, CIPA DC-007), phones a gain map that makes the picture HDR (Ultra HDR
//! image format 1.1, ISO 21496-1).

use crate::codec::jpeg::marker::{Marker, MarkerSegments};
use crate::codec::metadata::directory::Directory;
use crate::codec::metadata::xmp;

/// Further pictures of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::codec) struct Companions {
    /// Pictures of the file by its MPF index, the first one counted; 1 without an index.
    pub(in crate::codec) pictures: u32,
    /// True if one of them is a gain map.
    pub(in crate::codec) gain_map: bool,
}

impl Companions {
    /// Reads the segments of a JPEG up to its first scan.
    pub(in crate::codec) fn of_jpeg(input: &[u8]) -> Companions {
        const NUMBER_OF_PICTURES: u16 = 0xB001;
        let mut companions = Companions { pictures: 1, gain_map: false };
        for segment in MarkerSegments::new(input, 2).map_while(Result::ok) {
            let body = segment.body;
            if segment.marker == Marker::SOS || segment.marker == Marker::EOI {
                break;
            } else if segment.marker == Marker::app(1) {
                let packet = body.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0");
                companions.gain_map |= packet.is_some_and(xmp::has_gain_map);
            } else if segment.marker == Marker::app(2)
                && let Some(index) = body.strip_prefix(b"MPF\0")
            {
                let stated = Directory::first(index).and_then(|index| index.number(NUMBER_OF_PICTURES));
                companions.pictures = stated.and_then(|count| u32::try_from(count).ok()).unwrap_or(1).max(1);
            } else if segment.marker == Marker::app(2) {
                companions.gain_map |= body.starts_with(b"urn:iso:std:iso:ts:21496:-1\0");
            }
        }
        companions
    }
}

/// Returns how many bytes follow the end of the first picture of a JPEG; 0 if it has no end.
pub(in crate::codec) fn bytes_behind(input: &[u8]) -> u64 {
    let mut segments = MarkerSegments::new(input, 2);
    while let Some(Ok(segment)) = segments.next() {
        match segment.marker {
            Marker::EOI => return (input.len() - segment.end) as u64,
            Marker::SOS => segments.skip_entropy_coded(),
            _ => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::metadata::directory::{Draft, kind};

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        [&[0xFF, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
    }

    fn jpeg(segments: &[Vec<u8>], behind: &[u8]) -> Vec<u8> {
        let scan = [segment(0xDA, &[1, 1, 0, 0, 63, 0]), vec![0x12, 0xFF, 0, 0x34, 0xFF, 0xD9]].concat();
        [&[0xFF, 0xD8][..], &segments.concat(), &scan, behind].concat()
    }

    #[test]
    fn further_pictures_and_gain_maps_are_found_by_their_segments() {
        let mut index = Draft::default();
        index.set(0xB001, kind::LONG, 2u32.to_be_bytes().to_vec());
        let mpf = segment(0xE2, &[&b"MPF\0"[..], &index.into_block(true)].concat());
        let ultra_hdr = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version=\"1.0\"/>");
        let iso = segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0");
        let found = |segments: &[Vec<u8>]| Companions::of_jpeg(&jpeg(segments, b""));
        assert_eq!(found(&[]), Companions { pictures: 1, gain_map: false });
        assert_eq!(found(std::slice::from_ref(&mpf)), Companions { pictures: 2, gain_map: false });
        assert_eq!(found(&[ultra_hdr, mpf.clone()]), Companions { pictures: 2, gain_map: true });
        assert_eq!(found(&[iso]), Companions { pictures: 1, gain_map: true });
        let cut = jpeg(&[mpf], b"");
        for len in 0..cut.len() {
            let _ = Companions::of_jpeg(&cut[..len]);
        }
    }

    #[test]
    fn bytes_behind_the_first_picture_are_counted() {
        assert_eq!(bytes_behind(&jpeg(&[], b"")), 0);
        assert_eq!(bytes_behind(&jpeg(&[], b"seven b")), 7);
        assert_eq!(bytes_behind(&jpeg(&[], b"")[..10]), 0);
    }
}
