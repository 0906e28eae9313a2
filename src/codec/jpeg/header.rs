//! `JpegHeader`: the checked contents of a JPEG file before its first scan (T.81 B.2).

mod frame;
mod metadata;
mod scan;
mod tables;

pub use frame::{CodingProcess, ColorModel, FrameComponent, FrameHeader};
pub use metadata::{Adobe, Density, IccChunks, JpegMetadata};
pub use scan::{ComponentSelector, ScanHeader};
pub use tables::DecodingTables;

use super::error::JpegError;
use super::marker::{Marker, MarkerSegments, find_marker};
use crate::limits::Limits;

/// Checked contents of a JPEG file before its first scan.
///
/// Parsing reads up to the first SOS marker. It allocates only the list of ICC chunks. If the frame header
/// leaves the height open, it reads the DNL segment behind the first scan.
#[derive(Debug, Clone)]
pub struct JpegHeader<'a> {
    /// Size, coding process and components.
    pub frame: FrameHeader,
    /// The quantisation tables, Huffman tables and restart interval in force at the first scan.
    pub tables: DecodingTables<'a>,
    /// Contents of the application segments.
    pub metadata: JpegMetadata<'a>,
    /// Offset of the first SOS marker.
    pub scans: usize,
    /// True for a header that many readers refuse: a height given by DNL, or a second SOI.
    pub is_unusual: bool,
}

impl<'a> JpegHeader<'a> {
    /// Parses `input`, a whole JPEG file.
    ///
    /// # Errors
    /// [`JpegError::Unsupported`] for kinds that other decoders read, [`JpegError::TooLarge`] past `limits`,
    /// [`JpegError::Damaged`] for data that is no JPEG or ends before its first scan.
    pub fn parse(input: &'a [u8], limits: &Limits) -> Result<JpegHeader<'a>, JpegError> {
        JpegHeader::parse_with(input, limits, 8)
    }

    /// Parses a file with samples of 12 bits, which only [`super::reduce`] decodes.
    ///
    /// # Errors
    /// As [`JpegHeader::parse`].
    pub fn parse_12_bit(input: &'a [u8], limits: &Limits) -> Result<JpegHeader<'a>, JpegError> {
        JpegHeader::parse_with(input, limits, 12)
    }

    fn parse_with(input: &'a [u8], limits: &Limits, precision: u8) -> Result<JpegHeader<'a>, JpegError> {
        if input.get(..2) != Some(&[0xFF, Marker::SOI.0]) {
            return Err(JpegError::Damaged("no SOI marker"));
        }
        let mut frame: Option<FrameHeader> = None;
        let mut tables = DecodingTables::default();
        let mut metadata = JpegMetadata::default();
        let mut is_unusual = false;
        for segment in MarkerSegments::new(input, 2) {
            let segment = segment.map_err(|_| JpegError::Damaged("a marker segment is cut short"))?;
            match segment.marker {
                Marker::SOS => {
                    let mut frame = frame.ok_or(JpegError::Damaged("a scan before the frame header"))?;
                    if frame.height == 0 {
                        is_unusual = true;
                        let lines = lines_behind_first_scan(input, segment.end);
                        frame.height = lines.ok_or(JpegError::Damaged("the height is nowhere given"))?;
                    }
                    frame.check_limits(limits)?;
                    return Ok(JpegHeader { frame, tables, metadata, scans: segment.start, is_unusual });
                }
                Marker::EOI => break,
                Marker::SOI => is_unusual = true,
                marker if marker.is_frame() || marker == Marker::DHP => {
                    if frame.is_some() {
                        return Err(JpegError::Damaged("two frame headers"));
                    }
                    let parsed = FrameHeader::parse(marker, segment.body, precision)?;
                    parsed.check_limits(limits)?;
                    frame = Some(parsed);
                }
                _ => {
                    tables.read(&segment)?;
                    metadata.read(&segment);
                }
            }
        }
        Err(JpegError::Damaged("the data ends before the first scan"))
    }

    /// Returns true if [`soundness`](super::decode::soundness) may find the form of the file unusual.
    pub fn may_be_unusual(&self, input: &[u8]) -> bool {
        let no_tables = self.tables.defined.iter().flatten().all(|defined| !defined);
        self.is_unusual || no_tables || !input.ends_with(&[0xFF, Marker::EOI.0])
    }

    /// Colour model of the components.
    pub fn color_model(&self) -> ColorModel {
        ColorModel::of(&self.frame, &self.metadata)
    }
}

/// Returns the number of lines from the DNL segment that ends the first scan (T.81 B.2.5).
fn lines_behind_first_scan(input: &[u8], entropy_coded: usize) -> Option<u16> {
    let segment = MarkerSegments::new(input, find_marker(input, entropy_coded)?).next()?.ok()?;
    let lines = u16::from_be_bytes(segment.body.try_into().ok()?);
    (segment.marker == Marker::DNL && lines > 0).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg::error::JpegKind;
    use crate::limits::OverLimit;

    const SOI: [u8; 2] = [0xFF, 0xD8];

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xFF, marker];
        bytes.extend((body.len() as u16 + 2).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn sof(marker: u8, precision: u8, height: u16, width: u16, components: &[[u8; 3]]) -> Vec<u8> {
        let mut body = vec![precision];
        body.extend(height.to_be_bytes());
        body.extend(width.to_be_bytes());
        body.push(components.len() as u8);
        body.extend(components.concat());
        segment(marker, &body)
    }

    fn file(parts: &[Vec<u8>]) -> Vec<u8> {
        [SOI.to_vec(), parts.concat(), segment(0xDA, &[1, 1, 0, 0, 63, 0])].concat()
    }

    fn parse(bytes: &[u8]) -> Result<JpegHeader<'_>, JpegError> {
        JpegHeader::parse(bytes, &Limits::default())
    }

    const GREY: [u8; 3] = [1, 0x11, 0];

    #[test]
    fn other_processes_are_told_apart() {
        for (marker, precision, kind) in [
            (0xC3, 8, JpegKind::Lossless),
            (0xC9, 8, JpegKind::Arithmetic),
            (0xC5, 8, JpegKind::Hierarchical),
            (0xDE, 8, JpegKind::Hierarchical),
            (0xC1, 12, JpegKind::HighPrecision),
        ] {
            let bytes = file(&[sof(marker, precision, 8, 8, &[GREY])]);
            assert_eq!(parse(&bytes).unwrap_err(), JpegError::Unsupported(kind));
        }
        let bytes = file(&[sof(0xC0, 8, 8, 8, &[GREY; 255][..])]);
        assert_eq!(parse(&bytes).unwrap_err(), JpegError::Unsupported(JpegKind::ComponentCount(255)));
    }

    #[test]
    fn limits_hold_before_anything_else_is_read() {
        let bytes = file(&[sof(0xC0, 8, 65535, 65535, &[GREY])]);
        assert!(matches!(parse(&bytes), Err(JpegError::TooLarge(OverLimit { max: 16384, .. }))));
        let bytes = file(&[sof(0xC0, 8, 8000, 8000, &[GREY])]);
        assert!(matches!(parse(&bytes), Err(JpegError::TooLarge(OverLimit { value: 64_000_000, .. }))));
    }

    #[test]
    fn a_height_given_by_dnl_is_found() {
        let mut bytes = file(&[sof(0xC0, 8, 0, 8, &[GREY])]);
        assert!(parse(&bytes).is_err());
        bytes.extend([1, 2, 3, 0xFF, 0x00, 4]);
        bytes.extend(segment(0xDC, &[0, 77]));
        assert_eq!(parse(&bytes).unwrap().frame.height, 77);
    }

    #[test]
    fn impossible_sampling_and_sizes_are_refused() {
        for component in [[1, 0x01, 0], [1, 0x10, 0], [1, 0x51, 0], [1, 0x15, 0], [1, 0x11, 4]] {
            assert!(parse(&file(&[sof(0xC0, 8, 8, 8, &[component])])).is_err());
        }
        assert!(parse(&file(&[sof(0xC0, 8, 8, 0, &[GREY])])).is_err());
        assert!(parse(&file(&[sof(0xC0, 8, 8, 8, &[])])).is_err());
        assert!(parse(&file(&[sof(0xC0, 8, 8, 8, &[GREY, GREY, GREY])])).is_err());
    }

    #[test]
    fn the_color_model_follows_adobe_then_jfif_then_the_names() {
        let rgb = [[b'R', 0x11, 0], [b'G', 0x11, 0], [b'B', 0x11, 0]];
        let ycc = [[1, 0x22, 0], [2, 0x11, 0], [3, 0x11, 0]];
        let four = [[1, 0x11, 0], [2, 0x11, 0], [3, 0x11, 0], [4, 0x11, 0]];
        let adobe = |transform| segment(0xEE, &[b"Adobe\0d\0\0\0\0".as_slice(), &[transform]].concat());
        let jfif = segment(0xE0, b"JFIF\0\x01\x01\x01\0\x48\0\x48\0\0");
        let model = |parts: &[Vec<u8>]| parse(&file(parts)).unwrap().color_model();
        assert_eq!(model(&[sof(0xC0, 8, 8, 8, &[GREY])]), ColorModel::Grey);
        assert_eq!(model(&[sof(0xC0, 8, 8, 8, &rgb)]), ColorModel::Rgb);
        assert_eq!(model(&[jfif.clone(), sof(0xC0, 8, 8, 8, &rgb)]), ColorModel::YCbCr);
        assert_eq!(model(&[adobe(0), sof(0xC0, 8, 8, 8, &ycc)]), ColorModel::Rgb);
        assert_eq!(model(&[adobe(1), sof(0xC0, 8, 8, 8, &ycc)]), ColorModel::YCbCr);
        assert_eq!(model(&[adobe(2), sof(0xC0, 8, 8, 8, &four)]), ColorModel::Ycck);
        assert_eq!(model(&[adobe(0), sof(0xC0, 8, 8, 8, &four)]), ColorModel::Cmyk);
        assert_eq!(model(&[sof(0xC0, 8, 8, 8, &four)]), ColorModel::Cmyk);
    }

    #[test]
    fn an_icc_profile_is_joined_from_its_chunks_or_left_out() {
        let chunk =
            |n: u8, of: u8, data: &[u8]| segment(0xE2, &[b"ICC_PROFILE\0", &[n, of][..], data].concat());
        let profile = |parts: &[Vec<u8>]| {
            let bytes = file(&[parts.concat(), sof(0xC0, 8, 8, 8, &[GREY])]);
            parse(&bytes).unwrap().metadata.icc.profile().map(|profile| profile.into_owned())
        };
        assert_eq!(profile(&[chunk(2, 2, b"cd"), chunk(1, 2, b"ab")]).as_deref(), Some(&b"abcd"[..]));
        assert_eq!(profile(&[chunk(1, 1, b"xyz")]).as_deref(), Some(&b"xyz"[..]));
        assert_eq!(profile(&[]), None);
        assert_eq!(profile(&[chunk(2, 255, b"cd"), chunk(1, 255, b"ab")]), None);
        assert_eq!(profile(&[chunk(0, 0, b"cd")]), None);
        assert_eq!(profile(&[chunk(1, 2, b"ab"), chunk(1, 2, b"ab")]), None);
        let large = vec![7; 65_000];
        let parts: Vec<_> = (1..=80).map(|n| chunk(n, 80, &large)).collect();
        assert_eq!(profile(&parts), None);
    }

    #[test]
    fn exif_xmp_and_iptc_are_slices_of_the_file() {
        let bytes = file(&[
            segment(0xE1, b"Exif\0\0II*\0"),
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
            segment(0xED, b"Photoshop 3.0\x008BIM"),
            sof(0xC2, 8, 8, 8, &[GREY]),
        ]);
        let header = parse(&bytes).unwrap();
        assert_eq!(header.metadata.exif, Some(&b"II*\0"[..]));
        assert_eq!(header.metadata.xmp, Some(&b"<x/>"[..]));
        assert_eq!(header.metadata.iptc, Some(&b"8BIM"[..]));
        assert_eq!(header.frame.coding, CodingProcess::Progressive);
        assert_eq!(header.scans, bytes.len() - 10);
    }
}
