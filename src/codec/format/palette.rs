//! `Palette`: at most 256 colours that stand for a picture, and the index of each pixel.
//!
//! Few colours are kept as they are. Many are cut into boxes of small variance (Wu, "Color quantization by dynamic
//! programming and principal analysis", 1992; the greedy form of Graphics Gems II), whose means k-means then improves.
//! Errors are diffused by Floyd and Steinberg (1976), rows in alternating direction.

use crate::codec::error::CodecError;
use crate::limits::{Cancel, OutOfMemory, Stopped, try_vec};
use crate::pixels::{Channels, Pixels};
use std::collections::{BTreeSet, HashMap};

/// Bits of each channel by which colours are counted.
const BITS: u32 = 5;
const SIDE: usize = 1 << BITS;

/// Rows between two looks at whether the result is still wanted.
const ROWS: usize = 32;

/// A picture as indices into a palette.
#[derive(Debug)]
pub(in crate::codec) struct Palette {
    /// At least one colour, at most 256.
    pub(in crate::codec) colours: Vec<[u8; 3]>,
    /// One for each pixel.
    pub(in crate::codec) indices: Vec<u8>,
    /// The index of clear pixels, if there are any.
    pub(in crate::codec) clear: Option<u8>,
}

/// Choices in making a palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct PaletteOptions {
    /// Diffuse the error of each pixel to its neighbours.
    pub(in crate::codec) dither: bool,
    /// Rounds of k-means after the boxes are cut.
    pub(in crate::codec) rounds: u32,
}

/// A pixel that is shown, or nothing where it is clear.
type Shown = Option<[u8; 3]>;

impl Palette {
    /// Makes the palette of `pixels`, in which every pixel is either opaque or, below half opacity, clear.
    pub(in crate::codec) fn of(
        pixels: &Pixels,
        options: PaletteOptions,
        cancel: &Cancel,
    ) -> Result<Palette, CodecError> {
        let channels = pixels.channels();
        let width = pixels.width() as usize;
        let has_clear = channels.has_alpha() && shown(pixels.data(), channels).any(|pixel| pixel.is_none());
        let most = if has_clear { 255 } else { 256 };
        let mut indices = try_vec(width * pixels.height() as usize)?;
        let exact = exact(pixels, most, cancel)?;
        let colours = match &exact {
            Some(colours) => colours.clone(),
            None => {
                let histogram = Histogram::of(pixels, cancel)?;
                histogram.refined(histogram.cut(most), options.rounds, cancel)?
            }
        };
        let clear = has_clear.then_some(colours.len() as u8);
        let mut nearest = Nearest::new(&colours)?;
        if let Some(colours) = exact {
            let places: HashMap<[u8; 3], u8> = colours.iter().copied().zip(0..=255).collect();
            for (index, pixel) in indices.iter_mut().zip(shown(pixels.data(), channels)) {
                *index = pixel.and_then(|colour| places.get(&colour).copied()).or(clear).unwrap_or(0);
            }
        } else if options.dither {
            diffuse(pixels, &mut nearest, &mut indices, clear, cancel)?;
        } else {
            let rows = indices.chunks_exact_mut(width).zip(pixels.rows());
            for (y, (indices, row)) in rows.enumerate() {
                check(y, cancel)?;
                for (index, pixel) in indices.iter_mut().zip(shown(row, channels)) {
                    *index = pixel.map(|colour| nearest.index(colour)).or(clear).unwrap_or(0);
                }
            }
        }
        let mut colours = colours;
        if has_clear {
            colours.push([0; 3]);
        }
        Ok(Palette { colours, indices, clear })
    }
}

fn check(row: usize, cancel: &Cancel) -> Result<(), Stopped> {
    if row.is_multiple_of(ROWS) { cancel.check() } else { Ok(()) }
}

fn shown(samples: &[u8], channels: Channels) -> impl Iterator<Item = Shown> + '_ {
    samples.chunks_exact(channels.count()).map(move |pixel| match (channels, pixel) {
        (Channels::Gray, &[level]) => Some([level; 3]),
        (Channels::GrayAlpha, &[level, alpha]) => (alpha >= 128).then_some([level; 3]),
        (Channels::Rgba, &[r, g, b, alpha]) => (alpha >= 128).then_some([r, g, b]),
        (_, &[r, g, b, ..]) => Some([r, g, b]),
        _ => None,
    })
}

/// Returns the colours in ascending order if there are at most `most`.
fn exact(pixels: &Pixels, most: usize, cancel: &Cancel) -> Result<Option<Vec<[u8; 3]>>, Stopped> {
    let mut found = BTreeSet::new();
    let mut last = None;
    for (y, row) in pixels.rows().enumerate() {
        check(y, cancel)?;
        for colour in shown(row, pixels.channels()).flatten() {
            if last != Some(colour) && found.insert(colour) && found.len() > most {
                return Ok(None);
            }
            last = Some(colour);
        }
    }
    if found.is_empty() {
        found.insert([0; 3]);
    }
    Ok(Some(found.into_iter().collect()))
}

/// The number of pixels in a bin of similar colours, the sum of each channel, and the sum of all squares.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: i64,
    sums: [i64; 3],
    squares: i64,
}

impl Moments {
    fn plus(self, other: Moments) -> Moments {
        let add = |i: usize| self.sums[i] + other.sums[i];
        Moments {
            count: self.count + other.count,
            sums: [add(0), add(1), add(2)],
            squares: self.squares + other.squares,
        }
    }

    fn minus(self, other: Moments) -> Moments {
        let sums = other.sums.map(|sum| -sum);
        self.plus(Moments { count: -other.count, sums, squares: -other.squares })
    }

    fn mean(self) -> [u8; 3] {
        self.sums.map(|sum| if self.count == 0 { 0 } else { ((sum + self.count / 2) / self.count) as u8 })
    }

    /// Returns the square of the sum over the count, which is large where the colours lie together.
    fn together(self) -> f64 {
        let square: f64 = self.sums.iter().map(|sum| (*sum as f64) * (*sum as f64)).sum();
        if self.count == 0 { 0.0 } else { square / self.count as f64 }
    }

    /// Returns the count times the variance.
    fn spread(self) -> f64 {
        self.squares as f64 - self.together()
    }
}

/// A box of bins: above the lower corner, up to and with the upper one.
#[derive(Debug, Clone, Copy)]
struct ColourBox {
    low: [usize; 3],
    high: [usize; 3],
}

/// The moments of every bin, and of every box that begins in the corner.
struct Histogram {
    bins: Vec<Moments>,
    /// With a border of zeros in front of each axis.
    sums: Vec<Moments>,
}

impl Histogram {
    fn of(pixels: &Pixels, cancel: &Cancel) -> Result<Histogram, Stopped> {
        let mut bins = vec![Moments::default(); SIDE * SIDE * SIDE];
        for (y, row) in pixels.rows().enumerate() {
            check(y, cancel)?;
            for colour in shown(row, pixels.channels()).flatten() {
                let bin = &mut bins[bin(colour)];
                let wide = colour.map(i64::from);
                bin.count += 1;
                for (sum, sample) in bin.sums.iter_mut().zip(wide) {
                    *sum += sample;
                    bin.squares += sample * sample;
                }
            }
        }
        const BORDERED: usize = SIDE + 1;
        let mut sums = vec![Moments::default(); BORDERED * BORDERED * BORDERED];
        for r in 1..BORDERED {
            let mut area = vec![Moments::default(); BORDERED];
            for g in 1..BORDERED {
                let mut line = Moments::default();
                for b in 1..BORDERED {
                    line = line.plus(bins[((r - 1) * SIDE + g - 1) * SIDE + b - 1]);
                    area[b] = area[b].plus(line);
                    sums[(r * BORDERED + g) * BORDERED + b] =
                        sums[((r - 1) * BORDERED + g) * BORDERED + b].plus(area[b]);
                }
            }
        }
        Ok(Histogram { bins, sums })
    }

    fn up_to(&self, [r, g, b]: [usize; 3]) -> Moments {
        self.sums[(r * (SIDE + 1) + g) * (SIDE + 1) + b]
    }

    fn within(&self, ColourBox { low, high }: ColourBox) -> Moments {
        // Inclusion and exclusion of the eight corners.
        let mut sum = Moments::default();
        for corner in 0..8usize {
            let at = [0, 1, 2].map(|axis| if corner >> axis & 1 == 0 { high[axis] } else { low[axis] });
            let part = self.up_to(at);
            sum = if corner.count_ones() % 2 == 0 { sum.plus(part) } else { sum.minus(part) };
        }
        sum
    }

    /// Cuts the cube into at most `most` boxes, the one with the largest spread next, and returns their means.
    fn cut(&self, most: usize) -> Vec<[u8; 3]> {
        let whole = ColourBox { low: [0; 3], high: [SIDE; 3] };
        let mut boxes = vec![(whole, self.within(whole).spread())];
        while boxes.len() < most {
            let widest = boxes.iter().enumerate().max_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b));
            let Some((at, (candidate, spread))) = widest.map(|(at, found)| (at, *found)) else { break };
            if spread <= 0.0 {
                break;
            }
            match self.halves(candidate) {
                Some([first, second]) => {
                    boxes[at] = (first, self.within(first).spread());
                    boxes.push((second, self.within(second).spread()));
                }
                // One bin: finer than the boxes can tell.
                None => boxes[at].1 = 0.0,
            }
        }
        boxes
            .iter()
            .map(|(found, _)| self.within(*found))
            .filter(|sum| sum.count > 0)
            .map(Moments::mean)
            .collect()
    }

    /// Cuts a box where the halves have the smallest spread in all.
    fn halves(&self, whole: ColourBox) -> Option<[ColourBox; 2]> {
        let all = self.within(whole);
        let mut best: Option<(f64, [ColourBox; 2])> = None;
        for axis in 0..3 {
            for at in whole.low[axis] + 1..whole.high[axis] {
                let (mut first, mut second) = (whole, whole);
                first.high[axis] = at;
                second.low[axis] = at;
                let below = self.within(first);
                let above = all.minus(below);
                if below.count == 0 || above.count == 0 {
                    continue;
                }
                let gain = below.together() + above.together();
                if best.is_none_or(|(most, _)| gain > most) {
                    best = Some((gain, [first, second]));
                }
            }
        }
        best.map(|(_, halves)| halves)
    }

    /// Moves each colour to the mean of the bins that are nearest to it, `rounds` times.
    fn refined(
        &self,
        mut colours: Vec<[u8; 3]>,
        rounds: u32,
        cancel: &Cancel,
    ) -> Result<Vec<[u8; 3]>, Stopped> {
        let bins: Vec<(Moments, [u8; 3])> =
            self.bins.iter().filter(|bin| bin.count > 0).map(|bin| (*bin, bin.mean())).collect();
        for _ in 0..rounds {
            let mut sums = vec![Moments::default(); colours.len()];
            for (i, (bin, mean)) in bins.iter().enumerate() {
                check(i / 64, cancel)?;
                let at = nearest(&colours, mean.map(i32::from));
                sums[at] = sums[at].plus(*bin);
            }
            for (colour, sum) in colours.iter_mut().zip(sums) {
                if sum.count > 0 {
                    *colour = sum.mean();
                }
            }
        }
        Ok(colours)
    }
}

fn bin([r, g, b]: [u8; 3]) -> usize {
    let place = |sample: u8| usize::from(sample >> (8 - BITS));
    (place(r) * SIDE + place(g)) * SIDE + place(b)
}

fn nearest(colours: &[[u8; 3]], wanted: [i32; 3]) -> usize {
    let distance = |colour: &[u8; 3]| -> i32 {
        colour.iter().zip(wanted).map(|(sample, wanted)| (i32::from(*sample) - wanted).pow(2)).sum()
    };
    let best = colours.iter().enumerate().min_by_key(|(_, colour)| distance(colour));
    best.map_or(0, |(at, _)| at)
}

/// The nearest colour of the palette, looked up once for each cell of 4 x 4 x 4 colours.
struct Nearest<'a> {
    colours: &'a [[u8; 3]],
    /// The index plus one; 0 where it was not looked up yet.
    cells: Vec<u16>,
}

impl<'a> Nearest<'a> {
    fn new(colours: &'a [[u8; 3]]) -> Result<Nearest<'a>, OutOfMemory> {
        let mut cells = Vec::new();
        cells.try_reserve_exact(1 << 18).map_err(|_| OutOfMemory { bytes: 1 << 19 })?;
        cells.resize(1 << 18, 0);
        Ok(Nearest { colours, cells })
    }

    fn index(&mut self, colour: [u8; 3]) -> u8 {
        let [r, g, b] = colour.map(|sample| usize::from(sample >> 2));
        let cell = &mut self.cells[r << 12 | g << 6 | b];
        if *cell == 0 {
            let middle = colour.map(|sample| i32::from(sample & 0xFC) + 2);
            *cell = nearest(self.colours, middle) as u16 + 1;
        }
        (*cell - 1) as u8
    }
}

/// Gives each pixel the nearest colour, and its error in sixteenths to the pixels that follow.
fn diffuse(
    pixels: &Pixels,
    nearest: &mut Nearest<'_>,
    indices: &mut [u8],
    clear: Option<u8>,
    cancel: &Cancel,
) -> Result<(), CodecError> {
    let width = pixels.width() as usize;
    // A column on each side takes what falls off.
    let mut here = vec![[0i32; 3]; width + 2];
    let mut below = here.clone();
    for (y, (row, indices)) in pixels.rows().zip(indices.chunks_exact_mut(width)).enumerate() {
        check(y, cancel)?;
        let row: Vec<Shown> = shown(row, pixels.channels()).collect();
        let forward = y % 2 == 0;
        for step in 0..width {
            let x = if forward { step } else { width - 1 - step };
            let Some(colour) = row[x] else {
                indices[x] = clear.unwrap_or(0);
                continue;
            };
            let error = here[x + 1];
            let wanted = [0, 1, 2].map(|i| (i32::from(colour[i]) + ((error[i] + 8) >> 4)).clamp(0, 255));
            let index = nearest.index(wanted.map(|sample| sample as u8));
            indices[x] = index;
            let got = nearest.colours[usize::from(index)];
            let (ahead, behind) = if forward { (x + 2, x) } else { (x, x + 2) };
            for i in 0..3 {
                let error = wanted[i] - i32::from(got[i]);
                here[ahead][i] += error * 7;
                below[behind][i] += error * 3;
                below[x + 1][i] += error * 5;
                below[ahead][i] += error;
            }
        }
        std::mem::swap(&mut here, &mut below);
        below.fill([0; 3]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: PaletteOptions = PaletteOptions { dither: false, rounds: 3 };

    fn made(pixels: &Pixels, options: PaletteOptions) -> Palette {
        Palette::of(pixels, options, &Cancel::never()).unwrap()
    }

    fn back(palette: &Palette) -> Vec<u8> {
        palette.indices.iter().flat_map(|index| palette.colours[usize::from(*index)]).collect()
    }

    /// A smooth picture with far more than 256 colours.
    fn gradient() -> Pixels {
        let data = (0..128 * 128).flat_map(|i| [(i % 128 * 2) as u8, (i / 128 * 2) as u8, (i / 200) as u8]);
        Pixels::new(128, 128, Channels::Rgb, data.collect()).unwrap()
    }

    #[test]
    fn few_colours_are_kept_exactly() {
        let data: Vec<u8> = (0..256).flat_map(|i| [i as u8, 255 - i as u8, 7]).collect();
        let pixels = Pixels::new(16, 16, Channels::Rgb, data.clone()).unwrap();
        for dither in [false, true] {
            let palette = made(&pixels, PaletteOptions { dither, ..PLAIN });
            assert_eq!((palette.colours.len(), palette.clear), (256, None));
            assert_eq!(back(&palette), data);
        }
    }

    #[test]
    fn below_half_opacity_a_pixel_is_clear() {
        let alphas = [0, 1, 127, 128, 254, 255];
        let data: Vec<u8> = alphas.iter().flat_map(|alpha| [10, 20, 30, *alpha]).collect();
        let palette = made(&Pixels::new(6, 1, Channels::Rgba, data).unwrap(), PLAIN);
        let clear = palette.clear.unwrap();
        let is_clear: Vec<bool> = palette.indices.iter().map(|index| *index == clear).collect();
        assert_eq!(is_clear, [true, true, true, false, false, false]);
        assert_eq!(palette.colours[usize::from(palette.indices[5])], [10, 20, 30]);
    }

    #[test]
    fn dithered_areas_have_the_mean_of_the_picture() {
        let pixels = gradient();
        let mean = |data: &[u8], x: usize, y: usize, channel: usize| -> f64 {
            let at = |i: usize| f64::from(data[((y + i / 16) * 128 + x + i % 16) * 3 + channel]);
            (0..256).map(at).sum::<f64>() / 256.0
        };
        let worst = |palette: &Palette| {
            let back = back(palette);
            let areas = (0..7 * 7 * 3).map(|i| (i % 7 * 16 + 8, i / 7 % 7 * 16 + 8, i / 49));
            areas
                .map(|(x, y, c)| (mean(&back, x, y, c) - mean(pixels.data(), x, y, c)).abs())
                .fold(0.0, f64::max)
        };
        let dithered = worst(&made(&pixels, PaletteOptions { dither: true, ..PLAIN }));
        assert!(dithered < 1.0, "{dithered}");
        assert!(worst(&made(&pixels, PLAIN)) > dithered);
    }

    #[test]
    fn each_pixel_is_near_its_colour() {
        let pixels = gradient();
        let palette = made(&pixels, PLAIN);
        assert!(palette.colours.len() > 200, "{}", palette.colours.len());
        let back = back(&palette);
        let errors = back.iter().zip(pixels.data()).map(|(a, b)| f64::from(a.abs_diff(*b)));
        let mean = errors.sum::<f64>() / back.len() as f64;
        assert!(mean < 6.0, "{mean}");
    }

    #[test]
    fn a_picture_that_is_no_longer_wanted_is_given_up() {
        let stopped = Palette::of(&gradient(), PLAIN, &Cancel::after(5));
        assert!(matches!(stopped, Err(CodecError::Stopped(_))));
    }
}
