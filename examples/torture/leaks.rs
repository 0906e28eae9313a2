//! I21: metadata in results.

use crate::flood::files;
use crate::harness::{jpeg, shared};
use crate::table::{Row, Scale};
use imgsrv::codec::{self, Scratch};
use imgsrv::limits::Limits;
use imgsrv::spec::{Metadata, Spec};
use std::path::Path;

/// I21: metadata that results carry beside their picture.
pub(crate) fn leaks(_program: &Path, scale: Scale) -> Option<Row> {
    let folder = shared("corpus/odd/jpeg")?;
    let (mut results, mut segments, mut located) = (0, 0, 0);
    let mut scratch = Scratch::new();
    for file in files(&folder).iter().step_by(scale.of(1, 10)) {
        let bytes = std::fs::read(file).unwrap_or_default();
        for metadata in [Metadata::Strip, Metadata::Copyright] {
            let spec = Spec { width: 32, metadata, ..Spec::default() };
            let Ok(made) = codec::process(&bytes, &spec, &Limits::default(), &mut scratch) else { continue };
            results += 1;
            let found = metadata_segments(&made.bytes);
            match metadata {
                Metadata::Strip => segments += found.len(),
                // GPS directory, thumbnail offset, maker note, serial number.
                _ => {
                    let tags = [[0x88, 0x25], [0x02, 0x01], [0x92, 0x7C], [0xA4, 0x31]];
                    let exif =
                        found.iter().filter(|(marker, body)| *marker == 0xE1 && body.starts_with(b"Exif"));
                    located +=
                        exif.filter(|(_, body)| entries(body).iter().any(|tag| tags.contains(tag))).count();
                }
            }
        }
    }
    // All eight EXIF orientations come out upright.
    let upright = (1..=8_u8).filter(|orientation| {
        let picture = jpeg(40, 20);
        let exif = [
            b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0",
            &[*orientation, 0, 0, 0, 0, 0, 0][..],
        ]
        .concat();
        let segment = [&[0xFF, 0xE1, 0, exif.len() as u8 + 2][..], &exif].concat();
        let file = [&picture[..2], &segment, &picture[2..]].concat();
        let spec = Spec { passthrough: false, metadata: Metadata::Keep, ..Spec::default() };
        let made = codec::process(&file, &spec, &Limits::default(), &mut scratch);
        made.is_ok_and(|made| {
            let turned = metadata_segments(&made.bytes).iter().any(|(_, body)| {
                entries(body).contains(&[0x01, 0x12]) && !body.ends_with(&[1, 0, 0, 0, 0, 0, 0])
            });
            ((made.width, made.height) == if *orientation > 4 { (20, 40) } else { (40, 20) })
                && (!turned || *orientation == 1)
        })
    });
    let upright = upright.count();
    Some(Row {
        id: "I21",
        what: format!("{results} results of odd JPEGs, with metadata=strip and by default"),
        figure: format!(
            "{segments} APP1, APP13 or comments when stripped; {located} that locate or identify by default; {upright} of 8 orientations upright"
        ),
        bar: "0; 0; 8",
        pass: results > 0 && segments == 0 && located == 0 && upright == 8,
    })
}

/// Lists the metadata segments of a JPEG: APP1, APP13 and comments.
fn metadata_segments(jpeg: &[u8]) -> Vec<(u8, &[u8])> {
    let (mut found, mut rest) = (Vec::new(), jpeg.get(2..).unwrap_or_default());
    while let [0xFF, marker, high, low, ..] = rest {
        let len = 2 + usize::from(u16::from_be_bytes([*high, *low]));
        let (Some(segment), 0xC0..=0xFE) = (rest.get(4..len), *marker) else { break };
        if matches!(marker, 0xE1 | 0xED | 0xFE) {
            found.push((*marker, segment));
        }
        if *marker == 0xDA {
            break;
        }
        rest = &rest[len..];
    }
    found
}

/// Lists the tags of the first directory of an EXIF segment of either byte order.
fn entries(exif: &[u8]) -> Vec<[u8; 2]> {
    let Some(tiff) = exif.get(6..) else { return Vec::new() };
    let little = tiff.starts_with(b"II");
    let pair = |bytes: &[u8]| if little { [bytes[1], bytes[0]] } else { [bytes[0], bytes[1]] };
    let Some(count) = tiff.get(8..10) else { return Vec::new() };
    let count = usize::from(u16::from_be_bytes(pair(count)));
    let entries = tiff.get(10..).unwrap_or_default().chunks_exact(12).take(count);
    entries.map(pair).collect()
}
