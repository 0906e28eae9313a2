//! Paints the landscape of the README, so that there is a picture to try things on: `cargo run --example paint`.

use image::{Rgb, RgbImage};

const WIDTH: u32 = 1600;
const HEIGHT: u32 = 1200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "photo.png".into());
    RgbImage::from_fn(WIDTH, HEIGHT, paint).save(&path)?;
    println!("painted {path}, {WIDTH}x{HEIGHT}");
    Ok(())
}

/// Sky with a sun, and five ridges, each nearer, darker and rougher.
fn paint(x: u32, y: u32) -> Rgb<u8> {
    let (u, v) = (f64::from(x) / f64::from(WIDTH), f64::from(y) / f64::from(HEIGHT));
    let sun = (u - 0.68).hypot((v - 0.3) * 0.75);
    let glow = (1.0 - sun * 1.6).max(0.0).powi(2) + if sun < 0.06 { 0.8 } else { 0.0 };
    let mut colour =
        [0.95 - 0.55 * (1.0 - v) + glow * 0.4, 0.62 - 0.1 * v + glow * 0.3, 0.55 + 0.35 * (1.0 - v)];
    for ridge in 0..5_u32 {
        let near = f64::from(ridge) / 4.0;
        let top = 0.42 + 0.13 * f64::from(ridge) - (0.16 - 0.06 * near) * relief(u, ridge);
        if v > top {
            let depth = (v - top).min(0.3);
            let texture = 0.04 * relief(u * 9.0 + v * 23.0, ridge + 7) * near;
            colour = [
                0.62 - 0.5 * near - depth * 0.3 + texture,
                0.52 - 0.3 * near - depth * 0.2 + texture,
                0.66 - 0.5 * near - depth * 0.4,
            ];
        }
    }
    Rgb(colour.map(|c| (c.clamp(0.0, 1.0) * 255.0) as u8))
}

/// A sum of octaves of value noise, about 0 to 1.
fn relief(x: f64, seed: u32) -> f64 {
    (0..7)
        .map(|octave| noise(x * 3.0 * f64::from(1 << octave), seed * 31 + octave) / f64::from(2 << octave))
        .sum()
}

/// Random heights at whole numbers, smoothly joined.
fn noise(x: f64, seed: u32) -> f64 {
    let cell = x.floor();
    let height = |n: f64| {
        let hash = (n as u32).wrapping_mul(0x9E37_79B1) ^ seed.wrapping_mul(0x85EB_CA6B);
        f64::from((hash ^ hash >> 15).wrapping_mul(0x2C1B_3C6D) >> 8) / f64::from(1 << 24)
    };
    let t = x - cell;
    let t = t * t * (3.0 - 2.0 * t);
    height(cell) * (1.0 - t) + height(cell + 1.0) * t
}
