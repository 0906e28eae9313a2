//! Huffman tables as a DHT segment carries them (T.81 B.2.4.2, C.2), and the typical tables of annex K.3.

/// Number of codes of each length, and the symbols in code order.
///
/// The Kraft sum never exceeds 1: the constructor refuses over-subscribed tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HuffmanSpec {
    counts: [u8; 16],
    symbols: Vec<u8>,
}

impl HuffmanSpec {
    /// Makes a table with `counts[i]` codes of length `i + 1` for `symbols` in code order. Returns `None` if
    /// the counts do not add up to the symbols (at most 256), or ask for more codes than exist.
    pub fn new(counts: [u8; 16], symbols: &[u8]) -> Option<HuffmanSpec> {
        HuffmanRef::new(&counts, symbols)?;
        Some(HuffmanSpec { counts, symbols: symbols.to_vec() })
    }

    /// Number of codes of each length, 1 to 16.
    pub fn counts(&self) -> &[u8; 16] {
        &self.counts
    }

    /// Symbols in code order.
    pub fn symbols(&self) -> &[u8] {
        &self.symbols
    }

    /// Iterates over `(symbol, code, length)`, shortest code first (the procedure of C.2, figures C.1 and
    /// C.2).
    pub fn codes(&self) -> impl Iterator<Item = (u8, u16, u8)> {
        self.view().codes()
    }

    /// Borrows the table.
    pub fn view(&self) -> HuffmanRef<'_> {
        HuffmanRef { counts: &self.counts, symbols: &self.symbols }
    }
}

/// A [`HuffmanSpec`] borrowed from the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HuffmanRef<'a> {
    counts: &'a [u8; 16],
    symbols: &'a [u8],
}

impl<'a> HuffmanRef<'a> {
    /// As [`HuffmanSpec::new`].
    pub fn new(counts: &'a [u8; 16], symbols: &'a [u8]) -> Option<HuffmanRef<'a>> {
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
        Some(HuffmanRef { counts, symbols })
    }

    /// Number of codes of each length, 1 to 16.
    pub fn counts(self) -> &'a [u8; 16] {
        self.counts
    }

    /// Symbols in code order.
    pub fn symbols(self) -> &'a [u8] {
        self.symbols
    }

    /// Copies the table out of the file.
    pub fn to_spec(self) -> HuffmanSpec {
        HuffmanSpec { counts: *self.counts, symbols: self.symbols.to_vec() }
    }

    /// Iterates over `(symbol, code, length)`, shortest code first (the procedure of C.2, figures C.1 and
    /// C.2).
    pub fn codes(self) -> impl Iterator<Item = (u8, u16, u8)> + 'a {
        let lengths =
            (1_u8..=16).zip(self.counts).flat_map(|(length, &count)| (0..count).map(move |_| length));
        let mut next = (0_u32, 0_u8);
        lengths.zip(self.symbols).map(move |(length, &symbol)| {
            let (code, before) = next;
            let code = code << (length - before);
            next = (code + 1, length);
            (symbol, code as u16, length)
        })
    }
}

/// Class of a Huffman table: the coefficients that it codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableClass {
    /// DC differences.
    Dc,
    /// AC runs and sizes.
    Ac,
}

/// One table of a DHT segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDefinition<'a> {
    /// DC or AC.
    pub class: TableClass,
    /// Slot within its class, 0 to 3.
    pub slot: usize,
    /// The table.
    pub table: HuffmanRef<'a>,
}

/// Iterates over the tables of a DHT segment body.
///
/// # Errors
/// The iterator ends with an error if the segment is cut short, names a slot or class out of range, or holds
/// an over-subscribed table.
pub fn huffman_tables(body: &[u8]) -> impl Iterator<Item = Result<TableDefinition<'_>, &'static str>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (&selector, tail) = rest.split_first()?;
        let parsed = one_table(selector, tail);
        rest = parsed.map_or(&[], |(_, tail)| tail);
        Some(parsed.map(|(definition, _)| definition).ok_or("bad Huffman table"))
    })
}

fn one_table(selector: u8, body: &[u8]) -> Option<(TableDefinition<'_>, &[u8])> {
    let class = match selector >> 4 {
        0 => TableClass::Dc,
        1 => TableClass::Ac,
        _ => return None,
    };
    let slot = usize::from(selector & 15);
    let (counts, tail) = body.split_first_chunk::<16>()?;
    let total = counts.iter().map(|&n| usize::from(n)).sum();
    let (symbols, tail) = tail.split_at_checked(total)?;
    let table = HuffmanRef::new(counts, symbols)?;
    (slot < 4).then_some((TableDefinition { class, slot, table }, tail))
}

/// Tables of K.3. Files may omit them, as Motion JPEG frames do. Slot 0 is luminance, slot 1 chrominance.
pub mod standard {
    use super::HuffmanRef;

    /// Table K.3.
    pub const DC_LUMINANCE: HuffmanRef<'static> = HuffmanRef {
        counts: &[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        symbols: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    };
    /// Table K.4.
    pub const DC_CHROMINANCE: HuffmanRef<'static> = HuffmanRef {
        counts: &[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
        symbols: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    };
    /// Table K.5.
    pub const AC_LUMINANCE: HuffmanRef<'static> = HuffmanRef {
        counts: &[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
        symbols: &[
            0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
            0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0,
            0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
            0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
            0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
            0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
            0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
            0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
            0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
            0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
            0xF9, 0xFA,
        ],
    };
    /// Table K.6.
    pub const AC_CHROMINANCE: HuffmanRef<'static> = HuffmanRef {
        counts: &[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
        symbols: &[
            0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
            0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0,
            0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26,
            0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
            0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
            0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
            0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5,
            0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
            0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
            0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
            0xF9, 0xFA,
        ],
    };
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

    #[test]
    fn the_standard_tables_are_sound() {
        use standard::*;
        for (table, symbols) in
            [(DC_LUMINANCE, 12), (DC_CHROMINANCE, 12), (AC_LUMINANCE, 162), (AC_CHROMINANCE, 162)]
        {
            assert!(HuffmanRef::new(table.counts(), table.symbols()).is_some());
            assert_eq!(table.symbols().len(), symbols);
        }
        assert_eq!(AC_LUMINANCE.codes().last(), Some((0xFA, 0xFFFE, 16)));
    }

    #[test]
    fn a_segment_with_two_tables_is_read_and_a_short_one_refused() {
        let mut body = vec![0x00, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        body.extend([0x13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6]);
        let tables: Vec<_> = huffman_tables(&body).map(|table| table.unwrap()).collect();
        assert_eq!(
            (tables[0].class, tables[0].slot, tables[0].table.symbols()),
            (TableClass::Dc, 0, &[5][..])
        );
        assert_eq!(
            (tables[1].class, tables[1].slot, tables[1].table.symbols()),
            (TableClass::Ac, 3, &[6][..])
        );
        assert!(huffman_tables(&body[..35]).any(|table| table.is_err()));
    }
}
