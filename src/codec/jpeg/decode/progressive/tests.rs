//! The block decoders of AC scans, with all their tables, against bit-by-bit decoders.

use super::*;
use crate::codec::jpeg::decode::block::Scale;
use crate::codec::jpeg::decode::kernels::{self, KernelTask, Scalar};
use crate::codec::jpeg::decode::store::StoredBlock;
use crate::codec::jpeg::decode::tables::TableCache;
use crate::codec::jpeg::decode::testing::{Random, Slow, random_table};
use crate::codec::jpeg::decode::window::WindowBytes;
use crate::codec::jpeg::huffman::HuffmanSpec;
use crate::codec::jpeg::quant::QuantTable;

/// Random data, in a window and as plain bytes.
struct RandomData {
    window: Box<WindowBytes>,
    bytes: Vec<u8>,
}

impl RandomData {
    fn new(random: &mut Random) -> RandomData {
        let bytes: Vec<u8> = (0..4096).map(|_| random.next() as u8).collect();
        let mut window = Box::new(WindowBytes::default());
        window.bytes_mut()[..bytes.len()].copy_from_slice(&bytes);
        RandomData { window, bytes }
    }
}

/// Makes a band that begins at 1, 2, 6 or 40 and ends at 63 or before.
fn random_band<'a>(random: &mut Random, idct: &'a ScaledIdctLayout) -> AcBand<'a> {
    let first = [1, 2, 6, 40][random.below(4) as usize];
    let last = if random.below(2) == 0 { 63 } else { first + random.below(64 - first as u64) as usize };
    AcBand { first, last, set: (first..=last).fold(0, |set, position| set | bit(position)), idct }
}

/// Makes a block as an earlier scan leaves it.
fn random_block(random: &mut Random, low: u8) -> [i16; 64] {
    let rarity = 1 + random.below(12);
    std::array::from_fn(|position| {
        let is_zero = position == 0 || random.below(rarity) > 0;
        let magnitude = 1 + random.below(40) as i16;
        let value = if random.below(2) == 0 { magnitude } else { -magnitude };
        if is_zero { 0 } else { value << (low + 1) }
    })
}

/// Stores a block as the decoder does at the scale of `idct`.
fn stored(block: &[i16; 64], idct: &ScaledIdctLayout) -> (Vec<i16>, u64) {
    let len = if idct.scale.k() == 1 { 0 } else { idct.scale.stored() };
    let (mut places, mut mask) = (vec![0; len], 0);
    for (position, &coefficient) in block.iter().enumerate().skip(1) {
        if coefficient != 0 {
            mask |= bit(position);
        }
        if idct.mask & bit(position) != 0 {
            places[usize::from(idct.place[position])] = coefficient;
        }
    }
    (places, mask)
}

/// Clears the place of DC, which takes unneeded coefficients.
fn without_dc((mut places, mask): (Vec<i16>, u64)) -> (Vec<i16>, u64) {
    if let Some(place) = places.first_mut() {
        *place = 0;
    }
    (places, mask)
}

/// Decodes a band as G.1.2.2 does. Returns the number of empty blocks behind it.
fn slow_first(
    slow: &mut Slow<'_>,
    table: &HuffmanSpec,
    band: &AcBand<'_>,
    low: u8,
    block: &mut [i16; 64],
) -> usize {
    let mut k = band.first;
    while k <= band.last {
        let symbol = slow.symbol(table);
        let (run, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 && run < 15 {
            return (1 << run) + slow.bits(run as u32) as usize - 1;
        }
        k += run;
        let value = slow.value(size.into());
        if k > band.last {
            slow.damaged = true;
        } else {
            block[k] = (value as i16) << low;
        }
        k += 1;
    }
    0
}

/// Refines a band as figure G.7 does. Returns the number of settled blocks behind it.
fn slow_refinement(
    slow: &mut Slow<'_>,
    table: &HuffmanSpec,
    band: &AcBand<'_>,
    low: u8,
    block: &mut [i16; 64],
    mut settled: usize,
) -> usize {
    let before = *block;
    let correct = |slow: &mut Slow<'_>, coefficient: &mut i16| {
        if slow.bits(1) == 1 {
            *coefficient += coefficient.signum() << low;
        }
    };
    let mut k = band.first;
    while settled == 0 && k <= band.last {
        let symbol = slow.symbol(table);
        let (mut run, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 && run < 15 {
            settled = (1 << run) + slow.bits(run as u32) as usize;
            break;
        }
        if (k..=band.last).filter(|&k| before[k] == 0).count() <= run {
            slow.damaged = true;
            break;
        }
        let value = if size == 0 { 0 } else { slow.bits(1) * 2 - 1 };
        while before[k] != 0 || run > 0 {
            match before[k] {
                0 => run -= 1,
                _ => correct(slow, &mut block[k]),
            }
            k += 1;
        }
        block[k] = (value as i16) << low;
        k += 1;
    }
    for k in (k..=band.last).filter(|&k| before[k] != 0) {
        correct(slow, &mut block[k]);
    }
    settled.saturating_sub(1)
}

#[test]
fn first_scans_with_any_table_and_any_bits_decode_as_bit_by_bit() {
    let mut random = Random(81);
    for round in 0..1000 {
        let data = RandomData::new(&mut random);
        // Any symbols, or short runs and small values, so that bands fill up.
        let most = if round % 2 == 0 { 256 } else { 16 };
        let symbols = (0..most).map(|i| if most == 16 { (i & 3) << 4 | i >> 2 } else { i } as u8);
        let spec = random_table(&mut random, symbols.chain([0xF0, 0x10]));
        for scale in Scale::ALL {
            let idct = ScaledIdctLayout::new(scale, &QuantTable([1; 64]));
            let band = random_band(&mut random, &idct);
            let low = random.below(4) as u8;
            let mut slow = Slow::new(&data.bytes);
            let mut bits = BitBuffer::default();
            let mut damaged = false;
            for number in 0..12 {
                let mut expected = [0; 64];
                let empty = slow_first(&mut slow, &spec, &band, low, &mut expected);
                let band =
                    FirstBand::new(AcBand { idct: &idct, ..band }, TableCache::default().first(spec.view()));
                let (mut places, mut mask) = stored(&[0; 64], &idct);
                let block = StoredBlock { coefficients: &mut places, mask: &mut mask };
                let found = band.decode_block(&mut bits, &data.window, block, low, &mut damaged);
                let what = format!("round {round} scale {scale:?} block {number}");
                assert_eq!((found, damaged), (empty, slow.damaged), "{what}");
                assert_eq!(bits.position(), slow.at, "{what}");
                assert_eq!(without_dc((places, mask)), stored(&expected, &idct), "{what}");
            }
        }
    }
}

struct RefineBlock<'t, 'a> {
    band: &'t RefinedBand<'a>,
    bits: &'t mut BitBuffer,
    window: &'t WindowBytes,
    block: (Vec<i16>, u64),
    low: u8,
    settled: usize,
}

impl KernelTask for RefineBlock<'_, '_> {
    /// The block, the settled blocks behind it, and true if the data is damaged.
    type Output = ((Vec<i16>, u64), usize, bool);

    fn run<K: Kernels>(self, kernels: K) -> Self::Output {
        let RefineBlock { band, bits, window, block: (mut places, mut mask), low, settled } = self;
        let mut damaged = false;
        let block = StoredBlock { coefficients: &mut places, mask: &mut mask };
        let behind = band.decode_block(kernels, bits, window, block, low, settled, &mut damaged);
        ((places, mask), behind, damaged)
    }
}

#[test]
fn refinements_with_any_table_and_any_bits_decode_as_bit_by_bit() {
    let mut random = Random(1992);
    for round in 0..1000 {
        let data = RandomData::new(&mut random);
        // Mostly values of one bit. Runs of any length, or short ones, so that bands fill up.
        let runs = if round % 2 == 0 { 16 } else { 3 };
        let values = (0..runs).map(|run| run << 4 | 1);
        let spec = random_table(&mut random, values.chain([0x00, 0x10, 0x30, 0xF0, 0x02]));
        for scale in Scale::ALL {
            let idct = ScaledIdctLayout::new(scale, &QuantTable([1; 64]));
            let band = random_band(&mut random, &idct);
            let table = TableCache::default().refinement(spec.view());
            let band = RefinedBand { band, table };
            let low = random.below(3) as u8;
            let mut slow = Slow::new(&data.bytes);
            let mut bits = BitBuffer::default();
            for number in 0..12 {
                let settled = random.below(2) as usize * random.below(3) as usize;
                let mut expected = random_block(&mut random, low);
                let block = stored(&expected, &idct);
                slow.damaged = false;
                let behind = slow_refinement(&mut slow, &spec, &band.band, low, &mut expected, settled);
                let expected = (stored(&expected, &idct), behind, slow.damaged);
                let mut plain_bits = bits;
                let what = format!("round {round} scale {scale:?} block {number}");
                let window = &data.window;
                let task =
                    |bits| RefineBlock { band: &band, bits, window, block: block.clone(), low, settled };
                assert_eq!(task(&mut plain_bits).run(Scalar), expected, "{what}");
                assert_eq!(kernels::run(task(&mut bits)), expected, "{what}");
                assert_eq!((bits.position(), plain_bits.position()), (slow.at, slow.at), "{what}");
            }
        }
    }
}
