//! Histogram equalisation of the luma: `cv2.equalizeHist` on Y of YCrCb.

use super::OpError;
use crate::limits::Cancel;
use crate::pixels::{Channels, Pixels};

/// Spreads the luma levels evenly. Chroma stays, up to what fits red, green and blue.
pub(super) fn equalize(mut pixels: Pixels, cancel: &Cancel) -> Result<Pixels, OpError> {
    let mut histogram = [0u64; 256];
    for row in pixels.rows() {
        cancel.check()?;
        let mut count = |y: u8| histogram[usize::from(y)] += 1;
        match pixels.channels() {
            Channels::Gray => row.iter().for_each(|&y| count(y)),
            Channels::GrayAlpha => row.as_chunks().0.iter().for_each(|&[y, _]| count(y)),
            Channels::Rgb => row.as_chunks().0.iter().for_each(|&rgb| count(luma(rgb))),
            Channels::Rgba => row.as_chunks().0.iter().for_each(|&[r, g, b, _]| count(luma([r, g, b]))),
        }
    }
    let table = spread(&histogram);
    let (row_len, channels) = (pixels.row_len(), pixels.channels());
    for row in pixels.data_mut().chunks_exact_mut(row_len) {
        cancel.check()?;
        let grey = |y: &mut u8| *y = table[usize::from(*y)];
        match channels {
            Channels::Gray => row.iter_mut().for_each(grey),
            Channels::GrayAlpha => row.as_chunks_mut().0.iter_mut().for_each(|[y, _]| grey(y)),
            Channels::Rgb => row.as_chunks_mut().0.iter_mut().for_each(|rgb| *rgb = with_luma(*rgb, &table)),
            Channels::Rgba => row.as_chunks_mut().0.iter_mut().for_each(|[r, g, b, _]| {
                [*r, *g, *b] = with_luma([*r, *g, *b], &table);
            }),
        }
    }
    Ok(pixels)
}

/// The new level of each level: the share of darker-or-equal pixels among those above the darkest level in use.
fn spread(histogram: &[u64; 256]) -> [u8; 256] {
    let identity = std::array::from_fn(|level| level as u8);
    let total: u64 = histogram.iter().sum();
    let Some(darkest) = histogram.iter().position(|&count| count > 0) else { return identity };
    let above = total - histogram[darkest];
    if above == 0 {
        return identity;
    }
    let mut table = [0; 256];
    let mut sum = 0;
    for (new, count) in table.iter_mut().zip(histogram).skip(darkest + 1) {
        sum += count;
        *new = ((sum * 255 + above / 2) / above) as u8;
    }
    table
}

/// Y of YCrCb in OpenCV's 14-bit fixed point.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((i32::from(r) * 4899 + i32::from(g) * 9617 + i32::from(b) * 1868 + (1 << 13)) >> 14) as u8
}

/// The colour with its luma replaced and its 8-bit chroma kept (ITU-R BT.601 in 14-bit fixed point).
fn with_luma(rgb: [u8; 3], table: &[u8; 256]) -> [u8; 3] {
    let descale = |value: i32| (value + (1 << 13)) >> 14;
    let y = luma(rgb);
    let [r, _, b] = rgb.map(i32::from);
    let cr = descale((r - i32::from(y)) * 11682).clamp(-128, 127);
    let cb = descale((b - i32::from(y)) * 9241).clamp(-128, 127);
    let y = i32::from(table[usize::from(y)]);
    let new = [y + descale(cr * 22987), y + descale(cb * -5636 + cr * -11698), y + descale(cb * 29049)];
    new.map(|sample| sample.clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equalized(channels: Channels, samples: &[u8]) -> Vec<u8> {
        let width = (samples.len() / channels.count()) as u32;
        let source = Pixels::new(width, 1, channels, samples.to_vec()).unwrap();
        equalize(source, &Cancel::never()).unwrap().into_data()
    }

    #[test]
    fn used_levels_spread_over_the_whole_range() {
        assert_eq!(equalized(Channels::Gray, &[100, 101, 101, 102, 103]), [0, 128, 128, 191, 255]);
        assert_eq!(equalized(Channels::GrayAlpha, &[100, 1, 103, 2]), [0, 1, 255, 2]);
        assert_eq!(equalized(Channels::Rgb, &[100, 100, 100, 103, 103, 103]), [0, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn one_level_stays_where_it_is() {
        assert_eq!(equalized(Channels::Gray, &[42, 42]), [42, 42]);
    }

    #[test]
    fn colours_keep_their_direction_and_their_alpha() {
        let result = equalized(Channels::Rgba, &[90, 60, 60, 5, 100, 100, 100, 6, 30, 30, 60, 7]);
        assert!(result[0] > result[1] && result[10] > result[8], "{result:?}");
        assert_eq!([result[3], result[7], result[11]], [5, 6, 7]);
    }
}
