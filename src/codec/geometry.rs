//! Where every pixel of the result comes from: orientation, crop, scale and padding, as numbers only.

/// How stored pixels map to the upright picture: one of the eight symmetries of the rectangle,
/// applied in the order transpose, then mirror in x, then mirror in y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Rows become columns (reflection in the main diagonal).
    pub transpose: bool,
    /// Mirror left to right, after the transposition.
    pub mirror_x: bool,
    /// Mirror top to bottom, after the transposition.
    pub mirror_y: bool,
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

/// The larger picture that a contained result is centred on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Column of the canvas on which the resized picture starts.
    pub x: u32,
    /// Row of the canvas on which the resized picture starts.
    pub y: u32,
}

/// The whole way from stored source pixels to the result: turn upright, take `region`, resample it to
/// `width` x `height`, lay it on `canvas` if there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// From stored to upright.
    pub orientation: Orientation,
    /// The part of the upright picture that is used.
    pub region: Region,
    /// Width of the resampled region, in pixels, at least 1.
    pub width: u32,
    /// Height of the resampled region, in pixels, at least 1.
    pub height: u32,
    /// Padding around it.
    pub canvas: Option<Canvas>,
}
