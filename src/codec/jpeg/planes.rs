//! `Planes`: a picture in JPEG's own form: luma and chroma planes of 8 bits, each at its own resolution.

use crate::limits::{OutOfMemory, try_vec};
use std::ops::Range;

/// Set of planes, and the resolution of the chroma planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// Luma only.
    Gray,
    /// Chroma as large as luma (4:4:4).
    S444,
    /// Chroma half as wide (4:2:2).
    S422,
    /// Chroma half as wide and half as high (4:2:0).
    S420,
}

impl Sampling {
    /// Number of planes: 1 or 3.
    pub const fn planes(self) -> usize {
        if matches!(self, Sampling::Gray) { 1 } else { 3 }
    }

    /// Luma samples per chroma sample, across and down: the sampling factors of the luma component.
    pub const fn factors(self) -> (usize, usize) {
        match self {
            Sampling::Gray | Sampling::S444 => (1, 1),
            Sampling::S422 => (2, 1),
            Sampling::S420 => (2, 2),
        }
    }

    /// Width and height of plane `index` of a picture of `width` x `height`, in samples.
    pub const fn plane_size(self, index: usize, width: usize, height: usize) -> (usize, usize) {
        if index == 0 {
            return (width, height);
        }
        let (h, v) = self.factors();
        (width.div_ceil(h), height.div_ceil(v))
    }
}

/// One plane. Its memory is padded at the right and bottom to multiples of [`Plane::PAD`], so that whole
/// blocks and MCUs can be read. [`Plane::extend_edges`] fills this margin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plane {
    width: usize,
    height: usize,
    stride: usize,
    samples: Vec<u8>,
}

impl Plane {
    /// Alignment of both sides of the plane memory, in samples.
    pub const PAD: usize = 16;

    /// Allocates a plane of `width` x `height` with unspecified samples.
    pub fn new(width: usize, height: usize) -> Result<Plane, OutOfMemory> {
        let mut plane = Plane::default();
        plane.reset(width, height)?;
        Ok(plane)
    }

    /// Resizes the plane to `width` x `height` with unspecified samples. Reuses its memory if that is large
    /// enough.
    fn reset(&mut self, width: usize, height: usize) -> Result<(), OutOfMemory> {
        let stride = width.next_multiple_of(Plane::PAD);
        let len = stride * height.next_multiple_of(Plane::PAD);
        if self.samples.len() < len {
            self.samples = Vec::new();
            self.samples = try_vec(len)?;
        }
        (self.width, self.height, self.stride) = (width, height, stride);
        Ok(())
    }

    /// Width in samples, without the margin.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in samples, without the margin.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Distance between rows in [`Plane::samples`].
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// All rows, margin included, [`Plane::stride`] apart.
    pub fn samples(&self) -> &[u8] {
        &self.samples[..self.stride * self.height.next_multiple_of(Plane::PAD)]
    }

    /// Mutable rows, as in [`Plane::samples`].
    pub fn samples_mut(&mut self) -> &mut [u8] {
        let len = self.stride * self.height.next_multiple_of(Plane::PAD);
        &mut self.samples[..len]
    }

    /// Iterates over the rows from top to bottom, without the margin.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.samples.chunks_exact(self.stride).take(self.height).map(|row| &row[..self.width])
    }

    /// Repeats the last column of `rows` into the right margin. Behind the last row, repeats it into the
    /// bottom margin.
    pub fn extend_edges(&mut self, rows: Range<usize>) {
        let (width, height, stride) = (self.width, self.height, self.stride);
        if width < stride {
            for row in self.samples[rows.start * stride..rows.end * stride].chunks_exact_mut(stride) {
                let last = row[width - 1];
                row[width..].fill(last);
            }
        }
        if rows.end == height {
            let last = (height - 1) * stride;
            for row in height..height.next_multiple_of(Plane::PAD) {
                self.samples.copy_within(last..last + stride, row * stride);
            }
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.samples.capacity()
    }
}

/// A picture in luma and chroma (YCbCr of JFIF: BT.601 primaries, full range), or in luma alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planes {
    width: usize,
    height: usize,
    sampling: Sampling,
    planes: [Plane; 3],
}

impl Default for Planes {
    /// One black pixel.
    fn default() -> Self {
        let mut planes: [Plane; 3] = Default::default();
        planes[0] =
            Plane { width: 1, height: 1, stride: Plane::PAD, samples: vec![0; Plane::PAD * Plane::PAD] };
        Planes { width: 1, height: 1, sampling: Sampling::Gray, planes }
    }
}

impl Planes {
    /// Longest side that a JPEG frame header can state.
    pub const MAX_SIDE: usize = 65_535;

    /// Allocates a picture of `width` x `height` pixels with unspecified samples.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    ///
    /// # Panics
    /// If a side is zero or longer than [`Planes::MAX_SIDE`].
    pub fn new(width: usize, height: usize, sampling: Sampling) -> Result<Planes, OutOfMemory> {
        let mut planes = Planes::default();
        planes.reset(width, height, sampling)?;
        Ok(planes)
    }

    /// Resizes the picture as [`Planes::new`] does. Reuses its memory if that is large enough.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses.
    ///
    /// # Panics
    /// If a side is zero or longer than [`Planes::MAX_SIDE`].
    pub fn reset(&mut self, width: usize, height: usize, sampling: Sampling) -> Result<(), OutOfMemory> {
        let sides = 1..=Planes::MAX_SIDE;
        assert!(sides.contains(&width) && sides.contains(&height), "{width} x {height} is no JPEG size");
        for (index, plane) in self.planes.iter_mut().enumerate().take(sampling.planes()) {
            let (width, height) = sampling.plane_size(index, width, height);
            plane.reset(width, height)?;
        }
        (self.width, self.height, self.sampling) = (width, height, sampling);
        Ok(())
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Set of planes and their resolution.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// The luma plane, followed by Cb and Cr unless grey.
    pub fn planes(&self) -> &[Plane] {
        &self.planes[..self.sampling.planes()]
    }

    /// Mutable planes, as in [`Planes::planes`].
    pub fn planes_mut(&mut self) -> &mut [Plane] {
        &mut self.planes[..self.sampling.planes()]
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.planes.iter().map(Plane::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sides_round_chroma_up() {
        let planes = Planes::new(33, 17, Sampling::S420).unwrap();
        let sizes: Vec<_> = planes.planes().iter().map(|plane| (plane.width(), plane.height())).collect();
        assert_eq!(sizes, [(33, 17), (17, 9), (17, 9)]);
        assert!(planes.planes().iter().all(|plane| plane.stride() % 16 == 0));
    }

    #[test]
    fn the_margin_repeats_the_edge() {
        let mut planes = Planes::new(3, 2, Sampling::Gray).unwrap();
        let plane = &mut planes.planes_mut()[0];
        plane.samples_mut()[..3].copy_from_slice(&[1, 2, 3]);
        plane.samples_mut()[16..19].copy_from_slice(&[4, 5, 6]);
        plane.extend_edges(0..2);
        assert_eq!(plane.samples()[..16], [1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!(plane.samples()[15 * 16..], [4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]);
    }
}
