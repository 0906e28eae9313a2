//! The block decoder, with all its tables, against a bit-by-bit decoder.

use super::super::SymbolDensity;
use super::*;
use crate::codec::jpeg::decode::block::{Scale, ScaledIdctLayout};
use crate::codec::jpeg::decode::tables::DcTable;
use crate::codec::jpeg::decode::testing::{Random, Slow, random_table};
use crate::codec::jpeg::huffman::HuffmanSpec;
use crate::codec::jpeg::quant::QuantTable;
use crate::codec::jpeg::zigzag::NATURAL;
use std::sync::Arc;

/// Decodes a whole block as the flow charts of T.81 F.2.2 do.
fn slow_block(slow: &mut Slow<'_>, dc: &HuffmanSpec, ac: &HuffmanSpec, prediction: &mut i32) -> [i16; 64] {
    let mut block = [0; 64];
    let size = slow.symbol(dc).min(15);
    *prediction = prediction.wrapping_add(slow.value(size.into()));
    let mut k = 1;
    while k < 64 {
        let symbol = slow.symbol(ac);
        let (run, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 && run < 15 {
            return block;
        }
        k += run;
        let value = slow.value(size.into());
        match block.get_mut(k) {
            Some(place) => *place = value as i16,
            None => slow.damaged = true,
        }
        k += 1;
    }
    block
}

#[test]
fn any_table_and_any_bits_decode_as_bit_by_bit() {
    let mut random = Random(2024);
    let mut window = WindowBytes::default();
    for round in 0..1500 {
        let [dc, ac] = [(); 2].map(|()| random_table(&mut random, 0..=255));
        let bytes: Vec<u8> = (0..8192).map(|_| random.next() as u8).collect();
        window.bytes_mut()[..8192].copy_from_slice(&bytes);
        let quant = QuantTable([1; 64]);
        for scale in [Scale::FULL, Scale::ALL[round % 3]] {
            let idct = ScaledIdctLayout::new(scale, &quant);
            let tables = (Arc::new(DcTable::new(dc.view())), Arc::new(AcTable::new(ac.view())));
            let mut component = ScanComponent::new(tables.0, tables.1, &idct, 1, 1, SymbolDensity::Dense);
            let mut slow = Slow::new(&bytes);
            let (mut bits, mut damaged, mut prediction) = (BitBuffer::default(), false, 0);
            for number in 0..12 {
                let mut block = CoefficientBlock::ZERO;
                decode_dc(&mut bits, &window, &mut component, &mut damaged);
                let first = component.ac.pair(bits.buffer);
                let is_wanted = number % 4 != 3;
                let last = if is_wanted {
                    decode_ac(&mut bits, &window, &component, first, &mut block, &mut damaged)
                } else {
                    skip_ac(&mut bits, &window, &component, &mut damaged);
                    BlockEnd(0)
                };
                let expected = slow_block(&mut slow, &dc, &ac, &mut prediction);
                assert_eq!(bits.position(), slow.at, "round {round} block {number}");
                assert_eq!(
                    (component.prediction, damaged),
                    (prediction, slow.damaged),
                    "round {round} block {number}"
                );
                for (z, &natural) in NATURAL.iter().enumerate().skip(1) {
                    let (row, column) = (usize::from(natural) / 8, usize::from(natural) % 8);
                    if is_wanted && row < scale.k() && column < scale.k() {
                        let place = usize::from(idct.place[z]);
                        assert_eq!(
                            block.0[place], expected[z],
                            "round {round} block {number} coefficient {z}"
                        );
                    }
                }
                if last.is_flat() {
                    assert_eq!(expected, [0; 64]);
                }
            }
        }
    }
}
