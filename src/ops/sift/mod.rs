//! SIFT key points, found as `cv2.SIFT_create().detect` finds them and drawn with size and orientation.
//!
//! (D. Lowe: Distinctive Image Features from Scale-Invariant Keypoints, IJCV 60, 2004; sections in brackets below.)
//! ```text
//! luma -> doubled -> octave [ Gaussians -> extrema of their differences -> refined -> orientations ] -> halved -> ...
//! ```
//! One octave is in memory at a time, and the differences are taken on the way.

mod extrema;
mod orientation;
mod plane;

use self::extrema::Extremum;
use self::plane::Plane;
use super::draw::{line, ring};
use super::{OpError, luma};
use crate::limits::{Cancel, OutOfMemory};
use crate::pixels::Pixels;

/// Scales per octave that are searched for extrema (3.2).
const LAYERS: usize = 3;

/// Gaussians per octave: the searched scales need a difference above and below them.
const GAUSSIANS: usize = LAYERS + 3;

/// Blur of the first Gaussian of an octave, in pixels of that octave (3.3).
const SIGMA: f64 = 1.6;

/// Blur that the camera is taken to have left in the picture (3.3).
const CAMERA_SIGMA: f64 = 0.5;

/// How far doubling moves a place towards the bottom right, in pixels of the picture. OpenCV leaves it in.
const DOUBLED_SHIFT: f32 = 0.25;

const GREEN: [u8; 3] = [0, 255, 0];

/// A place that can be found again at another size and angle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyPoint {
    /// Pixels to the right of the centre of the top left pixel.
    pub x: f32,
    /// Pixels below the centre of the top left pixel.
    pub y: f32,
    /// Diameter of the neighbourhood that it describes, in pixels.
    pub size: f32,
    /// Main direction of the gradient, in degrees clockwise from the right, 0 up to 360.
    pub angle: f32,
    /// Contrast of the extremum, as a share of the full range.
    pub response: f32,
}

/// The key points of a picture's luma, the largest first.
///
/// # Errors
/// As [`apply`](super::apply).
pub fn detect(pixels: &Pixels, cancel: &Cancel) -> Result<Vec<KeyPoint>, OpError> {
    let gray = luma::plane(pixels, cancel)?;
    let doubled = Plane::doubled(&gray)?;
    drop(gray);
    let octaves = octaves(doubled.width().min(doubled.height()));
    let doubled_blur = 2.0 * CAMERA_SIGMA;
    let mut base = doubled.blurred((SIGMA * SIGMA - doubled_blur * doubled_blur).sqrt(), cancel)?;
    drop(doubled);
    let mut points = Vec::new();
    for octave in 0..octaves {
        let gaussians = gaussians(base, cancel)?;
        let pixel = 0.5 * libm::ldexpf(1.0, octave);
        extrema::each(&gaussians, cancel, |extremum| oriented(&gaussians, &extremum, pixel, &mut points))?;
        base = gaussians[LAYERS].halved()?;
    }
    // Two neighbours may have been refined to one place.
    points.sort_unstable_by_key(order);
    points.dedup_by_key(|point| order(point));
    Ok(points)
}

/// The picture with a circle of its size for each key point, and a line from the middle along its angle.
pub(super) fn mark(pixels: Pixels, cancel: &Cancel) -> Result<Pixels, OpError> {
    let points = detect(&pixels, cancel)?;
    let mut marked = luma::into_rgb(pixels)?;
    for point in &points {
        cancel.check()?;
        let (centre, radius) = ((point.x, point.y), point.size / 2.0);
        let (sin, cos) = libm::sincosf(point.angle.to_radians());
        ring(&mut marked, centre, radius, GREEN);
        line(&mut marked, centre, (point.x + radius * cos, point.y + radius * sin), GREEN);
    }
    Ok(marked)
}

/// Bytes of the Gaussians of the doubled picture and of what makes them.
pub(super) fn memory(width: u32, height: u32) -> u64 {
    let doubled = 4 * u64::from(width) * u64::from(height);
    let rows = 64 * 2 * u64::from(width);
    // Octave and the next one's base; key points are few beside it.
    size_of::<f32>() as u64 * (doubled * GAUSSIANS as u64 + doubled / 4 + rows) + (1 << 20)
}

/// How often the doubled picture can be halved and still hold a scale.
fn octaves(side: usize) -> i32 {
    libm::round(libm::log2(side as f64) - 1.0) as i32
}

/// The Gaussians of one octave, each blurred from the one before (3).
fn gaussians(base: Plane, cancel: &Cancel) -> Result<[Plane; GAUSSIANS], OpError> {
    let variance = |layer: usize| SIGMA * SIGMA * libm::exp2(2.0 * layer as f64 / LAYERS as f64);
    let step = |layer: usize| (variance(layer) - variance(layer - 1)).sqrt();
    let first = base.blurred(step(1), cancel)?;
    let second = first.blurred(step(2), cancel)?;
    let third = second.blurred(step(3), cancel)?;
    let fourth = third.blurred(step(4), cancel)?;
    let fifth = fourth.blurred(step(5), cancel)?;
    Ok([base, first, second, third, fourth, fifth])
}

/// Adds a key point for each orientation of an extremum, `pixel` being the size of the octave's pixels.
fn oriented(
    gaussians: &[Plane; GAUSSIANS],
    extremum: &Extremum,
    pixel: f32,
    points: &mut Vec<KeyPoint>,
) -> Result<(), OpError> {
    let scale = SIGMA as f32 * libm::exp2f(extremum.scale / LAYERS as f32);
    let place = (extremum.column, extremum.row);
    for angle in orientation::peaks(&gaussians[extremum.layer], place, scale) {
        points.try_reserve(1).map_err(|_| OutOfMemory { bytes: 2 * size_of_val(&points[..]) as u64 })?;
        points.push(KeyPoint {
            x: extremum.x * pixel - DOUBLED_SHIFT,
            y: extremum.y * pixel - DOUBLED_SHIFT,
            size: 2.0 * scale * pixel,
            angle,
            response: extremum.contrast,
        });
    }
    Ok(())
}

/// Largest first; all values are positive, or stand far left or above, so their bits have their order.
fn order(point: &KeyPoint) -> impl Ord + use<> {
    let KeyPoint { x, y, size, angle, response } = *point;
    (std::cmp::Reverse(size.to_bits()), y.to_bits(), x.to_bits(), angle.to_bits(), response.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Channels;

    /// A Gaussian bump of `sigma` on a grey ground.
    fn bump(side: u32, (x, y): (f64, f64), sigma: f64) -> Pixels {
        let sample = |i: u32| {
            let (dx, dy) = (f64::from(i % side) - x, f64::from(i / side) - y);
            60.0 + 150.0 * libm::exp(-(dx * dx + dy * dy) / (2.0 * sigma * sigma))
        };
        let samples = (0..side * side).map(|i| sample(i).round() as u8).collect();
        Pixels::new(side, side, Channels::Gray, samples).unwrap()
    }

    fn strongest(pixels: &Pixels) -> KeyPoint {
        let points = detect(pixels, &Cancel::never()).unwrap();
        points.into_iter().max_by(|a, b| a.response.total_cmp(&b.response)).expect("a key point")
    }

    #[test]
    fn a_bump_is_found_at_its_place_and_at_a_size_that_grows_with_it() {
        for sigma in [2.0, 4.0, 7.0] {
            let point = strongest(&bump(96, (50.3, 41.1), sigma));
            assert!((point.x - 50.3).abs() < 0.15 && (point.y - 41.1).abs() < 0.15, "{point:?}");
            // The difference of Gaussians answers most at a scale a little below that of the bump.
            let ratio = f64::from(point.size) / 2.0 / sigma;
            assert!((0.75..1.1).contains(&ratio), "{ratio} at {sigma}");
        }
    }

    #[test]
    fn a_turned_picture_has_turned_angles() {
        let mut upright = bump(64, (30.0, 32.0), 4.0);
        let light: Vec<u8> = (0..64 * 64).map(|i| (i % 64 * 3 / 2) as u8).collect();
        upright.data_mut().iter_mut().zip(light).for_each(|(sample, more)| *sample = (*sample / 2) + more);
        let mut turned = upright.clone();
        for (i, sample) in turned.data_mut().iter_mut().enumerate() {
            // A quarter turn clockwise: what was right is now below.
            *sample = upright.data()[(63 - i % 64) * 64 + i / 64];
        }
        let (before, after) = (strongest(&upright), strongest(&turned));
        let turn = (after.angle - before.angle).rem_euclid(360.0);
        assert!((turn - 90.0).abs() < 5.0, "{before:?} {after:?}");
    }

    #[test]
    fn flat_and_tiny_pictures_have_no_key_points() {
        for (width, height) in [(1, 1), (1, 50), (7, 3), (80, 80)] {
            let flat =
                Pixels::new(width, height, Channels::Gray, vec![90; (width * height) as usize]).unwrap();
            assert_eq!(detect(&flat, &Cancel::never()), Ok(vec![]));
        }
    }

    #[test]
    fn key_points_are_drawn_in_colour() {
        let marked = mark(bump(64, (32.0, 32.0), 5.0), &Cancel::never()).unwrap();
        assert_eq!(marked.channels(), Channels::Rgb);
        assert!(marked.data().as_chunks().0.contains(&GREEN));
    }
}
