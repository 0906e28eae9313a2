//! The block decoder, with all its tables, against one that reads a bit at a time.

use super::*;
use crate::codec::jpeg::decode::block::Scale;
use crate::codec::jpeg::decode::testing::Random;
use crate::codec::jpeg::huffman::HuffmanSpec;
use crate::codec::jpeg::quant::QuantTable;
use crate::codec::jpeg::zigzag::NATURAL;

/// A table with codes of any lengths and symbols in any order, complete or not.
fn random_table(random: &mut Random) -> HuffmanSpec {
    let mut symbols: Vec<u8> = (0..=255).collect();
    for i in (1..symbols.len()).rev() {
        symbols.swap(i, random.below(i as u64 + 1) as usize);
    }
    let wanted = 1 + random.below(256) as usize;
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
struct Slow<'a> {
    bytes: &'a [u8],
    at: usize,
    damaged: bool,
}

impl Slow<'_> {
    fn bits(&mut self, count: u32) -> i32 {
        (0..count).fold(0, |value, _| {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            self.at += 1;
            value << 1 | i32::from(bit)
        })
    }

    /// DECODE. What is no code counts as 16 bits for symbol 0.
    fn symbol(&mut self, table: &HuffmanSpec) -> u8 {
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
    fn value(&mut self, size: u32) -> i32 {
        let value = self.bits(size);
        if size > 0 && value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
    }

    fn block(&mut self, dc: &HuffmanSpec, ac: &HuffmanSpec, prediction: &mut i32) -> [i16; 64] {
        let mut block = [0; 64];
        let size = self.symbol(dc).min(15);
        *prediction = prediction.wrapping_add(self.value(size.into()));
        let mut k = 1;
        while k < 64 {
            let symbol = self.symbol(ac);
            let (run, size) = (usize::from(symbol >> 4), symbol & 15);
            if size == 0 && run < 15 {
                return block;
            }
            k += run;
            let value = self.value(size.into());
            match block.get_mut(k) {
                Some(place) => *place = value as i16,
                None => self.damaged = true,
            }
            k += 1;
        }
        block
    }
}

#[test]
fn any_table_and_any_bits_decode_as_bit_by_bit() {
    let mut random = Random(2024);
    let mut window = WindowBytes::default();
    for round in 0..1500 {
        let (dc, ac) = (random_table(&mut random), random_table(&mut random));
        let bytes: Vec<u8> = (0..8192).map(|_| random.next() as u8).collect();
        window.bytes_mut()[..8192].copy_from_slice(&bytes);
        let quant = QuantTable([1; 64]);
        for scale in [Scale::FULL, Scale::ALL[round % 3]] {
            let corner = Corner::new(scale, &quant);
            let tables = (Arc::new(DcTable::new(dc.view())), Arc::new(AcTable::new(ac.view())));
            let mut lane = Lane::new(tables.0, tables.1, &corner, 1, 1, Density::Dense);
            let mut slow = Slow { bytes: &bytes, at: 0, damaged: false };
            let (mut bits, mut damaged, mut prediction) = (Bits::default(), false, 0);
            for number in 0..12 {
                let mut block = Block::ZERO;
                let last = decode_block(&mut bits, &window, &mut lane, &mut block, &mut damaged);
                let expected = slow.block(&dc, &ac, &mut prediction);
                assert_eq!(bits.position(), slow.at, "round {round} block {number}");
                assert_eq!(
                    (lane.prediction, damaged),
                    (prediction, slow.damaged),
                    "round {round} block {number}"
                );
                for (z, &natural) in NATURAL.iter().enumerate().skip(1) {
                    let (row, column) = (usize::from(natural) / 8, usize::from(natural) % 8);
                    if row < scale.k() && column < scale.k() {
                        let place = usize::from(corner.place[z]);
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
