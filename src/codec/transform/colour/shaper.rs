//! `Shaper`: curves and a matrix in integers, so that the result is the same on every machine.

use crate::codec::transform::colour::{compensated_black, deepened};
use crate::codec::transform::linear;
use crate::pixels::{Channels, Pixels};
use moxcms::{ColorProfile, DataColorSpace, ToneReprCurve};

/// Fraction bits of the matrix.
const BITS: u32 = 14;

/// The way from samples to linear light of 16 bits, and on to linear sRGB.
pub(in crate::codec) struct Shaper {
    curves: [[u16; 256]; 3],
    matrix: [[i64; 3]; 3],
    /// The light of the darkest colour, which becomes black.
    black: u16,
}

impl Shaper {
    /// Returns the shaper of an RGB or grey profile; `None` for one that has tables instead, or neither.
    pub(in crate::codec) fn of(profile: &ColorProfile) -> Option<Shaper> {
        let has_tables = profile.lut_a_to_b_perceptual.is_some() || profile.lut_a_to_b_colorimetric.is_some();
        match profile.color_space {
            _ if has_tables => None,
            DataColorSpace::Gray => {
                let curve = curve(profile, &profile.gray_trc)?;
                let one = 1 << BITS;
                let matrix = [[one, 0, 0], [0, one, 0], [0, 0, one]];
                Some(Shaper { curves: [curve; 3], matrix, black: compensated_black(curve[0].into()) })
            }
            DataColorSpace::Rgb if profile.is_matrix_shaper() => {
                let curves = [
                    curve(profile, &profile.red_trc)?,
                    curve(profile, &profile.green_trc)?,
                    curve(profile, &profile.blue_trc)?,
                ];
                let matrix = profile.transform_matrix(&ColorProfile::new_srgb()).v;
                // A hostile matrix may hold anything; none that means a colour space has such entries.
                let sane = matrix.iter().flatten().all(|entry| entry.abs() < 16.0);
                let fixed = matrix.map(|row| row.map(|entry| (entry * f64::from(1 << BITS)).round() as i64));
                let mut shaper = sane.then_some(Shaper { curves, matrix: fixed, black: 0 })?;
                let [r, g, b] = shaper.linear([0; 3]).map(u32::from);
                shaper.black = compensated_black((r * 2126 + g * 7152 + b * 722) / 10_000);
                Some(shaper)
            }
            _ => None,
        }
    }

    /// Returns true if pixels stay as they are, within what 8 bits can show: the curves are sRGB's, and the matrix
    /// moves nothing by more than its own rounding.
    pub(in crate::codec) fn is_identity(&self) -> bool {
        let near = |entry: i64, ideal: i64| (entry - ideal).abs() <= 1 << (BITS - 8);
        let stays = self.matrix.iter().enumerate().all(|(i, row)| {
            row.iter().enumerate().all(|(j, entry)| near(*entry, if i == j { 1 << BITS } else { 0 }))
        });
        let same = |curve: &[u16; 256]| {
            curve.iter().enumerate().all(|(code, level)| linear::encoded(*level).abs_diff(code as u8) <= 1)
        };
        stays && self.black == 0 && self.curves.iter().all(same)
    }

    /// Returns linear sRGB.
    fn linear(&self, pixel: [u8; 3]) -> [u16; 3] {
        let light = [0, 1, 2].map(|i| i64::from(self.curves[i][usize::from(pixel[i])]));
        self.matrix.map(|row| {
            let sum: i64 = row.iter().zip(&light).map(|(entry, light)| entry * light).sum();
            ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 65_535) as u16
        })
    }

    /// Converts the pixels in place; alpha stays. Grey takes the green curve.
    pub(in crate::codec) fn apply(&self, pixels: &mut Pixels) {
        let channels = pixels.channels();
        match channels {
            Channels::Gray | Channels::GrayAlpha => {
                let table = self.curves[1].map(|light| linear::encoded(deepened(light, self.black)));
                for level in pixels.data_mut().iter_mut().step_by(channels.count()) {
                    *level = table[usize::from(*level)];
                }
            }
            Channels::Rgb | Channels::Rgba => {
                for pixel in pixels.data_mut().chunks_exact_mut(channels.count()) {
                    let light = self.linear([pixel[0], pixel[1], pixel[2]]);
                    for (sample, light) in pixel.iter_mut().zip(light) {
                        *sample = linear::encoded(if self.black == 0 {
                            light
                        } else {
                            deepened(light, self.black)
                        });
                    }
                }
            }
        }
    }
}

fn curve(profile: &ColorProfile, curve: &Option<ToneReprCurve>) -> Option<[u16; 256]> {
    curve.as_ref()?;
    let values = profile.build_8bit_lin_table(curve).ok()?;
    let is_lightness = profile.color_space == DataColorSpace::Gray && profile.pcs == DataColorSpace::Lab;
    Some(values.map(|value| {
        let value = f64::from(value).clamp(0.0, 1.0);
        let light = if is_lightness { luminance(value * 100.0) } else { value };
        // A cast puts what is no number at zero.
        (light * 65_535.0 + 0.5) as u16
    }))
}

/// Returns the luminance, 0 to 1, of a lightness L* (CIE 1976), 0 to 100.
fn luminance(lightness: f64) -> f64 {
    let root = (lightness + 16.0) / 116.0;
    if lightness > 8.0 { root * root * root } else { lightness * 27.0 / 24_389.0 }
}
