//! `Geometry`: sizes, regions and canvases of pictures, as numbers only.

use super::Orientation;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// Width times height.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Exchanges width and height.
    pub fn transposed(self) -> Size {
        Size { width: self.height, height: self.width }
    }
}

/// A rectangle of the upright source, in pixels with fractions. Sides are positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Canvas under a contained result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Column of the left edge of the resized picture.
    pub x: u32,
    /// Row of the top edge of the resized picture.
    pub y: u32,
}

/// Geometry of a picture from its stored pixels to the result: turn upright, take `region`, resample it to
/// `width` x `height`, and lay it on `canvas` if there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// From stored to upright.
    pub orientation: Orientation,
    /// Used part of the upright picture.
    pub region: Region,
    /// Width of the resampled region, in pixels, at least 1.
    pub width: u32,
    /// Height of the resampled region, in pixels, at least 1.
    pub height: u32,
    /// Padding around it.
    pub canvas: Option<Canvas>,
}

impl Geometry {
    /// The size of the result, padding included.
    pub fn output(&self) -> Size {
        match self.canvas {
            Some(canvas) => Size { width: canvas.width, height: canvas.height },
            None => Size { width: self.width, height: self.height },
        }
    }
}
