//! Median filter: the middle value of a square of side `2 radius + 1`, each channel for itself.
//!
//! Small squares sort many pixels side by side without branches; larger ones use the histograms of Perreault
//! and Hébert (Median Filtering in Constant Time, IEEE Transactions on Image Processing 16, 2007), whose cost
//! does not depend on the radius.

use super::OpError;
use super::border::replicate;
use super::vector::{Task, widest};
use crate::limits::{Cancel, try_vec};
use crate::pixels::{Channels, Pixels};

/// Largest radius whose squares fit the 16-bit counts.
const WIDEST: usize = 127;

/// Largest radius whose squares are sorted.
const WIDEST_SORTED: usize = 2;

/// Pixels side by side in one sort: four vectors of 16.
const LANES: usize = 64;

/// Columns whose histograms fit the inner caches together.
const STRIP: usize = 256;

/// Median over a square of side `2 radius + 1`, the edge pixels repeated beyond the edge.
pub(super) fn median(pixels: Pixels, radius: u8, cancel: &Cancel) -> Result<Pixels, OpError> {
    let radius = usize::from(radius).min(WIDEST);
    let mut result = Pixels::zeroed(pixels.width(), pixels.height(), pixels.channels())?;
    match radius {
        0 => return Ok(pixels),
        1..=WIDEST_SORTED => sorted(&pixels, &mut result, radius, cancel)?,
        _ => counted(&pixels, &mut result, radius, cancel)?,
    }
    copy_alpha(&pixels, &mut result);
    Ok(result)
}

/// Bytes of the second picture and of the padded rows or histograms.
pub(super) fn memory(radius: u8, width: u32, height: u32, channels: Channels) -> u64 {
    let (radius, width, samples) = (usize::from(radius).min(WIDEST), width as usize, channels.count());
    let scratch = match radius {
        ..=WIDEST_SORTED => (2 * radius + 1) * (width + 2 * radius) * samples,
        _ => (STRIP.min(width) + 2 * radius) * size_of::<Histogram>(),
    };
    width as u64 * u64::from(height) * samples as u64 + scratch as u64
}

fn copy_alpha(source: &Pixels, result: &mut Pixels) {
    if source.channels().has_alpha() {
        let samples = source.channels().count();
        let alphas = source.data().iter().skip(samples - 1).step_by(samples);
        let places = result.data_mut().iter_mut().skip(samples - 1).step_by(samples);
        places.zip(alphas).for_each(|(place, &alpha)| *place = alpha);
    }
}

fn sorted(source: &Pixels, result: &mut Pixels, radius: usize, cancel: &Cancel) -> Result<(), OpError> {
    let (width, height, samples) =
        (source.width() as usize, source.height() as usize, source.channels().count());
    let (side, row_len) = (2 * radius + 1, source.row_len());
    let padded = (width + 2 * radius) * samples;
    // The rows of the square, each in the slot of its number modulo the side.
    let mut rows: Vec<u8> = try_vec(side * padded)?;
    let load = |rows: &mut [u8], y: isize| {
        let row = &source.data()[replicate(y, height) * row_len..][..row_len];
        let slot = y.rem_euclid(side as isize) as usize;
        for (x, part) in rows[slot * padded..][..padded].chunks_exact_mut(samples).enumerate() {
            let x = replicate(x as isize - radius as isize, width) * samples;
            part.copy_from_slice(&row[x..][..samples]);
        }
    };
    let below = radius as isize;
    for y in -below..below {
        load(&mut rows, y);
    }
    let mut square = [[0; LANES]; (2 * WIDEST_SORTED + 1).pow(2)];
    for (y, out) in result.data_mut().chunks_exact_mut(row_len).enumerate() {
        cancel.check()?;
        load(&mut rows, y as isize + below);
        for (start, out) in (0..).step_by(LANES).zip(out.chunks_mut(LANES)) {
            let len = out.len();
            let shifts =
                rows.chunks_exact(padded).flat_map(|row| (0..side).map(move |x| &row[x * samples..]));
            for (lanes, samples) in square.iter_mut().zip(shifts) {
                lanes[..len].copy_from_slice(&samples[start..][..len]);
            }
            widest(Middle(&mut square[..side * side]));
            out.copy_from_slice(&square[0][..len]);
        }
    }
    Ok(())
}

/// Moves the middle of an odd number of values, in each lane for itself, to the first place, by forgetful
/// selection: of any half of the values and two more, neither the least nor the greatest can be the median of all.
struct Middle<'a>(&'a mut [[u8; LANES]]);

impl Task for Middle<'_> {
    #[inline(always)]
    fn run(self) {
        let Middle(values) = self;
        let end = values.len() / 2 + 2;
        for (first, next) in (end..=values.len()).enumerate() {
            for i in first + 1..end {
                order(values, first, i);
            }
            for i in first + 1..end - 1 {
                order(values, i, end - 1);
            }
            if next < values.len() {
                values[end - 1] = values[next];
            }
        }
        values[0] = values[end - 2];
    }
}

/// Puts the lesser of two values first, in each lane. `first` comes before `second`.
#[inline(always)]
fn order(values: &mut [[u8; LANES]], first: usize, second: usize) {
    let (head, tail) = values.split_at_mut(second);
    for (a, b) in head[first].iter_mut().zip(&mut tail[0]) {
        (*a, *b) = ((*a).min(*b), (*a).max(*b));
    }
}

/// How often each level occurs: by its upper four bits, and in full.
#[derive(Debug, Clone, Default)]
struct Histogram {
    coarse: [u16; 16],
    fine: [[u16; 16]; 16],
}

impl Histogram {
    fn add(&mut self, sample: u8) {
        self.coarse[usize::from(sample >> 4)] += 1;
        self.fine[usize::from(sample >> 4)][usize::from(sample & 15)] += 1;
    }

    fn remove(&mut self, sample: u8) {
        self.coarse[usize::from(sample >> 4)] -= 1;
        self.fine[usize::from(sample >> 4)][usize::from(sample & 15)] -= 1;
    }
}

fn counted(source: &Pixels, result: &mut Pixels, radius: usize, cancel: &Cancel) -> Result<(), OpError> {
    let (width, height, samples) =
        (source.width() as usize, source.height() as usize, source.channels().count());
    let row_len = source.row_len();
    let mut columns: Vec<Histogram> = try_vec(STRIP.min(width) + 2 * radius)?;
    for left in (0..width).step_by(STRIP) {
        let strip = STRIP.min(width - left);
        let columns = &mut columns[..strip + 2 * radius];
        for channel in 0..source.channels().colours() {
            let sample = |column: usize, y: isize| {
                let x = replicate((left + column) as isize - radius as isize, width);
                source.data()[replicate(y, height) * row_len + x * samples + channel]
            };
            let below = radius as isize;
            for (i, column) in columns.iter_mut().enumerate() {
                *column = Histogram::default();
                (-below - 1..below).for_each(|y| column.add(sample(i, y)));
            }
            for y in 0..height {
                cancel.check()?;
                for (i, column) in columns.iter_mut().enumerate() {
                    column.remove(sample(i, y as isize - below - 1));
                    column.add(sample(i, y as isize + below));
                }
                let out = &mut result.data_mut()[y * row_len + left * samples..][..strip * samples];
                medians(columns, radius, out.iter_mut().skip(channel).step_by(samples));
            }
        }
    }
    Ok(())
}

/// The medians of one row, from the histograms of its columns, of which there are `2 radius` more.
///
/// The coarse histogram of the square slides along. A fine one is brought up to date only when the median falls
/// into it, from where it was left or anew, whichever is less work.
fn medians<'a>(columns: &[Histogram], radius: usize, row: impl Iterator<Item = &'a mut u8>) {
    let window = 2 * radius + 1;
    let rank = (window * window / 2) as u16;
    let mut square = Histogram::default();
    columns[..window - 1].iter().for_each(|column| add(&mut square.coarse, &column.coarse));
    // Where each fine histogram was left; too far away at first.
    let mut left_at = [usize::MAX; 16];
    for (x, out) in row.enumerate() {
        add(&mut square.coarse, &columns[x + window - 1].coarse);
        let (upper, below) = find(&square.coarse, rank);
        let fine = &mut square.fine[upper];
        match x.checked_sub(left_at[upper]) {
            Some(distance) if 2 * distance < window => {
                for x in left_at[upper]..x {
                    add(fine, &columns[x + window].fine[upper]);
                    subtract(fine, &columns[x].fine[upper]);
                }
            }
            _ => {
                *fine = [0; 16];
                columns[x..][..window].iter().for_each(|column| add(fine, &column.fine[upper]));
            }
        }
        left_at[upper] = x;
        let (lower, _) = find(fine, rank - below);
        *out = (upper * 16 + lower) as u8;
        subtract(&mut square.coarse, &columns[x].coarse);
    }
}

fn add(counts: &mut [u16; 16], more: &[u16; 16]) {
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}

fn subtract(counts: &mut [u16; 16], less: &[u16; 16]) {
    counts.iter_mut().zip(less).for_each(|(count, less)| *count -= less);
}

/// The bin that holds the value of this rank, counted from 0, and how many values lie in the bins below.
fn find(counts: &[u16; 16], rank: u16) -> (usize, u16) {
    let mut below = 0;
    for (bin, &count) in counts.iter().enumerate() {
        if below + count > rank {
            return (bin, below);
        }
        below += count;
    }
    (15, below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_speck_vanishes_and_an_edge_stays() {
        let source =
            Pixels::new(5, 3, Channels::Gray, vec![1, 1, 1, 8, 8, 1, 99, 1, 8, 8, 1, 1, 1, 8, 8]).unwrap();
        let result = median(source, 1, &Cancel::never()).unwrap();
        assert_eq!(result.data(), [1, 1, 1, 8, 8, 1, 1, 1, 8, 8, 1, 1, 1, 8, 8]);
    }

    #[test]
    fn sorted_and_counted_squares_agree_with_the_definition() {
        let (width, height) = (300, 9);
        let samples: Vec<u8> = (0..width * height * 2u32).map(|i| (i * i % 253) as u8).collect();
        let source = Pixels::new(width, height, Channels::GrayAlpha, samples).unwrap();
        for radius in [1, 2, 3, 6] {
            let result = median(source.clone(), radius, &Cancel::never()).unwrap();
            for (i, pixel) in result.data().chunks_exact(2).enumerate() {
                let (x, y, r) = (i as isize % width as isize, i as isize / width as isize, radius as isize);
                let row = |v: isize| replicate(v, height as usize) * width as usize;
                let at = |u: isize, v: isize| source.data()[2 * (row(v) + replicate(u, width as usize))];
                let mut square: Vec<u8> =
                    (y - r..=y + r).flat_map(|v| (x - r..=x + r).map(move |u| at(u, v))).collect();
                square.sort_unstable();
                assert_eq!(
                    pixel,
                    [square[square.len() / 2], source.data()[2 * i + 1]],
                    "radius {radius} at {x},{y}"
                );
            }
        }
    }

    #[test]
    fn wide_vectors_find_the_same_middle() {
        let values: [[u8; LANES]; 25] =
            std::array::from_fn(|i| std::array::from_fn(|lane| (i * i * 31 + lane * 17 * i) as u8));
        let (mut plain, mut wide) = (values, values);
        Middle(&mut plain).run();
        widest(Middle(&mut wide));
        assert_eq!(plain, wide);
    }
}
