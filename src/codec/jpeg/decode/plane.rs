//! `PlaneLayout`: layout of the samples of a component, and the part of the picture that they cover (T.81
//! A.1.1, A.2.4).

use super::block::Scale;
use crate::codec::jpeg::header::{FrameComponent, FrameHeader};
use std::ops::Range;

/// Layout of the decoded samples of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaneLayout {
    /// Scale of this component.
    pub scale: Scale,
    /// Samples of a row that show the picture, the last perhaps in part: `extent_x` rounded up.
    pub width: usize,
    /// Rows that show the picture, the last perhaps in part: `extent_y` rounded up.
    pub height: usize,
    /// Exact width of the picture, in samples.
    pub extent_x: Extent,
    /// Exact height of the picture, in rows.
    pub extent_y: Extent,
    /// Rows of each row of MCUs. The last strip may hold rows below `height`.
    pub strip_rows: usize,
    /// Least distance between two rows in [`PlaneRows`]: the padded width, and room for whole vector stores.
    pub min_stride: usize,
}

impl PlaneLayout {
    pub(super) fn new(frame: &FrameHeader, component: &FrameComponent, scale: Scale) -> PlaneLayout {
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

/// Range of block columns with wanted samples. Other blocks are decoded, but not transformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    first: usize,
    count: usize,
}

impl Columns {
    pub(super) const ALL: Columns = Columns { first: 0, count: usize::MAX };
    pub(super) const NONE: Columns = Columns { first: 0, count: 0 };

    pub(super) fn is_empty(self) -> bool {
        self.count == 0
    }

    #[inline(always)]
    pub(super) fn has(self, column: usize) -> bool {
        column.wrapping_sub(self.first) < self.count
    }

    /// Returns the wanted columns below `end`.
    pub(super) fn below(self, end: usize) -> Range<usize> {
        self.first.min(end)..self.first.saturating_add(self.count).min(end)
    }
}

/// The wanted part of a plane, in whole blocks and rows of MCUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedPart {
    columns: Columns,
    mcu_rows: Range<usize>,
}

impl WantedPart {
    pub(super) const ALL: WantedPart = WantedPart { columns: Columns::ALL, mcu_rows: 0..usize::MAX };

    /// Returns the smallest part that holds the samples at `columns` and `rows`.
    pub(super) fn holding(columns: Range<usize>, rows: Range<usize>, layout: &PlaneLayout) -> WantedPart {
        let k = layout.scale.k();
        let first = columns.start / k;
        let count = if columns.is_empty() { 0 } else { columns.end.div_ceil(k) - first };
        let mcu_rows = rows.start / layout.strip_rows..rows.end.div_ceil(layout.strip_rows);
        WantedPart { columns: Columns { first, count }, mcu_rows }
    }

    /// Returns the wanted columns of row `row` of the MCUs.
    pub(super) fn columns(&self, row: usize) -> Columns {
        if self.mcu_rows.contains(&row) { self.columns } else { Columns::NONE }
    }
}

/// Destination of the decoded rows of one plane.
#[derive(Debug)]
pub struct PlaneRows<'a> {
    /// At least [`PlaneLayout::strip_len`] bytes, or none if the plane is not wanted. Row `r` starts at `r *
    /// stride`. The bytes between rows may be overwritten.
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

/// Columns and rows of blocks of a component in a non-interleaved scan (A.2.2).
pub(super) fn lone_blocks(frame: &FrameHeader, component: &FrameComponent) -> (usize, usize) {
    let blocks = |pixels: u16, factor: u8, max: u8| {
        (usize::from(pixels) * usize::from(factor)).div_ceil(usize::from(max)).div_ceil(8)
    };
    (blocks(frame.width, component.h, frame.h_max()), blocks(frame.height, component.v, frame.v_max()))
}
