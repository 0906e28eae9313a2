//! Operations that look at one pixel alone: curves on samples and matrices on colours.

use super::{OpError, luma};
use crate::limits::Cancel;
use crate::pixels::{Channels, Pixels};

/// 255 minus each colour sample.
pub(super) fn invert(pixels: Pixels, cancel: &Cancel) -> Result<Pixels, OpError> {
    map_samples(pixels, cancel, |sample| !sample)
}

/// Adds `levels` to each colour sample.
pub(super) fn brightness(pixels: Pixels, levels: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    map_curve(pixels, cancel, |sample| sample + f64::from(levels))
}

/// Multiplies the distance to 128 by `1 + percent / 100`.
pub(super) fn contrast(pixels: Pixels, percent: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    let factor = 1.0 + f64::from(percent) / 100.0;
    map_curve(pixels, cancel, |sample| 128.0 + (sample - 128.0) * factor)
}

/// Raises each sample (0 to 1) to the power `1 / gamma`.
pub(super) fn gamma(pixels: Pixels, gamma: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    let power = 1.0 / f64::from(gamma);
    map_curve(pixels, cancel, |sample| 255.0 * libm::pow(sample / 255.0, power))
}

/// Multiplies the distance to the pixel's luma by `1 + percent / 100`. Grey has no such distance.
pub(super) fn saturation(pixels: Pixels, percent: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    let factor = 1.0 + f64::from(percent) / 100.0;
    let grey = [0.299, 0.587, 0.114].map(|weight| weight * (1.0 - factor));
    let [r, g, b] = grey;
    map_colours(pixels, cancel, [[r + factor, g, b], [r, g + factor, b], [r, g, b + factor]])
}

/// Turns the hue, keeping the luma: the `hueRotate` matrix of CSS Filter Effects (section 9.6). Grey has no hue.
pub(super) fn hue(pixels: Pixels, degrees: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    const GREY: [[f64; 3]; 3] = [[0.213, 0.715, 0.072]; 3];
    const COS: [[f64; 3]; 3] = [[0.787, -0.715, -0.072], [-0.213, 0.285, -0.072], [-0.213, -0.715, 0.928]];
    const SIN: [[f64; 3]; 3] = [[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]];
    let (sin, cos) = libm::sincos(f64::from(degrees).to_radians());
    let entry =
        |row: usize, column: usize| GREY[row][column] + cos * COS[row][column] + sin * SIN[row][column];
    map_colours(pixels, cancel, [0, 1, 2].map(|row| [0, 1, 2].map(|column| entry(row, column))))
}

/// The brown tone of old prints: the `sepia` matrix of CSS Filter Effects.
pub(super) fn sepia(pixels: Pixels, cancel: &Cancel) -> Result<Pixels, OpError> {
    let brown = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]];
    map_colours(luma::into_rgb(pixels)?, cancel, brown)
}

/// Applies a function of the sample value, rounded to the nearest level, ties to even as OpenCV does.
fn map_curve(pixels: Pixels, cancel: &Cancel, curve: impl Fn(f64) -> f64) -> Result<Pixels, OpError> {
    // `as` saturates, which is what a curve that leaves the range should do.
    let table: [u8; 256] = std::array::from_fn(|level| curve(level as f64).round_ties_even() as u8);
    map_samples(pixels, cancel, |sample| table[usize::from(sample)])
}

fn map_samples(mut pixels: Pixels, cancel: &Cancel, map: impl Fn(u8) -> u8) -> Result<Pixels, OpError> {
    let (row_len, channels) = (pixels.row_len(), pixels.channels());
    for row in pixels.data_mut().chunks_exact_mut(row_len) {
        cancel.check()?;
        match channels {
            Channels::Gray | Channels::Rgb => row.iter_mut().for_each(|sample| *sample = map(*sample)),
            Channels::GrayAlpha => row.as_chunks_mut().0.iter_mut().for_each(|[y, _]| *y = map(*y)),
            Channels::Rgba => {
                row.as_chunks_mut().0.iter_mut().for_each(|[r, g, b, _]| {
                    [*r, *g, *b] = [map(*r), map(*g), map(*b)];
                });
            }
        }
    }
    Ok(pixels)
}

/// Multiplies each colour by `matrix` in 16-bit fixed point. Grey pictures stay as they are.
fn map_colours(mut pixels: Pixels, cancel: &Cancel, matrix: [[f64; 3]; 3]) -> Result<Pixels, OpError> {
    let matrix = matrix.map(|row| row.map(|entry| (entry * 65536.0).round_ties_even() as i32));
    let map = |colour: [u8; 3]| {
        let [r, g, b] = colour.map(i32::from);
        matrix.map(|[wr, wg, wb]| ((wr * r + wg * g + wb * b + (1 << 15)) >> 16).clamp(0, 255) as u8)
    };
    let (row_len, channels) = (pixels.row_len(), pixels.channels());
    for row in pixels.data_mut().chunks_exact_mut(row_len) {
        cancel.check()?;
        match channels {
            Channels::Gray | Channels::GrayAlpha => break,
            Channels::Rgb => row.as_chunks_mut().0.iter_mut().for_each(|colour| *colour = map(*colour)),
            Channels::Rgba => {
                row.as_chunks_mut().0.iter_mut().for_each(|[r, g, b, _]| {
                    [*r, *g, *b] = map([*r, *g, *b]);
                });
            }
        }
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(samples: &[u8]) -> Pixels {
        Pixels::new(samples.len() as u32, 1, Channels::Gray, samples.to_vec()).unwrap()
    }

    fn rgb(colour: [u8; 3]) -> Pixels {
        Pixels::new(1, 1, Channels::Rgb, colour.to_vec()).unwrap()
    }

    fn never() -> Cancel {
        Cancel::never()
    }

    #[test]
    fn brightness_and_contrast_saturate_at_black_and_white() {
        let source = gray(&[0, 100, 128, 250]);
        assert_eq!(brightness(source.clone(), 20.0, &never()).unwrap().data(), [20, 120, 148, 255]);
        assert_eq!(brightness(source.clone(), -120.0, &never()).unwrap().data(), [0, 0, 8, 130]);
        assert_eq!(contrast(source.clone(), 50.0, &never()).unwrap().data(), [0, 86, 128, 255]);
        assert_eq!(contrast(source, -100.0, &never()).unwrap().data(), [128; 4]);
    }

    #[test]
    fn gamma_lifts_the_middle_and_keeps_the_ends() {
        assert_eq!(gamma(gray(&[0, 64, 255]), 2.0, &never()).unwrap().data(), [0, 128, 255]);
        assert_eq!(gamma(gray(&[0, 64, 255]), 1.0, &never()).unwrap().data(), [0, 64, 255]);
    }

    #[test]
    fn no_saturation_is_grey_and_double_saturation_goes_away_from_it() {
        assert_eq!(saturation(rgb([200, 100, 50]), -100.0, &never()).unwrap().data(), [124; 3]);
        assert_eq!(saturation(rgb([200, 100, 50]), 0.0, &never()).unwrap().data(), [200, 100, 50]);
        assert_eq!(saturation(rgb([200, 100, 50]), 100.0, &never()).unwrap().data(), [255, 76, 0]);
    }

    #[test]
    fn a_full_turn_of_the_hue_changes_nothing_and_grey_has_no_hue() {
        assert_eq!(hue(rgb([200, 100, 50]), 360.0, &never()).unwrap().data(), [200, 100, 50]);
        assert_eq!(hue(rgb([77, 77, 77]), 123.0, &never()).unwrap().data(), [77; 3]);
        let [red, green, blue] =
            <[u8; 3]>::try_from(hue(rgb([200, 50, 50]), 120.0, &never()).unwrap().data()).unwrap();
        assert!(green > red && green > blue, "a third of a turn leads from red to green");
    }

    #[test]
    fn sepia_colours_grey_pictures_too() {
        assert_eq!(sepia(gray(&[100]), &never()).unwrap().data(), [135, 120, 94]);
    }

    #[test]
    fn alpha_stays() {
        let source = Pixels::new(1, 1, Channels::Rgba, vec![1, 2, 3, 4]).unwrap();
        assert_eq!(invert(source.clone(), &never()).unwrap().data(), [254, 253, 252, 4]);
        assert_eq!(sepia(source, &never()).unwrap().data()[3], 4);
        let source = Pixels::new(1, 1, Channels::GrayAlpha, vec![1, 4]).unwrap();
        assert_eq!(invert(source, &never()).unwrap().data(), [254, 4]);
    }
}
