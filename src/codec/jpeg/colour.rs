//! Colour conversion between planes and interleaved pixels (JFIF 1.02: BT.601, full range), in integers.

use super::planes::{Plane, Planes, Sampling};
use crate::limits::{OutOfMemory, try_vec};
use crate::pixels::{Channels, Pixels};

#[cfg(target_arch = "x86_64")]
mod avx2;
pub mod chroma;

/// Fractional bits of the factors below.
const BITS: u32 = 14;
const HALF: i32 = 1 << (BITS - 1);

/// R = Y + 1.402 Cr; G = Y - 0.344136 Cb - 0.714136 Cr; B = Y + 1.772 Cb.
const CR_TO_R: i32 = 22_970;
const CB_TO_G: i32 = 5_638;
const CR_TO_G: i32 = 11_700;
const CB_TO_B: i32 = 29_032;

/// Y = 0.299 R + 0.587 G + 0.114 B.
const TO_Y: [i32; 3] = [4_899, 9_617, 1_868];
/// Cb = -0.168736 R - 0.331264 G + 0.5 B.
const TO_CB: [i32; 3] = [-2_765, -5_427, 8_192];
/// Cr = 0.5 R - 0.418688 G - 0.081312 B.
const TO_CR: [i32; 3] = [8_192, -6_860, -1_332];

/// Converts planes to RGB or grey pixels. Chroma planes must be as large as luma.
///
/// # Errors
/// [`OutOfMemory`] if the allocator refuses the pixels.
///
/// # Panics
/// If the chroma planes are smaller than luma.
pub fn to_pixels(planes: &Planes) -> Result<Pixels, OutOfMemory> {
    let (width, height) = (planes.width() as u32, planes.height() as u32);
    match planes.planes() {
        [y, cb, cr] => {
            assert_eq!(planes.sampling(), Sampling::S444, "chroma at the resolution of luma");
            let mut pixels = Pixels::zeroed(width, height, Channels::Rgb)?;
            let len = pixels.row_len();
            let rows = y.rows().zip(cb.rows()).zip(cr.rows());
            for (((y, cb), cr), rgb) in rows.zip(pixels.data_mut().chunks_exact_mut(len)) {
                rgb_row(y, cb, cr, rgb);
            }
            Ok(pixels)
        }
        planes => {
            let mut pixels = Pixels::zeroed(width, height, Channels::Gray)?;
            for (gray, y) in pixels.data_mut().chunks_exact_mut(width as usize).zip(planes[0].rows()) {
                gray.copy_from_slice(y);
            }
            Ok(pixels)
        }
    }
}

/// Converts `pixels` to planes: averages chroma down to `sampling` and fills the margins. Alpha is ignored.
/// Grey pixels give a grey picture at any sampling.
///
/// # Errors
/// [`OutOfMemory`] if the allocator refuses the planes.
pub fn from_pixels(pixels: &Pixels, sampling: Sampling) -> Result<Planes, OutOfMemory> {
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let step = pixels.channels().count();
    let gray = pixels.channels().colours() == 1;
    let sampling = if gray { Sampling::Gray } else { sampling };
    let mut planes = Planes::new(width, height, sampling)?;
    let (h, v) = sampling.factors();
    // Sums of red, green and blue over the pixels of each chroma sample.
    let mut sums: Vec<[u16; 3]> = try_vec(if planes.planes().len() == 3 { width.div_ceil(h) } else { 0 })?;
    for (row, pixels) in pixels.rows().enumerate() {
        match planes.planes_mut() {
            [luma, cb, cr] => {
                luma_row(pixels, step, row_mut(luma, row));
                if row % v == 0 {
                    sums.fill([0; 3]);
                }
                add_row(pixels, step, h, &mut sums);
                let rows = row % v + 1;
                if rows == v || row + 1 == height {
                    let full = (h * rows) as i32;
                    let last = if width % h == 0 { full } else { (width % h * rows) as i32 };
                    chroma_row(&sums, full, last, row_mut(cb, row / v), row_mut(cr, row / v));
                }
            }
            planes => {
                let luma = row_mut(&mut planes[0], row);
                if gray {
                    luma.iter_mut().zip(pixels.chunks_exact(step)).for_each(|(luma, pixel)| *luma = pixel[0]);
                } else {
                    luma_row(pixels, step, luma);
                }
            }
        }
    }
    for plane in planes.planes_mut() {
        let height = plane.height();
        plane.extend_edges(0..height);
    }
    Ok(planes)
}

/// Interleaves planes that store RGB.
pub(super) fn rgb_to_pixels(planes: [&Plane; 3]) -> Result<Pixels, OutOfMemory> {
    let mut pixels = Pixels::zeroed(planes[0].width() as u32, planes[0].height() as u32, Channels::Rgb)?;
    let len = pixels.row_len();
    let rows = planes[0].rows().zip(planes[1].rows()).zip(planes[2].rows());
    for (((r, g), b), rgb) in rows.zip(pixels.data_mut().chunks_exact_mut(len)) {
        for (((rgb, r), g), b) in rgb.chunks_exact_mut(3).zip(r).zip(g).zip(b) {
            rgb.copy_from_slice(&[*r, *g, *b]);
        }
    }
    Ok(pixels)
}

/// Inverts each sample: 255 minus its value.
pub(super) fn invert(pixels: &mut Pixels) {
    pixels.data_mut().iter_mut().for_each(|sample| *sample = 255 - *sample);
}

/// Darkens RGB by an inverted plane of black ink: 255 is none. Adobe inverts inks, and libjpeg-based readers take all
/// CMYK files so.
pub(super) fn apply_black(pixels: &mut Pixels, black: &Plane) {
    let len = pixels.row_len();
    for (rgb, black) in pixels.data_mut().chunks_exact_mut(len).zip(black.rows()) {
        for (rgb, &light) in rgb.chunks_exact_mut(3).zip(black) {
            for colour in rgb {
                *colour = ((u32::from(*colour) * u32::from(light) + 127) / 255) as u8;
            }
        }
    }
}

/// Converts one RGB colour to luma and chroma.
pub(super) fn ycc([r, g, b]: [u8; 3]) -> [u8; 3] {
    let rgb = [r, g, b].map(i32::from);
    [dot(rgb, TO_Y), 128 + dot(rgb, TO_CB), 128 + dot(rgb, TO_CR)].map(|value| value.clamp(0, 255) as u8)
}

fn dot(rgb: [i32; 3], factors: [i32; 3]) -> i32 {
    (rgb[0] * factors[0] + rgb[1] * factors[1] + rgb[2] * factors[2] + HALF) >> BITS
}

fn row_mut(plane: &mut Plane, row: usize) -> &mut [u8] {
    let (width, stride) = (plane.width(), plane.stride());
    &mut plane.samples_mut()[row * stride..][..width]
}

/// Converts one row of YCbCr to RGB.
fn rgb_row(y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(proof) = super::simd::Avx2::detect() {
        return avx2::rgb_row(proof, y, cb, cr, rgb);
    }
    rgb_row_of(y, cb, cr, rgb);
}

/// Body of [`rgb_row`], compiled once for each instruction set.
#[inline(always)]
fn rgb_row_of(y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
    for (((rgb, &y), &cb), &cr) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(y).zip(cb).zip(cr) {
        let (y, cb, cr) = (i32::from(y) << BITS, i32::from(cb) - 128, i32::from(cr) - 128);
        let level = |sum: i32| ((sum + HALF) >> BITS).clamp(0, 255) as u8;
        *rgb = [level(y + CR_TO_R * cr), level(y - CB_TO_G * cb - CR_TO_G * cr), level(y + CB_TO_B * cb)];
    }
}

/// Converts one row of RGB(A) to luma.
fn luma_row(pixels: &[u8], step: usize, luma: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(proof) = super::simd::Avx2::detect() {
        return avx2::luma_row(proof, pixels, step, luma);
    }
    luma_row_of(pixels, step, luma);
}

#[inline(always)]
fn luma_row_of(pixels: &[u8], step: usize, luma: &mut [u8]) {
    if step == 3 {
        for (luma, &[r, g, b]) in luma.iter_mut().zip(pixels.as_chunks::<3>().0) {
            *luma = dot([r, g, b].map(i32::from), TO_Y) as u8;
        }
    } else {
        for (luma, &[r, g, b, _]) in luma.iter_mut().zip(pixels.as_chunks::<4>().0) {
            *luma = dot([r, g, b].map(i32::from), TO_Y) as u8;
        }
    }
}

/// Adds a row of RGB(A) to the sums of groups of `h` pixels.
fn add_row(pixels: &[u8], step: usize, h: usize, sums: &mut [[u16; 3]]) {
    for (sum, group) in sums.iter_mut().zip(pixels.chunks(step * h)) {
        for pixel in group.chunks_exact(step) {
            for (sum, colour) in sum.iter_mut().zip(pixel) {
                *sum += u16::from(*colour);
            }
        }
    }
}

/// Writes the chroma of sums over `count` pixels each; the last sum covers `last` pixels.
fn chroma_row(sums: &[[u16; 3]], count: i32, last: i32, cb: &mut [u8], cr: &mut [u8]) {
    let end = sums.len() - 1;
    for (i, ((sum, cb), cr)) in sums.iter().zip(cb).zip(cr).enumerate() {
        let count = if i == end { last } else { count };
        let level = |factors: [i32; 3]| {
            let sum: i32 = sum.iter().zip(factors).map(|(&sum, factor)| i32::from(sum) * factor).sum();
            let unit = count << BITS;
            // The sum may be negative: add 128 levels before the division.
            ((sum + 128 * unit + unit / 2) / unit).clamp(0, 255) as u8
        };
        (*cb, *cr) = (level(TO_CB), level(TO_CR));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_the_way_there_and_back() {
        let mut data = vec![];
        for i in 0..4096_u32 {
            data.extend([(i * 7) as u8, ((i * 13) >> 2) as u8, ((i * 29) >> 4) as u8]);
        }
        for (sampling, width, height) in [(Sampling::S444, 64, 64), (Sampling::S444, 4096, 1)] {
            let pixels = Pixels::new(width, height, Channels::Rgb, data.clone()).unwrap();
            let back = to_pixels(&from_pixels(&pixels, sampling).unwrap()).unwrap();
            assert!(back.data().iter().zip(&data).all(|(a, b)| a.abs_diff(*b) <= 2));
        }
    }

    #[test]
    fn conversion_is_that_of_jfif() {
        for rgb in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [12, 200, 99]] {
            let [r, g, b] = rgb.map(f64::from);
            let expected = [
                0.299 * r + 0.587 * g + 0.114 * b,
                -0.168_736 * r - 0.331_264 * g + 0.5 * b + 128.0,
                0.5 * r - 0.418_688 * g - 0.081_312 * b + 128.0,
            ];
            for (got, expected) in ycc(rgb).into_iter().zip(expected) {
                assert!((f64::from(got) - expected.clamp(0.0, 255.0)).abs() <= 0.51, "{rgb:?}");
            }
            let pixels = Pixels::new(1, 1, Channels::Rgb, rgb.to_vec()).unwrap();
            let planes = from_pixels(&pixels, Sampling::S444).unwrap();
            let got: Vec<u8> = planes.planes().iter().map(|plane| plane.samples()[0]).collect();
            assert!(got.iter().zip(ycc(rgb)).all(|(a, b)| a.abs_diff(b) <= 1), "{got:?}");
        }
    }

    #[test]
    fn rows_of_any_length_are_converted_alike() {
        let sample = |i: usize, n: usize| ((i * 37 + n * 101) % 256) as u8;
        for len in [1, 15, 16, 31, 33, 100] {
            let row = |n| (0..len).map(|i| sample(i, n)).collect::<Vec<u8>>();
            let (y, cb, cr) = (row(1), row(2), row(3));
            let (mut fast, mut plain) = (vec![0; 3 * len], vec![0; 3 * len]);
            rgb_row(&y, &cb, &cr, &mut fast);
            rgb_row_of(&y, &cb, &cr, &mut plain);
            assert_eq!(fast, plain);
            for step in [3, 4] {
                let pixels: Vec<u8> = (0..step * len).map(|i| sample(i, 5)).collect();
                let (mut fast, mut plain) = (vec![0; len], vec![0; len]);
                luma_row(&pixels, step, &mut fast);
                luma_row_of(&pixels, step, &mut plain);
                assert_eq!(fast, plain);
            }
        }
    }

    #[test]
    fn grey_and_transparent_pixels_have_planes_too() {
        let gray = Pixels::new(2, 1, Channels::GrayAlpha, vec![7, 0, 9, 255]).unwrap();
        let planes = from_pixels(&gray, Sampling::S420).unwrap();
        assert_eq!(planes.sampling(), Sampling::Gray);
        assert_eq!(planes.planes()[0].rows().next(), Some(&[7, 9][..]));
        let rgba = Pixels::new(3, 3, Channels::Rgba, [90, 90, 90, 0].repeat(9)).unwrap();
        let planes = from_pixels(&rgba, Sampling::S420).unwrap();
        assert!(planes.planes()[0].rows().flatten().all(|&y| y == 90));
        assert!(planes.planes()[1].rows().flatten().all(|&cb| cb == 128));
    }
}
