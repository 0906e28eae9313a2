//! A Huffman decoder that reads one bit at a time, and random tables for it.

use super::Random;
use crate::codec::jpeg::huffman::HuffmanSpec;

/// Makes a table of some of `symbols` with codes of any lengths, in any order, complete or not.
pub(in super::super) fn random_table(
    random: &mut Random,
    symbols: impl IntoIterator<Item = u8>,
) -> HuffmanSpec {
    let mut symbols: Vec<u8> = symbols.into_iter().collect();
    for i in (1..symbols.len()).rev() {
        symbols.swap(i, random.below(i as u64 + 1) as usize);
    }
    let wanted = 1 + random.below(symbols.len() as u64) as usize;
    let mut counts = [0_u8; 16];
    let (mut code, mut total) = (0, 0);
    for (i, count) in counts.iter_mut().enumerate() {
        let free = (1 << (i + 1)) - code;
        let most = free.min(wanted - total).min(255);
        let some = if random.below(3) == 0 { most } else { most.min(random.below(6) as usize) };
        *count = some as u8;
        total += some;
        code = (code + some) << 1;
    }
    HuffmanSpec::new(counts, &symbols[..total]).unwrap()
}

/// Reads bit by bit, as the flow charts of T.81 F.2.2 do.
pub(in super::super) struct Slow<'a> {
    bytes: &'a [u8],
    /// Number of bits read so far.
    pub(in super::super) at: usize,
    pub(in super::super) damaged: bool,
}

impl Slow<'_> {
    pub(in super::super) fn new(bytes: &[u8]) -> Slow<'_> {
        Slow { bytes, at: 0, damaged: false }
    }

    /// RECEIVE: reads `count` bits as a number.
    pub(in super::super) fn bits(&mut self, count: u32) -> i32 {
        (0..count).fold(0, |value, _| {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            self.at += 1;
            value << 1 | i32::from(bit)
        })
    }

    /// DECODE. A bit string that is no code counts as 16 bits with the symbol 0.
    pub(in super::super) fn symbol(&mut self, table: &HuffmanSpec) -> u8 {
        let start = self.at;
        for (symbol, code, length) in table.codes() {
            self.at = start;
            if self.bits(length.into()) == i32::from(code) {
                return symbol;
            }
        }
        self.at = start + 16;
        self.damaged = true;
        0
    }

    /// RECEIVE and EXTEND.
    pub(in super::super) fn value(&mut self, size: u32) -> i32 {
        let value = self.bits(size);
        if size > 0 && value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
    }
}
