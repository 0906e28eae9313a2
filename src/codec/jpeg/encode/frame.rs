//! `FrameLayout`: components, their sampling factors, and the numbers of blocks and MCUs (T.81 A.1, A.2).

use crate::codec::jpeg::planes::Sampling;

/// One component of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Identifier in the file.
    pub id: u8,
    /// Blocks of an MCU across, 1 to 4.
    pub h: u8,
    /// Blocks of an MCU down, 1 to 4.
    pub v: u8,
    /// Number of its quantisation table.
    pub quantisation: u8,
    /// Number of its pair of Huffman tables, 0 or 1.
    pub huffman: u8,
}

/// Segment that tells readers the colour model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMark {
    /// A JFIF segment: grey, or YCbCr.
    Jfif,
    /// An Adobe segment with this transform: 0 for RGB and CMYK, 1 for YCbCr, 2 for YCCK.
    Adobe(u8),
}

/// Layout of a picture in blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameLayout {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: Vec<Component>,
    pub(super) mark: ColourMark,
}

impl FrameLayout {
    /// Makes a frame of `width` x `height` pixels. Returns `None` if a side is zero, there are none or more
    /// than four components, or T.81 forbids a factor, a table number or the size of the MCU.
    pub fn new(width: u16, height: u16, components: Vec<Component>, mark: ColourMark) -> Option<FrameLayout> {
        let factors = 1..=4;
        let legal = components
            .iter()
            .all(|c| factors.contains(&c.h) && factors.contains(&c.v) && c.quantisation < 4 && c.huffman < 2);
        let blocks: u32 = components.iter().map(|c| u32::from(c.h) * u32::from(c.v)).sum();
        let whole = width > 0 && height > 0 && (1..=4).contains(&components.len());
        (whole && legal && (components.len() == 1 || blocks <= 10)).then_some(FrameLayout {
            width,
            height,
            components,
            mark,
        })
    }

    /// Makes the frame of a picture in planes.
    pub(super) fn of(width: u16, height: u16, sampling: Sampling) -> FrameLayout {
        let (h, v) = sampling.factors();
        let luma = Component { id: 1, h: h as u8, v: v as u8, quantisation: 0, huffman: 0 };
        let chroma = |id| Component { id, h: 1, v: 1, quantisation: 1, huffman: 1 };
        let components =
            if sampling == Sampling::Gray { vec![luma] } else { vec![luma, chroma(2), chroma(3)] };
        FrameLayout { width, height, components, mark: ColourMark::Jfif }
    }

    /// Returns true if readers would mistake the colour model without the mark. All readers take one
    /// component for grey, and three components numbered from 1 for YCbCr.
    pub(super) fn needs_mark(&self) -> bool {
        let plain = self.components.len() != 4 && (1..).zip(&self.components).all(|(id, c)| c.id == id);
        self.mark != ColourMark::Jfif || !plain
    }

    /// Components in the order of the file.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    fn largest_factors(&self) -> (usize, usize) {
        let largest = |factor: fn(&Component) -> u8| self.components.iter().map(factor).max().unwrap_or(1);
        (largest(|c| c.h).into(), largest(|c| c.v).into())
    }

    /// MCUs across and down in a scan of all components.
    pub fn mcus(&self) -> (usize, usize) {
        let (h, v) = self.largest_factors();
        if let [_] = self.components[..] {
            // A scan of one component is not interleaved: its MCU is one block (A.2.2).
            return self.blocks(0);
        }
        (usize::from(self.width).div_ceil(8 * h), usize::from(self.height).div_ceil(8 * v))
    }

    /// Blocks across and down that hold samples of component `index` (A.2.4).
    pub fn blocks(&self, index: usize) -> (usize, usize) {
        let (h, v) = self.largest_factors();
        let component = &self.components[index];
        let side = |pixels: u16, factor: u8, largest: usize| {
            (usize::from(pixels) * usize::from(factor)).div_ceil(largest).div_ceil(8)
        };
        (side(self.width, component.h, h), side(self.height, component.v, v))
    }

    /// Blocks across and down of component `index`, including the padding blocks of partial MCUs.
    pub fn padded_blocks(&self, index: usize) -> (usize, usize) {
        if self.components.len() == 1 {
            return self.blocks(0);
        }
        let ((x, y), component) = (self.mcus(), &self.components[index]);
        (x * usize::from(component.h), y * usize::from(component.v))
    }

    /// Blocks of component `index` in an MCU of a scan of all components, across and down.
    pub(super) fn mcu_blocks(&self, index: usize) -> (usize, usize) {
        if self.components.len() == 1 {
            return (1, 1);
        }
        (self.components[index].h.into(), self.components[index].v.into())
    }
}
