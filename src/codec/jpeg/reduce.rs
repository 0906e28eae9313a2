//! `eight_bit_file`: a 12-bit DCT picture as a file of 8 bits (T.81 extended sequential and progressive, P = 12).
//!
//! The inverse DCT is linear: dividing the dequantised coefficients by 16 divides the samples by 16. They become the
//! coefficients of an 8-bit file with quantisation steps of 1, whose rounding stays below a level.

use super::decode::{DecodeScratch, DecodedCoefficients, Flaws};
use super::encode::{Coding, Coefficients, ColourMark, Component, EncodeOptions, Encoder, FrameLayout};
use super::error::JpegError;
use super::header::{ColorModel, JpegHeader};
use super::quant::QuantTable;
use crate::limits::Limits;

/// Bits to drop: from 12 to 8.
const SHIFT: u32 = 4;

/// Makes an 8-bit file of `input`, a 12-bit one. Returns it with the flaws of the data.
///
/// # Errors
/// As [`JpegHeader::parse_12_bit`] and [`DecodedCoefficients::decode`].
pub fn eight_bit_file(input: &[u8], limits: &Limits) -> Result<(Vec<u8>, Flaws), JpegError> {
    let header = JpegHeader::parse_12_bit(input, limits)?;
    let mut scratch = DecodeScratch::default();
    let source = DecodedCoefficients::decode(input, &header, limits, &mut scratch)?;
    let mark = match header.color_model() {
        ColorModel::Grey | ColorModel::YCbCr => ColourMark::Jfif,
        ColorModel::Rgb | ColorModel::Cmyk => ColourMark::Adobe(0),
        ColorModel::Ycck => ColourMark::Adobe(2),
    };
    let components = (0_u8..).zip(header.frame.components()).map(|(index, component)| {
        let (h, v) = (component.h, component.v);
        Component { id: index + 1, h, v, quantisation: 0, huffman: index.min(1) }
    });
    let frame = FrameLayout::new(header.frame.width, header.frame.height, components.collect(), mark)
        .ok_or(JpegError::Damaged("more than ten blocks in an MCU"))?;
    let mut result = Coefficients::new(frame, vec![QuantTable([1; 64])])?;
    for (index, steps) in source.quant_tables().iter().enumerate() {
        let (columns, rows) = result.frame().padded_blocks(index);
        for row in 0..rows {
            limits.cancel.check()?;
            for column in 0..columns {
                let block = source.block(index, column, row);
                let reduced = std::array::from_fn(|i| {
                    let value = i32::from(block[i]) * i32::from(steps.0[i]);
                    ((value + (1 << (SHIFT - 1))) >> SHIFT).clamp(-1023, 1023) as i16
                });
                // All values are in range.
                let _ = result.set(index, column, row, &reduced);
            }
        }
    }
    let options = EncodeOptions { coding: Coding::Fixed, ..EncodeOptions::default() };
    Ok((Encoder::default().encode_coefficients(&result, &options)?, source.flaws()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg::decode::testing::TestPicture;
    use crate::codec::jpeg::error::JpegKind;

    fn blocks(file: &[u8], header: &JpegHeader<'_>) -> Vec<[i32; 64]> {
        let mut scratch = DecodeScratch::default();
        let limits = Limits::default();
        let source = DecodedCoefficients::decode(file, header, &limits, &mut scratch).unwrap();
        let of = |index: usize| {
            let (columns, rows) = source.blocks(index);
            let steps = &source.quant_tables()[index];
            let block = |at: usize| {
                let block = source.block(index, at % columns, at / columns);
                std::array::from_fn(|i| i32::from(block[i]) * i32::from(steps.0[i]))
            };
            (0..columns * rows).map(block).collect::<Vec<_>>()
        };
        (0..header.frame.components().len()).flat_map(of).collect()
    }

    #[test]
    fn a_picture_of_12_bits_has_the_coefficients_of_8_bits() {
        for sampling in [&[(1, 1)][..], &[(1, 1); 3], &[(2, 2), (1, 1), (1, 1)]] {
            let mut picture = TestPicture::new(64, 48, sampling, 6, 5);
            for block in picture.blocks.iter_mut().flatten() {
                block[0] = block[0].clamp(-200, 200);
            }
            let plain = picture.write();
            for block in picture.blocks.iter_mut().flatten() {
                block.iter_mut().for_each(|coefficient| *coefficient *= 16);
            }
            for picture in [picture.clone(), picture.make_progressive()] {
                let mut deep = picture.write();
                let at = deep.windows(2).position(|pair| matches!(pair, [0xFF, 0xC1 | 0xC2])).unwrap();
                deep[at + 4] = 12;
                let limits = Limits::default();
                let refused = JpegHeader::parse(&deep, &limits).unwrap_err();
                assert_eq!(refused, JpegError::Unsupported(JpegKind::HighPrecision));
                let (file, flaws) = eight_bit_file(&deep, &limits).unwrap();
                assert_eq!(flaws, Flaws::default());
                let result = blocks(&file, &JpegHeader::parse(&file, &limits).unwrap());
                let expected = blocks(&plain, &JpegHeader::parse(&plain, &limits).unwrap());
                assert!(result == expected, "{sampling:?}");
            }
        }
    }

    #[test]
    fn only_12_bits_are_reduced() {
        let file = TestPicture::new(16, 16, &[(1, 1)], 3, 1).write();
        assert!(eight_bit_file(&file, &Limits::default()).is_err());
    }
}
