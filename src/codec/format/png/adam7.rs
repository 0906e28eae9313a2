//! The pixels of an interlaced PNG: seven passes, their rows filtered, in one zlib stream
//! (W3C Portable Network Graphics, third edition, sections 8.1 and 9).

use crate::pixels::Pixels;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::{self, Write};

/// First column, first row, and the steps across and down of each pass.
const PASSES: [[usize; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// The data of the IDAT chunk.
pub(in crate::codec) fn compressed(pixels: &Pixels, level: Compression) -> io::Result<Vec<u8>> {
    let depth = pixels.channels().count();
    let mut stream = ZlibEncoder::new(Vec::new(), level);
    for [left, top, across, down] in PASSES {
        let mut above = Vec::new();
        for row in pixels.rows().skip(top).step_by(down) {
            let row: Vec<u8> =
                row.chunks_exact(depth).skip(left).step_by(across).flatten().copied().collect();
            if row.is_empty() {
                break;
            }
            above.resize(row.len(), 0);
            let (kind, filtered) = filtered(&row, &above, depth);
            stream.write_all(&[kind])?;
            stream.write_all(&filtered)?;
            above = row;
        }
    }
    stream.finish()
}

/// The row by the filter that leaves the smallest sum of differences, and the filter's number.
fn filtered(row: &[u8], above: &[u8], depth: usize) -> (u8, Vec<u8>) {
    let apply = |filter: fn(u8, u8, u8) -> u8| -> Vec<u8> {
        let before = |line: &[u8], i: usize| if i < depth { 0 } else { line[i - depth] };
        let predicted = |i: usize| filter(before(row, i), above[i], before(above, i));
        row.iter().enumerate().map(|(i, sample)| sample.wrapping_sub(predicted(i))).collect()
    };
    let filters: [fn(u8, u8, u8) -> u8; 5] =
        [|_, _, _| 0, |left, _, _| left, |_, above, _| above, |left, above, _| left.midpoint(above), paeth];
    let cost = |line: &[u8]| line.iter().map(|sample| u64::from((*sample as i8).unsigned_abs())).sum::<u64>();
    let lines = (0..).zip(filters.map(apply));
    lines.min_by_key(|(_, line)| cost(line)).unwrap_or_default()
}

/// Of left, above and above left the one nearest to their plane.
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let plane = i16::from(left) + i16::from(above) - i16::from(corner);
    let far = |sample: u8| plane.abs_diff(i16::from(sample));
    if far(left) <= far(above) && far(left) <= far(corner) {
        left
    } else if far(above) <= far(corner) {
        above
    } else {
        corner
    }
}
