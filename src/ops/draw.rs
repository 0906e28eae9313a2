//! Marks on a colour picture.

use crate::pixels::Pixels;

/// Fills the pixels within `radius` of (`x`, `y`).
pub(super) fn disc(pixels: &mut Pixels, x: u32, y: u32, radius: u32, colour: [u8; 3]) {
    let (left, top) = (x.saturating_sub(radius), y.saturating_sub(radius));
    let (right, bottom) = ((x + radius).min(pixels.width() - 1), (y + radius).min(pixels.height() - 1));
    for v in top..=bottom {
        for u in left..=right {
            if u.abs_diff(x).pow(2) + v.abs_diff(y).pow(2) <= radius * radius {
                blend(pixels, u, v, colour, 1.0);
            }
        }
    }
}

/// Mixes `colour` into a pixel by the share of it that is covered.
fn blend(pixels: &mut Pixels, x: u32, y: u32, colour: [u8; 3], cover: f32) {
    if cover <= 0.0 {
        return;
    }
    let samples = pixels.channels().count();
    let at = (y as usize * pixels.width() as usize + x as usize) * samples;
    for (sample, new) in pixels.data_mut()[at..].iter_mut().zip(colour) {
        let old = f32::from(*sample);
        *sample = (old + (f32::from(new) - old) * cover.min(1.0)).round_ties_even() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Channels;

    const RED: [u8; 3] = [255, 0, 0];

    fn drawn(side: u32, draw: impl FnOnce(&mut Pixels)) -> Vec<Vec<u8>> {
        let mut pixels = Pixels::zeroed(side, side, Channels::Rgb).unwrap();
        draw(&mut pixels);
        pixels.rows().map(|row| row.iter().step_by(3).copied().collect()).collect()
    }

    #[test]
    fn discs_are_round_and_cut_off_at_the_edge() {
        let red = drawn(4, |pixels| disc(pixels, 0, 1, 1, RED));
        assert_eq!(red, [[255, 0, 0, 0], [255, 255, 0, 0], [255, 0, 0, 0], [0; 4]]);
    }
}
