//! Memory that encoding takes.

use super::coefficients::Coefficients;
use super::frame::FrameLayout;
use super::options::Coding;
use super::sequential;
use crate::codec::jpeg::planes::{Planes, Sampling};

/// Upper bound of the bytes held to encode a picture, the planes and the file included.
pub fn estimate(width: usize, height: usize, sampling: Sampling, coding: Coding) -> u64 {
    let frame =
        FrameLayout::of(width.min(Planes::MAX_SIDE) as u16, height.min(Planes::MAX_SIDE) as u16, sampling);
    let samples: usize = (0..sampling.planes())
        .map(|index| sampling.plane_size(index, width, height))
        .map(|(width, height)| width.next_multiple_of(16) * height.next_multiple_of(16))
        .sum();
    let waiting = match coding {
        Coding::Fixed => 0,
        Coding::Optimised => sequential::most_waiting(samples),
        Coding::Progressive | Coding::Smallest => Coefficients::estimate(&frame) + 2 * samples as u64,
    };
    2 * samples as u64 + waiting + (1 << 20)
}

/// Upper bound of the bytes held by [`Encoder::encode_coefficients`](super::Encoder::encode_coefficients),
/// the coefficients included but not the file.
pub fn estimate_coefficients(frame: &FrameLayout, coding: Coding) -> u64 {
    let blocks = (0..frame.components().len()).map(|index| frame.padded_blocks(index));
    let samples = blocks.map(|(across, down)| across * down * 64).sum();
    let waiting = match coding {
        Coding::Fixed => 0,
        Coding::Optimised => sequential::most_waiting(samples),
        Coding::Progressive | Coding::Smallest => sequential::most_waiting(samples).max(2 * samples as u64),
    };
    Coefficients::estimate(frame) + waiting + (1 << 20)
}
