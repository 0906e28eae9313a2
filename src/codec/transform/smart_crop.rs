//! Finds the most interesting window of a picture: edges, strong colours and skin, summed over the window that
//! `cover` keeps (after smartcrop.js and libvips' attention crop).

use crate::codec::transform::geometry::{Region, Size};
use crate::pixels::{Channels, Pixels};

/// Longest side of the thumbnail that is judged, in pixels.
const THUMBNAIL: f64 = 128.0;

/// Weights of the kinds of interest.
const EDGES: u32 = 2;
const SKIN: u32 = 3;
const SATURATION: u32 = 1;

/// Returns the size of the thumbnail on which `region` is judged.
pub(in crate::codec) fn thumbnail(region: Region) -> Size {
    let factor = (THUMBNAIL / region.width.max(region.height)).min(1.0);
    let side = |side: f64| (side * factor).round().max(1.0) as u32;
    Size { width: side(region.width), height: side(region.height) }
}

/// Returns the middle of the most interesting window of `thumbnail`, as fractions of its sides. The window has the
/// given fractions of them. Among equals the one nearest to the middle of the picture wins.
pub(in crate::codec) fn focus(thumbnail: &Pixels, window: (f64, f64)) -> (f64, f64) {
    let (width, height) = (thumbnail.width() as usize, thumbnail.height() as usize);
    let sums = Sums::of(&interest(thumbnail), width);
    let side = |side: usize, fraction: f64| ((side as f64 * fraction).round() as usize).clamp(1, side);
    let (w, h) = (side(width, window.0), side(height, window.1));
    let off_centre = |x: usize, y: usize| (2 * x + w).abs_diff(width) + (2 * y + h).abs_diff(height);
    let places = (0..=height - h).flat_map(|y| (0..=width - w).map(move |x| (x, y)));
    let best = places.max_by_key(|&(x, y)| (sums.within(x, y, w, h), std::cmp::Reverse(off_centre(x, y))));
    let (x, y) = best.unwrap_or_default();
    ((x as f64 + w as f64 / 2.0) / width as f64, (y as f64 + h as f64 / 2.0) / height as f64)
}

/// Returns the interest of each pixel.
fn interest(picture: &Pixels) -> Vec<u32> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let colours: Vec<[u8; 3]> = picture
        .data()
        .chunks_exact(picture.channels().count())
        .map(|p| colour(p, picture.channels()))
        .collect();
    let luma = |x: usize, y: usize| {
        let [r, g, b] = colours[y.min(height - 1) * width + x.min(width - 1)].map(i32::from);
        (77 * r + 150 * g + 29 * b) >> 8
    };
    let edge = |x: usize, y: usize| {
        let around =
            luma(x.saturating_sub(1), y) + luma(x + 1, y) + luma(x, y.saturating_sub(1)) + luma(x, y + 1);
        (4 * luma(x, y) - around).unsigned_abs()
    };
    let at = |i: usize| {
        let colour = colours[i];
        EDGES * edge(i % width, i / width) + SKIN * skin(colour) + SATURATION * saturation(colour)
    };
    (0..width * height).map(at).collect()
}

/// Returns red, green and blue multiplied by alpha.
fn colour(pixel: &[u8], channels: Channels) -> [u8; 3] {
    let shown = |sample: u8, alpha: u8| (u16::from(sample) * u16::from(alpha) / 255) as u8;
    match (channels, pixel) {
        (Channels::Gray, &[level]) => [level; 3],
        (Channels::GrayAlpha, &[level, alpha]) => [shown(level, alpha); 3],
        (Channels::Rgba, &[r, g, b, alpha]) => [r, g, b].map(|sample| shown(sample, alpha)),
        (_, &[r, g, b, ..]) => [r, g, b],
        _ => [0; 3],
    }
}

/// Returns the likeness of the hue to that of human skin of any tone, 0 to 255. Very dark colours have none.
fn skin(colour: [u8; 3]) -> u32 {
    const HUE: [f32; 3] = [0.78, 0.57, 0.44];
    let [r, g, b] = colour.map(f32::from);
    let length = (r * r + g * g + b * b).sqrt();
    if length < 60.0 {
        return 0;
    }
    let away = [r / length - HUE[0], g / length - HUE[1], b / length - HUE[2]];
    let likeness = 1.0 - (away[0] * away[0] + away[1] * away[1] + away[2] * away[2]).sqrt();
    // Below 0.8 it is no skin.
    ((likeness - 0.8).max(0.0) * 5.0 * 255.0) as u32
}

/// Returns the strength of the colour, 0 to 255. Nearly black and white ones have none.
fn saturation([r, g, b]: [u8; 3]) -> u32 {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let spread = u32::from(most - least);
    if most < 13 || least > 230 || spread < 100 { 0 } else { (spread - 100) * 255 / 155 }
}

/// An integral image: the sum above and to the left of each pixel.
struct Sums {
    sums: Vec<u64>,
    stride: usize,
}

impl Sums {
    fn of(values: &[u32], width: usize) -> Sums {
        let stride = width + 1;
        let mut sums = vec![0; stride];
        for row in values.chunks_exact(width) {
            let above = sums.len() - stride;
            let mut sum = 0;
            sums.push(0);
            for (x, value) in row.iter().enumerate() {
                sum += u64::from(*value);
                sums.push(sum + sums[above + x + 1]);
            }
        }
        Sums { sums, stride }
    }

    fn within(&self, x: usize, y: usize, width: usize, height: usize) -> u64 {
        let at = |x: usize, y: usize| self.sums[y * self.stride + x];
        at(x + width, y + height) + at(x, y) - at(x + width, y) - at(x, y + height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grey, but for a chequered square.
    fn with_detail_at(left: u32, top: u32) -> Pixels {
        let level = |x: u32, y: u32| {
            let inside = (left..left + 16).contains(&x) && (top..top + 16).contains(&y);
            if inside && (x + y).is_multiple_of(2) { 220 } else { 90 }
        };
        let data = (0..64 * 64).map(|i| level(i % 64, i / 64)).collect();
        Pixels::new(64, 64, Channels::Gray, data).unwrap()
    }

    #[test]
    fn the_window_goes_where_the_detail_is() {
        let (x, y) = focus(&with_detail_at(44, 8), (0.5, 1.0));
        assert!(x > 0.6 && y == 0.5, "{x} {y}");
        let (x, _) = focus(&with_detail_at(2, 8), (0.5, 1.0));
        assert!(x < 0.4, "{x}");
    }

    #[test]
    fn a_flat_picture_is_cut_in_the_middle() {
        let flat = Pixels::new(9, 5, Channels::Rgba, vec![128; 9 * 5 * 4]).unwrap();
        assert_eq!(focus(&flat, (1.0 / 3.0, 1.0)), (0.5, 0.5));
        let one = Pixels::new(1, 1, Channels::Gray, vec![0]).unwrap();
        assert_eq!(focus(&one, (0.3, 0.7)), (0.5, 0.5));
    }

    #[test]
    fn a_face_beats_a_flat_wall() {
        let pixel = |x: u32| if x < 16 { [224, 172, 140] } else { [120, 120, 120] };
        let data = (0..64 * 32).flat_map(|i| pixel(i % 64)).collect();
        let wall = Pixels::new(64, 32, Channels::Rgb, data).unwrap();
        assert!(focus(&wall, (0.4, 1.0)).0 < 0.35);
    }
}
