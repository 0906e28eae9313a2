//! `Shaper`: curves and a matrix in integers, so that the result is the same on every machine.

use crate::codec::transform::linear;
use crate::pixels::{Channels, Pixels};
use moxcms::{ColorProfile, DataColorSpace, ToneReprCurve};

/// Fraction bits of the matrix.
const BITS: u32 = 14;

/// From samples to linear light, 16 bits, and on to linear sRGB.
pub(in crate::codec) struct Shaper {
    curves: [[u16; 256]; 3],
    matrix: [[i64; 3]; 3],
}

impl Shaper {
    /// The shaper of an RGB or grey profile; `None` for one that has tables instead, or neither.
    pub(in crate::codec) fn of(profile: &ColorProfile) -> Option<Shaper> {
        let has_tables = profile.lut_a_to_b_perceptual.is_some() || profile.lut_a_to_b_colorimetric.is_some();
        match profile.color_space {
            _ if has_tables => None,
            DataColorSpace::Gray => {
                let curve = curve(profile, &profile.gray_trc)?;
                let one = 1 << BITS;
                Some(Shaper { curves: [curve; 3], matrix: [[one, 0, 0], [0, one, 0], [0, 0, one]] })
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
                sane.then_some(Shaper { curves, matrix: fixed })
            }
            _ => None,
        }
    }

    /// Whether pixels stay as they are, within what 8 bits can show: the curves are sRGB's, and the matrix
    /// moves nothing by more than its own rounding.
    pub(in crate::codec) fn is_identity(&self) -> bool {
        let near = |entry: i64, ideal: i64| (entry - ideal).abs() <= 1 << (BITS - 8);
        let stays = self.matrix.iter().enumerate().all(|(i, row)| {
            row.iter().enumerate().all(|(j, entry)| near(*entry, if i == j { 1 << BITS } else { 0 }))
        });
        let same = |curve: &[u16; 256]| {
            curve.iter().enumerate().all(|(code, level)| linear::encoded(*level).abs_diff(code as u8) <= 1)
        };
        stays && self.curves.iter().all(same)
    }

    /// Converts the pixels in place; alpha stays. Grey takes the green curve.
    pub(in crate::codec) fn apply(&self, pixels: &mut Pixels) {
        let channels = pixels.channels();
        match channels {
            Channels::Gray | Channels::GrayAlpha => {
                let table = self.curves[1].map(linear::encoded);
                for level in pixels.data_mut().iter_mut().step_by(channels.count()) {
                    *level = table[usize::from(*level)];
                }
            }
            Channels::Rgb | Channels::Rgba => {
                for pixel in pixels.data_mut().chunks_exact_mut(channels.count()) {
                    let light = [0, 1, 2].map(|i| i64::from(self.curves[i][usize::from(pixel[i])]));
                    for (sample, row) in pixel.iter_mut().zip(&self.matrix) {
                        let sum: i64 = row.iter().zip(&light).map(|(entry, light)| entry * light).sum();
                        *sample =
                            linear::encoded(((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 65_535) as u16);
                    }
                }
            }
        }
    }
}

fn curve(profile: &ColorProfile, curve: &Option<ToneReprCurve>) -> Option<[u16; 256]> {
    curve.as_ref()?;
    let light = profile.build_8bit_lin_table(curve).ok()?;
    // A cast puts what is no number at zero.
    Some(light.map(|light| (f64::from(light).clamp(0.0, 1.0) * 65_535.0 + 0.5) as u16))
}
