//! `Pixels`: a picture in memory, 8 bits a sample, interleaved, rows tight; and its geometry.

mod geometry;
mod orientation;

pub use geometry::{Canvas, Geometry, Region, Size};
pub use orientation::Orientation;

use crate::limits::{OutOfMemory, try_vec};

/// The samples of one pixel, in memory order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One sample: luma.
    Gray,
    /// Two samples: luma and straight (not premultiplied) alpha.
    GrayAlpha,
    /// Three samples: red, green, blue.
    Rgb,
    /// Four samples: red, green, blue and straight (not premultiplied) alpha.
    Rgba,
}

impl Channels {
    /// Samples (and so bytes) per pixel: 1 to 4.
    pub const fn count(self) -> usize {
        match self {
            Channels::Gray => 1,
            Channels::GrayAlpha => 2,
            Channels::Rgb => 3,
            Channels::Rgba => 4,
        }
    }

    /// Samples that are colour: 1 or 3.
    pub const fn colours(self) -> usize {
        match self {
            Channels::Gray | Channels::GrayAlpha => 1,
            Channels::Rgb | Channels::Rgba => 3,
        }
    }

    /// Returns true if the last sample is alpha.
    pub const fn has_alpha(self) -> bool {
        matches!(self, Channels::GrayAlpha | Channels::Rgba)
    }
}

/// A picture: `width * height` pixels of `channels`, sRGB unless said otherwise.
///
/// The constructors ensure that the sample count fits the dimensions and that neither side is zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    width: u32,
    height: u32,
    channels: Channels,
    data: Vec<u8>,
}

impl Pixels {
    /// Takes `data` as a picture. `None` if a side is zero or `data` is not exactly
    /// `width * height * channels.count()` bytes.
    pub fn new(width: u32, height: u32, channels: Channels, data: Vec<u8>) -> Option<Pixels> {
        let fits = width > 0 && height > 0 && byte_len(width, height, channels) == Some(data.len());
        fits.then_some(Pixels { width, height, channels, data })
    }

    /// A picture of zero samples (black, and transparent where there is alpha).
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses, or the size overflows.
    ///
    /// # Panics
    /// Panics if a side is zero.
    pub fn zeroed(width: u32, height: u32, channels: Channels) -> Result<Pixels, OutOfMemory> {
        assert!(width > 0 && height > 0, "a picture has no empty side");
        let len = byte_len(width, height, channels).ok_or(OutOfMemory { bytes: u64::MAX })?;
        Ok(Pixels { width, height, channels, data: try_vec(len)? })
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Channels of each pixel.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// All samples, row after row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All samples, row after row, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// Returns the samples and drops the rest.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// Bytes in one row.
    pub fn row_len(&self) -> usize {
        self.width as usize * self.channels.count()
    }

    /// The rows from top to bottom.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.data.chunks_exact(self.row_len())
    }
}

fn byte_len(width: u32, height: u32, channels: Channels) -> Option<usize> {
    (width as usize).checked_mul(height as usize)?.checked_mul(channels.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_the_wrong_length_cannot_be_made() {
        assert!(Pixels::new(2, 2, Channels::Rgb, vec![0; 12]).is_some());
        assert!(Pixels::new(2, 2, Channels::Rgb, vec![0; 11]).is_none());
        assert!(Pixels::new(0, 2, Channels::Rgb, vec![]).is_none());
        assert!(Pixels::new(u32::MAX, u32::MAX, Channels::Rgba, vec![]).is_none());
    }
}
