//! The main directions of the gradient around a key point (5).

use super::plane::Plane;

/// Bins of the histogram of directions: 10 degrees each.
const BINS: usize = 36;

/// Sigma of the window, and where it is cut off, in scales of the key point.
const WINDOW_SIGMA: f32 = 1.5;
const WINDOW_RADIUS: f32 = 3.0 * WINDOW_SIGMA;

/// Share of the highest peak that another must reach to count.
const PEAK_SHARE: f32 = 0.8;

/// The directions, in degrees clockwise from the right, of the peaks in the histogram of gradients about a pixel.
pub(super) fn peaks(plane: &Plane, place: (usize, usize), scale: f32) -> impl Iterator<Item = f32> {
    let histogram = smoothed(&histogram(plane, place, scale));
    let highest = histogram.iter().fold(0f32, |highest, &count| highest.max(count));
    (0..BINS).filter_map(move |bin| {
        let [before, here, after] = [bin + BINS - 1, bin, bin + 1].map(|bin| histogram[bin % BINS]);
        (here > before && here > after && here >= PEAK_SHARE * highest).then(|| {
            let fraction = 0.5 * (before - after) / (before - 2.0 * here + after);
            let angle = (bin as f32 + fraction) * (360 / BINS) as f32;
            // The first bin reaches below zero; a tiny bit below would round up to the full turn.
            let angle = if angle < 0.0 { angle + 360.0 } else { angle };
            if angle < 360.0 { angle } else { 0.0 }
        })
    })
}

fn histogram(plane: &Plane, (column, row): (usize, usize), scale: f32) -> [f32; BINS] {
    let radius = (WINDOW_RADIUS * scale).round_ties_even() as usize;
    let sigma = WINDOW_SIGMA * scale;
    // The window is a product of one weight for each axis.
    let weights: Vec<f32> =
        (0..=radius).map(|i| libm::expf(-((i * i) as f32) / (2.0 * sigma * sigma))).collect();
    let mut histogram = [0.0; BINS];
    let inside = |centre: usize, len: usize| {
        centre.saturating_sub(radius).max(1)..(centre + radius + 1).min(len.saturating_sub(1))
    };
    for y in inside(row, plane.height()) {
        let [above, here, below] = [y - 1, y, y + 1].map(|y| plane.row(y));
        for x in inside(column, plane.width()) {
            let (dx, dy) = (here[x + 1] - here[x - 1], below[x] - above[x]);
            let weight = weights[y.abs_diff(row)] * weights[x.abs_diff(column)];
            histogram[direction(dx, dy) % BINS] += weight * (dx * dx + dy * dy).sqrt();
        }
    }
    histogram
}

/// The nearest multiple of a bin's width to the angle of a vector, 0 to [`BINS`].
fn direction(dx: f32, dy: f32) -> usize {
    const BINS_PER_RADIAN: f32 = BINS as f32 / std::f32::consts::TAU;
    let (least, most) = (dx.abs().min(dy.abs()), dx.abs().max(dy.abs()));
    let slope = if most > 0.0 { least / most } else { 0.0 };
    // Arc tangent to 1e-5 (Abramowitz and Stegun 4.4.49), within an eighth of the turn.
    let square = slope * slope;
    let series =
        0.999866 + square * (-0.3302995 + square * (0.180141 + square * (-0.085133 + square * 0.0208351)));
    let eighth = slope * series * BINS_PER_RADIAN;
    let quarter = if dx.abs() >= dy.abs() { eighth } else { BINS as f32 / 4.0 - eighth };
    let half = if dx >= 0.0 { quarter } else { BINS as f32 / 2.0 - quarter };
    let whole = if dy >= 0.0 { half } else { BINS as f32 - half };
    whole.round_ties_even() as usize
}

/// The histogram, each bin mixed with two neighbours on either side by 1, 4, 6, 4, 1.
fn smoothed(histogram: &[f32; BINS]) -> [f32; BINS] {
    std::array::from_fn(|bin| {
        let at = |offset: usize| histogram[(bin + BINS + offset - 2) % BINS];
        (at(0) + at(4)) / 16.0 + (at(1) + at(3)) / 4.0 + at(2) * 6.0 / 16.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_direction_falls_into_its_bin() {
        for degrees in 0..360 {
            let (sin, cos) = libm::sincosf((degrees as f32 + 0.5).to_radians());
            let nearest = ((degrees as f32 + 0.5) / 10.0).round() as usize;
            assert_eq!(direction(3.0 * cos, 3.0 * sin), nearest, "{degrees}");
        }
        assert_eq!(direction(0.0, 0.0), 0);
    }
}
