//! The marker segments of a file (T.81 B.2; JFIF 1.02; ICC.1 B.4; Exif 2.3 4.7.2).

use super::frame::{ColourMark, FrameLayout};
use super::tables::TablePair;
use crate::codec::jpeg::header::{CodingProcess, Density};
use crate::codec::jpeg::quant::QuantTable;
use crate::codec::jpeg::zigzag::NATURAL;

/// Application segments of the result.
#[derive(Debug, Clone, Copy, Default)]
pub struct AppSegments<'a> {
    /// Pixel density of the JFIF segment; square pixels without one.
    pub density: Option<Density>,
    /// EXIF: the TIFF structure without its identifier. Left out if longer than 65,527 bytes.
    pub exif: Option<&'a [u8]>,
    /// ICC profile, up to 16 MiB.
    pub icc: Option<&'a [u8]>,
    /// Comment. Left out if longer than 65,533 bytes.
    pub comment: Option<&'a [u8]>,
    /// Other segments, as pairs of marker (0xE0 to 0xEF for APP0 to APP15) and payload.
    pub other: &'a [(u8, &'a [u8])],
}

const MAX_PAYLOAD: usize = 65_533;

/// Bytes of an ICC profile per segment, behind the identifier and two counters.
const ICC_PART: usize = MAX_PAYLOAD - 14;

/// Writes all segments before the frame header. `mark` tells the colour model.
pub(super) fn write_start(out: &mut Vec<u8>, mark: Option<ColourMark>, segments: &AppSegments<'_>) {
    out.extend_from_slice(&[0xFF, 0xD8]);
    match mark {
        Some(ColourMark::Jfif) => {
            let Density { unit, x, y } = segments.density.unwrap_or(Density { unit: 0, x: 1, y: 1 });
            let ([x1, x0], [y1, y0]) = (x.to_be_bytes(), y.to_be_bytes());
            segment(out, 0xE0, &[b"JFIF\0", &[1, 2, unit, x1, x0, y1, y0, 0, 0]]);
        }
        Some(ColourMark::Adobe(transform)) => {
            segment(out, 0xEE, &[b"Adobe", &[0, 100, 0, 0, 0, 0, transform]]);
        }
        None => {}
    }
    if let Some(exif) = segments.exif {
        segment(out, 0xE1, &[b"Exif\0\0", exif]);
    }
    if let Some(icc) = segments.icc {
        let parts = icc.chunks(ICC_PART);
        if let Ok(count) = u8::try_from(parts.len()) {
            for (number, part) in (1..=count).zip(parts) {
                segment(out, 0xE2, &[b"ICC_PROFILE\0", &[number, count], part]);
            }
        }
    }
    for &(marker, payload) in segments.other {
        segment(out, marker, &[payload]);
    }
    if let Some(comment) = segments.comment {
        segment(out, 0xFE, &[comment]);
    }
}

/// Writes the quantisation tables, in one segment, and the frame header.
pub(super) fn write_frame(
    out: &mut Vec<u8>,
    frame: &FrameLayout,
    tables: &[QuantTable],
    process: CodingProcess,
) {
    let deep = |table: &QuantTable| table.0.iter().any(|&step| step > 255);
    let mut all = Vec::with_capacity(tables.len() * 65);
    for (number, table) in (0_u8..).zip(tables) {
        if frame.components.iter().all(|component| component.quantisation != number) {
            continue;
        }
        let steps = NATURAL.iter().map(|&place| table.0[usize::from(place)]);
        if deep(table) {
            all.push(0x10 | number);
            all.extend(steps.flat_map(u16::to_be_bytes));
        } else {
            all.push(number);
            all.extend(steps.map(|step| step as u8));
        }
    }
    segment(out, 0xDB, &[&all]);
    let baseline = !tables.iter().any(deep);
    let marker = match process {
        CodingProcess::Sequential if baseline => 0xC0,
        CodingProcess::Sequential => 0xC1,
        CodingProcess::Progressive => 0xC2,
    };
    let [h1, h0] = frame.height.to_be_bytes();
    let [w1, w0] = frame.width.to_be_bytes();
    let components: Vec<u8> =
        frame.components.iter().flat_map(|c| [c.id, c.h << 4 | c.v, c.quantisation]).collect();
    segment(out, marker, &[&[8, h1, h0, w1, w0, frame.components.len() as u8], &components]);
}

/// Writes the restart interval, in MCUs.
pub(super) fn write_restart_interval(out: &mut Vec<u8>, mcus: u16) {
    segment(out, 0xDD, &[&mcus.to_be_bytes()]);
}

/// Writes the non-empty Huffman tables of the components at `indices`, in one segment.
pub(super) fn write_huffman(
    out: &mut Vec<u8>,
    frame: &FrameLayout,
    indices: &[usize],
    pairs: &[TablePair; 2],
) {
    let used = (0_u8..)
        .zip(pairs)
        .filter(|(number, _)| indices.iter().any(|&index| frame.components[index].huffman == *number));
    let tables: Vec<u8> = used
        .flat_map(|(number, pair)| [(number, &pair.dc), (0x10 | number, &pair.ac)])
        .filter(|(_, spec)| !spec.symbols().is_empty())
        .flat_map(|(slot, spec)| [&[slot], spec.counts().as_slice(), spec.symbols()].concat())
        .collect();
    if !tables.is_empty() {
        segment(out, 0xC4, &[&tables]);
    }
}

/// Coefficients of a scan, and their bits (B.2.3, G.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScanBand {
    /// First coefficient in zig-zag order.
    pub(super) first: u8,
    /// Last coefficient in zig-zag order.
    pub(super) last: u8,
    /// Bit position of the previous scan; 0 if there is none.
    pub(super) high: u8,
    /// Lowest bit position of this scan.
    pub(super) low: u8,
}

impl ScanBand {
    /// All coefficients: a sequential scan.
    pub(super) const ALL: ScanBand = ScanBand { first: 0, last: 63, high: 0, low: 0 };
}

/// Writes the header of a scan of the components at `indices`.
pub(super) fn write_scan(out: &mut Vec<u8>, frame: &FrameLayout, indices: &[usize], band: ScanBand) {
    let selectors: Vec<u8> = indices
        .iter()
        .map(|&index| &frame.components[index])
        .flat_map(|component| {
            // An unused table has number 0.
            let dc = if band.first == 0 && band.high == 0 { component.huffman } else { 0 };
            let ac = if band.last > 0 { component.huffman } else { 0 };
            [component.id, dc << 4 | ac]
        })
        .collect();
    let band = [band.first, band.last, band.high << 4 | band.low];
    segment(out, 0xDA, &[&[indices.len() as u8], &selectors, &band]);
}

/// Writes the end of the file.
pub(super) fn write_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xFF, 0xD9]);
}

/// Writes one segment, or nothing if the payload is too long.
fn segment(out: &mut Vec<u8>, marker: u8, payload: &[&[u8]]) {
    let len: usize = payload.iter().map(|part| part.len()).sum();
    if len <= MAX_PAYLOAD {
        out.extend_from_slice(&[0xFF, marker]);
        out.extend_from_slice(&(len as u16 + 2).to_be_bytes());
        payload.iter().for_each(|part| out.extend_from_slice(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_profile_is_numbered_parts() {
        let icc = vec![7; ICC_PART + 1];
        let mut out = vec![];
        write_start(
            &mut out,
            Some(ColourMark::Jfif),
            &AppSegments { icc: Some(&icc), ..AppSegments::default() },
        );
        let second = out.len() - 1;
        assert_eq!(out[second - 2..], [2, 2, 7]);
        assert_eq!(out[20..24], [0xFF, 0xE2, 0xFF, 0xFF]);
    }

    #[test]
    fn a_payload_that_does_not_fit_is_left_out() {
        let comment = vec![0; MAX_PAYLOAD + 1];
        let mut out = vec![];
        write_start(
            &mut out,
            Some(ColourMark::Jfif),
            &AppSegments { comment: Some(&comment), ..AppSegments::default() },
        );
        assert_eq!(out.len(), 20);
    }
}
