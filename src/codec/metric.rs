//! The score of a result beside its original: SSIMULACRA2, 100 for the same, 90 for no visible loss.
//!
//! The metric takes 260 bytes a pixel and a quarter of a microsecond, so a large picture is scored on nine crops that are
//! spread evenly over it. Its score is their mean.

use crate::codec::error::CodecError;
use crate::codec::transform::geometry::Size;
use crate::codec::transform::orient_pad;
use crate::limits::{Cancel, try_vec};
use crate::pixels::{Channels, Pixels};
use fast_ssim2::{PixelDescriptor, PixelSlice, Ssimulacra2Reference, compute_ssimulacra2};

/// Largest picture that is scored as a whole, in pixels.
const WHOLE_PIXELS: u64 = 800_000;

/// Longest side of a crop, in pixels.
const CROP_SIDE: u32 = 256;

/// Crops along either side.
const CROPS: u32 = 3;

/// Bytes that the metric takes for each pixel.
const BYTES_PER_PIXEL: u64 = 260;

/// A rectangle of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crop {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) size: Size,
}

impl Crop {
    /// All of a picture.
    fn whole(size: Size) -> Crop {
        Crop { x: 0, y: 0, size }
    }
}

/// Returns the parts of a picture that are scored, row by row.
pub(super) fn crops(size: Size) -> Vec<Crop> {
    if size.pixels() <= WHOLE_PIXELS {
        return vec![Crop::whole(size)];
    }
    let starts = |side: u32| -> Vec<u32> {
        let count = (side / CROP_SIDE).clamp(1, CROPS);
        (0..count).map(|i| side.saturating_sub(CROP_SIDE) / (count - 1).max(1) * i).collect()
    };
    let part = Size { width: size.width.min(CROP_SIDE), height: size.height.min(CROP_SIDE) };
    let columns = starts(size.width);
    let row = |y: u32| columns.iter().map(move |&x| Crop { x, y, size: part });
    starts(size.height).into_iter().flat_map(row).collect()
}

/// Bytes that the metric takes for a picture, the crops included.
pub(super) fn memory(size: Size) -> u64 {
    let crops = crops(size);
    let largest = crops.iter().map(|crop| crop.size.pixels()).max().unwrap_or(0);
    let all: u64 = crops.iter().map(|crop| crop.size.pixels()).sum();
    // Originals and results of all crops have up to four bytes a pixel.
    largest.saturating_mul(BYTES_PER_PIXEL) + all * 8
}

/// The original, prepared for many comparisons.
pub(super) enum Original {
    Whole(Box<Ssimulacra2Reference>),
    Crops(Vec<Pixels>),
}

impl Original {
    /// Prepares the [`crops`] of a picture.
    pub(super) fn new(crops: Vec<Pixels>) -> Result<Original, CodecError> {
        let crops = crops.iter().map(coloured).collect::<Result<Vec<_>, _>>()?;
        match &crops[..] {
            [whole] => {
                Ok(Original::Whole(Box::new(Ssimulacra2Reference::new(&view(whole)?).map_err(defect)?)))
            }
            _ => Ok(Original::Crops(crops)),
        }
    }

    /// Returns the score of a result, of which `results` are the same crops.
    pub(super) fn score(&self, results: &[Pixels], cancel: &Cancel) -> Result<f64, CodecError> {
        let mut sum = 0.0;
        for (i, result) in results.iter().enumerate() {
            cancel.check()?;
            let result = coloured(result)?;
            sum += match self {
                Original::Whole(whole) => whole.compare(&view(&result)?).map_err(defect)?,
                Original::Crops(crops) => {
                    let original = crops.get(i).ok_or_else(|| defect("a crop without an original"))?;
                    compute_ssimulacra2(&view(original)?, &view(&result)?).map_err(defect)?
                }
            };
        }
        Ok(sum / results.len().max(1) as f64)
    }
}

/// Copies a part of `pixels`.
pub(super) fn cropped(pixels: &Pixels, crop: Crop) -> Result<Pixels, CodecError> {
    let Crop { x, y, size } = crop;
    let depth = pixels.channels().count();
    let (left, len) = (x as usize * depth, size.width as usize * depth);
    let mut data = try_vec(len * size.height as usize)?;
    let rows = pixels.rows().skip(y as usize).zip(data.chunks_exact_mut(len));
    rows.for_each(|(row, copy)| copy.copy_from_slice(&row[left..left + len]));
    Pixels::new(size.width, size.height, pixels.channels(), data)
        .ok_or_else(|| defect("the sizes do not agree"))
}

fn coloured(pixels: &Pixels) -> Result<Pixels, CodecError> {
    let channels = if pixels.channels().has_alpha() { Channels::Rgba } else { Channels::Rgb };
    Ok(orient_pad::widened(pixels, channels)?)
}

fn view(pixels: &Pixels) -> Result<PixelSlice<'_>, CodecError> {
    let kind =
        if pixels.channels().has_alpha() { PixelDescriptor::RGBA8_SRGB } else { PixelDescriptor::RGB8_SRGB };
    PixelSlice::new(pixels.data(), pixels.width(), pixels.height(), pixels.row_len(), kind).map_err(defect)
}

fn defect(error: impl std::fmt::Display) -> CodecError {
    CodecError::Internal(format!("SSIMULACRA2: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_of_a_large_picture_reach_its_corners_and_stay_within() {
        assert_eq!(
            crops(Size { width: 800, height: 1000 }),
            [Crop::whole(Size { width: 800, height: 1000 })]
        );
        for (width, height, count) in [(5000, 5000, 9), (8192, 98, 3), (600, 8000, 6), (300, 8192, 3)] {
            let crops = crops(Size { width, height });
            assert_eq!(crops.len(), count, "{width}x{height}");
            let end = |crop: &Crop| (crop.x + crop.size.width, crop.y + crop.size.height);
            assert!(crops.iter().all(|crop| end(crop).0 <= width && end(crop).1 <= height));
            let last = end(&crops[count - 1]);
            assert!(width - last.0 < CROPS || count < 4, "{last:?} of {width}x{height}");
            assert!(height - last.1 < CROPS || height == 98, "{last:?} of {width}x{height}");
        }
    }

    #[test]
    fn crops_score_what_the_whole_scores() {
        let (width, height) = (1200, 900);
        let sample = |i: u32, noise: u32| {
            let (x, y) = (i / 3 % width, i / 3 / width);
            let seed = i.wrapping_mul(2_654_435_761) >> 24;
            (((x / 5) ^ (y / 7)) as u8 / 2).wrapping_add((seed % noise) as u8)
        };
        let picture = |noise| {
            let data = (0..width * height * 3).map(|i| sample(i, noise)).collect();
            Pixels::new(width, height, Channels::Rgb, data).unwrap()
        };
        let (original, result) = (picture(2), picture(10));
        let whole = Original::new(vec![original.clone()]).unwrap();
        let whole = whole.score(std::slice::from_ref(&result), &Cancel::never()).unwrap();
        let parts = |pixels: &Pixels| -> Vec<Pixels> {
            let crops = crops(Size { width, height });
            crops.into_iter().map(|crop| cropped(pixels, crop).unwrap()).collect()
        };
        let crops = Original::new(parts(&original)).unwrap();
        let crops = crops.score(&parts(&result), &Cancel::never()).unwrap();
        assert!(whole < 95.0 && (whole - crops).abs() < 3.0, "{whole} {crops}");
    }
}
