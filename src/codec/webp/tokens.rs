//! Coefficients of a 4x4 block: the token tree of RFC 6386 section 13.

use super::bool_decoder::{BoolDecoder, Source, State};
use super::tables::{BANDS, CoefficientProbabilities, EXTRA_BITS, ZIGZAG};

/// Coefficients of a block, dequantised, in raster order.
pub(super) type Block = [i16; 16];

/// Probabilities of one block type by position and context, padded to powers of two.
pub(super) type TypeProbabilities = [[[u8; 16]; 4]; 17];

/// Lays the probabilities of each band out by position, so that the hot loop needs no look-up of the band.
pub(super) fn by_position(probabilities: &CoefficientProbabilities) -> Box<[TypeProbabilities; 4]> {
    let mut all = Box::new([[[[0; 16]; 4]; 17]; 4]);
    for (by_position, by_band) in all.iter_mut().zip(probabilities) {
        for (contexts, band) in by_position.iter_mut().zip(BANDS) {
            for (branches, source) in contexts.iter_mut().zip(&by_band[band]) {
                branches[..11].copy_from_slice(source);
            }
        }
    }
    all
}

/// Decodes the coefficients of a block from position `first` on into `block`, which must be zero. `steps` are the quantiser
/// steps of DC and AC. Returns the position behind the last coefficient; `first` for a block without any.
#[inline(always)]
pub(super) fn read(
    decoder: &mut BoolDecoder<'_>,
    probabilities: &TypeProbabilities,
    context: usize,
    steps: [i32; 2],
    first: usize,
    block: &mut Block,
) -> usize {
    let (mut state, source) = decoder.parts();
    let mut position = first;
    let mut branches = &probabilities[position][context & 3];
    let end = 'block: loop {
        state.ensure(28, source);
        if !state.bit(branches[0]) {
            break position;
        }
        while !state.bit(branches[1]) {
            position += 1;
            if position == 16 {
                break 'block 16;
            }
            branches = &probabilities[position & 15][0];
            state.ensure(21, source);
        }
        let (magnitude, context) = if !state.bit(branches[2]) {
            (1, 1)
        } else {
            let magnitude = large(&mut state, source, branches);
            state.ensure(7, source);
            (magnitude, 2)
        };
        let value = state.signed(magnitude);
        block[usize::from(ZIGZAG[position & 15] & 15)] = (value * steps[usize::from(position > 0)]) as i16;
        position += 1;
        if position == 16 {
            break 16;
        }
        branches = &probabilities[position & 15][context];
    };
    decoder.restore(state);
    end
}

/// Decodes a magnitude of two or more.
#[inline(always)]
fn large(state: &mut State, source: &mut Source<'_>, branches: &[u8; 16]) -> i32 {
    let mut local = *state;
    local.ensure(35, source);
    let value = if !local.bit(branches[3]) {
        if !local.bit(branches[4]) { 2 } else { 3 + i32::from(local.bit(branches[5])) }
    } else if !local.bit(branches[6]) {
        if !local.bit(branches[7]) {
            5 + i32::from(local.bit(159))
        } else {
            let high = 2 * i32::from(local.bit(165));
            7 + high + i32::from(local.bit(145))
        }
    } else {
        let high = usize::from(local.bit(branches[8]));
        let category = 2 * high + usize::from(local.bit(branches[9 + high]));
        let mut extra = 0;
        for &probability in EXTRA_BITS[category].iter().take_while(|probability| **probability > 0) {
            local.ensure(7, source);
            extra = 2 * extra + i32::from(local.bit(probability));
        }
        extra + 3 + (8 << category)
    };
    *state = local;
    value
}
