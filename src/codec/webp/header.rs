//! The frame header of a key frame: size, segments, loop filter, quantisers, partitions, probabilities (RFC 6386 section 9).

use super::bool_decoder::BoolDecoder;
use super::tables::{
    AC_STEPS, CoefficientProbabilities, DC_STEPS, DEFAULT_PROBABILITIES, UPDATE_PROBABILITIES,
};
use super::{Vp8Error, tokens};

/// Most partitions of coefficients.
const MAX_PARTITIONS: usize = 8;

/// The tag, the start code and the size.
const FIXED_LEN: usize = 10;

/// Width and height in pixels, each 1 to 16,383.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSize {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Reads the size of a key frame from the start of a `VP8 ` chunk.
///
/// # Errors
/// [`Vp8Error::Damaged`] when it is no key frame, [`Vp8Error::Truncated`] when it is too short.
pub fn frame_size(data: &[u8]) -> Result<FrameSize, Vp8Error> {
    let fixed: &[u8; FIXED_LEN] = data.first_chunk().ok_or(Vp8Error::Truncated)?;
    let [tag, _, _, start @ ..] = *fixed;
    let [s0, s1, s2, w0, w1, h0, h1] = start;
    let (is_key, version, is_shown) = (tag & 1 == 0, tag >> 1 & 7, tag >> 4 & 1 == 1);
    if !is_key || version > 3 || !is_shown {
        return Err(Vp8Error::Damaged("the VP8 data is no visible key frame"));
    }
    if [s0, s1, s2] != [0x9D, 0x01, 0x2A] {
        return Err(Vp8Error::Damaged("the start code of the VP8 frame is missing"));
    }
    // The upper two bits are a scale for the display, which WebP ignores.
    let side = |low, high| usize::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    match (side(w0, w1), side(h0, h1)) {
        (0, _) | (_, 0) => Err(Vp8Error::Damaged("the VP8 frame is empty")),
        (width, height) => Ok(FrameSize { width, height }),
    }
}

/// Quantiser steps of DC and AC, by kind of block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Steps {
    pub(super) luma: [i32; 2],
    /// Of the block that holds the DC coefficients of a macroblock's luma.
    pub(super) luma_dc: [i32; 2],
    pub(super) chroma: [i32; 2],
}

/// Strength of the loop filter in a macroblock (section 15.1). A `limit` of zero leaves the macroblock alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FilterStrength {
    pub(super) limit: u8,
    pub(super) interior: u8,
    pub(super) high_variance: u8,
}

/// The two loop filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterKind {
    Off,
    /// Luma only, two samples on each edge.
    Simple,
    Normal,
}

/// What a segment of macroblocks has in common.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Segment {
    pub(super) steps: Steps,
    /// By whether the macroblock is predicted in 4x4 blocks.
    pub(super) filter: [FilterStrength; 2],
}

/// A parsed header with the decoders of its partitions.
#[derive(Debug, Clone)]
pub(super) struct Header<'a> {
    pub(super) size: FrameSize,
    pub(super) filter: FilterKind,
    pub(super) segments: [Segment; 4],
    /// Probabilities of the segment tree; `None` when all macroblocks are of segment 0.
    pub(super) segment_tree: Option<[u8; 3]>,
    /// Probability that a macroblock has coefficients; `None` when that is not coded.
    pub(super) skip: Option<u8>,
    pub(super) probabilities: Box<[tokens::TypeProbabilities; 4]>,
    /// The rest of the first partition: the prediction modes.
    pub(super) modes: BoolDecoder<'a>,
    /// Coefficients, row by row of macroblocks in turn. A power of two of them.
    pub(super) partitions: Vec<BoolDecoder<'a>>,
}

/// Per-segment values as coded.
#[derive(Default)]
struct Segmentation {
    is_enabled: bool,
    is_absolute: bool,
    quantiser: [i32; 4],
    filter_level: [i32; 4],
    tree: Option<[u8; 3]>,
}

impl Segmentation {
    /// The value of segment `index`, where `base` is that of the frame.
    fn value(&self, coded: &[i32; 4], index: usize, base: i32) -> i32 {
        match (self.is_enabled, self.is_absolute) {
            (false, _) => base,
            (true, true) => coded[index],
            (true, false) => base + coded[index],
        }
    }
}

/// Loop filter values as coded.
struct Filtering {
    level: i32,
    sharpness: i32,
    /// Added for key frames, and for macroblocks of 4x4 prediction.
    deltas: Option<[i32; 2]>,
}

impl<'a> Header<'a> {
    /// Parses the header in `data`, the payload of a `VP8 ` chunk.
    ///
    /// # Errors
    /// As [`frame_size`].
    pub(super) fn parse(data: &'a [u8]) -> Result<Header<'a>, Vp8Error> {
        let size = frame_size(data)?;
        let first_len = (usize::from(data[0]) | usize::from(data[1]) << 8 | usize::from(data[2]) << 16) >> 5;
        let (first, rest) = data[FIXED_LEN..].split_at_checked(first_len).ok_or(Vp8Error::Truncated)?;
        let mut decoder = BoolDecoder::new(first);
        decoder.literal(2); // colour space and clamping, which WebP fixes
        let segmentation = read_segmentation(&mut decoder);
        let is_simple = decoder.flag();
        let filtering = read_filtering(&mut decoder);
        let partitions = read_partitions(1 << decoder.literal(2), rest)?;
        let steps = read_steps(&mut decoder, &segmentation);
        decoder.flag(); // whether the probabilities outlive the frame
        let probabilities = read_probabilities(&mut decoder);
        let skip = decoder.flag().then(|| decoder.literal(8) as u8);
        let mut segments = [Segment::default(); 4];
        for (index, segment) in segments.iter_mut().enumerate() {
            let level = segmentation.value(&segmentation.filter_level, index, filtering.level);
            segment.steps = steps[index];
            segment.filter = [false, true].map(|is_4x4| filtering.strength(level, is_4x4));
        }
        Ok(Header {
            size,
            filter: match (filtering.level, is_simple) {
                (0, _) => FilterKind::Off,
                (_, true) => FilterKind::Simple,
                (_, false) => FilterKind::Normal,
            },
            segments,
            segment_tree: segmentation.tree,
            skip,
            probabilities: tokens::by_position(&probabilities),
            modes: decoder,
            partitions,
        })
    }
}

/// Section 9.3.
fn read_segmentation(decoder: &mut BoolDecoder<'_>) -> Segmentation {
    let mut segmentation = Segmentation { is_enabled: decoder.flag(), ..Segmentation::default() };
    if !segmentation.is_enabled {
        return segmentation;
    }
    let has_map = decoder.flag();
    if decoder.flag() {
        segmentation.is_absolute = decoder.flag();
        segmentation.quantiser = std::array::from_fn(|_| decoder.optional_signed(7).unwrap_or(0));
        segmentation.filter_level = std::array::from_fn(|_| decoder.optional_signed(6).unwrap_or(0));
    }
    if has_map {
        let probability = |_| if decoder.flag() { decoder.literal(8) as u8 } else { 255 };
        segmentation.tree = Some(std::array::from_fn(probability));
    }
    segmentation
}

/// Sections 9.3 and 9.6.
fn read_filtering(decoder: &mut BoolDecoder<'_>) -> Filtering {
    let (level, sharpness) = (decoder.literal(6) as i32, decoder.literal(3) as i32);
    let has_deltas = decoder.flag();
    let mut deltas = [0; 8];
    if has_deltas && decoder.flag() {
        deltas = std::array::from_fn(|_| decoder.optional_signed(6).unwrap_or(0));
    }
    // Four for the reference frames, of which a key frame is the first, then four for modes, of which 4x4 is the first.
    Filtering { level, sharpness, deltas: has_deltas.then_some([deltas[0], deltas[4]]) }
}

impl Filtering {
    /// The strength at a level of 0 to 63 (section 15.1), as libwebp computes it.
    fn strength(&self, level: i32, is_4x4: bool) -> FilterStrength {
        let delta = match self.deltas {
            Some([frame, mode]) => frame + if is_4x4 { mode } else { 0 },
            None => 0,
        };
        let level = (level + delta).clamp(0, 63);
        if level == 0 {
            return FilterStrength::default();
        }
        let mut interior = level;
        if self.sharpness > 0 {
            interior >>= if self.sharpness > 4 { 2 } else { 1 };
            interior = interior.min(9 - self.sharpness);
        }
        let interior = interior.max(1);
        FilterStrength {
            limit: (2 * level + interior) as u8,
            interior: interior as u8,
            high_variance: match level {
                ..15 => 0,
                15..40 => 1,
                _ => 2,
            },
        }
    }
}

/// Section 9.5. A last partition that is cut short is taken as far as it goes.
fn read_partitions(count: usize, rest: &[u8]) -> Result<Vec<BoolDecoder<'_>>, Vp8Error> {
    debug_assert!(count <= MAX_PARTITIONS);
    let (lengths, mut rest) = rest.split_at_checked(3 * (count - 1)).ok_or(Vp8Error::Truncated)?;
    let mut partitions = Vec::with_capacity(count);
    for length in lengths.as_chunks::<3>().0 {
        let length = usize::from(length[0]) | usize::from(length[1]) << 8 | usize::from(length[2]) << 16;
        let (partition, behind) = rest.split_at(length.min(rest.len()));
        partitions.push(BoolDecoder::new(partition));
        rest = behind;
    }
    if rest.is_empty() {
        return Err(Vp8Error::Truncated);
    }
    partitions.push(BoolDecoder::new(rest));
    Ok(partitions)
}

/// Sections 9.6 and 14.1: the steps of each segment.
fn read_steps(decoder: &mut BoolDecoder<'_>, segmentation: &Segmentation) -> [Steps; 4] {
    let base = decoder.literal(7) as i32;
    let mut delta = || decoder.optional_signed(4).unwrap_or(0);
    let (luma_dc, second_dc, second_ac, chroma_dc, chroma_ac) = (delta(), delta(), delta(), delta(), delta());
    let step = |table: &[i16; 128], index: i32| i32::from(table[index.clamp(0, 127) as usize]);
    std::array::from_fn(|segment| {
        let index = segmentation.value(&segmentation.quantiser, segment, base);
        Steps {
            luma: [step(&DC_STEPS, index + luma_dc), step(&AC_STEPS, index)],
            luma_dc: [
                2 * step(&DC_STEPS, index + second_dc),
                (step(&AC_STEPS, index + second_ac) * 155 / 100).max(8),
            ],
            chroma: [step(&DC_STEPS, index + chroma_dc).min(132), step(&AC_STEPS, index + chroma_ac)],
        }
    })
}

/// Section 13.4.
fn read_probabilities(decoder: &mut BoolDecoder<'_>) -> CoefficientProbabilities {
    let mut probabilities = DEFAULT_PROBABILITIES;
    let updates = UPDATE_PROBABILITIES.as_flattened().as_flattened().as_flattened();
    let all = probabilities.as_flattened_mut().as_flattened_mut().as_flattened_mut();
    for (probability, &update) in all.iter_mut().zip(updates) {
        if decoder.bit(update) {
            *probability = decoder.literal(8) as u8;
        }
    }
    probabilities
}
