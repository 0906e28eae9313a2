//! `DecodedCoefficients`: all DCT coefficients of a file of any coding process, for lossless transcoding.

use super::Flaws;
use super::block::{CoefficientBlock, Scale, ScaledIdctLayout};
use super::plane;
use super::scratch::DecodeScratch;
use super::script::Script;
use super::stored::Stored;
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::{FrameComponent, FrameHeader, JpegHeader};
use crate::codec::jpeg::quant::QuantTable;
use crate::limits::Limits;

/// All quantised DCT coefficients of a picture. Takes about 138 bytes a block, in the memory of the scratch.
#[derive(Debug)]
pub struct DecodedCoefficients<'a> {
    frame: FrameHeader,
    quant: Vec<QuantTable>,
    idcts: Vec<ScaledIdctLayout>,
    stored: Stored<'a>,
    flaws: Flaws,
}

impl<'a> DecodedCoefficients<'a> {
    /// Decodes all scans of `input`, whose header is `header`.
    ///
    /// # Errors
    /// As [`super::Decoder::new`] and [`super::Decoder::next_mcu_row`].
    pub fn decode(
        input: &'a [u8],
        header: &JpegHeader<'a>,
        limits: &Limits,
        scratch: &'a mut DecodeScratch,
    ) -> Result<DecodedCoefficients<'a>, JpegError> {
        let frame = header.frame;
        let script = Script::read(input, header, limits)?;
        let quant = script.quant_tables(&frame)?;
        let idcts: Vec<_> = quant.iter().map(|quant| ScaledIdctLayout::new(Scale::FULL, quant)).collect();
        let mut stored = Stored::new(input, &frame, &idcts, scratch)?;
        let flaws = stored.decode_scans(&script, &idcts, &limits.cancel)?;
        Ok(DecodedCoefficients { frame, quant, idcts, stored, flaws })
    }

    /// Bytes taken by the coefficients of a picture.
    pub fn estimate(frame: &FrameHeader) -> u64 {
        let mcus = (plane::mcu_columns(frame) * plane::mcu_rows(frame)) as u64;
        let blocks = |component: &FrameComponent| mcus * u64::from(component.h) * u64::from(component.v);
        frame.components().iter().map(blocks).sum::<u64>() * (2 + 8 + 128)
    }

    /// Size and components of the picture.
    pub fn frame(&self) -> &FrameHeader {
        &self.frame
    }

    /// Quantisation table of each component.
    pub fn quant_tables(&self) -> &[QuantTable] {
        &self.quant
    }

    /// Flaws found in the data.
    pub fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Columns and rows of blocks of component `index`, including the padding blocks of partial MCUs.
    ///
    /// # Panics
    /// If the component does not exist.
    pub fn blocks(&self, index: usize) -> (usize, usize) {
        let component = &self.frame.components()[index];
        (self.stored.store(index).columns, plane::mcu_rows(&self.frame) * usize::from(component.v))
    }

    /// Returns the quantised coefficients of a block of component `index`, in natural (row-major) order.
    ///
    /// # Panics
    /// If the component, column or row does not exist.
    pub fn block(&self, index: usize, column: usize, row: usize) -> [i16; 64] {
        let (columns, rows) = self.blocks(index);
        assert!(column < columns && row < rows, "a block of the component");
        let mut block = CoefficientBlock::ZERO;
        let (store, at) = (self.stored.store(index), row * columns + column);
        store.load(at, &self.idcts[index], &mut block);
        block.0[0] = store.dc[at];
        std::array::from_fn(|i| block.0[i])
    }
}
