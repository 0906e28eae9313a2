//! CCITT run lengths: Modified Huffman rows, Group 3 (ITU-T T.4) and Group 4 (T.6). The code tables are
//! those of the crate `fax`; its page decoders know neither bare rows nor two-dimensional Group 3.

use crate::codec::format::tiff::layout::Compression;
use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, ByteReader};
use std::array::IntoIter;
use std::convert::Infallible;
use std::iter::{Chain, Copied, Map};
use std::slice::Iter;

/// Decodes rows of `width` bits into `out`, 1 for black. Rows behind the first one that makes no sense stay
/// white; `None` if that is the first of all.
pub(in crate::codec) fn decode(
    packed: &[u8],
    compression: Compression,
    width: usize,
    rows: usize,
    out: &mut [u8],
) -> Option<()> {
    // Looking codes up takes some bits behind the last one.
    let bytes: Input = packed.iter().copied().chain([0; 4]).map(Ok);
    let mut reader = ByteReader::new(bytes).ok()?;
    let row_len = width.div_ceil(8);
    out.fill(0);
    let mut reference = Vec::new();
    for (y, out) in out.chunks_exact_mut(row_len).take(rows).enumerate() {
        let row = match compression {
            Compression::Fax4 => two_dimensional(&mut reader, &reference, width),
            Compression::Fax3 { two_dimensional: both } => {
                skip_end_of_line(&mut reader);
                if both && bit(&mut reader) == Some(0) {
                    two_dimensional(&mut reader, &reference, width)
                } else {
                    one_dimensional(&mut reader, width)
                }
            }
            _ => {
                let to_next_byte = reader.bits_to_byte_boundary();
                reader.consume(to_next_byte).ok()?;
                one_dimensional(&mut reader, width)
            }
        };
        match row {
            Some(changes) => reference = changes,
            None if y == 0 => return None,
            None => return Some(()),
        }
        paint(&reference, width, out);
    }
    Some(())
}

type Input<'a> = Map<Chain<Copied<Iter<'a, u8>>, IntoIter<u8, 4>>, fn(u8) -> Result<u8, Infallible>>;
type FaxReader<'a> = ByteReader<Input<'a>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaxColour {
    White,
    Black,
}

impl FaxColour {
    fn other(self) -> FaxColour {
        match self {
            FaxColour::White => FaxColour::Black,
            FaxColour::Black => FaxColour::White,
        }
    }
}

/// The columns where the colour changes, the first to black.
fn one_dimensional(reader: &mut FaxReader<'_>, width: usize) -> Option<Vec<usize>> {
    let mut changes = Vec::new();
    let (mut at, mut ink) = (0, FaxColour::White);
    while at < width {
        at += run(reader, ink)?;
        changes.push(at.min(width));
        ink = ink.other();
    }
    Some(changes)
}

/// T.6 section 2.2: each change is told by where the row above changes.
fn two_dimensional(reader: &mut FaxReader<'_>, above: &[usize], width: usize) -> Option<Vec<usize>> {
    let mut changes: Vec<usize> = Vec::new();
    let (mut at, mut ink) = (0, FaxColour::White);
    // The first change above that lies to the right of `at`; at the start of a row also the one on it.
    let mut next = 0;
    let mut begun = false;
    while at < width {
        while next < above.len() && (above[next] < at || (begun && above[next] == at)) {
            next += 1;
        }
        // Changes to black have even places.
        let wrong = (next % 2 == 0) != (ink == FaxColour::White);
        let b1 = next + usize::from(wrong);
        let change = |place: usize| above.get(place).copied().unwrap_or(width);
        match mode::decode(reader)? {
            Mode::Pass => at = change(b1 + 1),
            Mode::Vertical(offset) => {
                let to =
                    change(b1).checked_add_signed(offset.into()).filter(|to| (at..=width).contains(to))?;
                changes.push(to);
                at = to;
                ink = ink.other();
                // A step to the left can bring the change before back into sight.
                next = next.saturating_sub(1);
            }
            Mode::Horizontal => {
                let first = at + run(reader, ink)?;
                let second = first + run(reader, ink.other())?;
                changes.extend([first.min(width), second.min(width)]);
                at = second;
            }
            Mode::Extension | Mode::EOF => return None,
        }
        begun = true;
    }
    Some(changes)
}

/// A run length: make-up codes of multiples of 64, then a terminating one.
fn run(reader: &mut FaxReader<'_>, ink: FaxColour) -> Option<usize> {
    let mut len = 0;
    loop {
        let part = match ink {
            FaxColour::White => white::decode(reader)?,
            FaxColour::Black => black::decode(reader)?,
        };
        len += usize::from(part);
        if part < 64 {
            return Some(len);
        }
    }
}

/// At least eleven zeros and a one, if they come next.
fn skip_end_of_line(reader: &mut FaxReader<'_>) {
    while reader.peek(11) == Some(0) {
        while reader.peek(1) == Some(0) && reader.consume(1).is_ok() {}
        let _ = bit(reader);
    }
}

fn bit(reader: &mut FaxReader<'_>) -> Option<u16> {
    let bit = reader.peek(1)?;
    reader.consume(1).ok()?;
    Some(bit)
}

/// Sets the bits from each change to black up to the next to white.
fn paint(changes: &[usize], width: usize, out: &mut [u8]) {
    for black in changes.chunks(2) {
        let end = black.get(1).copied().unwrap_or(width).min(width);
        for x in black[0]..end {
            out[x / 8] |= 0x80 >> (x % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits as text to bytes.
    fn bits(text: &str) -> Vec<u8> {
        let bits: Vec<u8> = text.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |sum, (i, bit)| sum | bit << (7 - i)))
            .collect()
    }

    #[test]
    fn a_modified_huffman_row_is_runs_of_white_and_black() {
        // White 4 (1011), black 3 (10), white 1 (000111); the second row starts on a new byte: white 8 (10011).
        let packed = bits("1011 10 000111 0000 10011 000");
        let mut out = [0; 2];
        decode(&packed, Compression::Rle, 8, 2, &mut out).unwrap();
        assert_eq!(out, [0b0000_1110, 0]);
    }

    #[test]
    fn a_group_4_row_follows_the_row_above() {
        // Horizontal (001) white 4, black 3, then vertical 0 to the end; then twice the same changes.
        let packed = bits("001 1011 10 1  1 1 1  1 1 1");
        let mut out = [0; 3];
        decode(&packed, Compression::Fax4, 8, 3, &mut out).unwrap();
        assert_eq!(out, [0b0000_1110; 3]);
    }

    #[test]
    fn rows_behind_nonsense_stay_white() {
        let packed = bits("001 1011 10 1  0000000 0000000");
        let mut out = [0xFF; 3];
        decode(&packed, Compression::Fax4, 8, 3, &mut out).unwrap();
        assert_eq!(out, [0b0000_1110, 0, 0]);
        assert_eq!(decode(&[0, 0], Compression::Fax4, 8, 3, &mut out), None);
    }
}
