//! A grey plane of floats, its doubling, halving and Gaussian blur.

use super::super::OpError;
use super::super::border::{reflect101, replicate};
use super::super::vector::{Task, widest};
use crate::limits::{Cancel, OutOfMemory, try_vec};
use crate::pixels::Pixels;

#[derive(Debug)]
pub(super) struct Plane {
    width: usize,
    height: usize,
    data: Vec<f32>,
}

impl Plane {
    fn zeroed(width: usize, height: usize) -> Result<Plane, OpError> {
        let len = width.checked_mul(height).ok_or(OutOfMemory { bytes: u64::MAX })?;
        Ok(Plane { width, height, data: try_vec(len)? })
    }

    /// Twice as wide and high as a grey picture, bilinear: each pixel becomes four about its centre, so that the
    /// place `x` comes to lie at `2 x + 0.5`.
    pub(super) fn doubled(gray: &Pixels) -> Result<Plane, OpError> {
        let (width, height) = (gray.width() as usize, gray.height() as usize);
        let mut plane = Plane::zeroed(2 * width, 2 * height)?;
        let row = |y: isize| &gray.data()[replicate(y, height) * width..][..width];
        for (y, out) in plane.data.chunks_exact_mut(2 * width).enumerate() {
            let near = (y / 2) as isize;
            let (near, far) = (row(near), row(if y % 2 == 0 { near - 1 } else { near + 1 }));
            let mix = |x: isize| {
                let x = replicate(x, width);
                0.75 * f32::from(near[x]) + 0.25 * f32::from(far[x])
            };
            for (x, pair) in (0..).zip(out.as_chunks_mut().0) {
                let [left, here, right] = [mix(x - 1), mix(x), mix(x + 1)];
                *pair = [0.25 * left + 0.75 * here, 0.75 * here + 0.25 * right];
            }
        }
        Ok(plane)
    }

    /// Every other pixel of every other row.
    pub(super) fn halved(&self) -> Result<Plane, OpError> {
        let mut half = Plane::zeroed((self.width / 2).max(1), (self.height / 2).max(1))?;
        let rows = self.data.chunks_exact(self.width).step_by(2);
        for (out, row) in half.data.chunks_exact_mut(half.width).zip(rows) {
            out.iter_mut().zip(row.iter().step_by(2)).for_each(|(out, &sample)| *out = sample);
        }
        Ok(half)
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    pub(super) fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width..][..self.width]
    }

    /// The plane blurred by a Gaussian of `sigma`, cut off at four sigma, mirrored at the edges.
    pub(super) fn blurred(&self, sigma: f64, cancel: &Cancel) -> Result<Plane, OpError> {
        let kernel = half_kernel(sigma);
        let reach = kernel.len() - 1;
        let mut result = Plane::zeroed(self.width, self.height)?;
        let mut padded: Vec<f32> = try_vec(self.width + 2 * reach)?;
        // As many rows, blurred across, as the kernel is high; row y in slot y modulo their number.
        let slots = 2 * reach + 1;
        let mut ring: Vec<f32> = try_vec(slots * self.width)?;
        let mut done = 0;
        for (y, out) in result.data.chunks_exact_mut(self.width).enumerate() {
            cancel.check()?;
            while done < (y + reach + 1).min(self.height) {
                self.pad(done, reach, &mut padded);
                let slot = &mut ring[done % slots * self.width..][..self.width];
                let line = |start: usize| &padded[start..][..self.width];
                widest(Weigh {
                    out: slot,
                    kernel: &kernel,
                    lines: |tap| (line(reach - tap), line(reach + tap)),
                });
                done += 1;
            }
            let slot = |y: isize| &ring[reflect101(y, self.height) % slots * self.width..][..self.width];
            let y = y as isize;
            let lines = |tap: usize| (slot(y - tap as isize), slot(y + tap as isize));
            widest(Weigh { out, kernel: &kernel, lines });
        }
        Ok(result)
    }

    /// Row `y` with `reach` mirrored samples at each end.
    fn pad(&self, y: usize, reach: usize, padded: &mut [f32]) {
        let row = self.row(y);
        padded[reach..][..self.width].copy_from_slice(row);
        for i in 1..=reach {
            padded[reach - i] = row[reflect101(-(i as isize), self.width)];
            padded[reach + self.width - 1 + i] = row[reflect101((self.width - 1 + i) as isize, self.width)];
        }
    }
}

/// The weights from the centre outwards; both halves together make 1.
fn half_kernel(sigma: f64) -> Vec<f32> {
    let reach = (8.0 * sigma + 1.0).round_ties_even() as usize / 2;
    let weight = |tap: usize| libm::exp(-((tap * tap) as f64) / (2.0 * sigma * sigma));
    let total = 1.0 + 2.0 * (1..=reach).map(weight).sum::<f64>();
    (0..=reach).map(|tap| (weight(tap) / total) as f32).collect()
}

/// Sums both lines of each tap by its weight, from the centre outwards. At the centre both are the same.
struct Weigh<'a, F> {
    out: &'a mut [f32],
    kernel: &'a [f32],
    lines: F,
}

impl<'a, F: Fn(usize) -> (&'a [f32], &'a [f32])> Task for Weigh<'_, F> {
    #[inline(always)]
    fn run(self) {
        let Weigh { out, kernel, lines } = self;
        let (centre, _) = lines(0);
        out.iter_mut().zip(centre).for_each(|(out, &sample)| *out = kernel[0] * sample);
        for (tap, &weight) in kernel.iter().enumerate().skip(1) {
            let (before, after) = lines(tap);
            for ((out, &before), &after) in out.iter_mut().zip(before).zip(after) {
                *out += weight * (before + after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Channels;

    #[test]
    fn doubling_puts_four_pixels_about_each_centre_and_halving_takes_the_first() {
        let gray = Pixels::new(2, 1, Channels::Gray, vec![0, 16]).unwrap();
        let doubled = Plane::doubled(&gray).unwrap();
        assert_eq!(doubled.data, [0.0, 4.0, 12.0, 16.0, 0.0, 4.0, 12.0, 16.0]);
        assert_eq!(doubled.halved().unwrap().data, [0.0, 12.0]);
    }

    #[test]
    fn a_blur_keeps_the_total_and_spreads_by_its_sigma() {
        let mut plane = Plane::zeroed(41, 37).unwrap();
        plane.data[18 * 41 + 20] = 1000.0;
        let blurred = plane.blurred(2.0, &Cancel::never()).unwrap();
        let total: f32 = blurred.data.iter().sum();
        assert!((total - 1000.0).abs() < 0.1, "{total}");
        let variance: f32 =
            blurred.data.iter().zip(0..).map(|(v, i)| v / total * ((i % 41 - 20) as f32).powi(2)).sum();
        assert!((variance.sqrt() - 2.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn wide_vectors_weigh_the_same_bits() {
        let line: Vec<f32> = (0..200).map(|i| (i * i % 97) as f32 / 3.0).collect();
        let (mut plain, mut wide) = ([0.0; 77], [0.0; 77]);
        let kernel = half_kernel(2.3);
        let lines = |tap: usize| (&line[60 - tap..][..77], &line[60 + tap..][..77]);
        Weigh { out: &mut plain, kernel: &kernel, lines }.run();
        widest(Weigh { out: &mut wide, kernel: &kernel, lines });
        assert_eq!(plain.map(f32::to_bits), wide.map(f32::to_bits));
    }
}
