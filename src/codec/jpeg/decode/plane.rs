//! `PlaneLayout`: where the samples of a component lie and what part of the picture they cover (T.81 A.1.1, A.2.4).

use super::block::Scale;
use crate::codec::jpeg::header::{Component, FrameHeader};

/// The samples of one component, as they come out of the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaneLayout {
    /// The scale of this component.
    pub scale: Scale,
    /// Samples of a row that show the picture, the last perhaps in part: `extent_x` rounded up.
    pub width: usize,
    /// Rows that show the picture, the last perhaps in part: `extent_y` rounded up.
    pub height: usize,
    /// How many samples the width of the picture is, exactly.
    pub extent_x: Extent,
    /// How many rows the height of the picture is, exactly.
    pub extent_y: Extent,
    /// Rows that come with each row of MCUs. The last may hold rows below `height`.
    pub strip_rows: usize,
    /// Least distance between two rows in [`PlaneRows`]: the padded width and room for whole vector stores.
    pub min_stride: usize,
}

impl PlaneLayout {
    pub(super) fn new(frame: &FrameHeader, component: &Component, scale: Scale) -> PlaneLayout {
        let extent = |pixels: u16, factor: u8, max: u8| Extent {
            numerator: u32::from(pixels) * u32::from(factor) * scale.k() as u32,
            denominator: u32::from(max) * 8,
        };
        let extent_x = extent(frame.width, component.h, frame.h_max());
        let extent_y = extent(frame.height, component.v, frame.v_max());
        PlaneLayout {
            scale,
            width: extent_x.ceil(),
            height: extent_y.ceil(),
            extent_x,
            extent_y,
            strip_rows: usize::from(component.v) * scale.k(),
            min_stride: mcu_columns(frame) * usize::from(component.h) * scale.k() + 8,
        }
    }

    /// Least number of bytes in [`PlaneRows::samples`] at the given stride.
    pub fn strip_len(&self, stride: usize) -> usize {
        self.strip_rows * stride
    }
}

/// A length in samples, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Above the line.
    pub numerator: u32,
    /// Below the line, at least 8.
    pub denominator: u32,
}

impl Extent {
    /// The length in samples.
    pub fn samples(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    fn ceil(self) -> usize {
        self.numerator.div_ceil(self.denominator) as usize
    }
}

/// Where the decoder writes the rows of one plane.
#[derive(Debug)]
pub struct PlaneRows<'a> {
    /// At least [`PlaneLayout::strip_len`] bytes; row `r` starts at `r * stride`. What lies between the rows may be
    /// overwritten.
    pub samples: &'a mut [u8],
    /// Bytes from one row to the next, at least [`PlaneLayout::min_stride`].
    pub stride: usize,
}

/// MCUs in a row of the frame.
pub(super) fn mcu_columns(frame: &FrameHeader) -> usize {
    usize::from(frame.width).div_ceil(8 * usize::from(frame.h_max()))
}

/// Rows of MCUs in the frame.
pub(super) fn mcu_rows(frame: &FrameHeader) -> usize {
    usize::from(frame.height).div_ceil(8 * usize::from(frame.v_max()))
}

/// Columns and rows of blocks of a component that a scan of this component alone has (A.2.2).
pub(super) fn lone_blocks(frame: &FrameHeader, component: &Component) -> (usize, usize) {
    let blocks = |pixels: u16, factor: u8, max: u8| {
        (usize::from(pixels) * usize::from(factor)).div_ceil(usize::from(max)).div_ceil(8)
    };
    (blocks(frame.width, component.h, frame.h_max()), blocks(frame.height, component.v, frame.v_max()))
}
