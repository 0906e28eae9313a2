//! The tables of T.81 Annex K: quantisation by quality, and the fixed Huffman codes.

use crate::codec::jpeg::encode::JpegQuality;
use crate::codec::jpeg::huffman::{HuffmanSpec, standard};
use crate::codec::jpeg::quant::QuantTable;
use std::sync::LazyLock;

/// Table K.1.
const LUMA: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// Table K.2.
const CHROMA: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// N. Robidoux's luma table, as in ImageMagick and mozjpeg: coarser than Annex K at frequencies that the eye
/// resolves poorly.
const LUMA_BY_EYE: [u16; 64] = [
    16, 16, 16, 18, 25, 37, 56, 85, 16, 17, 20, 27, 34, 40, 53, 75, 16, 20, 24, 31, 43, 62, 91, 135, 18, 27,
    31, 40, 53, 74, 106, 156, 25, 34, 43, 53, 69, 94, 131, 189, 37, 40, 62, 74, 94, 124, 169, 238, 56, 53,
    91, 106, 131, 169, 226, 311, 85, 75, 135, 156, 189, 238, 311, 418,
];

/// 17 (1 + 0.7 r) at a distance of r places from the DC coefficient. Finer than Annex K from the third
/// diagonal on, where one picture in ten has much of its colour; coarser on the first.
const CHROMA_BY_EYE: [u16; 64] = [
    17, 29, 41, 53, 65, 77, 88, 100, 29, 34, 44, 55, 66, 78, 89, 101, 41, 44, 51, 60, 70, 81, 92, 104, 53,
    55, 60, 67, 77, 86, 97, 108, 65, 66, 70, 77, 84, 93, 103, 113, 77, 78, 81, 86, 93, 101, 110, 119, 88, 89,
    92, 97, 103, 110, 118, 127, 100, 101, 104, 108, 113, 119, 127, 135,
];

/// Basis of the quantisation tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Annex K, the usual choice.
    AnnexK,
    /// Perceptual tables, those of chroma at half their steps: fewest bits at equal SSIMULACRA2. Scaled so
    /// that a quality scores about the same as with [`Basis::AnnexK`].
    Eye,
}

/// Returns the tables for luma and chroma at `quality`, scaled as the Independent JPEG Group does: 50 is the
/// basis itself, 100 is all ones. Steps are at most 255, so that the file is baseline.
pub(crate) fn quantisation(quality: JpegQuality, basis: Basis) -> [QuantTable; 2] {
    let quality = u32::from(quality.get());
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    let scaled = |table: [u16; 64], parts_of_100: u32| {
        let step = |step| (u32::from(step) * percent * parts_of_100 + 5000) / 10_000;
        QuantTable(table.map(|basis| step(basis).clamp(1, 255) as u16))
    };
    match basis {
        Basis::AnnexK => [scaled(LUMA, 100), scaled(CHROMA, 100)],
        Basis::Eye => [scaled(LUMA_BY_EYE, 92), scaled(CHROMA_BY_EYE, 50)],
    }
}

/// Huffman table pair of one component class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TablePair {
    pub(crate) dc: HuffmanSpec,
    pub(crate) ac: HuffmanSpec,
}

/// Tables K.3 and K.5 for luma, K.4 and K.6 for chroma.
pub(crate) static STANDARD: LazyLock<[TablePair; 2]> = LazyLock::new(|| {
    use standard::*;
    [(DC_LUMINANCE, AC_LUMINANCE), (DC_CHROMINANCE, AC_CHROMINANCE)]
        .map(|(dc, ac)| TablePair { dc: dc.to_spec(), ac: ac.to_spec() })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_scales_as_the_ijg_does() {
        let at = |quality| quantisation(JpegQuality::new(quality).unwrap(), Basis::AnnexK)[0].0;
        assert_eq!(at(50), LUMA);
        assert_eq!(at(100), [1; 64]);
        assert_eq!(at(85)[..4], [5, 3, 3, 5]);
        assert_eq!(at(1), [255; 64]);
    }
}
