//! `Options`: what kind of JPEG file to write, at which quality, and what goes along.

use super::segments::Segments;
use crate::spec::{Effort, Quality, Spec};

/// What kind of file to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// One scan, the Huffman tables of Annex K: the fastest.
    Fixed,
    /// One scan, Huffman tables made for the picture: 1 to 20 % smaller.
    Optimised,
    /// Several scans that show a coarse picture early, each with its own tables: a few per cent smaller still.
    Progressive,
    /// Steps that suit the eye, coefficients chosen by what they cost, and the smallest of many scripts of scans
    /// or of one scan: a tenth smaller than [`Coding::Optimised`] at equal SSIMULACRA2, and fifty times slower.
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

/// How to encode.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Scales the quantisation tables.
    pub quality: Quality,
    /// What kind of file to write.
    pub coding: Coding,
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: u16,
    /// What goes along.
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
