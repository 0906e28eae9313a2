//! Rate-distortion optimised quantisation: finds the quantised AC coefficients of a block with the least sum
//! of bits and weighted error.
//!
//! A shortest path through the coefficients in zig-zag order, as in Crouse and Ramchandran, "Joint
//! thresholding and quantizer selection for transform image coding" (IEEE Trans. Image Processing 6(2),
//! 1997), with the weights of mozjpeg's trellis: error counts in units of the step, and less in busy blocks.

use super::dct::{DctBlock, SCAN};
use super::tables::TablePair;
use super::token;
use crate::codec::jpeg::quant::QuantTable;

/// Bits that one squared step of error is worth in a flat block. Three times the value of mozjpeg, which aims
/// at PSNR. For SSIMULACRA2 the optimum is flat between 40 and 120.
const FLAT_WEIGHT: f32 = 60.0;
/// Mean square of the AC coefficients at which error counts half as much.
const BUSY: f32 = 1448.0;

/// Number of bits of each run and size (T.81 F.1.2.2).
#[derive(Debug)]
pub(super) struct Rates {
    /// By run and size, the extra bits included.
    pairs: [[f32; 16]; 16],
    zero_run: f32,
    end_of_block: f32,
}

impl Rates {
    /// Takes the code lengths of `tables`. A symbol without code counts as the longest.
    pub(super) fn new(tables: &TablePair) -> Rates {
        let mut lengths = [16_u8; 256];
        for (symbol, _, length) in tables.ac.codes() {
            lengths[usize::from(symbol)] = length;
        }
        let pairs = std::array::from_fn(|run| {
            std::array::from_fn(|size| f32::from(lengths[run << 4 | size]) + size as f32)
        });
        Rates { pairs, zero_run: lengths[0xF0].into(), end_of_block: lengths[0x00].into() }
    }

    fn of(&self, run: usize, size: usize) -> f32 {
        self.pairs[run % 16][size % 16] + (run / 16) as f32 * self.zero_run
    }
}

/// The steps of one table in the order of the scan, in sixteenths.
#[derive(Debug)]
pub(super) struct TrellisSteps([i32; 64]);

impl TrellisSteps {
    /// Takes the steps of `table`.
    pub(super) fn new(table: &QuantTable) -> TrellisSteps {
        // SCAN is column-major, tables are row-major.
        TrellisSteps(SCAN.map(|place| 16 * i32::from(table.0[usize::from(place % 8 * 8 + place / 8)])))
    }

    /// Rounds `block`, whose coefficients are in sixteenths, to the nearest steps.
    pub(super) fn nearest(&self, block: &DctBlock) -> DctBlock {
        let mut rounded = DctBlock::default();
        for (z, &place) in SCAN.iter().enumerate() {
            let value = i32::from(block.0[usize::from(place)]);
            rounded.0[usize::from(place)] = (self.round(z, value.abs()) * value.signum()) as i16;
        }
        rounded
    }

    fn round(&self, z: usize, magnitude: i32) -> i32 {
        (magnitude + self.0[z] / 2) / self.0[z]
    }
}

/// A non-zero coefficient at the end of the best path to it.
#[derive(Debug, Clone, Copy)]
struct Node {
    z: usize,
    value: i32,
    /// Bits and error up to here, without the errors of the zeros before.
    cost: f32,
    before: usize,
}

/// Quantises `block`, whose coefficients are in sixteenths, at the least cost.
pub(super) fn quantise(block: &DctBlock, steps: &TrellisSteps, rates: &Rates) -> DctBlock {
    let magnitude: [i32; 64] = SCAN.map(|place| i32::from(block.0[usize::from(place)]).abs());
    let energy: i64 = magnitude[1..].iter().map(|&m| i64::from(m) * i64::from(m)).sum();
    let mean_square = energy as f32 / (63.0 * 256.0);
    let weight = FLAT_WEIGHT * BUSY / (BUSY + mean_square);

    // Sums of the errors of zeros up to each place.
    let mut zeros = [0.0_f32; 64];
    let mut nodes = [Node { z: 0, value: 0, cost: 0.0, before: 0 }; 64];
    let mut count = 1;
    for z in 1..64 {
        let exact = magnitude[z] as f32 / steps.0[z] as f32;
        zeros[z] = zeros[z - 1] + weight * exact * exact;
        let nearest = steps.round(z, magnitude[z]);
        if nearest == 0 {
            continue;
        }
        let mut best = Node { z, value: 0, cost: f32::INFINITY, before: 0 };
        // Candidates: the nearest, the one below, and the largest that is a bit shorter. Zero is no node.
        let (size, _) = token::magnitude(nearest);
        let shorter = (1 << (size - 1)) - 1;
        let candidates = [nearest, nearest - 1, shorter];
        for (i, &value) in candidates.iter().enumerate() {
            if value <= 0 || candidates[..i].contains(&value) {
                continue;
            }
            let (size, _) = token::magnitude(value);
            let off = exact - value as f32;
            let error = weight * off * off;
            for (before, node) in nodes[..count].iter().enumerate() {
                let skipped = zeros[z - 1] - zeros[node.z];
                let cost = node.cost + skipped + rates.of(z - node.z - 1, size as usize) + error;
                if cost < best.cost {
                    best = Node { z, value, cost, before };
                }
            }
        }
        nodes[count] = best;
        count += 1;
    }

    let ended = |node: &Node| {
        let end = if node.z < 63 { rates.end_of_block } else { 0.0 };
        node.cost + zeros[63] - zeros[node.z] + end
    };
    let costs = nodes[..count].iter().map(ended);
    let (mut at, _) = costs
        .enumerate()
        .fold((0, f32::INFINITY), |best, (i, cost)| if cost < best.1 { (i, cost) } else { best });

    let mut quantised = DctBlock::default();
    let dc = i32::from(block.0[0]);
    quantised.0[0] = (steps.round(0, dc.abs()) * dc.signum()) as i16;
    while at > 0 {
        let Node { z, value, before, .. } = nodes[at];
        let place = usize::from(SCAN[z]);
        quantised.0[place] = (value * i32::from(block.0[place]).signum()) as i16;
        at = before;
    }
    quantised
}

#[cfg(test)]
mod tests {
    use super::super::tables::STANDARD;
    use super::*;
    use proptest::prelude::*;

    fn cost(raw: &DctBlock, quantised: &DctBlock, steps: &TrellisSteps, rates: &Rates) -> f32 {
        let energy: i64 = SCAN[1..].iter().map(|&p| i64::from(raw.0[usize::from(p)]).pow(2)).sum();
        let weight = FLAT_WEIGHT * BUSY / (BUSY + energy as f32 / (63.0 * 256.0));
        let (mut cost, mut run) = (0.0, 0);
        for (z, &place) in SCAN.iter().enumerate().skip(1) {
            let value = quantised.0[usize::from(place)];
            let off = f32::from(raw.0[usize::from(place)]) / steps.0[z] as f32 - f32::from(value);
            cost += weight * off * off;
            if value == 0 {
                run += 1;
            } else {
                cost += rates.of(run, token::magnitude(value.into()).0 as usize);
                run = 0;
            }
        }
        if run > 0 { cost + rates.end_of_block } else { cost }
    }

    proptest! {
        #[test]
        fn the_path_is_never_dearer_than_rounding(
            values in prop::collection::vec(-900_i16..900, 64), step in 1_u16..60,
        ) {
            let mut raw = DctBlock::default();
            for (z, &place) in SCAN.iter().enumerate() {
                raw.0[usize::from(place)] = values[z] / (1 + z as i16 / 4);
            }
            let steps = TrellisSteps::new(&QuantTable([step; 64]));
            let rates = Rates::new(&STANDARD[0]);
            let (best, nearest) = (quantise(&raw, &steps, &rates), steps.nearest(&raw));
            let (best_cost, nearest_cost) =
                (cost(&raw, &best, &steps, &rates), cost(&raw, &nearest, &steps, &rates));
            prop_assert!(best_cost <= nearest_cost * 1.0001, "{best_cost} for {nearest_cost}");
            prop_assert!(best.0.iter().zip(nearest.0).all(|(b, n)| b.abs() <= n.abs()));
        }
    }
}
