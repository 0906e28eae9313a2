//! Gaussian blur, and the unsharp mask made of it.
//!
//! Both axes run one line filter in 16-bit fixed point (8 of them fraction), mirrored at the edges. Narrow
//! kernels are summed tap by tap; wide ones are three extended boxes, whose cost does not depend on sigma
//! (Gwosdek, Grewenig, Bruhn, Weickert: Theoretical Foundations of Gaussian Convolution by Extended Box
//! Filtering, SSVM 2011).

use super::OpError;
use super::border::reflect101;
use super::vector::{Task, widest};
use crate::limits::{Cancel, try_vec};
use crate::pixels::{Channels, Pixels};

/// Pixels in a column strip: its lines stay in the inner caches and are whole vectors.
const STRIP: usize = 32;

/// Widest kernel, as taps beside the centre, that is summed tap by tap. Beyond it three boxes are faster.
const WIDEST_KERNEL: usize = 30;

/// Boxes in a row that stand for a Gaussian.
const PASSES: usize = 3;

/// Lanes that a box's running sums carry side by side.
const LANES: usize = 32;

/// Gaussian blur, as wide as OpenCV's for 8-bit pictures: `round(6 sigma + 1)` taps, made odd.
pub(super) fn blur(pixels: Pixels, sigma: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    smooth(pixels, sigma, cancel, |_, blurred| blurred)
}

/// Unsharp mask: twice the picture minus its Gaussian blur.
pub(super) fn sharpen(pixels: Pixels, sigma: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    smooth(pixels, sigma, cancel, |source, blurred| {
        (2 * i16::from(source) - i16::from(blurred)).clamp(0, 255) as u8
    })
}

/// Bytes of the picture between the passes and of one line.
pub(super) fn memory(sigma: f32, width: u32, height: u32, channels: Channels) -> u64 {
    let margin = 2 * LineFilter::new(sigma).reach() as u64;
    let samples = channels.count() as u64;
    let strip = samples * u64::from(width).min(STRIP as u64);
    let line = ((u64::from(width) + margin) * samples).max((u64::from(height) + margin) * strip);
    2 * (u64::from(width) * u64::from(height) * samples + line)
}

/// Blurs, and stores `combine(source, blurred)` for each colour sample.
fn smooth(
    mut pixels: Pixels,
    sigma: f32,
    cancel: &Cancel,
    combine: impl Fn(u8, u8) -> u8,
) -> Result<Pixels, OpError> {
    let filter = LineFilter::new(sigma);
    let reach = filter.reach();
    let (width, height, channels) = (pixels.width() as usize, pixels.height() as usize, pixels.channels());
    let (samples, row_len) = (channels.count(), pixels.row_len());
    let strip = STRIP.min(width) * samples;
    let mut between: Vec<u16> = try_vec(pixels.data().len())?;
    let mut line: Vec<u16> = try_vec(((width + 2 * reach) * samples).max((height + 2 * reach) * strip))?;

    for (out, row) in between.chunks_exact_mut(row_len).zip(pixels.rows()) {
        cancel.check()?;
        let line = &mut line[..(width + 2 * reach) * samples];
        let middle = &mut line[reach * samples..][..row_len];
        middle.iter_mut().zip(row).for_each(|(place, &sample)| *place = u16::from(sample) << 8);
        for i in (0..reach).chain(reach + width..2 * reach + width) {
            let source = reach + reflect101(i as isize - reach as isize, width);
            line.copy_within(source * samples..(source + 1) * samples, i * samples);
        }
        filter.run(line, samples);
        out.copy_from_slice(&line[..row_len]);
    }
    let alpha = samples - channels.colours();
    for left in (0..row_len).step_by(strip) {
        let strip = strip.min(row_len - left);
        let line = &mut line[..(height + 2 * reach) * strip];
        for (y, part) in line.chunks_exact_mut(strip).enumerate() {
            let source = reflect101(y as isize - reach as isize, height) * row_len + left;
            part.copy_from_slice(&between[source..][..strip]);
        }
        cancel.check()?;
        filter.run(line, strip);
        cancel.check()?;
        for (row, part) in pixels.data_mut().chunks_exact_mut(row_len).zip(line.chunks_exact(strip)) {
            // Without alpha the whole row goes in one piece.
            let piece = if channels.has_alpha() { samples } else { strip };
            let pieces = row[left..][..strip].chunks_exact_mut(piece).zip(part.chunks_exact(piece));
            for (samples, blurred) in pieces {
                for (sample, &blurred) in samples[..piece - alpha].iter_mut().zip(blurred) {
                    *sample = combine(*sample, ((u32::from(blurred) + 128) >> 8) as u8);
                }
            }
        }
    }
    Ok(pixels)
}

/// A one-dimensional Gaussian.
#[derive(Debug)]
enum LineFilter {
    /// The weights of all taps, in 1/65535.
    Kernel(Vec<u16>),
    /// [`PASSES`] times this box.
    Boxes(ExtendedBox),
}

/// A box of `2 radius + 1` taps of weight `inner` with one more tap of weight `outer` at each end, in 1/2³².
#[derive(Debug)]
struct ExtendedBox {
    radius: usize,
    inner: u64,
    outer: u64,
}

impl LineFilter {
    fn new(sigma: f32) -> LineFilter {
        let sigma = f64::from(sigma.clamp(0.1, 100.0));
        let radius = ((6.0 * sigma + 1.0).round_ties_even() as usize | 1) / 2;
        let weight = |tap: usize| libm::exp(-((tap * tap) as f64) / (2.0 * sigma * sigma));
        let total = 1.0 + 2.0 * (1..=radius).map(weight).sum::<f64>();
        if radius > WIDEST_KERNEL {
            let variance =
                2.0 * (1..=radius).map(|tap| (tap * tap) as f64 * weight(tap)).sum::<f64>() / total;
            return LineFilter::Boxes(ExtendedBox::with_variance(variance / PASSES as f64));
        }
        // All weights together make 65535, not 65536: so even the kernel that is all centre fits 16 bits, and
        // the 1/256 of a level that white loses is gone again when it is rounded.
        let fixed = |tap: usize| (weight(tap) / total * 65535.0).round_ties_even() as u16;
        let side: u16 = (1..=radius).map(fixed).sum();
        let mut kernel: Vec<u16> = (0..=2 * radius).map(|tap| fixed(tap.abs_diff(radius))).collect();
        kernel[radius] = u16::MAX - 2 * side;
        LineFilter::Kernel(kernel)
    }

    /// Samples that a result sees on each side.
    fn reach(&self) -> usize {
        match self {
            LineFilter::Kernel(weights) => weights.len() / 2,
            LineFilter::Boxes(extended) => PASSES * (extended.radius + 1),
        }
    }

    /// Filters `line`, whose neighbours lie `stride` apart, and leaves the results, [`reach`](Self::reach)
    /// strides fewer at both ends together, at its start.
    fn run(&self, line: &mut [u16], stride: usize) {
        match self {
            LineFilter::Kernel(weights) => widest(Convolution { line, stride, weights }),
            LineFilter::Boxes(extended) => {
                let mut len = line.len();
                for _ in 0..PASSES {
                    extended.run(&mut line[..len], stride);
                    len -= 2 * (extended.radius + 1) * stride;
                }
            }
        }
    }
}

/// Sums a kernel's taps at each sample of a line, in place.
struct Convolution<'a> {
    line: &'a mut [u16],
    stride: usize,
    weights: &'a [u16],
}

impl Task for Convolution<'_> {
    #[inline(always)]
    fn run(self) {
        const BLOCK: usize = 64;
        let Convolution { line, stride, weights } = self;
        let len = line.len() - (weights.len() - 1) * stride;
        for start in (0..len).step_by(BLOCK) {
            let block = BLOCK.min(len - start);
            // 65280 * 65535 and the rounding stay below 2³².
            let mut sums = [1 << 15; BLOCK];
            for (tap, &weight) in weights.iter().enumerate() {
                let source = &line[start + tap * stride..][..block];
                match <&[u16; BLOCK]>::try_from(source) {
                    Ok(source) => add_weighted(&mut sums, source, weight),
                    Err(_) => add_weighted(&mut sums, source, weight),
                }
            }
            // No later block reads what this one overwrites.
            for (out, sum) in line[start..][..block].iter_mut().zip(sums) {
                *out = (sum >> 16) as u16;
            }
        }
    }
}

#[inline(always)]
fn add_weighted(sums: &mut [u32], source: &[u16], weight: u16) {
    for (sum, &sample) in sums.iter_mut().zip(source) {
        *sum += u32::from(sample) * u32::from(weight);
    }
}

impl ExtendedBox {
    /// The box whose variance is exactly `variance` (section 3 of the paper).
    fn with_variance(variance: f64) -> ExtendedBox {
        let radius = (((1.0 + 12.0 * variance).sqrt() - 1.0) / 2.0).floor();
        let outer = (2.0 * radius + 1.0) * (radius * (radius + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (radius + 1.0) * (radius + 1.0)));
        let total = 2.0 * radius + 1.0 + 2.0 * outer;
        let fixed = |weight: f64| (weight / total * 4_294_967_296.0).round_ties_even() as u64;
        ExtendedBox { radius: radius as usize, inner: fixed(1.0), outer: fixed(outer) }
    }

    fn run(&self, line: &mut [u16], stride: usize) {
        let window = 2 * self.radius + 1;
        for lanes in (0..stride).step_by(LANES) {
            let width = LANES.min(stride - lanes);
            let len = line.len() / stride - (window + 1);
            let mut sums = [0u32; LANES];
            for tap in 1..=window {
                let taps = &line[tap * stride + lanes..][..width];
                sums.iter_mut().zip(taps).for_each(|(sum, &sample)| *sum += u32::from(sample));
            }
            for i in 0..len {
                let (head, tail) = line[i * stride + lanes..].split_at_mut((window + 1) * stride);
                let (first, leaving) = head.split_at_mut(stride.min(head.len()));
                let entering = &tail[..width];
                for lane in 0..width {
                    let ends = u32::from(first[lane]) + u32::from(entering[lane]);
                    let sum = u64::from(sums[lane]) * self.inner + u64::from(ends) * self.outer + (1 << 31);
                    first[lane] = (sum >> 32) as u16;
                    sums[lane] = sums[lane] + u32::from(entering[lane]) - u32::from(leaving[lane]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blurred(pixels: &Pixels, sigma: f32) -> Pixels {
        blur(pixels.clone(), sigma, &Cancel::never()).unwrap()
    }

    #[test]
    fn a_flat_picture_stays_flat_at_every_level_and_sigma() {
        for sigma in [0.1, 0.7, 3.0, 9.9, 10.5, 100.0] {
            for level in [0, 1, 128, 254, 255] {
                let source = Pixels::new(7, 5, Channels::Rgb, vec![level; 105]).unwrap();
                assert_eq!(blurred(&source, sigma), source, "sigma {sigma}");
            }
        }
    }

    #[test]
    fn a_point_becomes_the_bell_curve() {
        let mut samples = vec![0; 9 * 9];
        samples[4 * 9 + 4] = 255;
        let source = Pixels::new(9, 9, Channels::Gray, samples).unwrap();
        let result = blurred(&source, 1.0);
        assert_eq!(result.data()[4 * 9..][..9], [0, 0, 5, 25, 41, 25, 5, 0, 0]);
        assert_eq!(result.data()[3 * 9..][..9], [0, 0, 3, 15, 25, 15, 3, 0, 0]);
    }

    #[test]
    fn boxes_are_as_wide_as_the_kernel_they_stand_for() {
        let len = 401;
        let mut line = vec![0; len];
        line[len / 2] = 65280;
        let filter = LineFilter::new(20.0);
        assert!(matches!(filter, LineFilter::Boxes(_)));
        filter.run(&mut line, 1);
        let line = &line[..len - 2 * filter.reach()];
        let centre = (line.len() / 2) as f64;
        let total: f64 = line.iter().map(|&v| f64::from(v)).sum();
        let moment: f64 =
            line.iter().zip(0..).map(|(&v, i)| f64::from(v) * (f64::from(i) - centre).powi(2)).sum();
        assert!((total - 65280.0).abs() < 100.0, "{total}");
        let sigma = (moment / total).sqrt();
        assert!((19.5..20.0).contains(&sigma), "{sigma}");
    }

    #[test]
    fn wide_blurs_treat_every_lane_alike() {
        let (width, height) = (90, 40);
        let gray: Vec<u8> = (0..width * height).map(|i| (i * i % 255) as u8).collect();
        let rgba = gray.iter().flat_map(|&y| [y, y, y, 9]).collect();
        let gray = blurred(&Pixels::new(width, height, Channels::Gray, gray).unwrap(), 15.0);
        let rgba = blurred(&Pixels::new(width, height, Channels::Rgba, rgba).unwrap(), 15.0);
        for (y, pixel) in gray.data().iter().zip(rgba.data().chunks_exact(4)) {
            assert_eq!(pixel, [*y, *y, *y, 9]);
        }
    }

    #[test]
    fn sharpening_overshoots_at_an_edge() {
        let source = Pixels::new(6, 1, Channels::Gray, vec![50, 50, 50, 200, 200, 200]).unwrap();
        let result = sharpen(source, 1.0, &Cancel::never()).unwrap();
        assert!(result.data()[2] < 50 && result.data()[3] > 200, "{:?}", result.data());
    }

    #[test]
    fn wide_vectors_sum_the_same_bits() {
        let weights = [3, 700, 9000, 46_129, 9000, 700, 3];
        for (len, stride) in [(40, 3), (1000, 4), (999, 96)] {
            let line: Vec<u16> = (0..len).map(|i| (i * i * 7 % 65_281) as u16).collect();
            let (mut plain, mut wide) = (line.clone(), line);
            Convolution { line: &mut plain, stride, weights: &weights }.run();
            widest(Convolution { line: &mut wide, stride, weights: &weights });
            assert_eq!(plain, wide);
        }
    }
}
