//! Padding blocks of partial MCUs (T.81 A.2.4): they lie behind the last column or row of samples and are
//! never shown.

use super::dct::DctBlock;
use crate::codec::jpeg::planes::Plane;

/// Rows of blocks that make whole MCUs.
pub(super) struct BlockRows<'t> {
    pub(super) blocks: &'t mut [DctBlock],
    pub(super) masks: &'t mut [u64],
    /// Blocks in a row.
    pub(super) across: usize,
    /// Blocks of an MCU, across and down. There are as many rows as it has down.
    pub(super) mcu: (usize, usize),
}

impl BlockRows<'_> {
    /// Sets the blocks behind the end of `plane` to the DC coefficient of the block before them in the scan,
    /// which costs least. The first block is block (`x`, `y`) of the plane.
    pub(super) fn fill_up(self, plane: &Plane, x: usize, y: usize) {
        let BlockRows { blocks, masks, across, mcu: (h, v) } = self;
        let (columns, rows) = (plane.width().div_ceil(8) - x, plane.height().div_ceil(8) - y);
        if columns >= across && rows >= v {
            return;
        }
        for y in 0..v {
            for x in 0..across {
                if x < columns && y < rows {
                    continue;
                }
                // The first block of an MCU always has samples.
                let before = if x % h > 0 { y * across + x - 1 } else { (y - 1) * across + x + h - 1 };
                let (dc, at) = (blocks[before].0[0], y * across + x);
                blocks[at] = DctBlock::default();
                blocks[at].0[0] = dc;
                masks[at] = u64::from(dc != 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::jpeg::encode::tests::picture;
    use crate::codec::jpeg::encode::{Coding, EncodeOptions, Encoder};
    use crate::codec::jpeg::planes::Sampling;

    #[test]
    fn what_lies_behind_the_last_block_with_samples_changes_nothing() {
        for (sampling, width, height) in [
            (Sampling::S420, 200, 150),
            (Sampling::S420, 8, 8),
            (Sampling::S422, 70, 20),
            (Sampling::S444, 30, 9),
        ] {
            for coding in [Coding::Fixed, Coding::Optimised, Coding::Progressive, Coding::Smallest] {
                let options = EncodeOptions { coding, ..EncodeOptions::default() };
                let mut planes = picture(width, height, sampling);
                let expected = Encoder::default().encode(&planes, &options).unwrap();
                for plane in planes.planes_mut() {
                    let (columns, rows) = (plane.width().div_ceil(8) * 8, plane.height().div_ceil(8) * 8);
                    let stride = plane.stride();
                    for (i, sample) in plane.samples_mut().iter_mut().enumerate() {
                        if i % stride >= columns || i / stride >= rows {
                            *sample = (i * i) as u8;
                        }
                    }
                }
                let file = Encoder::default().encode(&planes, &options).unwrap();
                assert!(file == expected, "{sampling:?} {width} x {height} {coding:?}");
            }
        }
    }
}
