//! `BitWriter`: tokens to bytes, with the zero byte behind each 0xFF (T.81 F.1.2.3).

use super::huffman::CodeBook;
use super::token::{EntropyToken, RAW, RESTART};
use crate::limits::OutOfMemory;

/// Number of tokens written before their bytes are stuffed. Their bits fit the first-level cache.
const BATCH: usize = 4096;
/// A token has at most 26 bits, and a write touches eight bytes.
const BATCH_BYTES: usize = BATCH * 4 + 16;

/// Writes bits, most significant first, and appends them to a file.
#[derive(Debug)]
pub(super) struct BitWriter {
    /// Pending bits, left-aligned.
    pending: u64,
    /// Their number, at most 7 between calls.
    count: u32,
    /// Whole bytes, not yet stuffed.
    batch: Box<[u8; BATCH_BYTES]>,
    len: usize,
    /// Number of the next restart marker, 0 to 7.
    restart: u8,
}

/// Bits that continue behind those of another writer.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Whole bytes, not stuffed.
    bytes: Vec<u8>,
    /// The bits behind them, left-aligned, and their number.
    rest: u64,
    count: u32,
}

impl Default for BitWriter {
    fn default() -> Self {
        BitWriter { pending: 0, count: 0, batch: Box::new([0; BATCH_BYTES]), len: 0, restart: 0 }
    }
}

impl BitWriter {
    /// Discards all bits.
    pub(super) fn reset(&mut self) {
        (self.pending, self.count, self.len, self.restart) = (0, 0, 0, 0);
    }

    /// Appends the codes of `tokens` in `book` to `out`.
    pub(super) fn write(
        &mut self,
        tokens: &[EntropyToken],
        book: &CodeBook,
        out: &mut Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        for batch in tokens.chunks(BATCH) {
            self.put_all(batch, book, out)?;
            self.drain(out)?;
        }
        Ok(())
    }

    /// Works like [`BitWriter::write`] for tokens behind others that are not written yet. Their bit offset is
    /// known only to [`BitWriter::append`]. The tokens must not hold a restart.
    pub(super) fn write_apart(
        &mut self,
        tokens: &[EntropyToken],
        book: &CodeBook,
    ) -> Result<Apart, OutOfMemory> {
        let mut apart = Apart::default();
        for batch in tokens.chunks(BATCH) {
            self.put_all(batch, book, &mut Vec::new())?;
            let bytes = &self.batch[..self.len];
            apart.bytes.try_reserve(bytes.len()).map_err(|_| OutOfMemory { bytes: bytes.len() as u64 })?;
            apart.bytes.extend_from_slice(bytes);
            self.len = 0;
        }
        (apart.rest, apart.count) = (self.pending, self.count);
        self.reset();
        Ok(apart)
    }

    /// Appends the bits of another writer.
    pub(super) fn append(&mut self, apart: &Apart, out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        for batch in apart.bytes.chunks(4 * BATCH) {
            let (words, rest) = batch.as_chunks::<4>();
            for word in words {
                self.put(u32::from_be_bytes(*word).into(), 32);
            }
            for &byte in rest {
                self.put(byte.into(), 8);
            }
            self.drain(out)?;
        }
        if apart.count > 0 {
            self.put(apart.rest >> (64 - apart.count), apart.count);
        }
        self.drain(out)
    }

    /// Fills the last byte with ones (F.1.2.3) and appends it.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        self.align();
        self.drain(out)?;
        self.restart = 0;
        Ok(())
    }

    /// Writes a batch of tokens to the buffer.
    fn put_all(
        &mut self,
        batch: &[EntropyToken],
        book: &CodeBook,
        out: &mut Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        let (pairs, rest) = batch.as_chunks::<2>();
        for &[first, second] in pairs {
            if (first | second) < RAW {
                let (a, b) = (book.bits(first), book.bits(second));
                self.put(a.0 << b.1 | b.0, a.1 + b.1);
            } else {
                self.put_any(first, book, out)?;
                self.put_any(second, book, out)?;
            }
        }
        for &token in rest {
            self.put_any(token, book, out)?;
        }
        Ok(())
    }

    fn put_any(
        &mut self,
        token: EntropyToken,
        book: &CodeBook,
        out: &mut Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        if token == RESTART {
            self.align();
            self.drain(out)?;
            out.extend_from_slice(&[0xFF, 0xD0 | self.restart]);
            self.restart = (self.restart + 1) % 8;
        } else {
            let (bits, length) = book.bits(token);
            self.put(bits, length);
        }
        Ok(())
    }

    /// Writes `length` bits, 1 to 56.
    #[inline]
    fn put(&mut self, bits: u64, length: u32) {
        self.count += length;
        self.pending |= bits << ((64 - self.count) % 64);
        if let Some(bytes) = self.batch.get_mut(self.len..self.len + 8) {
            bytes.copy_from_slice(&self.pending.to_be_bytes());
        }
        let whole = self.count / 8;
        self.len += whole as usize;
        self.pending <<= 8 * whole;
        self.count %= 8;
    }

    fn align(&mut self) {
        if self.count > 0 {
            let missing = 8 - self.count;
            self.put((1 << missing) - 1, missing);
        }
    }

    fn drain(&mut self, out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        stuff(&self.batch[..self.len], out)?;
        self.len = 0;
        Ok(())
    }
}

/// Appends `bytes`, with a zero behind each 0xFF.
fn stuff(mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
    let most = 2 * bytes.len();
    out.try_reserve(most).map_err(|_| OutOfMemory { bytes: most as u64 })?;
    while let Some(at) = first_ff(bytes) {
        let (head, tail) = bytes.split_at(at + 1);
        out.extend_from_slice(head);
        out.push(0);
        bytes = tail;
    }
    out.extend_from_slice(bytes);
    Ok(())
}

/// Finds the first 0xFF, eight bytes at a time: a byte of the complement is zero.
fn first_ff(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zeros = (!word).wrapping_sub(ONES) & word & TOPS;
        if zeros != 0 {
            return Some(8 * i + zeros.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|&byte| byte == 0xFF).map(|at| 8 * words.len() + at)
}

#[cfg(test)]
mod tests {
    use super::super::token::raw;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stuffing_puts_a_zero_after_each_ff(bytes in prop::collection::vec(prop_oneof![Just(0xFF_u8), any::<u8>()], 0..100)) {
            let mut out = vec![];
            stuff(&bytes, &mut out).unwrap();
            let expected: Vec<u8> =
                bytes.iter().flat_map(|&b| [b, 0].into_iter().take(1 + usize::from(b == 0xFF))).collect();
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn raw_bits_come_out_in_order(parts in prop::collection::vec((1_u32..12, any::<u32>()), 0..300)) {
            let tokens: Vec<EntropyToken> = parts.iter().map(|&(n, bits)| raw(bits & ((1 << n) - 1), n)).collect();
            let (mut writer, mut out) = (BitWriter::default(), vec![]);
            writer.write(&tokens, &CodeBook::default(), &mut out).unwrap();
            writer.finish(&mut out).unwrap();
            let mut bits: Vec<bool> = vec![];
            for (n, value) in parts {
                bits.extend((0..n).rev().map(|i| value >> i & 1 == 1));
            }
            bits.resize(bits.len().next_multiple_of(8), true);
            let bytes: Vec<u8> = bits
                .chunks(8)
                .map(|byte| byte.iter().fold(0, |sum, &bit| sum << 1 | u8::from(bit)))
                .flat_map(|b| [b, 0].into_iter().take(1 + usize::from(b == 0xFF)))
                .collect();
            prop_assert_eq!(out, bytes);
        }
    }

    #[test]
    fn bits_that_were_written_apart_follow_on_those_before() {
        let tokens: Vec<EntropyToken> =
            (0..20_000_u32).map(|i| raw((i * 7) & 0x7F, 7)).chain([raw(1, 1); 3]).collect();
        let book = CodeBook::default();
        let (mut alone, mut expected) = (BitWriter::default(), vec![]);
        alone.write(&tokens, &book, &mut expected).unwrap();
        alone.finish(&mut expected).unwrap();
        for head in [0, 1, 2, 3, 9_000, tokens.len()] {
            let (mut writer, mut out) = (BitWriter::default(), vec![]);
            let apart = BitWriter::default().write_apart(&tokens[head..], &book).unwrap();
            writer.write(&tokens[..head], &book, &mut out).unwrap();
            writer.append(&apart, &mut out).unwrap();
            writer.finish(&mut out).unwrap();
            assert!(out == expected, "{head} tokens before");
        }
    }

    #[test]
    fn restart_markers_count_to_seven_and_start_anew() {
        let (mut writer, mut out) = (BitWriter::default(), vec![]);
        writer.write(&[RESTART; 9], &CodeBook::default(), &mut out).unwrap();
        assert_eq!(out[..4], [0xFF, 0xD0, 0xFF, 0xD1]);
        assert_eq!(out[14..], [0xFF, 0xD7, 0xFF, 0xD0]);
    }
}
