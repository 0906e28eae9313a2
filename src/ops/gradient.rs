//! The Sobel gradient of a grey picture, row by row.

use crate::pixels::Pixels;

/// Horizontal and vertical 3x3 Sobel derivatives of row `y`, each within ±1020. `border` maps a place beyond the
/// edge to one within.
///
/// # Panics
/// When `dx` or `dy` is not as long as a row of `gray`, which must have one channel.
pub(super) fn sobel(
    gray: &Pixels,
    y: usize,
    border: fn(isize, usize) -> usize,
    dx: &mut [i16],
    dy: &mut [i16],
) {
    let (width, height) = (gray.width() as usize, gray.height() as usize);
    let row = |y: isize| &gray.data()[border(y, height) * width..][..width];
    let (above, here, below) = (row(y as isize - 1), row(y as isize), row(y as isize + 1));
    assert!(dx.len() == width && dy.len() == width);
    let windows = above.windows(3).zip(here.windows(3)).zip(below.windows(3));
    let results = dx.iter_mut().zip(dy.iter_mut()).skip(1);
    for ((dx, dy), ((above, here), below)) in results.zip(windows) {
        (*dx, *dy) = derivative(above, here, below, [0, 1, 2]);
    }
    for x in [0, width - 1] {
        let beside = |x: isize| border(x, width);
        let columns = [beside(x as isize - 1), x, beside(x as isize + 1)];
        (dx[x], dy[x]) = derivative(above, here, below, columns);
    }
}

/// The derivatives about the middle one of three columns.
#[inline(always)]
fn derivative(above: &[u8], here: &[u8], below: &[u8], [left, centre, right]: [usize; 3]) -> (i16, i16) {
    let column = |x: usize| i16::from(above[x]) + 2 * i16::from(here[x]) + i16::from(below[x]);
    let rise = |x: usize| i16::from(below[x]) - i16::from(above[x]);
    (column(right) - column(left), rise(left) + 2 * rise(centre) + rise(right))
}

#[cfg(test)]
mod tests {
    use super::super::border::{reflect101, replicate};
    use super::*;
    use crate::pixels::Channels;

    #[test]
    fn a_ramp_has_its_slope_everywhere_but_at_the_edges() {
        let gray = Pixels::new(4, 2, Channels::Gray, vec![0, 10, 20, 30, 1, 11, 21, 31]).unwrap();
        let (mut dx, mut dy) = ([0; 4], [0; 4]);
        sobel(&gray, 0, replicate, &mut dx, &mut dy);
        assert_eq!((dx, dy), ([40, 80, 80, 40], [4; 4]));
        sobel(&gray, 0, reflect101, &mut dx, &mut dy);
        assert_eq!((dx, dy), ([0, 80, 80, 0], [0; 4]));
    }

    #[test]
    fn one_pixel_has_no_gradient() {
        let gray = Pixels::new(1, 1, Channels::Gray, vec![9]).unwrap();
        let (mut dx, mut dy) = ([1], [1]);
        sobel(&gray, 0, reflect101, &mut dx, &mut dy);
        assert_eq!((dx, dy), ([0], [0]));
    }
}
