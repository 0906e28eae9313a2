//! Lookup tables for the AC scans of progressive pictures (T.81 G.1.2.2, G.1.2.3).

use super::{Code, LongCodes, TableEntry, pair_entry, short_codes, singles};
use crate::codec::jpeg::huffman::HuffmanRef;

/// Index bits of the tables.
pub(in super::super) const BAND_BITS: u32 = 10;
const LEN: usize = 1 << BAND_BITS;

/// Meaning of a symbol of an AC scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Symbol {
    /// EOBn: ends the band, and empties it in a run of blocks.
    EndOfBand,
    /// ZRL: sixteen zeros.
    Zeros,
    /// A run of zeros and a coefficient.
    Value,
}

impl Code {
    /// Number of zeros; n of an EOBn.
    pub(in super::super) fn run(self) -> u8 {
        self.symbol >> 4
    }

    pub(in super::super) fn meaning(self) -> Symbol {
        match (self.run(), self.symbol & 15) {
            (15, 0) => Symbol::Zeros,
            (_, 0) => Symbol::EndOfBand,
            _ => Symbol::Value,
        }
    }
}

/// Lookup table of first scans.
#[derive(Debug)]
pub(in super::super) struct FirstTable {
    /// One or two symbols. [`FirstTable::code`] handles all but values and EOB0.
    pairs: [TableEntry; LEN],
    long: LongCodes,
}

impl FirstTable {
    pub(super) fn new(table: HuffmanRef<'_>) -> FirstTable {
        let singles: [TableEntry; LEN] = singles(table, |code, buffer| match (code.meaning(), code.run()) {
            (Symbol::Value, _) | (Symbol::EndOfBand, 0) => code.ac_entry(buffer),
            _ => TableEntry::aside(code),
        });
        FirstTable {
            pairs: std::array::from_fn(|index| pair_entry(&singles, index)),
            long: LongCodes::new(table, BAND_BITS - 1),
        }
    }

    /// Returns the entry of the code at the head of `buffer`, joined with the next code if it fits.
    #[inline(always)]
    pub(in super::super) fn pair(&self, buffer: u64) -> TableEntry {
        self.pairs[(buffer >> (64 - BAND_BITS)) as usize]
    }

    /// Returns the code at the head of `buffer`, where the pairs have [`LONG`](super::LONG).
    #[cold]
    #[inline(never)]
    pub(in super::super) fn code(&self, buffer: u64, damaged: &mut bool) -> Code {
        self.long.at(self.pair(buffer), buffer, damaged)
    }
}

/// Lookup table of refinements.
#[derive(Debug)]
pub(in super::super) struct RefinementTable {
    /// Bits 0..6: the run of a value, or [`RefinementTable::OTHER`]. Bits 8..14: the length of the code, 0
    /// for a long one. Bits 16..24: the symbol.
    pub(in super::super) entries: [u32; LEN],
    long: LongCodes,
}

impl RefinementTable {
    /// A run longer than any block.
    pub(in super::super) const OTHER: u32 = 63;

    pub(super) fn new(table: HuffmanRef<'_>) -> RefinementTable {
        let mut entries = [RefinementTable::OTHER; LEN];
        short_codes(table, BAND_BITS, BAND_BITS, |range, code| {
            entries[range].fill(RefinementTable::entry(code));
        });
        RefinementTable { entries, long: LongCodes::new(table, BAND_BITS) }
    }

    /// Makes the entry of a code.
    pub(in super::super) fn entry(code: Code) -> u32 {
        let run = if code.meaning() == Symbol::Value { code.run().into() } else { RefinementTable::OTHER };
        run | u32::from(code.length) << 8 | u32::from(code.symbol) << 16
    }

    /// Returns the code at the head of `buffer`.
    #[inline(always)]
    pub(in super::super) fn code(&self, buffer: u64, damaged: &mut bool) -> Code {
        let entry = self.entries[(buffer >> (64 - BAND_BITS)) as usize];
        match (entry >> 8) as u8 {
            0 => self.long.decode(buffer, damaged),
            length => Code { length, symbol: (entry >> 16) as u8 },
        }
    }
}
