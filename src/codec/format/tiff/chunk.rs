//! One strip or tile: decompressed, and its differences summed.

use crate::codec::format::tiff::fax;
use crate::codec::format::tiff::layout::{Compression, Predictor, TiffLayout};
use flate2::read::ZlibDecoder;
use std::io::Read;
use weezl::{BitOrder, LzwStatus, decode::Decoder};

/// Unpacks `rows` rows of a chunk into `out`, which has exactly their length: nothing beyond it is
/// unpacked. `None` if the data does not fill it.
pub(in crate::codec) fn unpack(
    packed: &[u8],
    layout: &TiffLayout<'_>,
    rows: usize,
    out: &mut [u8],
) -> Option<()> {
    let reversed: Vec<u8>;
    let packed = if layout.low_bit_first && layout.depth < 8 {
        reversed = packed.iter().map(|byte| byte.reverse_bits()).collect();
        &reversed
    } else {
        packed
    };
    let width = layout.chunk.width as usize;
    match layout.compression {
        Compression::None => out.copy_from_slice(packed.get(..out.len())?),
        Compression::PackBits => pack_bits(packed, out)?,
        Compression::Lzw => lzw(packed, out)?,
        Compression::Deflate => ZlibDecoder::new(packed).read_exact(out).ok()?,
        Compression::Rle | Compression::Fax3 { .. } | Compression::Fax4 => {
            if layout.depth != 1 || layout.samples_per_chunk() != 1 {
                return None;
            }
            fax::decode(packed, layout.compression, width, rows, out)?;
        }
        Compression::Jpeg => return None,
    }
    if layout.predictor == Predictor::Horizontal {
        for row in out.chunks_exact_mut(layout.row_len()) {
            sum_differences(row, layout);
        }
    }
    Some(())
}

/// TIFF 6.0 section 9: a signed count, then one byte to repeat or that many to copy.
fn pack_bits(mut packed: &[u8], mut out: &mut [u8]) -> Option<()> {
    while !out.is_empty() {
        let (count, rest) = packed.split_first()?;
        let count = *count as i8;
        packed = rest;
        if count == -128 {
            continue;
        }
        let len = (usize::from(count.unsigned_abs()) + 1).min(out.len());
        let (now, later) = std::mem::take(&mut out).split_at_mut(len);
        out = later;
        if count < 0 {
            let (byte, rest) = packed.split_first()?;
            now.fill(*byte);
            packed = rest;
        } else {
            now.copy_from_slice(packed.get(..len)?);
            packed = packed.get(usize::from(count.unsigned_abs()) + 1..).unwrap_or_default();
        }
    }
    Some(())
}

/// TIFF 6.0 section 13: codes from the highest bit, which grow one code early.
fn lzw(mut packed: &[u8], mut out: &mut [u8]) -> Option<()> {
    let mut decoder = Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    while !out.is_empty() {
        let step = decoder.decode_bytes(packed, out);
        packed = &packed[step.consumed_in..];
        out = &mut std::mem::take(&mut out)[step.consumed_out..];
        match step.status.ok()? {
            LzwStatus::Ok if step.consumed_in + step.consumed_out > 0 => {}
            _ => break,
        }
    }
    out.is_empty().then_some(())
}

/// TIFF 6.0 section 14, for samples of whole bytes.
fn sum_differences(row: &mut [u8], layout: &TiffLayout<'_>) {
    let per_pixel = layout.samples_per_chunk();
    match layout.depth {
        8 => {
            for i in per_pixel..row.len() {
                row[i] = row[i].wrapping_add(row[i - per_pixel]);
            }
        }
        16 => sum_words::<2>(row, per_pixel, layout.big_endian),
        _ => sum_words::<4>(row, per_pixel, layout.big_endian),
    }
}

fn sum_words<const N: usize>(row: &mut [u8], per_pixel: usize, big_endian: bool) {
    let words = row.as_chunks_mut::<N>().0;
    for i in per_pixel..words.len() {
        let before = words[i - per_pixel];
        let word = &mut words[i];
        let mut carry = 0;
        // Added byte by byte from the lowest, as the order of the file has it.
        for place in 0..N {
            let at = if big_endian { N - 1 - place } else { place };
            let sum = u16::from(word[at]) + u16::from(before[at]) + carry;
            word[at] = sum as u8;
            carry = sum >> 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_bits_come_out_as_in_the_standard() {
        // The example of TIFF 6.0 section 9.
        let packed =
            [0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7, 0xAA];
        let mut out = [0; 24];
        pack_bits(&packed, &mut out).unwrap();
        assert_eq!(out[..9], [0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA]);
        assert_eq!(out[14..], [0xAA; 10]);
        assert_eq!(pack_bits(&packed[..9], &mut out), None);
    }

    #[test]
    fn sums_carry_in_either_byte_order() {
        let mut big = [0x00, 0xFF, 0x00, 0x01];
        sum_words::<2>(&mut big, 1, true);
        assert_eq!(big, [0x00, 0xFF, 0x01, 0x00]);
        let mut little = [0xFF, 0x00, 0x01, 0x00];
        sum_words::<2>(&mut little, 1, false);
        assert_eq!(little, [0xFF, 0x00, 0x00, 0x01]);
    }
}
