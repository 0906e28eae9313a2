//! Streaming resampler of one plane: rows of u8 in, rows of u8 of another size out.
//!
//! Separable convolution with the filter widened by the ratio when shrinking. The column filter runs first,
//! on a ring of the rows it needs, so that memory grows with the width and not with the picture. Integer
//! arithmetic throughout: all instruction sets give the same samples.

mod filter;
mod kernel;
mod scalar;
mod weights;
mod whole;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;

pub use kernel::ResampleKernel;
pub use weights::{Axis, Samples};
pub use whole::resized;

use crate::limits::{OutOfMemory, try_vec};
use filter::{DOWN_STEP, GROUP, RowGroup};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use weights::{Pairing, TapWeights};

/// Cache of recently used weights. Servers resize to the same few sizes again and again.
#[derive(Debug, Default)]
pub struct WeightCache {
    /// Newest first.
    entries: VecDeque<(ResampleKernel, Axis, Pairing, Arc<TapWeights>)>,
}

impl WeightCache {
    const ENTRIES: usize = 16;

    fn weights(&mut self, kernel: ResampleKernel, axis: &Axis, pairing: Pairing) -> Arc<TapWeights> {
        let found = self.entries.iter().find(|(k, a, p, _)| (k, a, p) == (&kernel, axis, &pairing));
        if let Some((.., weights)) = found {
            return Arc::clone(weights);
        }
        let weights = Arc::new(TapWeights::new(kernel, axis, pairing));
        self.entries.truncate(Self::ENTRIES - 1);
        self.entries.push_front((kernel, *axis, pairing, Arc::clone(&weights)));
        weights
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|(.., weights)| weights.bytes()).sum()
    }

    /// Clears the cache.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// Resamples one plane that arrives in strips of rows.
///
/// Fill [`PlaneResizer::strip`], call [`PlaneResizer::push`], then call [`PlaneResizer::take`] until it
/// returns 0; repeat. The buffers are reused for the next picture.
#[derive(Debug, Default)]
pub struct PlaneResizer {
    across: Option<Arc<TapWeights>>,
    down: Option<Arc<TapWeights>>,
    identity: bool,
    ring: Vec<u8>,
    stride: usize,
    ring_rows: usize,
    strip_rows: usize,
    width: usize,
    /// End of the wanted output rows.
    end: usize,
    input_rows: usize,
    received: usize,
    emitted: usize,
    group: RowGroup,
    /// Offsets in the ring of the rows under the column filter.
    taps: Vec<usize>,
}

impl PlaneResizer {
    /// Prepares for a plane with `strip_rows` rows at a time, each with room for `strip_width` samples. The
    /// decoder may write past the last sample, up to there.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses the ring.
    pub fn start(
        &mut self,
        kernel: ResampleKernel,
        x: &Axis,
        y: &Axis,
        strip_width: usize,
        strip_rows: usize,
        cache: &mut WeightCache,
    ) -> Result<(), OutOfMemory> {
        let across = cache.weights(kernel, x, Pairing::Even);
        let down = cache.weights(kernel, y, Pairing::Free);
        self.group.reset(&across)?;
        self.identity = kernel != ResampleKernel::Mitchell && x.is_identity() && y.is_identity();
        // The column filter reads whole steps, which may end past the last sample.
        self.stride = strip_width.max(self.group.first + self.group.row_len()).next_multiple_of(DOWN_STEP);
        self.strip_rows = strip_rows;
        self.ring_rows = (down.widest() + 2 * strip_rows).next_multiple_of(strip_rows);
        let len = self.stride * self.ring_rows;
        if self.ring.len() < len {
            self.ring = Vec::new();
            self.ring = try_vec(len)?;
        }
        (self.width, self.end, self.input_rows) = (x.output, y.output, y.available);
        (self.received, self.emitted) = (0, 0);
        self.across = Some(across);
        self.down = Some(down);
        Ok(())
    }

    /// Returns the columns and rows of the plane that are read. Others may be missing.
    pub fn reads(&self) -> (Range<usize>, Range<usize>) {
        let span = |weights: &Option<Arc<TapWeights>>| {
            weights.as_ref().map_or(0..0, |weights| weights.reads_from()..weights.reads_to())
        };
        (span(&self.across), span(&self.down))
    }

    /// Returns the number of the first strip read for output row `row`.
    pub fn strip_of(&self, row: usize) -> usize {
        let first = self.down.as_ref().map_or(0, |down| down.span(row).start as usize);
        first / self.strip_rows.max(1)
    }

    /// Prepares for a part of the plane: the next strip is number `strip`, and only output rows `rows` are
    /// made. All strips from [`PlaneResizer::strip_of`] on must follow.
    pub fn restrict(&mut self, rows: Range<usize>, strip: usize) {
        self.received = strip * self.strip_rows;
        (self.emitted, self.end) = (rows.start, rows.end);
        self.group.filled = 0;
    }

    /// Stops before output row `end`.
    pub fn stop_at(&mut self, end: usize) {
        self.end = end;
    }

    /// Returns the room for the next strip, and the distance between its rows.
    pub fn strip(&mut self) -> (&mut [u8], usize) {
        let row = self.received % self.ring_rows;
        (&mut self.ring[row * self.stride..][..self.strip_rows * self.stride], self.stride)
    }

    /// Accepts the filled strip. Take all rows that it makes possible before the next call.
    pub fn push(&mut self) {
        self.received += self.strip_rows;
    }

    /// Returns true if all rows have been taken.
    pub fn is_done(&self) -> bool {
        self.emitted == self.end
    }

    /// Writes the next output rows, at most eight, `stride` apart from the start of `out`. Returns their
    /// number; 0 until more input arrives.
    ///
    /// # Panics
    /// If `out` is too short for eight rows, or for the rows that are left.
    pub fn take(&mut self, out: &mut [u8], stride: usize) -> usize {
        let (Some(across), Some(down)) = (&self.across, &self.down) else { return 0 };
        let have = self.received.min(self.input_rows);
        let want = GROUP.min(self.end - self.emitted);
        if self.identity {
            let rows = want.min(have.saturating_sub(self.emitted));
            for (i, out) in out.chunks_mut(stride).take(rows).enumerate() {
                let row = (self.emitted + i) % self.ring_rows * self.stride;
                out[..self.width].copy_from_slice(&self.ring[row..][..self.width]);
            }
            self.emitted += rows;
            return rows;
        }
        while self.group.filled < want {
            let next = self.emitted + self.group.filled;
            let span = down.span(next);
            if span.end() > have {
                return 0;
            }
            debug_assert!(self.received - span.start as usize <= self.ring_rows, "a needed row is gone");
            let pairs = &down.pairs(next)[..(span.len as usize).div_ceil(2)];
            self.taps.clear();
            self.taps.extend((0..2 * pairs.len()).map(|i| {
                let row = (span.start as usize + i).min(span.end() - 1);
                row % self.ring_rows * self.stride + self.group.first
            }));
            filter::down(&self.ring, &self.taps, pairs, self.group.next_row());
            self.group.filled += 1;
        }
        if want == 0 {
            return 0;
        }
        let mut rows = out.chunks_mut(stride).take(want);
        let mut rows: [&mut [u8]; GROUP] = std::array::from_fn(|_| rows.next().unwrap_or_default());
        filter::across(&mut self.group, across, &mut rows);
        self.group.filled = 0;
        self.emitted += want;
        want
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.ring.capacity() + self.group.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resize(
        plane: &[u8],
        x: &Axis,
        y: &Axis,
        kernel: ResampleKernel,
        strip_rows: usize,
        resizer: &mut PlaneResizer,
    ) -> Vec<u8> {
        let mut cache = WeightCache::default();
        resizer.start(kernel, x, y, x.available, strip_rows, &mut cache).unwrap();
        let mut out = vec![0; x.output * y.output];
        let mut done = 0;
        let mut rows = plane.chunks(x.available);
        while !resizer.is_done() {
            let (strip, stride) = resizer.strip();
            for slot in strip.chunks_mut(stride) {
                if let Some(row) = rows.next() {
                    slot[..row.len()].copy_from_slice(row);
                }
            }
            resizer.push();
            loop {
                let n = resizer.take(&mut out[done * x.output..], x.output);
                done += n;
                if n == 0 {
                    break;
                }
            }
        }
        out
    }

    /// Resamples by the definition, in doubles and without rounding between the axes.
    fn reference(plane: &[u8], x: &Axis, y: &Axis, kernel: ResampleKernel) -> Vec<f64> {
        let weights = |axis: &Axis, o: usize| -> Vec<f64> {
            let scale = axis.extent / axis.output as f64;
            let stretch = if kernel == ResampleKernel::Nearest { 1.0 } else { scale.max(1.0) };
            let centre = axis.origin + (o as f64 + 0.5) * scale;
            let values: Vec<f64> = (0..axis.available)
                .map(|i| kernel::value(kernel, (i as f64 + 0.5 - centre) / stretch))
                .collect();
            let sum: f64 = values.iter().sum();
            values.iter().map(|value| value / sum).collect()
        };
        let columns: Vec<_> = (0..x.output).map(|o| weights(x, o)).collect();
        let mut out = Vec::new();
        for o in 0..y.output {
            let rows = weights(y, o);
            let mixed: Vec<f64> = (0..x.available)
                .map(|i| {
                    rows.iter().enumerate().map(|(r, w)| w * f64::from(plane[r * x.available + i])).sum()
                })
                .collect();
            out.extend(
                columns.iter().map(|column| column.iter().zip(&mixed).map(|(w, s)| w * s).sum::<f64>()),
            );
        }
        out
    }

    fn axis() -> impl Strategy<Value = Axis> {
        (1_usize..70, 0.0..1.0_f64, 0.05..1.0_f64, 1_usize..70).prop_map(|(available, at, part, output)| {
            let extent = (available as f64 * part).max(0.6);
            Axis {
                available,
                origin: (available as f64 - extent) * at,
                extent,
                output,
                samples: Samples::Points,
            }
        })
    }

    proptest! {
        #[test]
        fn every_kernel_is_within_one_level_of_the_definition(
            x in axis(), y in axis(), kernel in 0..5, strip_rows in 1_usize..17, seed: u32,
        ) {
            use ResampleKernel::*;
            let kernel = [Lanczos3, CatmullRom, Mitchell, Bilinear, Box][kernel as usize];
            let mut state = seed;
            let plane: Vec<u8> = (0..x.available * y.available)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            let got = resize(&plane, &x, &y, kernel, strip_rows, &mut PlaneResizer::default());
            for (got, want) in got.iter().zip(reference(&plane, &x, &y, kernel)) {
                // Half a level of rounding, and up to a level of 14-bit taps on white noise.
                prop_assert!((f64::from(*got) - want.clamp(0.0, 255.0)).abs() < 1.0, "{} for {}", got, want);
            }
        }
    }

    #[test]
    fn a_resizer_is_as_good_as_new_for_the_next_picture() {
        let plane: Vec<u8> = (0..64 * 48).map(|i| (i * 7 % 251) as u8).collect();
        let x = Axis { available: 64, origin: 0.0, extent: 63.5, output: 31, samples: Samples::Points };
        let y = Axis { available: 48, origin: 0.25, extent: 47.0, output: 17, samples: Samples::Points };
        let fresh = resize(&plane, &x, &y, ResampleKernel::Lanczos3, 8, &mut PlaneResizer::default());
        let mut used = PlaneResizer::default();
        let white = vec![255; 64 * 48];
        resize(&white, &x, &Axis { output: 40, ..y }, ResampleKernel::CatmullRom, 4, &mut used);
        assert_eq!(resize(&plane, &x, &y, ResampleKernel::Lanczos3, 8, &mut used), fresh);
    }

    #[test]
    fn the_same_size_gives_the_same_samples() {
        let plane: Vec<u8> = (0..20 * 10).map(|i| (i * 13 % 256) as u8).collect();
        let x = Axis { available: 20, origin: 0.0, extent: 20.0, output: 20, samples: Samples::Points };
        let y = Axis { available: 10, origin: 0.0, extent: 10.0, output: 10, samples: Samples::Points };
        for kernel in [ResampleKernel::Lanczos3, ResampleKernel::Nearest, ResampleKernel::Box] {
            assert_eq!(resize(&plane, &x, &y, kernel, 3, &mut PlaneResizer::default()), plane);
        }
    }
}
