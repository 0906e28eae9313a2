//! Extrema of the differences of Gaussians, refined to fractions of a pixel; weak and edge-like ones fall (3.1, 4).

use super::super::OpError;
use super::plane::Plane;
use super::{GAUSSIANS, LAYERS};
use crate::limits::{Cancel, try_vec};

/// Differences per octave.
const DIFFERENCES: usize = GAUSSIANS - 1;

/// Pixels along the edges that are not searched.
const BORDER: usize = 5;

/// Least contrast of a key point, as a share of the full range, times [`LAYERS`].
const CONTRAST: f64 = 0.04;

/// Least difference that is worth refining: half of the least contrast, in whole levels.
const LEAST_DIFFERENCE: f32 = (0.5 * CONTRAST / LAYERS as f64 * 255.0) as u8 as f32;

/// Largest ratio of the two principal curvatures (4.1).
const EDGE_RATIO: f64 = 10.0;

/// Most moves to a neighbour before an extremum is given up.
const MOST_MOVES: usize = 5;

/// An extremum, in the pixels of its octave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extremum {
    /// The Gaussian whose scale is nearest.
    pub(super) layer: usize,
    /// The nearest pixel.
    pub(super) column: usize,
    /// The nearest pixel.
    pub(super) row: usize,
    pub(super) x: f32,
    pub(super) y: f32,
    /// `layer` with its fraction.
    pub(super) scale: f32,
    /// Size of the difference there, as a share of the full range.
    pub(super) contrast: f32,
}

/// Calls `found` with each extremum of an octave, row by row.
pub(super) fn each(
    gaussians: &[Plane; GAUSSIANS],
    cancel: &Cancel,
    mut found: impl FnMut(Extremum) -> Result<(), OpError>,
) -> Result<(), OpError> {
    let (width, height) = (gaussians[0].width(), gaussians[0].height());
    if width <= 2 * BORDER || height <= 2 * BORDER {
        return Ok(());
    }
    // The differences of three rows, row y in slot y modulo 3.
    let mut rows: [[Vec<f32>; DIFFERENCES]; 3] = Default::default();
    for row in rows.iter_mut().flatten() {
        *row = try_vec(width)?;
    }
    let subtract = |y: usize, rows: &mut [Vec<f32>; DIFFERENCES]| {
        for (row, pair) in rows.iter_mut().zip(gaussians.windows(2)) {
            for ((out, &fine), &coarse) in row.iter_mut().zip(pair[0].row(y)).zip(pair[1].row(y)) {
                *out = coarse - fine;
            }
        }
    };
    for y in [BORDER - 1, BORDER] {
        subtract(y, &mut rows[y % 3]);
    }
    for y in BORDER..height - BORDER {
        cancel.check()?;
        subtract(y + 1, &mut rows[(y + 1) % 3]);
        for layer in 1..=LAYERS {
            let [above, here, below] = [y - 1, y, y + 1].map(|y| &rows[y % 3]);
            let neighbours = [above, here, below].map(|rows| [0, 1, 2].map(|i| &rows[layer - 1 + i][..]));
            for (x, &value) in here[layer].iter().enumerate().take(width - BORDER).skip(BORDER) {
                if value.abs() > LEAST_DIFFERENCE
                    && is_extremum(value, x, &neighbours)
                    && let Some(extremum) = refine(gaussians, layer, x, y)
                {
                    found(extremum)?;
                }
            }
        }
    }
    Ok(())
}

/// Whether none of the 26 neighbours is further from zero on the same side.
fn is_extremum(value: f32, x: usize, neighbours: &[[&[f32]; 3]; 3]) -> bool {
    let mut lines = neighbours.iter().flatten().map(|line| &line[x - 1..x + 2]);
    match value > 0.0 {
        true => lines.all(|line| line.iter().all(|&other| value >= other)),
        false => lines.all(|line| line.iter().all(|&other| value <= other)),
    }
}

/// Fits a parabola to the differences around a pixel, and moves on to the pixel where its peak lies (4).
fn refine(
    gaussians: &[Plane; GAUSSIANS],
    mut layer: usize,
    mut column: usize,
    mut row: usize,
) -> Option<Extremum> {
    let (width, height) = (gaussians[0].width(), gaussians[0].height());
    for _ in 0..MOST_MOVES {
        let fit = Parabola::at(gaussians, layer, column, row);
        let [x, y, scale] = fit.peak()?;
        if [x, y, scale].iter().all(|offset| offset.abs() < 0.5) {
            let contrast = (fit.value
                + 0.5 * (fit.gradient[0] * x + fit.gradient[1] * y + fit.gradient[2] * scale))
                .abs();
            return (contrast * LAYERS as f64 >= CONTRAST && !fit.is_edge()).then_some(Extremum {
                layer,
                column,
                row,
                x: (column as f64 + x) as f32,
                y: (row as f64 + y) as f32,
                scale: (layer as f64 + scale) as f32,
                contrast: contrast as f32,
            });
        }
        column = moved(column, x, BORDER, width - BORDER)?;
        row = moved(row, y, BORDER, height - BORDER)?;
        layer = moved(layer, scale, 1, LAYERS + 1)?;
    }
    None
}

/// The whole number nearest to `from + offset`, if it lies in `low..high`.
fn moved(from: usize, offset: f64, low: usize, high: usize) -> Option<usize> {
    let to = from as f64 + offset.round_ties_even();
    (to >= low as f64 && to < high as f64).then_some(to as usize)
}

/// Value and derivatives of the differences at a pixel, in x, y and scale, by finite differences.
struct Parabola {
    value: f64,
    gradient: [f64; 3],
    xx: f64,
    yy: f64,
    ss: f64,
    xy: f64,
    xs: f64,
    ys: f64,
}

impl Parabola {
    fn at(gaussians: &[Plane; GAUSSIANS], layer: usize, column: usize, row: usize) -> Parabola {
        let at = |dx: isize, dy: isize, ds: isize| {
            let (layer, x, y) =
                (layer.wrapping_add_signed(ds), column.wrapping_add_signed(dx), row.wrapping_add_signed(dy));
            f64::from(gaussians[layer + 1].row(y)[x] - gaussians[layer].row(y)[x]) / 255.0
        };
        let value = at(0, 0, 0);
        Parabola {
            value,
            gradient: [
                (at(1, 0, 0) - at(-1, 0, 0)) / 2.0,
                (at(0, 1, 0) - at(0, -1, 0)) / 2.0,
                (at(0, 0, 1) - at(0, 0, -1)) / 2.0,
            ],
            xx: at(1, 0, 0) + at(-1, 0, 0) - 2.0 * value,
            yy: at(0, 1, 0) + at(0, -1, 0) - 2.0 * value,
            ss: at(0, 0, 1) + at(0, 0, -1) - 2.0 * value,
            xy: (at(1, 1, 0) - at(-1, 1, 0) - at(1, -1, 0) + at(-1, -1, 0)) / 4.0,
            xs: (at(1, 0, 1) - at(-1, 0, 1) - at(1, 0, -1) + at(-1, 0, -1)) / 4.0,
            ys: (at(0, 1, 1) - at(0, -1, 1) - at(0, 1, -1) + at(0, -1, -1)) / 4.0,
        }
    }

    /// Where the gradient vanishes, from the pixel: minus the inverse of the second derivatives times the gradient,
    /// by Cramer's rule.
    fn peak(&self) -> Option<[f64; 3]> {
        let Parabola { xx, yy, ss, xy, xs, ys, .. } = *self;
        let columns = [[xx, xy, xs], [xy, yy, ys], [xs, ys, ss]];
        let determinant = |[a, b, c]: [[f64; 3]; 3]| {
            a[0] * (b[1] * c[2] - b[2] * c[1]) - b[0] * (a[1] * c[2] - a[2] * c[1])
                + c[0] * (a[1] * b[2] - a[2] * b[1])
        };
        let whole = determinant(columns);
        (whole != 0.0).then(|| {
            [0, 1, 2].map(|i| {
                let mut replaced = columns;
                replaced[i] = self.gradient;
                -determinant(replaced) / whole
            })
        })
    }

    /// Whether it is much more curved one way than the other (4.1).
    fn is_edge(&self) -> bool {
        let trace = self.xx + self.yy;
        let determinant = self.xx * self.yy - self.xy * self.xy;
        determinant <= 0.0
            || trace * trace * EDGE_RATIO >= (EDGE_RATIO + 1.0) * (EDGE_RATIO + 1.0) * determinant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bowl(gradient: [f64; 3], [xx, yy, ss]: [f64; 3]) -> Parabola {
        Parabola { value: 0.0, gradient, xx, yy, ss, xy: 0.0, xs: 0.0, ys: 0.0 }
    }

    #[test]
    fn the_peak_lies_against_the_gradient_by_the_curvature() {
        assert_eq!(bowl([1.0, -2.0, 0.5], [-4.0, -8.0, 2.0]).peak(), Some([0.25, -0.25, -0.25]));
        assert_eq!(bowl([1.0, 0.0, 0.0], [0.0, 1.0, 1.0]).peak(), None);
    }

    #[test]
    fn a_ridge_and_a_saddle_are_edges_and_a_bump_is_not() {
        assert!(bowl([0.0; 3], [-1.0, -20.0, -1.0]).is_edge());
        assert!(bowl([0.0; 3], [-1.0, 1.0, -1.0]).is_edge());
        assert!(!bowl([0.0; 3], [-1.0, -2.0, -1.0]).is_edge());
    }

    #[test]
    fn a_move_stays_inside() {
        assert_eq!(moved(5, -0.6, 5, 9), None);
        assert_eq!(moved(5, 0.6, 5, 9), Some(6));
        assert_eq!(moved(8, 1e30, 5, 9), None);
    }
}
