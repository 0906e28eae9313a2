//! Planes turned upright, and planes laid on a larger canvas.

use crate::codec::jpeg::planes::{Plane, Planes, Sampling};
use crate::limits::OutOfMemory;
use crate::pixels::{Canvas, Orientation};

/// Side of a transposed tile, in samples: all rows of a tile stay in the cache.
const TILE: usize = 32;

/// Turns `sources` by `orientation`. Allocates the margins of the result, but does not fill them.
///
/// Chroma planes must have the size that `sampling` gives them after the turn.
pub(super) fn turned(
    sources: &[Plane],
    orientation: Orientation,
    width: usize,
    height: usize,
    sampling: Sampling,
) -> Result<Planes, OutOfMemory> {
    let mut upright = Planes::new(width, height, sampling)?;
    for (source, target) in sources.iter().zip(upright.planes_mut()) {
        turn(source, orientation, target);
    }
    Ok(upright)
}

fn turn(source: &Plane, orientation: Orientation, target: &mut Plane) {
    let (width, height, stride) = (target.width(), target.height(), target.stride());
    let rows: Vec<&[u8]> = source.rows().collect();
    let samples = target.samples_mut();
    if orientation.transpose {
        for (first_y, first_x) in
            (0..height).step_by(TILE).flat_map(|y| (0..width).step_by(TILE).map(move |x| (y, x)))
        {
            for (y, row) in samples.chunks_exact_mut(stride).enumerate().take(height).skip(first_y).take(TILE)
            {
                for (x, sample) in row[..width].iter_mut().enumerate().skip(first_x).take(TILE) {
                    *sample = rows[x][y];
                }
            }
        }
    } else {
        for (row, from) in samples.chunks_exact_mut(stride).zip(&rows) {
            row[..width].copy_from_slice(from);
        }
    }
    if orientation.mirror_x {
        samples.chunks_exact_mut(stride).take(height).for_each(|row| row[..width].reverse());
    }
    if orientation.mirror_y {
        let (mut top, mut bottom) = (0, height - 1);
        while top < bottom {
            let (head, tail) = samples.split_at_mut(bottom * stride);
            head[top * stride..][..stride].swap_with_slice(&mut tail[..stride]);
            (top, bottom) = (top + 1, bottom - 1);
        }
    }
}

/// Lays `picture`, grey or 4:4:4, on a `canvas` of one colour.
pub(super) fn on_canvas(picture: &Planes, canvas: &Canvas, colour: [u8; 3]) -> Result<Planes, OutOfMemory> {
    let mut whole = Planes::new(canvas.width as usize, canvas.height as usize, picture.sampling())?;
    for ((from, to), value) in picture.planes().iter().zip(whole.planes_mut()).zip(colour) {
        let stride = to.stride();
        let samples = to.samples_mut();
        samples.fill(value);
        for (row, from) in samples.chunks_exact_mut(stride).skip(canvas.y as usize).zip(from.rows()) {
            row[canvas.x as usize..][..from.len()].copy_from_slice(from);
        }
    }
    Ok(whole)
}

/// Averages the chroma of a 4:4:4 picture down to `sampling`.
pub(super) fn subsampled(picture: Planes, sampling: Sampling) -> Result<Planes, OutOfMemory> {
    if picture.sampling() == sampling || picture.sampling() == Sampling::Gray {
        return Ok(picture);
    }
    let (h, v) = sampling.factors();
    let mut small = Planes::new(picture.width(), picture.height(), sampling)?;
    for (index, (from, to)) in picture.planes().iter().zip(small.planes_mut()).enumerate() {
        let (h, v) = if index == 0 { (1, 1) } else { (h, v) };
        let rows: Vec<&[u8]> = from.rows().collect();
        let (width, stride) = (to.width(), to.stride());
        for (group, row) in rows.chunks(v).zip(to.samples_mut().chunks_exact_mut(stride)) {
            for (x, sample) in row[..width].iter_mut().enumerate() {
                let values = group.iter().flat_map(|row| row.iter().skip(x * h).take(h));
                let (sum, count) = values.fold((0, 0), |(sum, n), &value| (sum + u32::from(value), n + 1));
                *sample = ((sum + count / 2) / count) as u8;
            }
        }
    }
    Ok(small)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: usize, height: usize) -> Planes {
        let mut planes = Planes::new(width, height, Sampling::Gray).unwrap();
        let plane = &mut planes.planes_mut()[0];
        let stride = plane.stride();
        for (y, row) in plane.samples_mut().chunks_mut(stride).enumerate() {
            for (x, sample) in row.iter_mut().enumerate() {
                *sample = (x + 10 * y) as u8;
            }
        }
        planes
    }

    #[test]
    fn each_orientation_moves_samples_as_it_says() {
        let source = numbered(3, 2);
        let turn = |transpose, mirror_x, mirror_y| {
            let (width, height) = if transpose { (2, 3) } else { (3, 2) };
            let orientation = Orientation { transpose, mirror_x, mirror_y };
            let planes = turned(source.planes(), orientation, width, height, Sampling::Gray).unwrap();
            planes.planes()[0].rows().map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(turn(false, true, false), [[2, 1, 0], [12, 11, 10]]);
        assert_eq!(turn(false, false, true), [[10, 11, 12], [0, 1, 2]]);
        assert_eq!(turn(true, false, false), [[0, 10], [1, 11], [2, 12]]);
        // A quarter turn clockwise brings the left column to the top.
        assert_eq!(turn(true, true, false), [[10, 0], [11, 1], [12, 2]]);
    }

    #[test]
    fn a_large_transposition_is_its_own_inverse() {
        let source = numbered(100, 70);
        let transpose = Orientation { transpose: true, ..Orientation::default() };
        let there = turned(source.planes(), transpose, 70, 100, Sampling::Gray).unwrap();
        let back = turned(there.planes(), transpose, 100, 70, Sampling::Gray).unwrap();
        assert!(back.planes()[0].rows().eq(source.planes()[0].rows()));
    }

    #[test]
    fn a_canvas_shows_its_colour_around_the_picture() {
        let canvas = Canvas { width: 5, height: 4, x: 1, y: 2 };
        let whole = on_canvas(&numbered(3, 2), &canvas, [99, 0, 0]).unwrap();
        let rows: Vec<_> = whole.planes()[0].rows().collect();
        assert_eq!(rows, [[99; 5], [99; 5], [99, 0, 1, 2, 99], [99, 10, 11, 12, 99]]);
    }

    #[test]
    fn chroma_is_averaged_with_what_there_is() {
        let mut picture = Planes::new(3, 3, Sampling::S444).unwrap();
        for plane in picture.planes_mut() {
            let stride = plane.stride();
            for (y, row) in plane.samples_mut().chunks_mut(stride).enumerate() {
                row[..3].copy_from_slice(&[[10, 20, 30], [30, 40, 50], [70, 80, 90]][y.min(2)]);
            }
        }
        let small = subsampled(picture, Sampling::S420).unwrap();
        let rows: Vec<_> = small.planes()[1].rows().collect();
        assert_eq!(rows, [[25, 40], [75, 90]]);
    }
}
