//! Stored samples of any depth to 8 bits, and 8-bit samples of any meaning to grey or RGB.

use crate::codec::error::CodecError;
use crate::codec::format::tiff::layout::{Colours, Extra, SampleKind, TiffLayout};
use crate::codec::metadata::directory::{Directory, tag};

/// One row of stored samples to 8 bits each: stretched to 0..=255, but for palette indices.
pub(in crate::codec) fn to_bytes(stored: &[u8], layout: &TiffLayout<'_>, row: &mut [u8]) {
    let big = layout.big_endian;
    match (layout.depth, layout.kind) {
        (8, SampleKind::Unsigned) => row.copy_from_slice(&stored[..row.len()]),
        (8, _) => row.iter_mut().zip(stored).for_each(|(to, from)| *to = positive(i32::from(*from as i8), 7)),
        (16, kind) => each::<2>(stored, row, |word| {
            let value = if big { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) };
            match kind {
                SampleKind::Signed => positive(i32::from(value as i16), 15),
                _ => ((u32::from(value) * 255 + 32_895) >> 16) as u8,
            }
        }),
        (32, kind) => each::<4>(stored, row, |word| {
            let value = if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) };
            match kind {
                SampleKind::Float => unit(f32::from_bits(value).into()),
                SampleKind::Signed => positive(value as i32, 31),
                SampleKind::Unsigned => (value >> 24) as u8,
            }
        }),
        (64, _) => each::<8>(stored, row, |word| {
            unit(f64::from_bits(if big { u64::from_be_bytes(word) } else { u64::from_le_bytes(word) }))
        }),
        (depth, _) => {
            let indices = layout.colours == Colours::Palette;
            for (i, to) in row.iter_mut().enumerate() {
                *to = packed_sample(stored, i, depth, indices);
            }
        }
    }
}

fn each<const N: usize>(stored: &[u8], row: &mut [u8], to_byte: impl Fn([u8; N]) -> u8) {
    for (to, word) in row.iter_mut().zip(stored.as_chunks::<N>().0) {
        *to = to_byte(*word);
    }
}

/// A signed sample of `bits` bits and a sign: nothing below zero can be shown.
fn positive(value: i32, bits: u32) -> u8 {
    let value = u64::from(value.max(0).unsigned_abs());
    (value * 255 / ((1 << bits) - 1)) as u8
}

/// A floating sample: 0 is black and 1 is white. What is no number is black.
fn unit(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

/// Sample `i` of a row of `depth` bits each, the highest bit first.
fn packed_sample(stored: &[u8], i: usize, depth: usize, index: bool) -> u8 {
    let first = i * depth;
    let (byte, shift) = (first / 8, first % 8);
    let window = stored.iter().skip(byte).take(3).chain([&0; 3]).take(3);
    let window = window.fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    let largest = (1u32 << depth) - 1;
    let value = window >> (24 - shift - depth) & largest;
    if index { value as u8 } else { ((value * 255 + largest / 2) / largest) as u8 }
}

/// The channels of the picture from all samples of its pixels.
pub(in crate::codec) fn to_colours(
    samples: Vec<u8>,
    layout: &TiffLayout<'_>,
    directory: &Directory<'_>,
) -> Result<Vec<u8>, CodecError> {
    let channels = layout.channels();
    let direct = matches!(layout.colours, Colours::Grey | Colours::Rgb);
    if direct && layout.samples == channels.count() && layout.extra != Extra::PremultipliedAlpha {
        return Ok(samples);
    }
    let palette = Palette::of(directory);
    let mut data = crate::limits::try_vec(samples.len() / layout.samples * channels.count())?;
    for (from, to) in samples.chunks_exact(layout.samples).zip(data.chunks_exact_mut(channels.count())) {
        let colours = channels.colours();
        match (layout.colours, from) {
            (Colours::Inverted, [level, ..]) => to[0] = 255 - level,
            (Colours::Palette, [index, ..]) => to[..3].copy_from_slice(&palette.colour(*index)),
            (Colours::Cmyk, &[c, m, y, k, ..]) => to[..3].copy_from_slice(&printed([c, m, y], k)),
            (Colours::YCbCr, &[y, cb, cr, ..]) => to[..3].copy_from_slice(&shown(y, cb, cr)),
            _ => to[..colours].copy_from_slice(&from[..colours]),
        }
        if layout.extra != Extra::None {
            let alpha = from[colours];
            to[colours] = alpha;
            if layout.extra == Extra::PremultipliedAlpha {
                to[..colours].iter_mut().for_each(|sample| *sample = straight(*sample, alpha));
            }
        }
    }
    Ok(data)
}

struct Palette(Vec<u8>);

impl Palette {
    /// All reds, then all greens, then all blues, 16 bits each; some writers fill only 8.
    fn of(directory: &Directory<'_>) -> Palette {
        let wide: Vec<u64> = directory.numbers(tag::COLOR_MAP).into_iter().flatten().collect();
        let shift = if wide.iter().all(|value| *value < 256) { 0 } else { 8 };
        Palette(wide.iter().map(|value| (value >> shift) as u8).collect())
    }

    fn colour(&self, index: u8) -> [u8; 3] {
        let len = self.0.len() / 3;
        [0, 1, 2]
            .map(|plane| if usize::from(index) < len { self.0[plane * len + usize::from(index)] } else { 0 })
    }
}

fn printed(inks: [u8; 3], black: u8) -> [u8; 3] {
    inks.map(|ink| (((255 - u32::from(ink)) * (255 - u32::from(black)) + 127) / 255) as u8)
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
        assert_eq!([-1.0, 0.5, 7.0, f64::NAN].map(unit), [0, 128, 255, 0]);
    }
}
