//! Estimated work of a plan, which feeds the order of the queue, the wait that it predicts, and the rates of callers.

use crate::codec::jpeg::header::CodingProcess;
use crate::codec::plan::{Plan, Route};
use crate::codec::source::Source;
use crate::format::Format;
use crate::ops;
use crate::spec::{Effort, Spec};

/// Encodes of a search for `max_bytes` or `target`, on average.
const SEARCH_TRIES: u64 = 7;

/// Work of one SSIMULACRA2 score for each pixel.
const SCORE: u64 = 60;

/// Estimates the work of `plan` in [`Plan::cost`]'s unit. It is never below the pixels of the source.
pub(super) fn of(plan: &Plan, source: &Source<'_>, spec: &Spec) -> u64 {
    let pixels = plan.size().pixels();
    let stages = match plan.route {
        // The walk to the end of the source takes a decode at most.
        Route::Passthrough => decoding(plan, source),
        Route::Lossless => decoding(plan, source).saturating_mul(2),
        Route::Planar | Route::Pixels | Route::Frames => {
            let ops: u64 = spec.ops.iter().map(ops::cost).fold(0, u64::saturating_add);
            let searches = spec.max_bytes.is_some() || spec.target.is_some();
            let tries = if searches { SEARCH_TRIES } else { 1 };
            let score = if spec.target.is_some() { SCORE } else { 0 };
            let each = (encoding(plan.format, spec) + score).saturating_mul(tries).saturating_add(ops);
            let frame = decoding(plan, source)
                .saturating_add(resizing(plan, spec))
                .saturating_add(pixels.saturating_mul(each));
            // Frames before the first one are decoded, too.
            let skipped = decoding(plan, source).saturating_mul(plan.frames.first.into());
            frame.saturating_mul(plan.frames.count.into()).saturating_add(skipped)
        }
    };
    stages.max(source.probe.stored.pixels())
}

/// Work of reading the source. JPEG files are decoded at a scale; other formats in full.
fn decoding(plan: &Plan, source: &Source<'_>) -> u64 {
    let each = match plan.source.format {
        Format::Jpeg => match &source.header {
            Some(header) if header.frame.coding == CodingProcess::Progressive => 3,
            Some(_) => 1,
            None => 6,
        },
        Format::Png | Format::Gif | Format::Tiff => 4,
        Format::WebP if source.key_frame.is_some() => 2,
        Format::WebP | Format::Avif => 6,
        Format::Bmp | Format::Qoi | Format::Pnm | Format::Ico | Format::Tga => 2,
    };
    source.probe.stored.pixels().saturating_mul(each)
}

/// Work of resampling decoded pixels. That of JPEG planes is part of decoding.
fn resizing(plan: &Plan, spec: &Spec) -> u64 {
    let each = match (spec.linear, plan.decode_scale) {
        (true, _) => 7,
        (false, None) => 1,
        (false, Some(_)) => 0,
    };
    plan.source.stored.pixels().saturating_mul(each)
}

/// Work of encoding a pixel.
fn encoding(format: Format, spec: &Spec) -> u64 {
    let by_effort = |fast, balanced, smallest| match spec.effort {
        Effort::Fast => fast,
        Effort::Balanced => balanced,
        Effort::Smallest => smallest,
    };
    match format {
        Format::Jpeg => by_effort(5, 6, 80),
        Format::Png => by_effort(6, 100, 260),
        Format::WebP if spec.lossless => 8,
        Format::WebP => by_effort(10, 17, 100),
        Format::Gif => by_effort(45, 60, 330),
        Format::Tiff => by_effort(30, 90, 250),
        Format::Avif => by_effort(200, 400, 3000),
        Format::Bmp | Format::Qoi | Format::Pnm | Format::Ico | Format::Tga => 4,
    }
}

/// Entropy-coded data, in bytes, from which two workers gain more than it costs to share a picture.
const SHARED_BYTES: usize = 192 << 10;

/// Returns true if idle workers may share the picture: our own JPEG decoder splits large files.
pub(super) fn is_shareable(plan: &Plan, source: &Source<'_>) -> bool {
    let data =
        source.header.as_ref().map_or(0, |header| source.input.len() - header.scans.min(source.input.len()));
    plan.decode_scale.is_some() && data >= SHARED_BYTES
}

#[cfg(test)]
mod tests {
    use crate::codec::plan;
    use crate::limits::Limits;
    use crate::spec::{Options, Spec};

    fn cost(width: u32, height: u32, options: &str) -> u64 {
        let pixmap =
            [format!("P6 {width} {height} 255\n").into_bytes(), vec![7; (width * height * 3) as usize]];
        let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
        plan(&pixmap.concat(), &spec, &Limits::default()).unwrap().cost
    }

    #[test]
    fn a_small_source_that_is_enlarged_costs_as_its_result() {
        let enlarged = cost(8, 8, "width=5000&height=5000&ops=denoise:100");
        assert!(enlarged > 10_000_000_000, "{enlarged}");
        assert!(enlarged > 1000 * cost(1000, 800, "width=100"));
    }

    #[test]
    fn the_cost_grows_with_effort_format_operations_and_tries() {
        let plain = cost(300, 200, "width=200");
        for dearer in [
            "width=200&effort=smallest",
            "width=200&format=webp",
            "width=200&format=gif&effort=smallest",
            "width=200&ops=sift",
            "width=200&max_bytes=1k",
            "width=200&linear=true",
            "width=280",
        ] {
            assert!(cost(300, 200, dearer) > plain, "{dearer}");
        }
    }

    #[test]
    fn no_picture_costs_less_than_its_pixels() {
        assert!(cost(300, 200, "width=1") >= 60_000);
    }
}
