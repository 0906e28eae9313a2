//! `Op`: the picture operations that `ops=` names, with their parameters in range.

/// One picture operation. OpenCV's definitions are the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// Luma only: `0.299 R + 0.587 G + 0.114 B`.
    Grayscale,
    /// 255 minus each colour sample.
    Invert,
    /// Adds `n` levels to each colour sample, -255 to 255.
    Brightness(f32),
    /// Multiplies the distance to 128 by `1 + n / 100`, n from -100 to 100.
    Contrast(f32),
    /// Multiplies the distance to the pixel's luma by `1 + n / 100`, n from -100 to 100.
    Saturation(f32),
    /// Turns the hue by degrees, -360 to 360, keeping the luma: the `hue-rotate()` of CSS.
    Hue(f32),
    /// Raises each sample (0 to 1) to the power `1 / n`, n from 0.01 to 10.
    Gamma(f32),
    /// The brown tone of old prints: the `sepia()` of CSS.
    Sepia,
    /// Luma above `n` becomes white, all else black, n from 0 to 255.
    Threshold(u8),
    /// Gaussian blur, sigma 0.1 to 100 pixels.
    Blur(f32),
    /// Unsharp mask: twice the picture minus its Gaussian blur, sigma 0.1 to 100 pixels.
    Sharpen(f32),
    /// Median of a square of side `2r + 1`, r from 1 to 50.
    Median(u8),
    /// Non-local means, filter strength `h` from 1 to 100 for lightness and colour alike.
    Denoise(f32),
    /// Canny edges with the two hysteresis thresholds, 0 to 1000 each, low not above high.
    Edges {
        /// Weakest gradient that continues an edge.
        low: f32,
        /// Weakest gradient that starts an edge.
        high: f32,
    },
    /// Harris corners marked with red discs.
    Corners,
    /// SIFT key points drawn with size and orientation.
    Sift,
    /// Minimum over a square of side `2r + 1`, r from 1 to 50.
    Erode(u8),
    /// Maximum over a square of side `2r + 1`, r from 1 to 50.
    Dilate(u8),
    /// Histogram equalisation of the luma.
    Equalize,
    /// Squares of `n` pixels with their mean colour, n from 2 to 1000.
    Pixelate(u16),
}
