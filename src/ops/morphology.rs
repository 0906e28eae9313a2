//! Erosion and dilation with a square: the running minimum and maximum.
//!
//! Both axes run one kernel, [`slide`], which doubles the width of the window until it covers the square, so a
//! pass costs `log2` of the side in vector instructions and no branches. Beyond the edge there is nothing
//! (OpenCV's default border), which is the neutral value of minimum or maximum.

use super::OpError;
use crate::limits::{Cancel, try_vec};
use crate::pixels::{Channels, Pixels};

/// Pixels in a column strip: its lines stay in the inner caches and are whole vectors.
const STRIP: usize = 64;

/// Minimum over a square of side `2 radius + 1`.
pub(super) fn erode(pixels: Pixels, radius: u8, cancel: &Cancel) -> Result<Pixels, OpError> {
    filter(pixels, usize::from(radius), 255, u8::min, cancel)
}

/// Maximum over a square of side `2 radius + 1`.
pub(super) fn dilate(pixels: Pixels, radius: u8, cancel: &Cancel) -> Result<Pixels, OpError> {
    filter(pixels, usize::from(radius), 0, u8::max, cancel)
}

/// Bytes of the two lines that an axis needs.
pub(super) fn memory(radius: u8, width: u32, height: u32, channels: Channels) -> u64 {
    let margin = 2 * u64::from(radius);
    let row = (u64::from(width) + margin) * channels.count() as u64;
    let strip = (u64::from(height) + margin) * (STRIP.min(width as usize) * channels.count()) as u64;
    2 * row.max(strip)
}

fn filter(
    mut pixels: Pixels,
    radius: usize,
    neutral: u8,
    pick: impl Fn(u8, u8) -> u8 + Copy,
    cancel: &Cancel,
) -> Result<Pixels, OpError> {
    let (width, height, channels) = (pixels.width() as usize, pixels.height() as usize, pixels.channels());
    let (samples, row_len) = (channels.count(), pixels.row_len());
    let widest = row_len.max(height * STRIP.min(width) * samples);
    let margins = 2 * radius * samples * STRIP.min(width);
    let mut line: Vec<u8> = try_vec(widest + margins)?;
    let mut spare: Vec<u8> = try_vec(widest + margins)?;

    let margin = radius * samples;
    for row in pixels.data_mut().chunks_exact_mut(row_len) {
        cancel.check()?;
        line[..margin].fill(neutral);
        line[margin..][..row_len].copy_from_slice(row);
        line[margin + row_len..][..margin].fill(neutral);
        let result = slide(&mut line, &mut spare, row_len, samples, 2 * radius + 1, pick);
        store_colours(row, result, channels);
    }
    for left in (0..row_len).step_by(STRIP * samples) {
        cancel.check()?;
        let stride = (STRIP * samples).min(row_len - left);
        let (margin, len) = (radius * stride, height * stride);
        line[..margin].fill(neutral);
        for (part, row) in line[margin..][..len].chunks_exact_mut(stride).zip(pixels.rows()) {
            part.copy_from_slice(&row[left..][..stride]);
        }
        line[margin + len..][..margin].fill(neutral);
        let result = slide(&mut line, &mut spare, len, stride, 2 * radius + 1, pick);
        for (row, part) in pixels.data_mut().chunks_exact_mut(row_len).zip(result.chunks_exact(stride)) {
            store_colours(&mut row[left..][..stride], part, channels);
        }
    }
    Ok(pixels)
}

/// The pick of every window of `window` samples that lie `stride` apart: `len` results from
/// `len + (window - 1) * stride` samples at the start of `line`. Both buffers are overwritten.
fn slide<'a>(
    mut line: &'a mut [u8],
    mut spare: &'a mut [u8],
    len: usize,
    stride: usize,
    window: usize,
    pick: impl Fn(u8, u8) -> u8,
) -> &'a [u8] {
    let mut join = |line: &mut &'a mut [u8], len: usize, shift: usize| {
        let (near, far) = (&line[..len], &line[shift..][..len]);
        for (out, (&a, &b)) in spare.iter_mut().zip(near.iter().zip(far)) {
            *out = pick(a, b);
        }
        std::mem::swap(line, &mut spare);
    };
    // `line[i]` is the pick of `span` samples from `i` on.
    let mut span = 1;
    while 2 * span <= window {
        join(&mut line, len + (window - 2 * span) * stride, span * stride);
        span *= 2;
    }
    join(&mut line, len, (window - span) * stride);
    &line[..len]
}

fn store_colours(row: &mut [u8], result: &[u8], channels: Channels) {
    if !channels.has_alpha() {
        return row.copy_from_slice(result);
    }
    let colours = channels.colours();
    for (pixel, new) in row.chunks_exact_mut(channels.count()).zip(result.chunks_exact(channels.count())) {
        pixel[..colours].copy_from_slice(&new[..colours]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bright_pixel_grows_to_a_square_and_vanishes_when_eroded() {
        let mut samples = vec![0; 25];
        samples[12] = 9;
        let source = Pixels::new(5, 5, Channels::Gray, samples).unwrap();
        #[rustfmt::skip]
        let square = [
            0, 0, 0, 0, 0,
            0, 9, 9, 9, 0,
            0, 9, 9, 9, 0,
            0, 9, 9, 9, 0,
            0, 0, 0, 0, 0,
        ];
        assert_eq!(dilate(source.clone(), 1, &Cancel::never()).unwrap().data(), square);
        assert_eq!(erode(source, 1, &Cancel::never()).unwrap().data(), [0; 25]);
    }

    #[test]
    fn nothing_lies_beyond_the_edge() {
        let source = Pixels::new(4, 1, Channels::Gray, vec![5, 7, 8, 6]).unwrap();
        assert_eq!(erode(source.clone(), 1, &Cancel::never()).unwrap().data(), [5, 5, 6, 6]);
        assert_eq!(dilate(source.clone(), 50, &Cancel::never()).unwrap().data(), [8; 4]);
        assert_eq!(dilate(source, 0, &Cancel::never()).unwrap().data(), [5, 7, 8, 6]);
    }

    #[test]
    fn every_radius_agrees_with_the_definition() {
        let (width, height) = (150, 23);
        let samples: Vec<u8> = (0..width * height * 3).map(|i| (i * i % 251) as u8).collect();
        let source = Pixels::new(width, height, Channels::Rgb, samples).unwrap();
        let at = |x: i64, y: i64, c: i64| {
            let inside = x >= 0 && y >= 0 && x < i64::from(width) && y < i64::from(height);
            inside.then(|| source.data()[((y * i64::from(width) + x) * 3 + c) as usize])
        };
        for radius in [1, 2, 3, 7, 30] {
            let result = erode(source.clone(), radius, &Cancel::never()).unwrap();
            let r = i64::from(radius);
            for (i, &sample) in result.data().iter().enumerate().step_by(7) {
                let (x, y, c) =
                    (i as i64 / 3 % i64::from(width), i as i64 / 3 / i64::from(width), i as i64 % 3);
                let square = (y - r..=y + r).flat_map(|v| (x - r..=x + r).filter_map(move |u| at(u, v, c)));
                assert_eq!(Some(sample), square.min(), "radius {radius} at {x},{y}");
            }
        }
    }

    #[test]
    fn alpha_stays() {
        let source = Pixels::new(2, 2, Channels::GrayAlpha, vec![1, 10, 2, 20, 3, 30, 4, 40]).unwrap();
        assert_eq!(dilate(source, 1, &Cancel::never()).unwrap().data(), [4, 10, 4, 20, 4, 30, 4, 40]);
    }
}
