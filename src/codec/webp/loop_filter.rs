//! The loop filters (RFC 6386 section 15), eight positions of an edge at once.
//!
//! The filter of a key frame is a post-process: prediction uses samples from before it, so a picture that is made much smaller
//! can do without.

#[cfg(target_arch = "x86_64")]
mod sse2;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use scalar::{normal, simple};
#[cfg(target_arch = "x86_64")]
pub(super) use sse2::{normal, simple};

/// Kind of an edge, which decides the samples that the normal filter changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EdgeKind {
    /// Between macroblocks.
    Macroblock,
    /// Between the 4x4 blocks of one macroblock.
    Subblock,
}

/// Place of eight positions of an edge. The first sample behind the edge is at `at`; `across` is the distance of samples
/// across the edge, `along` that of positions along it. One of the two is 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct EdgePosition {
    pub(super) at: usize,
    pub(super) across: usize,
    pub(super) along: usize,
}

impl EdgePosition {
    /// The first and the second eight positions of an edge of sixteen.
    #[inline(always)]
    pub(super) fn halves(self) -> [EdgePosition; 2] {
        [self, EdgePosition { at: self.at + 8 * self.along, ..self }]
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod scalar {
    use super::{EdgeKind, EdgePosition};
    use crate::codec::webp::header::FilterStrength;

    /// One sample of each position.
    type Lane = [i16; 8];

    /// Samples across an edge: four before it and four behind it.
    type Edge = [Lane; 8];

    fn load(plane: &[u8], edge: EdgePosition) -> Edge {
        let first = edge.at - 4 * edge.across;
        let mut samples = [[0; 8]; 8];
        if edge.along == 1 {
            for (i, lane) in samples.iter_mut().enumerate() {
                let row: &[u8; 8] = plane[first + i * edge.across..].first_chunk().unwrap_or(&[0; 8]);
                *lane = row.map(i16::from);
            }
        } else {
            for position in 0..8 {
                let row: [u8; 8] =
                    plane[first + position * edge.along..].first_chunk().copied().unwrap_or_default();
                for (lane, sample) in samples.iter_mut().zip(row) {
                    lane[position] = i16::from(sample);
                }
            }
        }
        samples
    }

    fn store(plane: &mut [u8], edge: EdgePosition, samples: &Edge) {
        let first = edge.at - 4 * edge.across;
        if edge.along == 1 {
            for (i, lane) in samples.iter().enumerate().take(7).skip(1) {
                for (target, sample) in plane[first + i * edge.across..][..8].iter_mut().zip(lane) {
                    *target = *sample as u8;
                }
            }
        } else {
            for position in 0..8 {
                let row: [u8; 8] = std::array::from_fn(|i| samples[i][position] as u8);
                plane[first + position * edge.along..][..8].copy_from_slice(&row);
            }
        }
    }

    /// Applies `f` to each position.
    fn map(a: &Lane, f: impl Fn(i16) -> i16) -> Lane {
        std::array::from_fn(|i| f(a[i]))
    }

    /// Applies `f` to each position of two lanes.
    fn zip(a: &Lane, b: &Lane, f: impl Fn(i16, i16) -> i16) -> Lane {
        std::array::from_fn(|i| f(a[i], b[i]))
    }

    /// Takes `a` where the mask is -1 and `b` where it is 0.
    fn select(mask: &Lane, a: &Lane, b: &Lane) -> Lane {
        std::array::from_fn(|i| (a[i] & mask[i]) | (b[i] & !mask[i]))
    }

    fn distance(a: &Lane, b: &Lane) -> Lane {
        zip(a, b, |a, b| (a - b).abs())
    }

    /// The mask of the positions whose values are at most `most`.
    fn at_most(a: &Lane, most: i16) -> Lane {
        map(a, |a| -i16::from(a <= most))
    }

    /// Adds a change to samples.
    fn changed(samples: &Lane, change: &Lane) -> Lane {
        zip(samples, change, |sample, change| (sample + change).clamp(0, 255))
    }

    fn negated(a: &Lane) -> Lane {
        map(a, |a| -a)
    }

    /// The changes of the samples before and behind the edge for a step of `a`, which is in eighths.
    fn halves(a: &Lane) -> (Lane, Lane) {
        (map(a, |a| ((a + 3) >> 3).clamp(-16, 15)), map(a, |a| -((a + 4) >> 3).clamp(-16, 15)))
    }

    /// Three times the step at the edge, and what the outer samples add to it.
    fn steps(p1: &Lane, p0: &Lane, q0: &Lane, q1: &Lane) -> (Lane, Lane) {
        (zip(q0, p0, |q0, p0| 3 * (q0 - p0)), zip(p1, q1, |p1, q1| (p1 - q1).clamp(-128, 127)))
    }

    /// The mask of the positions whose step at the edge is small enough to be an artefact.
    fn is_artefact(p1: &Lane, p0: &Lane, q0: &Lane, q1: &Lane, limit: i16) -> Lane {
        let step = zip(&distance(p0, q0), &distance(p1, q1), |inner, outer| 4 * inner + outer);
        at_most(&step, 2 * limit + 1)
    }

    /// Applies the simple filter (section 15.2).
    pub(in crate::codec::webp) fn simple(plane: &mut [u8], edge: EdgePosition, limit: u8) {
        let mut samples = load(plane, edge);
        let [_, _, p1, p0, q0, q1, ..] = samples;
        let mask = is_artefact(&p1, &p0, &q0, &q1, i16::from(limit));
        let (inner, outer) = steps(&p1, &p0, &q0, &q1);
        let (before, behind) = halves(&zip(&inner, &outer, |inner, outer| inner + outer));
        samples[3] = select(&mask, &changed(&p0, &before), &p0);
        samples[4] = select(&mask, &changed(&q0, &behind), &q0);
        store(plane, edge, &samples);
    }

    /// Applies the normal filter (section 15.3).
    pub(in crate::codec::webp) fn normal(
        plane: &mut [u8],
        edge: EdgePosition,
        kind: EdgeKind,
        strength: FilterStrength,
    ) {
        let mut samples = load(plane, edge);
        let [p3, p2, p1, p0, q0, q1, q2, q3] = &samples;
        let limit = match kind {
            EdgeKind::Macroblock => i16::from(strength.limit) + 4,
            EdgeKind::Subblock => i16::from(strength.limit),
        };
        let (near_p, near_q) = (distance(p1, p0), distance(q1, q0));
        let near = zip(&near_p, &near_q, i16::max);
        let far_p = zip(&distance(p3, p2), &distance(p2, p1), i16::max);
        let far_q = zip(&distance(q3, q2), &distance(q2, q1), i16::max);
        let interior = zip(&near, &zip(&far_p, &far_q, i16::max), i16::max);
        let is_flat = at_most(&interior, i16::from(strength.interior));
        let mask = zip(&is_artefact(p1, p0, q0, q1, limit), &is_flat, |a, b| a & b);
        if mask.iter().all(|mask| *mask == 0) {
            return;
        }
        let is_smooth = at_most(&near, i16::from(strength.high_variance));
        let (inner, outer) = steps(p1, p0, q0, q1);
        let (sharp_p, sharp_q) = halves(&zip(&inner, &outer, |inner, outer| inner + outer));
        let zero = [0; 8];
        // Changes from the outermost sample to the one at the edge.
        let (smooth_p, smooth_q) = match kind {
            EdgeKind::Macroblock => {
                let step = zip(&inner, &outer, |inner, outer| (inner + outer).clamp(-128, 127));
                let changes = [9, 18, 27].map(|weight| map(&step, |step| (weight * step + 63) >> 7));
                (changes, changes.map(|change| negated(&change)))
            }
            EdgeKind::Subblock => {
                let (before, behind) = halves(&inner);
                let second = map(&behind, |behind| (1 - behind) >> 1);
                ([zero, second, before], [zero, negated(&second), behind])
            }
        };
        let (sharp_p, sharp_q) = ([zero, zero, sharp_p], [zero, zero, sharp_q]);
        for i in 0..3 {
            let [p, q] = [(&smooth_p, &sharp_p), (&smooth_q, &sharp_q)]
                .map(|(smooth, sharp)| zip(&select(&is_smooth, &smooth[i], &sharp[i]), &mask, |a, b| a & b));
            samples[1 + i] = changed(&samples[1 + i], &p);
            samples[6 - i] = changed(&samples[6 - i], &q);
        }
        store(plane, edge, &samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::webp::header::FilterStrength;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn simd_and_scalar_filters_are_equal(
            flat in any::<u8>(), noise in prop::collection::vec(0_u8..40, 256), (limit, interior) in (1_u8..190, 1_u8..64),
            high_variance in 0_u8..3, is_vertical: bool, is_inner: bool,
        ) {
            let samples: Vec<u8> = noise.iter().map(|noise| flat.saturating_add(*noise)).collect();
            let strength = FilterStrength { limit, interior, high_variance };
            let kind = if is_inner { EdgeKind::Subblock } else { EdgeKind::Macroblock };
            let edge = match is_vertical {
                true => EdgePosition { at: 16 * 3 + 6, across: 1, along: 16 },
                false => EdgePosition { at: 16 * 5 + 3, across: 16, along: 1 },
            };
            let (mut fast, mut plain) = (samples.clone(), samples.clone());
            normal(&mut fast, edge, kind, strength);
            scalar::normal(&mut plain, edge, kind, strength);
            prop_assert_eq!(fast, plain);
            let (mut fast, mut plain) = (samples.clone(), samples);
            simple(&mut fast, edge, limit);
            scalar::simple(&mut plain, edge, limit);
            prop_assert_eq!(fast, plain);
        }
    }
}
