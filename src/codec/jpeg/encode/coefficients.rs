//! `Coefficients`: a whole picture as quantised DCT coefficients, for codings that need several passes.

use super::dct::{self, DctBlock, Reciprocals, SCAN, nonzero};
use super::frame::FrameLayout;
use super::huffman::{Coverage, TokenHistogram};
use super::padding::BlockRows;
use super::token::{self, CLASS, EntropyToken, PER_BLOCK};
use super::trellis::{self, Rates, TrellisSteps};
use crate::codec::jpeg::planes::Plane;
use crate::codec::jpeg::quant::QuantTable;
use crate::codec::jpeg::zigzag::NATURAL;
use crate::limits::{Cancel, OutOfMemory, Stopped, try_vec};

/// Blocks that the trellis quantises between two checks for cancellation.
const BLOCKS_A_CHECK: usize = 1024;

/// Quantised coefficients of all blocks of a picture, and their quantisation tables.
#[derive(Debug, Clone)]
pub struct Coefficients {
    pub(super) frame: FrameLayout,
    pub(super) tables: Vec<QuantTable>,
    pub(super) planes: Vec<BlockPlane>,
}

/// Blocks of one component, the padding blocks of partial MCUs included.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockPlane {
    pub(super) across: usize,
    pub(super) blocks: Vec<DctBlock>,
    /// Masks of the blocks: bit `z` is set if the `z`-th coefficient in zig-zag order is not zero.
    pub(super) masks: Vec<u64>,
}

/// A coefficient outside of the range of 8-bit JPEG (T.81 F.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a DCT coefficient of {0} is too large for 8-bit JPEG")]
pub struct BadCoefficient(pub i16);

impl Coefficients {
    /// Makes a picture of zeros, which is mid-grey.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    pub fn new(frame: FrameLayout, tables: Vec<QuantTable>) -> Result<Coefficients, OutOfMemory> {
        let planes = (0..frame.components.len())
            .map(|index| {
                let (across, down) = frame.padded_blocks(index);
                let count = across * down;
                Ok(BlockPlane { across, blocks: try_vec(count)?, masks: try_vec(count)? })
            })
            .collect::<Result<_, OutOfMemory>>()?;
        Ok(Coefficients { frame, tables, planes })
    }

    /// Layout of the picture.
    pub fn frame(&self) -> &FrameLayout {
        &self.frame
    }

    /// Sets block (`x`, `y`) of component `index`, with its coefficients in natural (row-major) order.
    ///
    /// # Errors
    /// [`BadCoefficient`] for a DC coefficient outside -1024..=1023 or another outside -1023..=1023.
    ///
    /// # Panics
    /// If the block does not exist: see [`FrameLayout::padded_blocks`].
    pub fn set(
        &mut self,
        index: usize,
        x: usize,
        y: usize,
        natural: &[i16; 64],
    ) -> Result<(), BadCoefficient> {
        let [dc, ac @ ..] = natural;
        if !(-1024..=1023).contains(dc) {
            return Err(BadCoefficient(*dc));
        }
        if let Some(&bad) = ac.iter().find(|coefficient| coefficient.unsigned_abs() > 1023) {
            return Err(BadCoefficient(bad));
        }
        let plane = &mut self.planes[index];
        assert!(x < plane.across, "block {x} of {}", plane.across);
        let at = y * plane.across + x;
        for (place, natural_place) in SCAN.iter().zip(NATURAL) {
            plane.blocks[at].0[usize::from(*place)] = natural[usize::from(natural_place)];
        }
        plane.masks[at] = nonzero(&plane.blocks[at]);
        Ok(())
    }

    /// Transforms and quantises row `row` of the MCUs of `planes` into row `to` of the picture.
    pub(super) fn transform_row(
        &mut self,
        planes: &[Plane],
        row: usize,
        to: usize,
        reciprocals: &[Reciprocals; 2],
    ) {
        for (index, (plane, blocks)) in planes.iter().zip(&mut self.planes).enumerate() {
            let (h, v) = self.frame.mcu_blocks(index);
            let table = usize::from(self.frame.components[index].quantisation);
            for y in 0..v {
                let range = (to * v + y) * blocks.across..(to * v + y + 1) * blocks.across;
                dct::forward(
                    &plane.samples()[(row * v + y) * 8 * plane.stride()..],
                    plane.stride(),
                    &reciprocals[table],
                    &mut blocks.blocks[range.clone()],
                    &mut blocks.masks[range],
                );
            }
            let across = blocks.across;
            let rows = to * v * across..(to + 1) * v * across;
            let (blocks, masks) = (&mut blocks.blocks[rows.clone()], &mut blocks.masks[rows]);
            BlockRows { blocks, masks, across, mcu: (h, v) }.fill_up(plane, 0, row * v);
        }
    }

    /// Quantises coefficients in sixteenths at the least cost in bits and error. Bits are those of the
    /// optimal sequential tables for plain rounding.
    ///
    /// # Errors
    /// [`Stopped`].
    pub(super) fn optimise(&mut self, cancel: &Cancel) -> Result<(), Stopped> {
        let steps: Vec<TrellisSteps> = self.tables.iter().map(TrellisSteps::new).collect();
        let of = |frame: &FrameLayout, index: usize| usize::from(frame.components[index].quantisation);
        let mut histogram = TokenHistogram::default();
        let mut tokens = [0; PER_BLOCK];
        for (index, plane) in self.planes.iter().enumerate() {
            let class = EntropyToken::from(self.frame.components[index].huffman) * CLASS;
            let mut prediction = 0;
            for (i, block) in plane.blocks.iter().enumerate() {
                if i % BLOCKS_A_CHECK == 0 {
                    cancel.check()?;
                }
                let block = steps[of(&self.frame, index)].nearest(block);
                let n = token::sequential(&block, nonzero(&block), class, &mut prediction, &mut tokens);
                histogram.count(&tokens[..n]);
            }
        }
        let rates = histogram.tables(Coverage::All).map(|pair| Rates::new(&pair));
        for (index, plane) in self.planes.iter_mut().enumerate() {
            let rates = &rates[usize::from(self.frame.components[index].huffman)];
            for (i, (block, mask)) in plane.blocks.iter_mut().zip(&mut plane.masks).enumerate() {
                if i % BLOCKS_A_CHECK == 0 {
                    cancel.check()?;
                }
                *block = trellis::quantise(block, &steps[of(&self.frame, index)], rates);
                *mask = nonzero(block);
            }
        }
        Ok(())
    }

    /// Bytes of the coefficients of `frame`.
    pub fn estimate(frame: &FrameLayout) -> u64 {
        let blocks = (0..frame.components.len()).map(|index| frame.padded_blocks(index));
        blocks.map(|(x, y)| (x * y * (size_of::<DctBlock>() + size_of::<u64>())) as u64).sum()
    }
}
