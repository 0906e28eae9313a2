//! `Weights`: input samples of each output sample of one axis, and their taps.

use super::kernel;
use crate::codec::jpeg::resample::ResampleKernel;

/// Fractional bits of a weight: 1.0 is `1 << 14`.
pub(super) const WEIGHT_BITS: u32 = 14;

/// Resampling of one axis of a plane.
///
/// Resamples `extent` input samples from `origin` on to `output` samples. Both may have fractions, because a
/// crop or a k/8 decode rarely ends on a sample. Only samples `0..available` exist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Number of input samples, at least 1.
    pub available: usize,
    /// Start of the resampled span, in input samples.
    pub origin: f64,
    /// Length of the span, in input samples, more than 0.
    pub extent: f64,
    /// Number of output samples, at least 1.
    pub output: usize,
    /// Kind of the input samples.
    pub samples: Samples,
}

/// Kind of the samples along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    /// Values at points.
    Points,
    /// Means over the width of a sample, as a 1/8 decode gives. A mean attenuates short waves: for `f` waves
    /// a sample it leaves sin(pi f) / (pi f). The smooth filters compensate for it, which gains 0.9 dB at no
    /// cost.
    Means,
}

impl Axis {
    /// Returns true if each output sample is exactly the input sample of the same number.
    pub(super) fn is_identity(&self) -> bool {
        self.output <= self.available && self.origin == 0.0 && self.extent == self.output as f64
    }
}

/// Input samples on which the pairs of taps may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    /// Any sample: for the column filter, whose rows are apart anyway.
    Free,
    /// Even samples: for the row filter, which reads two neighbours as one word.
    Even,
}

/// Taps of all output samples, in pairs, as the multiply-add instructions need them.
#[derive(Debug, PartialEq)]
pub(super) struct TapWeights {
    /// First input sample of the first pair, and number of relevant input samples, per output sample.
    spans: Vec<TapSpan>,
    /// `pairs_each` pairs per output sample, padded with zeros.
    pairs: Vec<TapPair>,
    pairs_each: usize,
}

/// Input samples of one output sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TapSpan {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl TapSpan {
    /// End of the relevant input samples.
    pub(super) fn end(self) -> usize {
        self.start as usize + self.len as usize
    }
}

/// Two neighbouring taps: the first in the low half, the second in the high half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub(super) struct TapPair(i32);

impl TapPair {
    /// Sets tap 0 or 1, which must be zero.
    fn put(&mut self, index: usize, tap: i16) {
        self.0 |= i32::from(tap as u16) << (16 * index);
    }

    /// The two taps.
    #[inline]
    pub(super) fn taps(self) -> [i32; 2] {
        [i32::from(self.0 as i16), self.0 >> 16]
    }

    /// Both in one word, for a broadcast.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(super) fn word(self) -> i32 {
        self.0
    }
}

impl TapWeights {
    /// Computes the weights of `filter` along `axis`. The taps of each output sample add up to exactly 1.0.
    pub(super) fn new(kernel: ResampleKernel, axis: &Axis, pairing: Pairing) -> TapWeights {
        let scale = axis.extent / axis.output as f64;
        let stretch = if kernel == ResampleKernel::Nearest { 1.0 } else { scale.max(1.0) };
        let value = |at: f64| kernel::value(kernel, at / stretch);
        // Second-order inverse of a mean: 1 + (pi f)² / 6.
        let boost = match (axis.samples, kernel) {
            (Samples::Points, _) | (Samples::Means, ResampleKernel::Box | ResampleKernel::Nearest) => 0.0,
            (Samples::Means, _) => 1.0 / 24.0,
        };
        let reach = kernel::support(kernel) * stretch + if boost > 0.0 { 1.0 } else { 0.0 };
        let last = axis.available - 1;

        let mut spans = Vec::with_capacity(axis.output);
        let mut taps: Vec<i16> = Vec::new();
        let mut offsets = Vec::with_capacity(axis.output + 1);
        let mut values: Vec<f64> = Vec::new();
        // First output sample of each phase with all its taps in range.
        let mut firsts: Vec<Option<usize>> = vec![None; period(scale, axis.output)];
        for o in 0..axis.output {
            let centre = axis.origin + (o as f64 + 0.5) * scale;
            let phase = o % firsts.len();
            let whole = centre - reach >= 1.0 && centre + reach <= last as f64;
            if whole && let Some(first) = firsts[phase] {
                let shift = ((o - first) as f64 * scale).round() as u32;
                let TapSpan { start, len } = spans[first];
                spans.push(TapSpan { start: start + shift, len });
                let from: usize = offsets[first];
                offsets.push(taps.len());
                taps.extend_from_within(from..from + len as usize);
                continue;
            }
            if whole {
                firsts[phase] = Some(o);
            }
            let nearest = (centre.floor().max(0.0) as usize).min(last);
            let lo = ((centre - reach).floor().max(0.0) as usize).min(nearest);
            let hi = ((centre + reach).ceil().max(0.0) as usize).clamp(nearest, last);
            values.clear();
            values.extend((lo..=hi).map(|i| {
                let at = i as f64 + 0.5 - centre;
                let plain = value(at);
                if boost > 0.0 {
                    plain + boost * (2.0 * plain - value(at - 1.0) - value(at + 1.0))
                } else {
                    plain
                }
            }));
            offsets.push(taps.len());
            let lead = quantise(&values, nearest - lo, &mut taps);
            let len = taps.len() - offsets[o];
            spans.push(TapSpan { start: (lo + lead) as u32, len: len as u32 });
        }
        offsets.push(taps.len());
        pack(spans, &taps, &offsets, pairing)
    }

    /// Number of output samples.
    pub(super) fn outputs(&self) -> usize {
        self.spans.len()
    }

    /// Number of pairs per output sample, padding included.
    pub(super) fn pairs_each(&self) -> usize {
        self.pairs_each
    }

    /// Returns the input samples of output sample `o`.
    pub(super) fn span(&self, o: usize) -> TapSpan {
        self.spans[o]
    }

    /// Returns the input samples of each output sample.
    pub(super) fn spans(&self) -> &[TapSpan] {
        &self.spans
    }

    /// Returns the taps of output sample `o`.
    pub(super) fn pairs(&self, o: usize) -> &[TapPair] {
        &self.pairs[o * self.pairs_each..][..self.pairs_each]
    }

    /// Returns the taps of all output samples, [`TapWeights::pairs_each`] apiece.
    pub(super) fn all_pairs(&self) -> &[TapPair] {
        &self.pairs
    }

    /// Largest number of input samples of one output sample.
    pub(super) fn widest(&self) -> usize {
        self.spans.iter().map(|span| span.len as usize).max().unwrap_or(1)
    }

    /// End of the input samples that are read.
    pub(super) fn reads_to(&self) -> usize {
        self.spans.iter().map(|span| span.end()).max().unwrap_or(0)
    }

    /// First input sample that is read.
    pub(super) fn reads_from(&self) -> usize {
        self.spans.iter().map(|span| span.start as usize).min().unwrap_or(0)
    }

    /// Bytes held by the table.
    pub(super) fn bytes(&self) -> usize {
        self.pairs.capacity() * size_of::<TapPair>() + self.spans.capacity() * size_of::<TapSpan>()
    }
}

/// Returns the number of output samples after which the taps repeat, shifted by whole input samples.
/// `outputs` if they do not.
fn period(scale: f64, outputs: usize) -> usize {
    let repeats = |period: &usize| {
        let shift = *period as f64 * scale;
        (shift - shift.round()).abs() < 1e-9
    };
    (1..outputs).find(repeats).unwrap_or(outputs)
}

/// Appends `values`, normalised and rounded with error diffusion so that they add up to exactly 1.0. Trims
/// zeros at both ends. Returns the number trimmed in front.
fn quantise(values: &[f64], nearest: usize, taps: &mut Vec<i16>) -> usize {
    let sum: f64 = values.iter().sum();
    let start = taps.len();
    if sum.abs() < 1e-9 {
        taps.push(1 << WEIGHT_BITS);
        return nearest;
    }
    let unit = f64::from(1 << WEIGHT_BITS) / sum;
    let (mut exact, mut rounded, mut lead) = (0.0, 0_i32, 0);
    for value in values {
        exact += value * unit;
        let total = exact.round() as i32;
        let tap = total - rounded;
        rounded = total;
        if tap == 0 && taps.len() == start {
            lead += 1;
        } else {
            taps.push(tap as i16);
        }
    }
    while taps.len() > start + 1 && taps.last() == Some(&0) {
        taps.pop();
    }
    lead
}

/// Groups the taps of each output sample (`offsets[o]..offsets[o + 1]`) into equally many pairs.
fn pack(mut spans: Vec<TapSpan>, taps: &[i16], offsets: &[usize], pairing: Pairing) -> TapWeights {
    if pairing == Pairing::Even {
        for span in &mut spans {
            span.len += span.start & 1;
            span.start &= !1;
        }
    }
    let pairs_each = spans.iter().map(|span| span.len.div_ceil(2) as usize).max().unwrap_or(1);
    let mut pairs = vec![TapPair::default(); pairs_each * spans.len()];
    for ((row, span), ends) in pairs.chunks_exact_mut(pairs_each).zip(&spans).zip(offsets.windows(2)) {
        let own = &taps[ends[0]..ends[1]];
        let lead = span.len as usize - own.len();
        for (i, tap) in (lead..).zip(own) {
            row[i / 2].put(i % 2, *tap);
        }
    }
    TapWeights { spans, pairs, pairs_each }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNELS: [ResampleKernel; 6] = [
        ResampleKernel::Lanczos3,
        ResampleKernel::CatmullRom,
        ResampleKernel::Mitchell,
        ResampleKernel::Bilinear,
        ResampleKernel::Box,
        ResampleKernel::Nearest,
    ];

    #[test]
    fn taps_of_each_output_add_up_to_one() {
        for kernel in KERNELS {
            for (available, origin, extent, output) in
                [(1363, 0.0, 1362.5, 720), (10, 2.25, 3.5, 40), (1, 0.0, 1.0, 9), (500, 0.0, 500.0, 1)]
            {
                for pairing in [Pairing::Free, Pairing::Even] {
                    let weights = TapWeights::new(
                        kernel,
                        &Axis { available, origin, extent, output, samples: Samples::Points },
                        pairing,
                    );
                    assert_eq!(weights.outputs(), output);
                    for o in 0..output {
                        let sum: i32 = weights.pairs(o).iter().flat_map(|pair| pair.taps()).sum();
                        assert_eq!(sum, 1 << WEIGHT_BITS, "{kernel:?} {available} -> {output} at {o}");
                        assert!(weights.span(o).end() <= available);
                        assert!(pairing == Pairing::Free || weights.span(o).start.is_multiple_of(2));
                    }
                }
            }
        }
    }

    #[test]
    fn taps_that_repeat_are_those_that_would_be_computed() {
        let axis =
            Axis { available: 1363, origin: 0.0, extent: 1362.5, output: 720, samples: Samples::Points };
        let weights = TapWeights::new(ResampleKernel::Lanczos3, &axis, Pairing::Free);
        assert_eq!(period(axis.extent / 720.0, 720), 288);
        for o in [5, 293, 581] {
            // The same output sample as the first and only one of its axis.
            let scale = axis.extent / 720.0;
            let alone = Axis { origin: o as f64 * scale, extent: scale, output: 1, ..axis };
            let alone = TapWeights::new(ResampleKernel::Lanczos3, &alone, Pairing::Free);
            assert_eq!(weights.span(o), alone.span(0));
            let len = alone.pairs(0).len();
            assert_eq!(weights.pairs(o)[..len], *alone.pairs(0));
        }
    }

    #[test]
    fn what_means_lose_of_a_wave_is_made_good() {
        let wave = |x: f64| (x * 0.8).cos() * 100.0;
        let mean = |i: usize| ((i as f64 + 1.0) * 0.8).sin() - (i as f64 * 0.8).sin();
        let error = |samples| {
            let axis = Axis { available: 200, origin: 0.0, extent: 200.0, output: 100, samples };
            let weights = TapWeights::new(ResampleKernel::Lanczos3, &axis, Pairing::Free);
            let errors = (10..90).map(|o| {
                let taps = weights.pairs(o).iter().flat_map(|pair| pair.taps()).map(f64::from);
                let inputs = (weights.span(o).start as usize..).map(|i| mean(i) / 0.8 * 100.0);
                let sum: f64 = inputs.zip(taps).map(|(input, tap)| input * tap / 16384.0).sum();
                (sum - wave(2.0 * o as f64 + 1.0)).abs()
            });
            errors.fold(0.0, f64::max)
        };
        let (plain, boosted) = (error(Samples::Points), error(Samples::Means));
        assert!(plain > 1.5 && boosted < 0.6 * plain, "{plain} {boosted}");
    }

    #[test]
    fn an_axis_of_the_same_length_is_one_tap_apiece() {
        let axis = Axis { available: 20, origin: 0.0, extent: 20.0, output: 20, samples: Samples::Points };
        assert!(axis.is_identity());
        for kernel in KERNELS.into_iter().filter(|kernel| *kernel != ResampleKernel::Mitchell) {
            let weights = TapWeights::new(kernel, &axis, Pairing::Free);
            assert_eq!(weights.pairs_each(), 1, "{kernel:?}");
            assert!((0..20).all(|o| weights.span(o) == TapSpan { start: o as u32, len: 1 }), "{kernel:?}");
        }
    }
}
