//! Huffman tables from the statistics of tokens (T.81 K.2), and the bits of each token from the tables.

use super::tables::TablePair;
use super::token::{
    self, AC_SPAN, AC_SYMBOL, CLASS, DC, DC_SPAN, DC_SYMBOL, EntropyToken, INDICES, RAW, magnitude,
};
use crate::codec::jpeg::huffman::HuffmanSpec;

/// Frequency of each token. Counted in two halves: a counter that was just written is slow to read, and equal
/// tokens often follow each other.
#[derive(Debug)]
pub(super) struct TokenHistogram(Box<[[u32; INDICES]; 2]>);

impl Default for TokenHistogram {
    fn default() -> Self {
        TokenHistogram(Box::new([[0; INDICES]; 2]))
    }
}

impl TokenHistogram {
    /// Clears all counts.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(|half| half.fill(0));
    }

    /// Counts `tokens`.
    pub(super) fn count(&mut self, tokens: &[EntropyToken]) {
        let [even, odd] = &mut *self.0;
        let one = |half: &mut [u32; INDICES], token: EntropyToken| {
            if token < RAW {
                half[usize::from(token) % INDICES] += 1;
            }
        };
        let (pairs, rest) = tokens.as_chunks::<2>();
        for &[first, second] in pairs {
            one(even, first);
            one(odd, second);
        }
        rest.iter().for_each(|&token| one(even, token));
    }

    /// Adds the counts of `other`.
    pub(super) fn add(&mut self, other: &TokenHistogram) {
        let counts = self.0.iter_mut().flatten().zip(other.0.iter().flatten());
        counts.for_each(|(count, more)| *count += more);
    }

    /// Makes the optimal tables for the counts. With [`Coverage::All`], symbols that have not occurred get
    /// codes, too.
    pub(super) fn tables(&self, coverage: Coverage) -> [TablePair; 2] {
        std::array::from_fn(|class| {
            let (mut dc, mut ac) = ([0; 256], [0; 256]);
            for half in &*self.0 {
                count_symbols(&half[class * usize::from(CLASS)..][..usize::from(CLASS)], &mut dc, &mut ac);
            }
            if coverage == Coverage::All {
                dc[..=11].iter_mut().for_each(|count| *count += 1);
                for symbol in (0..=255_usize).filter(|symbol| (1..=10).contains(&(symbol % 16))) {
                    ac[symbol] += 1;
                }
                ac[0x00] += 1;
                ac[0xF0] += 1;
            }
            TablePair { dc: optimal(&dc), ac: optimal(&ac) }
        })
    }
}

/// Set of symbols that need a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coverage {
    /// The symbols counted.
    Counted,
    /// All symbols of a sequential scan of 8-bit samples.
    All,
}

/// Adds the counts of the tokens of one class to those of the symbols.
fn count_symbols(counts: &[u32], dc: &mut [u32; 256], ac: &mut [u32; 256]) {
    for (run, counts) in counts[..usize::from(DC)].chunks_exact(2 * AC_SPAN as usize).enumerate() {
        fold(counts, AC_SPAN, &mut ac[run << 4..][..16]);
    }
    fold(&counts[usize::from(DC)..usize::from(AC_SYMBOL)], DC_SPAN, &mut dc[..16]);
    for (symbol, count) in counts[usize::from(AC_SYMBOL)..usize::from(DC_SYMBOL)].iter().enumerate() {
        ac[symbol] += count;
    }
    for (symbol, count) in counts[usize::from(DC_SYMBOL)..][..16].iter().enumerate() {
        dc[symbol] += count;
    }
}

/// Adds the counts of the values `-span..span` to those of their size categories.
fn fold(counts: &[u32], span: i32, sizes: &mut [u32]) {
    let zero = span as usize;
    sizes[0] += counts[zero];
    let (mut size, mut low) = (1, 1);
    while low < zero {
        let (negative, positive) =
            (&counts[zero + 1 - 2 * low..=zero - low], &counts[zero + low..zero + 2 * low]);
        sizes[size] += negative.iter().sum::<u32>() + positive.iter().sum::<u32>();
        size += 1;
        low *= 2;
    }
    sizes[size] += counts[0];
}

/// Makes the shortest prefix code for symbols that occur `counts` times (Huffman, "A method for the
/// construction of minimum-redundancy codes", 1952). No code is longer than 16 bits, and none is all ones
/// (K.2, figures K.1 to K.4). Empty if nothing was counted.
pub(super) fn optimal(counts: &[u32; 256]) -> HuffmanSpec {
    // Rarest first. A symbol of count zero reserves the code of all ones.
    let mut symbols: Vec<u8> = (0..=255).filter(|&symbol| counts[usize::from(symbol)] > 0).collect();
    symbols.sort_by_key(|&symbol| (counts[usize::from(symbol)], std::cmp::Reverse(symbol)));
    if symbols.is_empty() {
        return HuffmanSpec::new([0; 16], &[]).unwrap_or_else(|| unreachable!("no codes need no room"));
    }
    let mut lengths = code_lengths(symbols.iter().map(|&symbol| u64::from(counts[usize::from(symbol)])));
    limit(&mut lengths);
    symbols.reverse();
    let mut counts = [0; 16];
    counts.copy_from_slice(&lengths[1..=16].iter().map(|&n| n as u8).collect::<Vec<_>>());
    HuffmanSpec::new(counts, &symbols).unwrap_or_else(|| unreachable!("limited lengths are a prefix code"))
}

/// Longest code before limiting: counts are below 2^32 and Fibonacci-like at worst.
const LONGEST: usize = 64;

/// Returns the number of codes of each length, for weights in rising order and a reserved one of weight zero.
/// The reserved one gets one of the longest codes.
fn code_lengths(weights: impl Iterator<Item = u64>) -> [u16; LONGEST] {
    // Huffman's algorithm on two queues: leaves in order, and inner nodes, which arise in order.
    let mut nodes: Vec<u64> = std::iter::once(0).chain(weights).collect();
    let leaves = nodes.len();
    let mut parents = vec![0_usize; 2 * leaves - 1];
    let (mut leaf, mut inner) = (0, leaves);
    while nodes.len() < 2 * leaves - 1 {
        let mut take = || {
            let from_leaves = leaf < leaves && (inner >= nodes.len() || nodes[leaf] <= nodes[inner]);
            let taken = if from_leaves { &mut leaf } else { &mut inner };
            *taken += 1;
            *taken - 1
        };
        let (a, b) = (take(), take());
        parents[a] = nodes.len();
        parents[b] = nodes.len();
        nodes.push(nodes[a] + nodes[b]);
    }
    let mut depths = vec![0_usize; nodes.len()];
    let mut lengths = [0; LONGEST];
    for node in (0..nodes.len() - 1).rev() {
        depths[node] = depths[parents[node]] + 1;
        if node < leaves {
            lengths[depths[node]] += 1;
        }
    }
    lengths
}

/// Shortens codes to 16 bits (figure K.3), then removes the reserved one.
fn limit(lengths: &mut [u16; LONGEST]) {
    for long in (17..LONGEST).rev() {
        while lengths[long] > 0 {
            // Two leaves too deep: one replaces their parent, the other joins a leaf above.
            let short = (1..long - 1).rev().find(|&short| lengths[short] > 0).unwrap_or(1);
            lengths[long] -= 2;
            lengths[long - 1] += 1;
            lengths[short + 1] += 2;
            lengths[short] -= 1;
        }
    }
    if let Some(last) = lengths.iter_mut().rev().find(|count| **count > 0) {
        *last -= 1;
    }
}

/// Bits of each token that is an index: `bits << 6 | length`. Length 0 where the tables have no code.
#[derive(Debug)]
pub(super) struct CodeBook(Box<[u32; INDICES]>);

impl Default for CodeBook {
    fn default() -> Self {
        CodeBook(Box::new([0; INDICES]))
    }
}

impl CodeBook {
    /// Sets the codes of `tables`.
    pub(super) fn set(&mut self, tables: &[TablePair; 2]) {
        for (pair, entries) in tables.iter().zip(self.0.chunks_exact_mut(usize::from(CLASS))) {
            entries.fill(0);
            let (symbols, dc_symbols) = entries[usize::from(AC_SYMBOL)..].split_at_mut(256);
            for (symbol, code, length) in pair.ac.codes() {
                symbols[usize::from(symbol)] = u32::from(code) << 6 | u32::from(length);
            }
            for (symbol, code, length) in pair.dc.codes() {
                if let Some(entry) = dc_symbols.get_mut(usize::from(symbol)) {
                    *entry = u32::from(code) << 6 | u32::from(length);
                }
            }
            let (values, symbols) = entries.split_at_mut(usize::from(AC_SYMBOL));
            let (ac, dc) = values.split_at_mut(usize::from(DC));
            for (run, values) in ac.chunks_exact_mut(2 * AC_SPAN as usize).enumerate() {
                fill(values, AC_SPAN, &symbols[run << 4..][..16]);
            }
            fill(dc, DC_SPAN, &symbols[usize::from(DC_SYMBOL - AC_SYMBOL)..][..16]);
        }
    }

    /// Returns the bits of `token` and their number.
    #[inline]
    pub(super) fn bits(&self, token: EntropyToken) -> (u64, u32) {
        if token < RAW {
            let entry = self.0[usize::from(token) % INDICES];
            (u64::from(entry >> 6), entry & 63)
        } else {
            let (length, bits) = token::raw_parts(token);
            (u64::from(bits), length)
        }
    }
}

/// Fills the entries of the values `-span..span` from those of their size categories.
fn fill(values: &mut [u32], span: i32, sizes: &[u32]) {
    for (value, entry) in (-span..span).zip(values) {
        let (size, bits) = magnitude(value);
        let (code, length) = (sizes[size as usize] >> 6, sizes[size as usize] & 63);
        if length > 0 {
            *entry = (code << size | bits) << 6 | (length + size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::STANDARD;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn optimal_codes_are_legal_and_as_short_as_entropy_allows(
            counts in prop::collection::vec((0_u8..=255, 1_u32..1_000_000), 1..256),
        ) {
            let mut histogram = [0; 256];
            counts.iter().for_each(|&(symbol, count)| histogram[usize::from(symbol)] = count);
            let spec = optimal(&histogram);
            let total: f64 = histogram.iter().map(|&count| f64::from(count)).sum();
            let (mut bits, mut entropy, mut coded) = (0.0, 0.0, 0);
            for (symbol, code, length) in spec.codes() {
                let count = f64::from(histogram[usize::from(symbol)]);
                prop_assert!(count > 0.0);
                prop_assert!(u32::from(code) < (1 << length) - 1, "a code of all ones");
                bits += count * f64::from(length);
                entropy -= count * (count / total).log2();
                coded += 1;
            }
            prop_assert_eq!(coded, histogram.iter().filter(|&&count| count > 0).count());
            prop_assert!(bits >= entropy - 1.0 && bits <= entropy + 1.1 * total);
        }
    }

    #[test]
    fn fibonacci_counts_are_limited_to_sixteen_bits() {
        let mut counts = [0; 256];
        let (mut a, mut b) = (1, 1);
        for count in &mut counts[..40] {
            *count = a;
            (a, b) = (b, a + b);
        }
        assert_eq!(optimal(&counts).symbols().len(), 40);
    }

    #[test]
    fn a_single_symbol_gets_one_bit() {
        let mut counts = [0; 256];
        counts[7] = 5;
        assert_eq!(optimal(&counts).codes().collect::<Vec<_>>(), [(7, 0, 1)]);
    }

    #[test]
    fn the_code_book_knows_values_and_symbols() {
        let mut book = CodeBook::default();
        book.set(&STANDARD);
        // K.5: (0, 1) is 00, EOB is 1010, ZRL is 11111111001; K.3: category 0 is 00.
        assert_eq!(book.bits(64 + 1), (0b001, 3));
        assert_eq!(book.bits(64 - 1), (0b000, 3));
        assert_eq!(book.bits(token::END_OF_BLOCK), (0b1010, 4));
        assert_eq!(book.bits(15 << 7 | 64), (0b111_1111_1001, 11));
        assert_eq!(book.bits(DC + 512), (0b00, 2));
        assert_eq!(book.bits(CLASS + token::END_OF_BLOCK), (0b00, 2));
    }

    #[test]
    fn counts_of_values_become_counts_of_symbols() {
        let mut histogram = TokenHistogram::default();
        let tokens = [64 + 1, 64 - 1, 64 + 2, 64 - 64, token::END_OF_BLOCK, AC_SYMBOL + 0x28, DC + 512 + 511];
        histogram.count(&tokens);
        let (mut dc, mut ac) = ([0; 256], [0; 256]);
        for half in &*histogram.0 {
            count_symbols(&half[..usize::from(CLASS)], &mut dc, &mut ac);
        }
        assert_eq!((ac[1], ac[2], ac[7], ac[0], ac[0x28]), (2, 1, 1, 1, 1));
        assert_eq!(dc[9], 1);
    }
}
