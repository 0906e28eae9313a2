//! `EncodeOptions`: form of a JPEG file, its quality, and its application segments.

use super::segments::AppSegments;
use crate::limits::Cancel;

/// Form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// One scan with the Huffman tables of Annex K: the fastest.
    Fixed,
    /// One scan with Huffman tables optimised for the picture: 1 to 20 % smaller.
    Optimised,
    /// Several scans that show a coarse picture early, each with optimised tables: a few per cent smaller
    /// still.
    Progressive,
    /// Perceptual quantisation tables, rate-distortion optimised coefficients, and the smallest of many scan
    /// scripts or of one scan. A tenth smaller than [`Coding::Optimised`] at equal SSIMULACRA2, and fifty
    /// times slower.
    Smallest,
}

/// Quality of a file, 1 to 100, on the scale of the Independent JPEG Group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JpegQuality(u8);

impl JpegQuality {
    /// Quality 85.
    pub const DEFAULT: JpegQuality = JpegQuality(85);

    /// Makes a quality; `None` outside of 1 to 100.
    pub const fn new(quality: u8) -> Option<JpegQuality> {
        if matches!(quality, 1..=100) { Some(JpegQuality(quality)) } else { None }
    }

    /// The number, 1 to 100.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Options of one file.
#[derive(Debug, Clone, Copy)]
pub struct EncodeOptions<'a> {
    /// Scale of the quantisation tables.
    pub quality: JpegQuality,
    /// Form of the file.
    pub coding: Coding,
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: u16,
    /// Application segments.
    pub segments: AppSegments<'a>,
    /// Ends the work early; `None` for never.
    pub cancel: Option<&'a Cancel>,
}

impl Default for EncodeOptions<'_> {
    fn default() -> Self {
        EncodeOptions {
            quality: JpegQuality::DEFAULT,
            coding: Coding::Optimised,
            restart_interval: 0,
            segments: AppSegments::default(),
            cancel: None,
        }
    }
}
