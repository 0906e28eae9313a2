//! Harris corners: where `cv2.cornerHarris(gray, 2, 3, 0.04)` exceeds a tenth of its maximum.
//!
//! (C. Harris, M. Stephens: A Combined Corner and Edge Detector, Alvey Vision Conference 1988.) The response is a
//! whole number here: it is only compared, so its scale does not matter, and 25 times it clears `k = 1 / 25`.

use super::border::reflect101;
use super::draw::disc;
use super::gradient::sobel;
use super::{OpError, luma};
use crate::limits::{Cancel, try_vec};
use crate::pixels::Pixels;

/// Pixels around a corner that are marked with it.
const MARK_RADIUS: u32 = 2;
const RED: [u8; 3] = [255, 0, 0];

/// The picture with a red disc on each corner.
pub(super) fn corners(pixels: Pixels, cancel: &Cancel) -> Result<Pixels, OpError> {
    let gray = luma::plane(&pixels, cancel)?;
    let mut marked = luma::into_rgb(pixels)?;
    // Once for the maximum and once for the marks: a second look is cheaper than eight bytes a pixel.
    let mut maximum = 0;
    each_response(&gray, cancel, |_, row| {
        maximum = row.iter().fold(maximum, |maximum, &response| maximum.max(response));
    })?;
    each_response(&gray, cancel, |y, row| {
        for (x, _) in row.iter().enumerate().filter(|&(_, &response)| 10 * response > maximum && maximum > 0)
        {
            disc(&mut marked, x as u32, y as u32, MARK_RADIUS, RED);
        }
    })?;
    Ok(marked)
}

/// Bytes of the luma and of the rows.
pub(super) fn memory(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height) + 36 * u64::from(width)
}

/// Products of the gradient, summed over a window: `dx²`, `dx dy`, `dy²`.
#[derive(Debug, Clone, Copy, Default)]
struct Structure {
    xx: i32,
    xy: i32,
    yy: i32,
}

impl Structure {
    fn plus(self, other: Structure) -> Structure {
        Structure { xx: self.xx + other.xx, xy: self.xy + other.xy, yy: self.yy + other.yy }
    }

    /// 25 times `determinant - 0.04 trace²`; below 2⁵³ in size.
    fn response(self) -> i64 {
        let [xx, xy, yy] = [self.xx, self.xy, self.yy].map(i64::from);
        25 * (xx * yy - xy * xy) - (xx + yy) * (xx + yy)
    }
}

/// Calls `see` with each row's number and its responses.
fn each_response(gray: &Pixels, cancel: &Cancel, mut see: impl FnMut(usize, &[i64])) -> Result<(), OpError> {
    let (width, height) = (gray.width() as usize, gray.height() as usize);
    let mut rows = GradientRows { gray, dx: try_vec(width)?, dy: try_vec(width)? };
    let (mut above, mut here): (Vec<Structure>, Vec<Structure>) = (try_vec(width)?, try_vec(width)?);
    let mut responses: Vec<i64> = try_vec(width)?;
    rows.structure(reflect101(-1, height), &mut above);
    for y in 0..height {
        cancel.check()?;
        rows.structure(y, &mut here);
        for ((response, &above), &here) in responses.iter_mut().zip(&above).zip(&here) {
            *response = above.plus(here).response();
        }
        see(y, &responses);
        std::mem::swap(&mut above, &mut here);
    }
    Ok(())
}

struct GradientRows<'a> {
    gray: &'a Pixels,
    dx: Vec<i16>,
    dy: Vec<i16>,
}

impl GradientRows<'_> {
    /// The products of row `y`, each summed with its left neighbour's: the upper or lower half of a 2x2 window.
    fn structure(&mut self, y: usize, sums: &mut [Structure]) {
        sobel(self.gray, y, reflect101, &mut self.dx, &mut self.dy);
        let product = |x: usize| {
            let (dx, dy) = (i32::from(self.dx[x]), i32::from(self.dy[x]));
            Structure { xx: dx * dx, xy: dx * dy, yy: dy * dy }
        };
        let mut left = product(reflect101(-1, sums.len()));
        for (x, sum) in sums.iter_mut().enumerate() {
            let here = product(x);
            *sum = left.plus(here);
            left = here;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Channels;

    #[test]
    fn the_corners_of_a_square_are_marked_and_its_sides_are_not() {
        let (side, from, to) = (40u32, 10, 30);
        let inside = |i: u32| (from..to).contains(&(i % side)) && (from..to).contains(&(i / side));
        let samples = (0..side * side).map(|i| if inside(i) { 200 } else { 20 }).collect();
        let source = Pixels::new(side, side, Channels::Gray, samples).unwrap();
        let result = corners(source, &Cancel::never()).unwrap();
        let red = |x: u32, y: u32| result.data()[((y * side + x) * 3) as usize..][..3] == RED;
        for (x, y) in [(10, 10), (29, 10), (10, 29), (29, 29)] {
            assert!(red(x, y), "corner {x},{y}");
        }
        for (x, y) in [(20, 10), (10, 20), (20, 20), (2, 2)] {
            assert!(!red(x, y), "no corner {x},{y}");
        }
    }

    #[test]
    fn a_flat_picture_has_no_corners() {
        let source = Pixels::new(9, 9, Channels::Rgba, vec![70; 9 * 9 * 4]).unwrap();
        assert_eq!(corners(source.clone(), &Cancel::never()).unwrap(), source);
    }
}
