//! `QuantTable`: the 64 quantisation steps of a component (T.81 B.2.4.1).

use super::zigzag::NATURAL;

/// Quantisation steps in natural (row-major) order, each 1 to 65,535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantTable(pub [u16; 64]);

/// Iterates over the tables of a DQT segment body, each with its slot, 0 to 3. Reads a step of 0, which T.81
/// forbids, as 1.
///
/// # Errors
/// The iterator ends with an error if the segment is cut short, or names a slot or precision out of range.
pub fn quant_tables(body: &[u8]) -> impl Iterator<Item = Result<(usize, QuantTable), &'static str>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (&selector, tail) = rest.split_first()?;
        let table = one_table(selector, tail);
        rest = table.map_or(&[], |(_, _, tail)| tail);
        Some(table.map(|(slot, table, _)| (slot, table)).ok_or("bad quantisation table"))
    })
}

fn one_table(selector: u8, body: &[u8]) -> Option<(usize, QuantTable, &[u8])> {
    let slot = usize::from(selector & 15);
    let wide = match selector >> 4 {
        0 => false,
        1 => true,
        _ => return None,
    };
    let (steps, tail) = body.split_at_checked(if wide { 128 } else { 64 })?;
    let mut table = [1; 64];
    for (z, &natural) in NATURAL.iter().enumerate() {
        let step = if wide { u16::from_be_bytes([steps[2 * z], steps[2 * z + 1]]) } else { steps[z].into() };
        table[usize::from(natural)] = step.max(1);
    }
    (slot < 4).then_some((slot, QuantTable(table), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_precisions_are_read_in_zigzag_order() {
        let mut body = vec![0x01];
        body.extend(1..=64);
        body.push(0x12);
        body.extend((1..=64_u16).flat_map(|step| (step * 300).to_be_bytes()));
        let tables: Vec<_> = quant_tables(&body).map(|table| table.unwrap()).collect();
        assert_eq!((tables[0].0, tables[1].0), (1, 2));
        assert_eq!(tables[0].1.0[8], 3);
        assert_eq!(tables[1].1.0[63], 64 * 300);
    }

    #[test]
    fn short_and_impossible_tables_are_refused() {
        for body in [&[0_u8; 60][..], &[0x04; 65], &[0x20; 200]] {
            assert!(quant_tables(body).any(|table| table.is_err()));
        }
    }
}
