//! `Frame`: components, their sampling factors, and how many blocks and MCUs that makes (T.81 A.1, A.2).

use crate::codec::jpeg::planes::Sampling;

/// One component of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Its identifier in the file.
    pub id: u8,
    /// Blocks of an MCU across, 1 to 4.
    pub h: u8,
    /// Blocks of an MCU down, 1 to 4.
    pub v: u8,
    /// Which quantisation table it uses.
    pub quantisation: u8,
    /// Which pair of Huffman tables it uses, 0 or 1.
    pub huffman: u8,
}

/// How the file says what its components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMark {
    /// A JFIF segment: grey, or YCbCr.
    Jfif,
    /// An Adobe segment with this transform: 0 for RGB and CMYK, 1 for YCbCr, 2 for YCCK.
    Adobe(u8),
}

/// The layout of a picture in blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: Vec<Component>,
    pub(super) mark: ColourMark,
}

impl Frame {
    /// A frame of `width` x `height` pixels. `None` if a side is zero, there are none or more than four
    /// components, or a factor, table or the size of the MCU is not one that T.81 allows.
    pub fn new(width: u16, height: u16, components: Vec<Component>, mark: ColourMark) -> Option<Frame> {
        let factors = 1..=4;
        let legal = components
            .iter()
            .all(|c| factors.contains(&c.h) && factors.contains(&c.v) && c.quantisation < 4 && c.huffman < 2);
        let blocks: u32 = components.iter().map(|c| u32::from(c.h) * u32::from(c.v)).sum();
        let whole = width > 0 && height > 0 && (1..=4).contains(&components.len());
        (whole && legal && (components.len() == 1 || blocks <= 10)).then_some(Frame {
            width,
            height,
            components,
            mark,
        })
    }

    /// The frame of a picture in planes.
    pub(super) fn of(width: u16, height: u16, sampling: Sampling) -> Frame {
        let (h, v) = sampling.factors();
        let luma = Component { id: 1, h: h as u8, v: v as u8, quantisation: 0, huffman: 0 };
        let chroma = |id| Component { id, h: 1, v: 1, quantisation: 1, huffman: 1 };
        let components =
            if sampling == Sampling::Gray { vec![luma] } else { vec![luma, chroma(2), chroma(3)] };
        Frame { width, height, components, mark: ColourMark::Jfif }
    }

    /// Whether readers would take the components for something else without the mark. Everybody takes one component
    /// for grey, and three that are numbered from 1 for YCbCr.
    pub(super) fn needs_mark(&self) -> bool {
        let plain = self.components.len() != 4 && (1..).zip(&self.components).all(|(id, c)| c.id == id);
        self.mark != ColourMark::Jfif || !plain
    }

    /// The components in the order of the file.
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

    /// Blocks across and down of component `index` counting those that only fill up MCUs.
    pub fn padded_blocks(&self, index: usize) -> (usize, usize) {
        if self.components.len() == 1 {
            return self.blocks(0);
        }
        let ((x, y), component) = (self.mcus(), &self.components[index]);
        (x * usize::from(component.h), y * usize::from(component.v))
    }

    /// Blocks of component `index` in an MCU of a scan of all components: across and down.
    pub(super) fn mcu_blocks(&self, index: usize) -> (usize, usize) {
        if self.components.len() == 1 {
            return (1, 1);
        }
        (self.components[index].h.into(), self.components[index].v.into())
    }
}
