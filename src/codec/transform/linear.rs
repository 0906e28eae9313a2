//! sRGB samples to linear light with 16 bits and back (IEC 61966-2-1), by tables that are the same on
//! every machine: only basic arithmetic, which IEEE 754 fixes to the last bit, goes into them.

use crate::pixels::Channels;
use std::sync::LazyLock;

static TABLES: LazyLock<LightTables> = LazyLock::new(LightTables::new);

struct LightTables {
    linear: [u16; 256],
    encoded: Vec<u8>,
}

impl LightTables {
    fn new() -> LightTables {
        let level = |code: f64| (light(code / 255.0) * 65_535.0).round() as u16;
        let linear = std::array::from_fn(|code| level(code as f64));
        let mut encoded = Vec::with_capacity(1 << 16);
        for code in 0..=255u8 {
            // Each level goes to the code that is nearest as encoded.
            let end = if code == 255 { 1 << 16 } else { usize::from(level(f64::from(code) + 0.5)) + 1 };
            encoded.resize(end.max(encoded.len()), code);
        }
        LightTables { linear, encoded }
    }
}

/// Returns the light of an encoded value, both 0 to 1.
fn light(encoded: f64) -> f64 {
    if encoded <= 0.04045 {
        return encoded / 12.92;
    }
    let base = (encoded + 0.055) / 1.055;
    // base^2.4 = base^2 * (base^2)^(1/5), the root by Newton's method.
    let square = base * base;
    let root = (0..64).fold(1.0f64, |r, _| r - (r * r * r * r * r - square) / (5.0 * r * r * r * r));
    square * root
}

/// Returns the 16-bit linear level of an sRGB sample.
pub(in crate::codec) fn light_of(sample: u8) -> u16 {
    TABLES.linear[usize::from(sample)]
}

/// Returns the sRGB sample of a 16-bit linear level.
pub(in crate::codec) fn encoded(level: u16) -> u8 {
    TABLES.encoded[usize::from(level)]
}

/// Converts 8-bit samples to linear ones of 16 bits in the order of the machine; alpha is only widened.
pub(in crate::codec) fn decode(samples: &[u8], channels: Channels, wide: &mut [u8]) {
    let linear = &TABLES.linear;
    let count = channels.count();
    for (from, to) in samples.chunks_exact(count).zip(wide.chunks_exact_mut(2 * count)) {
        for (i, (sample, wide)) in from.iter().zip(to.as_chunks_mut::<2>().0).enumerate() {
            let level =
                if i < channels.colours() { linear[usize::from(*sample)] } else { u16::from(*sample) * 257 };
            *wide = u16::to_ne_bytes(level);
        }
    }
}

/// Converts linear samples back, rounded.
#[expect(clippy::host_endian_bytes, reason = "the resampler takes samples in the machine's order")]
pub(in crate::codec) fn encode(wide: &[u8], channels: Channels, samples: &mut [u8]) {
    let encoded = &TABLES.encoded;
    let count = channels.count();
    for (from, to) in wide.chunks_exact(2 * count).zip(samples.chunks_exact_mut(count)) {
        for (i, (wide, sample)) in from.as_chunks::<2>().0.iter().zip(to).enumerate() {
            let level = u16::from_ne_bytes(*wide);
            *sample = if i < channels.colours() {
                encoded[usize::from(level)]
            } else {
                ((u32::from(level) + 128) / 257) as u8
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_survives_the_way_there_and_back() {
        let samples: Vec<u8> = (0..=255).collect();
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgba] {
            let (mut wide, mut back) = (vec![0; 512], vec![0; 256]);
            decode(&samples, channels, &mut wide);
            encode(&wide, channels, &mut back);
            assert_eq!(back, samples);
        }
    }

    #[test]
    fn the_curve_is_the_one_of_the_standard() {
        for code in 0..=255u8 {
            let v = f64::from(code) / 255.0;
            let expected = if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
            assert!((light(v) - expected).abs() < 1e-12);
        }
    }
}
