//! Converts stored samples of any depth to 8 bits, and 8-bit samples of any meaning to grey or RGB.

use crate::codec::error::CodecError;
use crate::codec::format::tiff::layout::{Colours, Extra, SampleKind, TiffLayout};
use crate::codec::metadata::directory::{Directory, tag};
use crate::codec::transform::colour::InkConverter;
use crate::limits::{Limits, try_vec};

/// Converts one row of stored samples to 8 bits each: stretched to 0..=255, but for palette indices. A float of `white`
/// is 255.
pub(in crate::codec) fn to_bytes(stored: &[u8], layout: &TiffLayout<'_>, white: f64, row: &mut [u8]) {
    let big = layout.big_endian;
    match (layout.depth, layout.kind) {
        (8, SampleKind::Unsigned) => row.copy_from_slice(&stored[..row.len()]),
        // The smallest signed sample is black, as for other readers.
        (8, _) => row.iter_mut().zip(stored).for_each(|(to, from)| *to = from ^ 0x80),
        (16, kind) => each::<2>(stored, row, |word| {
            let value = if big { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) };
            let value = if kind == SampleKind::Signed { value ^ 0x8000 } else { value };
            ((u32::from(value) * 255 + 32_895) >> 16) as u8
        }),
        (32, SampleKind::Float) => each::<4>(stored, row, |word| level(float32(word, big), white)),
        (32, kind) => each::<4>(stored, row, |word| {
            let value = if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) };
            let value = if kind == SampleKind::Signed { value ^ 0x8000_0000 } else { value };
            (value >> 24) as u8
        }),
        (64, _) => each::<8>(stored, row, |word| level(float64(word, big), white)),
        (depth, _) => {
            let per_pixel = layout.samples_per_chunk();
            for (i, to) in row.iter_mut().enumerate() {
                let index = layout.colours == Colours::Palette && i % per_pixel == 0;
                *to = packed_sample(stored, i, depth, index);
            }
        }
    }
}

/// Returns the largest float of a row of stored samples, 0 if there is none above.
pub(in crate::codec) fn largest(stored: &[u8], layout: &TiffLayout<'_>) -> f64 {
    let big = layout.big_endian;
    // `max` ignores what is no number.
    if layout.depth == 32 {
        let words = stored.as_chunks::<4>().0.iter();
        words.map(|word| float32(*word, big)).filter(|value| value.is_finite()).fold(0.0, f64::max)
    } else {
        let words = stored.as_chunks::<8>().0.iter();
        words.map(|word| float64(*word, big)).filter(|value| value.is_finite()).fold(0.0, f64::max)
    }
}

/// Returns the float that is white in a picture whose largest is given. Floats go from 0 to 1 by custom, with highlights
/// a few stops above; ImageJ and others write those of 8 and 16 bits as they are.
pub(in crate::codec) fn white(largest: f64) -> f64 {
    match largest {
        ..=16.0 => 1.0,
        ..=255.0 => 255.0,
        _ => 65_535.0,
    }
}

fn float32(word: [u8; 4], big: bool) -> f64 {
    f32::from_bits(if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }).into()
}

fn float64(word: [u8; 8], big: bool) -> f64 {
    f64::from_bits(if big { u64::from_be_bytes(word) } else { u64::from_le_bytes(word) })
}

fn each<const N: usize>(stored: &[u8], row: &mut [u8], to_byte: impl Fn([u8; N]) -> u8) {
    for (to, word) in row.iter_mut().zip(stored.as_chunks::<N>().0) {
        *to = to_byte(*word);
    }
}

/// Converts a floating sample: 0 is black, `white` is white. What is no number is black.
fn level(value: f64, white: f64) -> u8 {
    ((value / white).clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

/// Returns sample `i` of a row of `depth` bits each, the highest bit first.
fn packed_sample(stored: &[u8], i: usize, depth: usize, index: bool) -> u8 {
    let first = i * depth;
    let (byte, shift) = (first / 8, first % 8);
    let window = stored.iter().skip(byte).take(3).chain([&0; 3]).take(3);
    let window = window.fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    let largest = (1u32 << depth) - 1;
    let value = window >> (24 - shift - depth) & largest;
    if index { value as u8 } else { ((value * 255 + largest / 2) / largest) as u8 }
}

/// Makes the channels of the picture from all samples of its pixels.
pub(in crate::codec) fn to_colours(
    samples: Vec<u8>,
    layout: &TiffLayout<'_>,
    directory: &Directory<'_>,
    inks: &InkConverter,
    limits: &Limits,
) -> Result<Vec<u8>, CodecError> {
    let channels = layout.channels();
    let direct = matches!(layout.colours, Colours::Grey | Colours::Rgb);
    if direct && layout.samples == channels.count() && layout.extra != Extra::PremultipliedAlpha {
        return Ok(samples);
    }
    let palette = ColourMap::of(directory);
    let mut printed = Vec::new();
    if layout.colours == Colours::Cmyk {
        let four: Vec<u8> = match layout.samples {
            4 => samples.clone(),
            count => samples.chunks_exact(count).flat_map(|pixel| &pixel[..4]).copied().collect(),
        };
        printed = try_vec(four.len() / 4 * 3)?;
        inks.convert(&four, &mut printed, &limits.cancel)?;
    }
    let mut printed = printed.as_chunks::<3>().0.iter();
    let mut data = try_vec(samples.len() / layout.samples * channels.count())?;
    for (from, to) in samples.chunks_exact(layout.samples).zip(data.chunks_exact_mut(channels.count())) {
        let colours = channels.colours();
        match (layout.colours, from) {
            (Colours::Inverted, [level, ..]) => to[0] = 255 - level,
            (Colours::Palette, [index, ..]) => to[..3].copy_from_slice(&palette.colour(*index)),
            (Colours::Cmyk, _) => to[..3].copy_from_slice(printed.next().unwrap_or(&[0; 3])),
            (Colours::YCbCr, &[y, cb, cr, ..]) => to[..3].copy_from_slice(&shown(y, cb, cr)),
            _ => to[..colours].copy_from_slice(&from[..colours]),
        }
        if layout.extra != Extra::None {
            let alpha = from[layout.colours.samples()];
            to[colours] = alpha;
            if layout.extra == Extra::PremultipliedAlpha {
                to[..colours].iter_mut().for_each(|sample| *sample = straight(*sample, alpha));
            }
        }
    }
    Ok(data)
}

struct ColourMap(Vec<u8>);

impl ColourMap {
    /// All reds, then all greens, then all blues, 16 bits each; some writers fill only 8.
    fn of(directory: &Directory<'_>) -> ColourMap {
        let wide: Vec<u64> = directory.numbers(tag::COLOR_MAP).into_iter().flatten().collect();
        let shift = if wide.iter().all(|value| *value < 256) { 0 } else { 8 };
        ColourMap(wide.iter().map(|value| (value >> shift) as u8).collect())
    }

    fn colour(&self, index: u8) -> [u8; 3] {
        let len = self.0.len() / 3;
        [0, 1, 2]
            .map(|plane| if usize::from(index) < len { self.0[plane * len + usize::from(index)] } else { 0 })
    }
}

/// BT.601, full range, 16 bits of fraction.
fn shown(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y) << 16, i32::from(cb) - 128, i32::from(cr) - 128);
    let level = |value: i32| ((value + (1 << 15)) >> 16).clamp(0, 255) as u8;
    [level(y + 91_881 * cr), level(y - 22_554 * cb - 46_802 * cr), level(y + 116_130 * cb)]
}

fn straight(sample: u8, alpha: u8) -> u8 {
    if alpha == 0 { 0 } else { (u32::from(sample) * 255 / u32::from(alpha)).min(255) as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_odd_depths_are_stretched() {
        // 12 bits: 0xFFF and 0x800.
        assert_eq!(packed_sample(&[0xFF, 0xF8, 0x00], 0, 12, false), 255);
        assert_eq!(packed_sample(&[0xFF, 0xF8, 0x00], 1, 12, false), 128);
        assert_eq!(packed_sample(&[0b1011_0000], 1, 2, true), 3);
        assert_eq!(packed_sample(&[0b0100_0000], 1, 1, false), 255);
    }

    #[test]
    fn floats_are_clamped_and_no_number_is_black() {
        assert_eq!([-1.0, 0.5, 7.0, f64::NAN].map(|value| level(value, 1.0)), [0, 128, 255, 0]);
    }
}
