//! `EncodeOptions`: form of a JPEG file, its quality, and its application segments.

use super::segments::Segments;
use crate::spec::{Effort, Quality, Spec};

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

impl Coding {
    /// What `spec` asks for.
    pub fn of(spec: &Spec) -> Coding {
        match (spec.effort, spec.progressive) {
            (Effort::Smallest, _) => Coding::Smallest,
            (Effort::Balanced | Effort::Fast, true) => Coding::Progressive,
            (Effort::Balanced, false) => Coding::Optimised,
            (Effort::Fast, false) => Coding::Fixed,
        }
    }
}

/// Options of one file.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Scale of the quantisation tables.
    pub quality: Quality,
    /// Form of the file.
    pub coding: Coding,
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: u16,
    /// Application segments.
    pub segments: Segments<'a>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            quality: Quality::DEFAULT,
            coding: Coding::Optimised,
            restart_interval: 0,
            segments: Segments::default(),
        }
    }
}
