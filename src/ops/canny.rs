//! Canny edges: `cv2.Canny` with a 3x3 Sobel operator and the L1 norm.
//!
//! (J. Canny: A Computational Approach to Edge Detection, IEEE PAMI 8, 1986.)

use super::border::replicate;
use super::gradient::sobel;
use super::{OpError, luma};
use crate::limits::{Cancel, OutOfMemory, try_vec};
use crate::pixels::{Channels, Pixels};

/// An edge only if it continues one.
const WEAK: u8 = 1;
const EDGE: u8 = 255;

/// White edges on black: thin ridges of the gradient that are above `high` somewhere and above `low` all along.
pub(super) fn edges(pixels: Pixels, low: f32, high: f32, cancel: &Cancel) -> Result<Pixels, OpError> {
    let gray = luma::plane(&pixels, cancel)?;
    // A whole number is above a threshold if it is above the threshold's floor.
    let (low, high) = (low.min(high).floor() as i32, low.max(high).floor() as i32);
    let (mut edges, strong) = ridges(&gray, low, high, cancel)?;
    follow(&mut edges, strong, cancel)?;
    luma::join_alpha(edges, &pixels)
}

/// Bytes of the luma, the edges, five rows, and the list of edge pixels still to be followed.
pub(super) fn memory(width: u32, height: u32) -> u64 {
    let area = u64::from(width) * u64::from(height);
    // Of two neighbours across an edge only one is a ridge; the list doubles as it grows.
    let list = area / 2 * size_of::<usize>() as u64 * 2;
    2 * area + list + 20 * (u64::from(width) + 2)
}

/// Marks the pixels whose gradient exceeds `low` and both neighbours across the edge; above `high` as [`EDGE`],
/// which are also listed, else as [`WEAK`].
fn ridges(gray: &Pixels, low: i32, high: i32, cancel: &Cancel) -> Result<(Pixels, Vec<usize>), OpError> {
    let (width, height) = (gray.width() as usize, gray.height() as usize);
    let mut marks = Pixels::zeroed(gray.width(), gray.height(), Channels::Gray)?;
    let mut strong = Vec::new();
    // The gradient of this row and the next, and the magnitudes of three, with a zero at each end.
    let (mut dx, mut dy): (Vec<i16>, Vec<i16>) = (try_vec(width)?, try_vec(width)?);
    let (mut next_dx, mut next_dy): (Vec<i16>, Vec<i16>) = (try_vec(width)?, try_vec(width)?);
    let [mut above, mut here, mut below]: [Vec<i32>; 3] =
        [try_vec(width + 2)?, try_vec(width + 2)?, try_vec(width + 2)?];
    for y in 0..=height {
        cancel.check()?;
        if y < height {
            sobel(gray, y, replicate, &mut next_dx, &mut next_dy);
            for ((magnitude, &dx), &dy) in below[1..].iter_mut().zip(&next_dx).zip(&next_dy) {
                *magnitude = i32::from(dx.abs()) + i32::from(dy.abs());
            }
        } else {
            below.fill(0);
        }
        if y > 0 {
            strong.try_reserve(width).map_err(|_| out_of_memory(strong.len()))?;
            let first = (y - 1) * width;
            for (x, mark) in marks.data_mut()[first..][..width].iter_mut().enumerate() {
                let magnitude = here[x + 1];
                if magnitude <= low || !is_ridge(dx[x], dy[x], x + 1, [&above, &here, &below]) {
                    continue;
                }
                if magnitude > high {
                    *mark = EDGE;
                    strong.push(first + x);
                } else {
                    *mark = WEAK;
                }
            }
        }
        std::mem::swap(&mut dx, &mut next_dx);
        std::mem::swap(&mut dy, &mut next_dy);
        std::mem::swap(&mut above, &mut here);
        std::mem::swap(&mut here, &mut below);
    }
    Ok((marks, strong))
}

/// Whether the magnitude at `x` exceeds those of the two neighbours that lie in the direction of the gradient,
/// rounded to 45 degrees. Of two equal ones along an axis the first is the ridge.
fn is_ridge(dx: i16, dy: i16, x: usize, [above, here, below]: [&[i32]; 3]) -> bool {
    /// The tangent of 22.5 degrees in 15-bit fixed point.
    const TAN_22: i32 = 13573;
    let magnitude = here[x];
    let (run, rise) = (i32::from(dx.abs()), i32::from(dy.abs()) << 15);
    if rise < run * TAN_22 {
        magnitude > here[x - 1] && magnitude >= here[x + 1]
    } else if rise > run * (TAN_22 + (2 << 15)) {
        // The tangent of 67.5 degrees is two more.
        magnitude > above[x] && magnitude >= below[x]
    } else if (dx < 0) == (dy < 0) {
        magnitude > above[x - 1] && magnitude > below[x + 1]
    } else {
        magnitude > above[x + 1] && magnitude > below[x - 1]
    }
}

/// Makes edges of the weak pixels that touch an edge, and black of the others.
fn follow(marks: &mut Pixels, mut edges: Vec<usize>, cancel: &Cancel) -> Result<(), OpError> {
    let (width, height) = (marks.width() as usize, marks.height() as usize);
    let mut followed = 0;
    while let Some(edge) = edges.pop() {
        followed += 1;
        if followed % 4096 == 0 {
            cancel.check()?;
        }
        edges.try_reserve(8).map_err(|_| out_of_memory(edges.len()))?;
        let (x, y) = (edge % width, edge / width);
        for y in y.saturating_sub(1)..(y + 2).min(height) {
            for x in x.saturating_sub(1)..(x + 2).min(width) {
                let mark = &mut marks.data_mut()[y * width + x];
                if *mark == WEAK {
                    *mark = EDGE;
                    edges.push(y * width + x);
                }
            }
        }
    }
    marks.data_mut().iter_mut().filter(|mark| **mark == WEAK).for_each(|mark| *mark = 0);
    Ok(())
}

fn out_of_memory(entries: usize) -> OutOfMemory {
    OutOfMemory { bytes: 2 * (entries * size_of::<usize>()) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges_of(width: u32, samples: Vec<u8>, low: f32, high: f32) -> Vec<u8> {
        let height = samples.len() as u32 / width;
        let source = Pixels::new(width, height, Channels::Gray, samples).unwrap();
        edges(source, low, high, &Cancel::never()).unwrap().into_data()
    }

    #[test]
    fn a_step_is_one_thin_line() {
        let row = [0, 0, 0, 100, 100, 100];
        let result = edges_of(6, row.repeat(4), 90.0, 180.0);
        assert_eq!(result, [0, 0, 255, 0, 0, 0].repeat(4));
    }

    #[test]
    fn a_weak_edge_counts_only_where_it_continues_a_strong_one() {
        let faint = [0, 0, 0, 30, 30, 30];
        let clear = [0, 0, 0, 90, 90, 90];
        assert_eq!(edges_of(6, faint.repeat(5), 90.0, 180.0), [0; 30]);
        let both = [faint.repeat(6), clear.repeat(3)].concat();
        let line: Vec<u8> = edges_of(6, both, 90.0, 180.0).iter().skip(2).step_by(6).copied().collect();
        assert_eq!(line[..5], [255; 5], "the faint part is followed to its end");
    }

    #[test]
    fn thresholds_may_come_in_either_order() {
        let picture = [0, 0, 0, 100, 100, 100].repeat(4);
        assert_eq!(edges_of(6, picture.clone(), 180.0, 90.0), edges_of(6, picture, 90.0, 180.0));
    }

    #[test]
    fn edges_keep_alpha_and_drop_colour() {
        let source = Pixels::new(2, 1, Channels::Rgba, vec![1, 2, 3, 4, 250, 250, 250, 8]).unwrap();
        let result = edges(source, 90.0, 180.0, &Cancel::never()).unwrap();
        assert_eq!((result.channels(), result.data()), (Channels::GrayAlpha, &[255, 4, 0, 8][..]));
    }
}
