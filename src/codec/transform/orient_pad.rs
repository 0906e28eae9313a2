//! Moves whole pixels: turns and mirrors, padding, and the background under transparency.

use crate::codec::error::CodecError;
use crate::codec::transform::geometry::{Canvas, Orientation, Size};
use crate::limits::OutOfMemory;
use crate::pixels::{Channels, Pixels};
use crate::spec::Colour;

/// Turns the picture by `orientation`.
pub(in crate::codec) fn turned(pixels: Pixels, orientation: Orientation) -> Result<Pixels, OutOfMemory> {
    if orientation.is_identity() {
        return Ok(pixels);
    }
    let stored = Size { width: pixels.width(), height: pixels.height() };
    let upright = orientation.turned(stored);
    let mut result = Pixels::zeroed(upright.width, upright.height, pixels.channels())?;
    match pixels.channels().count() {
        1 => turn::<1>(&pixels, orientation, &mut result),
        2 => turn::<2>(&pixels, orientation, &mut result),
        3 => turn::<3>(&pixels, orientation, &mut result),
        _ => turn::<4>(&pixels, orientation, &mut result),
    }
    Ok(result)
}

fn turn<const N: usize>(pixels: &Pixels, orientation: Orientation, result: &mut Pixels) {
    let source = pixels.data().as_chunks::<N>().0;
    let stride = pixels.width() as usize;
    let (width, height) = (result.width() as usize, result.height() as usize);
    for (y, row) in result.data_mut().as_chunks_mut::<N>().0.chunks_exact_mut(width).enumerate() {
        let y = if orientation.mirror_y { height - 1 - y } else { y };
        // The row (or, transposed, the column) of the source that becomes this row.
        let (start, step) = if orientation.transpose { (y, stride) } else { (y * stride, 1) };
        let line = source[start..].iter().step_by(step).take(width);
        if orientation.mirror_x {
            row.iter_mut().rev().zip(line).for_each(|(to, from)| *to = *from);
        } else {
            row.iter_mut().zip(line).for_each(|(to, from)| *to = *from);
        }
    }
}

/// The picture on a canvas of `background`, which makes it transparent where the background is.
pub(in crate::codec) fn padded(
    pixels: &Pixels,
    canvas: Canvas,
    background: Colour,
) -> Result<Pixels, CodecError> {
    let pixels = &with_room_for(pixels, background)?;
    let mut result = Pixels::zeroed(canvas.width, canvas.height, pixels.channels())?;
    let count = pixels.channels().count();
    let fill = samples_of(background, pixels.channels());
    for pixel in result.data_mut().chunks_exact_mut(count) {
        pixel.copy_from_slice(&fill[..count]);
    }
    let (stride, left) = (canvas.width as usize * count, canvas.x as usize * count);
    let rows = result.data_mut().chunks_exact_mut(stride).skip(canvas.y as usize);
    for (to, from) in rows.zip(pixels.rows()) {
        to[left..left + from.len()].copy_from_slice(from);
    }
    Ok(result)
}

/// Returns true if a pixel is not opaque.
pub(in crate::codec) fn is_transparent(pixels: &Pixels) -> bool {
    let samples = pixels.channels().count();
    pixels.channels().has_alpha() && pixels.data().chunks_exact(samples).any(|pixel| pixel[samples - 1] < 255)
}

/// Lays the picture on an opaque `background`, without alpha.
pub(in crate::codec) fn flattened(pixels: Pixels, background: Colour) -> Result<Pixels, CodecError> {
    if !pixels.channels().has_alpha() {
        return Ok(pixels);
    }
    let grey = background.r == background.g && background.g == background.b;
    let coloured = pixels.channels() == Channels::Rgba || !grey;
    let channels = if coloured { Channels::Rgb } else { Channels::Gray };
    let mut result = Pixels::zeroed(pixels.width(), pixels.height(), channels)?;
    let under = [background.r, background.g, background.b];
    let from = pixels.data().chunks_exact(pixels.channels().count());
    let to = result.data_mut().chunks_exact_mut(channels.count());
    for (from, to) in from.zip(to) {
        let (colours, alpha) = from.split_at(from.len() - 1);
        for ((to, over), under) in to.iter_mut().zip(colours.iter().cycle()).zip(under) {
            *to = over_background(*over, alpha[0], under);
        }
    }
    Ok(result)
}

/// Returns the pixels with an alpha of 0 below half opacity, and of 255 on `background` otherwise: for formats that
/// have no more than clear and opaque.
pub(in crate::codec) fn half_clear(pixels: &Pixels, background: Colour) -> Result<Pixels, OutOfMemory> {
    let mut result = widened(pixels, Channels::Rgba)?;
    let under = [background.r, background.g, background.b];
    for [colours @ .., alpha] in result.data_mut().as_chunks_mut::<4>().0 {
        if *alpha < 128 {
            (*colours, *alpha) = ([0; 3], 0);
        } else {
            for (over, under) in colours.iter_mut().zip(under) {
                *over = over_background(*over, *alpha, under);
            }
            *alpha = 255;
        }
    }
    Ok(result)
}

fn over_background(over: u8, alpha: u8, under: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(over) * alpha + u32::from(under) * (255 - alpha) + 127) / 255) as u8
}

/// Returns the pixels with the channels that `background` needs too.
fn with_room_for(pixels: &Pixels, background: Colour) -> Result<Pixels, OutOfMemory> {
    let grey = background.r == background.g && background.g == background.b;
    let coloured = pixels.channels().colours() == 3 || !grey;
    let alpha = pixels.channels().has_alpha() || background.a < 255;
    let channels = match (coloured, alpha) {
        (false, false) => Channels::Gray,
        (false, true) => Channels::GrayAlpha,
        (true, false) => Channels::Rgb,
        (true, true) => Channels::Rgba,
    };
    widened(pixels, channels)
}

/// Returns the picture with more channels: grey repeated, alpha opaque.
pub(in crate::codec) fn widened(pixels: &Pixels, channels: Channels) -> Result<Pixels, OutOfMemory> {
    let mut result = Pixels::zeroed(pixels.width(), pixels.height(), channels)?;
    let (had, has) = (pixels.channels(), channels);
    let from = pixels.data().chunks_exact(had.count());
    for (from, to) in from.zip(result.data_mut().chunks_exact_mut(has.count())) {
        let (colours, alpha) = from.split_at(had.colours());
        let alpha = alpha.first().copied().unwrap_or(255);
        for (i, to) in to.iter_mut().enumerate() {
            *to = if i < has.colours() { colours[i % colours.len()] } else { alpha };
        }
    }
    Ok(result)
}

fn samples_of(colour: Colour, channels: Channels) -> [u8; 4] {
    match channels {
        Channels::Gray | Channels::GrayAlpha => [colour.r, colour.a, 0, 0],
        Channels::Rgb | Channels::Rgba => [colour.r, colour.g, colour.b, colour.a],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(width: u32, height: u32, data: &[u8]) -> Pixels {
        Pixels::new(width, height, Channels::Gray, data.to_vec()).unwrap()
    }

    /// EXIF 2.32 table 6: where row 0 and column 0 of the stored picture belong.
    #[test]
    fn each_exif_orientation_brings_the_letter_upright() {
        let upright = gray(2, 3, &[1, 2, 3, 4, 5, 6]);
        for (exif, width, height, stored) in [
            (1, 2, 3, [1, 2, 3, 4, 5, 6]),
            (2, 2, 3, [2, 1, 4, 3, 6, 5]),
            (3, 2, 3, [6, 5, 4, 3, 2, 1]),
            (4, 2, 3, [5, 6, 3, 4, 1, 2]),
            (5, 3, 2, [1, 3, 5, 2, 4, 6]),
            (6, 3, 2, [2, 4, 6, 1, 3, 5]),
            (7, 3, 2, [6, 4, 2, 5, 3, 1]),
            (8, 3, 2, [5, 3, 1, 6, 4, 2]),
        ] {
            let orientation = Orientation::from_exif(exif).unwrap();
            assert_eq!(turned(gray(width, height, &stored), orientation).unwrap(), upright, "{exif}");
        }
    }

    #[test]
    fn padding_takes_the_colour_of_the_background() {
        let canvas = Canvas { width: 3, height: 1, x: 1, y: 0 };
        let red = Colour { r: 255, g: 0, b: 0, a: 255 };
        let result = padded(&gray(1, 1, &[9]), canvas, red).unwrap();
        assert_eq!(result.channels(), Channels::Rgb);
        assert_eq!(result.data(), [255, 0, 0, 9, 9, 9, 255, 0, 0]);
        let clear = padded(&gray(1, 1, &[9]), canvas, Colour { a: 0, ..Colour::WHITE }).unwrap();
        assert_eq!(clear.data(), [255, 0, 9, 255, 255, 0]);
    }

    #[test]
    fn below_half_opacity_pixels_are_clear_and_the_others_blend() {
        let pixels = Pixels::new(3, 1, Channels::GrayAlpha, vec![9, 127, 0, 128, 77, 255]).unwrap();
        let result = half_clear(&pixels, Colour::WHITE).unwrap();
        assert_eq!(result.data(), [0, 0, 0, 0, 127, 127, 127, 255, 77, 77, 77, 255]);
    }

    #[test]
    fn only_pixels_that_are_not_opaque_are_transparent() {
        let with_alpha = |alpha| Pixels::new(1, 1, Channels::GrayAlpha, vec![9, alpha]).unwrap();
        assert!(is_transparent(&with_alpha(254)));
        assert!(!is_transparent(&with_alpha(255)));
        assert!(!is_transparent(&Pixels::new(1, 1, Channels::Gray, vec![0]).unwrap()));
    }

    #[test]
    fn the_background_shows_through() {
        let half = Pixels::new(2, 1, Channels::GrayAlpha, vec![0, 128, 77, 255]).unwrap();
        assert_eq!(flattened(half.clone(), Colour::WHITE).unwrap().data(), [127, 77]);
        let blue = Colour { r: 0, g: 0, b: 255, a: 255 };
        assert_eq!(flattened(half, blue).unwrap().data(), [0, 0, 127, 77, 77, 77]);
    }
}
