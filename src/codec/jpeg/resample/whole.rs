//! Resamples whole planes in memory.

use super::{Axis, PlaneResizer, Samples, WeightCache};
use crate::codec::jpeg::planes::{Plane, Planes};
use crate::codec::jpeg::resample::ResampleKernel;
use crate::limits::OutOfMemory;

/// Resizes `source`. Keeps its chroma resolution and fills the margins.
///
/// # Errors
/// [`OutOfMemory`] if the allocator refuses.
pub fn resized(
    source: &Planes,
    width: usize,
    height: usize,
    kernel: ResampleKernel,
) -> Result<Planes, OutOfMemory> {
    let mut result = Planes::new(width, height, source.sampling())?;
    let (across, down) = (ratio(source.width(), width), ratio(source.height(), height));
    let (mut resizer, mut weights) = (PlaneResizer::default(), WeightCache::default());
    for (from, to) in source.planes().iter().zip(result.planes_mut()) {
        // For an odd side, the last chroma sample extends past the edge, in the source and in the result.
        let axis = |available: usize, output: usize, ratio: f64| Axis {
            available,
            origin: 0.0,
            extent: output as f64 * ratio,
            output,
            samples: Samples::Points,
        };
        let (x, y) = (axis(from.width(), to.width(), across), axis(from.height(), to.height(), down));
        resizer.start(kernel, &x, &y, from.width(), 1, &mut weights)?;
        resample(from, &mut resizer, to);
        to.extend_edges(0..to.height());
    }
    Ok(result)
}

fn ratio(from: usize, to: usize) -> f64 {
    from as f64 / to as f64
}

fn resample(from: &Plane, resizer: &mut PlaneResizer, to: &mut Plane) {
    let (stride, mut made) = (to.stride(), 0);
    for row in from.rows() {
        resizer.strip().0[..row.len()].copy_from_slice(row);
        resizer.push();
        while made < to.height() {
            match resizer.take(&mut to.samples_mut()[made * stride..], stride) {
                0 => break,
                rows => made += rows,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg::planes::Sampling;

    #[test]
    fn a_slope_stays_one_at_any_size_and_chroma_resolution() {
        for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
            let mut source = Planes::new(101, 67, sampling).unwrap();
            for plane in source.planes_mut() {
                let (width, stride) = (plane.width(), plane.stride());
                for row in plane.samples_mut().chunks_exact_mut(stride) {
                    for (x, sample) in row[..width].iter_mut().enumerate() {
                        *sample = (40 + x * 160 / width) as u8;
                    }
                }
            }
            for (width, height) in [(50, 33), (33, 9), (101, 67), (1, 1)] {
                let small = resized(&source, width, height, ResampleKernel::Lanczos3).unwrap();
                assert_eq!((small.width(), small.height(), small.sampling()), (width, height, sampling));
                for plane in small.planes() {
                    let span = plane.width();
                    for row in plane.rows() {
                        for (x, sample) in row.iter().enumerate() {
                            let expected = 40.0 + (x as f64 + 0.5) * 160.0 / span as f64;
                            assert!((f64::from(*sample) - expected).abs() < 8.0, "{sampling:?} {width} {x}");
                        }
                    }
                }
            }
        }
    }
}
