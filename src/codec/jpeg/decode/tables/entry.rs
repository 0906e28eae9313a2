//! `TableEntry`: one cell of a lookup table.

use super::Code;

/// Advance of an end of block: beyond the reach of any run.
pub(in super::super) const EOB: usize = 128;
/// Advance that diverts the decoder to [`LongCodes`](super::LongCodes).
pub(in super::super) const LONG: usize = 192;

/// Meaning of the bits at the head of a buffer: a symbol, and the next symbol if the index holds it, too.
///
/// | bits | |
/// | --- | --- |
/// | 0..6 | length of all codes and values |
/// | 8..14 | 64 minus the length of the first symbol |
/// | 16..20 | length of its value |
/// | 24..32 | number of coefficients to advance |
/// | 32..40 | number of coefficients to advance from the first to the second |
/// | 40..56 | summand for the bits of the first value: EXTEND (T.81 F.2.2.1); the index holds the sign |
/// | 56..64 | the second value |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct TableEntry(u64);

impl TableEntry {
    /// Entry of a code that an index does not hold, or not with the sign of its value.
    pub(super) const ASIDE: TableEntry = TableEntry((LONG as u64) << 24);
    /// Largest size of a second value.
    pub(super) const MAX_SECOND: u32 = 7;

    /// Makes a symbol with a code of `length` bits and a value of `size` bits, which may be 0.
    pub(super) const fn new(length: u32, size: u32, advance: u32, positive: bool) -> TableEntry {
        let own = length + size;
        let extend = if positive { 0 } else { 1 - (1_i32 << size) };
        TableEntry(
            own as u64
                | (64 - own as u64) << 8
                | (size as u64) << 16
                | (advance as u64) << 24
                | (extend as u16 as u64) << 40,
        )
    }

    /// Length of all symbols; only the low six bits count.
    #[inline(always)]
    pub(in super::super) fn length(self) -> u32 {
        self.0 as u32
    }

    /// Length of the first symbol; only the low six bits count.
    #[inline(always)]
    pub(in super::super) fn own_length(self) -> u32 {
        0_u32.wrapping_sub((self.0 >> 8) as u32)
    }

    /// Number of coefficients to advance to the first symbol's. [`EOB`] and [`LONG`] are no such numbers.
    #[inline(always)]
    pub(in super::super) fn advance(self) -> usize {
        usize::from((self.0 >> 24) as u8)
    }

    /// Number of coefficients to advance from the first symbol's to the second's; 0 without a second symbol.
    #[inline(always)]
    pub(in super::super) fn second_advance(self) -> usize {
        usize::from((self.0 >> 32) as u8)
    }

    /// Returns the first value. `buffer` is the one that was looked up.
    #[inline(always)]
    pub(in super::super) fn value(self, buffer: u64) -> i32 {
        let bits = buffer >> (self.0 >> 8 & 63) & !(u64::MAX << (self.0 >> 16 & 15));
        bits as i32 + i32::from((self.0 >> 40) as i16)
    }

    /// Returns the second value; unspecified without a second symbol.
    #[inline(always)]
    pub(in super::super) fn second_value(self) -> i16 {
        (self.0 as i64 >> 56) as i16
    }

    /// Diverts a decoder to [`LongCodes::at`](super::LongCodes::at) though the index holds the code.
    pub(super) fn aside(code: Code) -> TableEntry {
        TableEntry(TableEntry::ASIDE.0 | u64::from(code.length) << 40 | u64::from(code.symbol) << 48)
    }

    /// Returns the code of [`TableEntry::aside`]; no code for [`TableEntry::ASIDE`].
    pub(super) fn code(self) -> Code {
        Code { length: (self.0 >> 40) as u8, symbol: (self.0 >> 48) as u8 }
    }

    /// Adds a `second` symbol, which stands at the head of `buffer`.
    pub(super) fn with(self, second: TableEntry, buffer: u64) -> TableEntry {
        let (length, advance) = (u64::from(second.symbol_length()), second.advance() as u64);
        TableEntry((self.0 + length) | advance << 32 | (second.value(buffer) as u64) << 56)
    }

    /// Length of the value of the first symbol.
    pub(super) fn size(self) -> u32 {
        (self.0 >> 16) as u32 & 15
    }

    /// Length of code and value of the first symbol.
    pub(super) fn symbol_length(self) -> u32 {
        self.own_length() & 63
    }

    /// Length of the code of the first symbol.
    pub(super) fn code_length(self) -> u32 {
        self.symbol_length() - self.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_size_are_those_of_table_f1() {
        for size in 0..16 {
            for bits in [0, 1, (1_u64 << size) / 2, (1 << size) - 1, 0x5A5A] {
                let bits = bits & ((1 << size) - 1);
                let positive = size > 0 && bits >> (size - 1) == 1;
                let expected = if positive { bits as i32 } else { bits as i32 - (1 << size) + 1 };
                let buffer = (0b101 << size | bits) << (61 - size) | 0x1234;
                let entry = TableEntry::new(3, size, 2, positive);
                assert_eq!(entry.value(buffer), expected, "{size} bits {bits:b}");
                assert_eq!((entry.length() & 63, entry.own_length() & 63), (3 + size, 3 + size));
                assert_eq!((entry.size(), entry.code_length(), entry.advance()), (size, 3, 2));
            }
        }
    }

    #[test]
    fn a_second_symbol_adds_to_the_first() {
        let first = TableEntry::new(4, 0, 16, false);
        for size in 1..=TableEntry::MAX_SECOND {
            for positive in [false, true] {
                let buffer = 0b11 << 62 | u64::from(positive) << 61;
                let second = TableEntry::new(2, size, 3, positive);
                let both = first.with(second, buffer);
                assert_eq!(i32::from(both.second_value()), second.value(buffer));
                assert_eq!((both.advance(), both.second_advance()), (16, 3));
                assert_eq!((both.length() & 63, both.own_length() & 63), (6 + size, 4));
            }
        }
    }
}
