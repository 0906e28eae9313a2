//! How much memory a plan takes at most, stage by stage: what admission reserves before a picture is decoded.

use crate::codec::format;
use crate::codec::metric;
use crate::codec::plan::{Plan, Route, kept_coding, rearrangement};
use crate::codec::source::Source;
use crate::codec::transform::geometry::{Geometry, Size};
use crate::codec::transform::{planar, resize};
use crate::format::Format;
use crate::ops;
use crate::pixels::Channels;
use crate::spec::Spec;

/// Most bytes that are held at once, besides the source and what a worker keeps between pictures.
pub(super) fn needed(plan: &Plan, source: &Source<'_>, spec: &Spec) -> u64 {
    match plan.route {
        Route::Passthrough => source.input.len() as u64,
        Route::Lossless => rearrangement(source, plan.format, &plan.geometry, spec)
            .map_or(0, |(header, moved)| moved.estimate(source.input, header, kept_coding(header, spec))),
        Route::Planar => planar::estimate(plan, spec).saturating_add(measured(plan, spec, Channels::Rgb)),
        Route::Pixels => over_pixels(plan, spec),
        Route::Frames => over_pixels(plan, spec).saturating_add(over_frames(plan)),
    }
}

/// The largest of the stages, each of which hands its pixels to the next.
fn over_pixels(plan: &Plan, spec: &Spec) -> u64 {
    let Geometry { width, height, canvas, .. } = plan.geometry;
    let mut channels = plan.source.channels;
    let inner = area(width, height).saturating_mul(channels.count() as u64);
    let decoding =
        if plan.decode_scale.is_some() { planar::estimate(plan, spec) } else { decoding(plan, spec) };
    // Turned, or laid on a canvas, perhaps with more channels: the old and the new at once.
    if canvas.is_some() {
        channels =
            if channels.has_alpha() || spec.background.a < 255 { Channels::Rgba } else { Channels::Rgb };
    }
    let output = plan.size();
    let pixels = output.pixels();
    let placing = inner * 2 + if canvas.is_some() { pixels * channels.count() as u64 } else { 0 };

    let mut most = decoding.max(placing);
    for op in &spec.ops {
        let held = pixels * channels.count() as u64;
        most = most.max(held + ops::memory(op, output.width, output.height, channels));
        channels = ops::channels_after(op, channels);
    }
    let held = pixels * channels.count() as u64;
    // A search that shrinks the picture keeps the original and a copy beside the smaller one.
    let copies = if spec.max_bytes.is_some() && spec.allow_smaller { 3 } else { 1 };
    let encoding = held * copies + encoding(plan, spec, channels) + measured(plan, spec, channels);
    most.max(encoding)
}

/// What an animation holds beside the frame at work: canvases of the reader, frames of the writer, and the file, of
/// which a pixel takes a byte at most.
fn over_frames(plan: &Plan) -> u64 {
    let (source, result) = (plan.source.stored.pixels(), plan.size().pixels());
    let (canvases, held) = (source.saturating_mul(4 * 4), result.saturating_mul(4 * 5));
    canvases.saturating_add(held).saturating_add(result.saturating_mul(plan.frames.count.into()))
}

/// A source decoded in full by any decoder but our JPEG one, and resized.
fn decoding(plan: &Plan, spec: &Spec) -> u64 {
    let probe = &plan.source;
    let Geometry { width, height, .. } = plan.geometry;
    let channels = probe.channels.count() as u64;
    let resized = area(width, height).saturating_mul(channels);
    let stored = probe.decoded_bytes();
    let band = || {
        let (orientation, region) = (plan.geometry.orientation, plan.geometry.region);
        let region = orientation.stored_region(region, orientation.turned(probe.stored));
        let size = orientation.turned(Size { width, height });
        resize::band_pixels(probe.stored, region, size, spec.kernel).saturating_mul(channels)
    };
    // In linear light the samples of a band have 16 bits.
    let resizing = match (plan.geometry.keeps_all(probe.stored), spec.linear) {
        (true, _) => 0,
        (false, true) => band() * 2 + resized,
        (false, false) => band() + resized,
    };
    stored.saturating_add(probe.working.max(resizing))
}

/// What an encoder holds beside the pixels, the file included.
fn encoding(plan: &Plan, spec: &Spec, channels: Channels) -> u64 {
    let pixels = plan.size().pixels();
    let raw = pixels * channels.count() as u64;
    let flat = if channels.has_alpha() && !plan.format.has_alpha() { pixels * 3 } else { 0 };
    let files = if spec.max_bytes.is_some() || spec.target.is_some() { 2 } else { 1 };
    flat + match plan.format {
        Format::Jpeg => planar::encoding(plan, spec),
        // Filtered rows and a file of at most their size.
        Format::Png | Format::Tiff => raw * 2 + (1 << 20),
        Format::WebP if spec.lossless => raw + pixels * 8,
        Format::WebP => format::webp_memory(pixels, channels.has_alpha(), spec.effort) + 2 * pixels * files,
        // A copy with alpha, indices, the file, and the histograms of the palette.
        Format::Gif => pixels * 7 + (6 << 20),
        Format::Avif => pixels * 64,
        Format::Bmp | Format::Qoi | Format::Pnm | Format::Ico | Format::Tga => pixels * 5,
    }
}

/// What scoring a result takes: the metric, and the result decoded.
fn measured(plan: &Plan, spec: &Spec, channels: Channels) -> u64 {
    if spec.target.is_none() {
        return 0;
    }
    let size = plan.size();
    let decoded = match plan.format {
        // Of a large one, only a row of crops.
        Format::Jpeg if metric::crops(size).len() > 1 => 0,
        _ => size.pixels().saturating_mul(3 * channels.count() as u64),
    };
    metric::memory(size) + decoded
}

fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}
