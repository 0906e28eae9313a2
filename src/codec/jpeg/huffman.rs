//! `HuffmanSpec`: a Huffman table as a DHT segment carries it (T.81 B.2.4.2, C.2).

/// How many codes there are of each length, and the symbols in code order.
///
/// The Kraft sum never exceeds 1: the constructor refuses over-subscribed tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HuffmanSpec {
    counts: [u8; 16],
    symbols: Vec<u8>,
}

impl HuffmanSpec {
    /// `counts[i]` codes of length `i + 1` for `symbols` in order of their codes. `None` if the counts
    /// do not add up to the symbols (at most 256) or ask for more codes than there are.
    pub fn new(counts: [u8; 16], symbols: &[u8]) -> Option<HuffmanSpec> {
        let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
        if total != symbols.len() || total > 256 {
            return None;
        }
        let mut code = 0_u32;
        for (i, &n) in counts.iter().enumerate() {
            code += u32::from(n);
            if code > 1 << (i + 1) {
                return None;
            }
            code <<= 1;
        }
        Some(HuffmanSpec { counts, symbols: symbols.to_vec() })
    }

    /// Codes of each length, 1 to 16.
    pub fn counts(&self) -> &[u8; 16] {
        &self.counts
    }

    /// Symbols in order of their codes.
    pub fn symbols(&self) -> &[u8] {
        &self.symbols
    }

    /// `(symbol, code, length)` for each code, shortest first (the procedure of C.2, figures C.1 and C.2).
    pub fn codes(&self) -> impl Iterator<Item = (u8, u16, u8)> {
        let mut code = 0_u32;
        let mut symbols = self.symbols.iter();
        (1_u8..=16).zip(self.counts).flat_map(move |(length, count)| {
            code <<= 1;
            let first = code;
            code += u32::from(count);
            let codes: Vec<_> = (first..code)
                .zip(&mut symbols)
                .map(|(code, &symbol)| (symbol, code as u16, length))
                .collect();
            codes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_canonical() {
        let spec = HuffmanSpec::new([0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[7, 8, 9]).unwrap();
        assert_eq!(spec.codes().collect::<Vec<_>>(), [(7, 0b00, 2), (8, 0b01, 2), (9, 0b100, 3)]);
    }

    #[test]
    fn over_subscribed_and_short_tables_are_refused() {
        assert!(HuffmanSpec::new([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 2, 3]).is_none());
        assert!(HuffmanSpec::new([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[]).is_none());
    }
}
