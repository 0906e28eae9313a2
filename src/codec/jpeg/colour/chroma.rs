//! Half-resolution chroma that compensates for the interpolation of decoders.
//!
//! libjpeg and its relatives interpolate chroma: a pixel gets 3/4 of its own sample and 1/4 of the next,
//! across and down. For a mean over pixels this is a blur. One step of Van Cittert's iteration removes most
//! of it: add to each sample the mean error of its pixels after interpolation.

use super::ycc;
use crate::codec::jpeg::planes::Planes;
use crate::limits::{OutOfMemory, try_vec};
use crate::pixels::Pixels;

/// Corrects the chroma of `planes`, made from `pixels`, for the interpolation of decoders.
///
/// # Errors
/// [`OutOfMemory`] if the allocator refuses a copy of the chroma planes.
pub fn sharpen(planes: &mut Planes, pixels: &Pixels) -> Result<(), OutOfMemory> {
    let (width, height) = (planes.width(), planes.height());
    let (h, v) = planes.sampling().factors();
    if h * v == 1 {
        return Ok(());
    }
    let step = pixels.channels().count();
    let [_, blue, red] = planes.planes_mut() else { return Ok(()) };
    let (across, down) = (blue.width(), blue.height());
    let before = [blue.clone(), red.clone()];
    // Errors of the pixels of each sample, in sixteenths.
    let mut lacks: [Vec<i32>; 2] = [try_vec(across)?, try_vec(across)?];
    let mut blended: Vec<i32> = try_vec(across)?;
    for row in 0..down {
        lacks.iter_mut().for_each(|lacks| lacks.fill(0));
        let rows = row * v..((row + 1) * v).min(height);
        for y in rows.clone() {
            let pixels = &pixels.data()[y * pixels.row_len()..][..pixels.row_len()];
            let next = match (v, y % v) {
                (1, _) => row,
                (_, 0) => row.saturating_sub(1),
                _ => (row + 1).min(down - 1),
            };
            for (plane, lacks) in lacks.iter_mut().enumerate() {
                let samples = |row: usize| &before[plane].samples()[row * before[plane].stride()..][..across];
                for (blended, (near, far)) in blended.iter_mut().zip(samples(row).iter().zip(samples(next))) {
                    *blended = 3 * i32::from(*near) + i32::from(*far);
                }
                for (x, pixel) in pixels.chunks_exact(step).enumerate() {
                    let own = x / h;
                    let next = if x % h == 0 { own.saturating_sub(1) } else { (own + 1).min(across - 1) };
                    let shown = 3 * blended[own] + blended[next];
                    let [_, chroma @ ..] = ycc([pixel[0], pixel[1], pixel[2]]);
                    lacks[own] += 16 * i32::from(chroma[plane]) - shown;
                }
            }
        }
        for (plane, lacks) in [&mut *blue, &mut *red].into_iter().zip(&lacks) {
            let stride = plane.stride();
            for (x, (sample, lack)) in plane.samples_mut()[row * stride..].iter_mut().zip(lacks).enumerate() {
                let unit = 16 * (rows.len() * h.min(width - x * h)) as i32;
                let mean = (lack + unit / 2).div_euclid(unit);
                *sample = (i32::from(*sample) + mean).clamp(0, 255) as u8;
            }
        }
    }
    for plane in [blue, red] {
        plane.extend_edges(0..down);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::from_pixels;
    use super::*;
    use crate::codec::jpeg::encode::JpegQuality;
    use crate::codec::jpeg::encode::{Coding, EncodeOptions, Encoder};
    use crate::codec::jpeg::planes::Sampling;
    use crate::pixels::Channels;

    /// Makes stripes of colours of equal brightness, 3 pixels wide.
    fn stripes(width: u32, height: u32) -> Pixels {
        let colours = [[200, 60, 60], [60, 140, 60], [90, 90, 230]];
        let pixel = |i: u32| colours[((i % width + i / width) / 3 % 3) as usize];
        let data = (0..width * height).flat_map(pixel).collect();
        Pixels::new(width, height, Channels::Rgb, data).unwrap()
    }

    fn error_by_an_interpolating_decoder(pixels: &Pixels, planes: &Planes) -> u64 {
        let options = EncodeOptions {
            quality: JpegQuality::new(100).unwrap(),
            coding: Coding::Optimised,
            ..EncodeOptions::default()
        };
        let file = Encoder::default().encode(planes, &options).unwrap();
        let shown = jpeg_decoder::Decoder::new(file.as_slice()).decode().unwrap();
        shown.iter().zip(pixels.data()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
    }

    #[test]
    fn decoders_come_nearer_to_the_colours() {
        for sampling in [Sampling::S420, Sampling::S422] {
            for (width, height) in [(48, 48), (31, 33)] {
                let pixels = stripes(width, height);
                let mut planes = from_pixels(&pixels, sampling).unwrap();
                let plain = error_by_an_interpolating_decoder(&pixels, &planes);
                sharpen(&mut planes, &pixels).unwrap();
                let sharp = error_by_an_interpolating_decoder(&pixels, &planes);
                assert!(sharp * 10 < plain * 9, "{sampling:?} {width}x{height}: {sharp} of {plain}");
            }
        }
    }

    #[test]
    fn flat_colour_and_single_pixels_stay_as_they_are() {
        for (width, height) in [(1, 1), (1, 5), (5, 1), (17, 3)] {
            for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
                let data = [10, 200, 90].repeat((width * height) as usize);
                let pixels = Pixels::new(width, height, Channels::Rgb, data).unwrap();
                let plain = from_pixels(&pixels, sampling).unwrap();
                let mut sharp = plain.clone();
                sharpen(&mut sharp, &pixels).unwrap();
                assert_eq!(sharp, plain);
            }
        }
    }
}
