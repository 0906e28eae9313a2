//! Prediction modes of macroblocks: the trees of RFC 6386 sections 8 and 11.

use super::bool_decoder::BoolDecoder;
use super::tables::SUBBLOCK_MODES;

/// How a 16x16 luma or an 8x8 chroma block is predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum BlockMode {
    #[default]
    Dc,
    Vertical,
    Horizontal,
    /// TrueMotion: left plus above minus the corner.
    TrueMotion,
}

/// How a 4x4 block is predicted. The discriminants index [`SUBBLOCK_MODES`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum SubblockMode {
    #[default]
    Dc,
    TrueMotion,
    Vertical,
    Horizontal,
    DownLeft,
    DownRight,
    VerticalRight,
    VerticalLeft,
    HorizontalDown,
    HorizontalUp,
}

/// How the luma of a macroblock is predicted.
#[derive(Debug, Clone, Copy)]
pub(super) enum LumaMode {
    Whole(BlockMode),
    Subblocks([SubblockMode; 16]),
}

/// What the first partition says about a macroblock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modes {
    pub(super) segment: u8,
    /// No coefficients are coded.
    pub(super) is_skipped: bool,
    pub(super) luma: LumaMode,
    pub(super) chroma: BlockMode,
}

impl Default for Modes {
    fn default() -> Self {
        Modes { segment: 0, is_skipped: false, luma: LumaMode::Whole(BlockMode::Dc), chroma: BlockMode::Dc }
    }
}

/// Decodes the modes of one macroblock. `above` and `left` are the 4x4 modes beside it and become its own.
#[inline(always)]
pub(super) fn read(
    decoder: &mut BoolDecoder<'_>,
    segment_tree: Option<[u8; 3]>,
    skip: Option<u8>,
    above: &mut [SubblockMode; 4],
    left: &mut [SubblockMode; 4],
) -> Modes {
    let segment = segment_tree.map_or(0, |[first, low, high]| {
        if decoder.bit(first) { 2 + u8::from(decoder.bit(high)) } else { u8::from(decoder.bit(low)) }
    });
    let is_skipped = skip.is_some_and(|probability| decoder.bit(probability));
    let luma = if decoder.bit(145) {
        let mode = if decoder.bit(156) {
            if decoder.flag() { BlockMode::TrueMotion } else { BlockMode::Horizontal }
        } else if decoder.bit(163) {
            BlockMode::Vertical
        } else {
            BlockMode::Dc
        };
        let implied = match mode {
            BlockMode::Dc => SubblockMode::Dc,
            BlockMode::Vertical => SubblockMode::Vertical,
            BlockMode::Horizontal => SubblockMode::Horizontal,
            BlockMode::TrueMotion => SubblockMode::TrueMotion,
        };
        (*above, *left) = ([implied; 4], [implied; 4]);
        LumaMode::Whole(mode)
    } else {
        let mut modes = [SubblockMode::Dc; 16];
        for (row, left) in modes.as_chunks_mut::<4>().0.iter_mut().zip(left) {
            for (mode, above) in row.iter_mut().zip(above.iter_mut()) {
                *mode = subblock(decoder, *above, *left);
                (*above, *left) = (*mode, *mode);
            }
        }
        LumaMode::Subblocks(modes)
    };
    let chroma = if !decoder.bit(142) {
        BlockMode::Dc
    } else if !decoder.bit(114) {
        BlockMode::Vertical
    } else if decoder.bit(183) {
        BlockMode::TrueMotion
    } else {
        BlockMode::Horizontal
    };
    Modes { segment, is_skipped, luma, chroma }
}

#[inline(always)]
fn subblock(decoder: &mut BoolDecoder<'_>, above: SubblockMode, left: SubblockMode) -> SubblockMode {
    use SubblockMode::*;
    let p = &SUBBLOCK_MODES[above as usize][left as usize];
    if !decoder.bit(p[0]) {
        Dc
    } else if !decoder.bit(p[1]) {
        TrueMotion
    } else if !decoder.bit(p[2]) {
        Vertical
    } else if !decoder.bit(p[3]) {
        if !decoder.bit(p[4]) {
            Horizontal
        } else if !decoder.bit(p[5]) {
            DownRight
        } else {
            VerticalRight
        }
    } else if !decoder.bit(p[6]) {
        DownLeft
    } else if !decoder.bit(p[7]) {
        VerticalLeft
    } else if !decoder.bit(p[8]) {
        HorizontalDown
    } else {
        HorizontalUp
    }
}
