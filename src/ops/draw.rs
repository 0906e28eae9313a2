//! Marks on a colour picture: discs, and smooth rings and lines of one pixel's width.

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

/// Draws a circle of `radius` pixels about (`x`, `y`), the centre of the top left pixel being (0, 0).
pub(super) fn ring(pixels: &mut Pixels, (x, y): (f32, f32), radius: f32, colour: [u8; 3]) {
    let (top, bottom) = span(y - radius - 1.0, y + radius + 1.0, pixels.height());
    for v in top..bottom {
        // Only where the row comes near the circle: a band of columns on each side.
        let rise = v as f32 - y;
        let half = |radius: f32| (radius * radius - rise * rise).max(0.0).sqrt();
        let (outer, inner) = (half(radius + 1.0), half((radius - 1.0).max(0.0)));
        let (left, right) = span(x - outer, x + outer, pixels.width());
        let (gap_left, gap_right) = span(x - inner + 1.0, x + inner - 1.0, pixels.width());
        for u in (left..right).filter(|u| !(gap_left..gap_right).contains(u)) {
            let run = u as f32 - x;
            let distance = ((run * run + rise * rise).sqrt() - radius).abs();
            blend(pixels, u, v, colour, 1.0 - distance);
        }
    }
}

/// Draws a straight line between two points.
pub(super) fn line(pixels: &mut Pixels, from: (f32, f32), to: (f32, f32), colour: [u8; 3]) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length2 = dx * dx + dy * dy;
    let (top, bottom) = span(from.1.min(to.1) - 1.0, from.1.max(to.1) + 1.0, pixels.height());
    let (left, right) = span(from.0.min(to.0) - 1.0, from.0.max(to.0) + 1.0, pixels.width());
    for v in top..bottom {
        for u in left..right {
            let (run, rise) = (u as f32 - from.0, v as f32 - from.1);
            let along = if length2 > 0.0 { ((run * dx + rise * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
            let (off_x, off_y) = (run - along * dx, rise - along * dy);
            blend(pixels, u, v, colour, 1.0 - (off_x * off_x + off_y * off_y).sqrt());
        }
    }
}

/// The whole numbers from `low` to `high` that are below `len`, as a half-open range.
fn span(low: f32, high: f32, len: u32) -> (u32, u32) {
    // `as` takes what is below zero for zero.
    (low.ceil() as u32, ((high.floor() + 1.0) as u32).min(len))
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

    #[test]
    fn a_ring_is_hollow_and_covers_its_circumference_once() {
        let red = drawn(41, |pixels| ring(pixels, (20.0, 20.0), 15.0, RED));
        assert_eq!((red[20][5], red[20][35], red[5][20], red[20][20], red[20][4]), (255, 255, 255, 0, 0));
        let ink: f64 = red.iter().flatten().map(|&v| f64::from(v) / 255.0).sum();
        assert!((ink / (2.0 * std::f64::consts::PI * 15.0) - 1.0).abs() < 0.02, "{ink}");
    }

    #[test]
    fn lines_run_from_end_to_end_and_marks_beyond_the_picture_are_no_fault() {
        let red = drawn(5, |pixels| line(pixels, (0.0, 2.0), (4.0, 2.0), RED));
        assert_eq!((red[2].clone(), red[1][2]), (vec![255; 5], 0));
        let red = drawn(5, |pixels| {
            line(pixels, (-90.0, -90.0), (-50.0, -60.0), RED);
            ring(pixels, (100.0, 2.0), 3.0, RED);
            ring(pixels, (2.0, 2.0), 0.0, RED);
        });
        assert_eq!(red.iter().flatten().filter(|&&v| v > 0).count(), 1);
    }
}
