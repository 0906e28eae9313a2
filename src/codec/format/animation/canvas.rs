//! `Canvas`: what a viewer shows of an animation after each frame: disposal of the frame before, then blending.

use crate::limits::{OutOfMemory, try_vec};
use crate::pixels::{Channels, Pixels, Size};

/// What becomes of a frame when the next one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposal {
    /// It stays.
    Keep,
    /// Its area becomes clear.
    Clear,
    /// Its area becomes what it was before the frame.
    Restore,
}

/// How the pixels of a frame meet those below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blend {
    /// They replace them.
    Replace,
    /// They lie over them.
    Over,
}

/// A rectangle in pixels. It may stand out over the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// RGBA pixels, at first clear.
#[derive(Debug)]
pub(super) struct Canvas {
    size: Size,
    pixels: Vec<u8>,
    previous: Option<(Rect, Disposal)>,
    saved: Vec<u8>,
}

impl Canvas {
    /// # Errors
    /// [`OutOfMemory`].
    pub(super) fn new(size: Size) -> Result<Canvas, OutOfMemory> {
        let bytes = size.width as usize * size.height as usize * 4;
        Ok(Canvas { size, pixels: try_vec(bytes)?, previous: None, saved: Vec::new() })
    }

    /// Disposes of the frame before, and notes how this one is to be.
    pub(super) fn begin(&mut self, area: Rect, disposal: Disposal) {
        match self.previous.take() {
            Some((area, Disposal::Clear)) => self.rows(area).for_each(|row| row.fill(0)),
            Some((_, Disposal::Restore)) => self.pixels.copy_from_slice(&self.saved),
            Some((_, Disposal::Keep)) | None => {}
        }
        if disposal == Disposal::Restore {
            self.saved.clone_from(&self.pixels);
        }
        self.previous = Some((area, disposal));
    }

    /// Draws a row of RGBA pixels from the column `left`. What stands out is left away.
    pub(super) fn draw(&mut self, left: usize, y: usize, row: &[u8], blend: Blend) {
        let area = Rect { left, top: y, width: row.len() / 4, height: 1 };
        let Some(to) = self.rows(area).next() else { return };
        match blend {
            Blend::Replace => {
                let len = to.len();
                to.copy_from_slice(&row[..len]);
            }
            Blend::Over => {
                let pixels = to.as_chunks_mut::<4>().0.iter_mut().zip(row.as_chunks::<4>().0);
                pixels.for_each(|(below, above)| *below = over(*above, *below));
            }
        }
    }

    /// A copy of the canvas.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(super) fn shown(&self) -> Result<Pixels, OutOfMemory> {
        let mut copy = Pixels::zeroed(self.size.width, self.size.height, Channels::Rgba)?;
        copy.data_mut().copy_from_slice(&self.pixels);
        Ok(copy)
    }

    /// The part of each row of an area that is on the canvas.
    fn rows(&mut self, area: Rect) -> impl Iterator<Item = &mut [u8]> {
        let width = self.size.width as usize;
        let (left, right) = (area.left.min(width), area.left.saturating_add(area.width).min(width));
        let rows = self.pixels.chunks_exact_mut(width * 4).skip(area.top).take(area.height);
        rows.map(move |row| &mut row[left * 4..right * 4])
    }
}

/// A pixel with straight alpha over another one.
fn over(above: [u8; 4], below: [u8; 4]) -> [u8; 4] {
    match (above[3], below[3]) {
        (255, _) | (_, 0) => above,
        (0, _) => below,
        (a, b) => {
            let (a, b) = (u32::from(a), u32::from(b));
            let behind = b * (255 - a) / 255;
            let alpha = a + behind;
            let mix = |i: usize| {
                let sum = u32::from(above[i]) * a + u32::from(below[i]) * behind;
                ((sum + alpha / 2) / alpha) as u8
            };
            [mix(0), mix(1), mix(2), alpha as u8]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];

    /// Draws one row of one colour over all of a 4 x 1 canvas' area.
    fn frame(
        canvas: &mut Canvas,
        left: usize,
        width: usize,
        disposal: Disposal,
        colour: [u8; 4],
    ) -> Vec<[u8; 4]> {
        canvas.begin(Rect { left, top: 0, width, height: 1 }, disposal);
        canvas.draw(left, 0, &colour.repeat(width), Blend::Over);
        canvas.shown().unwrap().data().as_chunks::<4>().0.to_vec()
    }

    #[test]
    fn each_disposal_leaves_what_it_says() {
        let clear = [0; 4];
        for (disposal, then) in [
            (Disposal::Keep, [RED, BLUE, BLUE, RED]),
            (Disposal::Clear, [RED, clear, clear, RED]),
            (Disposal::Restore, [RED, RED, RED, RED]),
        ] {
            let mut canvas = Canvas::new(Size { width: 4, height: 1 }).unwrap();
            frame(&mut canvas, 0, 4, Disposal::Keep, RED);
            assert_eq!(frame(&mut canvas, 1, 2, disposal, BLUE), [RED, BLUE, BLUE, RED]);
            assert_eq!(frame(&mut canvas, 0, 1, Disposal::Keep, RED), then, "{disposal:?}");
        }
    }

    #[test]
    fn a_frame_that_stands_out_is_cut() {
        let mut canvas = Canvas::new(Size { width: 2, height: 1 }).unwrap();
        assert_eq!(frame(&mut canvas, 1, 60_000, Disposal::Clear, RED), [[0; 4], RED]);
        canvas.draw(0, 5, &BLUE, Blend::Replace);
        canvas.draw(9, 0, &BLUE, Blend::Replace);
        assert_eq!(frame(&mut canvas, 0, 1, Disposal::Keep, BLUE), [BLUE, [0; 4]]);
    }

    #[test]
    fn half_a_red_over_blue_is_violet() {
        assert_eq!(over([255, 0, 0, 128], BLUE), [128, 0, 127, 255]);
        assert_eq!(over([255, 0, 0, 128], [0; 4]), [255, 0, 0, 128]);
        assert_eq!(over([0; 4], BLUE), BLUE);
    }
}
