//! Lookup tables for Huffman decoding (the job of DECODE and EXTEND, T.81 F.2.2.3 and F.2.2.1), built from
//! the tables of a file and kept between pictures.

mod band;

pub(super) use band::{BAND_BITS, FirstTable, RefinementTable, Symbol};

use crate::codec::jpeg::huffman::{HuffmanRef, HuffmanSpec};
use std::sync::Arc;

/// Index bits of the DC table.
pub(super) const DC_BITS: u32 = 10;
/// Index bits of the AC tables. Larger ones fall out of the first-level cache.
pub(super) const AC_BITS: u32 = 11;
/// Index bits of the table that passes over several symbols at once.
pub(super) const SKIP_BITS: u32 = 12;

/// Advance of an end of block, more than any position can reach by runs.
pub(super) const EOB: usize = 128;
/// Advance that sends a decoder to [`LongCodes`].
pub(super) const LONG: usize = 192;

/// A symbol in the form of which the decoders work: bits 0..6 the length of code and value together, 8..14 the length of the code,
/// 16..22 63 minus the length of the value, 24..32 how many coefficients to advance.
#[inline(always)]
pub(super) const fn entry(code: u32, size: u32, advance: u32) -> u32 {
    (code + size) | code << 8 | (63 - size) << 16 | advance << 24
}

/// The value that follows a code: EXTEND without a branch on its length or sign.
#[inline(always)]
pub(super) fn value(buffer: u64, entry: u32) -> i32 {
    let bits = buffer << (entry >> 8 & 63);
    let shift = entry >> 16 & 63;
    // A value whose highest bit is 0 is negative: the complement of its bits.
    let negative = !(bits as i64 >> 63) as u64;
    let magnitude = (bits ^ negative) >> 1 >> shift;
    (magnitude as i32 ^ negative as i32).wrapping_sub(negative as i32)
}

/// What a code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Code {
    /// Its length in bits; 0 for no code.
    pub(super) length: u8,
    /// Its symbol.
    pub(super) symbol: u8,
}

impl Code {
    /// What a bit string that is no code is taken for: 16 bits that say nothing.
    const INVALID: Code = Code { length: 16, symbol: 0 };

    /// The [`entry`] of an AC symbol.
    pub(super) fn ac_entry(self) -> u32 {
        let (run, size) = (u32::from(self.symbol >> 4), u32::from(self.symbol & 15));
        let advance = if size == 0 && run != 15 { EOB as u32 } else { run + 1 };
        entry(self.length.into(), size, advance)
    }

    /// As one of [`AcTable::pairs`], without a second symbol.
    fn alone(self) -> u64 {
        let single = self.ac_entry();
        u64::from(single) | u64::from(single & 63) << 40
    }

    /// As one of [`AcTable::pairs`] that sends a decoder to [`LongCodes::at`], though the index holds the code.
    fn aside(self) -> u64 {
        ASIDE | u64::from(self.length) << 40 | u64::from(self.symbol) << 48
    }
}

/// What stands in [`AcTable::pairs`] for a long code.
const ASIDE: u64 = entry(0, 0, LONG as u32) as u64;

/// The codes longer than the index of a first-level table. They stand together at the end of the code space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LongCodes {
    /// The first of them, continued to 16 bits.
    first: usize,
    /// By the next 16 bits, less `first`.
    codes: Vec<Code>,
}

impl LongCodes {
    fn new(table: HuffmanRef<'_>, index_bits: u32) -> LongCodes {
        let mut long = LongCodes::default();
        for (symbol, code, length) in table.codes().filter(|&(_, _, length)| u32::from(length) > index_bits) {
            let start = usize::from(code) << (16 - length);
            if long.codes.is_empty() {
                long.first = start;
            }
            long.codes.resize(start - long.first + (1 << (16 - length)), Code { length, symbol });
        }
        long
    }

    /// The code at the head of `buffer`; `None` if there is no such code.
    fn find(&self, buffer: u64) -> Option<Code> {
        let index = ((buffer >> 48) as usize).checked_sub(self.first)?;
        self.codes.get(index).copied()
    }

    /// The code at the head of `buffer`, whose pair sends here.
    fn at(&self, pair: u64, buffer: u64, damaged: &mut bool) -> Code {
        match (pair >> 40 & 63) as u8 {
            0 => self.decode(buffer, damaged),
            length => Code { length, symbol: (pair >> 48) as u8 },
        }
    }

    /// As [`LongCodes::find`]; sets `damaged` and says something harmless if there is no such code.
    #[cold]
    #[inline(never)]
    fn decode(&self, buffer: u64, damaged: &mut bool) -> Code {
        self.find(buffer).unwrap_or_else(|| {
            *damaged = true;
            Code::INVALID
        })
    }
}

/// Calls `put(range of the index, code)` for each code that fits into `index_bits`.
fn short_codes(table: HuffmanRef<'_>, index_bits: u32, mut put: impl FnMut(std::ops::Range<usize>, Code)) {
    for (symbol, code, length) in table.codes().take_while(|&(_, _, length)| u32::from(length) <= index_bits)
    {
        let free = index_bits - u32::from(length);
        let start = usize::from(code) << free;
        put(start..start + (1 << free), Code { length, symbol });
    }
}

/// Decodes DC differences.
#[derive(Debug)]
pub(super) struct DcTable {
    /// Entries without an advance; 0 for a long code.
    entries: [u32; 1 << DC_BITS],
    long: LongCodes,
}

impl DcTable {
    /// The entry of the code at the head of `buffer`.
    #[inline(always)]
    pub(super) fn entry(&self, buffer: u64, damaged: &mut bool) -> u32 {
        match self.entries[(buffer >> (64 - DC_BITS)) as usize] {
            0 => dc_entry(self.long.decode(buffer, damaged)),
            entry => entry,
        }
    }
}

fn dc_entry(code: Code) -> u32 {
    entry(code.length.into(), code.symbol.min(15).into(), 0)
}

/// Decodes AC coefficients of sequential scans.
#[derive(Debug)]
pub(super) struct AcTable {
    /// Two symbols at once, if both fit. The low half is the first symbol's [`entry`], with the lengths of
    /// both; then 32..40 the second advance, 40..46 the first symbol's own length, 48..64 the second value.
    pub(super) pairs: [u64; 1 << AC_BITS],
    /// As many symbols as fit, without their values: 0..6 their length, 6..16 their advance.
    pub(super) skips: [u16; 1 << SKIP_BITS],
    long: LongCodes,
}

impl DcTable {
    pub(super) fn new(table: HuffmanRef<'_>) -> DcTable {
        let mut entries = [0; 1 << DC_BITS];
        short_codes(table, DC_BITS, |range, code| entries[range].fill(dc_entry(code)));
        DcTable { entries, long: LongCodes::new(table, DC_BITS) }
    }
}

impl AcTable {
    pub(super) fn new(table: HuffmanRef<'_>) -> AcTable {
        let mut pairs = [ASIDE; 1 << AC_BITS];
        short_codes(table, AC_BITS, |range, code| {
            pairs[range].fill(if code.symbol & 15 > MAX_SIZE { code.aside() } else { code.alone() });
        });
        let mut skips = [SKIP_NONE; 1 << SKIP_BITS];
        for (i, skip) in skips.iter_mut().enumerate() {
            *skip = skip_entry(&pairs, i);
        }
        // From the highest index down, a pair only reads singles: following bits are shifted in from the right.
        let singles = pairs;
        for (i, pair) in pairs.iter_mut().enumerate() {
            *pair = pair_entry(&singles, i);
        }
        AcTable { pairs, skips, long: LongCodes::new(table, AC_BITS) }
    }

    /// The entry of the code at the head of `buffer`, which is too long or too rare for `pairs`.
    #[cold]
    #[inline(never)]
    pub(super) fn long_entry(&self, buffer: u64, damaged: &mut bool) -> u32 {
        let pair = self.pairs[(buffer >> (64 - AC_BITS)) as usize];
        self.long.at(pair, buffer, damaged).ac_entry()
    }

    /// The entry of any code at the head of `buffer`.
    #[inline(always)]
    pub(super) fn single_entry(&self, buffer: u64, damaged: &mut bool) -> u32 {
        let pair = self.pairs[(buffer >> (64 - AC_BITS)) as usize];
        match pair as u32 >> 24 {
            advance if advance as usize == LONG => self.long_entry(buffer, damaged),
            _ => pair as u32 & !63 | (pair >> 40) as u32 & 63,
        }
    }
}

/// Largest size of an AC value with 8-bit samples (T.81 table F.2). Larger ones are rare enough to go aside.
const MAX_SIZE: u8 = 10;

/// A skip entry that says: take one symbol by [`AcTable::single_entry`].
const SKIP_NONE: u16 = 64 << 6;

/// Adds a second symbol to the entry at `index` if the index holds all of it.
fn pair_entry<const N: usize>(singles: &[u64; N], index: usize) -> u64 {
    let index_bits = N.ilog2();
    let first = singles[index];
    let (length, advance) = (first as u32 & 63, first as u32 >> 24);
    if advance as usize >= EOB || length >= index_bits {
        return first;
    }
    let rest = index << length & (N - 1);
    let second = singles[rest] as u32;
    if (second >> 24) as usize == LONG || second & 63 > index_bits - length {
        return first;
    }
    let second_value = value((rest as u64) << (64 - index_bits), second);
    first + u64::from(second & 63) + (u64::from(second >> 24) << 32) + (u64::from(second_value as u16) << 48)
}

/// Gathers the symbols whose codes lie within the index; the value of the last may reach behind it.
fn skip_entry(singles: &[u64; 1 << AC_BITS], index: usize) -> u16 {
    /// Bits that one entry may use, so that two fit into a refilled buffer.
    const MOST: u32 = 26;
    let (mut length, mut advance, mut symbols) = (0_u32, 0_u32, 0);
    while length < SKIP_BITS {
        let rest = index << length & ((1 << SKIP_BITS) - 1);
        let single = singles[rest >> (SKIP_BITS - AC_BITS)] as u32;
        let (code, total, step) = (single >> 8 & 63, single & 63, single >> 24);
        if step as usize == LONG || code > SKIP_BITS - length {
            break;
        }
        let ends = step as usize == EOB;
        if symbols > 0 && (length + total > MOST || !ends && advance + step > 63) {
            break;
        }
        length += total;
        advance += step + u32::from(ends);
        symbols += 1;
        if ends {
            break;
        }
    }
    if symbols == 0 { SKIP_NONE } else { (length | advance << 6) as u16 }
}

/// The tables built last, so that pictures with the same tables, above all the standard ones, share them.
#[derive(Debug, Default)]
pub(super) struct TableCache {
    dc: Recent<DcTable>,
    ac: Recent<AcTable>,
    first: Recent<FirstTable>,
    refinement: Recent<RefinementTable>,
}

impl TableCache {
    pub(super) fn dc(&mut self, table: HuffmanRef<'_>) -> Arc<DcTable> {
        self.dc.find_or_build(table, DcTable::new)
    }

    pub(super) fn ac(&mut self, table: HuffmanRef<'_>) -> Arc<AcTable> {
        self.ac.find_or_build(table, AcTable::new)
    }

    pub(super) fn first(&mut self, table: HuffmanRef<'_>) -> Arc<FirstTable> {
        self.first.find_or_build(table, FirstTable::new)
    }

    pub(super) fn refinement(&mut self, table: HuffmanRef<'_>) -> Arc<RefinementTable> {
        self.refinement.find_or_build(table, RefinementTable::new)
    }
}

/// The most recently used tables of one kind, by content.
#[derive(Debug)]
struct Recent<T>(Vec<(HuffmanSpec, Arc<T>)>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Recent(Vec::new())
    }
}

impl<T> Recent<T> {
    /// How many are kept: enough for every scan of a progressive picture.
    const KEPT: usize = 12;

    fn find_or_build(&mut self, table: HuffmanRef<'_>, build: impl FnOnce(HuffmanRef<'_>) -> T) -> Arc<T> {
        let known = self.0.iter().position(|(spec, _)| spec.view() == table);
        let last = self.0.len().min(Self::KEPT - 1);
        match known {
            Some(place) => self.0[..=place].rotate_right(1),
            None => {
                self.0.truncate(last);
                self.0.insert(0, (table.to_spec(), Arc::new(build(table))));
            }
        }
        Arc::clone(&self.0[0].1)
    }
}
