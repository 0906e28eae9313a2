//! Lossless transcoding: moves blocks of coefficients from one JPEG file to another and makes no sample.
//!
//! ```text
//! file -> coefficients -> pick components, crop, turn (all in whole MCUs) -> encode -> file
//! ```
//! Does, and refuses, the same as `jpegtran -perfect`.

use super::decode;
use super::encode::{self, ColourMark, Component, Encoder, FrameLayout};
use super::error::JpegError;
use super::header::{ColorModel, FrameHeader, JpegHeader};
use super::pipeline::{JpegOutput, JpegTimes};
use super::quant::QuantTable;
use crate::limits::Limits;
use crate::pixels::{Geometry, Orientation, Region, Size};
use std::time::Instant;

/// Components to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All.
    All,
    /// Luma only: a grey picture.
    Luma,
}

/// Moves blocks of coefficients of one file to their places in another.
#[derive(Debug, Clone, PartialEq)]
pub struct Rearrangement {
    orientation: Orientation,
    /// First MCU that is kept, across and down.
    origin: (usize, usize),
    /// The layout of the result.
    frame: FrameLayout,
}

impl Rearrangement {
    /// Plans the move of whole blocks for the given geometry. Returns `None` if blocks cannot express it: a
    /// resample, padding, a crop that begins within an MCU, a turn or mirror that moves the partial MCUs of
    /// an edge to the front, or a colour model that JPEG results do not have.
    pub fn of(header: &JpegHeader<'_>, geometry: &Geometry, keep: Keep) -> Option<Rearrangement> {
        let source = &header.frame;
        let Geometry { orientation, region, width, height, canvas } = *geometry;
        let same_size =
            canvas.is_none() && region.width == f64::from(width) && region.height == f64::from(height);
        let familiar = matches!(header.color_model(), ColorModel::Grey | ColorModel::YCbCr);
        if !same_size || !familiar {
            return None;
        }
        let stored = Size { width: source.width.into(), height: source.height.into() };
        let Region { x, y, width, height } = orientation.stored_region(region, orientation.turned(stored));
        let (unit_x, unit_y) = mcu(source, keep)?;
        let (mirror_x, mirror_y) = if orientation.transpose {
            (orientation.mirror_y, orientation.mirror_x)
        } else {
            (orientation.mirror_x, orientation.mirror_y)
        };
        let origin = (origin(x, width, unit_x, mirror_x)?, origin(y, height, unit_y, mirror_y)?);
        let size = orientation.turned(Size { width: width as u32, height: height as u32 });
        let frame = frame(source, size, orientation, keep)?;
        Some(Rearrangement { orientation, origin, frame })
    }

    /// Upper bound of the bytes held by [`Rearrangement::run`] besides the input.
    pub fn estimate(&self, input: &[u8], header: &JpegHeader<'_>, coding: encode::Coding) -> u64 {
        decode::DecodedCoefficients::estimate(&header.frame)
            + encode::estimate_coefficients(&self.frame, coding)
            + 2 * input.len() as u64
    }

    /// Writes the file with the rearranged blocks of `input`, whose header is `header`. Ignores the quality
    /// of `options`. Returns `None` if a coefficient exceeds the range of an 8-bit file.
    ///
    /// # Errors
    /// As [`decode::DecodedCoefficients::decode`].
    pub fn run(
        &self,
        input: &[u8],
        header: &JpegHeader<'_>,
        options: &encode::EncodeOptions<'_>,
        limits: &Limits,
        (memory, encoder): (&mut decode::DecodeScratch, &mut Encoder),
    ) -> Result<Option<JpegOutput<Vec<u8>>>, JpegError> {
        let started = Instant::now();
        let source = decode::DecodedCoefficients::decode(input, header, limits, memory)?;
        let Some(result) = self.rearranged(&source, limits)? else { return Ok(None) };
        let (flaws, decoded) = (source.flaws(), Instant::now());
        let value = encoder.encode_coefficients(&result, options)?;
        let times =
            JpegTimes { decode: decoded - started, encode: decoded.elapsed(), ..JpegTimes::default() };
        Ok(Some(JpegOutput { value, flaws, times }))
    }

    fn rearranged(
        &self,
        source: &decode::DecodedCoefficients<'_>,
        limits: &Limits,
    ) -> Result<Option<encode::Coefficients>, JpegError> {
        let Orientation { transpose, mirror_x, mirror_y } = self.orientation;
        let Some((frame, tables)) = self.quantised(source.quant_tables()) else { return Ok(None) };
        let mut result = encode::Coefficients::new(frame, tables)?;
        for index in 0..self.frame.components().len() {
            let (columns, rows) = self.frame.padded_blocks(index);
            let (h, v) = match self.frame.components() {
                [_] => (1, 1),
                _ => {
                    let component = &source.frame().components()[index];
                    (component.h.into(), component.v.into())
                }
            };
            let (first_column, first_row) = (self.origin.0 * h, self.origin.1 * v);
            for row in 0..rows {
                limits.cancel.check()?;
                for column in 0..columns {
                    let x = if mirror_x { columns - 1 - column } else { column };
                    let y = if mirror_y { rows - 1 - row } else { row };
                    let (x, y) = if transpose { (y, x) } else { (x, y) };
                    let block = source.block(index, first_column + x, first_row + y);
                    let turned = turned(&block, self.orientation);
                    if result.set(index, column, row, &turned).is_err() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(result))
    }

    /// Returns the layout with the turned quantisation tables of the source components, each table once.
    fn quantised(&self, of_components: &[QuantTable]) -> Option<(FrameLayout, Vec<QuantTable>)> {
        let mut tables: Vec<QuantTable> = Vec::new();
        let components = self.frame.components().iter().zip(of_components).map(|(component, table)| {
            let place = |i| if self.orientation.transpose { i % 8 * 8 + i / 8 } else { i };
            let table = QuantTable(std::array::from_fn(|i| table.0[place(i)]));
            let known = tables.iter().position(|known| *known == table);
            let slot = known.unwrap_or(tables.len());
            if known.is_none() {
                tables.push(table);
            }
            Component { quantisation: slot as u8, ..*component }
        });
        let components = components.collect();
        let (width, height) = self.frame.size();
        Some((FrameLayout::new(width, height, components, ColourMark::Jfif)?, tables))
    }
}

/// Returns the pixels of an MCU of the kept components, across and down. `None` if luma is coarser than
/// chroma.
fn mcu(source: &FrameHeader, keep: Keep) -> Option<(u32, u32)> {
    let (h, v) = (source.h_max(), source.v_max());
    match (keep, source.components()) {
        (Keep::Luma, [luma, ..]) => ((luma.h, luma.v) == (h, v)).then_some((8, 8)),
        (Keep::All, _) | (Keep::Luma, []) => Some((8 * u32::from(h), 8 * u32::from(v))),
    }
}

/// Returns the first MCU of a span of stored pixels. The span must begin with a whole MCU, and end with one
/// if it is mirrored.
fn origin(start: f64, len: f64, unit: u32, mirrored: bool) -> Option<usize> {
    let whole = |pixels: f64| pixels % f64::from(unit) == 0.0;
    (whole(start) && len.fract() == 0.0 && (!mirrored || whole(start + len)))
        .then_some((start / f64::from(unit)) as usize)
}

fn frame(source: &FrameHeader, size: Size, orientation: Orientation, keep: Keep) -> Option<FrameLayout> {
    let (width, height) = (u16::try_from(size.width).ok()?, u16::try_from(size.height).ok()?);
    let kept = if keep == Keep::Luma { 1 } else { source.components().len() };
    let components = (0_u8..).zip(&source.components()[..kept]).map(|(index, component)| {
        let (h, v) = (component.h, component.v);
        let (h, v) = if orientation.transpose { (v, h) } else { (h, v) };
        let (h, v) = if kept == 1 { (1, 1) } else { (h, v) };
        Component { id: index + 1, h, v, quantisation: index, huffman: index.min(1) }
    });
    FrameLayout::new(width, height, components.collect(), ColourMark::Jfif)
}

/// Turns the coefficients of a block. A mirror changes the sign of the odd frequencies.
fn turned(block: &[i16; 64], orientation: Orientation) -> [i16; 64] {
    std::array::from_fn(|i| {
        let (u, v) = (i % 8, i / 8);
        let value = block[if orientation.transpose { u * 8 + v } else { i }];
        let negative = (orientation.mirror_x && u % 2 == 1) != (orientation.mirror_y && v % 2 == 1);
        if negative { value.wrapping_neg() } else { value }
    })
}

#[cfg(test)]
mod tests;
