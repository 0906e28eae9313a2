//! The part of a frame that differs from the one before: only that is written.

use crate::codec::format::animation::canvas::Rect;
use crate::limits::OutOfMemory;
use crate::pixels::{Channels, Pixels};

/// The smallest rectangle with every pixel that differs; `None` if none does.
pub(super) fn changed(before: &Pixels, now: &Pixels) -> Option<Rect> {
    let differs = |(a, b): (&[u8], &[u8])| a != b;
    let top = before.rows().zip(now.rows()).position(differs)?;
    let bottom = before.rows().zip(now.rows()).rposition(differs)?;
    let (mut left, mut right) = (usize::MAX, 0);
    for (a, b) in before.rows().zip(now.rows()).skip(top).take(bottom + 1 - top) {
        let pixels = || a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0);
        if let Some(first) = pixels().position(|(a, b)| a != b) {
            left = left.min(first);
            right = right.max(pixels().rposition(|(a, b)| a != b).unwrap_or(first));
        }
    }
    Some(Rect { left, top, width: right + 1 - left, height: bottom + 1 - top })
}

/// All of a picture.
pub(super) fn whole(pixels: &Pixels) -> Rect {
    Rect { left: 0, top: 0, width: pixels.width() as usize, height: pixels.height() as usize }
}

/// Copies an area of RGBA pixels.
///
/// # Errors
/// [`OutOfMemory`].
pub(super) fn cut(pixels: &Pixels, area: Rect) -> Result<Pixels, OutOfMemory> {
    let Rect { left, top, width, height } = area;
    let mut copy = Pixels::zeroed(width as u32, height as u32, Channels::Rgba)?;
    let row_len = copy.row_len();
    let rows = pixels.rows().skip(top).zip(copy.data_mut().chunks_exact_mut(row_len));
    rows.for_each(|(from, to)| to.copy_from_slice(&from[left * 4..][..row_len]));
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rectangle_is_as_small_as_can_be() {
        let before = Pixels::zeroed(9, 7, Channels::Rgba).unwrap();
        assert_eq!(changed(&before, &before), None);
        let mut now = before.clone();
        for (x, y) in [(3, 2), (6, 5), (4, 1)] {
            now.data_mut()[(y * 9 + x) * 4] = 1;
        }
        let area = Rect { left: 3, top: 1, width: 4, height: 5 };
        assert_eq!(changed(&before, &now), Some(area));
        let part = cut(&now, area).unwrap();
        assert_eq!((part.width(), part.height(), part.data()[4]), (4, 5, 1));
    }
}
