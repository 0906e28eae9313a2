//! Non-local means: `cv2.fastNlMeansDenoisingColored(h, hColor = h)` and, on grey, `cv2.fastNlMeansDenoising(h)`.
//!
//! Each pixel becomes the mean of a 21x21 window, weighted by how alike the 7x7 squares about the pixels are
//! (A. Buades, B. Coll, J.-M. Morel: Non-Local Means Denoising, IPOL 2011). Colour is split into L*a*b*:
//! lightness is weighted by lightness, and a and b by both together.
//!
//! The square distances come from running sums, one per column and offset, moved down row by row (J. Darbon et
//! al.: Fast Nonlocal Filtering Applied to Electron Cryomicroscopy, ISBI 2008). Strips keep the sums of all
//! 441 offsets in the second-level cache.

use super::border::reflect101;
use super::vector::{Task, widest};
use super::{OpError, lab};
use crate::limits::{Cancel, try_vec};
use crate::pixels::{Channels, Pixels};

/// Pixels from the middle of the window, and of a square, to its sides.
const SEARCH: usize = 10;
const TEMPLATE: usize = 3;
const WINDOW: usize = 2 * SEARCH + 1;
const SQUARE: usize = 2 * TEMPLATE + 1;

/// How far beyond the edge a plane is mirrored: a window, a square, and the row that leaves a running sum.
const MARGIN: usize = SEARCH + TEMPLATE + 1;

/// Pixels in a strip, and column sums, which are summed over a square's width.
const STRIP: usize = 128;
const SUMS: usize = STRIP + SQUARE - 1;

/// The weight of a pixel for itself: as large as the sums of a window of 255s can be in 32 bits.
const FULL_WEIGHT: f64 = ((u32::MAX / 2) / (WINDOW * WINDOW * 255) as u32) as f64;

/// Bytes of the tables of weights and cube roots.
const TABLES: u64 = 1 << 18;

/// Smallest share of [`FULL_WEIGHT`] that counts.
const LEAST_WEIGHT: f64 = 0.001;

/// Smooths noise of strength `h` away, in levels: differences well below it go, those well above it stay.
pub(super) fn denoise(mut pixels: Pixels, h: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    let h = f64::from(h.max(0.1));
    let samples = pixels.channels().count();
    if pixels.channels().colours() == 1 {
        let gray = [Plane::new(&pixels, 0)?];
        smooth(&gray, h, cancel, |at, [y]| pixels.data_mut()[at * samples] = y)?;
        return Ok(pixels);
    }
    map_colours(&mut pixels, lab::from_rgb, cancel)?;
    let lightness = [Plane::new(&pixels, 0)?];
    smooth(&lightness, h, cancel, |at, [l]| pixels.data_mut()[at * samples] = l)?;
    drop(lightness);
    let chroma = [Plane::new(&pixels, 1)?, Plane::new(&pixels, 2)?];
    smooth(&chroma, h, cancel, |at, ab| pixels.data_mut()[at * samples + 1..][..2].copy_from_slice(&ab))?;
    map_colours(&mut pixels, lab::to_rgb, cancel)?;
    Ok(pixels)
}

/// Bytes of the mirrored planes and of the running sums.
pub(super) fn memory(width: u32, height: u32, channels: Channels) -> u64 {
    let plane = (u64::from(width) + 2 * MARGIN as u64) * (u64::from(height) + 2 * MARGIN as u64);
    let planes = if channels.colours() == 1 { 1 } else { 2 };
    planes * plane + (size_of::<u32>() * WINDOW * WINDOW * SUMS) as u64 + TABLES
}

fn map_colours(pixels: &mut Pixels, map: fn([u8; 3]) -> [u8; 3], cancel: &Cancel) -> Result<(), OpError> {
    let (row_len, samples) = (pixels.row_len(), pixels.channels().count());
    for row in pixels.data_mut().chunks_exact_mut(row_len) {
        cancel.check()?;
        for colour in row.chunks_exact_mut(samples).filter_map(|pixel| pixel.first_chunk_mut()) {
            *colour = map(*colour);
        }
    }
    Ok(())
}

/// One channel of a picture, mirrored [`MARGIN`] pixels beyond its edges.
struct Plane {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Plane {
    fn new(pixels: &Pixels, channel: usize) -> Result<Plane, OpError> {
        let (width, height) = (pixels.width() as usize, pixels.height() as usize);
        let samples = pixels.channels().count();
        let mut data: Vec<u8> = try_vec((width + 2 * MARGIN) * (height + 2 * MARGIN))?;
        for (y, out) in data.chunks_exact_mut(width + 2 * MARGIN).enumerate() {
            let row = reflect101(y as isize - MARGIN as isize, height) * pixels.row_len();
            for (x, out) in out.iter_mut().enumerate() {
                let x = reflect101(x as isize - MARGIN as isize, width);
                *out = pixels.data()[row + x * samples + channel];
            }
        }
        Ok(Plane { width, height, data })
    }

    /// `len` samples from (`x`, `y`) on, both counted from the corner of the margin.
    #[inline(always)]
    fn row(&self, x: usize, y: usize, len: usize) -> &[u8] {
        &self.data[y * (self.width + 2 * MARGIN) + x..][..len]
    }
}

/// Calls `put` with each pixel's number and its weighted means, one for each plane.
fn smooth<const PLANES: usize>(
    planes: &[Plane; PLANES],
    h: f64,
    cancel: &Cancel,
    mut put: impl FnMut(usize, [u8; PLANES]),
) -> Result<(), OpError> {
    let (width, height) = (planes[0].width, planes[0].height);
    let weights = Weights::new(h, PLANES);
    let mut columns: Vec<u32> = try_vec(WINDOW * WINDOW * SUMS)?;
    for left in (0..width).step_by(STRIP) {
        let strip = STRIP.min(width - left);
        columns.fill(0);
        for (offset, columns) in columns.chunks_exact_mut(SUMS).enumerate() {
            let pair = Pair { planes, left, strip, dx: offset % WINDOW, dy: offset / WINDOW };
            for row in 0..SQUARE {
                pair.add(row, &mut columns[..strip + SQUARE - 1]);
            }
        }
        for y in 0..height {
            cancel.check()?;
            let mut found = Found { totals: [0; STRIP], sums: [[0; STRIP]; PLANES] };
            widest(Row {
                planes,
                left,
                strip,
                y,
                weights: &weights,
                columns: &mut columns,
                found: &mut found,
            });
            for (x, &total) in found.totals[..strip].iter().enumerate() {
                let mean = found.sums.map(|sums| ((sums[x] + total / 2) / total) as u8);
                put(y * width + left + x, mean);
            }
        }
    }
    Ok(())
}

/// The work on one row of a strip.
struct Row<'a, const PLANES: usize> {
    planes: &'a [Plane; PLANES],
    left: usize,
    strip: usize,
    y: usize,
    weights: &'a Weights,
    /// The column sums of each offset, about the row above; moved down to this one.
    columns: &'a mut [u32],
    found: &'a mut Found<PLANES>,
}

/// Sums of weights, and of samples by their weights, over the window of each pixel.
#[derive(Debug, Clone, PartialEq)]
struct Found<const PLANES: usize> {
    totals: [u32; STRIP],
    sums: [[u32; STRIP]; PLANES],
}

impl<const PLANES: usize> Task for Row<'_, PLANES> {
    #[inline(always)]
    fn run(self) {
        let Row { planes, left, strip, y, weights, columns, found } = self;
        let mut of_squares = [0u16; STRIP];
        let of_squares = &mut of_squares[..strip];
        for (offset, columns) in columns.chunks_exact_mut(SUMS).enumerate() {
            let (dx, dy) = (offset % WINDOW, offset / WINDOW);
            let columns = &mut columns[..strip + SQUARE - 1];
            Pair { planes, left, strip, dx, dy }.advance(y, columns);
            weights.of_squares(columns, of_squares);
            for (total, &weight) in found.totals.iter_mut().zip(&*of_squares) {
                *total += u32::from(weight);
            }
            for (sums, plane) in found.sums.iter_mut().zip(planes) {
                // The window starts one row and column inside the margin, and a square's half further.
                let samples = plane.row(left + dx + TEMPLATE + 1, y + dy + TEMPLATE + 1, strip);
                for ((sum, &weight), &sample) in sums.iter_mut().zip(&*of_squares).zip(samples) {
                    *sum += u32::from(weight) * u32::from(u16::from(sample));
                }
            }
        }
    }
}

/// A strip and the same strip moved by an offset of the window, 0 to 20 each way.
struct Pair<'a, const PLANES: usize> {
    planes: &'a [Plane; PLANES],
    left: usize,
    strip: usize,
    dx: usize,
    dy: usize,
}

impl<const PLANES: usize> Pair<'_, PLANES> {
    /// Row `y` of both, `y` counted from the topmost row that a square of the first row has just left.
    #[inline(always)]
    fn rows<'a>(&self, plane: &'a Plane, y: usize) -> (&'a [u8], &'a [u8]) {
        let len = self.strip + SQUARE - 1;
        let fixed = plane.row(self.left + SEARCH + 1, y + SEARCH, len);
        let moved = plane.row(self.left + self.dx + 1, y + self.dy, len);
        (fixed, moved)
    }

    /// Adds the squared differences in one row to the sums of its columns.
    fn add(&self, row: usize, columns: &mut [u32]) {
        for plane in self.planes {
            let (fixed, moved) = self.rows(plane, row);
            for ((sum, &a), &b) in columns.iter_mut().zip(fixed).zip(moved) {
                *sum += squared_difference(a, b);
            }
        }
    }

    /// Moves the sums from the squares about row `y - 1` to those about row `y`.
    #[inline(always)]
    fn advance(&self, y: usize, columns: &mut [u32]) {
        for plane in self.planes {
            let (old_fixed, old_moved) = self.rows(plane, y);
            let (new_fixed, new_moved) = self.rows(plane, y + SQUARE);
            let old = old_fixed.iter().zip(old_moved);
            let new = new_fixed.iter().zip(new_moved);
            for (sum, ((&a, &b), (&c, &d))) in columns.iter_mut().zip(old.zip(new)) {
                *sum = *sum + squared_difference(c, d) - squared_difference(a, b);
            }
        }
    }
}

#[inline(always)]
fn squared_difference(a: u8, b: u8) -> u32 {
    let difference = u16::from(a.abs_diff(b));
    u32::from(difference * difference)
}

/// The weight of a pixel by the distance of its square, in steps of a power of two.
struct Weights {
    table: Box<[u16; STEPS]>,
    /// The first step whose weight is zero, as are all beyond.
    end: u16,
    shift: u32,
}

/// Steps of distance: 7 * 7 * 255² times the planes, shifted, is less.
const STEPS: usize = 1 << 16;

impl Weights {
    /// `exp(-d / (h² planes))` with d the mean square difference of two squares.
    fn new(h: f64, planes: usize) -> Weights {
        // Each plane more gives one more bit, so that a step stays the same share of h² and fits 16 bits.
        let shift = 5 + planes as u32;
        let step = f64::from(1u32 << shift) / (SQUARE * SQUARE) as f64 / (h * h * planes as f64);
        let weight = |index: usize| libm::exp(-(index as f64) * step);
        let mut table = Box::new([0; STEPS]);
        let end = (0..STEPS - 1).find(|&index| weight(index) < LEAST_WEIGHT).unwrap_or(STEPS - 1);
        for (index, entry) in table[..end].iter_mut().enumerate() {
            *entry = (FULL_WEIGHT * weight(index)).round_ties_even() as u16;
        }
        Weights { table, end: end as u16, shift }
    }

    /// Sums the columns of each square and looks its weight up.
    #[inline(always)]
    fn of_squares(&self, columns: &[u32], weights: &mut [u16]) {
        let mut steps = [0u16; STRIP];
        for (step, columns) in steps.iter_mut().zip(columns.windows(SQUARE)) {
            // Far squares share one step, so that the part of the table in use stays small.
            *step = ((columns.iter().sum::<u32>() >> self.shift) as u16).min(self.end);
        }
        for (weight, &step) in weights.iter_mut().zip(&steps) {
            *weight = self.table[usize::from(step)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize, low: u8, high: u8) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            low + ((state >> 24) % (u32::from(high - low) + 1)) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn noise_around_a_level_is_gone_and_a_strong_edge_stays() {
        let (width, height) = (150, 30);
        let mut samples = noise(width * height, 90, 110);
        for row in samples.chunks_exact_mut(width) {
            row[75..].iter_mut().for_each(|sample| *sample += 100);
        }
        let source = Pixels::new(width as u32, height as u32, Channels::Gray, samples).unwrap();
        let result = denoise(source, 15.0, &Cancel::never()).unwrap();
        for row in result.rows() {
            assert!(row[..70].iter().all(|&y| (95..=105).contains(&y)), "{row:?}");
            assert!(row[80..].iter().all(|&y| (195..=205).contains(&y)), "{row:?}");
        }
    }

    #[test]
    fn a_strip_seam_does_not_show() {
        let (width, height) = (STRIP + 40, 9);
        let samples = noise(width * height, 60, 140);
        let whole = Pixels::new(width as u32, height as u32, Channels::Gray, samples.clone()).unwrap();
        let right: Vec<u8> = samples.chunks_exact(width).flat_map(|row| &row[40..]).copied().collect();
        let right = Pixels::new(STRIP as u32, height as u32, Channels::Gray, right).unwrap();
        let whole = denoise(whole, 20.0, &Cancel::never()).unwrap();
        let right = denoise(right, 20.0, &Cancel::never()).unwrap();
        // Beyond the reach of the edge that was cut, both saw the same.
        for (whole, right) in whole.rows().zip(right.rows()) {
            assert_eq!(whole[40 + MARGIN..], right[MARGIN..]);
        }
    }

    #[test]
    fn a_picture_like_no_other_part_of_itself_stays() {
        let source = Pixels::new(3, 1, Channels::GrayAlpha, vec![0, 1, 128, 2, 255, 3]).unwrap();
        assert_eq!(denoise(source.clone(), 1.0, &Cancel::never()).unwrap(), source);
    }

    #[test]
    fn wide_vectors_find_the_same_bits() {
        for strip in [1, 77, STRIP] {
            let samples = noise(strip * 3 * 3, 0, 255);
            let source = Pixels::new(strip as u32, 3, Channels::Rgb, samples).unwrap();
            let planes = [Plane::new(&source, 1).unwrap(), Plane::new(&source, 2).unwrap()];
            let weights = Weights::new(60.0, 2);
            let mut columns = [vec![700_000; WINDOW * WINDOW * SUMS], vec![700_000; WINDOW * WINDOW * SUMS]];
            let empty = Found { totals: [0; STRIP], sums: [[0; STRIP]; 2] };
            let mut found = [empty.clone(), empty];
            let [plain, wide] = columns
                .each_mut()
                .into_iter()
                .zip(&mut found)
                .map(|(columns, found)| Row {
                    planes: &planes,
                    left: 0,
                    strip,
                    y: 1,
                    weights: &weights,
                    columns,
                    found,
                })
                .collect::<Vec<_>>()
                .try_into()
                .ok()
                .unwrap();
            Task::run(plain);
            widest(wide);
            assert_eq!(columns[0], columns[1]);
            assert_eq!(found[0], found[1]);
        }
    }
}
