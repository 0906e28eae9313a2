//! SSIMULACRA2 of pairs of pictures, as `fidelity.py` sends them.
//!
//! Standard input: width and height as little-endian u32, the reference and then the other picture as RGB of
//! 8 bits; repeated. Standard output: a score a line.

use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};
use std::error::Error;
use std::io::{self, Read};

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = io::stdin().lock();
    let mut size = [[0; 4]; 2];
    while input.read_exact(size.as_flattened_mut()).is_ok() {
        let [width, height] = size.map(|side| u32::from_le_bytes(side) as usize);
        let reference = picture(&mut input, width, height)?;
        let other = picture(&mut input, width, height)?;
        println!("{:.3}", compute_frame_ssimulacra2(reference, other)?);
    }
    Ok(())
}

fn picture(input: &mut impl Read, width: usize, height: usize) -> Result<Rgb, Box<dyn Error>> {
    let mut bytes = vec![0; width * height * 3];
    input.read_exact(&mut bytes)?;
    let pixels = bytes.as_chunks::<3>().0.iter().map(|pixel| pixel.map(|level| f32::from(level) / 255.0));
    Ok(Rgb::new(pixels.collect(), width, height, TransferCharacteristic::SRGB, ColorPrimaries::BT709)?)
}
