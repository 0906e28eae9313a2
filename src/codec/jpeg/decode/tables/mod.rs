//! Lookup tables for Huffman decoding (DECODE and EXTEND of T.81 F.2.2.3 and F.2.2.1), built from the tables
//! of a file and cached between pictures.

mod band;
mod entry;

pub(super) use band::{BAND_BITS, FirstTable, RefinementTable, Symbol};
pub(super) use entry::{EOB, LONG, TableEntry};

use crate::codec::jpeg::huffman::{HuffmanRef, HuffmanSpec};
use std::sync::Arc;

/// Index bits of the DC table.
const DC_BITS: u32 = 9;
/// Index bits of the AC tables. One more is hardly faster and takes twice as long to build.
const AC_BITS: u32 = 11;
/// Index bits of the table that skips several symbols at once.
const SKIP_BITS: u32 = 12;

/// A Huffman code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Code {
    /// Its length in bits; 0 for no code.
    pub(super) length: u8,
    /// Its symbol.
    pub(super) symbol: u8,
}

impl Code {
    /// Substitute for a bit string that is no code: 16 bits with the symbol 0.
    const INVALID: Code = Code { length: 16, symbol: 0 };

    /// Makes the [`TableEntry`] of a DC difference, with the sign in `buffer`.
    fn dc_entry(self, buffer: u64) -> TableEntry {
        TableEntry::new(self.length.into(), self.symbol.min(15).into(), 0, self.is_positive(buffer))
    }

    /// Makes the [`TableEntry`] of an AC symbol, with the sign in `buffer`.
    pub(super) fn ac_entry(self, buffer: u64) -> TableEntry {
        let (run, size) = (u32::from(self.symbol >> 4), u32::from(self.symbol & 15));
        let advance = if size == 0 && run != 15 { EOB as u32 } else { run + 1 };
        TableEntry::new(self.length.into(), size, advance, self.is_positive(buffer))
    }

    /// Returns true if the value behind the code at the head of `buffer` is positive.
    fn is_positive(self, buffer: u64) -> bool {
        ((buffer << self.length) as i64) < 0
    }
}

/// The codes longer than the index of a first-level table. They lie together at the end of the code space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LongCodes {
    /// The first of them, extended to 16 bits.
    first: usize,
    /// Codes by the next 16 bits less `first`.
    codes: Vec<Code>,
}

impl LongCodes {
    /// Gathers the codes of `table` that are longer than `short`.
    fn new(table: HuffmanRef<'_>, short: u32) -> LongCodes {
        let mut long = LongCodes::default();
        for (symbol, code, length) in table.codes().filter(|&(_, _, length)| u32::from(length) > short) {
            let start = usize::from(code) << (16 - length);
            if long.codes.is_empty() {
                long.first = start;
            }
            long.codes.resize(start - long.first + (1 << (16 - length)), Code { length, symbol });
        }
        long
    }

    /// Returns the code at the head of `buffer`; `None` if there is none.
    fn find(&self, buffer: u64) -> Option<Code> {
        let index = ((buffer >> 48) as usize).checked_sub(self.first)?;
        self.codes.get(index).copied()
    }

    /// Returns the code at the head of `buffer`, whose `entry` diverts here.
    fn at(&self, entry: TableEntry, buffer: u64, damaged: &mut bool) -> Code {
        match entry.code() {
            Code { length: 0, .. } => self.decode(buffer, damaged),
            code => code,
        }
    }

    /// Works like [`LongCodes::find`]. Without a code, sets `damaged` and returns a harmless one.
    #[cold]
    #[inline(never)]
    fn decode(&self, buffer: u64, damaged: &mut bool) -> Code {
        self.find(buffer).unwrap_or_else(|| {
            *damaged = true;
            Code::INVALID
        })
    }
}

/// Calls `put(range of the index, code)` for each code of at most `short` bits.
fn short_codes(
    table: HuffmanRef<'_>,
    index_bits: u32,
    short: u32,
    mut put: impl FnMut(std::ops::Range<usize>, Code),
) {
    for (symbol, code, length) in table.codes().take_while(|&(_, _, length)| u32::from(length) <= short) {
        let free = index_bits - u32::from(length);
        let start = usize::from(code) << free;
        put(start..start + (1 << free), Code { length, symbol });
    }
}

/// Makes a table of `entry(code, buffer)` for all codes that the index holds together with the sign of the
/// value.
fn singles<const N: usize>(
    table: HuffmanRef<'_>,
    entry: impl Fn(Code, u64) -> TableEntry,
) -> [TableEntry; N] {
    let index_bits = N.ilog2();
    let mut singles = [TableEntry::ASIDE; N];
    short_codes(table, index_bits, index_bits - 1, |range, code| {
        for (single, index) in singles[range.clone()].iter_mut().zip(range) {
            *single = entry(code, (index as u64) << (64 - index_bits));
        }
    });
    singles
}

/// Lookup table of DC differences.
#[derive(Debug)]
pub(super) struct DcTable {
    entries: [TableEntry; 1 << DC_BITS],
    long: LongCodes,
}

impl DcTable {
    pub(super) fn new(table: HuffmanRef<'_>) -> DcTable {
        DcTable { entries: singles(table, Code::dc_entry), long: LongCodes::new(table, DC_BITS - 1) }
    }

    /// Returns the entry of the code at the head of `buffer`.
    #[inline(always)]
    pub(super) fn entry(&self, buffer: u64, damaged: &mut bool) -> TableEntry {
        let entry = self.entries[(buffer >> (64 - DC_BITS)) as usize];
        if entry == TableEntry::ASIDE { self.long.decode(buffer, damaged).dc_entry(buffer) } else { entry }
    }
}

/// Lookup table of AC coefficients in sequential scans.
#[derive(Debug)]
pub(super) struct AcTable {
    /// One or two symbols.
    pairs: [TableEntry; 1 << AC_BITS],
    /// As many symbols as fit, without their values. Bits 0..6: their length; 6..16: their advance.
    skips: [u16; 1 << SKIP_BITS],
    long: LongCodes,
}

impl AcTable {
    pub(super) fn new(table: HuffmanRef<'_>) -> AcTable {
        let entry = |code: Code, buffer| match code.symbol & 15 {
            0..=MAX_SIZE => code.ac_entry(buffer),
            _ => TableEntry::aside(code),
        };
        let singles = singles(table, entry);
        AcTable {
            pairs: std::array::from_fn(|index| pair_entry(&singles, index)),
            skips: std::array::from_fn(|index| skip_entry(&singles, index)),
            long: LongCodes::new(table, AC_BITS - 1),
        }
    }

    /// Returns the entry of the code at the head of `buffer`, joined with the next code if it fits.
    #[inline(always)]
    pub(super) fn pair(&self, buffer: u64) -> TableEntry {
        self.pairs[(buffer >> (64 - AC_BITS)) as usize]
    }

    /// Returns the symbols at the head of `buffer` that fit: their length in the low six bits, their advance
    /// above.
    #[inline(always)]
    pub(super) fn skip(&self, buffer: u64) -> u32 {
        self.skips[(buffer >> (64 - SKIP_BITS)) as usize].into()
    }

    /// Returns the entry of the code at the head of `buffer`, where the pairs have [`LONG`].
    #[cold]
    #[inline(never)]
    pub(super) fn long_entry(&self, buffer: u64, damaged: &mut bool) -> TableEntry {
        self.long.at(self.pair(buffer), buffer, damaged).ac_entry(buffer)
    }

    /// Returns the entry of any code at the head of `buffer`; only its first symbol counts.
    #[inline(always)]
    pub(super) fn single_entry(&self, buffer: u64, damaged: &mut bool) -> TableEntry {
        let entry = self.pair(buffer);
        if entry.advance() == LONG { self.long_entry(buffer, damaged) } else { entry }
    }
}

/// Largest size of an AC value with 8-bit samples (T.81 table F.2). Larger ones are rare and leave the fast
/// path.
const MAX_SIZE: u8 = 10;

/// A skip entry without symbols: the decoder takes one by [`AcTable::single_entry`].
const SKIP_NONE: u16 = 64 << 6;

/// Joins a second symbol to the entry at `index` if the index holds all of it.
fn pair_entry<const N: usize>(singles: &[TableEntry; N], index: usize) -> TableEntry {
    let index_bits = N.ilog2();
    let first = singles[index];
    let length = first.symbol_length();
    if first.advance() >= EOB || length >= index_bits {
        return first;
    }
    let rest = index << length & (N - 1);
    let second = singles[rest];
    if second.advance() == LONG
        || second.symbol_length() > index_bits - length
        || second.size() > TableEntry::MAX_SECOND
    {
        return first;
    }
    first.with(second, (rest as u64) << (64 - index_bits))
}

/// Gathers the symbols with codes within the index. The value of the last may reach behind it.
fn skip_entry(singles: &[TableEntry; 1 << AC_BITS], index: usize) -> u16 {
    /// Most bits of one entry, so that two fit into a refilled buffer.
    const MOST: u32 = 26;
    let (mut length, mut advance, mut symbols) = (0_u32, 0_usize, 0);
    while length < SKIP_BITS {
        let rest = index << length & ((1 << SKIP_BITS) - 1);
        let single = singles[rest >> (SKIP_BITS - AC_BITS)];
        let (total, step) = (single.symbol_length(), single.advance());
        if step == LONG || single.code_length() > SKIP_BITS - length {
            break;
        }
        let ends = step == EOB;
        if symbols > 0 && (length + total > MOST || !ends && advance + step > 63) {
            break;
        }
        length += total;
        advance += step + usize::from(ends);
        symbols += 1;
        if ends {
            break;
        }
    }
    if symbols == 0 { SKIP_NONE } else { (length as usize | advance << 6) as u16 }
}

/// Cache of the tables built last. Pictures with equal tables, above all the standard ones, share them.
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
    /// Number of cached tables: enough for every scan of a progressive picture.
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
