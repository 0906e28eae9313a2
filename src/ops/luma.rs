//! Luma: grayscale, threshold, and the ways between grey and colour that other operations need.

use super::OpError;
use crate::limits::Cancel;
use crate::pixels::{Channels, Pixels};

/// The luma of each pixel, with alpha where there was some.
pub(super) fn grayscale(pixels: Pixels, cancel: &Cancel) -> Result<Pixels, OpError> {
    match pixels.channels() {
        Channels::Gray | Channels::GrayAlpha => Ok(pixels),
        Channels::Rgb | Channels::Rgba => join_alpha(plane(&pixels, cancel)?, &pixels),
    }
}

/// White where the luma is above `level`, black elsewhere.
pub(super) fn threshold(pixels: Pixels, level: u8, cancel: &Cancel) -> Result<Pixels, OpError> {
    let mut gray = plane(&pixels, cancel)?;
    for sample in gray.data_mut() {
        *sample = if *sample > level { 255 } else { 0 };
    }
    join_alpha(gray, &pixels)
}

/// Luma of one pixel, `0.299 R + 0.587 G + 0.114 B` in 15-bit fixed point as `cv2.cvtColor` rounds it.
pub(super) fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 9798 + u32::from(g) * 19235 + u32::from(b) * 3735 + (1 << 14)) >> 15) as u8
}

/// The luma alone, as a [`Channels::Gray`] picture.
pub(super) fn plane(pixels: &Pixels, cancel: &Cancel) -> Result<Pixels, OpError> {
    let mut gray = Pixels::zeroed(pixels.width(), pixels.height(), Channels::Gray)?;
    let width = gray.row_len();
    for (out, row) in gray.data_mut().chunks_exact_mut(width).zip(pixels.rows()) {
        cancel.check()?;
        match pixels.channels() {
            Channels::Gray => out.copy_from_slice(row),
            Channels::GrayAlpha => {
                for (out, &[y, _]) in out.iter_mut().zip(row.as_chunks().0) {
                    *out = y;
                }
            }
            Channels::Rgb => {
                for (out, &rgb) in out.iter_mut().zip(row.as_chunks().0) {
                    *out = luma(rgb);
                }
            }
            Channels::Rgba => {
                for (out, &[r, g, b, _]) in out.iter_mut().zip(row.as_chunks().0) {
                    *out = luma([r, g, b]);
                }
            }
        }
    }
    Ok(gray)
}

/// `gray` with the alpha of `source`, if that has one.
pub(super) fn join_alpha(gray: Pixels, source: &Pixels) -> Result<Pixels, OpError> {
    if !source.channels().has_alpha() {
        return Ok(gray);
    }
    let mut joined = Pixels::zeroed(gray.width(), gray.height(), Channels::GrayAlpha)?;
    let samples = source.channels().count();
    let alphas = source.data().iter().skip(samples - 1).step_by(samples);
    for (out, (&y, &alpha)) in
        joined.data_mut().as_chunks_mut().0.iter_mut().zip(gray.data().iter().zip(alphas))
    {
        *out = [y, alpha];
    }
    Ok(joined)
}

/// The picture with three colour samples a pixel, so that colour can be put on it.
pub(super) fn into_rgb(pixels: Pixels) -> Result<Pixels, OpError> {
    let (width, height) = (pixels.width(), pixels.height());
    match pixels.channels() {
        Channels::Rgb | Channels::Rgba => Ok(pixels),
        Channels::Gray => {
            let mut rgb = Pixels::zeroed(width, height, Channels::Rgb)?;
            for (out, &y) in rgb.data_mut().as_chunks_mut().0.iter_mut().zip(pixels.data()) {
                *out = [y, y, y];
            }
            Ok(rgb)
        }
        Channels::GrayAlpha => {
            let mut rgba = Pixels::zeroed(width, height, Channels::Rgba)?;
            let source = pixels.data().as_chunks().0;
            for (out, &[y, alpha]) in rgba.data_mut().as_chunks_mut().0.iter_mut().zip(source) {
                *out = [y, y, y, alpha];
            }
            Ok(rgba)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> Cancel {
        Cancel::never()
    }

    #[test]
    fn luma_weighs_green_most_and_keeps_white() {
        let pixels = Pixels::new(4, 1, Channels::Rgb, vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!(grayscale(pixels.unwrap(), &never()).unwrap().data(), [76, 150, 29, 255]);
    }

    #[test]
    fn grey_pictures_keep_their_alpha() {
        let pixels = Pixels::new(2, 1, Channels::Rgba, vec![9, 9, 9, 7, 200, 200, 200, 8]).unwrap();
        let gray = grayscale(pixels.clone(), &never()).unwrap();
        assert_eq!((gray.channels(), gray.data()), (Channels::GrayAlpha, &[9, 7, 200, 8][..]));
        let black_and_white = threshold(pixels.clone(), 9, &never()).unwrap();
        assert_eq!(black_and_white.data(), [0, 7, 255, 8]);
        assert_eq!(into_rgb(gray).unwrap(), pixels);
    }
}
