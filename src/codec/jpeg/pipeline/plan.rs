//! Plan of a resize: the decode scale of each component, and its resampling axes.

use crate::codec::jpeg::decode::Scale;
use crate::codec::jpeg::header::{FrameComponent, FrameHeader};
use crate::codec::jpeg::planes::Sampling;
use crate::codec::jpeg::resample::{Axis, ResampleKernel, Samples};
use crate::pixels::{Geometry, Region, Size};

/// Trade-off between the sharpness of the result and the decode time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecodeSpeed {
    /// Decodes at a scale that gives the result of a full decode.
    Normal,
    /// Decodes at the smallest scale that is at least as large as the result: a little softer.
    Fast,
}

/// Largest number of pixels of a small source.
const SMALL: u64 = 1 << 20;

/// Returns the least ratio between the decoded size and the size of the result. From 1.4 on, the result
/// differs little from a full decode: 52 dB before encoding. At 1.0 it is a little softer. Small pictures
/// have fine detail and cost little: at 2.0 they gain 3 dB and 0.3 points of SSIMULACRA2.
fn least_ratio(speed: DecodeSpeed, pixels: u64) -> f64 {
    match speed {
        DecodeSpeed::Normal if pixels <= SMALL => 2.0,
        DecodeSpeed::Normal => 1.4,
        DecodeSpeed::Fast => 1.0,
    }
}

/// Route of one component from the file to the result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ComponentRoute {
    /// Scale of the decoder.
    pub(super) scale: Scale,
    /// Resampling of decoded columns, before the turn.
    pub(super) x: Axis,
    /// Resampling of decoded rows, before the turn.
    pub(super) y: Axis,
}

/// One axis of one component at full scale, in its samples: whole length, used part, and output length.
#[derive(Debug, Clone, Copy)]
struct SourceSpan {
    /// Samples of the whole picture, perhaps with a fraction.
    whole: f64,
    origin: f64,
    extent: f64,
    output: usize,
}

impl SourceSpan {
    fn at(self, scale: Scale) -> Axis {
        let factor = scale.k() as f64 / 8.0;
        Axis {
            available: (self.whole * factor).ceil().max(1.0) as usize,
            origin: self.origin * factor,
            extent: self.extent * factor,
            output: self.output,
            samples: if scale == Scale::ALL[0] { Samples::Means } else { Samples::Points },
        }
    }

    fn ratio(self, scale: Scale) -> f64 {
        self.at(scale).extent / self.output as f64
    }
}

/// Plans the route of `component` of `frame` to plane `plane` of a result with the given `sampling`.
///
/// The route has the orientation of the file; the turn follows.
pub(super) fn route(
    frame: &FrameHeader,
    component: &FrameComponent,
    plane: usize,
    geometry: &Geometry,
    sampling: Sampling,
    kernel: ResampleKernel,
    speed: DecodeSpeed,
) -> ComponentRoute {
    let size = Size { width: frame.width.into(), height: frame.height.into() };
    let density = |factor: u8, most: u8| f64::from(factor) / f64::from(most);
    let densities = (density(component.h, frame.h_max()), density(component.v, frame.v_max()));
    let (across, down) = spans(size, densities, plane, geometry, sampling);

    // A nearest-neighbour result must consist of pixels of the source, so decode at full scale.
    let reduced = (kernel != ResampleKernel::Nearest)
        .then(|| {
            let pixels = u64::from(frame.width) * u64::from(frame.height);
            let least = least_ratio(speed, pixels) * (1.0 - 1e-9);
            Scale::ALL.into_iter().find(|&k| across.ratio(k).min(down.ratio(k)) >= least)
        })
        .flatten();
    let scale = reduced.unwrap_or(Scale::FULL);
    ComponentRoute { scale, x: across.at(scale), y: down.at(scale) }
}

/// Axes of plane `plane` of a result with the given `sampling`, for a source of `size` whose plane is decoded in full.
/// `densities` are the samples of the plane per pixel, across and down.
pub fn full_axes(
    size: Size,
    densities: (f64, f64),
    plane: usize,
    geometry: &Geometry,
    sampling: Sampling,
) -> (Axis, Axis) {
    let (across, down) = spans(size, densities, plane, geometry, sampling);
    (across.at(Scale::FULL), down.at(Scale::FULL))
}

/// The used part of a plane across and down, as stored, and the samples to make of it.
fn spans(
    size: Size,
    densities: (f64, f64),
    plane: usize,
    geometry: &Geometry,
    sampling: Sampling,
) -> (SourceSpan, SourceSpan) {
    let turn = geometry.orientation;
    let region = turn.stored_region(geometry.region, turn.turned(size));
    let Region { x, y, width, height } = widened(region, geometry, plane, sampling);
    let (h, v) = sampling.plane_size(plane, geometry.width as usize, geometry.height as usize);
    let (columns, rows) = if turn.transpose { (v, h) } else { (h, v) };
    let span = |pixels: u32, density: f64, start: f64, len: f64, output: usize| SourceSpan {
        whole: f64::from(pixels) * density,
        origin: start * density,
        extent: len * density,
        output,
    };
    (span(size.width, densities.0, x, width, columns), span(size.height, densities.1, y, height, rows))
}

/// Widens `region` by the overhang of the last chroma column and row for odd sides of the result.
fn widened(region: Region, geometry: &Geometry, plane: usize, sampling: Sampling) -> Region {
    let turn = geometry.orientation;
    let (width, height) = (geometry.width as usize, geometry.height as usize);
    let (columns, rows) = sampling.plane_size(plane, width, height);
    let (h, v) = if plane == 0 { (1, 1) } else { sampling.factors() };
    let extra_x = (columns * h) as f64 / width as f64 - 1.0;
    let extra_y = (rows * v) as f64 / height as f64 - 1.0;
    // The overhang is at the right and bottom edge of the upright result; a mirror moves it to the front.
    let ((extra_x, first_x), (extra_y, first_y)) = if turn.transpose {
        ((extra_y, turn.mirror_y), (extra_x, turn.mirror_x))
    } else {
        ((extra_x, turn.mirror_x), (extra_y, turn.mirror_y))
    };
    let (more_x, more_y) = (region.width * extra_x, region.height * extra_y);
    Region {
        x: region.x - if first_x { more_x } else { 0.0 },
        y: region.y - if first_y { more_y } else { 0.0 },
        width: region.width + more_x,
        height: region.height + more_y,
    }
}
