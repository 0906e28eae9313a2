//! The loop filters in SSE2, which every x86-64 processor has. Same samples as the scalar twin.

use super::{EdgeKind, EdgePosition};
use crate::codec::webp::header::FilterStrength;
use std::arch::x86_64::*;

/// One sample of each of eight positions, 16 bits each.
type Lane = __m128i;

#[inline]
#[target_feature(enable = "sse2")]
fn load_bytes(plane: &[u8], at: usize) -> __m128i {
    let bytes = plane[at..].first_chunk().copied().unwrap_or_default();
    _mm_cvtsi64_si128(i64::from_le_bytes(bytes))
}

/// Transposes eight rows of eight bytes; each result has two rows of the transpose.
#[inline]
#[target_feature(enable = "sse2")]
fn transposed(rows: [__m128i; 8]) -> [__m128i; 4] {
    let [a0, a1, a2, a3] = [0, 2, 4, 6].map(|i| _mm_unpacklo_epi8(rows[i], rows[i + 1]));
    let (b0, b1) = (_mm_unpacklo_epi16(a0, a1), _mm_unpackhi_epi16(a0, a1));
    let (b2, b3) = (_mm_unpacklo_epi16(a2, a3), _mm_unpackhi_epi16(a2, a3));
    [
        _mm_unpacklo_epi32(b0, b2),
        _mm_unpackhi_epi32(b0, b2),
        _mm_unpacklo_epi32(b1, b3),
        _mm_unpackhi_epi32(b1, b3),
    ]
}

/// Four samples before and four behind the edge.
#[inline]
#[target_feature(enable = "sse2")]
fn load(plane: &[u8], edge: EdgePosition) -> [Lane; 8] {
    let first = edge.at - 4 * edge.across;
    let zero = _mm_setzero_si128();
    if edge.along == 1 {
        std::array::from_fn(|i| _mm_unpacklo_epi8(load_bytes(plane, first + i * edge.across), zero))
    } else {
        let pairs = transposed(std::array::from_fn(|i| load_bytes(plane, first + i * edge.along)));
        std::array::from_fn(|i| match i % 2 {
            0 => _mm_unpacklo_epi8(pairs[i / 2], zero),
            _ => _mm_unpackhi_epi8(pairs[i / 2], zero),
        })
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn store(plane: &mut [u8], edge: EdgePosition, samples: [Lane; 8]) {
    let first = edge.at - 4 * edge.across;
    let bytes = samples.map(|lane| _mm_packus_epi16(lane, lane));
    if edge.along == 1 {
        for (i, bytes) in bytes.iter().enumerate().take(7).skip(1) {
            plane[first + i * edge.across..][..8].copy_from_slice(&_mm_cvtsi128_si64(*bytes).to_le_bytes());
        }
    } else {
        for (i, pair) in transposed(bytes).into_iter().enumerate() {
            let (even, odd) = (_mm_cvtsi128_si64(pair), _mm_cvtsi128_si64(_mm_unpackhi_epi64(pair, pair)));
            plane[first + 2 * i * edge.along..][..8].copy_from_slice(&even.to_le_bytes());
            plane[first + (2 * i + 1) * edge.along..][..8].copy_from_slice(&odd.to_le_bytes());
        }
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn distance(a: Lane, b: Lane) -> Lane {
    _mm_max_epi16(_mm_sub_epi16(a, b), _mm_sub_epi16(b, a))
}

/// The mask of the positions whose values are at most `most`.
#[inline]
#[target_feature(enable = "sse2")]
fn at_most(a: Lane, most: i16) -> Lane {
    _mm_cmplt_epi16(a, _mm_set1_epi16(most + 1))
}

#[inline]
#[target_feature(enable = "sse2")]
fn clamped(a: Lane, low: i16, high: i16) -> Lane {
    _mm_max_epi16(_mm_min_epi16(a, _mm_set1_epi16(high)), _mm_set1_epi16(low))
}

/// Takes `a` where the mask is set and `b` elsewhere.
#[inline]
#[target_feature(enable = "sse2")]
fn select(mask: Lane, a: Lane, b: Lane) -> Lane {
    _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b))
}

#[inline]
#[target_feature(enable = "sse2")]
fn negated(a: Lane) -> Lane {
    _mm_sub_epi16(_mm_setzero_si128(), a)
}

/// The changes of the samples before and behind the edge for a step of `a`, which is in eighths.
#[inline]
#[target_feature(enable = "sse2")]
fn halves(a: Lane) -> (Lane, Lane) {
    let rounded = |offset| clamped(_mm_srai_epi16::<3>(_mm_add_epi16(a, _mm_set1_epi16(offset))), -16, 15);
    (rounded(3), negated(rounded(4)))
}

/// Three times the step at the edge, and what the outer samples add to it.
#[inline]
#[target_feature(enable = "sse2")]
fn steps(p1: Lane, p0: Lane, q0: Lane, q1: Lane) -> (Lane, Lane) {
    let step = _mm_sub_epi16(q0, p0);
    (_mm_add_epi16(step, _mm_add_epi16(step, step)), clamped(_mm_sub_epi16(p1, q1), -128, 127))
}

/// The mask of the positions whose step at the edge is small enough to be an artefact.
#[inline]
#[target_feature(enable = "sse2")]
fn is_artefact(p1: Lane, p0: Lane, q0: Lane, q1: Lane, limit: i16) -> Lane {
    at_most(_mm_add_epi16(_mm_slli_epi16::<2>(distance(p0, q0)), distance(p1, q1)), 2 * limit + 1)
}

#[inline]
#[target_feature(enable = "sse2")]
fn simple_filter(plane: &mut [u8], edge: EdgePosition, limit: u8) {
    let mut samples = load(plane, edge);
    let [_, _, p1, p0, q0, q1, ..] = samples;
    let mask = is_artefact(p1, p0, q0, q1, i16::from(limit));
    let (inner, outer) = steps(p1, p0, q0, q1);
    let (before, behind) = halves(_mm_add_epi16(inner, outer));
    samples[3] = _mm_add_epi16(p0, _mm_and_si128(mask, before));
    samples[4] = _mm_add_epi16(q0, _mm_and_si128(mask, behind));
    store(plane, edge, samples);
}

#[inline]
#[target_feature(enable = "sse2")]
fn normal_filter(plane: &mut [u8], edge: EdgePosition, kind: EdgeKind, strength: FilterStrength) {
    let mut samples = load(plane, edge);
    let [p3, p2, p1, p0, q0, q1, q2, q3] = samples;
    let limit = match kind {
        EdgeKind::Macroblock => i16::from(strength.limit) + 4,
        EdgeKind::Subblock => i16::from(strength.limit),
    };
    let near = _mm_max_epi16(distance(p1, p0), distance(q1, q0));
    let far_p = _mm_max_epi16(distance(p3, p2), distance(p2, p1));
    let far_q = _mm_max_epi16(distance(q3, q2), distance(q2, q1));
    let interior = _mm_max_epi16(near, _mm_max_epi16(far_p, far_q));
    let is_flat = at_most(interior, i16::from(strength.interior));
    let mask = _mm_and_si128(is_artefact(p1, p0, q0, q1, limit), is_flat);
    if _mm_movemask_epi8(mask) == 0 {
        return;
    }
    let is_smooth = at_most(near, i16::from(strength.high_variance));
    let (inner, outer) = steps(p1, p0, q0, q1);
    let whole = _mm_add_epi16(inner, outer);
    let (sharp_p, sharp_q) = halves(whole);
    let zero = _mm_setzero_si128();
    // Changes from the outermost sample to the one at the edge.
    let (smooth_p, smooth_q) = match kind {
        EdgeKind::Macroblock => {
            let step = clamped(whole, -128, 127);
            let changes = [9, 18, 27].map(|weight| {
                let weighted = _mm_mullo_epi16(step, _mm_set1_epi16(weight));
                _mm_srai_epi16::<7>(_mm_add_epi16(weighted, _mm_set1_epi16(63)))
            });
            (changes, changes.map(|change| negated(change)))
        }
        EdgeKind::Subblock => {
            let (before, behind) = halves(inner);
            let second = _mm_srai_epi16::<1>(_mm_sub_epi16(_mm_set1_epi16(1), behind));
            ([zero, second, before], [zero, negated(second), behind])
        }
    };
    let (sharp_p, sharp_q) = ([zero, zero, sharp_p], [zero, zero, sharp_q]);
    for i in 0..3 {
        let p = _mm_and_si128(mask, select(is_smooth, smooth_p[i], sharp_p[i]));
        let q = _mm_and_si128(mask, select(is_smooth, smooth_q[i], sharp_q[i]));
        samples[1 + i] = _mm_add_epi16(samples[1 + i], p);
        samples[6 - i] = _mm_add_epi16(samples[6 - i], q);
    }
    store(plane, edge, samples);
}

/// Applies the simple filter (section 15.2).
#[inline(always)]
#[expect(unsafe_code, reason = "SSE2")]
pub(in crate::codec::webp) fn simple(plane: &mut [u8], edge: EdgePosition, limit: u8) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { simple_filter(plane, edge, limit) }
}

/// Applies the normal filter (section 15.3).
#[inline(always)]
#[expect(unsafe_code, reason = "SSE2")]
pub(in crate::codec::webp) fn normal(
    plane: &mut [u8],
    edge: EdgePosition,
    kind: EdgeKind,
    strength: FilterStrength,
) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { normal_filter(plane, edge, kind, strength) }
}
