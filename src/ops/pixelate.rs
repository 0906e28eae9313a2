//! Pixelate: squares with their mean colour.

use super::OpError;
use crate::limits::{Cancel, try_vec};
use crate::pixels::Pixels;

/// Fills each square of `side` pixels, cut off at the right and bottom edge, with its rounded mean colour.
pub(super) fn pixelate(mut pixels: Pixels, side: u16, cancel: &Cancel) -> Result<Pixels, OpError> {
    let side = usize::from(side.max(1));
    let (row_len, samples, colours) =
        (pixels.row_len(), pixels.channels().count(), pixels.channels().colours());
    // One sum per sample of a row of squares; a square of 65,535² pixels would still fit 64 bits.
    let mut sums: Vec<u64> = try_vec((pixels.width() as usize).div_ceil(side) * samples)?;
    for band in pixels.data_mut().chunks_mut(side * row_len) {
        let height = band.len() / row_len;
        sums.fill(0);
        for row in band.chunks_exact(row_len) {
            cancel.check()?;
            for (square, sums) in row.chunks(side * samples).zip(sums.chunks_exact_mut(samples)) {
                for pixel in square.chunks_exact(samples) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, &sample)| *sum += u64::from(sample));
                }
            }
        }
        for row in band.chunks_exact_mut(row_len) {
            for (square, sums) in row.chunks_mut(side * samples).zip(sums.chunks_exact(samples)) {
                let area = (square.len() / samples * height) as u64;
                let mut mean = [0; 4];
                mean.iter_mut().zip(sums).for_each(|(mean, &sum)| *mean = ((sum + area / 2) / area) as u8);
                for pixel in square.chunks_exact_mut(samples) {
                    pixel[..colours].copy_from_slice(&mean[..colours]);
                }
            }
        }
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Channels;

    #[test]
    fn squares_are_flat_and_cut_off_at_the_edges() {
        let source = Pixels::new(3, 3, Channels::Gray, vec![1, 3, 9, 5, 7, 11, 20, 30, 40]).unwrap();
        let result = pixelate(source, 2, &Cancel::never()).unwrap();
        assert_eq!(result.data(), [4, 4, 10, 4, 4, 10, 25, 25, 40]);
    }

    #[test]
    fn alpha_stays() {
        let source = Pixels::new(2, 1, Channels::GrayAlpha, vec![10, 1, 20, 2]).unwrap();
        assert_eq!(pixelate(source, 2, &Cancel::never()).unwrap().data(), [15, 1, 15, 2]);
    }
}
